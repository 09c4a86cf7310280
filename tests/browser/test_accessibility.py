"""axe-core finds nothing, on a phone and on a desk, in the light and in the dark."""

from typing import Any

import pytest

from tests.browser.conftest import needed

PAGES = ("index.html", "requirements/0008.cram.fresh.html", "requirements/0005.tcp.stalled.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(page: Any, index: str, name: str, scheme: str, width: int) -> None:
    axe = needed("axe_playwright_python.sync_playwright").Axe()
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto(index.replace("index.html", name))
    found = axe.run(page).response["violations"]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]][:3]) for fault in found] == []
