"""The comparison as a static site: plain files that open from disk, and ask for nothing from anywhere."""

from pathlib import Path

from conformance.cases.collection import all_requirements
from conformance.errors import UsageError
from conformance.judge.comparison import Comparison
from conformance.report.site.index import Pictures, index_page
from conformance.report.site.requirement import file_name, requirement_page

__all__ = ["Pictures", "write_site"]


def write_site(comparison: Comparison, directory: Path, throughput: Pictures | None = None) -> Path:
    """Write `index.html` and `requirements/NAME.html` below `directory`; the path of the index.

    Pages that an earlier report left there are replaced when they have the same name, and stay otherwise.
    Raises UsageError when the directory cannot be written.
    """
    known = all_requirements()
    try:
        pages = directory / "requirements"
        pages.mkdir(parents=True, exist_ok=True)
        rows = comparison.rows
        for before, row, after in zip((None, *rows), rows, (*rows[1:], None), strict=False):
            text = requirement_page(comparison, row, before, after, known)
            (pages / file_name(row.requirement)).write_bytes(text.encode("utf-8"))
        index = directory / "index.html"
        index.write_bytes(index_page(comparison, throughput).encode("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{error.filename or directory}: {error.strerror}", "Name another directory for the site."
        ) from error
    return index
