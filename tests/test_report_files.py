"""Reports that other programs read: JUnit XML and Markdown. They always parse and hide nothing."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from conformance.judge.comparison import Comparison, compare
from conformance.judge.verdict import Verdict
from conformance.pod.record import Failure, Record
from conformance.report import changes
from conformance.report.export import dumps, to_json
from conformance.report.junit import junit
from conformance.report.markdown import escape, markdown
from conformance.report.terminal import render
from conformance.report.words import mark
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, SAMPLES, STOCK, many, run, verdict
from tests.report_samples import NASTY, beside, change, with_texts


def parsed(comparison: Comparison) -> ET.Element:
    return ET.fromstring(junit(comparison).encode("utf-8"))


def properties(element: ET.Element) -> dict[str, str]:
    return {found.get("name", ""): found.get("value", "") for found in element.findall("properties/property")}


def case_of(made: Verdict) -> ET.Element:
    return parsed(compare([run(PPA, [made])]))[0][-1]


@pytest.mark.parametrize(
    ("made", "element", "cell"),
    [
        (change(), None, "met"),
        (verdict(CHANGE, STOCK), None, "unmet"),
        (change("unmet", known=True), "skipped", "unmet~"),
        (change("unmet", "met"), "system-out", "met*"),
        (change("unmet"), "failure", "unmet!"),
        (verdict(CHANGE, STOCK, "met"), "failure", "met!"),
        (change("met", known=True), "failure", "met!"),
        (change("invalid"), "error", "?"),
        (change("unsupported"), "skipped", "-"),
    ],
)
def test_each_assessment_has_its_element_and_its_mark(made: Verdict, element: str | None, cell: str) -> None:
    found = [child.tag for child in case_of(made) if child.tag != "properties"]
    assert found == ([element] if element else [])
    assert mark(made) == cell


def test_an_expected_unmet_passes_and_says_so() -> None:
    unclaimed, known = case_of(verdict(CHANGE, STOCK)), case_of(change("unmet", known=True))
    why = "unmet, as expected: the target does not claim patch 0005"
    assert properties(unclaimed)["as-expected"] == why
    why = "unmet, as expected: known deviation since 2024-05-01: the buffer is too small"
    assert properties(known)["as-expected"] == why
    assert "as-expected" not in properties(case_of(change()))


def test_a_failure_has_a_type_and_shows_what_xml_cannot_hold() -> None:
    failure = case_of(change("unmet", seen="nul \x00, \ud800, \ufffe"))[-1]
    assert failure.get("type") == "regression"
    assert str(failure.get("message")).startswith("regression: met was expected")
    assert r"nul \x00, \ud800, \ufffe" in str(failure.text)
    assert case_of(verdict(CHANGE, STOCK, "met"))[-1].get("type") == "unexpected agreement"


def unescaped(page: str) -> str:
    return unescape(re.sub(r"\\(.)", r"\1", page))


Form = Callable[[Comparison], str]
FORMS: dict[str, Form] = {
    "junit": lambda made: unescape(junit(made)),
    "markdown": lambda made: unescaped(markdown(made)),
    "terminal": lambda made: render(made, width=1000),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_a_person_needs_stands_in_every_form(form: Form) -> None:
    text = form(compare([beside(change("unmet", "unmet", seen="Z,\ndeferred"))]))
    command = f"qmail-conformance run ppa -k {CHANGE.name}"
    for part in ("regression: met was expected", CHANGE.promise, CHANGE.source, "deferred", command):
        assert part in text
    text = form(compare([beside(change("met", known=True))]))
    assert "unexpected agreement: the deviation known since 2024-05-01 no longer shows" in text
    text = form(compare([run(STOCK, [verdict(CHANGE, STOCK, "met")])]))
    assert "unexpected agreement: met although the target does not claim patch 0005" in text
    text = form(compare([beside(change("unmet", known=True))]))
    for part in ("the buffer is too small", "2024-05-01", "https://bugs.example/17"):
        assert part in text
    assert "regression: " not in text


def test_a_suite_for_each_run_with_counts_that_fit() -> None:
    verdicts = [
        verdict(BASE, PPA, "invalid"),
        verdict(CHANGE, PPA, "unmet"),
        verdict(GUARD, PPA, "unsupported"),
    ]
    root = parsed(compare([run(STOCK), run(PPA, verdicts)]))
    assert [suite.get("name") for suite in root] == ["stock", "ppa"]
    wanted = {"tests": "3", "failures": "1", "errors": "1", "skipped": "1", "time": "0.750"}
    assert wanted.items() <= root[1].attrib.items()
    assert {"tests": "6", "failures": "1", "errors": "1", "skipped": "1"}.items() <= root.attrib.items()
    facts = properties(root[1])
    assert facts["patches"] == "0001 0002 0003 0004 0005 0006 0007 0008 0009"
    assert (facts["package.qmail"], facts["queue"], facts["target"]) == ("1.06-6.2~ppa3", "tmpfs", "ppa")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_report_says_that_a_reference_is_not_qmail_and_where_its_queue_was(form: Form) -> None:
    text = form(compare([run(REFERENCE, queue="kept in memory")]))
    assert "reference-stock is an executable specification, not qmail" in text
    assert "kept in memory" in text
    assert "not qmail" not in form(compare([run(STOCK)]))


def lines_of(page: str) -> list[tuple[str, int]]:
    """The first word and the number of cells of each line: what texts must not change."""
    return [(line.partition(" ")[0], line.count("|")) for line in page.splitlines()]


@pytest.mark.parametrize("text", NASTY)
def test_whatever_the_texts_are_each_form_shows_them_and_does_nothing(text: str) -> None:
    new = replace(with_texts(text).runs[0], path=Path(f"runs/{text}.jsonl"))
    made, found = compare([new]), changes.changes(replace(new, verdicts=run(PPA).verdicts), new)
    report, differences = dumps(to_json(made)), dumps(changes.to_json(found))
    assert json.loads(report)["requirements"][1]["verdicts"][0]["seen"] == text
    assert json.loads(differences)["new"]["target"]["name"] == text
    root = parsed(made)
    paths = ("testsuite", "testsuite/testcase", ".//failure")
    assert [len(root.findall(path)) for path in paths] == [1, 3, 1]
    page, changed = markdown(made, title=text), changes.markdown(found)
    tabs = junit(made).replace("\t", "")
    for form in (render(made), changes.render(found), tabs, report, differences, page, changed):
        assert all(char.isprintable() or char == "\n" for char in form)
    assert lines_of(page) == lines_of(markdown(with_texts("plain"), title="plain"))
    assert re.findall(r"<[^>]*>", page) == ["<details>", "<summary>", "</summary>", "</details>"]
    assert not re.search(r"[^\n -~]|`", page)
    assert "<script" not in changed
    assert "\n# heading" not in changed
    assert all(line.count("|") == 3 for line in changed.splitlines() if line.startswith("|"))


def test_escaping_leaves_nothing_that_renders() -> None:
    shown = "a&#124;b&#96;c&#96;&lt;d&gt;&amp;\\*e\\*\\_f\\_\\[g\\] \\#h http&#58;//h.example/"
    assert escape("a|b`c`<d>&*e*_f_[g]\n#h http://h.example/") == shown


def test_markdown_lists_deviations_and_folds_the_whole_matrix() -> None:
    assert "**Not as expected**: exit status 1" in markdown(compare([beside(change("unmet"))]))
    page = markdown(compare([run(STOCK), beside(change("unmet", known=True))]))
    assert "**As expected**: exit status 0" in page
    assert "## Unexpected, invalid or unstable\n\nNone.\n" in page
    row = f"| ppa |  | {CHANGE.name} | the buffer is too small | <https://bugs.example/17> | 2024-05-01 |"
    assert row in page
    matrix = page.partition("<details>\n\n<summary>")[2]
    assert all(sample.name in matrix for sample in SAMPLES)
    assert "unmet\\~" in matrix
    assert matrix.rstrip().endswith("\n\n</details>")


def test_six_targets_with_four_hundred_requirements_fit_a_job_page() -> None:
    record = Record((Failure(at=0.0, reason="made-up-password"),))
    verdicts = [verdict(requirement, PPA, "unmet", seen="x" * 6_000) for requirement in many(43)]
    verdicts = [replace(made, record=record) for made in verdicts]
    made = compare([run(replace(PPA, name=f"debs:{i}", kind="debs"), verdicts) for i in range(6)])
    page = markdown(made)
    assert len(page.encode()) < 1_000_000
    assert "and 2380 more, in the run files" in page
    assert len(parsed(made).findall("testsuite/testcase")) == 6 * 430
    assert "made-up-password" not in page + junit(made), "reports hold no record"


def test_a_run_of_nothing_is_a_report_and_no_success() -> None:
    made = compare([run(PPA, [])])
    assert "exit status 4" in markdown(made)
    assert parsed(made).get("tests") == "0"
