"""What changed between two runs of the same target: an old one and a new one.

`slower` is a hint and no verdict: a run keeps one duration for each case, so there is no median to compare.
A case counts as slower when both verdicts are the same and it took at least twice as long and 50 ms more:
below that the start of a process and the machine's other work are larger than what is looked for. Where the
runs have cases enough to tell, it must also stand out from them: a machine that was busier makes all slower.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.judge.expectation import described, meaning
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.export import picked, said_of
from conformance.report.markdown import escape, table
from conformance.report.sentences import sentence
from conformance.report.words import counts_line, mark, one_line, repeat_command, setting, stands_on

FORM = "qmail-conformance changes"
SCHEMA = 1

SLOWER_TIMES = 2.0
SLOWER_SECONDS = 0.05
#: Cases with the same verdict in both runs, from which on their spread says what is noise; and how many
#: standard deviations of it (as the median deviation estimates them) a case must lie above the median.
ENOUGH_CASES = 10
DEVIATIONS = 5.0


@dataclass(frozen=True)
class Change:
    """One requirement in the old and in the new run; None where a run does not have it."""

    requirement: str
    old: Verdict | None
    new: Verdict | None


#: Kind of a change -> its title. `unmet` and `met`: surely so now, and not before. `undecided`: it was
#: decided, and is no longer. `expectation`: also where the verdict changed with it. `gone` and `added`: only
#: in the old, only in the new run.
KINDS = {
    "unmet": "newly unmet",
    "met": "newly met",
    "undecided": "newly invalid, unstable or unsupported",
    "expectation": "other expectation or deviation",
    "gone": "gone",
    "added": "new",
    "slower": "slower (a hint: twice as long and 50 ms more at least, and more than noise)",
}


@dataclass(frozen=True)
class Changes:
    """Every change, by its kind, in the order of `KINDS`; a change can be of two kinds.

    `caveats` say in sentences what else is not the same in the two runs.
    """

    old: Run
    new: Run
    caveats: tuple[str, ...]
    kinds: dict[str, list[Change]]

    @property
    def regressions(self) -> list[Change]:
        """Newly unmet, or new and unmet, and not as expected."""
        return [
            change
            for change in (*self.kinds["unmet"], *self.kinds["added"])
            if change.new and change.new.verdict == "unmet" and change.new.assessment == "unexpected"
        ]

    @property
    def exit_status(self) -> int:
        return EXIT_REGRESSION if self.regressions else EXIT_AS_EXPECTED


def changes(old: Run, new: Run) -> Changes:
    """Compare two runs. Raises UsageError when they have no requirement in common."""
    before = {verdict.requirement: verdict for verdict in old.verdicts}
    after = {verdict.requirement: verdict for verdict in new.verdicts}
    if not set(before) & set(after):
        raise UsageError(
            f"{old.path} and {new.path} have no requirement in common, so nothing can have changed",
            "Name two runs of the same target and selection, the old one first.",
        )
    found = Changes(old, new, tuple(_caveats(old, new)), {kind: [] for kind in KINDS})
    least = max(SLOWER_TIMES, _noise(before, after))
    for name in sorted({*before, *after}, key=lambda name: (not name.startswith("base."), name)):
        change = Change(name, before.get(name), after.get(name))
        for kind in _kinds(change, least):
            found.kinds[kind].append(change)
    return found


def _noise(before: Mapping[str, Verdict], after: Mapping[str, Verdict]) -> float:
    """How many times longer a case may take for no reason of its own; 0 where too few can tell."""
    ratios = [
        math.log(after[name].seconds / old.seconds)
        for name, old in before.items()
        if name in after and _sure(old) and _sure(old) == _sure(after[name])
        if min(old.seconds, after[name].seconds) > 0
    ]
    if len(ratios) < ENOUGH_CASES:
        return 0.0
    middle = median(ratios)
    spread = 1.4826 * median(abs(ratio - middle) for ratio in ratios)
    return math.exp(min(middle + DEVIATIONS * spread, 50.0))


def _kinds(change: Change, least: float) -> Iterator[str]:
    """The kinds of a change; what took `least` times as long, and enough in seconds, is slower."""
    old, new = change.old, change.new
    if old is None or new is None:
        yield "gone" if new is None else "added"
        return
    now = _sure(new)
    if _sure(old) != now:
        yield now or "undecided"
    elif new.unlike_described and not old.unlike_described:
        yield "unmet"  # it was before, but as is known
    elif now and new.seconds >= least * old.seconds and new.seconds - old.seconds >= SLOWER_SECONDS:
        yield "slower"
    if (old.expected, old.deviation) != (new.expected, new.deviation):
        yield "expectation"


def _sure(verdict: Verdict) -> str:
    """`met` or `unmet`; "" for what says nothing about qmail, or did not repeat."""
    return verdict.verdict if verdict.verdict in ("met", "unmet") and not verdict.unstable else ""


def _caveats(old: Run, new: Run) -> Iterator[str]:
    if old.target.label != new.target.label:
        yield f"These are different targets: {old.target.label} and {new.target.label}."
    if set(old.target.patches) != set(new.target.patches):
        claims, claimed = (", ".join(run.target.patches) or "none" for run in (new, old))
        yield f"The patches claimed are others: {claimed}; now {claims}."
    for package in sorted({*old.target.packages, *new.target.packages}):
        was, now = old.target.packages.get(package, "none"), new.target.packages.get(package, "none")
        if was != now:
            yield f"Package {package}: {was}; now {now}."
    if stands_on(old.target) != stands_on(new.target):
        was, now = (stands_on(run.target) or "nothing that is known" for run in (old, new))
        yield f"They stand on different systems: {was}; now {now}."
    if old.target.image != new.target.image:
        yield "The image is another one."
    if old.target.build and new.target.build and old.target.build != new.target.build:
        yield "The programs of qmail are others."
    for what in ("suite", "selection", "queue"):
        was, now = (getattr(run.header, what) or "everything" for run in (old, new))
        if was != now:
            yield f"The {what}: {was}; now {now}."
    if old.header.started > new.header.started:
        yield "The run named first is the younger one."


def render(found: Changes) -> str:
    """The changes as text for a terminal."""
    lines = [f"old: {caption(found.old)}", f"new: {caption(found.new)}", *map(one_line, found.caveats)]
    for kind, of_kind in found.kinds.items():
        if not of_kind:
            continue
        lines += ["", f"{KINDS[kind]}: {len(of_kind)}"]
        lines += [f"  {one_line(change.requirement)}  {what(kind, change)}" for change in of_kind]
        if kind in ("unmet", "undecided"):
            commands = (repeat_command(found.new.target, change.requirement) for change in of_kind)
            lines += ["", *(f"  repeat: {command}" for command in commands)]
    return "\n".join([*lines, "", conclusion(found)]) + "\n"


def markdown(found: Changes) -> str:
    """The changes as a page in Markdown."""
    heads = [f"old: {caption(found.old)}", f"new: {caption(found.new)}", *found.caveats]
    blocks = ["# What changed", f"**{escape(conclusion(found))}**"]
    blocks.append("\n".join(f"- {escape(sentence)}" for sentence in heads))
    for kind, of_kind in found.kinds.items():
        if of_kind:
            rows = [(escape(change.requirement), escape(what(kind, change))) for change in of_kind]
            blocks += [f"## {escape(KINDS[kind].capitalize())}", table(("requirement", "what"), rows)]
    return "\n\n".join(blocks) + "\n"


def to_json(found: Changes) -> dict[str, Any]:
    """The changes as plain data: `docs/schema/changes-1.schema.json` describes it."""
    return {
        "form": FORM,
        "schema": SCHEMA,
        "exit_status": found.exit_status,
        "old": _run(found.old),
        "new": _run(found.new),
        "caveats": list(found.caveats),
        "regressions": [change.requirement for change in found.regressions],
        "changes": {kind: list(map(_plain, of_kind)) for kind, of_kind in found.kinds.items()},
    }


def conclusion(found: Changes) -> str:
    """The line that it ends with."""
    titles = {kind: title.partition(" (")[0] for kind, title in KINDS.items()}
    shown = [f"{len(of_kind)} {titles[kind]}" for kind, of_kind in found.kinds.items() if of_kind]
    bad = len(found.regressions)
    loud = f"; {bad} unmet and not as expected" if bad else "; nothing newly unmet that is not expected"
    return (", ".join(shown) or "nothing changed") + f"{loud}; exit status {found.exit_status}"


def what(kind: str, change: Change) -> str:
    """What is to be said of a change, on one line: the two verdicts, and why."""
    old, new = change.old, change.new
    if kind == "slower" and old and new:
        return f"{old.seconds:.3f} s; now {new.seconds:.3f} s"
    if kind == "expectation" and old and new:
        return f"expected {_expected(old)}; now {_expected(new)}"
    said = ", ".join([*([f"was {mark(old)}"] if old else []), *([f"now {mark(new)}"] if new else [])])
    why = [meaning(new), sentence(new)] if new else []
    return "; ".join([said, *(one_line(text, 300) for text in why if text)])


def _expected(verdict: Verdict) -> str:
    if verdict.deviation is None:
        return verdict.expected
    known = f"{verdict.expected} for a deviation known since {one_line(verdict.deviation['since'])}"
    said = described(verdict.deviation)
    return f"{known} ({one_line(said, 200)})" if said else known


def caption(run: Run) -> str:
    """A run's target, what it is made of, and what came of it, on one line."""
    return one_line(f"{run.target.label} ({setting(run)}), {counts_line(run.footer.counts)}")


def _run(run: Run) -> dict[str, Any]:
    header = picked(run.header, "suite", "selection", "queue", "started")
    return {"target": run.target.to_json(), **header, "run_file": run.path.name}


def _plain(change: Change) -> dict[str, Any]:
    old, new = (said_of(verdict) if verdict else None for verdict in (change.old, change.new))
    return {"requirement": change.requirement, "old": old, "new": new}
