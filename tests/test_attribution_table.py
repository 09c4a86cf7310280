"""Requirement by patch: what many builds' verdicts say, and how loud it is when a name is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from conformance.attribution import pages
from conformance.attribution.explanation import Explanation
from conformance.attribution.table import Table, attribute
from conformance.catalogue import PPA_PATCHES, Requirement
from conformance.errors import UsageError
from conformance.judge.comparison import compare
from conformance.judge.runfile import Run
from conformance.judge.verdict import VerdictName
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, deviation, run, verdict
from tests.schemas import faults
from tests.test_report_files import NASTY

Says = Callable[[frozenset[str]], VerdictName]

EVERY = frozenset(PPA_PATCHES)
FOURTEEN = [frozenset[str](), *({p} for p in PPA_PATCHES), *(EVERY - {p} for p in PPA_PATCHES), EVERY]
STACK = [frozenset(PPA_PATCHES[:height]) for height in range(len(PPA_PATCHES) + 1)]


def met_if(right: bool) -> VerdictName:
    return "met" if right else "unmet"


def table(says: dict[Requirement, Says], builds: Iterable[Iterable[str]] = FOURTEEN, **known: str) -> Table:
    """The table of builds whose verdicts are as `says`; `known`: a deviation's requirement and verdict."""
    runs = []
    deviations = [deviation(target="*", **known)] if known else []
    for patches in map(frozenset, builds):
        name = f"debs:{'+'.join(sorted(patches))}"
        target = Target(name, "debs", tuple(sorted(patches)), packages={"qmail": "1"}, image="sha256:1")
        verdicts = [verdict(one, target, says[one](patches), deviations=deviations) for one in says]
        runs.append(run(target, verdicts))
    return attribute(compare(runs))


def only(one: Requirement, says: Says, builds: Iterable[Iterable[str]] = FOURTEEN, **known: str) -> Table:
    made = table({one: says}, builds, **known)
    assert len(made.rows) == 1
    return made


def test_a_change_of_its_own_patch_and_a_guard_that_nothing_flips_are_as_named() -> None:
    made = table({CHANGE: lambda p: met_if("0005" in p), GUARD: lambda p: "met", BASE: lambda p: "met"})
    change = next(one for one in made.rows if one.requirement == CHANGE.name)
    assert (change.outcome, change.sets, change.flipped_to, change.proved) == (
        "flips",
        (("0005",),),
        "met",
        True,
    )
    assert {one.agreement for one in made.rows} == {"as named"}
    assert [one.words for one in made.rows if one.row.role == "guard"] == [
        "no difference: met on every build"
    ] * 2
    assert made.exit_status == 0
    assert pages.loud(made) == []


@pytest.mark.parametrize(
    ("one", "says", "words"),
    [
        (CHANGE, lambda p: met_if("0006" in p), "0006"),
        (CHANGE, lambda p: met_if("0005" not in p), "0005"),
        (CHANGE, lambda p: met_if({"0005", "0006"} <= p), "0005 and 0006 together"),
        (CHANGE, lambda p: met_if(bool({"0005", "0006"} & p)), "any of 0005 and 0006"),
        (CHANGE, lambda p: "unmet", "no difference: unmet on every build"),
        (CHANGE, lambda p: "met", "no difference: met on every build"),
        (GUARD, lambda p: met_if("0005" not in p), "0005"),
        (GUARD, lambda p: met_if("0008" not in p), "0008"),
        (GUARD, lambda p: "unmet", "no difference: unmet on every build"),
        (BASE, lambda p: met_if("0008" not in p), "0008"),
        (BASE, lambda p: met_if(p != {"0008"}), "0008, and not by every build that holds as much"),
    ],
)
def test_what_is_otherwise_than_named_is_loud(one: Requirement, says: Says, words: str) -> None:
    made = only(one, says)
    assert made.rows[0].words == words
    assert made.rows[0].agreement == "not as named"
    assert made.exit_status == 1
    assert pages.loud(made)[0].startswith(f"NOT AS NAMED: {one.name}")
    assert words in pages.loud(made)[0]
    assert "## Not as named" in pages.markdown(made)


def test_a_deviation_that_accounts_for_every_build_is_quiet() -> None:
    known = only(CHANGE, lambda p: "unmet", requirement=CHANGE.name)
    assert known.rows[0].agreement == "deviation known"
    assert (known.exit_status, pages.loud(known)) == (0, [])
    page = pages.markdown(known)
    assert "## Otherwise than named, as a known deviation says" in page
    assert "| the buffer is too small |" in page
    half = only(CHANGE, lambda p: met_if("0006" in p), requirement=CHANGE.name)
    assert half.rows[0].agreement == "not as named", "it does not account for the builds in which it is met"


