"""Runs laid side by side: where they differ, and what each patch came to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from conformance.catalogue.builtin import PATCHES
from conformance.catalogue.patches import BASE, STOCK_PATCHES
from conformance.catalogue.requirements import Level, Role
from conformance.errors import NothingSelected, UsageError
from conformance.judge.outcome import exit_status, worst_status
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict


@dataclass(frozen=True)
class Row:
    """One requirement on every run, in the order of the runs."""

    requirement: str
    patch: str
    role: Role
    level: Level
    promise: str
    source: str
    cells: tuple[Verdict, ...]

    @classmethod
    def of(cls, cells: Sequence[Verdict]) -> Self:
        v = cells[0]
        return cls(v.requirement, v.patch, v.role, v.level, v.promise, v.source, tuple(cells))

    @property
    def differs(self) -> bool:
        """Whether one run meets it and another does not; unstable and invalid verdicts show nothing."""
        return {"met", "unmet"} <= {cell.verdict for cell in self.cells if not cell.unstable}

    @property
    def explained(self) -> bool:
        """Whether the roles, the patches and the known deviations account for what was seen."""
        return all(cell.as_expected for cell in self.cells if cell.assessment in ("expected", "unexpected"))


@dataclass(frozen=True)
class PatchSummary:
    """What one patch came to on one run that claims it (`base`: on any run).

    `met` of `total` requirements are met; `deviations` counts known ones that show. `apart` counts the
    changes that are met here and unmet on every run without the patch, out of `changes`; None when
    there is no such run.
    """

    patch: str
    label: str
    met: int
    total: int
    deviations: int
    unexpected: int
    invalid: int
    unstable: int
    unsupported: int
    changes: int
    apart: int | None

    @property
    def sentence(self) -> str:
        """`0005 does what it promises: 9 of 9; tells the builds apart: 6 of 6 changes`."""
        parts = [f"{self.patch} {self._claim}: {self.met} of {self.total}"]
        known = "deviation known" if self.deviations == 1 else "deviations known"
        counts = {"unexpected": self.unexpected, known: self.deviations, "invalid": self.invalid}
        counts |= {"unstable": self.unstable, "unsupported": self.unsupported}
        parts += [f"{number} {word}" for word, number in counts.items() if number]
        if self.apart is not None and self.changes:
            noun = "change" if self.changes == 1 else "changes"
            parts.append(f"tells the builds apart: {self.apart} of {self.changes} {noun}")
        return "; ".join(parts)

    @property
    def _claim(self) -> str:
        if self.unexpected:
            return "is not as expected"
        if self.invalid or self.unstable or self.unsupported:
            return "was not decided in full"
        if self.met < self.total:
            return "falls short of its promises, as is known"
        return "does what it promises"


@dataclass(frozen=True)
class Comparison:
    """One or more runs of the same suite and selection. `labels` name them, each once.

    `before` is the index of the run that users have today, with which the others are compared; None where
    there is one run alone. On other releases it is the run of the same target there: see `before_of`.
    """

    runs: tuple[Run, ...]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    patches: tuple[PatchSummary, ...]
    before: int | None = None

    @property
    def differing(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.differs)

    @property
    def unexplained(self) -> tuple[Row, ...]:
        """Rows that differ, and not as expected."""
        return tuple(row for row in self.differing if not row.explained)

    def before_of(self, index: int) -> int | None:
        """The run of before that the one at `index` is compared with; None for that of before itself.

        Where the target of before was run on several releases, another target is compared with it on its own.
        """
        if self.before is None or index == self.before:
            return None
        mine, before = self.runs[index].target, self.runs[self.before].target
        if mine.name == before.name:
            return self.before
        for other, run in enumerate(self.runs):
            if (run.target.name, run.target.release) == (before.name, mine.release):
                return other
        return self.before

    def worse(self, index: int) -> tuple[Row, ...]:
        """What the run at `index` does not keep, and the run of before does; nothing for that one itself."""
        before = self.before_of(index)
        if before is None:
            return ()
        return tuple(
            row for row in self.rows if surely(row.cells[index], "unmet") and surely(row.cells[before], "met")
        )

    @property
    def titles(self) -> dict[str, str]:
        """The titles of patches that are not this suite's, as the runs have them."""
        return {patch: title for run in self.runs for patch, title in run.header.titles.items()}

    @property
    def cut_off(self) -> list[str]:
        """`stock after 120 of 178 verdicts`, for each run that was cut off."""
        pairs = zip(self.labels, self.runs, strict=True)
        return [f"{label} after {run.cut_off}" for label, run in pairs if run.cut_off]

    @property
    def exit_status(self) -> int:
        """The worst of what the verdicts of each run say and what each run ended with."""
        says = [exit_status(run.verdicts) for run in self.runs]
        return worst_status(says + [run.footer.exit_status for run in self.runs])


