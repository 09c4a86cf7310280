"""The page of one requirement: the promise, each target's verdict, and the evidence for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from conformance import __version__
from conformance.cases.collection import case_of
from conformance.catalogue.requirements import Requirement
from conformance.judge.comparison import Comparison, Row
from conformance.judge.expectation import meaning
from conformance.judge.verdict import Verdict
from conformance.report.site.citation import citation
from conformance.report.site.html import Html, joined, pre, prose, tag
from conformance.report.site.marks import chip
from conformance.report.site.page import page, specifications
from conformance.report.site.sequence import picture
from conformance.report.site.setup import set_up
from conformance.report.site.stories import SameStory, Story, listed, same_stories, stories
from conformance.report.site.transcript import one_column, two_columns
from conformance.report.story import Pair, side_by_side
from conformance.report.words import patch_title, printable, repeat_command

_SAFE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_ROLES = {
    "change": "change: unmet without its patch, met with it",
    "guard": "guard: met with and without its patch",
}


@dataclass(frozen=True)
class Neighbours:
    """The requirements before and after one in the matrix; None at the ends."""

    before: Row | None
    after: Row | None


def file_name(requirement: str) -> str:
    """The page's name: the requirement's own. A name that no suite would give becomes a digest."""
    if _SAFE.fullmatch(requirement) and len(requirement) <= 120:
        return f"{requirement}.html"
    return f"unusual-{sha256(requirement.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.html"


def requirement_page(
    comparison: Comparison, row: Row, neighbours: Neighbours, known: Mapping[str, Requirement]
) -> str:
    """The whole page. `known` are the requirements of this suite, for their cases' source code."""
    told = stories(row, comparison.labels)
    body = joined(
        (
            _navigation(neighbours),
            tag(
                "main",
                _promise(row),
                specifications(comparison),
                _section("verdicts", "Verdicts", _verdicts(comparison, row)),
                _section("repeat", "Repeat just this", _commands(comparison, row)),
                _section("evidence", "What happened", _evidence(told)),
                _section("set-up", "Configuration used", set_up(row, comparison.labels)),
                _section("case", "The case", _case(row, comparison.runs[0].header.suite, known)),
                id="content",
                tabindex="-1",
            ),
        ),
        "\n",
    )
    names = ", ".join(run.path.name for run in comparison.runs)
    return page(
        f"{printable(row.requirement)} · qmail conformance",
        body,
        script="page.js",
        footer=f"Made by qmail-conformance {__version__} from {names}.",
        classes="requirement",
    )


def _section(name: str, title: str, content: str) -> Html:
    return tag("section", tag("h2", title, id=name), content, aria_labelledby=name)


def _navigation(neighbours: Neighbours) -> Html:
    links = [tag("a", "All requirements", href="../index.html", class_="up")]
    for row, word, rel in ((neighbours.before, "Previous", "prev"), (neighbours.after, "Next", "next")):
        if row is not None:
            name = tag("code", row.requirement)
            links.append(tag("a", f"{word}: ", name, href=file_name(row.requirement), rel=rel))
    return tag("nav", joined(links, " "), aria_label="Pages")


def _promise(row: Row) -> Html:
    facts = (
        ("Patch", patch_title(row.patch)),
        ("Source", citation(row.source)),
        ("Level", row.level),
        ("Role", _ROLES[row.role]),
    )
    return joined(
        (
            tag("h1", tag("code", row.requirement)),
            tag("p", prose(row.promise), class_="promise"),
            tag(
                "dl",
                joined(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts),
                class_="facts",
            ),
        )
    )


def _verdicts(comparison: Comparison, row: Row) -> Html:
    cards = (
        _card(index, label, verdict)
        for index, (label, verdict) in enumerate(zip(comparison.labels, row.cells, strict=True), 1)
    )
    return tag("div", joined(cards), class_="cards")


