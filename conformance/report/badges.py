"""Badges: one small SVG for each patch and target, made here, with no font and no image from elsewhere.

A badge says `0005 on ppa` and `18 of 19, as known`: how many requirements are met, and how that stands. The
colour says it again, and never alone.
"""

import re
from itertools import chain, count
from xml.sax.saxutils import escape, quoteattr

from conformance.judge.comparison import Comparison, PatchSummary
from conformance.report.words import is_specification, one_line

#: Backgrounds on which white text has a contrast of 4.5 to 1 or more.
_GREY, _GREEN, _AMBER, _RED = "#4a4a4a", "#1a7f37", "#8a5a00", "#b3261e"

_CHARACTER = 7.0  #: px that a character is given; `textLength` makes it so in any font
_PADDING = 7
_HEIGHT = 20
_LONGEST = 40  #: characters of a target's name; the title has it whole


def badges(comparison: Comparison) -> dict[str, str]:
    """File name (`TARGET-PATCH.svg`) -> SVG, one for each patch on each target that claims it."""
    names = _names(comparison.labels)
    runs = zip(comparison.labels, comparison.runs, strict=True)
    specified = {label: is_specification(run.target) for label, run in runs}
    return {
        f"{names[summary.label]}-{summary.patch}.svg": _badge(summary, specified[summary.label])
        for summary in comparison.patches
    }


def _assessment(summary: PatchSummary) -> tuple[str, str]:
    """How a patch stands in a word or two ("" when all is met), and the colour for it."""
    if summary.unexpected:
        return f"{summary.unexpected} unexpected", _RED
    if summary.invalid or summary.unstable or summary.unsupported:
        return "not decided in full", _GREY
    if summary.met < summary.total:
        return "as known", _AMBER
    return "", _GREEN


def _badge(summary: PatchSummary, specification: bool) -> str:
    word, colour = _assessment(summary)
    label = one_line(summary.label)
    left = f"{one_line(summary.patch)} on {label if len(label) <= _LONGEST else label[: _LONGEST - 1] + '…'}"
    right = f"{summary.met} of {summary.total}" + (f", {word}" if word else "")
    title = f"{label}: {one_line(summary.sentence)}"
    title += "; an executable specification, not qmail" if specification else ""
    widths = [round(len(text) * _CHARACTER) + 2 * _PADDING for text in (left, right)]
    width = sum(widths)
    texts = "\n".join(
        f'<text x="{x + _PADDING}" y="14" textLength="{room - 2 * _PADDING}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
        for text, x, room in zip((left, right), (0, widths[0]), widths, strict=True)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" \
role="img" aria-label={quoteattr(title)}>
<title>{escape(title)}</title>
<rect width="{widths[0]}" height="{_HEIGHT}" fill="#24292f"/>
<rect x="{widths[0]}" width="{widths[1]}" height="{_HEIGHT}" fill="{colour}"/>
<g fill="#fff" font-family="monospace" font-size="11">
{texts}
</g>
</svg>
"""


def _names(labels: tuple[str, ...]) -> dict[str, str]:
    """Labels as parts of file names, each its own: a number keeps those apart that would be the same."""
    names: dict[str, str] = {}
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", label).strip("-.") or "target"
        candidates = chain([plain], (f"{plain}-{number}" for number in count(2)))
        names[label] = next(name for name in candidates if name not in names.values())
    return names
