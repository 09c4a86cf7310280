"""The first page in a browser: the filter, links to what it shows, keyboard, paper."""

import io
from typing import Any

import pytest

from tests.browser.conftest import needed

SOME, OTHER = "0005.mx.octets-4096", "base.ehlo.extensions"
OF_0005 = [SOME, "0005.tcp.stalled"]
DEVIATIONS = ["0005.tcp.stalled", "0007.rcpt.percent", "0008.cram.fresh"]


def shown(page: Any) -> list[str]:
    """Names of the requirements that can be seen."""
    rows = page.locator("#requirements tbody tr:not(.patch):visible")
    names: list[str] = rows.locator("th > a > code").all_inner_texts()
    assert len(names) == int(page.locator("#count").inner_text().split()[0])
    return names


def narrow(page: Any, fields: dict[str, str]) -> None:
    """Set fields of the filter, by their labels."""
    for label, value in fields.items():
        field = page.get_by_label(label, exact=True)
        if label == "Text":
            field.fill(value)
        elif label == "differs only":
            field.check()
        else:
            field.select_option(value)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, [OTHER, *OF_0005, "0006.unknown.code", "0007.rcpt.percent", "0008.cram.fresh"]),
        ({"Text": "MX octets 4096"}, [SOME]),
        ({"Patch": "0005"}, OF_0005),
        ({"Verdict": "unmet"}, [*OF_0005, "0006.unknown.code", "0007.rcpt.percent", "0008.cram.fresh"]),
        ({"Verdict": "unmet", "on": "debs:ppa"}, DEVIATIONS),
        ({"Verdict": "deviation"}, DEVIATIONS),
        ({"differs only": "1"}, [SOME, "0006.unknown.code"]),
        ({"differs only": "1", "Patch": "0005"}, [SOME]),
    ],
)
def test_the_filter_shows_what_fits_every_field(
    page: Any, index: str, fields: dict[str, str], names: list[str]
) -> None:
    page.goto(index)
    assert page.locator("#nothing").is_hidden()
    narrow(page, fields)
    assert shown(page) == names
    assert page.locator("#requirements tbody:visible").count() == len({name[:4] for name in names})


def test_a_filter_that_fits_nothing_says_so_and_can_be_taken_back(page: Any, index: str) -> None:
    page.goto(index)
    narrow(page, {"Text": "no such thing"})
    assert shown(page) == []
    assert page.locator("#nothing").is_visible()
    page.get_by_role("button", name="Show all").click()
    page.locator("#nothing").wait_for(state="hidden")
    assert len(shown(page)) == 6
    assert "=" not in page.url


def test_the_address_carries_the_filter_to_someone_else(page: Any, index: str) -> None:
    page.goto(index)
    narrow(page, {"Text": "tcp & more"})
    narrow(page, {"Text": "octets", "Patch": "0005", "differs only": "1"})
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert shown(page) == [SOME]
    assert page.get_by_label("Text").input_value() == "octets"
    assert page.get_by_label("differs only").is_checked()


def test_an_address_put_in_by_hand_and_going_back_are_followed(page: Any, index: str) -> None:
    page.goto(index)
    page.goto(f"{index}#patch=0006")
    page.wait_for_function("document.getElementById('patch').value === '0006'")
    page.goto(f"{index}#patch=0008&verdict=nonsense")
    page.wait_for_function("document.getElementById('patch').value === '0008'")
    assert page.get_by_label("Verdict").input_value() == ""
    page.go_back()
    page.wait_for_function("document.getElementById('patch').value === '0006'")
    assert shown(page) == ["0006.unknown.code"]


@pytest.mark.parametrize("width", [390, 1280])
def test_what_changes_for_users_comes_first_and_leads_to_its_evidence(
    page: Any, index: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(index)
    assert page.locator("h2").first.inner_text() == "What changes for your users"
    section = page.locator("section:has(> h2#changes)")
    assert "From debs:stock@ to debs:ppa: " in section.locator("p").first.inner_text()
    assert "Better than before" in section.locator("h3").all_inner_texts()
    promised = section.locator("ul.changed > li").first
    assert "debs:stock@" in promised.inner_text()
    assert "debs:ppa" in promised.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    better = page.locator("details.better").first
    better.locator("summary").click()
    better.get_by_role("link").first.click()
    assert page.url.endswith("#target-2")
    page.go_back()
    page.get_by_role("link", name="0008.cram.fresh").first.click()
    assert page.url.endswith("requirements/0008.cram.fresh.html#target-2")


def test_the_sentence_of_a_patch_leads_to_its_rows_whatever_is_filtered(page: Any, index: str) -> None:
    page.goto(f"{index}#patch=0005")
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
