"""The report for a terminal: a matrix of requirements by targets, and what needs a person."""

import io
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal, TextIO

from conformance.catalogue.severity import worst_first
from conformance.harmless import NARROWEST, HarmlessStream, Tone, columns
from conformance.judge.comparison import Comparison, Row
from conformance.judge.expectation import meaning
from conformance.judge.user_changes import Kind, UserChange, UserChanges, user_changes
from conformance.judge.verdict import Verdict
from conformance.report.sentences import sentence
from conformance.report.user_changes import (
    HEADING,
    TITLES,
    by_patch,
    evidence_command,
    explanation,
    sides,
    summary,
)
from conformance.report.words import (
    LEGEND,
    KnownDeviation,
    carry_line,
    counts_line,
    difference,
    exit_line,
    known_deviations,
    mark,
    noteworthy,
    numbered,
    one_line,
    patch_title,
    repeat_command,
    run_conclusions,
    setting,
    specification_sentences,
    tone,
)

_CELL = max(len("unmet!"), len("unmet~"))
_DETAILS = 20  #: verdicts shown in full; the run file and the other reports hold them all
_KNOWN = 5  #: known deviations that are shown where nobody asks for all
_DIFFERENT = 5  #: of what both builds break in different ways, likewise


#: What a person says of colours; `auto`: as the environment and the stream say.
Colour = Literal["auto", "always", "never"]


def wants_colour(stream: TextIO, environment: Mapping[str, str] = os.environ, wish: Colour = "auto") -> bool:
    """A wish counts first, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal that can."""
    if wish != "auto" or environment.get("NO_COLOR"):
        return wish == "always"
    return bool(environment.get("FORCE_COLOR")) or (stream.isatty() and environment.get("TERM") != "dumb")


#: How much is shown. `quiet`: the conclusions alone; `differences`: what changes for users, and nothing else;
#: `verbose`: lists are not cut short; `all`: the matrix of every requirement, too.
Detail = Literal["quiet", "normal", "verbose", "all", "differences"]


def show(comparison: Comparison, stream: TextIO, detail: Detail = "normal", colour: Colour = "auto") -> None:
    """Write the report to `stream`, in its width and with colours where they are wanted."""
    page = _page(comparison, columns(100), detail)
    page.put(HarmlessStream.of(stream), wants_colour(stream, wish=colour))


def render(
    comparison: Comparison, *, width: int = 100, colour: bool = False, detail: Detail = "normal"
) -> str:
    """The report as text, each line within `width` columns (20 at least) save for paths and commands."""
    text = io.StringIO()
    _page(comparison, max(width, NARROWEST), detail).put(HarmlessStream(text), colour)
    return text.getvalue()


def _page(comparison: Comparison, width: int, detail: Detail) -> "_Page":
    page = _Page(width)
    for said in specification_sentences(comparison):
        page.fold(said)
    if detail == "quiet":
        _conclusions(page, comparison)
        return page
    for index, (label, run) in enumerate(zip(comparison.labels, comparison.runs, strict=True)):
        page.fold(f"{_letter(index)} = {one_line(label)} ({setting(run)})")
    _user_changes(page, comparison, whole=detail != "normal")
    if detail == "differences":
        return page
    if detail == "all":
        for patch, rows in groupby(comparison.rows, key=lambda row: row.patch):
            page.gap()
            page.fold(patch_title(patch, comparison.titles))
            _matrix(page, comparison, list(rows))
        page.gap()
        page.fold(LEGEND)
    _summaries(page, comparison)
    _deviations(page, comparison, whole=detail != "normal")
    _details(page, comparison)
    _ending(page, comparison)
    return page


def _user_changes(page: "_Page", comparison: Comparison, *, whole: bool) -> None:
    """What changes for users, by kind; `whole`: with every line and every cause."""
    for changes in user_changes(comparison):
        page.gap()
        page.fold(f"{HEADING}. {summary(comparison, changes)}")
        for kind, of_kind in changes.kinds.items():
            if not of_kind:
                continue
            page.gap()
            page.fold(f"{TITLES[kind]}: {explanation(comparison, changes, kind)}")
            if kind == "better" and not whole:
                for patch, rows in by_patch(comparison, of_kind):
                    page.fold(f"{patch}: {numbered(len(rows), 'promise')}", indent=2)
                continue
            most = len(of_kind) if whole or kind == "worse" else _DIFFERENT
            for change in of_kind[:most]:
                _user_change(page, comparison, changes, change, kind, whole)
            if len(of_kind) > most:
                page.fold(f"… and {len(of_kind) - most} more; --verbose shows them all.", indent=2)
        if any(changes.kinds.values()):
            page.gap()
            page.line(f"The evidence of one: {evidence_command(str(comparison.runs[changes.after].path))}")


def _user_change(
    page: "_Page", comparison: Comparison, changes: UserChanges, change: UserChange, kind: Kind, whole: bool
) -> None:
    """The promise and what each build does; the cause of several, or where it is asked for."""
    for row in change.rows:
        cost = row.cells[changes.after].severity if kind != "better" else None
        how: Tone = "bad" if kind == "worse" else "plain"
        cost_told = f"[{cost}] " if cost else ""
        page.fold(f"{cost_told}{one_line(row.promise)} ({one_line(row.requirement)})", how, indent=2)
        page.fold(sides(comparison, changes, row), indent=4)
    if change.cause and (whole or len(change.rows) > 1):
        page.fold(f"why: {one_line(change.cause)}", indent=4)


