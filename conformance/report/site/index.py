"""The first page: what was compared, one sentence per patch, what needs a person, and the matrix."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from conformance import __version__
from conformance.errors import EXIT_AS_EXPECTED
from conformance.harmless import printable
from conformance.judge.baseline import AgainstBaseline
from conformance.judge.comparison import Comparison, PatchSummary, Row
from conformance.judge.expectation import meaning
from conformance.judge.runfile import Run
from conformance.judge.user_changes import Kind, UserChange, UserChanges, user_changes
from conformance.report.sentences import sentence
from conformance.report.site.baseline import baseline_section
from conformance.report.site.citation import citation
from conformance.report.site.findings import explored_section
from conformance.report.site.html import Html, bullets, definitions, joined, prose, scrolling, tag
from conformance.report.site.marks import chip
from conformance.report.site.matrix import matrix, patch_anchor
from conformance.report.site.page import page, section, specifications
from conformance.report.site.requirement import file_name
from conformance.report.user_changes import HEADING, TITLES, by_patch, explanation, sides, summary
from conformance.report.words import (
    KnownDeviation,
    counts_line,
    difference,
    exit_line,
    is_specification,
    known_deviations,
    listed,
    noteworthy,
    numbered,
    one_line,
    patch_title,
    run_conclusions,
    stands_on,
)

_NOTEWORTHY = 200  #: rows; the matrix holds them all
_SEEN = 300  #: characters of what was seen; the requirement's page holds it whole


@dataclass(frozen=True)
class Pictures:
    """What was measured beside the comparison: SVG documents, each with its title, and the same in words."""

    conclusion: str
    drawn: tuple[tuple[str, str, str], ...]  #: (title, SVG for wide screens, SVG for narrow ones)
    words: tuple[str, ...]


def index_page(
    comparison: Comparison,
    throughput: Pictures | None = None,
    explored: Sequence[tuple[str, str]] = (),
    since: AgainstBaseline | None = None,
) -> str:
    """The whole page. `explored`: pages of explorations, by their address and their line.

    `since`: what became of a baseline's verdicts on the first run.
    """
    names = listed(map(printable, comparison.labels))
    header = comparison.runs[0].header
    content = tag(
        "main",
        tag("p", "qmail conformance", class_="kicker"),
        tag("h1", names),
        _conclusion(comparison),
        baseline_section(since) if since else "",
        _user_changes(comparison),
        section("compared", "What was compared", _compared(comparison)),
        section("patches", "What each patch came to", _patches(comparison)) if comparison.patches else "",
        _noteworthy(comparison),
        section("throughput", "Throughput", _pictures(throughput)) if throughput else "",
        explored_section(explored) if explored else "",
        section("matrix", "Every requirement on every target", matrix(comparison)),
        _deviations(comparison),
        id="content",
        tabindex="-1",
    )
    files = ", ".join(run.path.name for run in comparison.runs)
    footer = (
        f"Made by qmail-conformance {__version__} from {files}. "
        f"The runs: suite {header.suite}, selection: {header.selection or 'everything'}."
    )
    return page(f"{names} · qmail conformance", content, script="index.js", footer=footer, kind="index")


def _conclusion(comparison: Comparison) -> Html:
    fine = comparison.exit_status == EXIT_AS_EXPECTED
    words = "As expected" if fine else "Not as expected"
    parts = [tag("b", words, class_="good" if fine else "bad"), f". {exit_line(comparison).capitalize()}."]
    if len(comparison.runs) > 1:
        parts.append(f" {difference(comparison)}.")
    each = bullets(run_conclusions(comparison), class_="conclusions")
    return joined((tag("p", *parts, class_="lead"), each, specifications(comparison)))


def _user_changes(comparison: Comparison) -> Html:
    """The first section: worse, better and otherwise than on the build of before, each with its evidence."""
    blocks = [
        joined((tag("p", summary(comparison, changes), "."), *_kinds(comparison, changes)))
        for changes in user_changes(comparison)
    ]
    return section("changes", HEADING, joined(blocks)) if blocks else Html("")


def _kinds(comparison: Comparison, changes: UserChanges) -> Iterator[Html]:
    """What is better is the reason for the patches and long, so it is folded up, patch by patch."""
    for kind, of_kind in changes.kinds.items():
        if not of_kind:
            continue
        yield tag("h3", TITLES[kind])
        yield tag("p", explanation(comparison, changes, kind), class_="quiet")
        if kind == "better":
            for patch, rows in by_patch(comparison, of_kind):
                title = tag("summary", f"{patch}: {numbered(len(rows), 'promise')}")
                yield tag("details", title, _promises(comparison, changes, rows), class_="better")
        else:
            items = (_user_change(comparison, changes, change, kind) for change in of_kind)
            yield bullets(items, class_="changed")


def _user_change(comparison: Comparison, changes: UserChanges, change: UserChange, kind: Kind) -> Html:
    how = "chip bad" if kind == "worse" else "chip quiet"
    cost = tag("b", change.severity, class_=how) if change.severity else ""
    why = tag("p", "Why: ", prose(change.cause), class_="quiet") if change.cause else ""
    return joined((cost, _promises(comparison, changes, change.rows), why))


def _promises(comparison: Comparison, changes: UserChanges, rows: Iterable[Row]) -> Html:
    """Each promise with what both builds do, and the way to the evidence on the build of after."""
    return joined(
        tag(
            "p",
            prose(row.promise),
            " ",
            sides(comparison, changes, row),
            ". ",
            tag(
                "a",
                tag("code", row.requirement),
                href=f"requirements/{file_name(row.requirement)}#target-{changes.after + 1}",
            ),
        )
        for row in rows
    )


def _compared(comparison: Comparison) -> Html:
    return tag("div", *map(_target, comparison.labels, comparison.runs), class_="cards")


def _target(label: str, run: Run) -> Html:
    target = run.target
    facts: list[tuple[str, str]] = [("Patches claimed", ", ".join(target.patches) or "none")]
    if target.packages:
        versions = (_whole(f"{name} {version}") for name, version in sorted(target.packages.items()))
        facts.append(("Packages", joined(versions, ", ")))
    if stands_on(target):
        facts.append(("Stands on", stands_on(target)))
    if target.image:
        facts.append(("Image", tag("code", target.image, class_="digest")))
    if is_specification(target):
        facts.append(("Kind", "an executable specification, not qmail"))
    begun = run.header.started.replace("T", " ").replace("+00:00", " UTC")
    facts += [
        ("Verdicts", counts_line(run.footer.counts)),
        ("Run", joined((f"{begun}, queue on {run.header.queue}; ", _whole(run.path.name)))),
    ]
    return tag("article", tag("h3", label), definitions(facts), class_="card")


def _whole(words: str) -> Html:
    """Words that stay on one line where they fit on one."""
    return tag("span", words, class_="whole")


def _patches(comparison: Comparison) -> Html:
    several = len(comparison.runs) > 1
    items = []
    for patch, summaries in groupby(comparison.patches, key=lambda each: each.patch):
        link = tag("a", patch_title(patch, comparison.titles), href=f"#{patch_anchor(patch)}")
        items.append(joined((tag("h3", link), *(_summary(each, several) for each in summaries))))
    return bullets(items, class_="patches")


def _summary(summary: PatchSummary, several: bool) -> Html:
    target = (tag("span", summary.label, class_="target"), " ") if several else ()
    return tag("p", _bar(summary), tag("span", *target, summary.sentence, "."))


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
    size = {"viewBox": f"0 0 {width} 8", "width": str(width), "height": "8"}
    return tag("svg", joined(parts), **size, aria_hidden="true", class_="bar")


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
            tag(
                "td", tag("p", meaning(verdict)), tag("p", one_line(sentence(verdict), _SEEN), class_="quiet")
            ),
        )
        for index, verdict in found[:_NOTEWORTHY]
    )
    heads = (tag("th", name, scope="col") for name in ("Requirement", "Target", "Verdict", "What it means"))
    left_out = len(found) - _NOTEWORTHY
    more = tag("p", f"… and {left_out} more, in the matrix.") if left_out > 0 else ""
    table = tag("table", tag("thead", tag("tr", joined(heads))), tag("tbody", joined(rows)), class_="list")
    content = joined((scrolling(table, aria_labelledby="odd"), more))
    return section("odd", "Unexpected, invalid or unstable", content)


def _pictures(pictures: Pictures) -> Html:
    """The conclusion, each picture in the page itself, and the list of words for who does not see it."""
    images = [
        tag(
            "figure",
            tag(
                "picture",
                tag("source", media="(max-width: 50rem)", srcset=_inline(narrow)),
                tag("img", src=_inline(wide), alt=title),
            ),
            class_="picture",
        )
        for title, wide, narrow in pictures.drawn
    ]
    words = tag("details", tag("summary", "The ratios in words"), bullets(pictures.words))
    return joined((tag("p", pictures.conclusion), *images, words if pictures.words else ""))


def _inline(svg: str) -> str:
    """An image that is part of the page."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode('ascii')}"


def _deviations(comparison: Comparison) -> Html:
    """The known deviations that show, each once, with the targets on which they do."""
    labels: dict[KnownDeviation, list[str]] = {}
    for deviation in known_deviations(comparison):
        labels.setdefault(replace(deviation, target=""), []).append(deviation.target)
    if not labels:
        return Html("")
    items = []
    for known, on in labels.items():
        links = joined(map(_link, known.requirements), ", ")
        source = (f"On {listed(on)}. Source: ", citation(known.source), f". Since {known.since}.")
        items.append(
            joined((tag("p", prose(known.reason)), tag("p", links), tag("p", *source, class_="quiet")))
        )
    return section("deviations", "Known deviations", bullets(items, class_="deviations"))


def _link(requirement: str) -> Html:
    return tag("a", tag("code", requirement), href=f"requirements/{file_name(requirement)}")
