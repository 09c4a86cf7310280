"""A verdict: what one requirement came to on one target, beside what was expected of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast, get_args

from conformance.catalogue.requirements import Level, Role
from conformance.pod.codec import decode, encode, shown
from conformance.pod.record import Record

VerdictName = Literal["met", "unmet", "invalid", "unsupported"]
VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)

#: Where a verdict stands against its expectation. `invalid` says nothing about qmail, `unstable` did not
#: repeat in a fresh pod, `unsupported` was not decided; none of these three is a regression.
Standing = Literal["expected", "unexpected", "unstable", "invalid", "unsupported"]

DEVIATION_KEYS = frozenset({"reason", "source", "since"})


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
    seen: str = ""
    unstable: bool = False
    attempts: list[VerdictName] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        """Where it stands against its expectation; the world's failure comes first, then instability."""
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
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`. Raises ValueError that says which field is wrong and how."""
        check_keys(data, [one.name for one in fields(cls)])
        for name in ("requirement", "patch", "promise", "source", "seen"):
            check_type(data, name, str)
        _one_of(data, "role", get_args(Role))
        _one_of(data, "level", get_args(Level))
        _one_of(data, "verdict", VERDICTS)
        _one_of(data, "expected", tuple(name for name in VERDICTS if name != "invalid"))
        check_type(data, "as_expected", bool)
        check_type(data, "unstable", bool)
        check_type(data, "attempts", list)
        _check_deviation(data["deviation"])
        record = None if data["record"] is None else decode(Record, data["record"])
        seconds = _duration(data["seconds"])
        made = cls(**{**data, "record": record, "seconds": seconds, "attempts": list(data["attempts"])})
        made._check_sense()
        return made

    def _check_sense(self) -> None:
        """Fields that are right one by one can still contradict each other."""
        if not self.requirement.startswith(self.patch + "."):
            raise ValueError(f"requirement {self.requirement!r} does not belong to patch {self.patch!r}")
        if self.as_expected != as_expected(self.verdict, self.expected):
            raise ValueError(
                f"as_expected is {self.as_expected}, but the verdict is {self.verdict} "
                f"where {self.expected} was expected"
            )
        if any(attempt not in VERDICTS for attempt in self.attempts):
            raise ValueError(f"attempts holds something other than {', '.join(VERDICTS)}")
        if self.attempts and self.verdict not in self.attempts:
            raise ValueError(f"verdict {self.verdict} is not among its attempts")
        if self.unstable and len(set(self.attempts)) < 2:
            raise ValueError("unstable, but its attempts do not differ")


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Counts for a footer: by verdict (these four add up to the total) and by standing."""
    counts = {name: 0 for name in (*VERDICTS, "expected", "unexpected", "unstable")}
    for verdict in verdicts:
        add_to(counts, verdict)
    return counts


def add_to(counts: dict[str, int], verdict: Verdict) -> None:
    """Count one more verdict in what `counted` gives."""
    counts[verdict.verdict] += 1
    if verdict.standing in ("expected", "unexpected", "unstable"):
        counts[verdict.standing] += 1


def check_keys(data: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise ValueError unless `data` has exactly these keys."""
    wanted = set(keys)
    if missing := sorted(wanted - set(data)):
        raise ValueError(f"missing: {', '.join(missing)}")
    if unknown := sorted(set(data) - wanted):
        raise ValueError(f"unknown: {', '.join(repr(name) for name in unknown)}")


def check_type(data: Mapping[str, Any], name: str, wanted: type) -> None:
    """Raise ValueError unless `data[name]` is of that very type (so that true is no number)."""
    if type(data[name]) is not wanted:
        raise ValueError(f"{name} is {shown(data[name])}, not of type {wanted.__name__}")


def _one_of(data: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> None:
    if data[name] not in allowed:
        raise ValueError(f"{name} is {shown(data[name])}, not one of {', '.join(allowed)}")


def _duration(value: object) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"seconds is {shown(value)}, not a number")
    number = cast(float, value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"seconds is {shown(value)}, not a duration")
    return float(number)


def _check_deviation(value: object) -> None:
    if value is None:
        return
    fits = isinstance(value, dict) and set(value) == DEVIATION_KEYS
    if not fits or not all(type(text) is str for text in cast(dict[str, Any], value).values()):
        raise ValueError("deviation is neither null nor reason, source and since as texts")
