"""Puts what is made of the code in the place of a page's `<!-- made: NAME -->`, each time."""

import re
from collections.abc import Callable

import made_catalogue
import made_commands
import made_findings
from sphinx.application import Sphinx

_MARK = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)

MADE: dict[str, Callable[[], str]] = {
    "commands": made_commands.commands,
    "statuses": made_commands.statuses,
    "images": made_commands.images,
    "patches": made_catalogue.patches,
    "findings": made_findings.findings,
    **{f"catalogue {number}": make for number, make in made_catalogue.pages().items()},
}


def fill(text: str) -> str:
    """A page's text with what is made. Raises KeyError for a name that nothing makes."""
    return _MARK.sub(lambda mark: MADE[mark[1]](), text)


def setup(app: Sphinx) -> dict[str, bool]:
    def read(app: Sphinx, page: str, source: list[str]) -> None:
        source[0] = fill(source[0])

    def outdated(app: Sphinx, *changes: object) -> list[str]:
        """What is made may have changed where its page has not."""
        pages = app.env.found_docs
        return [page for page in pages if _MARK.search(app.env.doc2path(page).read_text("utf-8"))]

    app.connect("source-read", read)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
