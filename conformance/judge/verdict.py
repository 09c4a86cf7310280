"""A verdict: what one requirement came to on one target, beside what was expected of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from conformance.catalogue.requirements import Level, Role
from conformance.pod.codec import decode, encode
from conformance.pod.record import Record

VerdictName = Literal["met", "unmet", "invalid", "unsupported"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)

#: A verdict against its expectation. `invalid` says nothing about qmail, `unstable` did not repeat in a fresh
#: pod, `unsupported` was not decided; none of these three is a regression.
Assessment = Literal["expected", "unexpected", "unstable", "invalid", "unsupported"]


def as_expected(verdict: VerdictName, expected: VerdictName) -> bool:
    """Whether a verdict is the expected one. An invalid verdict never is: it says nothing about qmail."""
    return verdict == expected and verdict != "invalid"


@dataclass(frozen=True)
class Verdict:
    """One requirement on one target: the verdict line of a run file.

    `deviation` is None or {"reason", "source", "since"}: the known deviation that set `expected`.
    `seconds` is what the case took. `record` is everything seen while it ran, or None.
    `source` is the citation. `seen` is one short text, why it is unmet or invalid; "" when met.
    `unstable`: the verdict did not repeat in a fresh pod. `attempts` are the verdicts in order of time.
    """

    requirement: str
    patch: str
    role: Role
    level: Level
    verdict: VerdictName
    expected: VerdictName
    as_expected: bool
    deviation: dict[str, str] | None
    seconds: float
    record: Record | None
    promise: str
    source: str
    seen: str
    unstable: bool
    attempts: list[VerdictName]

    @property
    def assessment(self) -> Assessment:
        """What it means against its expectation; the world's failure comes first, then instability."""
        if self.verdict == "invalid":
            return "invalid"
        if self.unstable:
            return "unstable"
        if self.as_expected:
            return "expected"
        return "unsupported" if self.verdict == "unsupported" else "unexpected"

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        data: dict[str, Any] = encode(self)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError that says which field is wrong and how."""
        made = decode(cls, data)
        made._check_sense()
        return made

    def _check_sense(self) -> None:
        """Fields that are right one by one can still contradict each other."""
        if not self.requirement.startswith(self.patch + "."):
            raise ValueError(f"requirement {self.requirement!r} does not belong to patch {self.patch!r}")
        if self.expected == "invalid":
            raise ValueError("expected is 'invalid', which says nothing about qmail")
        if self.as_expected != as_expected(self.verdict, self.expected):
            raise ValueError(
                f"as_expected is {self.as_expected}, but the verdict is {self.verdict} "
                f"where {self.expected} was expected"
            )
        if self.seconds < 0:
            raise ValueError(f"seconds is {self.seconds:g}, not a duration")
        if self.deviation is not None and set(self.deviation) != {"reason", "source", "since"}:
            raise ValueError("deviation is neither null nor reason, source and since")
        if self.attempts and self.verdict not in self.attempts:
            raise ValueError(f"verdict {self.verdict} is not among its attempts")
        if self.unstable and len(set(self.attempts)) < 2:
            raise ValueError("unstable, but its attempts do not differ")


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Counts for a footer: by verdict (these four add up to the total) and by assessment."""
    counts = {name: 0 for name in (*VERDICTS, "expected", "unexpected", "unstable")}
    for verdict in verdicts:
        counts[verdict.verdict] += 1
        if verdict.assessment in ("expected", "unexpected", "unstable"):
            counts[verdict.assessment] += 1
    return counts
