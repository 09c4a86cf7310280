"""The first page in a browser: the filter, links to what it shows, keyboard, paper."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.browser.conftest import needed

SOME, OTHER = "0005.mx.octets-4096", "base.ehlo.extensions"


def shown(page: Any) -> list[str]:
    """Names of the requirements that can be seen."""
    names: list[str] = page.locator(
        "#requirements tr:not(.patch):visible th code:first-child"
    ).all_inner_texts()
    return [name for name in names if name.partition(".")[0] in ("base", *(f"000{n}" for n in range(4, 10)))]


def count(page: Any) -> int:
    return int(page.locator("#count").inner_text().split()[0])


def test_all_is_shown_at_first(page: Any, index: str) -> None:
    page.goto(index)
    assert count(page) == page.locator("#requirements tr:not(.patch)").count() - 1  # the head
    assert page.locator("#nothing").is_hidden()


def test_text_narrows_to_rows_that_hold_every_word(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Text").fill("MX octets 4096")
    assert SOME in shown(page)
    assert count(page) < 10
    assert page.locator("tbody:visible").count() < 7


def test_a_patch_is_shown_alone(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Patch", exact=True).select_option("0005")
    assert {name.partition(".")[0] for name in shown(page)} == {"0005"}
    assert page.locator("#requirements tbody:visible").count() == 1


def test_a_verdict_is_asked_of_any_target_or_of_one(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Verdict").select_option("unmet")
    of_any = count(page)
    page.get_by_label("on", exact=True).select_option("debs:ppa")
    of_one = count(page)
    assert 0 < of_one < of_any
    assert page.locator("#requirements tr:visible td:nth-child(3) .chip:has-text('✓')").count() == 0


def test_known_deviations_can_be_asked_for(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Verdict").select_option("deviation")
    assert count(page) == page.locator("#requirements tr:has(.chip:has-text('~'))").count()


def test_differs_only_shows_rows_whose_cells_differ(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("differs only").check()
    rows = page.locator("#requirements tbody tr:not(.patch):visible")
    words = rows.evaluate_all("rows => rows.map(row => new Set([...row.querySelectorAll('.chip')]"
                              ".map(chip => chip.lastChild.textContent)).size)")  # fmt: skip
    assert len(words) == count(page) > 50
    assert set(words) == {2}


def test_a_filter_that_fits_nothing_says_so_and_can_be_taken_back(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Text").fill("no such thing")
    assert count(page) == 0
    assert page.locator("#nothing").is_visible()
    page.get_by_role("button", name="Show all").click()
    page.locator("#nothing").wait_for(state="hidden")
    assert count(page) > 300
    assert "=" not in page.url


def test_the_address_carries_the_filter_to_someone_else(page: Any, index: str) -> None:
    page.goto(index)
    page.get_by_label("Text").fill("tcp & more")
    page.get_by_label("Text").fill("octets")
    page.get_by_label("Patch", exact=True).select_option("0005")
    page.get_by_label("differs only").check()
    here, address = shown(page), page.url
    page.goto("about:blank")
    page.goto(address)
    assert shown(page) == here
    assert page.get_by_label("Text").input_value() == "octets"
    assert page.get_by_label("differs only").is_checked()


def test_an_address_put_in_by_hand_and_going_back_are_followed(page: Any, index: str) -> None:
    page.goto(index)
    page.goto(f"{index}#patch=0006")
    page.wait_for_function("document.getElementById('patch').value === '0006'")
    page.goto(f"{index}#patch=0009&verdict=nonsense")
    page.wait_for_function("document.getElementById('patch').value === '0009'")
    assert page.get_by_label("Verdict").input_value() == ""
    page.go_back()
    page.wait_for_function("document.getElementById('patch').value === '0006'")
    assert {name.partition(".")[0] for name in shown(page)} == {"0006"}


def test_the_sentence_of_a_patch_leads_to_its_rows_whatever_is_filtered(page: Any, index: str) -> None:
    page.goto(f"{index}#patch=0004")
    page.get_by_role("link", name="0007: relay characters").click()
    page.locator("#patch-0007").wait_for(state="visible")
    assert page.locator("#patch-0007 .patch").is_visible()


def test_a_cell_opens_at_its_target(page: Any, index: str) -> None:
    page.goto(f"{index}#text={SOME}")
    page.locator(f"#requirements a[href$='{SOME}.html#target-2']").click()
    assert page.url.endswith(f"requirements/{SOME}.html#target-2")
    assert page.locator("#target-2").evaluate("card => card === document.activeElement")
    page.get_by_role("link", name="All requirements").click()
    assert page.url.endswith("index.html")


def test_by_keyboard_alone_one_comes_to_the_evidence(page: Any, index: str) -> None:
    page.goto(index)
    tab_to(page, "element => element.id === 'text'")
    page.keyboard.type(SOME)
    tab_to(page, "element => element.matches('#requirements td:last-child a')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{SOME}.html#target-2")
    tab_to(page, "element => element.matches('button[data-copy]')")


def test_the_first_tab_offers_to_skip_to_the_content(page: Any, index: str) -> None:
    page.goto(index)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'content'")


def test_without_its_script_the_page_holds_all(browser: Any, index: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index)
    assert page.locator("#filter").is_hidden()
    assert page.locator(f"#requirements a:has-text('{OTHER}')").is_visible()
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(page: Any, index: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for address in (index, index.replace("index.html", f"requirements/{SOME}.html")):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_the_matrix_is_there_and_the_form_is_not(page: Any, index: str) -> None:
    pypdf = needed("pypdf")
    page.goto(f"{index}#patch=0005")
    page.emulate_media(media="print")
    assert page.locator("#filter").is_hidden()
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    text = "\n".join(sheet.extract_text() for sheet in printed.pages)
    assert SOME in text
    assert "0007.rcpt" not in text.partition("Every requirement on every target")[2].partition("Known dev")[0]


def tab_to(page: Any, condition: str) -> None:
    """Press Tab until the focused element fulfils the condition, within a person's patience."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"({condition})(document.activeElement)"):
            return
    raise AssertionError(f"40 tabs do not lead to {condition}")
