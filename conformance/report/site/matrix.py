"""The matrix of requirements by targets, and the form that narrows it.

Without its script the whole matrix stands there; the form appears with the script, and what it is set to
lives in the address, so that a link shows the same rows to someone else.
"""

from collections.abc import Iterable
from itertools import groupby

from conformance.judge.comparison import Comparison, Row
from conformance.report.site.html import Html, bullets, joined, prose, tag
from conformance.report.site.marks import SIGNS, chip, facets
from conformance.report.site.requirement import file_name
from conformance.report.words import numbered, one_line, patch_title

#: What the filter asks of a cell -> what a person reads.
_VERDICTS = (
    ("met", "met"),
    ("unmet", "unmet"),
    ("unexpected", "not as expected"),
    ("deviation", "deviation known"),
    ("unstable", "unstable"),
    ("invalid", "invalid"),
    ("unsupported", "unsupported"),
)


def matrix(comparison: Comparison) -> Html:
    """Form, legend and table."""
    if not comparison.rows:
        return tag("p", "There is no requirement in these runs.")
    signs = (joined((tag("b", sign), " ", words)) for sign, words in SIGNS)
    legend = bullets(signs, class_="legend", aria_label="Signs")
    heads = (tag("th", label, scope="col") for label in comparison.labels)
    head = tag("thead", tag("tr", tag("th", "Requirement", scope="col"), joined(heads)))
    by_patch = groupby(comparison.rows, key=lambda row: row.patch)
    groups = (_group(patch, list(rows), comparison) for patch, rows in by_patch)
    caption = tag("caption", "Requirements by targets; each cell leads to the evidence", class_="unseen")
    nothing = tag(
        "p", "No requirement is like that. Take something out of the filter.", id="nothing", hidden=True
    )
    columns = tag("colgroup", tag("col"), tag("col", class_="cell", span=str(len(comparison.labels))))
    table = tag("table", caption, columns, head, joined(groups, "\n"), id="requirements", class_="matrix")
    return joined((_form(comparison), legend, tag("div", table, class_="wide"), nothing), "\n")


def patch_anchor(patch: str) -> str:
    """The id of a patch's rows."""
    return f"patch-{file_name(patch).removesuffix('.html')}"


def _group(patch: str, rows: list[Row], comparison: Comparison) -> Html:
    width = len(comparison.labels) + 1
    count = tag("span", numbered(len(rows), "requirement"), class_="quiet")
    title = tag("th", patch_title(patch, comparison.titles), " ", count, colspan=str(width), scope="rowgroup")
    body = joined((_row(row) for row in rows), "\n")
    return tag(
        "tbody", tag("tr", title, class_="patch"), body, id=patch_anchor(patch), data_patch=one_line(patch)
    )


def _row(row: Row) -> Html:
    file = f"requirements/{file_name(row.requirement)}"
    level = "" if row.level == "must" else f", {row.level}"
    name = tag(
        "th",
        tag("a", tag("code", row.requirement), href=file),
        " ",
        tag("small", row.role + level),
        tag("p", prose(row.promise)),
        scope="row",
    )
    cells = (
        tag("td", tag("a", chip(cell), href=f"{file}#target-{index}"), data_is=facets(cell))
        for index, cell in enumerate(row.cells, 1)
    )
    return tag("tr", name, joined(cells), data_differs=row.differs)


def _form(comparison: Comparison) -> Html:
    present = {word for row in comparison.rows for cell in row.cells for word in facets(cell).split()}
    patches = dict.fromkeys(row.patch for row in comparison.rows)
    by_number = ((one_line(patch), patch_title(patch, comparison.titles)) for patch in patches)
    fields = [
        _field("text", "Text", tag("input", type="search", id="text", name="text", autocomplete="off")),
        _select("patch", "Patch", "every patch", by_number),
        _select("verdict", "Verdict", "any", ((key, word) for key, word in _VERDICTS if key in present)),
    ]
    if len(comparison.runs) > 1:
        labels = [one_line(label) for label in comparison.labels]
        fields.append(_select("target", "on", "any target", zip(labels, labels, strict=True)))
        box = tag("input", type="checkbox", id="differs", name="differs", value="1")
        fields.append(tag("label", box, " differs only", for_="differs", class_="check"))
    count = tag("output", f"{len(comparison.rows)} requirements", id="count", for_="text patch verdict")
    return tag(
        "form",
        joined(fields),
        tag("button", "Show all", type="reset"),
        count,
        id="filter",
        role="search",
        aria_label="Filter the requirements",
        hidden=True,
    )


def _field(name: str, title: str, control: Html) -> Html:
    return tag("div", tag("label", title, for_=name), " ", control, class_="field")


def _select(name: str, title: str, every: str, options: Iterable[tuple[str, str]]) -> Html:
    given = joined(tag("option", words, value=value) for value, words in options)
    return _field(name, title, tag("select", tag("option", every, value=""), given, id=name, name=name))
