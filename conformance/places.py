"""Where the files that are not Python live, in a checkout and in an installed wheel alike."""

import re
from pathlib import Path

_PAGE = re.compile(r"\bdocs/[\w./-]*\w")
_PACKAGE = Path(__file__).resolve().parent


def is_installed() -> bool:
    """Whether this is an installed wheel, whose files are nobody's to change."""
    return (_PACKAGE / "_data").is_dir()


def data(*parts: str) -> Path:
    """Path of a file below `docker/` or `fixtures/`, or of a page: `data("fixtures", "dns-zones")`."""
    installed = _PACKAGE / "_data"
    return (installed if installed.is_dir() else _PACKAGE.parent).joinpath(*parts)


def located(text: str) -> str:
    """The text with the pages of ours by their paths: beside an installed wheel there is no `docs/`."""
    if not is_installed():
        return text
    return _PAGE.sub(lambda page: str(data(page[0])) if data(page[0]).exists() else page[0], text)
