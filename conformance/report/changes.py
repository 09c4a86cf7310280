"""What changed between two runs of the same target: an old one and a new one.

`slower` is a hint and no verdict: a run keeps one duration for each case, so there is no median to compare.
A case counts as slower when both verdicts are the same and it took at least twice as long and 50 ms more:
below that the start of a process and the machine's other work are larger than what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.judge.expectation import meaning
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.markdown import escape
from conformance.report.words import counts_line, mark, one_line, repeat_command, setting

FORM = "qmail-conformance changes"
SCHEMA = 1

SLOWER_TIMES = 2.0
SLOWER_SECONDS = 0.05


@dataclass(frozen=True)
class Change:
    """One requirement in the old and in the new run; None where a run does not have it."""

    old: Verdict | None
    new: Verdict | None

    @property
    def requirement(self) -> str:
        found = self.new or self.old
        assert found is not None
        return found.requirement


@dataclass(frozen=True)
class Changes:
    """Every change, by its kind. `caveats` say in sentences what else is not the same in the two runs.

    `unmet` and `met`: surely so now, and not before. `undecided`: it was decided, and is now invalid,
    unstable or unsupported. `expectation`: what is expected, or the deviation, is another; also where the
    verdict changed with it. `gone` and `added`: only in the old, only in the new run.
    """

    old: Run
    new: Run
    caveats: tuple[str, ...]
    unmet: list[Change] = field(default_factory=list)
    met: list[Change] = field(default_factory=list)
    undecided: list[Change] = field(default_factory=list)
    expectation: list[Change] = field(default_factory=list)
    gone: list[Change] = field(default_factory=list)
    added: list[Change] = field(default_factory=list)
    slower: list[Change] = field(default_factory=list)

    @property
    def regressions(self) -> list[Change]:
        """Newly unmet, or new and unmet, and not as expected."""
        return [
            one
            for one in [*self.unmet, *self.added]
            if one.new is not None and one.new.verdict == "unmet" and one.new.standing == "unexpected"
        ]

    @property
    def exit_status(self) -> int:
        return EXIT_REGRESSION if self.regressions else EXIT_AS_EXPECTED


KINDS = {
    "unmet": "newly unmet",
    "met": "newly met",
    "undecided": "newly invalid, unstable or unsupported",
    "expectation": "other expectation or deviation",
    "gone": "gone",
    "added": "new",
    "slower": "slower (a hint: at least twice as long and 50 ms more)",
}


def changes(old: Run, new: Run) -> Changes:
    """Compare two runs. Raises UsageError when they have no requirement in common."""
    before = {one.requirement: one for one in old.verdicts}
    after = {one.requirement: one for one in new.verdicts}
    if not set(before) & set(after):
        raise UsageError(
            f"{old.path} and {new.path} have no requirement in common, so nothing can have changed",
            "Name two runs of the same target and selection, the old one first.",
        )
    found = Changes(old, new, tuple(_caveats(old, new)))
    for name in sorted({*before, *after}, key=lambda name: (not name.startswith("base."), name)):
        _sort_in(found, Change(before.get(name), after.get(name)))
    return found


def _sort_in(found: Changes, one: Change) -> None:
    if one.old is None or one.new is None:
        (found.gone if one.new is None else found.added).append(one)
        return
    was, now = _sure(one.old), _sure(one.new)
    if was != now:
        {"unmet": found.unmet, "met": found.met, "": found.undecided}[now].append(one)
    elif now and _is_slower(one.old.seconds, one.new.seconds):
        found.slower.append(one)
    if (one.old.expected, one.old.deviation) != (one.new.expected, one.new.deviation):
        found.expectation.append(one)


def _sure(verdict: Verdict) -> str:
    """`met` or `unmet`; "" for what says nothing about qmail, or did not repeat."""
    return verdict.verdict if verdict.verdict in ("met", "unmet") and not verdict.unstable else ""


def _is_slower(old: float, new: float) -> bool:
    return new >= SLOWER_TIMES * old and new - old >= SLOWER_SECONDS


def _caveats(old: Run, new: Run) -> Iterable[str]:
    if old.target.name != new.target.name:
        yield f"These are different targets: {old.target.name} and {new.target.name}."
    if set(old.target.patches) != set(new.target.patches):
        was, now = _listed(old.target.patches), _listed(new.target.patches)
        yield f"The patches claimed are others: {was}; now {now}."
    for package in sorted({*old.target.packages, *new.target.packages}):
        was, now = old.target.packages.get(package, "none"), new.target.packages.get(package, "none")
        if was != now:
            yield f"Package {package}: {was}; now {now}."
    if old.target.image != new.target.image:
        yield "The image is another one."
    for what, was, now in (
        ("The suite", old.header.suite, new.header.suite),
        ("The selection", old.header.selection or "everything", new.header.selection or "everything"),
        ("The queue", old.header.queue, new.header.queue),
    ):
        if was != now:
            yield f"{what}: {was}; now {now}."
    if old.header.started > new.header.started:
        yield "The run named first is the younger one."


def _listed(patches: Sequence[str]) -> str:
    return ", ".join(patches) or "none"


def render(found: Changes) -> str:
    """The changes as text for a terminal."""
    lines = [f"old: {_name(found.old)}", f"new: {_name(found.new)}", *map(one_line, found.caveats)]
    for kind, title in KINDS.items():
        ones: list[Change] = getattr(found, kind)
        if ones:
            lines += ["", f"{title}: {len(ones)}"]
            lines += [f"  {one_line(one.requirement)}  {_what(kind, one)}" for one in ones]
            if kind in ("unmet", "undecided"):
                lines += ["", *(f"  repeat: {repeat_command(found.new.target, o.requirement)}" for o in ones)]
    return "\n".join([*lines, "", conclusion(found)]) + "\n"


def markdown(found: Changes) -> str:
    """The changes as a page in Markdown."""
    blocks = ["# What changed", f"**{escape(conclusion(found))}**"]
    heads = ["- old: " + escape(_name(found.old)), "- new: " + escape(_name(found.new))]
    blocks.append("\n".join(heads + [f"- {escape(sentence)}" for sentence in found.caveats]))
    for kind, title in KINDS.items():
        ones: list[Change] = getattr(found, kind)
        if ones:
            rows = [f"| {escape(one.requirement)} | {escape(_what(kind, one))} |" for one in ones]
            blocks += [
                f"## {escape(title.capitalize())}",
                "\n".join(["| requirement | what |", "| --- | --- |", *rows]),
            ]
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
        "regressions": [one.requirement for one in found.regressions],
        "changes": {kind: [_plain(one) for one in getattr(found, kind)] for kind in KINDS},
    }


def conclusion(found: Changes) -> str:
    """The line that it ends with."""
    counts = [f"{len(getattr(found, kind))} {title.partition(' (')[0]}" for kind, title in KINDS.items()]
    shown = [text for text in counts if not text.startswith("0 ")]
    bad = len(found.regressions)
    loud = f"; {bad} unmet and not as expected" if bad else "; nothing newly unmet that is not expected"
    return (", ".join(shown) or "nothing changed") + f"{loud}; exit status {found.exit_status}"


def _what(kind: str, one: Change) -> str:
    """What is to be said of a change, on one line: the two verdicts, and why."""
    if kind == "slower" and one.old and one.new:
        return f"{one.old.seconds:.3f} s; now {one.new.seconds:.3f} s"
    if kind == "expectation" and one.old and one.new:
        return f"expected {_expected(one.old)}; now {_expected(one.new)}"
    parts = [f"was {mark(one.old)}" if one.old else "", f"now {mark(one.new)}" if one.new else ""]
    said = ", ".join(part for part in parts if part)
    why = [meaning(one.new), one.new.seen] if one.new else []
    return "; ".join([said, *(one_line(text, 300) for text in why if text)])


def _expected(verdict: Verdict) -> str:
    if verdict.deviation is None:
        return verdict.expected
    return f"{verdict.expected} for a deviation known since {one_line(verdict.deviation['since'])}"


def _name(run: Run) -> str:
    return one_line(f"{run.target.name} ({setting(run)}), {counts_line(run.footer.counts)}")


def _run(run: Run) -> dict[str, Any]:
    target = run.target.to_json()
    return {
        "target": target,
        "suite": run.header.suite,
        "selection": run.header.selection,
        "queue": run.header.queue,
        "started": run.header.started,
        "run_file": run.path.name,
    }


def _plain(one: Change) -> dict[str, Any]:
    return {"requirement": one.requirement, "old": _side(one.old), "new": _side(one.new)}


def _side(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    names = ("verdict", "expected", "standing", "deviation", "seconds", "seen")
    return {name: getattr(verdict, name) for name in names}
