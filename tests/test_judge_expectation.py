"""What is expected of a target, and what it means when it does not come."""

import asyncio
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from conformance.cases.attempt import Attempt, Played
from conformance.catalogue import Requirement
from conformance.errors import UsageError, WorldError
from conformance.judge.comparison import compare
from conformance.judge.decider import attempted, from_play, verdict_of
from conformance.judge.deviations import Deviation
from conformance.judge.expectation import Expectation, expect, meaning
from conformance.judge.outcome import exit_status, worst_status
from conformance.judge.verdict import VERDICTS, Verdict, VerdictName, counted
from conformance.pod.base import PodFailure
from conformance.report.annotations import annotations
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.terminal import render
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, deviation, run, verdict

REFERENCE_0005 = replace(REFERENCE, patches=("0005",), packages={"qmail": "1.06-6.2"})

GOOD, BAD = verdict(CHANGE, PPA, "met"), verdict(CHANGE, PPA, "unmet")
INVALID, SKIPPED = verdict(CHANGE, PPA, "invalid"), verdict(CHANGE, PPA, "unsupported")
UNSTABLE, AGREED = verdict(CHANGE, PPA, "unmet", "met"), verdict(CHANGE, STOCK, "met")


@pytest.mark.parametrize(
    ("requirement", "target", "deviations", "expected"),
    [
        *((requirement, target, [], "met") for requirement in (GUARD, BASE) for target in (STOCK, PPA)),
        (CHANGE, PPA, [], "met"),
        (CHANGE, STOCK, [], "unmet"),
        (CHANGE, replace(PPA, patches=("0004",)), [], "unmet"),
        (CHANGE, PPA, [deviation()], "unmet"),
        (CHANGE, PPA, [deviation(requirement=GUARD.name)], "met"),
        (CHANGE, PPA, [deviation(target="stock")], "met"),
        (CHANGE, PPA, [deviation(target="qmail=1.06-7*")], "met"),
        (CHANGE, PPA, [deviation(patches=("0099",))], "met"),
        (CHANGE, STOCK, [deviation(target="stock", verdict="met")], "met"),
        (CHANGE, replace(PPA, name="debs:build", kind="debs"), [deviation(target="qmail=1.06-6*")], "unmet"),
        # A reference is not qmail, whatever its packages are called.
        (CHANGE, REFERENCE_0005, [deviation(target="qmail=1.06-6*")], "met"),
        (CHANGE, REFERENCE_0005, [deviation(target="reference-*")], "unmet"),
        # A model stands for a package.
        (CHANGE, replace(REFERENCE_0005, name="model@0005"), [deviation(target="qmail=1.06-6*")], "unmet"),
    ],
)
def test_role_claim_and_known_deviations_say_what_is_expected(
    requirement: Requirement, target: Target, deviations: list[Deviation], expected: str
) -> None:
    assert expect(requirement, target, deviations).verdict == expected


def test_a_deviation_stands_in_the_verdict_unless_it_says_what_is_expected_anyway() -> None:
    shown = verdict(CHANGE, PPA, "unmet", deviations=[deviation()])
    assert (shown.expected, shown.assessment) == ("unmet", "expected")
    assert shown.deviation == {
        "reason": "the buffer is too small",
        "source": "https://bugs.example/17",
        "since": "2024-05-01",
        "seen": "",
        "place": "",
    }
    assert expect(CHANGE, STOCK, [deviation(target="*")]).deviation is None


def test_an_exact_name_is_preferred_over_a_pattern_and_equal_rank_is_an_error() -> None:
    """Two of equal rank that say the same are an error, too: which of them excuses it would be chance."""
    pattern, exact = deviation(requirement="0005.*", verdict="unsupported"), deviation(verdict="unmet")
    for order in ([pattern, exact], [exact, pattern]):
        assert expect(CHANGE, PPA, order).deviation is exact
    first = deviation(requirement="0005.*", place="a.toml, deviation 1")
    for says in ("unsupported", "unmet"):
        other = deviation(requirement="*.mx.*", verdict=says, place="b.toml, deviation 2")
        with pytest.raises(UsageError, match=r"b\.toml, deviation 2.*a\.toml, deviation 1"):
            expect(CHANGE, PPA, [first, other])