def _card(index: int, label: str, verdict: Verdict) -> Html:
    known = verdict.deviation
    facts: list[tuple[str, str]] = [("Expected", verdict.expected)]
    if verdict.seen:
        facts.append(("Seen", pre(verdict.seen, tabindex="0", aria_label="what was seen")))
    if known is not None:
        reason = (
            prose(known["reason"]),
            " Source: ",
            citation(known["source"]),
            f". Since {known['since']}.",
        )
        facts.append(("Known deviation", joined(reason)))
    if len(verdict.attempts) > 1:
        facts.append(("Attempts", ", then ".join(verdict.attempts)))
    facts.append(("Took", f"{verdict.seconds:.3f} s"))
    said = meaning(verdict)
    return tag(
        "article",
        tag("h3", label, " ", chip(verdict)),
        tag("p", said, class_="meaning") if said else "",
        tag("dl", joined(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts)),
        id=f"target-{index}",
        class_="card",
        tabindex="-1",
    )


def _commands(comparison: Comparison, row: Row) -> Html:
    lines = dict.fromkeys(repeat_command(run.target, row.requirement) for run in comparison.runs)
    blocks = (
        tag(
            "div",
            tag("code", line, id=f"command-{number}"),
            tag("button", "Copy", type="button", data_copy=f"command-{number}", hidden=True),
            class_="command",
        )
        for number, line in enumerate(lines, 1)
    )
    status = tag("p", "", role="status", class_="unseen", id="copied")
    return joined((*blocks, status))


def _evidence(told: list[Story]) -> Html:
    problems = [tag("p", f"{one.label}: {one.problem}.", class_="quiet") for one in told if one.problem]
    kinds = same_stories(told)
    if not kinds:
        return joined(problems)
    first = kinds[0]
    whole = [story for story in told if not story.problem]
    if len(whole) == 1:
        drawing = _figures([(first.story, frozenset())])
        return joined((*problems, one_column(first.events, first.story.label), drawing))
    others = kinds[1:] or [SameStory(whole[1], first.labels)]
    parts = []
    for number, other in enumerate(others, 1):
        parts.append(_two(first, other, number, len(others), alike=len(kinds) == 1))
    return joined((*problems, *parts))


def _two(one: SameStory, other: SameStory, number: int, count: int, *, alike: bool) -> Html:
    pairs = side_by_side(one.events, other.events)
    notes = []
    for same in (one, other):
        rest = [label for label in same.labels if label not in (one.story.label, other.story.label)]
        if rest:
            told = f"The same as on {same.story.label} happened on {listed(rest)}."
            notes.append(tag("p", told, class_="quiet"))
        if alike:
            break
    drawing = _figures([(one.story, _differing(pairs, 0)), (other.story, _differing(pairs, 1))])
    table = two_columns(pairs, one.story.label, other.story.label, f"difference-{number}")
    title = tag("h3", f"{one.story.label} and {other.story.label}") if count > 1 else ""
    return joined((title, *notes, table, drawing))


def _differing(pairs: list[Pair], side: int) -> frozenset[int]:
    sides = ((pair.left, pair.right)[side] for pair in pairs if not pair.same)
    return frozenset(id(event) for event in sides if event is not None)


def _figures(drawn: list[tuple[Story, frozenset[int]]]) -> Html:
    figures = []
    for story, differing in drawn:
        if image := picture(story.events, differing, story.label):
            caption = tag("figcaption", f"In order of time, on {story.label}")
            scroll = tag("div", image, class_="scroll", tabindex="0", role="group", aria_label="picture")
            figures.append(tag("figure", caption, scroll))
    return tag("div", joined(figures), class_="figures") if figures else Html("")


def _case(row: Row, suite: str, known: Mapping[str, Requirement]) -> Html:
    requirement = known.get(row.requirement)
    if requirement is None:
        return tag("p", "This version of the suite has no such requirement, so its code cannot be shown.")
    notes = [tag("p", tag("code", requirement.case), class_="quiet")]
    if suite != __version__ or requirement.promise != row.promise:
        words = f"As version {__version__} of the suite has it; the run was made with {suite}."
        notes.append(tag("p", words, class_="quiet"))
    try:
        case = case_of(requirement)
        # A case that is a scenario file shows the file.
        scenario: Path | None = getattr(case, "scenario", None)
        code = scenario.read_text(encoding="utf-8") if scenario else inspect.getsource(case)
    except (OSError, TypeError):
        return joined((*notes, tag("p", "Its source code is not installed here.")))
    return joined((*notes, pre(code.rstrip("\n"), class_="code", tabindex="0", aria_label="source code")))
