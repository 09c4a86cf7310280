"""Where the files that are not Python live, in a checkout and in an installed wheel alike."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def is_installed() -> bool:
    """Whether this is an installed wheel, whose files are nobody's to change."""
    return (_PACKAGE / "_data").is_dir()


def data(*parts: str) -> Path:
    """Path of a file below `docker/` or `fixtures/`, or of a page: `data("fixtures", "dns-zones")`."""
    installed = _PACKAGE / "_data"
    return (installed if installed.is_dir() else _PACKAGE.parent).joinpath(*parts)
