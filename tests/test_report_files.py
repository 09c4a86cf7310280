"""Reports that other programs read: JUnit XML and Markdown. They always parse and hide nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from conformance.judge.comparison import Comparison, compare
from conformance.judge.verdict import Verdict
from conformance.pod.record import Failure, Record
from conformance.report.junit import junit
from conformance.report.markdown import escape, markdown
from tests.judge_samples import (
    BASE,
    CHANGE,
    GUARD,
    PPA,
    REFERENCE,
    SAMPLES,
    STOCK,
    deviation,
    many,
    run,
    verdict,
)

EVERY_CONTROL = "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\ufffe\uffff\ud800\U0010ffff"
NASTY = (
    EVERY_CONTROL,
    "]]></failure><testcase name='x'/> & <!-- -- -->",
    "a | b \\| c ``` `d` **e** <script>alert(1)</script> [x](javascript:y) ![i](http://h.example/i) $x$",
    "</details>\n\n# heading\n\n| a |\n",
    "<!--",
    "\\",
)


def with_texts(text: str) -> Comparison:
    """A comparison in which every text that comes from outside is `text`."""
    target = replace(PPA, name=text, packages={text: text}, image=text)
    known = deviation(target="*", reason=text, source=text)
    verdicts = [
        replace(verdict(one, target, *attempts, deviations=knowns, seen=text), promise=text, source=text)
        for one, attempts, knowns in (
            (BASE, ("unmet",), []),
            (CHANGE, ("unmet",), [known]),
            (GUARD, ("unmet", "met"), []),
        )
    ]
    return compare([run(target, verdicts, suite=text, selection=text, queue=text)])


def parsed(comparison: Comparison) -> ET.Element:
    return ET.fromstring(junit(comparison).encode("utf-8"))


def properties(element: ET.Element) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in element.findall("properties/property")}


def case_of(one: Verdict) -> ET.Element:
    found = parsed(compare([run(PPA, [one])])).find("testsuite/testcase")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "element"),
    [
        (verdict(CHANGE, PPA), None),
        (verdict(CHANGE, STOCK), None),
        (verdict(CHANGE, PPA, "unmet", deviations=[deviation()]), None),
        (verdict(CHANGE, PPA, "unmet", "met"), "system-out"),
        (verdict(CHANGE, PPA, "unmet"), "failure"),
        (verdict(CHANGE, STOCK, "met"), "failure"),
        (verdict(CHANGE, PPA, "met", deviations=[deviation()]), "failure"),
        (verdict(CHANGE, PPA, "invalid"), "error"),
        (verdict(CHANGE, PPA, "unsupported"), "skipped"),
    ],
)
def test_each_standing_has_its_element(one: Verdict, element: str | None) -> None:
    found = [child.tag for child in case_of(one) if child.tag != "properties"]
    assert found == ([element] if element else [])


def test_an_expected_unmet_passes_and_says_so() -> None:
    assert properties(case_of(verdict(CHANGE, STOCK)))["as-expected"] == (
        "unmet, as expected: the target does not claim patch 0005"
    )
    known = properties(case_of(verdict(CHANGE, PPA, "unmet", deviations=[deviation()])))
    assert known["as-expected"].endswith("known deviation since 2024-05-01: the buffer is too small")
    assert "as-expected" not in properties(case_of(verdict(CHANGE, PPA)))


def test_a_failure_carries_promise_citation_sight_and_command() -> None:
    failure = case_of(verdict(CHANGE, PPA, "unmet", seen="Z, deferred")).find("failure")
    assert failure is not None
    assert failure.get("type") == "regression"
    assert str(failure.get("message")).startswith("regression: met was expected")
    for part in (CHANGE.promise, CHANGE.source, "seen: Z, deferred", f"run ppa -k {CHANGE.name}"):
        assert part in str(failure.text)
    agreement = case_of(verdict(CHANGE, STOCK, "met")).find("failure")
    assert agreement is not None
    assert agreement.get("type") == "unexpected agreement"


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
    assert facts["patches"] == "0004 0005 0006 0007 0008 0009"
    assert (facts["package.qmail"], facts["queue"], facts["target"]) == ("1.06-6.2~ppa3", "tmpfs", "ppa")


def test_every_report_says_that_a_reference_is_not_qmail_and_where_its_queue_was() -> None:
    made = compare([run(REFERENCE, queue="memory")])
    sentence = "reference-stock is an executable specification, not qmail"
    suite = parsed(made)[0]
    assert properties(suite)["specification"] == sentence
    assert [one.text for one in suite.findall("system-out")] == [sentence]
    assert f"> {sentence}" in markdown(made)
    assert "queue: memory" in markdown(made)
    assert "not qmail" not in markdown(compare([run(STOCK)])) + junit(compare([run(STOCK)]))


@pytest.mark.parametrize("text", NASTY)
def test_junit_parses_whatever_the_texts_are(text: str) -> None:
    root = parsed(with_texts(text))
    assert len(root.findall("testsuite")) == 1
    assert len(root.findall("testsuite/testcase")) == 3
    assert len(root.findall(".//failure")) == 1


def test_junit_replaces_what_xml_cannot_hold_visibly() -> None:
    failure = case_of(verdict(CHANGE, PPA, "unmet", seen="nul \x00, \ud800, \ufffe")).find("failure")
    assert failure is not None
    assert "nul \\x00, \\ud800, \\ufffe" in str(failure.text)


def cells(line: str) -> int:
    return len(line.strip().strip("|").split("|"))


@pytest.mark.parametrize("text", NASTY)
def test_markdown_keeps_its_shape_whatever_the_texts_are(text: str) -> None:
    page = markdown(with_texts(text), title=text)
    plain = markdown(with_texts("plain"), title="plain")
    assert [line.partition(" ")[0] for line in page.splitlines()] == [
        line.partition(" ")[0] for line in plain.splitlines()
    ]
    for mine, its in zip(page.splitlines(), plain.splitlines(), strict=True):
        if its.startswith("|"):
            assert cells(mine) == cells(its)
    assert re.findall(r"<[^>]*>", page) == ["<details>", "<summary>", "</summary>", "</details>"]
    assert "`" not in page
    assert not re.search(r"[^\n -~]", page)
    page.encode("utf-8")


def test_escaping_leaves_nothing_that_renders() -> None:
    assert escape("a|b`c`<d>&*e*_f_[g]\n#h") == (
        "a&#124;b&#96;c&#96;&lt;d&gt;&amp;\\*e\\*\\_f\\_\\[g\\] \\#h"
    )
    assert escape("see http://h.example/a_b") == "see http&#58;//h.example/a\\_b"


def test_markdown_names_what_is_unexpected_with_all_that_a_person_needs() -> None:
    page = markdown(
        compare([run(PPA, [verdict(CHANGE, PPA, "unmet", seen="Z, deferred"), verdict(GUARD, PPA)])])
    )
    row = next(line for line in page.splitlines() if "regression" in line and line.startswith("|"))
    for part in (
        CHANGE.name,
        "ppa",
        CHANGE.promise,
        CHANGE.source,
        "Z, deferred",
        f"run ppa -k {CHANGE.name}",
    ):
        assert part in row
    assert "**Not as expected**: exit status 1" in page
    assert "- 0005 is not as expected: 1 of 2; 1 unexpected" in page


def test_markdown_of_what_is_as_expected_says_none_and_lists_deviations() -> None:
    known = verdict(CHANGE, PPA, "unmet", deviations=[deviation()])
    page = markdown(compare([run(STOCK), run(PPA, [verdict(BASE, PPA), known, verdict(GUARD, PPA)])]))
    assert "## Unexpected, invalid or unstable\n\nNone.\n" in page
    assert "**As expected**: exit status 0" in page
    assert (
        f"| ppa | {CHANGE.name} | the buffer is too small | <https://bugs.example/17> | 2024-05-01 |" in page
    )
    assert "unmet\\~" in page


@pytest.mark.parametrize(
    "made",
    [
        compare([run(STOCK, [verdict(CHANGE, STOCK, "met")])]),
        compare([run(PPA, [verdict(CHANGE, PPA, "met", deviations=[deviation()])])]),
    ],
)
def test_markdown_makes_an_unexpected_agreement_loud(made: Comparison) -> None:
    page = markdown(made)
    assert "unexpected agreement" in page.partition("<details>")[0]
    assert "**Not as expected**" in page


def test_the_matrix_is_collapsed_and_whole() -> None:
    page = markdown(compare([run(STOCK), run(PPA)]))
    matrix = page.partition("<details>\n\n<summary>")[2]
    assert all(one.name in matrix for one in SAMPLES)
    assert matrix.rstrip().endswith("\n\n</details>")


def test_reports_hold_no_record() -> None:
    secret = "made-up-password"
    record = Record((Failure(at=0.0, reason=secret),))
    one = replace(verdict(CHANGE, PPA, "unmet"), record=record)
    made = compare([run(PPA, [one])])
    assert secret not in junit(made) + markdown(made)


def test_six_targets_with_three_hundred_requirements_fit_a_job_page() -> None:
    requirements = many(43)
    long = "x" * 6_000
    runs = [
        run(
            replace(PPA, name=f"debs:{i}", kind="debs"),
            [verdict(one, PPA, "unmet", seen=long) for one in requirements],
        )
        for i in range(6)
    ]
    made = compare(runs)
    page = markdown(made)
    assert len(page.encode()) < 1_000_000
    assert "and 1606 more, in the run files" in page
    assert len(parsed(made).findall("testsuite/testcase")) == 6 * 301


def test_a_run_of_nothing_is_a_report_and_no_success() -> None:
    made = compare([run(PPA, [])])
    assert "exit status 4" in markdown(made)
    assert parsed(made).get("tests") == "0"
