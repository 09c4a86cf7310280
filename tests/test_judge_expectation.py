"""What is expected of a target, and what it means when it does not come."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from conformance.errors import UsageError
from conformance.judge.expectation import expect, judged, meaning
from conformance.judge.outcome import exit_status, gravest
from conformance.judge.verdict import VERDICTS, Verdict, VerdictName, counted
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, deviation, verdict


def test_a_guard_is_met_with_and_without_its_patch() -> None:
    for requirement, target in itertools.product((GUARD, BASE), (STOCK, PPA)):
        assert expect(requirement, target, []).verdict == "met"


def test_a_change_is_met_where_the_patch_is_claimed_and_unmet_elsewhere() -> None:
    assert expect(CHANGE, PPA, []).verdict == "met"
    assert expect(CHANGE, STOCK, []).verdict == "unmet"
    assert expect(CHANGE, replace(PPA, patches=("0004",)), []).verdict == "unmet"


def test_a_deviation_flips_the_expectation_and_stands_in_the_verdict() -> None:
    known = deviation()
    assert expect(CHANGE, PPA, [known]).deviation is known
    shown = verdict(CHANGE, PPA, "unmet", deviations=[known])
    assert (shown.expected, shown.standing) == ("unmet", "expected")
    assert shown.deviation == {
        "reason": "the buffer is too small",
        "source": "https://bugs.example/17",
        "since": "2024-05-01",
    }


def test_a_deviation_of_another_requirement_target_or_patch_does_nothing() -> None:
    for other in (
        deviation(requirement=GUARD.name),
        deviation(target="stock"),
        deviation(target="qmail=1.06-7*"),
        deviation(patches=("0099",)),
    ):
        assert expect(CHANGE, PPA, [other]).verdict == "met", other


def test_a_deviation_that_says_what_is_expected_anyway_explains_nothing() -> None:
    expectation = expect(CHANGE, STOCK, [deviation(target="*")])
    assert (expectation.verdict, expectation.deviation) == ("unmet", None)


def test_a_deviation_can_say_that_a_change_is_met_without_its_patch() -> None:
    known = deviation(target="stock", verdict="met")
    assert expect(CHANGE, STOCK, [known]).verdict == "met"


def test_an_exact_name_is_preferred_over_a_pattern_whatever_the_order() -> None:
    pattern, exact = deviation(requirement="0005.*", verdict="unsupported"), deviation(verdict="unmet")
    for order in ([pattern, exact], [exact, pattern]):
        assert expect(CHANGE, PPA, order).deviation is exact


def test_two_deviations_of_equal_rank_that_disagree_are_an_error() -> None:
    one = deviation(requirement="0005.*", file="a.toml", entry=1)
    other = deviation(requirement="*.mx.*", verdict="unsupported", file="b.toml", entry=2)
    with pytest.raises(UsageError, match=r"b\.toml, deviation 2.*a\.toml, deviation 1"):
        expect(CHANGE, PPA, [one, other])


def test_a_package_pattern_covers_every_target_with_that_package_but_never_a_reference() -> None:
    known = deviation(target="qmail=1.06-6*")
    assert expect(CHANGE, replace(PPA, name="debs:build", kind="debs"), [known]).verdict == "unmet"
    reference = replace(REFERENCE, patches=("0005",), packages={"qmail": "1.06-6.2"})
    assert expect(CHANGE, reference, [known]).verdict == "met"
    assert expect(CHANGE, reference, [deviation(target="reference-*")]).verdict == "unmet"


@pytest.mark.parametrize(
    ("attempts", "final", "standing"),
    [
        (["met"], "met", "expected"),
        (["unmet", "unmet"], "unmet", "unexpected"),
        (["unmet", "met"], "met", "unstable"),
        (["met", "unmet"], "unmet", "unstable"),
        (["unmet", "met", "unmet"], "unmet", "unstable"),
        (["invalid", "met"], "met", "expected"),
        (["invalid", "unmet"], "unmet", "unexpected"),
        (["unmet", "invalid"], "invalid", "invalid"),
        (["unmet", "met", "invalid"], "invalid", "invalid"),
        (["unsupported"], "unsupported", "unsupported"),
    ],
)
def test_attempts_come_to_one_verdict(attempts: list[VerdictName], final: str, standing: str) -> None:
    made = judged(CHANGE, expect(CHANGE, PPA, []), attempts)
    assert (made.verdict, made.standing, made.attempts) == (final, standing, attempts)


def test_no_attempt_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="needs an attempt"):
        judged(CHANGE, expect(CHANGE, PPA, []), [])


def test_each_kind_of_surprise_has_its_own_wording() -> None:
    gone = verdict(CHANGE, PPA, "met", deviations=[deviation()])
    said = [
        meaning(verdict(CHANGE, PPA, "unmet")),
        meaning(verdict(CHANGE, STOCK, "met")),
        meaning(gone),
        meaning(verdict(CHANGE, PPA, "invalid")),
        meaning(verdict(CHANGE, PPA, "unmet", "met")),
        meaning(verdict(CHANGE, PPA, "unsupported")),
    ]
    assert said[0].startswith("regression: met was expected")
    assert said[1].startswith("unexpected agreement: met although the target does not claim patch 0005")
    assert said[2].startswith("unexpected agreement: the deviation known since 2024-05-01 no longer shows")
    assert len(set(said)) == len(said)
    assert meaning(verdict(CHANGE, PPA, "met")) == ""


def test_an_unsupported_that_was_expected_is_as_expected_and_its_end_is_told() -> None:
    known = deviation(verdict="unsupported")
    assert verdict(CHANGE, PPA, "unsupported", deviations=[known]).standing == "expected"
    assert "no longer shows" in meaning(verdict(CHANGE, PPA, "unmet", deviations=[known]))


GOOD, BAD = verdict(CHANGE, PPA, "met"), verdict(CHANGE, PPA, "unmet")
INVALID, SKIPPED = verdict(CHANGE, PPA, "invalid"), verdict(CHANGE, PPA, "unsupported")
UNSTABLE, AGREED = verdict(CHANGE, PPA, "unmet", "met"), verdict(CHANGE, STOCK, "met")


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([GOOD, verdict(CHANGE, STOCK, "unmet")], 0),
        ([GOOD, SKIPPED], 0),
        ([GOOD, UNSTABLE], 0),
        ([GOOD, BAD], 1),
        ([GOOD, AGREED], 1),
        ([verdict(CHANGE, PPA, "met", deviations=[deviation()])], 1),
        ([GOOD, INVALID], 3),
        ([INVALID, BAD], 3),
        ([], 4),
        ([SKIPPED, SKIPPED], 4),
        ([BAD] * 256, 1),
    ],
)
def test_exit_status_has_a_meaning_and_never_counts(verdicts: list[Verdict], status: int) -> None:
    assert exit_status(verdicts) == status


def test_the_gravest_of_several_exit_statuses_stands_for_them() -> None:
    assert [gravest(some) for some in ([0, 0], [0, 4], [4, 1], [1, 3, 0], [])] == [0, 4, 1, 3, 4]


def test_counts_by_verdict_add_up_to_the_total() -> None:
    given = [GOOD, BAD, INVALID, SKIPPED, UNSTABLE]
    counts = counted(given)
    assert sum(counts[name] for name in VERDICTS) == len(given)
    assert (counts["expected"], counts["unexpected"], counts["unstable"]) == (1, 1, 1)


@pytest.mark.parametrize("one", [GOOD, BAD, INVALID, SKIPPED, UNSTABLE, AGREED])
def test_a_verdict_survives_json(one: Verdict) -> None:
    assert Verdict.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"verdict": "passed"}, "verdict is 'passed', not one of"),
        ({"verdict": ["met"]}, "verdict is"),
        ({"expected": "invalid"}, "expected is 'invalid'"),
        ({"role": "extra"}, "role"),
        ({"level": "may"}, "level"),
        ({"as_expected": 1}, "as_expected is 1"),
        ({"as_expected": False}, "as_expected is False, but"),
        ({"seconds": float("nan")}, "not a duration"),
        ({"seconds": -1}, "not a duration"),
        ({"seconds": "1"}, "not a number"),
        ({"seconds": True}, "not a number"),
        ({"deviation": {"reason": "r"}}, "deviation"),
        ({"deviation": {"reason": "r", "source": "s", "since": 3}}, "deviation"),
        ({"deviation": "known"}, "deviation"),
        ({"record": []}, "record"),
        ({"seen": None}, "seen"),
        ({"attempts": "met"}, "attempts"),
        ({"attempts": ["odd"]}, "attempts"),
        ({"attempts": [["met"]]}, "attempts"),
        ({"attempts": ["unmet"]}, "not among its attempts"),
        ({"unstable": True}, "do not differ"),
        ({"patch": "0006"}, "does not belong"),
        ({"extra": 1}, "unknown: 'extra'"),
    ],
)
def test_a_verdict_line_with_a_wrong_field_says_which(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Verdict.from_json({**GOOD.to_json(), **changes})


@pytest.mark.parametrize("name", sorted(GOOD.to_json()))
def test_a_verdict_line_with_a_missing_field_says_which(name: str) -> None:
    data = GOOD.to_json()
    del data[name]
    with pytest.raises(ValueError, match=f"missing: {name}"):
        Verdict.from_json(data)
