"""The page of one requirement: the promise, each target's verdict, and the evidence for it."""

import inspect
import re
from hashlib import sha256
from itertools import count
from pathlib import Path

from conformance import __version__
from conformance.catalogue.catalogue import Catalogue
from conformance.harmless import printable
from conformance.judge.comparison import Comparison, Row
from conformance.judge.expectation import meaning
from conformance.judge.verdict import Verdict
from conformance.report.sentences import sentence
from conformance.report.site.citation import citation
from conformance.report.site.evidence import evidence
from conformance.report.site.html import Html, definitions, joined, pre, prose, tag
from conformance.report.site.marks import chip
from conformance.report.site.page import page, section, specifications
from conformance.report.site.setup import set_up
from conformance.report.words import patch_title, repeat_command

_SAFE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_ROLES = {
    "change": "change: unmet without its patch, met with it",
    "guard": "guard: met with and without its patch",
}


def file_name(requirement: str) -> str:
    """The page's name: the requirement's own. A name that no suite would give becomes a digest."""
    if _SAFE.fullmatch(requirement) and len(requirement) <= 120:
        return f"{requirement}.html"
    return f"unusual-{sha256(requirement.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.html"


def requirement_page(
    comparison: Comparison, row: Row, before: Row | None, after: Row | None, catalogue: Catalogue
) -> str:
    """The whole page. `before` and `after` are the row's neighbours in the matrix, None at its ends.

    `catalogue` is that of today, for the cases' source code.
    """
    main = tag(
        "main",
        _promise(row, comparison),
        specifications(comparison),
        section("verdicts", "Verdicts", _verdicts(comparison, row)),
        section("repeat", "Repeat just this", _commands(comparison, row)),
        section("evidence", "What happened", evidence(row, comparison.labels)),
        section("set-up", "Configuration used", set_up(row, comparison.labels)),
        section("case", "The case", _case(row, comparison.runs[0].header.suite, catalogue)),
        id="content",
        tabindex="-1",
    )
    names = ", ".join(run.path.name for run in comparison.runs)
    return page(
        f"{printable(row.requirement)} · qmail conformance",
        joined((_navigation(before, after), main), "\n"),
        script="page.js",
        footer=f"Made by qmail-conformance {__version__} from {names}.",
        kind="requirement",
    )


def _navigation(before: Row | None, after: Row | None) -> Html:
    links = [tag("a", "All requirements", href="../index.html", class_="up")]
    for row, word, rel in ((before, "Previous", "prev"), (after, "Next", "next")):
        if row is not None:
            name = tag("code", row.requirement)
            links.append(tag("a", f"{word}: ", name, href=file_name(row.requirement), rel=rel))
    return tag("nav", joined(links, " "), aria_label="Pages")


def _promise(row: Row, comparison: Comparison) -> Html:
    facts = (
        ("Patch", patch_title(row.patch, comparison.titles)),
        ("Source", citation(row.source)),
        ("Level", row.level),
        ("Role", _ROLES[row.role]),
    )
    promise = tag("p", prose(row.promise), class_="promise")
    return joined((tag("h1", tag("code", row.requirement)), promise, definitions(facts, class_="facts")))


def _verdicts(comparison: Comparison, row: Row) -> Html:
    return tag("div", *map(_card, count(1), comparison.labels, row.cells), class_="cards")


def _card(index: int, label: str, verdict: Verdict) -> Html:
    facts: list[tuple[str, str]] = [("Expected", verdict.expected)]
    if verdict.severity and verdict.verdict == "unmet":
        facts.append(("Severity", verdict.severity))
    if verdict.seen:
        facts.append(("What came", sentence(verdict)))
        facts.append(("For developers", pre(verdict.seen, tabindex="0", aria_label="what was seen")))
    if (known := verdict.deviation) is not None:
        source = (" Source: ", citation(known["source"]), f". Since {known['since']}.")
        facts.append(("Known deviation", joined((prose(known["reason"]), *source))))
        if known.get("seen"):
            facts.append(("It describes", pre(known["seen"], tabindex="0", aria_label="what is described")))
    if len(verdict.attempts) > 1:
        facts.append(("Attempts", ", then ".join(verdict.attempts)))
    facts.append(("Took", f"{verdict.seconds:.3f} s"))
    said = meaning(verdict)
    return tag(
        "article",
        tag("h3", label, " ", chip(verdict)),
        tag("p", said, class_="meaning") if said else "",
        definitions(facts),
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


def _case(row: Row, suite: str, catalogue: Catalogue) -> Html:
    requirement = catalogue.requirements.get(row.requirement)
    if requirement is None:
        return tag("p", "This version of the suite has no such requirement, so its code cannot be shown.")
    notes = [tag("p", tag("code", requirement.case), class_="quiet")]
    if suite != __version__ or requirement.promise != row.promise:
        words = f"As version {__version__} of the suite has it; the run was made with {suite}."
        notes.append(tag("p", words, class_="quiet"))
    try:
        case = catalogue.cases[requirement.name]
        # A case that is a scenario file shows the file.
        scenario: Path | None = getattr(case, "scenario", None)
        code = scenario.read_text(encoding="utf-8") if scenario else inspect.getsource(case)
    except (OSError, TypeError):
        return joined((*notes, tag("p", "Its source code is not installed here.")))
    return joined((*notes, pre(code.rstrip("\n"), class_="code", tabindex="0", aria_label="source code")))
