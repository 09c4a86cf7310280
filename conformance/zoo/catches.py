"""Which requirements catch which flaw, both ways, and what is wrong with it: the bars of the zoo."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.catalogue import Requirement
from conformance.catalogue.builtin import PATCHES
from conformance.judge.verdict import as_expected
from conformance.reference.flaws import FLAWS
from conformance.zoo.trial import BUILDS, Baseline, Outcome, Trial, known_deviations

#: What a build is called in sentences.
BUILD_NAMES = {"stock": "stock", "patched": "all patches", "model": "the model"}


@dataclass
class ZooTable:
    """The zoo after a round. `flaws` and `requirements` are those that were chosen, in order.

    `caught_by` maps every flaw to the requirements that catch it, those of its own patch first; `catches`
    maps every requirement to the flaws that it catches. `on_model` maps a flaw that a requirement with a
    known deviation catches to those that catch it where the known deviations show. `broken` says, a sentence
    each, which bars do not hold; it speaks of what was chosen alone. `in_code` are those of `unmet` verdicts
    that no sentence tells.
    """

    flaws: list[str]
    requirements: dict[str, Requirement]
    caught_by: dict[str, list[str]] = field(default_factory=dict)
    on_model: dict[str, list[str]] = field(default_factory=dict)
    catches: dict[str, list[str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    runs: int = 0  #: cases run under a flaw
    unmet: int = 0
    in_code: list[str] = field(default_factory=list)


def lay_out(
    requirements: Mapping[str, Requirement],
    without: Baseline,
    seen: Iterable[tuple[Trial, Outcome]],
    chosen: Iterable[str],
) -> ZooTable:
    """The table of a round: `without` is the reference without flaws, `seen` what came of each trial.

    A flaw is caught when the verdict under it differs from the one without it: `unmet` for what is met, or,
    for a change on stock, `met` for what must be unmet there. `chosen` names the flaws and requirements
    that the bars speak of; of the others the table holds only what they have to do with these.
    """
    names = set(chosen)
    in_order = [name for patch in PATCHES for name, flaw in FLAWS.items() if flaw.patch == patch]
    table = ZooTable(
        [flaw for flaw in in_order if flaw in names],
        {name: requirement for name, requirement in requirements.items() if name in names},
    )
    table.broken += _unlike_the_promise(table.requirements, without)
    pairs: set[tuple[str, str]] = set()
    own: set[str] = set()  # flaws that are caught by what has to catch them
    on_model: dict[str, list[str]] = {}
    for trial, outcome in seen:
        table.runs += len(outcome)
        if trial.build == "model":
            on_model[trial.flaw] = []
        for name, (verdict, what) in outcome.items():
            if verdict not in ("met", "unmet"):
                where = f"on {BUILD_NAMES[trial.build]} with {trial.flaw}"
                table.broken.append(f"{name} is {verdict} {where}: {_short(what)}")
            elif trial.build == "model":
                plain = without.verdict("model", name)
                if not as_expected(verdict, plain.expected, plain.deviation, what):
                    on_model.setdefault(trial.flaw, []).append(name)
            elif verdict != without.verdict(trial.build, name).verdict:
                pairs.add((trial.flaw, name))
                # What stock does and a patch takes away is no promise of base: the change that is met on
                # stock, where it must not be, speaks for it.
                without_patch = trial.build == "stock" and verdict == "met"
                if requirements[name].patch == FLAWS[trial.flaw].patch or without_patch:
                    own.add(trial.flaw)
    for flaw in in_order:
        caught = [name for name in requirements if (flaw, name) in pairs]
        patch = FLAWS[flaw].patch
        table.caught_by[flaw] = sorted(caught, key=lambda name: (requirements[name].patch != patch, name))
    for name in requirements:
        table.catches[name] = [flaw for flaw in in_order if (flaw, name) in pairs]
    for flaw in table.flaws:  # each is to be caught by a requirement of its own patch
        told, caught = f"{flaw} ({FLAWS[flaw].description})", table.caught_by[flaw]
        if not caught:
            table.broken.append(f"{told} is caught by no requirement")
        elif flaw not in own:
            others = ", ".join(caught[:3]) + (" …" if len(caught) > 3 else "")
            table.broken.append(f"{told} is caught by none of {FLAWS[flaw].patch}, only by {others}")
    table.on_model = {flaw: on_model[flaw] for flaw in in_order if flaw in on_model}
    table.broken += _hidden(table.on_model, without)
    table.broken += [
        f"{name} catches no flaw: name one in conformance/reference/flaws that breaks its promise, "
        "or strengthen its case"
        for name in table.requirements
        if not table.catches[name]
    ]
    return table


def _unlike_the_promise(requirements: Mapping[str, Requirement], without: Baseline) -> list[str]:
    """The reference without flaws meets everything that it should, and nothing else."""
    return [
        f"{name} is {plain.verdict} on {BUILD_NAMES[build]} without any flaw, "
        f"and {plain.expected} was expected: {_short(plain.seen)}"
        for build in BUILDS
        for name in requirements
        if not (plain := without.verdict(build, name)).as_expected
    ]


def _hidden(on_model: Mapping[str, Sequence[str]], without: Baseline) -> Iterator[str]:
    """What known deviations hide and nobody said that they do, and what they are said to hide and do not."""
    excused = {flaw for deviation in known_deviations() for flaw in deviation.hides}
    for flaw, caught in on_model.items():
        if caught and flaw in excused:
            yield f"{flaw} is caught by {caught[0]} on the model, and a deviation says that it hides it"
        elif not caught and flaw not in excused:
            yield (
                f"{flaw} is caught by nothing on the model: describe more narrowly what a deviation excuses, "
                "or split its requirement"
            )


def _short(seen: str) -> str:
    words = " ".join(seen.split()) or "nothing was said"
    return words if len(words) <= 200 else words[:200] + " …"
