"""Requirement by patch: what the verdicts of many builds, laid side by side, say about each requirement.

Pure: reads a comparison of runs, whose headers claim the patches, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from conformance.attribution.explanation import (
    Explanation,
    Patches,
    explanations,
    fitting,
    is_proved,
    simplest,
    smallest_flips,
)
from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_WORLD, UsageError
from conformance.judge.comparison import Comparison, Row
from conformance.report.words import listed

#: "flips": one explanation fits. "several": more than one does, and these builds cannot tell them apart.
#: "other": it flips, and no explanation fits. "same": every build has the same verdict. "undecided": a
#: verdict that would be needed is invalid, unstable or unsupported.
Outcome = Literal["flips", "several", "other", "same", "undecided"]

#: How that agrees with the requirement's own name and role.
Agreement = Literal["as named", "deviation known", "not as named", "not decided"]
AGREEMENTS: tuple[Agreement, ...] = ("as named", "deviation known", "not as named", "not decided")

#: Every set of the patches is looked at, so that there must not be too many.
MOST_PATCHES = 12


@dataclass(frozen=True)
class Attribution:
    """What one requirement's verdicts come to over the builds.

    `told_by_patch`: some builds have the requirement's own patch, and others have not. `explanations`: the
    simplest that fit. `sets`: the smallest sets of patches that flip the verdict which the base build has to
    `flipped_to` ("" when nothing flips). `proved`: it holds for builds that were not looked at too, as long
    as no patch flips the verdict back.
    """

    row: Row
    told_by_patch: bool
    outcome: Outcome
    explanations: tuple[Explanation, ...] = ()
    sets: tuple[tuple[str, ...], ...] = ()
    flipped_to: str = ""
    proved: bool = False

    @property
    def words(self) -> str:
        """By what it is flipped, in a few words: `0008`, `0004 and 0005 together`, `no difference`."""
        if self.outcome == "undecided":
            return "not decided: a verdict is invalid, unstable or unsupported"
        if self.outcome == "same":
            return f"no difference: {self.row.cells[0].verdict} on every build"
        if self.outcome == "other":
            return f"{'; '.join(map(listed, self.sets))}, and not by every build that holds as much"
        either = " or ".join(map(str, self.explanations))
        return f"{either}: not told apart by these builds" if self.outcome == "several" else either

    @property
    def agreement(self) -> Agreement:
        """A change should be flipped to met by its own patch alone, and a guard be met on every build.

        What needs other patches besides is as named where it is met on the builds that claim them all.
        """
        row = self.row
        as_claimed = self.flipped_to == "met" and all(
            cell.verdict == cell.expected and cell.deviation is None for cell in row.cells
        )
        if row.role == "guard":
            as_named = as_claimed or (self.outcome == "same" and row.cells[0].verdict == "met")
            unclear = False
        else:
            alone = self.flipped_to == "met" and Explanation("alone", (row.patch,)) in self.explanations
            as_named = alone or as_claimed
            # Its patch is one of several that may have done it, or no two builds differ in its patch.
            untold = self.outcome == "same" and not self.told_by_patch
            unclear = self.outcome == "several" if as_named else untold
        if self.outcome == "undecided" or unclear:
            return "not decided"
        if as_named:
            return "as named"
        explained = any(cell.deviation for cell in row.cells) and all(cell.as_expected for cell in row.cells)
        return "deviation known" if explained else "not as named"


@dataclass(frozen=True)
class AttributionTable:
    """Every requirement over every build. `builds` maps the label of a run to the patches that it claims."""

    comparison: Comparison
    builds: dict[str, Patches]
    base: str
    rows: tuple[Attribution, ...]

    @property
    def patches(self) -> tuple[str, ...]:
        """The patches that some build has and the base build has not."""
        return tuple(sorted(frozenset().union(*self.builds.values()) - self.builds[self.base]))

    def with_agreement(self, agreement: Agreement) -> list[Attribution]:
        return [row for row in self.rows if row.agreement == agreement]

    @property
    def exit_status(self) -> int:
        """3: a world failed; 1: a requirement is flipped other than it is named; 4: none is decided.

        A known deviation is as expected; what these builds cannot tell apart is no failure.
        """
        if any(cell.verdict == "invalid" for row in self.rows for cell in row.row.cells):
            return EXIT_WORLD
        if self.with_agreement("not as named"):
            return EXIT_REGRESSION
        return EXIT_AS_EXPECTED if any(r.agreement != "not decided" for r in self.rows) else EXIT_NOTHING


def attribute(comparison: Comparison) -> AttributionTable:
    """The table of these runs.

    Raises UsageError unless each run claims other patches, and one of them fewer than all others and none
    that they lack.
    """
    labelled = zip(comparison.labels, comparison.runs, strict=True)
    builds = {label: frozenset(run.target.patches) for label, run in labelled}
    for label, other in combinations(builds, 2):
        if builds[label] == builds[other]:
            raise UsageError(
                f"{label} and {other} claim the same patches: {listed(sorted(builds[label]))}",
                "Give one run for each set of patches.",
            )
    base = min(builds, key=lambda label: len(builds[label]))
    odd = [label for label, patches in builds.items() if not builds[base] <= patches]
    if odd or len(builds) < 2:
        what = f"{base} claims a patch that {odd[0]} lacks" if odd else f"there is one run only, {base}"
        raise UsageError(
            f"{what}, so no build is the base of the others", "Add the run of a build with fewer patches."
        )
    if len(frozenset().union(*builds.values()) - builds[base]) > MOST_PATCHES:
        what = f"the runs differ in more than {MOST_PATCHES} patches"
        raise UsageError(what, "Leave some of the runs out.")
    rows = tuple(_attributed(row, list(builds.values()), builds[base]) for row in comparison.rows)
    return AttributionTable(comparison, builds, base, rows)


def _attributed(row: Row, builds: Sequence[Patches], base: Patches) -> Attribution:
    """`builds` are the patches of each cell's run."""
    seen = {
        build: cell.verdict
        for build, cell in zip(builds, row.cells, strict=True)
        if cell.verdict in ("met", "unmet") and not cell.unstable
    }
    full = frozenset[str]().union(*builds)
    told = row.patch in full - base
    flipped = {build: verdict != seen.get(base) for build, verdict in seen.items()}
    if base not in seen or not any(flipped.values()):
        return Attribution(row, told, "same" if len(seen) == len(builds) else "undecided")
    found = tuple(simplest(fitting(explanations(full - base), flipped)))
    flipped_to = "unmet" if seen[base] == "met" else "met"
    if not found:
        sets = tuple(tuple(sorted(build - base)) for build in smallest_flips(flipped))
        return Attribution(row, told, "other", (), sets, flipped_to)
    sets = tuple(dict.fromkeys(patches for explanation in found for patches in explanation.sets))
    if len(found) > 1:
        return Attribution(row, told, "several", found, sets, flipped_to)
    return Attribution(row, told, "flips", found, sets, flipped_to, is_proved(found[0], flipped, base, full))
