"""Badges: one small SVG for each patch and target, made here, with no font and no image from elsewhere.

A badge says `0005 on ppa` and `18 of 19, as known`: how many requirements are met, and how that stands. The
colour says it again, and never alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    specifications = {
        label
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
        if is_specification(run.target)
    }
    return {
        f"{names[summary.label]}-{summary.patch}.svg": _badge(summary, summary.label in specifications)
        for summary in comparison.patches
    }


def standing(summary: PatchSummary) -> tuple[str, str]:
    """How a patch stands in a word or two ("" when all is met), and the colour for it."""
    if summary.unexpected:
        return f"{summary.unexpected} unexpected", _RED
    if summary.invalid or summary.unstable or summary.unsupported:
        return "not decided in full", _GREY
    if summary.met < summary.total:
        return "as known", _AMBER
    return "", _GREEN


def _badge(summary: PatchSummary, specification: bool) -> str:
    word, colour = standing(summary)
    label = one_line(summary.label)
    short = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
    left = f"{one_line(summary.patch)} on {short}"
    right = f"{summary.met} of {summary.total}" + (f", {word}" if word else "")
    title = f"{label}: {one_line(summary.sentence)}"
    title += "; an executable specification, not qmail" if specification else ""
    widths = [round(len(text) * _CHARACTER) + 2 * _PADDING for text in (left, right)]
    return "\n".join(_svg((left, right), widths, colour, title)) + "\n"


def _svg(texts: tuple[str, str], widths: list[int], colour: str, title: str) -> Iterator[str]:
    width = sum(widths)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" '
        f'viewBox="0 0 {width} {_HEIGHT}" role="img" aria-label={quoteattr(title)}>'
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{widths[0]}" height="{_HEIGHT}" fill="#24292f"/>'
    yield f'<rect x="{widths[0]}" width="{widths[1]}" height="{_HEIGHT}" fill="{colour}"/>'
    yield '<g fill="#fff" font-family="monospace" font-size="11">'
    for text, x, room in zip(texts, (0, widths[0]), widths, strict=True):
        yield (
            f'<text x="{x + _PADDING}" y="14" textLength="{room - 2 * _PADDING}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
        )
    yield "</g>"
    yield "</svg>"


def _names(labels: tuple[str, ...]) -> dict[str, str]:
    """Labels as parts of file names, each its own: a number keeps those apart that would be the same."""
    names: dict[str, str] = {}
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", label).strip("-.") or "target"
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}-{number}"
        names[label] = name
    return names
