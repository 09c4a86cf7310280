"""The first page: what was compared, one sentence per patch, what needs a person, and the matrix."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from conformance import __version__
from conformance.errors import EXIT_AS_EXPECTED
from conformance.judge.comparison import Comparison, PatchSummary
from conformance.judge.expectation import meaning
from conformance.judge.runfile import Run
from conformance.report.site.citation import citation
from conformance.report.site.html import Html, joined, prose, tag
from conformance.report.site.marks import chip
from conformance.report.site.matrix import matrix, patch_anchor
from conformance.report.site.page import page, specifications
from conformance.report.site.pictures import Pictures, shown
from conformance.report.site.requirement import file_name
from conformance.report.site.stories import listed
from conformance.report.words import (
    KnownDeviation,
    counts_line,
    difference,
    exit_line,
    is_specification,
    known_deviations,
    noteworthy,
    one_line,
    patch_title,
    printable,
)

_NOTEWORTHY = 200  #: rows; the matrix holds them all
_SEEN = 300  #: characters of what was seen; the requirement's page holds it whole


def index_page(comparison: Comparison, throughput: Pictures | None = None) -> str:
    """The whole page."""
    names = listed([printable(label) for label in comparison.labels])
    header = comparison.runs[0].header
    content = tag(
        "main",
        tag("p", "qmail conformance", class_="kicker"),
        tag("h1", names),
        _conclusion(comparison),
        _section("compared", "What was compared", _compared(comparison)),
        _section("patches", "What each patch came to", _patches(comparison)) if comparison.patches else "",
        _noteworthy(comparison),
        _section("throughput", "Throughput", shown(throughput)) if throughput else "",
        _section("matrix", "Every requirement on every target", matrix(comparison)),
        _deviations(comparison),
        id="content",
        tabindex="-1",
    )
    selection = header.selection or "everything"
    files = ", ".join(run.path.name for run in comparison.runs)
    footer = (
        f"Made by qmail-conformance {__version__} from {files}. "
        f"The runs: suite {header.suite}, selection: {selection}."
    )
    title = f"{names} · qmail conformance"
    return page(title, content, script="index.js", footer=footer, classes="index")


def _section(name: str, title: str, content: str) -> Html:
    return tag("section", tag("h2", title, id=name), content, aria_labelledby=name)


def _conclusion(comparison: Comparison) -> Html:
    fine = comparison.exit_status == EXIT_AS_EXPECTED
    words = "As expected" if fine else "Not as expected"
    parts = [tag("b", words, class_="good" if fine else "bad"), f". {exit_line(comparison).capitalize()}."]
    if len(comparison.runs) > 1:
        parts.append(f" {difference(comparison)}.")
    return joined((tag("p", *parts, class_="lead"), specifications(comparison)))


def _compared(comparison: Comparison) -> Html:
    cards = (
        _target(index, label, run)
        for index, (label, run) in enumerate(zip(comparison.labels, comparison.runs, strict=True), 1)
    )
    return tag("div", joined(cards), class_="cards")


def _target(index: int, label: str, run: Run) -> Html:
    target = run.target
    facts: list[tuple[str, str]] = [("Patches claimed", ", ".join(target.patches) or "none")]
    if target.packages:
        versions = (_whole(f"{name} {version}") for name, version in sorted(target.packages.items()))
        facts.append(("Packages", joined(versions, ", ")))
    if target.image:
        facts.append(("Image", tag("code", target.image, class_="digest")))
    if is_specification(target):
        facts.append(("Kind", "an executable specification, not qmail"))
    facts += [
        ("Verdicts", counts_line(run.footer.counts)),
        (
            "Run",
            joined((f"{_moment(run.header.started)}, queue on {run.header.queue}; ", _whole(run.path.name))),
        ),
    ]
    return tag(
        "article",
        tag("h3", label),
        tag("dl", joined(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts)),
        class_="card",
    )


def _whole(words: str) -> Html:
    """Words that stay on one line where they fit on one."""
    return tag("span", words, class_="whole")


def _moment(stamp: str) -> str:
    return stamp.replace("T", " ").replace("+00:00", " UTC")


def _patches(comparison: Comparison) -> Html:
    several = len(comparison.runs) > 1
    items = []
    for patch, summaries in groupby(comparison.patches, key=lambda summary: summary.patch):
        link = tag("a", patch_title(patch), href=f"#{patch_anchor(patch)}")
        answers = (_answer(summary, several) for summary in summaries)
        items.append(tag("li", tag("h3", link), joined(answers)))
    return tag("ul", joined(items), class_="patches")


def _answer(summary: PatchSummary, several: bool) -> Html:
    target = tag("span", summary.label, class_="target") if several else ""
    return tag("p", _bar(summary), tag("span", target, " " if several else "", summary.sentence, "."))


def _bar(summary: PatchSummary) -> Html:
    """What is met, what is a known deviation, and the rest, as a bar; the sentence beside it says it too."""
    width, total = 120, max(summary.total, 1)
    parts, x = [], 0.0
    rest = summary.total - summary.met - summary.deviations
    for number, kind in ((summary.met, "good"), (summary.deviations, "doubtful"), (rest, "bad")):
        if number > 0:
            wide = min(width * number / total, width - x)
            parts.append(tag("rect", x=f"{x:.1f}", y="0", width=f"{wide:.1f}", height="8", class_=kind))
            x += wide
    return tag(
        "svg", joined(parts), viewBox=f"0 0 {width} 8", width=str(width), height="8", aria_hidden="true",
        class_="bar",
    )  # fmt: skip


def _noteworthy(comparison: Comparison) -> Html:
    found = noteworthy(comparison)
    if not found:
        return Html("")
    rows = (
        tag(
            "tr",
            tag("th", _link(verdict.requirement), scope="row"),
            tag("td", comparison.labels[index]),
            tag("td", chip(verdict)),
            tag("td", tag("p", meaning(verdict)), tag("p", one_line(verdict.seen, _SEEN), class_="quiet")),
        )
        for index, verdict in found[:_NOTEWORTHY]
    )
    heads = (tag("th", name, scope="col") for name in ("Requirement", "Target", "Verdict", "What it means"))
    left_out = len(found) - _NOTEWORTHY
    more = tag("p", f"… and {left_out} more, in the matrix.") if left_out > 0 else ""
    table = tag("table", tag("thead", tag("tr", joined(heads))), tag("tbody", joined(rows)), class_="list")
    scroll = tag("div", table, class_="scroll", tabindex="0", role="group", aria_labelledby="odd")
    return _section("odd", "Unexpected, invalid or unstable", joined((scroll, more)))


def _deviations(comparison: Comparison) -> Html:
    """The known deviations that show, each once, with the targets on which they do."""
    labels: dict[KnownDeviation, list[str]] = {}
    for one in known_deviations(comparison):
        labels.setdefault(replace(one, label=""), []).append(one.label)
    if not labels:
        return Html("")
    items = (
        tag(
            "li",
            tag("p", prose(one.reason)),
            tag("p", joined((_link(name) for name in one.requirements), ", ")),
            tag(
                "p",
                f"On {listed(on)}. Source: ",
                citation(one.source),
                f". Since {one.since}.",
                class_="quiet",
            ),
        )
        for one, on in labels.items()
    )
    return _section("deviations", "Known deviations", tag("ul", joined(items), class_="deviations"))


def _link(requirement: str) -> Html:
    return tag("a", tag("code", requirement), href=f"requirements/{file_name(requirement)}")
