"""What an unmet promise costs: said of every requirement of ours, and of a deviation where none says it."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue.severity import SEVERITIES, usual_severities, usual_severity
from conformance.errors import UsageError
from conformance.judge.comparison import compare
from conformance.judge.expectation import expect
from conformance.report.terminal import render
from conformance.report.words import costs, noteworthy
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, deviation, run, verdict


def test_every_requirement_of_ours_has_one_and_every_entry_is_of_some() -> None:
    names = all_requirements()
    assert [name for name, each in names.items() if each.severity not in SEVERITIES] == []
    stray = [
        key
        for key in usual_severities()
        if not any(name == key or name.startswith(f"{key}.") for name in names)
    ]
    assert stray == []


def test_the_longest_beginning_counts() -> None:
    assert usual_severity("0007.rcpt.percent") == "lets somebody in"
    assert usual_severity("0007.rcpt.enhanced-code") == "wrong words"
    assert usual_severity("base.rspawn.missing") == "loses mail"
    assert usual_severity("0099.own.case") is None


def test_the_requirement_says_it_and_else_the_deviation() -> None:
    known = [deviation(severity="crashes")]
    assert verdict(CHANGE, PPA, "unmet", deviations=known).severity == "crashes"
    says = replace(CHANGE, severity="wrong words")
    expectation = expect(says, PPA, known)
    assert expectation.severity(says, True) == "crashes", "what it describes costs what it says"
    assert expectation.severity(says, False) == "wrong words"
    assert verdict(CHANGE, PPA, "unmet").severity is None


def test_the_worst_is_told_first() -> None:
    words, lost = replace(BASE, severity="wrong words"), replace(GUARD, severity="loses mail")
    found = compare([run(PPA, [verdict(each, PPA, "unmet") for each in (words, lost, CHANGE)])])
    assert [cell.requirement for _, cell in noteworthy(found)] == [GUARD.name, BASE.name, CHANGE.name]
    assert f"{GUARD.name} on ppa (must; loses mail)" in render(found)
    assert costs(found.runs[0].verdicts) == "1 loses mail, 1 wrong words, 1 severity not said"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[cost]]\nseverity = "bad"\nrequirements = ["0005"]\n', "severity is 'bad'"),
        ('[[cost]]\nseverity = "crashes"\n', "requirements is no list"),
        ('[[cost]]\nseverity = "crashes"\nrequirements = ["0005", "0005"]\n', "0005 stands there twice"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        usual_severities(tmp_path / "s.toml")