def test_a_stack_takes_the_simplest_and_says_that_it_is_not_proved() -> None:
    made = only(CHANGE, lambda p: met_if("0005" in p), STACK)
    one = made.rows[0]
    assert (one.explanations, one.proved, one.agreement) == (
        (Explanation("alone", ("0005",)),),
        False,
        "as named",
    )
    assert "(not proved)" in pages.markdown(made)


def test_patches_that_no_build_parts_are_not_told_apart() -> None:
    made = only(CHANGE, lambda p: met_if("0005" in p), [(), ("0004", "0005"), PPA_PATCHES])
    one = made.rows[0]
    assert (one.outcome, one.agreement) == ("several", "not decided")
    assert one.words == "0004 or 0005: not told apart by these builds"
    assert made.exit_status == 4
    other = only(CHANGE, lambda p: met_if("0008" in p), [(), ("0004", "0005"), PPA_PATCHES])
    assert other.rows[0].agreement == "not as named", "its own patch is not among those that are left"
    row = next(
        line for line in pages.markdown(made).splitlines() if line.startswith(f"| {CHANGE.name} | change | ?")
    )
    assert row.count("? met") == 2


def test_without_two_builds_that_differ_in_its_patch_a_change_is_not_decided() -> None:
    made = only(CHANGE, lambda p: "unmet", [(), ("0004",)])
    assert (made.rows[0].outcome, made.rows[0].agreement) == ("same", "not decided")


def test_undecided_verdicts_are_left_aside_and_a_failed_world_is_told() -> None:
    def says(patches: frozenset[str]) -> VerdictName:
        return "unsupported" if patches == {"0008"} else met_if("0005" in patches)

    made = only(CHANGE, says)
    assert (made.rows[0].outcome, made.rows[0].agreement, made.exit_status) == ("flips", "as named", 0)
    missing_base = only(CHANGE, lambda p: met_if("0005" in p) if p else "unsupported")
    assert missing_base.rows[0].outcome == "undecided"
    guard = only(GUARD, lambda p: "met" if p != EVERY else "unsupported")
    assert (guard.rows[0].outcome, guard.rows[0].agreement) == ("undecided", "not decided")
    failed = only(CHANGE, lambda p: met_if("0005" in p) if p != {"0008"} else "invalid")
    assert failed.rows[0].agreement == "as named"
    assert failed.exit_status == 3


def target(*patches: str, name: str = "") -> Target:
    return Target(name or f"image:{'+'.join(patches)}", "image", patches)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([run(target())], "one run only"),
        ([run(target("0004")), run(target("0004", name="image:x"))], "claim the same patches: 0004"),
        ([run(target("0004")), run(target("0005"))], "0004 claims a patch that image:0005 lacks"),
        ([run(target()), run(target(*(f"01{i:02}" for i in range(13))))], "more than 12 patches"),
    ],
)
def test_runs_without_a_base_are_refused(runs: list[Run], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        attribute(compare(runs))


def test_the_json_fits_its_schema_and_the_schema_refuses_changed_things() -> None:
    made = table({CHANGE: lambda p: met_if({"0005", "0006"} <= p), BASE: lambda p: "met"})
    data = json.loads(json.dumps(pages.to_json(made)))
    assert faults("attribution-1", data) == []
    assert data["base"] == "debs:"
    row = next(one for one in data["requirements"] if one["requirement"] == CHANGE.name)
    assert (row["sets"], row["explanations"][0]["kind"]) == ([["0005", "0006"]], "all")
    assert faults("attribution-1", {**data, "base": None})
    assert faults("attribution-1", {**data, "builds": data["builds"][:1]})
    row["outcome"] = "unknown"
    assert faults("attribution-1", data)


def test_the_page_marks_each_patch_in_its_column() -> None:
    made = table({CHANGE: lambda p: met_if({"0005", "0006"} <= p), BASE: lambda p: met_if("0008" not in p)})
    rows = {
        line.split(" | ")[0]: line
        for line in pages.markdown(made).splitlines()
        if "| guard |" in line or "with: met" in line
    }
    assert (
        rows[f"| {CHANGE.name}"]
        == f"| {CHANGE.name} | change |  | with: met | with: met |  |  |  | not as named (not proved) |"
    )
    assert any("| alone: unmet |" in line for line in pages.markdown(made).splitlines())


@pytest.mark.parametrize("text", NASTY)
def test_whatever_a_run_claims_the_page_stays_whole(text: str) -> None:
    stock = replace(target(), name=text)
    other = replace(target("0005"), patches=("0005", text), packages={text: text}, image=text)
    made = attribute(compare([run(stock), run(other)]))
    page = pages.markdown(made)
    assert "<script" not in page
    assert "\n# heading" not in page
    for line in [*pages.summary(made), *pages.loud(made)]:
        assert line.isprintable()
    assert all(one.isprintable() or one == "\n" for one in page)
    json.loads(json.dumps(pages.to_json(made)))
