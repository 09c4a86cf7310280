"""How a verdict looks: a sign, a word and a tone, so that colour is never the only difference."""

from __future__ import annotations

from conformance.judge.verdict import Verdict
from conformance.report.site.html import Html, tag
from conformance.report.words import tone

#: Sign -> what it says. One sign for each cell, the gravest that holds.
SIGNS = (
    ("✓", "met, as expected"),
    ("○", "unmet, as expected"),
    ("~", "a known deviation"),
    ("!", "not as expected"),
    ("*", "unstable: did not repeat"),
    ("?", "invalid: the world misbehaved"),
    ("-", "unsupported"),
)


def sign(verdict: Verdict) -> str:
    """The sign of `SIGNS` for a verdict."""
    if verdict.standing != "expected":
        return {"unexpected": "!", "unstable": "*", "invalid": "?"}.get(verdict.standing, "-")
    if verdict.deviation is not None:
        return "~"
    return {"met": "✓", "unmet": "○"}.get(verdict.verdict, "-")


def facets(verdict: Verdict) -> str:
    """What the filter can ask of a cell, in words: `unmet deviation`, `met unexpected`."""
    known = verdict.deviation is not None and verdict.standing == "expected"
    standing = "" if verdict.standing in ("expected", verdict.verdict) else f" {verdict.standing}"
    return verdict.verdict + standing + (" deviation" if known else "")


def chip(verdict: Verdict) -> Html:
    """A verdict as a small label."""
    return tag("span", tag("b", sign(verdict)), " " + verdict.verdict, class_=f"chip {tone(verdict)}")