class _Page:
    """Lines within a width, each in pieces with their tones."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._lines: list[Sequence[tuple[str, Tone]]] = []

    def line(self, *pieces: str | tuple[str, Tone]) -> None:
        self._lines.append([(piece, "plain") if isinstance(piece, str) else piece for piece in pieces])

    def gap(self) -> None:
        if self._lines and self._lines[-1]:
            self._lines.append(())

    def fold(self, text: str, how: Tone = "plain", indent: int = 0) -> None:
        indent = min(indent, self.width // 4)
        first, rest = " " * indent, " " * (indent + 2)
        folded = textwrap.wrap(
            text, self.width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        )
        for line in folded:
            self.line((line, how))

    def put(self, stream: HarmlessStream, colour: bool) -> None:
        for line in self._lines:
            for text, how in line:
                stream.paint(text, how if colour else "plain")
            stream.write("\n")


def _letter(index: int) -> str:
    """A, B, … Z, A2, B2, …"""
    again, letter = divmod(index, 26)
    return chr(ord("A") + letter) + (str(again + 1) if again else "")


def _matrix(page: _Page, comparison: Comparison, rows: Sequence[Row]) -> None:
    """Aligned columns; where they do not fit, a requirement's name and its cells on lines of their own."""
    name_width = max(len(one_line(row.requirement)) for row in comparison.rows)
    letters = [_letter(index) for index in range(len(comparison.labels))]
    for heads in ([one_line(label) for label in comparison.labels], letters):
        widths = [max(_CELL, len(head)) for head in heads]
        if 2 + name_width + sum(2 + width for width in widths) <= page.width:
            break
    else:
        for row in rows:
            page.fold(one_line(row.requirement), indent=2)
            _stacked(page, letters, row.cells)
        return
    padded = (f"  {head:{width}}" for head, width in zip(heads, widths, strict=True))
    page.line((" " * (2 + name_width) + "".join(padded)).rstrip())
    for row in rows:
        line: list[str | tuple[str, Tone]] = [f"  {one_line(row.requirement):{name_width}}"]
        room = 2
        for cell, width in zip(row.cells, widths, strict=True):
            line += [" " * room, (mark(cell), tone(cell))]
            room = 2 + width - len(mark(cell))
        page.line(*line)


def _stacked(page: _Page, heads: Sequence[str], cells: Sequence[Verdict]) -> None:
    line: list[str | tuple[str, Tone]] = ["   "]
    used = 3
    for head, cell in zip(heads, cells, strict=True):
        text = f"{head} {mark(cell)}"
        if used > 3 and used + 1 + len(text) > page.width:
            page.line(*line)
            line, used = ["   "], 3
        line += [" ", (text, tone(cell))]
        used += 1 + len(text)
    page.line(*line)


def _summaries(page: _Page, comparison: Comparison) -> None:
    page.gap()
    several = len(comparison.runs) > 1
    for patch in comparison.patches:
        where = f"{one_line(patch.label)}: " if several else ""
        page.fold(where + one_line(patch.sentence), "bad" if patch.unexpected else "plain")


def _deviations(page: _Page, comparison: Comparison, *, whole: bool) -> None:
    """Those that cost most first, each once with the targets on which it shows."""
    targets: dict[KnownDeviation, list[str]] = {}
    for each in known_deviations(comparison):
        targets.setdefault(replace(each, target=""), []).append(each.target)
    if not targets:
        return
    known = sorted(targets, key=lambda each: worst_first(each.severity or ""))
    most = len(known) if whole else _KNOWN
    page.gap()
    page.fold("Known deviations:")
    for each in known[:most]:
        where = ", ".join(map(one_line, (*targets[each], *each.requirements)))
        since = f"since {one_line(each.since)}; {one_line(each.source)}"
        where = f"[{each.severity}] {where}" if each.severity else where
        page.fold(f"{where}: {one_line(each.reason)} ({since})", indent=2)
    if len(known) > most:
        page.fold(f"… and {len(known) - most} more; --verbose shows them all.", indent=2)


def _details(page: _Page, comparison: Comparison) -> None:
    found = noteworthy(comparison)
    for index, verdict in found[:_DETAILS]:
        page.gap()
        how: Tone = "bad" if verdict.assessment == "unexpected" else "doubtful"
        label = one_line(comparison.labels[index])
        costs = f"; {verdict.severity}" if verdict.severity else ""
        page.fold(f"{one_line(verdict.requirement)} on {label} ({verdict.level}{costs})", how)
        page.fold(one_line(meaning(verdict)), how, indent=2)
        if verdict.elsewhere is not None:
            continue
        reason = verdict.deviation["reason"] if verdict.deviation is not None else ""
        facts = {"promise": verdict.promise, "source": verdict.source, "deviation": reason}
        facts["what came"] = sentence(verdict)
        facts["seen"] = one_line(verdict.seen, 600)
        for name, text in facts.items():
            if text:
                page.fold(f"{name}: {one_line(text)}", indent=2)
        page.line(f"  repeat: {repeat_command(comparison.runs[index].target, verdict.requirement)}")
    if len(found) > _DETAILS:
        page.gap()
        page.fold(f"… and {len(found) - _DETAILS} more; the run files hold them all.", "bad")


def _ending(page: _Page, comparison: Comparison) -> None:
    page.gap()
    for label, run in zip(comparison.labels, comparison.runs, strict=True):
        page.fold(f"{one_line(label)}: {counts_line(run.footer.counts)}")
    if len(comparison.runs) > 1:
        page.fold(difference(comparison))
    for run in comparison.runs:
        page.line(f"run file: {one_line(str(run.path))}")
    for line in filter(None, map(carry_line, comparison.runs)):
        page.line((line, "doubtful"))
    _conclusions(page, comparison)


def _conclusions(page: _Page, comparison: Comparison) -> None:
    for said in run_conclusions(comparison):
        page.fold(said)
    page.fold(exit_line(comparison), "good" if comparison.exit_status == 0 else "bad")
