"""Badges: one for each patch and target, readable without anything from elsewhere, and true."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from conformance.judge.comparison import compare
from conformance.judge.verdict import VerdictName
from conformance.report.badges import badges
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, deviation, run, verdict
from tests.test_report_files import NASTY, with_texts

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [str(one.text) for one in ET.fromstring(svg).iter(f"{SVG}text")]


def colour(svg: str) -> str:
    return [str(one.get("fill")) for one in ET.fromstring(svg).iter(f"{SVG}rect")][1]


def of_0005(*attempts: VerdictName, known: bool = False) -> str:
    verdicts = [
        verdict(CHANGE, PPA, *attempts, deviations=[deviation()] if known else []),
        verdict(GUARD, PPA),
    ]
    return badges(compare([run(PPA, verdicts)]))["ppa-0005.svg"]


def contrast_with_white(fill: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_one_for_each_patch_on_each_target_that_claims_it() -> None:
    made = badges(compare([run(STOCK), run(PPA)]))
    assert sorted(made) == ["ppa-0005.svg", "ppa-base.svg", "stock-base.svg"]
    assert texts(made["ppa-0005.svg"]) == ["0005 on ppa", "2 of 2"]


def test_each_standing_has_its_words_and_its_colour() -> None:
    shown = {
        "met": of_0005(),
        "1 of 2, as known": of_0005("unmet", known=True),
        "1 of 2, 1 unexpected": of_0005("unmet"),
        "1 of 2, not decided in full": of_0005("invalid"),
    }
    for words, svg in shown.items():
        assert texts(svg)[1] == ("2 of 2" if words == "met" else words)
    assert len({colour(svg) for svg in shown.values()}) == len(shown)
    assert all(contrast_with_white(colour(svg)) >= 4.5 for svg in shown.values())


def test_an_unexpected_agreement_is_no_green() -> None:
    verdicts = [verdict(CHANGE, PPA, "met", deviations=[deviation()])]
    svg = badges(compare([run(PPA, verdicts)]))["ppa-0005.svg"]
    assert texts(svg)[1] == "1 of 1, 1 unexpected"
    assert colour(svg) != colour(of_0005())


def test_the_title_is_for_readers_of_all_kinds_and_names_a_specification() -> None:
    made = badges(compare([run(REFERENCE)]))["reference-stock-base.svg"]
    root = ET.fromstring(made)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert root.get("role") == "img"
    assert root.get("aria-label") == title.text
    assert "base does what it promises: 1 of 1" in str(title.text)
    assert str(title.text).endswith("not qmail")


@pytest.mark.parametrize("text", NASTY)
def test_it_parses_and_fetches_nothing_whatever_a_target_is_called(text: str) -> None:
    comparison = with_texts(text)
    assert badges(comparison)
    for name, svg in badges(comparison).items():
        root = ET.fromstring(svg)
        assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "title", "rect", "g", "text"}
        assert not any(key in one.attrib for one in root.iter() for key in ("href", "src", "style", "onload"))
        assert "/" not in name
        assert name.isascii()
        assert not name.startswith((".", "-"))


def test_targets_that_would_share_a_file_name_do_not() -> None:
    one, other = (replace(PPA, name=name) for name in ("debs:a/b", "debs:a-b"))
    verdicts = [verdict(BASE, PPA)]
    made = badges(compare([run(one, verdicts), run(other, verdicts)]))
    assert sorted(made) == ["debs-a-b-2-base.svg", "debs-a-b-base.svg"]
    again = badges(compare([run(PPA, verdicts), run(PPA, verdicts)]))
    assert sorted(again) == ["ppa-1-base.svg", "ppa-2-base.svg"]
