"""A summary in Markdown, for a CI job's page: what was compared, what each patch came to, what is odd."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from conformance.errors import EXIT_AS_EXPECTED
from conformance.judge.comparison import Comparison
from conformance.judge.expectation import meaning
from conformance.judge.verdict import Verdict
from conformance.report.words import (
    LEGEND,
    counts_line,
    difference,
    exit_line,
    known_deviations,
    mark,
    noteworthy,
    one_line,
    patch_title,
    repeat_command,
    setting,
    specification_sentences,
)

_SEEN = 400  #: characters of what was seen; a job's page has a limit, the run file holds it whole
_ROWS = 200  #: unexpected verdicts in the table, for the same reason

# A pipe, a backtick or a dollar starts something even behind a backslash in some renderers; an address
# that is turned into a link takes the backslashes in it along.
_ESCAPES = {
    **{sign: "\\" + sign for sign in "\\*_[]~#"},
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "$": "&#36;"},
}
_TABLE = str.maketrans(_ESCAPES)
_LINK = re.compile(r"https?://[A-Za-z0-9./?=&%~+_#-]+")


def escape(text: str, limit: int | None = None) -> str:
    """Text on one line that renders as itself, in a table too: no markup, no HTML, no link, no control."""
    return one_line(text, limit).translate(_TABLE).replace("://", "&#58;//")


def _citation(text: str) -> str:
    """A citation; where it is an address and nothing else, a link."""
    return f"<{text}>" if _LINK.fullmatch(text) else escape(text)


def markdown(comparison: Comparison, *, title: str = "qmail conformance") -> str:
    """The whole page."""
    blocks = [
        f"# {escape(title)}",
        _conclusion(comparison),
        *_specifications(comparison),
        _compared(comparison),
    ]
    blocks += _patches(comparison)
    blocks += _odd(comparison)
    blocks += _deviations(comparison)
    blocks += _matrix(comparison)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _conclusion(comparison: Comparison) -> str:
    word = "As expected" if comparison.exit_status == EXIT_AS_EXPECTED else "Not as expected"
    return f"**{word}**: {escape(exit_line(comparison))}"


def _specifications(comparison: Comparison) -> list[str]:
    return [f"> {escape(sentence)}" for sentence in specification_sentences(comparison)]


def _compared(comparison: Comparison) -> str:
    rows = [
        (escape(label), escape(setting(run)), escape(counts_line(run.footer.counts)), escape(run.path.name))
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
    ]
    header = comparison.runs[0].header
    selection = header.selection or "everything"
    lines = [f"Suite {escape(header.suite)}, selection: {escape(selection)}."]
    if len(comparison.runs) > 1:
        lines.append(f"{escape(difference(comparison))}.")
    return _table(("target", "what it is", "verdicts", "run file"), rows) + "\n\n" + " ".join(lines)


def _patches(comparison: Comparison) -> list[str]:
    if not comparison.patches:
        return []
    several = len(comparison.runs) > 1
    lines = [
        f"- {escape(summary.label) + ', ' if several else ''}{escape(summary.sentence)}"
        for summary in comparison.patches
    ]
    return ["## What each patch came to", "\n".join(lines)]


def _odd(comparison: Comparison) -> list[str]:
    found = noteworthy(comparison)
    if not found:
        return ["## Unexpected, invalid or unstable", "None."]
    rows = [_odd_row(comparison, index, verdict) for index, verdict in found[:_ROWS]]
    table = _table(("requirement", "target", "what it means", "promise", "source", "seen", "repeat"), rows)
    left_out = len(found) - len(rows)
    return [
        "## Unexpected, invalid or unstable",
        table,
        f"… and {left_out} more, in the run files." if left_out else "",
    ]


def _odd_row(comparison: Comparison, index: int, verdict: Verdict) -> tuple[str, ...]:
    return (
        escape(verdict.requirement) + (" (should)" if verdict.level == "should" else ""),
        escape(comparison.labels[index]),
        escape(meaning(verdict)),
        escape(verdict.promise),
        _citation(verdict.source),
        escape(verdict.seen, _SEEN),
        escape(repeat_command(comparison.runs[index].target, verdict.requirement)),
    )


def _deviations(comparison: Comparison) -> list[str]:
    known = known_deviations(comparison)
    if not known:
        return []
    rows = [
        (
            escape(one.label),
            ", ".join(escape(name) for name in one.requirements),
            escape(one.reason),
            _citation(one.source),
            escape(one.since),
        )
        for one in known
    ]
    return ["## Known deviations", _table(("target", "requirements", "reason", "source", "since"), rows)]


def _matrix(comparison: Comparison) -> list[str]:
    if not comparison.rows:
        return []
    blocks = ["<details>", "<summary>Every requirement on every target</summary>"]
    blocks.append(escape("; ".join(f"{sign} {what}" for sign, what in LEGEND)))
    heads = ("requirement", "role", *(escape(label) for label in comparison.labels), "promise")
    for patch, rows in groupby(comparison.rows, key=lambda row: row.patch):
        blocks.append(f"**{escape(patch_title(patch))}**")
        table = [
            (
                escape(row.requirement),
                row.role,
                *(escape(mark(cell)) for cell in row.cells),
                escape(row.promise, _SEEN),
            )
            for row in rows
        ]
        blocks.append(_table(heads, table))
    return [*blocks, "</details>"]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