def compare(runs: Sequence[Run], before: int | None = None) -> Comparison:
    """Lay runs side by side; a single one is laid out in the same way.

    `before` is the index of the run that users have today; where nobody says it, that of the one target whose
    patches every other claims besides more, or else the first.

    Where one was cut off, what all have reached is laid out. Raises UsageError when they are not runs of the
    same suite version, selection and requirements, and NothingSelected without a run.
    """
    if not runs:
        raise NothingSelected("there is no run to compare", "Name one or more run files or targets.")
    first = runs[0]
    for other in runs[1:]:
        _refuse_unlike(first, other)
    by_name = [{verdict.requirement: verdict for verdict in run.verdicts} for run in runs]
    # `base` first, then the patches by number, then by name.
    reached = [v for v in first.verdicts if all(v.requirement in verdicts for verdicts in by_name)]
    ordered = sorted(reached, key=lambda v: (v.patch != "base", v.patch, v.requirement))
    rows = tuple(Row.of([verdicts[verdict.requirement] for verdicts in by_name]) for verdict in ordered)
    labels = _labels(runs)
    if len(runs) == 1:
        before = None
    elif before is None:
        before = _before(runs)
    return Comparison(tuple(runs), labels, rows, _summaries(runs, labels, rows), before)


def _before(runs: Sequence[Run]) -> int:
    for index, mine in enumerate(run.target for run in runs):
        others = (run.target for run in runs if run.target.name != mine.name)
        if all(set(mine.patches) < set(other.patches) for other in others):
            return index
    return 0


def _refuse_unlike(first: Run, other: Run) -> None:
    for what, mine, its in (
        ("versions of the suite", first.header.suite, other.header.suite),
        ("selections", first.header.selection, other.header.selection),
    ):
        if mine != its:
            raise UsageError(
                f"{first.path} and {other.path} are runs of different {what} ({mine!r} and {its!r}), "
                "so their rows do not mean the same",
                "Run both targets again with the same suite and the same options.",
            )
    mine_by_name = {verdict.requirement: _kind(verdict) for verdict in first.verdicts}
    its_by_name = {verdict.requirement: _kind(verdict) for verdict in other.verdicts}
    if first.cut_off or other.cut_off:
        both = mine_by_name.keys() & its_by_name.keys()
        mine_by_name, its_by_name = (
            {name: each[name] for name in both} for each in (mine_by_name, its_by_name)
        )
    if mine_by_name != its_by_name:
        odd = sorted(name for name, _ in mine_by_name.items() ^ its_by_name.items())
        raise UsageError(
            f"{first.path} and {other.path} do not hold the same requirements: {odd[0]} differs"
            + (f", and {len(set(odd)) - 1} more" if len(set(odd)) > 1 else ""),
            "The cases changed between the runs; run both targets again.",
        )


def _labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """The targets' labels; what is called the same with what tells it apart, or else by its number."""
    settings = [_setting(run) for run in runs]
    labels = []
    for run, mine in zip(runs, settings, strict=True):
        alike = [each for other, each in zip(runs, settings, strict=True) if _same_name(other, run)]
        apart = [word for place, word in enumerate(mine) if len({each[place] for each in alike}) > 1]
        words = ", ".join(filter(None, apart))
        labels.append(f"{run.target.label} ({words})" if words else run.target.label)
    often, seen = Counter(labels), Counter[str]()
    for index, label in enumerate(labels):
        seen[label] += 1
        if often[label] > 1:
            labels[index] = f"{label} #{seen[label]}"
    return tuple(labels)


def _same_name(one: Run, other: Run) -> bool:
    return one.target.label == other.target.label


def _setting(run: Run) -> tuple[str, ...]:
    """What may tell two runs of one target apart: its base, the architecture, the queue's place."""
    queue = f"queue: {run.header.queue}" if run.header.queue else ""
    return run.target.base, run.target.architecture, queue


def _summaries(runs: Sequence[Run], labels: Sequence[str], rows: Sequence[Row]) -> tuple[PatchSummary, ...]:
    present = {row.patch for row in rows}
    ordered = [patch for patch in PATCHES if patch in present] + sorted(present - set(PATCHES))
    return tuple(
        _summary(patch, index, runs, labels[index], [row for row in rows if row.patch == patch])
        for patch in ordered
        for index, run in enumerate(runs)
        # Of a run that was cut off nobody knows what a patch comes to.
        if (patch == "base" or patch in run.target.patches) and not run.cut_off
    )


def _summary(patch: str, index: int, runs: Sequence[Run], label: str, rows: Sequence[Row]) -> PatchSummary:
    without = [i for i, run in enumerate(runs) if patch != "base" and patch not in run.target.patches]
    cells = [row.cells[index] for row in rows]
    assessments = Counter(cell.assessment for cell in cells)
    changes = [row for row in rows if row.role == "change"]
    apart = sum(
        surely(row.cells[index], "met") and all(surely(row.cells[other], "unmet") for other in without)
        for row in changes
    )
    return PatchSummary(
        patch=patch,
        label=label,
        met=sum(surely(cell, "met") for cell in cells),
        total=len(cells),
        deviations=sum(cell.deviation is not None and cell.assessment == "expected" for cell in cells),
        **{name: assessments[name] for name in ("unexpected", "invalid", "unstable", "unsupported")},
        changes=len(changes),
        apart=apart if without else None,
    )


def surely(verdict: Verdict, name: str) -> bool:
    """Whether it is `met` or `unmet`, as `name` says, each time that the case ran."""
    return verdict.verdict == name and not verdict.unstable


def _kind(verdict: Verdict) -> tuple[str, str, str]:
    """Patch, role and level, which two runs must have alike.

    Stock's own patches were a part of base in earlier versions, and all of base are guards.
    """
    if verdict.patch in (BASE, *STOCK_PATCHES):
        return BASE, "guard", verdict.level
    return verdict.patch, verdict.role, verdict.level
