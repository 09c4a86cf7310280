"""Requirement by patch: what many builds' verdicts say, and how loud it is when a name is wrong."""

import json
from collections.abc import Callable, Iterable, Set
from dataclasses import replace

import pytest

from conformance.attribution import attribution_pages as pages
from conformance.attribution.attribution_table import AttributionTable, attribute
from conformance.attribution.explanation import Explanation
from conformance.catalogue import Requirement
from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.errors import UsageError
from conformance.judge.comparison import compare
from conformance.judge.runfile import Run
from conformance.judge.verdict import VerdictName
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, deviation, run, verdict
from tests.report_samples import NASTY
from tests.schemas import faults

Says = Callable[[frozenset[str]], VerdictName]

EVERY = frozenset(PPA_PATCHES)
TWENTY = [frozenset[str](), *({p} for p in PPA_PATCHES), *(EVERY - {p} for p in PPA_PATCHES), EVERY]
#: No two of them differ in 0005 alone.
APART = [STOCK_PATCHES, (*STOCK_PATCHES, "0004", "0005"), PPA_PATCHES]
STACK = [frozenset(PPA_PATCHES[:height]) for height in range(len(PPA_PATCHES) + 1)]


def met_if(right: bool) -> VerdictName:
    return "met" if right else "unmet"


def unless(outcome: VerdictName, build: Set[str]) -> Says:
    """As 0005 says, save on one build."""
    return lambda patches: outcome if patches == build else met_if("0005" in patches)


def table(
    says: dict[Requirement, Says], builds: Iterable[Iterable[str]] = TWENTY, **known: str
) -> AttributionTable:
    """The table of builds whose verdicts are as `says`; `known`: a deviation's requirement and verdict."""
    runs = []
    deviations = [deviation(target="*", **known)] if known else []
    for patches in map(frozenset, builds):
        name = f"debs:{'+'.join(sorted(patches))}"
        target = Target(name, "debs", tuple(sorted(patches)), packages={"qmail": "1"}, image="sha256:1")
        verdicts = [verdict(sample, target, says[sample](patches), deviations=deviations) for sample in says]
        runs.append(run(target, verdicts))
    return attribute(compare(runs))


def test_a_change_of_its_own_patch_and_a_guard_that_nothing_flips_are_as_named() -> None:
    made = table({CHANGE: lambda p: met_if("0005" in p), GUARD: lambda p: "met", BASE: lambda p: "met"})
    found = {attribution.row.requirement: attribution for attribution in made.rows}
    change = found[CHANGE.name]
    assert (change.outcome, change.sets, change.flipped_to) == ("flips", (("0005",),), "met")
    assert change.proved
    assert {attribution.agreement for attribution in made.rows} == {"as named"}
    assert {found[guard.name].words for guard in (GUARD, BASE)} == {"no difference: met on every build"}
    assert (made.exit_status, pages.loud(made)) == (0, [])


@pytest.mark.parametrize(
    ("requirement", "says", "words"),
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
def test_what_is_otherwise_than_named_is_loud(requirement: Requirement, says: Says, words: str) -> None:
    made = table({requirement: says})
    assert (made.rows[0].words, made.rows[0].agreement, made.exit_status) == (words, "not as named", 1)
    (line,) = pages.loud(made)
    assert line.startswith(f"NOT AS NAMED: {requirement.name}")
    assert words in line
    assert "## Not as named" in pages.markdown(made)


def test_a_deviation_that_accounts_for_every_build_is_quiet() -> None:
    known = table({CHANGE: lambda p: "unmet"}, requirement=CHANGE.name)
    assert known.rows[0].agreement == "deviation known"
    assert (known.exit_status, pages.loud(known)) == (0, [])
    page = pages.markdown(known)
    assert "## Otherwise than named, as a known deviation says" in page
    assert "| the buffer is too small |" in page
    half = table({CHANGE: lambda p: met_if("0006" in p)}, requirement=CHANGE.name)
    assert half.rows[0].agreement == "not as named", "it does not account for the builds in which it is met"


def test_a_stack_takes_the_simplest_and_says_that_it_is_not_proved() -> None:
    made = table({CHANGE: lambda p: met_if("0005" in p)}, STACK)
    found = made.rows[0]
    assert found.explanations == (Explanation("alone", ("0005",)),)
    assert (found.proved, found.agreement) == (False, "as named")
    assert "(not proved)" in pages.markdown(made)


def test_patches_that_no_build_parts_are_not_told_apart() -> None:
    made = table({CHANGE: lambda p: met_if("0005" in p)}, APART)
    found = made.rows[0]
    assert (found.outcome, found.agreement) == ("several", "not decided")
    assert found.words == "0004 or 0005: not told apart by these builds"
    assert made.exit_status == 4
    other = table({CHANGE: lambda p: met_if("0008" in p)}, APART)
    assert other.rows[0].agreement == "not as named", "its own patch is not among those that are left"
    assert f"| {CHANGE.name} | change | ? met | ? met |" in pages.markdown(made)


@pytest.mark.parametrize(
    ("requirement", "says", "builds", "expected"),
    [
        (CHANGE, lambda p: "unmet", [(), ("0004",)], ("same", "not decided", 4)),
        (CHANGE, unless("unsupported", {"0008"}), TWENTY, ("flips", "as named", 0)),
        (CHANGE, unless("unsupported", set()), TWENTY, ("undecided", "not decided", 4)),
        (GUARD, lambda p: "met" if p != EVERY else "unsupported", TWENTY, ("undecided", "not decided", 4)),
        (CHANGE, unless("invalid", {"0008"}), TWENTY, ("flips", "as named", 3)),
    ],
)
def test_undecided_verdicts_are_left_aside_and_a_failed_world_is_told(
    requirement: Requirement, says: Says, builds: Iterable[Iterable[str]], expected: tuple[str, str, int]
) -> None:
    made = table({requirement: says}, builds)
    assert (made.rows[0].outcome, made.rows[0].agreement, made.exit_status) == expected


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


def test_the_json_fits_its_schema_and_the_page_marks_each_patch_in_its_column() -> None:
    made = table({CHANGE: lambda p: met_if({"0005", "0006"} <= p), BASE: lambda p: met_if("0008" not in p)})
    data = json.loads(json.dumps(pages.to_json(made)))
    assert faults("attribution-1", data) == []
    assert data["base"] == "debs:"
    (row,) = [row for row in data["requirements"] if row["requirement"] == CHANGE.name]
    assert (row["sets"], row["explanations"][0]["kind"]) == ([["0005", "0006"]], "all")
    page = pages.markdown(made)
    cells = "change |  |  |  |  | with: met | with: met |  |  |  | not as named (not proved)"
    assert f"| {CHANGE.name} | {cells} |" in page
    assert "| alone: unmet |" in page


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
    assert all(char.isprintable() or char == "\n" for char in page)
    json.loads(json.dumps(pages.to_json(made)))


def test_what_needs_another_patch_is_as_named_where_it_is_met_with_both() -> None:
    needing = replace(CHANGE, needs=("0001",))
    guarding = replace(GUARD, needs=("0001",))
    made = table({needing: lambda p: met_if({"0001", "0005"} <= p), guarding: lambda p: met_if("0001" in p)})
    assert [row.agreement for row in made.rows] == ["as named", "as named"]
    assert made.rows[0].words == "0001 and 0005 together"
    wrong = table({needing: lambda p: met_if({"0002", "0005"} <= p)})
    assert wrong.rows[0].agreement == "not as named"
