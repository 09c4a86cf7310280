"""Badges: one for each patch and target, readable without anything from elsewhere, and true."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from conformance.judge.comparison import compare
from conformance.judge.verdict import Verdict
from conformance.report.badges import badges
from tests.judge_samples import BASE, GUARD, PPA, REFERENCE, STOCK, run, verdict
from tests.report_samples import NASTY, change, with_texts

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [str(element.text) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def colour(svg: str) -> str:
    return [str(element.get("fill")) for element in ET.fromstring(svg).iter(f"{SVG}rect")][1]


def of_0005(made: Verdict) -> str:
    return badges(compare([run(PPA, [made, verdict(GUARD, PPA)])]))["ppa-0005.svg"]


def contrast_with_white(fill: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_one_for_each_patch_on_each_target_that_claims_it() -> None:
    made = badges(compare([run(STOCK), run(PPA)]))
    assert sorted(made) == ["ppa-0005.svg", "ppa-base.svg", "stock-base.svg"]
    assert texts(made["ppa-0005.svg"]) == ["0005 on ppa", "2 of 2"]


def test_each_assessment_has_its_words_and_its_colour() -> None:
    shown = {
        "2 of 2": of_0005(change()),
        "1 of 2, as known": of_0005(change("unmet", known=True)),
        "1 of 2, 1 unexpected": of_0005(change("unmet")),
        "1 of 2, not decided in full": of_0005(change("invalid")),
    }
    assert {texts(svg)[1]: svg for svg in shown.values()} == shown
    assert len({colour(svg) for svg in shown.values()}) == len(shown)
    assert all(contrast_with_white(colour(svg)) >= 4.5 for svg in shown.values())
    agreement = of_0005(change("met", known=True))
    assert texts(agreement)[1] == "2 of 2, 1 unexpected"
    assert colour(agreement) == colour(shown["1 of 2, 1 unexpected"])


def test_the_title_is_for_readers_of_all_kinds_and_names_a_specification() -> None:
    root = ET.fromstring(badges(compare([run(REFERENCE)]))["reference-stock-base.svg"])
    title = str(root.findtext(f"{SVG}title"))
    assert (root.get("role"), root.get("aria-label")) == ("img", title)
    assert "base does what it promises: 1 of 1" in title
    assert title.endswith("not qmail")


@pytest.mark.parametrize("text", NASTY)
def test_it_parses_and_fetches_nothing_whatever_a_target_is_called(text: str) -> None:
    made = badges(with_texts(text))
    assert made
    for name, svg in made.items():
        elements = list(ET.fromstring(svg).iter())
        tags = {element.tag.removeprefix(SVG) for element in elements}
        assert tags == {"svg", "title", "rect", "g", "text"}
        names = {key for element in elements for key in element.attrib}
        assert not {"href", "src", "style", "onload"} & names
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name)


def test_targets_that_would_share_a_file_name_do_not() -> None:
    verdicts = [verdict(BASE, PPA)]
    slash, dash = (run(replace(PPA, name=name), verdicts) for name in ("debs:a/b", "debs:a-b"))
    assert sorted(badges(compare([slash, dash]))) == ["debs-a-b-2-base.svg", "debs-a-b-base.svg"]
    twice = badges(compare([run(PPA, verdicts), run(PPA, verdicts)]))
    assert sorted(twice) == ["ppa-1-base.svg", "ppa-2-base.svg"]
