"""What changes for the people who use a build, from the one that they have today: worse, better, otherwise.

A promise that the build of before keeps and the other one does not is worse, the reverse is better, and one
that both break is told where they break it in different words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from conformance.catalogue.severity import Severity, worst_first
from conformance.judge.baseline import without_varying
from conformance.judge.comparison import Comparison, Row, surely
from conformance.judge.verdict import Verdict

Kind = Literal["worse", "better", "different"]


@dataclass(frozen=True)
class UserChange:
    """Requirements that change for one cause. `rows` is never empty.

    `cause` is the reason of the deviation that explains them; "" where none does, and then there is one row.
    """

    rows: tuple[Row, ...]
    cause: str
    severity: Severity | None  #: the worst of them, where the promise is broken


@dataclass(frozen=True)
class UserChanges:
    """All changes from the run at index `before` to the one at `after`, those that cost most first."""

    before: int
    after: int
    kinds: dict[Kind, tuple[UserChange, ...]]

    def verdicts(self, kind: Kind) -> list[Verdict]:
        """The verdicts that break the promises: those of after, and of before where it has become better."""
        side = self.before if kind == "better" else self.after
        return [row.cells[side] for change in self.kinds[kind] for row in change.rows]


def user_changes(comparison: Comparison) -> list[UserChanges]:
    """What changes from the run of before to each other one, on its own release where that was run there.

    Nothing where there is one run alone.

    What is unstable, invalid or unsupported on either side is left out: it says nothing about either.
    """
    pairs = ((comparison.before_of(after), after) for after in range(len(comparison.runs)))
    return [_between(comparison, before, after) for before, after in pairs if before is not None]


def _between(comparison: Comparison, before: int, after: int) -> UserChanges:
    def is_of(old: str, new: str) -> Callable[[Row], bool]:
        return lambda row: surely(row.cells[before], old) and surely(row.cells[after], new)

    both = filter(is_of("unmet", "unmet"), comparison.rows)
    otherwise = [row for row in both if _says(row.cells[before]) != _says(row.cells[after])]
    return UserChanges(
        before,
        after,
        {
            "worse": _by_cause(list(filter(is_of("met", "unmet"), comparison.rows)), after),
            "better": _by_cause(list(filter(is_of("unmet", "met"), comparison.rows)), before),
            "different": _by_cause(otherwise, after),
        },
    )


def _says(verdict: Verdict) -> str:
    return without_varying(verdict.seen.partition("\n")[0])


def _by_cause(rows: list[Row], side: int) -> tuple[UserChange, ...]:
    """One change for each reason of a deviation on that side, and for each row that has none."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cause = (row.cells[side].deviation or {}).get("reason", "")
        groups.setdefault((cause, "" if cause else row.requirement), []).append(row)
    made = []
    for (cause, _), group in groups.items():
        group.sort(key=lambda row: worst_first(row.cells[side].severity or ""))
        made.append(UserChange(tuple(group), cause, group[0].cells[side].severity))
    return tuple(sorted(made, key=lambda change: worst_first(change.severity or "")))
