"""Which requirements catch which flaw, both ways, and what is wrong with it: the bars of the zoo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.catalogue import PATCHES, Requirement
from conformance.reference.flaws import FLAWS, Flaw
from conformance.zoo.trial import BUILDS, Baseline, Outcome, Trial

#: What a build is called in sentences.
BUILD_NAMES = {"stock": "stock", "patched": "all six patches"}

_SAYS_SOMETHING = ("met", "unmet")


@dataclass
class Table:
    """The zoo after a round. `flaws` and `requirements` are those that were chosen, in order.

    `caught_by` maps every flaw to the requirements that catch it, those of its own patch first; `catches`
    maps every requirement to the flaws that it catches. `broken` says, a sentence each, which bars do not
    hold; it speaks of what was chosen alone.
    """

    flaws: list[str]
    requirements: dict[str, Requirement]
    caught_by: dict[str, list[str]] = field(default_factory=dict)
    catches: dict[str, list[str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    runs: int = 0  #: cases run under a flaw


def in_order(flaws: Mapping[str, Flaw]) -> list[str]:
    """Names of flaws, patch by patch, base first."""
    return [name for patch in PATCHES for name, flaw in flaws.items() if flaw.patch == patch]


def expected(requirement: Requirement, build: str) -> str:
    """What the reference without flaws must come to."""
    carries = requirement.role == "guard" or requirement.patch in BUILDS[build]
    return "met" if carries else "unmet"


def lay_out(
    requirements: Mapping[str, Requirement],
    without: Baseline,
    seen: Iterable[tuple[Trial, dict[str, Outcome]]],
    chosen: Iterable[str],
) -> Table:
    """The table of a round: `without` is the reference without flaws, `seen` what came of each trial.

    A flaw is caught when the verdict under it differs from the one without it: `unmet` for what is met, or,
    for a change on stock, `met` for what must be unmet there. `chosen` names the flaws and requirements
    that the bars speak of; of the others the table holds only what they have to do with these.
    """
    names = set(chosen)
    table = Table(
        [flaw for flaw in in_order(FLAWS) if flaw in names],
        {name: one for name, one in requirements.items() if name in names},
    )
    table.broken += _unlike_the_promise(table.requirements, without)
    pairs: set[tuple[str, str]] = set()
    own: set[str] = set()  # flaws that are caught by what has to catch them
    for trial, outcomes in seen:
        table.runs += len(outcomes)
        for name, outcome in outcomes.items():
            before = without.outcomes[trial.build][name]
            if outcome.verdict not in _SAYS_SOMETHING:
                where = f"on {BUILD_NAMES[trial.build]} with {trial.flaw}"
                table.broken.append(f"{name} is {outcome.verdict} {where}: {_short(outcome.seen)}")
            elif outcome.verdict != before.verdict:
                pairs.add((trial.flaw, name))
                # What stock does and a patch takes away is no promise of base: the change that is met on
                # stock, where it must not be, speaks for it.
                without_patch = trial.build == "stock" and outcome.verdict == "met"
                if requirements[name].patch == FLAWS[trial.flaw].patch or without_patch:
                    own.add(trial.flaw)
    for flaw in in_order(FLAWS):
        caught = [name for name in requirements if (flaw, name) in pairs]
        patch = FLAWS[flaw].patch
        table.caught_by[flaw] = sorted(caught, key=lambda name: (requirements[name].patch != patch, name))
    for name in requirements:
        table.catches[name] = [flaw for flaw in in_order(FLAWS) if (flaw, name) in pairs]
    table.broken += _not_caught(table, own)
    table.broken += [
        f"{name} catches no flaw: name one in conformance/reference/flaws.py that breaks its promise, "
        "or strengthen its case"
        for name in table.requirements
        if not table.catches[name]
    ]
    return table


def _unlike_the_promise(requirements: Mapping[str, Requirement], without: Baseline) -> list[str]:
    """The reference without flaws meets everything that it should, and nothing else."""
    return [
        f"{name} is {outcomes[name].verdict} on {BUILD_NAMES[build]} without any flaw, "
        f"and {expected(one, build)} was expected: {_short(outcomes[name].seen)}"
        for build, outcomes in without.outcomes.items()
        for name, one in requirements.items()
        if outcomes[name].verdict != expected(one, build)
    ]


def _not_caught(table: Table, own: set[str]) -> list[str]:
    """Every flaw is caught by a requirement of its own patch."""
    broken = []
    for flaw in table.flaws:
        told, caught = f"{flaw} ({FLAWS[flaw].description})", table.caught_by[flaw]
        if not caught:
            broken.append(f"{told} is caught by no requirement")
        elif flaw not in own:
            others = ", ".join(caught[:3]) + (" …" if len(caught) > 3 else "")
            broken.append(f"{told} is caught by none of {FLAWS[flaw].patch}, only by {others}")
    return broken


def _short(seen: str) -> str:
    words = " ".join(seen.split()) or "nothing was said"
    return words if len(words) <= 200 else words[:200] + " …"
