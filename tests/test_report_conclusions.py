"""The whole truth of a run in one line: what is known to be wrong stands beside that a build passes."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.judge.comparison import Comparison, compare
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.site import site_files
from conformance.report.terminal import render
from conformance.report.words import costs, known_to_be_wrong, run_conclusion, unexpected_or_undecided
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, run, verdict

LOST = replace(GUARD, severity="loses mail")
LATE = replace(BASE, severity="refuses or delays mail")
KNOWN = [deviation(requirement="*")]

WHOLE = (
    "ppa is as expected, with 3 known deviations: 1 loses mail, 1 refuses or delays mail, "
    "1 severity not said; 2 are worse than stock"
)


def known() -> Comparison:
    """Three known deviations on the patched build; stock keeps two of the promises."""
    old = run(STOCK, [verdict(LATE, STOCK), verdict(CHANGE, STOCK), verdict(LOST, STOCK)])
    return compare([old, run(PPA, [verdict(each, PPA, deviations=KNOWN) for each in (LATE, CHANGE, LOST)])])


def test_it_counts_what_is_known_by_what_it_costs_and_what_is_worse_than_before() -> None:
    assert run_conclusion(known(), 1) == WHOLE
    assert run_conclusion(known(), 0) == "stock is as expected"
    alone = compare([known().runs[1]])
    assert run_conclusion(alone, 0) == WHOLE.partition(";")[0]


def test_it_names_what_is_not_as_expected_and_what_was_not_decided() -> None:
    late, lost = verdict(LATE, PPA, deviations=KNOWN), verdict(LOST, PPA, "unmet")
    wrong = run(PPA, [late, verdict(CHANGE, PPA), lost])
    told = ": 1 unexpected (1 loses mail), with 1 known deviation: 1 refuses or delays mail"
    assert run_conclusion(compare([wrong]), 0) == f"ppa is not as expected{told}"
    old = run(STOCK, [verdict(LATE, STOCK, "unmet"), verdict(CHANGE, STOCK), verdict(LOST, STOCK)])
    beside = compare([wrong, old], before=1)
    assert unexpected_or_undecided(wrong) + known_to_be_wrong(beside, 0) == f"{told}; 1 is worse than stock"
    invalid = run(PPA, [verdict(LATE, PPA), verdict(CHANGE, PPA, "invalid"), verdict(LOST, PPA)])
    assert run_conclusion(compare([invalid]), 0) == "ppa is not decided: 1 invalid"
    cut = replace(run(PPA), cut_off="3 of 9 verdicts")
    assert run_conclusion(compare([cut]), 0) == "ppa is not decided: cut off after 3 of 9 verdicts"
    assert run_conclusion(compare([run(PPA, [])]), 0) == "ppa is not decided"


def test_several_of_a_severity_have_a_verb_of_their_own() -> None:
    severities = ("loses mail", "lets somebody in", "crashes", "refuses or delays mail", "wrong words")
    twice = [replace(verdict(CHANGE, PPA), severity=each) for each in severities for _ in range(2)]
    said = "2 lose mail, 2 let somebody in, 2 crash, 2 refuse or delay mail, 2 wrong words"
    assert costs(twice) == said


@pytest.mark.parametrize(
    ("claims", "before"),
    [
        (("0004", ""), 1),
        (("", "0004"), 0),
        (("0004", "0004"), 0),
        (("0004", "0005"), 0),
        (("0004 0005", "0004", "0005 0004"), 1),
    ],
)
def test_what_users_have_today_is_the_build_whose_patches_all_others_claim_besides(
    claims: tuple[str, ...], before: int
) -> None:
    targets = [replace(PPA, name=f"t{i}", patches=tuple(each.split())) for i, each in enumerate(claims)]
    runs = [run(target, [verdict(BASE, target)]) for target in targets]
    assert compare(runs).before == before
    assert compare(runs, before=1).before == 1
    assert compare(runs[:1]).before is None


def test_every_form_of_a_report_says_it(tmp_path: Path) -> None:
    made = known()
    assert WHOLE in render(made, width=400)
    assert WHOLE in unescape(re.sub(r"\\(.)", r"\1", markdown(made)))
    assert WHOLE in dict(site_files(made))["index.html"]
    suite = ElementTree.fromstring(junit(made))[1]
    facts = {each.get("name"): each.get("value") for each in suite.findall("properties/property")}
    assert facts["conclusion"] == WHOLE


def test_junit_skips_a_known_deviation_with_its_reason() -> None:
    suite = ElementTree.fromstring(junit(known()))[1]
    assert suite.get("skipped") == "3"
    for element in suite.iter("skipped"):
        assert element.get("message") == "known deviation since 2024-05-01: the buffer is too small"
