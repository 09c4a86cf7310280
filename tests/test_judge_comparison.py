"""Runs laid side by side: what differs, what explains it, and which runs may not be combined."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from conformance.catalogue import Requirement
from conformance.errors import NothingSelected, UsageError
from conformance.judge.comparison import compare
from conformance.judge.runfile import Run
from conformance.judge.verdict import VerdictName
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, SAMPLES, STOCK, deviation, many, run, verdict


def sentences(runs: Sequence[Run]) -> list[str]:
    return [summary.sentence for summary in compare(runs).patches]


def test_rows_stand_by_patch_with_base_first_and_a_cell_for_each_run() -> None:
    made = compare([run(STOCK, [verdict(one, STOCK) for one in reversed(SAMPLES)]), run(PPA)])
    assert [row.requirement for row in made.rows] == [BASE.name, CHANGE.name, GUARD.name]
    told = [[cell.verdict for cell in row.cells] for row in made.rows]
    assert told == [["met", "met"], ["unmet", "met"], ["met", "met"]]
    assert [row.requirement for row in made.differing] == [CHANGE.name]
    assert made.unexplained == ()
    assert made.exit_status == 0


def test_a_difference_that_no_patch_explains_is_listed_if_it_is_stable_and_valid() -> None:
    patched = [verdict(BASE, PPA, "unmet"), verdict(CHANGE, PPA), verdict(GUARD, PPA)]
    made = compare([run(STOCK), run(PPA, patched)])
    assert [row.requirement for row in made.unexplained] == [BASE.name]
    assert made.exit_status == 1
    for attempts in (("met", "unmet"), ("invalid",)):
        made = compare([run(STOCK, [verdict(BASE, STOCK)]), run(PPA, [verdict(BASE, PPA, *attempts)])])
        assert made.differing == ()


def test_each_patch_is_summed_up_on_the_run_that_claims_it() -> None:
    made = compare([run(STOCK), run(PPA)])
    assert [(one.label, one.sentence) for one in made.patches] == [
        ("stock", "base does what it promises: 1 of 1"),
        ("ppa", "base does what it promises: 1 of 1"),
        ("ppa", "0005 does what it promises: 2 of 2; tells the builds apart: 1 of 1 change"),
    ]


def test_a_change_must_be_unmet_on_all_runs_without_the_patch() -> None:
    other = replace(STOCK, name="debs:other", kind="debs")
    runs = [
        run(STOCK, [verdict(CHANGE, STOCK)]),
        run(other, [verdict(CHANGE, other, "met")]),
        run(PPA, [verdict(CHANGE, PPA)]),
    ]
    assert sentences(runs)[-1].endswith("apart: 0 of 1 change")


@pytest.mark.parametrize(
    ("attempts", "known", "sentence"),
    [
        (("unmet",), False, "0005 is not as expected: 1 of 2; 1 unexpected"),
        (("unmet",), True, "0005 falls short of its promises, as is known: 1 of 2; 1 deviation known"),
        (("met",), True, "0005 is not as expected: 2 of 2; 1 unexpected"),
        (("invalid",), False, "0005 was not decided in full: 1 of 2; 1 invalid"),
        (("unmet", "met"), False, "0005 was not decided in full: 1 of 2; 1 unstable"),
        (("unsupported",), False, "0005 was not decided in full: 1 of 2; 1 unsupported"),
    ],
)
def test_a_summary_never_says_more_than_was_seen(
    attempts: tuple[VerdictName, ...], known: bool, sentence: str
) -> None:
    given = verdict(CHANGE, PPA, *attempts, deviations=[deviation()] if known else [])
    assert sentences([run(PPA, [given, verdict(GUARD, PPA)])]) == [sentence]


def test_runs_of_different_suites_selections_or_requirements_refuse_to_be_combined() -> None:
    guards = [verdict(replace(sample, role="guard"), STOCK) for sample in SAMPLES]
    for other, complaint in (
        (run(STOCK, suite="0.2.0"), "different versions of the suite"),
        (run(STOCK, selection="--patch 0005"), "different selections"),
        (run(STOCK, [verdict(BASE, STOCK)]), rf"{CHANGE.name} differs, and 1 more"),
        (run(STOCK, guards), f"{CHANGE.name} differs"),
    ):
        with pytest.raises(UsageError, match=complaint):
            compare([run(PPA), other])


def test_the_exit_status_is_the_gravest_of_all_runs_and_of_how_they_ended() -> None:
    assert compare([run(STOCK), run(PPA, status=3)]).exit_status == 3
    assert compare([run(STOCK), run(PPA, [verdict(one, PPA, "unmet") for one in SAMPLES])]).exit_status == 1
    assert compare([run(STOCK, []), run(PPA, [])]).exit_status == 4
    with pytest.raises(NothingSelected):
        compare([])


def test_a_patch_of_a_later_suite_stands_after_the_known_ones() -> None:
    target = replace(PPA, patches=("0099", *PPA.patches))
    later = replace(CHANGE, name="0099.tls.starttls", patch="0099")
    made = compare([run(target, [verdict(later, target), verdict(CHANGE, target)])])
    assert [one.patch for one in made.patches] == ["0005", "0099"]


def test_four_hundred_requirements_by_six_targets_lose_nothing() -> None:
    requirements = many(43)
    runs = [run(target, [verdict(one, target) for one in requirements]) for target in (STOCK, PPA) * 3]
    made = compare([*runs, run(replace(STOCK, name="other"), runs[0].verdicts)])
    assert len(made.rows) == 430
    assert all(len(row.cells) == 7 for row in made.rows)
    assert made.labels == ("stock #1", "ppa #1", "stock #2", "ppa #2", "stock #3", "ppa #3", "other")


def test_a_run_of_an_earlier_version_is_compared_in_which_stocks_own_patches_were_base() -> None:
    logged = Requirement("base.log.place", "0001", "package source", "Each line tells whose it is.")
    new = verdict(logged, STOCK)
    old = replace(new, patch="base", role="guard")
    made = compare([run(STOCK, [new]), run(replace(STOCK, name="earlier"), [old])])
    assert [len(row.cells) for row in made.rows] == [2]
