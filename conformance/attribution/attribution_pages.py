"""The table of an attribution for readers: Markdown, JSON, and the few lines for a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from conformance.attribution.attribution_table import AGREEMENTS, Agreement, Attribution, AttributionTable
from conformance.errors import EXIT_MEANINGS
from conformance.report.export import picked
from conformance.report.markdown import escape, table
from conformance.report.words import listed, numbered, one_line, patch_title, specification_sentences

SCHEMA = 1

_INTRODUCTION = """\
Which patch flips which verdict. A verdict is *flipped* by a patch when it is another one with the patch than
without. `alone`: the patch flips it by itself, and without the patch it stays; `with`: only together with the
other patches marked so; `or`: any one of those marked so is enough; `?`: these builds do not tell which of
those marked so it is. *As named*: a change is flipped to met by its own patch alone, and a guard is met on
every build."""

_SECTIONS: dict[Agreement, str] = {
    "not as named": "Not as named",
    "deviation known": "Otherwise than named, as a known deviation says",
    "not decided": "Not decided by these builds",
}


def to_json(attributions: AttributionTable) -> dict[str, Any]:
    """The table as plain data, with stable names."""
    comparison = attributions.comparison
    return {
        "form": "qmail-conformance attribution",
        "schema": SCHEMA,
        **picked(comparison.runs[0].header, "suite", "selection"),
        **picked(attributions, "exit_status", "base"),
        "builds": [
            {
                "target": label,
                "patches": sorted(attributions.builds[label]),
                **picked(run.target, "packages", "image", "specification"),
                "run_file": run.path.name,
            }
            for label, run in zip(comparison.labels, comparison.runs, strict=True)
        ],
        "requirements": [
            {
                **picked(attribution.row, "requirement", "patch", "role", "level"),
                **picked(attribution, "outcome", "flipped_to", "sets"),
                "explanations": [picked(found, "kind", "patches") for found in attribution.explanations],
                **picked(attribution, "proved", "agreement"),
                "verdicts": {
                    label: cell.verdict
                    for label, cell in zip(comparison.labels, attribution.row.cells, strict=True)
                },
            }
            for attribution in attributions.rows
        ],
    }


def markdown(attributions: AttributionTable) -> str:
    """The whole page."""
    blocks = ["# Requirement by patch", *(f"> {escape(line)}" for line in specifications(attributions))]
    blocks.append("\n".join(f"- {escape(line)}" for line in summary(attributions)))
    blocks += [_INTRODUCTION, _builds(attributions)]
    heads = ("requirement", "role", "flipped by", "to", "reason of the deviation")
    for agreement, title in _SECTIONS.items():
        if odd := attributions.with_agreement(agreement):
            blocks += [f"## {title}", table(heads, map(_told, odd))]
    blocks.append("## Every requirement")
    columns = ("requirement", "role", *map(escape, attributions.patches), "says")
    for patch, of_patch in _by_patch(attributions):
        rows = [_row(attribution, attributions.patches) for attribution in of_patch]
        blocks += [f"### {escape(patch_title(patch, attributions.comparison.titles))}", table(columns, rows)]
    return "\n\n".join(blocks) + "\n"


def specifications(attributions: AttributionTable) -> list[str]:
    """Which builds are not qmail, in one sentence where it is all of them."""
    sentences = specification_sentences(attributions.comparison)
    every = ["Every build here is an executable specification, not qmail"]
    return sentences if len(sentences) < len(attributions.builds) else every


def summary(attributions: AttributionTable) -> list[str]:
    """The conclusion in a few lines: by patch, then in all."""
    lines = []
    for patch, group in _by_patch(attributions):
        of_patch = list(group)
        by = Counter(_cause(attribution) for attribution in of_patch if attribution.flipped_to)
        causes = ", ".join(f"{number} by {cause}" for cause, number in by.most_common())
        same = sum(attribution.outcome == "same" for attribution in of_patch)
        said = numbered(len(of_patch), "requirement") + (f"; flipped {causes}" if causes else "")
        lines.append(one_line(f"{patch}: {said}" + (f"; {same} without a difference" if same else "")))
    often = Counter(attribution.agreement for attribution in attributions.rows)
    counts = ", ".join(f"{often[name]} {name}" for name in AGREEMENTS if often[name] or name == "as named")
    status = attributions.exit_status
    in_all = (
        f"{numbered(len(attributions.rows), 'requirement')} over {len(attributions.builds)} builds: {counts}"
    )
    return [*lines, in_all, f"exit status {status}: {EXIT_MEANINGS[status]}"]


def loud(attributions: AttributionTable) -> list[str]:
    """One line for each requirement that is flipped by something else than it is named for."""
    lines = []
    for attribution in attributions.with_agreement("not as named"):
        by = f"is flipped to {attribution.flipped_to} by" if attribution.flipped_to else "has"
        name = f"{attribution.row.requirement} ({attribution.row.role})"
        lines.append(one_line(f"NOT AS NAMED: {name} {by} {attribution.words}"))
    return lines


def _by_patch(attributions: AttributionTable) -> Iterator[tuple[str, Iterator[Attribution]]]:
    return groupby(attributions.rows, key=lambda attribution: attribution.row.patch)


def _cause(attribution: Attribution) -> str:
    if attribution.outcome != "flips":
        return "one of several" if attribution.outcome == "several" else "patches that act on each other"
    return attribution.words + (" alone" if attribution.explanations[0].kind == "alone" else "")


def _told(attribution: Attribution) -> tuple[str, ...]:
    row = attribution.row
    reasons = dict.fromkeys(cell.deviation["reason"] for cell in row.cells if cell.deviation)
    by, why = escape(attribution.words), escape(" ".join(reasons))
    return escape(row.requirement), row.role, by, attribution.flipped_to, why


def _builds(attributions: AttributionTable) -> str:
    runs = attributions.comparison.runs
    rows = [
        (escape(label), escape(", ".join(sorted(patches))) or "none", escape(run.path.name))
        for (label, patches), run in zip(attributions.builds.items(), runs, strict=True)
    ]
    base, patches = escape(attributions.base), escape(listed(attributions.patches))
    said = f"What flips is told against {base}; in question are {patches}."
    return table(("build", "patches", "run file"), rows) + "\n\n" + said


def _row(attribution: Attribution, patches: Sequence[str]) -> tuple[str, ...]:
    sure = attribution.proved or not attribution.flipped_to
    says = attribution.agreement + ("" if sure else " (not proved)")
    marks = (_mark(attribution, patch) for patch in patches)
    return escape(attribution.row.requirement), attribution.row.role, *marks, says


def _mark(attribution: Attribution, patch: str) -> str:
    if not any(patch in patches for patches in attribution.sets):
        return ""
    signs = {"alone": "alone:", "all": "with:", "any": "or:"}
    sign = signs[attribution.explanations[0].kind] if attribution.outcome == "flips" else "?"
    return f"{sign} {attribution.flipped_to}"
