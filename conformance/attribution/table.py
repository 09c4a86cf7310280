"""Requirement by patch: what the verdicts of many builds, laid side by side, say about each requirement.

Pure: reads a comparison of runs, whose headers claim the patches, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from conformance.attribution.explanation import (
    Explanation,
    Patches,
    explanations,
    fitting,
    is_proved,
    listed,
    simplest,
    smallest_flips,
)
from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_WORLD, UsageError
from conformance.judge.comparison import Comparison, Row
from conformance.judge.verdict import Verdict

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

    `explanations`: the simplest that fit. `sets`: the smallest sets of patches that flip the verdict which
    the base build has to `flipped_to` ("" when nothing flips). `proved`: it holds for builds that were not
    looked at too, as long as no patch flips the verdict back.
    """

    row: Row
    outcome: Outcome
    explanations: tuple[Explanation, ...]
    sets: tuple[tuple[str, ...], ...]
    flipped_to: str
    proved: bool
    agreement: Agreement

    @property
    def requirement(self) -> str:
        return self.row.requirement

    @property
    def words(self) -> str:
        """By what it is flipped, in a few words: `0008`, `0004 and 0005 together`, `no difference`."""
        if self.outcome == "undecided":
            return "not decided: a verdict is invalid, unstable or unsupported"
        if self.outcome == "same":
            return f"no difference: {self.row.cells[0].verdict} on every build"
        if self.outcome == "other":
            least = "; ".join(listed(one) for one in self.sets)
            return f"{least}, and not by every build that holds as much"
        either = " or ".join(str(one) for one in self.explanations)
        return f"{either}: not told apart by these builds" if self.outcome == "several" else either


@dataclass(frozen=True)
class Table:
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


def attribute(comparison: Comparison) -> Table:
    """The table of these runs.

    Raises UsageError unless each run claims other patches, and one of them fewer than all others and none
    that they lack.
    """
    builds: dict[str, Patches] = {}
    for label, run in zip(comparison.labels, comparison.runs, strict=True):
        patches = frozenset(run.target.patches)
        for other, its in builds.items():
            if its == patches:
                raise UsageError(
                    f"{other} and {label} claim the same patches: {listed(sorted(patches))}",
                    "Give one run for each set of patches.",
                )
        builds[label] = patches
    base = min(builds, key=lambda label: len(builds[label]))
    odd = [label for label, patches in builds.items() if not builds[base] <= patches]
    if odd or len(builds) < 2:
        what = f"{base} claims a patch that {odd[0]} lacks" if odd else f"there is one run only, {base}"
        raise UsageError(
            f"{what}, so no build is the base of the others", "Add the run of a build with fewer patches."
        )
    if len(frozenset().union(*builds.values())) > MOST_PATCHES:
        raise UsageError(f"the runs claim more than {MOST_PATCHES} patches", "Leave some of the runs out.")
    rows = tuple(_attributed(row, builds, base, comparison.labels) for row in comparison.rows)
    return Table(comparison, builds, base, rows)


def _attributed(row: Row, builds: Mapping[str, Patches], base: str, labels: tuple[str, ...]) -> Attribution:
    cells = dict(zip(labels, row.cells, strict=True))
    decided = {label: cell for label, cell in cells.items() if _is_decided(cell)}
    if base not in decided:
        return Attribution(row, "undecided", (), (), "", False, "not decided")
    at_base = decided[base].verdict
    seen = {builds[label]: cell.verdict != at_base for label, cell in decided.items()}
    lowest, full = builds[base], frozenset[str]().union(*builds.values())
    if not any(seen.values()):
        outcome: Outcome = "same" if len(decided) == len(cells) else "undecided"
        made = Attribution(row, outcome, (), (), "", False, "not decided")
        return _with_agreement(made, full - lowest)
    found = simplest(fitting(explanations(full - lowest), seen))
    if found:
        outcome = "flips" if len(found) == 1 else "several"
        sets = tuple(dict.fromkeys(one for explanation in found for one in explanation.sets))
    else:
        outcome = "other"
        sets = tuple(tuple(sorted(build - lowest)) for build in smallest_flips(seen))
    proved = len(found) == 1 and is_proved(found[0], seen, lowest, full)
    flipped_to = "unmet" if at_base == "met" else "met"
    made = Attribution(row, outcome, tuple(found), sets, flipped_to, proved, "not decided")
    return _with_agreement(made, full - lowest)


def _is_decided(cell: Verdict) -> bool:
    return cell.verdict in ("met", "unmet") and not cell.unstable


def _with_agreement(made: Attribution, told: Patches) -> Attribution:
    return replace(made, agreement=_agreement(made, told))


def _agreement(made: Attribution, told: Patches) -> Agreement:
    """A change should be flipped to met by its own patch alone, and a guard be met on every build.

    `told`: the patches that some builds have and others have not.
    """
    row = made.row
    if made.outcome == "undecided":
        return "not decided"
    own = Explanation("alone", (row.patch,))
    if row.role == "change" and row.patch in told:
        as_named = made.outcome == "flips" and made.explanations == (own,) and made.flipped_to == "met"
        if made.outcome == "several" and own in made.explanations and made.flipped_to == "met":
            return "not decided"
    elif row.role == "change":
        if made.outcome == "same":
            return "not decided"  # no two builds differ in its patch
        as_named = False
    else:
        as_named = made.outcome == "same" and row.cells[0].verdict == "met"
    if as_named:
        return "as named"
    explained = any(cell.deviation for cell in row.cells) and all(cell.as_expected for cell in row.cells)
    return "deviation known" if explained else "not as named"
