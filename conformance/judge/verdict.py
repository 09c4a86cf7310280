"""A verdict: what one requirement came to on one target, beside what was expected of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from conformance.catalogue.patches import BASE, STOCK_PATCHES
from conformance.catalogue.requirements import Level, Role
from conformance.catalogue.severity import Severity
from conformance.pod.codec import decode, encode
from conformance.pod.record import Record

VerdictName = Literal["met", "unmet", "invalid", "unsupported"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)

#: A verdict against its expectation. `invalid` says nothing about qmail, `unstable` did not repeat in a fresh
#: pod, `unsupported` was not decided; none of these three is a regression.
Assessment = Literal["expected", "unexpected", "unstable", "invalid", "unsupported"]

_DEVIATION = ("reason", "source", "since")

#: What a verdict tells of a deviation that names another version.
ELSEWHERE = ("version", "reason", "since", "source", "target")


def as_expected(
    verdict: VerdictName, expected: VerdictName, deviation: Mapping[str, str] | None = None, seen: str = ""
) -> bool:
    """Whether a verdict is the expected one, and, where a known deviation makes it unmet, as that describes.

    An invalid verdict never is: it says nothing about qmail.
    """
    if verdict != expected or verdict == "invalid":
        return False
    return verdict != "unmet" or deviation is None or describes(deviation.get("seen", ""), seen)


def describes(patterns: str, seen: str) -> bool:
    """Whether one of the patterns, one a line, is what a failed assertion said; `*` stands for any text.

    Of `seen` only the first line counts: what pytest adds to an assertion stands below it. Without a pattern
    everything fits: older run files have none.
    """
    said = " ".join(seen.partition("\n")[0].split())
    shapes = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns.splitlines()]
    return not shapes or any(re.fullmatch(shape, said) for shape in shapes)


@dataclass(frozen=True)
class Verdict:
    """One requirement on one target: the verdict line of a run file.

    `deviation` is None or {"reason", "source", "since", "seen", "place"}: the known deviation that set
    `expected`, what is seen there (a pattern on each line, see `describes`), and its file and number there;
    older files lack the last two.
    `seconds` is what the case took. `record` is everything seen while it ran, or None.
    `source` is the citation. `seen` is one short text, why it is unmet or invalid; "" when met.
    `unstable`: the verdict, or that it was as a deviation describes, did not repeat in a fresh pod.
    `attempts` are the verdicts in order of time. `severity` is what it costs people when it is unmet; None
    where nobody says, as in older files. `elsewhere` is None or, where it is unexpected and a deviation of
    another version describes just that, {"version", "reason", "since", "source", "target"}: that version, and
    this target as a deviation names it.
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
    severity: Severity | None = None
    elsewhere: dict[str, str] | None = None

    @property
    def unlike_described(self) -> bool:
        """Whether it is unmet where a known deviation says so, but not in the way that this describes."""
        return self.deviation is not None and self.verdict == self.expected and not self.as_expected

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
        """The fields as plain data; of the last two those that say something."""
        data: dict[str, Any] = encode(self)
        for name in ("severity", "elsewhere"):
            if data[name] is None:
                del data[name]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError that says which field is wrong and how."""
        made = decode(cls, data)
        made._check_sense()
        return made

    def _check_sense(self) -> None:
        """Fields that are right one by one can still contradict each other."""
        # Those of stock's own patches have had their names since these were taken for a part of base.
        named_for = BASE if self.patch in STOCK_PATCHES else self.patch
        if not self.requirement.startswith((named_for + ".", self.patch + ".")):
            raise ValueError(f"requirement {self.requirement!r} does not belong to patch {self.patch!r}")
        if self.expected == "invalid":
            raise ValueError("expected is 'invalid', which says nothing about qmail")
        if self.as_expected != as_expected(self.verdict, self.expected, self.deviation, self.seen):
            raise ValueError(
                f"as_expected is {self.as_expected}, but the verdict is {self.verdict} "
                f"where {self.expected} was expected"
                + (f" as the known deviation says, and seen is {self.seen!r}" if self.deviation else "")
            )
        if self.seconds < 0:
            raise ValueError(f"seconds is {self.seconds:g}, not a duration")
        if self.deviation is not None and set(self.deviation) - {"seen", "place"} != {*_DEVIATION}:
            raise ValueError("deviation is neither null nor reason, source and since, perhaps seen and place")
        if self.elsewhere is not None and set(self.elsewhere) != set(ELSEWHERE):
            raise ValueError(f"elsewhere is neither null nor {', '.join(ELSEWHERE)}")
        if self.attempts and self.verdict not in self.attempts:
            raise ValueError(f"verdict {self.verdict} is not among its attempts")
        if self.unstable and len(set(self.attempts)) < 2 and not (self.deviation and self.attempts[1:]):
            raise ValueError("unstable, but its attempts do not differ")


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Counts for a footer: by verdict (these four add up to the total) and by assessment."""
    counts = {name: 0 for name in (*VERDICTS, "expected", "unexpected", "unstable")}
    for verdict in verdicts:
        counts[verdict.verdict] += 1
        if verdict.assessment in ("expected", "unexpected", "unstable"):
            counts[verdict.assessment] += 1
    return counts
