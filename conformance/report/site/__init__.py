"""The comparison as a static site: plain files that open from disk, and ask for nothing from anywhere."""

from collections.abc import Iterator, Sequence

from conformance.catalogue.catalogue import Catalogue
from conformance.judge.baseline import AgainstBaseline
from conformance.judge.comparison import Comparison
from conformance.project.form import NO_PROJECT
from conformance.report.site.index import Pictures, index_page
from conformance.report.site.requirement import file_name, requirement_page

__all__ = ["INDEX", "Pictures", "site_files"]

INDEX = "index.html"


def site_files(
    comparison: Comparison,
    throughput: Pictures | None = None,
    catalogue: Catalogue | None = None,
    explored: Sequence[tuple[str, str]] = (),
    since: AgainstBaseline | None = None,
) -> Iterator[tuple[str, str]]:
    """Each page, as its path in the site and its text: `requirements/NAME.html`, and `INDEX` last.

    `explored`: pages of explorations beside them, by their address and their line. `since`: what
    became of a baseline's verdicts on the first run.
    """
    known = catalogue or NO_PROJECT.catalogue
    rows = comparison.rows
    for before, row, after in zip((None, *rows), rows, (*rows[1:], None), strict=False):
        text = requirement_page(comparison, row, before, after, known)
        yield f"requirements/{file_name(row.requirement)}", text
    yield INDEX, index_page(comparison, throughput, explored, since)
