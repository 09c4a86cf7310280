"""How a verdict looks: a sign, a word and a tone, so that colour is never the only difference."""

from conformance.judge.verdict import Verdict
from conformance.report.site.html import Html, tag
from conformance.report.words import shows_deviation, tone

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
    if shows_deviation(verdict):
        return "~"
    said = verdict.verdict if verdict.assessment == "expected" else verdict.assessment
    return {"met": "✓", "unmet": "○", "unexpected": "!", "unstable": "*", "invalid": "?"}.get(said, "-")


def facets(verdict: Verdict) -> str:
    """What the filter can ask of a cell, in words: `unmet deviation`, `met unexpected`."""
    assessment = "" if verdict.assessment in ("expected", verdict.verdict) else f" {verdict.assessment}"
    return verdict.verdict + assessment + (" deviation" if shows_deviation(verdict) else "")


def chip(verdict: Verdict) -> Html:
    """A verdict as a small label."""
    return tag("span", tag("b", sign(verdict)), " " + verdict.verdict, class_=f"chip {tone(verdict)}")
