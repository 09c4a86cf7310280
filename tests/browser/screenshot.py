"""Makes the pictures of the README again, of all requirements: `python -m tests.browser.screenshot RUNS`.

RUNS is what `tox run -e sample` wrote; a second directory takes the pictures (docs).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from tests.browser.conftest import launched, sample_site

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: Picture -> (page, fragment, height in CSS pixels).
PICTURES = {
    "screenshot.png": ("index.html", "#differs=1", 1750),
    "screenshot-requirement.png": ("requirements/0005.mx.octets-513.html", "", 1500),
}


def main(runs: Path, directory: Path = DOCS) -> None:
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        site = sample_site(Path(scratch), runs).parent
        page = launched(playwright).new_page(color_scheme="light")
        for name, (path, fragment, height) in PICTURES.items():
            page.set_viewport_size({"width": 1280, "height": height})
            page.goto((site / path).as_uri() + fragment)
            page.screenshot(path=directory / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