DESCRIBED = deviation(seen=("<reply 250 '*'>", "<no reply: closed>"))


@pytest.mark.parametrize(
    ("seen", "assessment"),
    [
        ("<reply 250 'ok 17 qp 4'>", "expected"),
        ("<reply 250 'ok'>\nassert 250 == 553\n +  where 250 = <reply 250 'ok'>.code", "expected"),
        ("<no reply:  closed>", "expected"),
        ("<reply 251 'ok'>", "unexpected"),
        ("<no reply: closed> and more", "unexpected"),
        ("another\n<no reply: closed>", "unexpected"),
        ("", "unexpected"),
    ],
)
def test_a_deviation_excuses_what_it_describes_and_nothing_else(seen: str, assessment: str) -> None:
    made = verdict(CHANGE, PPA, "unmet", "unmet", deviations=[DESCRIBED], seen=seen)
    assert (made.assessment, exit_status([made])) == (assessment, int(assessment == "unexpected"))
    assert Verdict.from_json(made.to_json()) == made
    if assessment == "unexpected":
        known, said = "the deviation describes that is known since 2024-05-01", seen.partition("\n")[0]
        described = "\"<reply 250 '*'>\" or '<no reply: closed>' was described"
        assert meaning(made) == f"regression: unmet, but not as {known}: {described}, {said!r} was seen"


def test_what_an_older_deviation_does_not_describe_is_excused_as_it_was() -> None:
    shown = verdict(CHANGE, PPA, "unmet", deviations=[deviation()], seen="whatever").to_json()
    del shown["deviation"]["seen"]
    assert Verdict.from_json(shown).assessment == "expected"


def test_another_failure_is_repeated_and_one_that_came_once_is_unstable() -> None:
    asked: list[bool] = []

    async def attempt(again: bool) -> Attempt:
        asked.append(again)
        return Attempt("unmet", "<no reply: closed>" if again else "another failure")

    expectation = expect(CHANGE, PPA, [DESCRIBED])
    made = verdict_of(CHANGE, expectation, asyncio.run(attempted(attempt, expectation)))
    assert asked == [False, True]
    assert (made.assessment, made.attempts) == ("unstable", ["unmet", "unmet"])
    assert meaning(made).startswith("unstable: unmet, then unmet, once as the known deviation describes")
    assert Verdict.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("attempts", "final", "assessment"),
    [
        (["met"], "met", "expected"),
        (["unmet", "unmet"], "unmet", "unexpected"),
        (["unmet", "met"], "met", "unstable"),
        (["met", "unmet"], "unmet", "unstable"),
        (["unmet", "met", "unmet"], "unmet", "unstable"),
        (["invalid", "met"], "met", "expected"),
        (["invalid", "unmet", "unmet"], "unmet", "unexpected"),
        (["invalid", "invalid", "unmet"], "invalid", "invalid"),
        (["invalid", "invalid", "met"], "met", "expected"),
        (["unmet", "invalid"], "invalid", "invalid"),
        (["unmet", "met", "invalid"], "invalid", "invalid"),
        (["unsupported"], "unsupported", "unsupported"),
    ],
)
def test_attempts_come_to_one_verdict(attempts: list[VerdictName], final: str, assessment: str) -> None:
    made = verdict(CHANGE, PPA, *attempts)
    assert (made.verdict, made.assessment, made.attempts) == (final, assessment, attempts)


