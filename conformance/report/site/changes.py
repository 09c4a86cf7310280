"""What changed between two runs as a site: the changes by kind, each with a page of evidence."""

from collections.abc import Iterator

from conformance import __version__
from conformance.catalogue.catalogue import Catalogue
from conformance.errors import EXIT_AS_EXPECTED
from conformance.harmless import printable
from conformance.judge.comparison import Comparison, Row
from conformance.project.form import NO_PROJECT
from conformance.report.changes import KINDS, Change, Changes, caption, conclusion, what
from conformance.report.site.html import Html, bullets, joined, scrolling, tag
from conformance.report.site.page import page, section, specifications
from conformance.report.site.requirement import file_name, requirement_page

INDEX = "index.html"


def changes_files(found: Changes, catalogue: Catalogue | None = None) -> Iterator[tuple[str, str]]:
    """Each page, as its path in the site and its text; a requirement that both runs have has one."""
    known = catalogue or NO_PROJECT.catalogue
    comparison = _beside(found)
    rows = comparison.rows
    for before, row, after in zip((None, *rows), rows, (*rows[1:], None), strict=False):
        yield (
            f"requirements/{file_name(row.requirement)}",
            requirement_page(comparison, row, before, after, known),
        )
    yield INDEX, _index(found, comparison)


def _beside(found: Changes) -> Comparison:
    """The two runs side by side, with what changed alone: they need not be of one suite or selection."""
    changed = {change.requirement: change for of_kind in found.kinds.values() for change in of_kind}
    rows = tuple(Row.of([change.old, change.new]) for change in changed.values() if change.old and change.new)
    labels = (f"{found.old.target.label} (old)", f"{found.new.target.label} (new)")
    return Comparison((found.old, found.new), labels, rows, (), before=0)


def _index(found: Changes, comparison: Comparison) -> str:
    fine = found.exit_status == EXIT_AS_EXPECTED
    heads = (f"old: {caption(found.old)}", f"new: {caption(found.new)}", *map(printable, found.caveats))
    content = tag(
        "main",
        tag("p", "qmail conformance", class_="kicker"),
        tag("h1", "What changed"),
        tag("p", tag("b", conclusion(found), class_="good" if fine else "bad"), class_="lead"),
        specifications(comparison),
        bullets(heads),
        *(_kind(kind, of_kind) for kind, of_kind in found.kinds.items() if of_kind),
        id="content",
        tabindex="-1",
    )
    names = f"{found.old.path.name} and {found.new.path.name}"
    return page(
        "What changed · qmail conformance",
        content,
        script="page.js",
        footer=f"Made by qmail-conformance {__version__} from {names}.",
        kind="index",
    )


def _kind(kind: str, of_kind: list[Change]) -> Html:
    rows = (
        tag("tr", tag("th", _name(change), scope="row"), tag("td", what(kind, change))) for change in of_kind
    )
    heads = (tag("th", name, scope="col") for name in ("Requirement", "What"))
    table = tag("table", tag("thead", tag("tr", joined(heads))), tag("tbody", joined(rows)), class_="list")
    title = f"{KINDS[kind].capitalize()}: {len(of_kind)}"
    return section(kind, title, scrolling(table, aria_labelledby=kind))


def _name(change: Change) -> Html:
    name = tag("code", change.requirement)
    if change.old is None or change.new is None:
        return name
    return tag("a", name, href=f"requirements/{file_name(change.requirement)}#target-2")
