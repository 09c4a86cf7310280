"""Plots of a bench in a browser: the form for the screen, letters that can be read, nothing cut off."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.bench.plots import plots
from conformance.bench.results import read_bench
from tests.browser.conftest import SAMPLE

LETTERS = 12  #: px of the drawings' font

#: What of the words in a drawing does not stand wholly in it.
CUT_OFF = """() => {
    const [picture] = document.getElementsByTagName('svg'), {width, height} = picture.viewBox.baseVal;
    return [...picture.getElementsByTagName('text')].filter(text => {
        const box = text.getBBox();
        return box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
    }).map(text => text.textContent);
}"""


@pytest.mark.parametrize(("width", "form"), [(390, 360), (1280, 900)])
def test_the_form_for_the_screen_is_shown_with_letters_that_can_be_read(
    page: Any, index: str, width: int, form: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(index)
    pictures = page.locator("figure.picture img")
    assert pictures.count() == 2
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        shown, drawn = picture.evaluate("image => [image.width, image.naturalWidth]")
        assert drawn == form
        assert LETTERS * shown / drawn >= 11
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["ratio.svg", "ratio-narrow.svg", "latency.svg", "latency-narrow.svg"])
def test_no_words_are_cut_off(page: Any, name: str) -> None:
    bench = read_bench(SAMPLE / "bench" / "bench.json")
    bench.participants[1] = replace(bench.participants[1], label=f"debs:{'W' * 80}@0004,0005 on 18.04")
    page.set_content(plots(bench)[name])
    assert page.locator("text").count() > 20
    assert page.evaluate(CUT_OFF) == []
