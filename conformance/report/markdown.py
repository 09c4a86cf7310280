"""A summary in Markdown, for a CI job's page: what was compared, what each patch came to, what is odd."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_WORLD
from conformance.judge.comparison import Comparison
from conformance.judge.expectation import meaning
from conformance.judge.user_changes import UserChange, UserChanges, user_changes
from conformance.report.sentences import with_introspection
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
    return one_line(text, limit).translate(_TABLE).replace("://", "&#58;//").replace("www.", "www&#46;")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows))


def _citation(text: str) -> str:
    """A citation; where it is an address and nothing else, a link."""
    return f"<{text}>" if _LINK.fullmatch(text) else escape(text)


def markdown(comparison: Comparison, *, title: str = "qmail conformance") -> str:
    """The whole page."""
    words = {EXIT_AS_EXPECTED: "As expected", EXIT_WORLD: "Undecided", EXIT_NOTHING: "Undecided"}
    word = words.get(comparison.exit_status, "Not as expected")
    blocks = [
        f"# {escape(title)}",
        f"**{word}**: {escape(exit_line(comparison))}",
        "\n".join(f"- {escape(sentence)}" for sentence in run_conclusions(comparison)),
        *(f"> {escape(sentence)}" for sentence in specification_sentences(comparison)),
        *_user_changes(comparison),
        _compared(comparison),
        *_patches(comparison),
        *_noteworthy(comparison),
        *_deviations(comparison),
        *_matrix(comparison),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _user_changes(comparison: Comparison) -> list[str]:
    """The first section: worse, better and otherwise than on the build of before."""
    blocks: list[str] = []
    for changes in user_changes(comparison):
        blocks.append(f"**{escape(summary(comparison, changes))}**")
        for kind, of_kind in changes.kinds.items():
            if not of_kind:
                continue
            title, words = f"### {TITLES[kind]}", escape(explanation(comparison, changes, kind))
            if kind == "better":  # the reason for the patches: many, and no surprise
                rows = (
                    f"- {escape(patch)}: {numbered(len(rows), 'promise')}"
                    for patch, rows in by_patch(comparison, of_kind)
                )
                blocks += [title, words, "\n".join(rows)]
            else:
                blocks += [title, words, "\n".join(_bullets(comparison, changes, of_kind)[:_ROWS])]
        if any(changes.kinds.values()):
            blocks.append(
                f"The evidence of one: {escape(evidence_command(comparison.runs[changes.after].path.name))}"
            )
    return [f"## {HEADING}", *blocks] if blocks else []


def _bullets(comparison: Comparison, changes: UserChanges, of_kind: Iterable[UserChange]) -> list[str]:
    """A line for each promise, those of one cause below it."""
    lines = []
    for change in of_kind:
        cost = f"{change.severity}: " if change.severity else ""
        if change.cause:
            lines.append(f"- {escape(cost + change.cause)}")
        for row in change.rows:
            said = f"{row.promise} {sides(comparison, changes, row)} ({row.requirement})"
            lines.append(f"  - {escape(said)}" if change.cause else f"- {escape(cost + said)}")
    return lines


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
    compared = table(("target", "what it is", "verdicts", "run file"), rows)
    return "\n\n".join(["## What was compared", compared, " ".join(lines)])


def _patches(comparison: Comparison) -> list[str]:
    if not comparison.patches:
        return []
    several = len(comparison.runs) > 1
    lines = [
        f"- {escape(summary.label) + ', ' if several else ''}{escape(summary.sentence)}"
        for summary in comparison.patches
    ]
    return ["## What each patch came to", "\n".join(lines)]


def _noteworthy(comparison: Comparison) -> list[str]:
    found = noteworthy(comparison)
    title = "## Unexpected, invalid or unstable"
    if not found:
        return [title, "None."]
    heads = ("requirement", "target", "severity", "what it means", "promise", "source", "seen", "repeat")
    rows = [
        (
            escape(verdict.requirement) + (" (should)" if verdict.level == "should" else ""),
            escape(comparison.labels[index]),
            escape(verdict.severity or ""),
            escape(meaning(verdict)),
            escape(verdict.promise),
            _citation(verdict.source),
            escape(with_introspection(verdict, _SEEN)),
            escape(repeat_command(comparison.runs[index].target, verdict.requirement)),
        )
        for index, verdict in found[:_ROWS]
    ]
    left_out = len(found) - len(rows)
    more = [f"… and {left_out} more, in the run files."] if left_out else []
    return [title, *map(escape, filter(None, map(carry_line, comparison.runs))), table(heads, rows), *more]


def _deviations(comparison: Comparison) -> list[str]:
    rows = [
        (
            escape(known.target),
            escape(known.severity or ""),
            ", ".join(map(escape, known.requirements)),
            escape(known.reason),
            _citation(known.source),
            escape(known.since),
        )
        for known in known_deviations(comparison)
    ]
    heads = ("target", "severity", "requirements", "reason", "source", "since")
    return ["## Known deviations", table(heads, rows)] if rows else []


def _matrix(comparison: Comparison) -> list[str]:
    if not comparison.rows:
        return []
    blocks = ["<details>", "<summary>Every requirement on every target</summary>", escape(LEGEND)]
    heads = ("requirement", "role", *map(escape, comparison.labels), "promise")
    for patch, rows in groupby(comparison.rows, key=lambda row: row.patch):
        cells = [
            (
                escape(row.requirement),
                row.role,
                *map(escape, map(mark, row.cells)),
                escape(row.promise, _SEEN),
            )
            for row in rows
        ]
        blocks += [f"**{escape(patch_title(patch, comparison.titles))}**", table(heads, cells)]
    return [*blocks, "</details>"]
