"""A requirement's page in a browser: the first difference, the copy button, narrow screens and paper."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from conformance.cli.reporting import write_site
from conformance.judge.comparison import compare
from tests.browser.conftest import needed
from tests.judge_samples import CHANGE, PPA, STOCK, run, verdict
from tests.report_samples import record

DIFFERS, COMMAND = "0008.cram.fresh", "qmail-conformance run debs:stock@ -k 0008.cram.fresh"


def requirement(index: str, name: str) -> str:
    return index.replace("index.html", f"requirements/{name}.html")


def pasted(page: Any) -> str:
    """What the clipboard holds, read back by pasting it."""
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    page.locator("#pasted").focus()
    page.keyboard.press("Control+V")
    value: str = page.locator("#pasted").input_value()
    return value


def test_the_link_leads_to_the_first_difference(page: Any, index: str) -> None:
    page.goto(requirement(index, DIFFERS))
    row = page.locator("#difference-1-first")
    page.get_by_role("link", name="Jump to the first difference").click()
    page.wait_for_function("document.activeElement.id === 'difference-1-first'")
    assert row.evaluate("row => { const box = row.getBoundingClientRect();"
                        " return box.top >= 0 && box.bottom <= innerHeight }")  # fmt: skip
    assert row.locator("mark").count() == 2
    assert "≠" in row.inner_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_leads_to_the_line_that_decides(page: Any, index: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(requirement(index, "0006.unknown.code"))
    page.get_by_role("link", name="Jump to what decides").click()
    assert page.url.endswith("#difference-1-decides")
    assert page.locator("#difference-1-decides").is_visible()
    assert "502 unimplemented" in page.locator("tr:has(#difference-1-decides)").inner_text()
    assert "EHLO" not in page.locator("#difference-1-first").inner_text()
    of_another = page.locator("tr.differs", has_text="of patch 0008")
    assert [row for row in of_another.all_inner_texts() if "8BITMIME" in row or "SIZE" in row]
    assert of_another.locator(".other-patch:visible").count() == of_another.count()


@pytest.mark.parametrize("width", [390, 1280])
def test_what_one_build_lacks_is_marked_on_the_other(page: Any, tmp_path: Path, width: int) -> None:
    seen = "assert set() == {'X-WORD'}"
    old = replace(verdict(CHANGE, STOCK, "unmet", seen=seen), record=record("220 mx", "250 no"))
    new = replace(verdict(CHANGE, PPA), record=record("220 mx", "250 X-WORD"))
    made = write_site(compare([run(STOCK, [old]), run(PPA, [new])]), tmp_path)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(requirement(made.as_uri(), CHANGE.name))
    page.get_by_role("link", name="Jump to what decides").click()
    row = page.locator("tr:has(#difference-1-decides)")
    assert "250 X-WORD" in row.inner_text()
    assert "this decides: the other side lacks it" in row.inner_text()
    mark = page.locator("#difference-1-decides").bounding_box()
    assert mark["x"] + mark["width"] <= width


@pytest.mark.parametrize(("width", "axis", "extent"), [(1280, "x", "width"), (390, "y", "height")])
def test_transcripts_stand_beside_each_other_and_on_a_phone_below(
    page: Any, index: str, width: int, axis: str, extent: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(requirement(index, DIFFERS))
    first = page.locator("#difference-1-first code").first.bounding_box()
    second = page.locator("#difference-1-first code").last.bounding_box()
    assert first[axis] + first[extent] <= second[axis]


@pytest.mark.parametrize("clipboard", [True, False])
def test_the_command_is_copied_also_without_a_clipboard(page: Any, index: str, clipboard: bool) -> None:
    if not clipboard:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(requirement(index, DIFFERS))
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.get_by_role("status").inner_text() == "The command is copied."
    assert pasted(page) == COMMAND


def test_on_paper_the_evidence_is_there_and_the_buttons_are_not(page: Any, index: str) -> None:
    pypdf = needed("pypdf")
    page.goto(requirement(index, DIFFERS))
    page.emulate_media(media="print")
    assert page.get_by_role("button").count() == 0
    sheets = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
    text = normalize("NFKC", "\n".join(sheet.extract_text() for sheet in sheets))  # ligatures
    assert "502 unimplemented" in text
    assert "Configuration used" in text
