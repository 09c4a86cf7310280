"""The table of an attribution for readers: Markdown, JSON, and the few lines for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from conformance.attribution.explanation import listed
from conformance.attribution.table import AGREEMENTS, Attribution, Table
from conformance.errors import EXIT_MEANINGS
from conformance.report.markdown import escape
from conformance.report.words import one_line, patch_title, specification_sentences

SCHEMA = 1

_INTRODUCTION = """\
Which patch flips which verdict. A verdict is *flipped* by a patch when it is another one with the patch than
without. `alone`: the patch flips it by itself, and without the patch it stays; `with`: only together with the
other patches marked so; `or`: any one of those marked so is enough; `?`: these builds do not tell which of
those marked so it is. *As named*: a change is flipped to met by its own patch alone, and a guard is met on
every build."""


def to_json(table: Table) -> dict[str, Any]:
    """The table as plain data, with stable names."""
    comparison = table.comparison
    return {
        "form": "qmail-conformance attribution",
        "schema": SCHEMA,
        "suite": comparison.runs[0].header.suite,
        "selection": comparison.runs[0].header.selection,
        "exit_status": table.exit_status,
        "base": table.base,
        "builds": [
            {
                "target": label,
                "patches": sorted(table.builds[label]),
                "packages": dict(run.target.packages),
                "image": run.target.image,
                "specification": run.target.specification,
                "run_file": run.path.name,
            }
            for label, run in zip(comparison.labels, comparison.runs, strict=True)
        ],
        "requirements": [
            {
                "requirement": one.requirement,
                "patch": one.row.patch,
                "role": one.row.role,
                "level": one.row.level,
                "outcome": one.outcome,
                "flipped_to": one.flipped_to,
                "sets": [list(patches) for patches in one.sets],
                "explanations": [
                    {"kind": explanation.kind, "patches": list(explanation.patches)}
                    for explanation in one.explanations
                ],
                "proved": one.proved,
                "agreement": one.agreement,
                "verdicts": {
                    label: cell.verdict for label, cell in zip(comparison.labels, one.row.cells, strict=True)
                },
            }
            for one in table.rows
        ],
    }


def markdown(table: Table) -> str:
    """The whole page."""
    blocks = ["# Requirement by patch"]
    blocks += [f"> {escape(sentence)}" for sentence in specifications(table)]
    blocks += ["\n".join(f"- {escape(line)}" for line in summary(table)), _INTRODUCTION, _builds(table)]
    for agreement, title in (
        ("not as named", "Not as named"),
        ("deviation known", "Otherwise than named, as a known deviation says"),
        ("not decided", "Not decided by these builds"),
    ):
        odd = [one for one in table.rows if one.agreement == agreement]
        if odd:
            heads = ("requirement", "role", "flipped by", "to", "reason of the deviation")
            blocks += [f"## {title}", _rows(heads, map(_told, odd))]
    blocks.append("## Every requirement")
    columns = ("requirement", "role", *map(escape, table.patches), "says")
    for patch, ones in groupby(table.rows, key=lambda one: one.row.patch):
        blocks += [f"### {escape(patch_title(patch))}", _rows(columns, (_row(table, one) for one in ones))]
    return "\n\n".join(blocks) + "\n"


def specifications(table: Table) -> list[str]:
    """Which builds are not qmail, in one sentence where it is all of them."""
    sentences = specification_sentences(table.comparison)
    if len(sentences) < len(table.builds):
        return sentences
    return ["Every build here is an executable specification, not qmail"]


def summary(table: Table) -> list[str]:
    """The conclusion in a few lines: by patch, then in all."""
    lines = []
    for patch, given in groupby(table.rows, key=lambda one: one.row.patch):
        ones = list(given)
        by = Counter(_cause(one) for one in ones if one.flipped_to)
        causes = ", ".join(f"{number} by {cause}" for cause, number in by.most_common())
        same = sum(one.outcome == "same" for one in ones)
        parts = [_counted(len(ones))]
        parts += [f"flipped {causes}"] if causes else []
        parts += [f"{same} without a difference"] if same else []
        lines.append(one_line(f"{patch}: {'; '.join(parts)}"))
    often = Counter(one.agreement for one in table.rows)
    lines.append(
        f"{_counted(len(table.rows))} over {len(table.builds)} builds: "
        + ", ".join(f"{often[name]} {name}" for name in AGREEMENTS if often[name] or name == "as named")
    )
    lines.append(f"exit status {table.exit_status}: {EXIT_MEANINGS[table.exit_status]}")
    return lines


def loud(table: Table) -> list[str]:
    """One line for each requirement that is flipped by something else than it is named for."""
    return [
        one_line(f"NOT AS NAMED: {one.requirement} ({one.row.role}) {_sentence(one)}")
        for one in table.with_agreement("not as named")
    ]


def _counted(number: int) -> str:
    return "1 requirement" if number == 1 else f"{number} requirements"


def _sentence(one: Attribution) -> str:
    return f"is flipped to {one.flipped_to} by {one.words}" if one.flipped_to else f"has {one.words}"


def _cause(one: Attribution) -> str:
    if one.outcome == "flips":
        return f"{one.explanations[0].patches[0]} alone" if one.explanations[0].kind == "alone" else one.words
    return "one of several" if one.outcome == "several" else "patches that act on each other"


def _told(one: Attribution) -> tuple[str, ...]:
    reasons = dict.fromkeys(cell.deviation["reason"] for cell in one.row.cells if cell.deviation)
    return escape(one.requirement), one.row.role, escape(one.words), one.flipped_to, escape(" ".join(reasons))


def _builds(table: Table) -> str:
    rows = [
        (escape(label), escape(", ".join(sorted(patches))) or "none", escape(run.path.name))
        for (label, patches), run in zip(table.builds.items(), table.comparison.runs, strict=True)
    ]
    base = (
        f"What flips is told against {escape(table.base)}; in question are {escape(listed(table.patches))}."
    )
    return _rows(("build", "patches", "run file"), rows) + "\n\n" + base


def _row(table: Table, one: Attribution) -> tuple[str, ...]:
    marks = {patch: _mark(one, patch) for patch in table.patches}
    says = one.agreement if one.proved or not one.flipped_to else f"{one.agreement} (not proved)"
    return escape(one.requirement), one.row.role, *marks.values(), says


def _mark(one: Attribution, patch: str) -> str:
    if not any(patch in patches for patches in one.sets):
        return ""
    if one.outcome != "flips":
        return f"? {one.flipped_to}"
    sign = {"alone": "alone", "all": "with", "any": "or"}[one.explanations[0].kind]
    return f"{sign}: {one.flipped_to}"


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
