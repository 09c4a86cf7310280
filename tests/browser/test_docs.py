"""The documentation in a browser: every page at two widths, its search, and that nothing leaves it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import needed

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: What a page fetches by itself; a link waits for somebody to follow it.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc="([^"]+)"|<link\b[^>]*?\bhref="([^"]+)\""""
)
_IN_STYLES = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")

#: What stands beyond the window's edge and in no box that scrolls: the theme hides it without a scroll bar.
_TOO_WIDE = """
() => [...document.querySelectorAll("article *")].filter(each => {
  if (each.getBoundingClientRect().right <= window.innerWidth + 1) return false;
  for (let box = each; box.tagName !== "ARTICLE"; box = box.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
  return true;
}).map(each => each.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `tox run -e docs` does."""
    needed("sphinx")
    built = tmp_path_factory.mktemp("docs")
    words = [
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(built / "doctrees"),
        str(DOCS),
        str(built / "html"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built / "html"


def test_nothing_in_it_is_fetched_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    found = [(_FETCHED, path) for path in pages] + [(_IN_STYLES, path) for path in site.rglob("*.css")]
    fetched = {"".join(names) for form, path in found for names in form.findall(path.read_text("utf-8"))}
    assert [name for name in fetched if "//" in name and not name.startswith("data:")] == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_no_page_scrolls_sideways(page: Any, site: Path, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    wide = {}
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        if found := page.evaluate(_TOO_WIDE):
            wide[str(path.relative_to(site))] = found
    assert wide == {}


def test_the_search_finds_a_requirement_from_disk(page: Any, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.locator("input[name=q]").first.fill("relay characters")
    page.keyboard.press("Enter")
    page.locator("#search-results li").first.wait_for()
    assert "0007" in page.locator("#search-results").inner_text()
