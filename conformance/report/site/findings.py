"""The page of an exploration: what differs, the smallest scenario that shows it, and both stories."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance import __version__
from conformance.report.alignment import Pair
from conformance.report.site.event_table import two_columns
from conformance.report.site.html import Html, bullets, definitions, joined, pre, tag
from conformance.report.site.page import page, section


@dataclass(frozen=True)
class Shown:
    """One finding: `difference` in a line, `seen` how often and where, its `file` with its `scenario`,
    the `command` that tries it, and both stories row by row."""

    difference: str
    seen: str
    file: str
    scenario: str
    command: str
    story: Sequence[Pair]


def findings_page(
    sides: tuple[str, str],
    facts: Iterable[tuple[str, str]],
    findings: Sequence[Shown],
    reached: Iterable[str],
    warnings: Iterable[str] = (),
    up: str = "",
) -> str:
    """The whole page. `sides` are what the two are called, `facts` how they were explored.

    `up` is the address of the site's first page; "" for a page that stands alone.
    """
    left, right = sides
    count = f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}"
    main = tag(
        "main",
        tag("p", "qmail conformance", class_="kicker"),
        tag("h1", f"{left} explored against {right}"),
        *(tag("p", warning, class_="warning") for warning in warnings),
        tag("p", count, class_="lead"),
        _contents(findings),
        section("explored", "What was explored", definitions(facts, class_="facts")),
        *(_finding(number, each, sides) for number, each in enumerate(findings, 1)),
        section("reached", "What was reached", bullets(reached)),
        id="content",
        tabindex="-1",
    )
    link = tag("a", "The first page", href=up, class_="up")
    way = tag("nav", link, aria_label="Pages") if up else Html("")
    return page(
        f"{count} · {left} · qmail conformance",
        joined((way, main), "\n"),
        script="page.js",
        footer=f"Made by qmail-conformance {__version__} from findings.json.",
        kind="requirement",
    )


def explored_section(links: Iterable[tuple[str, str]]) -> Html:
    """A part of a first page: explorations by their address and their line."""
    items = (tag("a", line, href=address) for address, line in links)
    return section("explored", "What nobody wrote a case for", bullets(items))


def explored_index(links: Iterable[tuple[str, str]]) -> str:
    """The first page of a site of explorations alone."""
    main = tag(
        "main",
        tag("p", "qmail conformance", class_="kicker"),
        tag("h1", "Explorations"),
        explored_section(links),
        id="content",
        tabindex="-1",
    )
    footer = f"Made by qmail-conformance {__version__} from findings.json."
    return page("Explorations · qmail conformance", main, script="page.js", footer=footer, kind="index")


def _contents(findings: Sequence[Shown]) -> Html:
    return bullets(
        tag("a", each.difference, href=f"#finding-{number}") for number, each in enumerate(findings, 1)
    )


def _finding(number: int, shown: Shown, sides: tuple[str, str]) -> Html:
    identity = f"command-{number}"
    command = tag(
        "div",
        tag("code", shown.command, id=identity),
        tag("button", "Copy", type="button", data_copy=identity, hidden=True),
        class_="command",
    )
    scenario = pre(shown.scenario.rstrip("\n"), class_="code", tabindex="0", aria_label=shown.file)
    told = joined(
        (
            tag("p", shown.seen, class_="quiet"),
            scenario,
            command,
            two_columns(shown.story, *sides, f"story-{number}"),
        )
    )
    return section(f"finding-{number}", f"{number}. {shown.difference}", told)