@pytest.mark.parametrize(
    ("outcomes", "needed"),
    [
        (["met", "unmet"], 1),
        (["unsupported", "met"], 1),
        (["unmet", "unmet", "met"], 2),
        (["unmet", "met", "unmet"], 2),
        (["invalid", "met", "unmet"], 2),
        (["invalid", "unmet", "unmet", "met"], 3),
        (["invalid", "invalid", "invalid", "met"], 3),
    ],
)
def test_an_unexpected_verdict_is_believed_when_it_comes_twice_and_the_world_fails_three_times(
    outcomes: list[VerdictName], needed: int
) -> None:
    asked: list[bool] = []

    async def attempt(again: bool) -> Attempt:
        asked.append(again)
        return Attempt(outcomes[len(asked) - 1])

    made = asyncio.run(attempted(attempt, Expectation("met")))
    assert [each.outcome for each in made] == outcomes[:needed]
    assert asked == [False, True, True][:needed], "each but the first is to be in a fresh pod"
    asked.clear()
    assert len(asyncio.run(attempted(attempt, Expectation("met"), repeat=False))) == 1


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (PodFailure("no pod"), "no pod"),
        (WorldError("no engine"), "no engine"),
        (KeyError("oops"), "it cannot be played: KeyError: 'oops'"),
    ],
)
def test_what_cannot_be_played_says_nothing_about_qmail(failure: Exception, seen: str) -> None:
    async def play(again: bool) -> Played:
        raise failure

    async def judged(played: Played) -> Attempt:
        return Attempt("met")

    made = asyncio.run(from_play(play, judged)(False))
    assert (made.outcome, made.seen, made.record, made.error) == ("invalid", seen, None, failure)


def test_each_kind_of_surprise_has_its_own_wording() -> None:
    gone = verdict(CHANGE, PPA, "met", deviations=[deviation()])
    for surprise, said in (
        (BAD, "regression: met was expected"),
        (AGREED, "unexpected agreement: met although the target does not claim patch 0005"),
        (gone, "unexpected agreement: the deviation known since 2024-05-01 no longer shows"),
        (INVALID, "invalid: "),
        (UNSTABLE, "unstable: unmet, then met"),
        (SKIPPED, "unsupported"),
    ):
        assert meaning(surprise).startswith(said)
    mistaken = replace(INVALID, seen="the case itself failed: NameError: x (test_own.py, line 7)")
    assert meaning(mistaken) == "invalid: a mistake in the case, so nothing is said about qmail"
    assert meaning(verdict(CHANGE, PPA, "met")) == ""
    placed = deviation(place="/home/somebody/own.toml, deviation 3")
    told = meaning(verdict(CHANGE, PPA, "met", deviations=[placed]))
    assert "take it out of own.toml, deviation 3 with `qmail-conformance deviations drop RUN.jsonl`" in told
    known = deviation(verdict="unsupported")
    assert verdict(CHANGE, PPA, "unsupported", deviations=[known]).assessment == "expected"
    assert "no longer shows" in meaning(verdict(CHANGE, PPA, "unmet", deviations=[known]))


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
        ([INVALID, BAD], 1),
        ([INVALID, AGREED], 1),
        ([INVALID, UNSTABLE], 3),
        ([], 4),
        ([SKIPPED, SKIPPED], 4),
        ([BAD] * 256, 1),
    ],
)
def test_exit_status_has_a_meaning_and_never_counts(verdicts: list[Verdict], status: int) -> None:
    assert exit_status(verdicts) == status


def test_the_worst_of_several_exit_statuses_stands_for_them() -> None:
    assert [worst_status(some) for some in ([0, 0], [0, 4], [4, 1], [1, 3, 0], [3, 2, 0], [])] == [
        0,
        4,
        1,
        1,
        3,
        4,
    ]


def test_counts_by_verdict_add_up_to_the_total() -> None:
    given = [GOOD, BAD, INVALID, SKIPPED, UNSTABLE]
    counts = counted(given)
    assert sum(counts[name] for name in VERDICTS) == len(given)
    assert (counts["expected"], counts["unexpected"], counts["unstable"]) == (1, 1, 1)


@pytest.mark.parametrize("given", [GOOD, BAD, INVALID, SKIPPED, UNSTABLE, AGREED])
def test_a_verdict_survives_json(given: Verdict) -> None:
    assert Verdict.from_json(given.to_json()) == given


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"verdict": "passed"}, "verdict is 'passed', not one of"),
        ({"expected": "invalid"}, "expected is 'invalid'"),
        ({"as_expected": False}, "as_expected is False, but"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": -1}, "not a duration"),
        ({"deviation": {"reason": "r"}}, "deviation"),
        ({"attempts": ["unmet"]}, "not among its attempts"),
        ({"unstable": True}, "do not differ"),
        ({"patch": "0006"}, "does not belong"),
    ],
)
def test_a_verdict_line_with_a_wrong_field_says_which(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Verdict.from_json({**GOOD.to_json(), **changes})


NEXT = replace(PPA, packages={"qmail": "1.06-6.3"})
KNOWN_BEFORE = deviation(target="qmail=1.06-6.2*", seen=("Z, *",))


@pytest.mark.parametrize(
    ("target", "known", "outcome", "seen", "version"),
    [
        (NEXT, KNOWN_BEFORE, "unmet", "Z, deferred", "1.06-6.2"),
        (NEXT, KNOWN_BEFORE, "unmet", "D, bounced", ""),
        (NEXT, KNOWN_BEFORE, "met", "", ""),
        (replace(NEXT, packages={"netqmail": "1.06-6.3"}), KNOWN_BEFORE, "unmet", "Z, deferred", ""),
        (NEXT, replace(KNOWN_BEFORE, patches=("0099",)), "unmet", "Z, deferred", ""),
        (NEXT, replace(KNOWN_BEFORE, target=("qmail=1.0*", "qmail=1.1")), "unmet", "Z, deferred", ""),
        (NEXT, replace(KNOWN_BEFORE, target=("qmail=1.04", "qmail=1.05*")), "unmet", "Z, deferred", "1.05"),
        (replace(REFERENCE_0005, packages=NEXT.packages), KNOWN_BEFORE, "unmet", "Z, deferred", ""),
    ],
)
def test_what_is_known_of_another_version_says_so(
    target: Target, known: Deviation, outcome: VerdictName, seen: str, version: str
) -> None:
    found = verdict(CHANGE, target, outcome, deviations=[known], seen=seen)
    assert (found.elsewhere or {}).get("version", "") == version
    assert Verdict.from_json(found.to_json()) == found


def test_the_line_names_the_version_the_reason_and_the_command() -> None:
    found = verdict(CHANGE, NEXT, "unmet", "unmet", deviations=[KNOWN_BEFORE], seen="Z, deferred")
    assert found.assessment == "unexpected"
    assert meaning(found) == (
        "known for 1.06-6.2: the buffer is too small; carry it over with "
        f"`qmail-conformance deviations carry {CHANGE.name} --to qmail=1.06-6.3`"
    )


def test_a_requirement_that_needs_another_patch_is_unmet_without_it() -> None:
    change, guard = (replace(one, needs=("0001",)) for one in (CHANGE, GUARD))
    for patches, expected in (
        (("0001", "0005"), ["met", "met"]),
        (("0005",), ["unmet", "unmet"]),
        (("0001",), ["unmet", "met"]),
    ):
        target = replace(PPA, patches=patches)
        assert [expect(one, target, []).verdict for one in (change, guard)] == expected


def test_reports_tell_it_in_a_line_after_what_nobody_knows_with_one_command_for_all() -> None:
    known = verdict(CHANGE, NEXT, "unmet", "unmet", deviations=[KNOWN_BEFORE], seen="Z, deferred")
    new = verdict(GUARD, NEXT, "unmet", "unmet", seen="D, bounced")
    found = compare([run(NEXT, [known, new])])
    command = "qmail-conformance deviations carry reports/run.jsonl"
    said = f"1 of 2 unexpected verdicts is known for 1.06-6.2; `{command}` carries it over"
    told = render(found)
    assert said in told
    assert told.index(f"{GUARD.name} on ppa") < told.index(f"{CHANGE.name} on ppa")
    assert told.count("seen: ") == told.count("repeat: ") == 1
    assert command in markdown(found)
    failures = ET.fromstring(junit(found)).iter("failure")
    assert [failure.get("type") for failure in failures] == ["regression", "regression"]
    lines = annotations(found).splitlines()
    assert [GUARD.name in line for line in lines] == [True, False]
