"""The zoo: what it runs and what it may leave out, bars that turn red, and a published table that is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue import Requirement
from conformance.cli import main
from conformance.cli import zoo as command
from conformance.reference.flaws import FLAWS, checked
from conformance.zoo.pages import markdown, to_json
from conformance.zoo.table import Table, lay_out
from conformance.zoo.trial import BUILDS, Baseline, Outcome, Trial, baseline, run_trial, run_trials
from conformance.zoo.watch import Watched

PUBLISHED = Path(__file__).resolve().parent.parent / "docs" / "zoo.md"
REQUIREMENTS = all_requirements()
MET, UNMET = Outcome("met", ""), Outcome("unmet", "it was otherwise")


def rounds(names: list[str], flaws: list[str]) -> Table:
    """A small round of the zoo, in this process."""
    without = baseline(names)
    trials = without.trials(lambda flaw, _: flaw in flaws)
    chosen = {name: REQUIREMENTS[name] for name in names}
    return lay_out(chosen, without, run_trials(trials, 1), {*names, *flaws})


def test_flaws_are_caught_both_ways() -> None:
    names = ["0006.unknown.code", "0006.session.goes-on", "0006.known.unaffected"]
    table = rounds(names, ["0006.dropped", "0006.closes", "0006.known-verbs"])
    assert table.broken == []
    assert table.caught_by["0006.dropped"] == ["0006.unknown.code"]
    assert "0006.session.goes-on" in table.caught_by["0006.closes"]
    assert table.catches["0006.known.unaffected"] == ["0006.known-verbs"]


def test_a_change_that_stock_meets_under_a_flaw_of_base_catches_it() -> None:
    table = rounds(["0004.alias.recipient-as-written"], ["remote.alias-kept"])
    assert table.caught_by["remote.alias-kept"] == ["0004.alias.recipient-as-written"]
    assert not [line for line in table.broken if line.startswith("remote.alias-kept")]


def test_a_flaw_of_base_meets_both_builds_and_that_of_a_patch_the_patched_one() -> None:
    without = baseline(["base.verbs.noop", "0006.known.unaffected"])
    trials = list(without.trials(lambda flaw, _: flaw in ("smtpd.noop-resets", "0006.known-verbs")))
    assert [(trial.flaw, trial.build) for trial in trials] == [
        ("smtpd.noop-resets", "stock"),
        ("smtpd.noop-resets", "patched"),
        ("0006.known-verbs", "patched"),
    ]


@pytest.mark.parametrize("name", ["0006.unknown.code", "0005.small.one-question", "0009.exit-100.refused"])
def test_a_flaw_that_is_never_asked_about_makes_no_difference(name: str) -> None:
    without = baseline([name])
    for build in BUILDS:
        left_out = [flaw for flaw in FLAWS if flaw not in without.asked[build][name]]
        assert len(left_out) > 50
        for flaw in left_out:
            assert run_trial(Trial(flaw, build, (name,)))[name] == without.outcomes[build][name], flaw


def test_only_questions_about_one_flaw_can_be_watched() -> None:
    watched = Watched()
    assert checked(watched) is watched
    assert "0006.dropped" not in watched
    assert watched.asked == {"0006.dropped"}
    for look in (list, len, bool, lambda flaws: flaws & {"0006.dropped"}, lambda flaws: flaws.isdisjoint([])):
        with pytest.raises(TypeError, match="in flaws"):
            look(watched)


def test_worker_processes_come_to_the_same() -> None:
    trials = [Trial(flaw, "patched", ("0006.unknown.code",)) for flaw in ("0006.dropped", "0006.closes")]

    def verdicts(workers: int) -> list[list[tuple[str, str]]]:
        rounds = run_trials(trials, workers)
        return [[(name, one.verdict) for name, one in outcomes.items()] for _, outcomes in rounds]

    assert verdicts(2) == verdicts(1) == [[("0006.unknown.code", word)] for word in ("unmet", "met")]


# Bars

NAMES = ("base.quit.closes", "0006.unknown.code")
FLAW = "0006.dropped"


def made(
    under: dict[str, Outcome],
    chosen: tuple[str, ...] = (*NAMES, FLAW),
    build: str = "patched",
    **odd: Outcome,
) -> Table:
    """A table of outcomes that are made up: `under` the flaw, and `odd` ones without any, by build."""
    outcomes = {
        "stock": {NAMES[0]: MET, NAMES[1]: odd.get("stock", UNMET)},
        "patched": {NAMES[0]: MET, NAMES[1]: odd.get("patched", MET)},
    }
    requirements: dict[str, Requirement] = {name: REQUIREMENTS[name] for name in NAMES}
    trial = Trial(FLAW, build, tuple(under))
    return lay_out(requirements, Baseline(outcomes), [(trial, under)], chosen)


def test_a_flaw_that_nothing_catches_is_broken() -> None:
    broken = made({NAMES[1]: MET}, (FLAW,)).broken
    assert broken == ["0006.dropped (answers 502 as stock does) is caught by no requirement"]


def test_a_flaw_that_only_another_patch_catches_is_broken() -> None:
    (broken,) = made({NAMES[0]: UNMET}, (FLAW,)).broken
    assert broken.endswith("is caught by none of 0006, only by base.quit.closes")


def test_a_requirement_that_catches_nothing_is_broken() -> None:
    (broken,) = made({NAMES[1]: UNMET}).broken
    assert broken.startswith("base.quit.closes catches no flaw")


def test_a_reference_that_is_not_as_promised_is_broken() -> None:
    (broken,) = made({}, NAMES[1:], patched=UNMET).broken[:1]
    assert broken.startswith("0006.unknown.code is unmet on all six patches without any flaw")
    assert "it was otherwise" in broken
    (agreed,) = made({}, NAMES[1:], stock=MET).broken[:1]
    assert agreed.startswith("0006.unknown.code is met on stock without any flaw, and unmet was expected")


def test_a_case_that_a_flaw_makes_invalid_is_broken() -> None:
    (broken,) = made({NAMES[1]: Outcome("invalid", "no pod")}, ()).broken
    assert broken == "0006.unknown.code is invalid on all six patches with 0006.dropped: no pod"


def test_broken_bars_stand_on_the_page_too() -> None:
    table = made({NAMES[1]: UNMET})
    assert f"## Broken\n\n- {table.broken[0]}\n" in markdown(table)
    assert to_json(table)["broken"] == table.broken


# The command


def test_the_command_writes_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expression = "0006.enhanced-status or 0006.unknown.enhanced-code"
    assert main(["zoo", "-k", expression, "-n", "1", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "1 of 1 flaws are caught" in told
    assert "1 of 1 requirements catch a flaw" in told
    written = json.loads((tmp_path / "zoo.json").read_text(encoding="utf-8"))
    assert list(written["flaws"]) == ["0006.enhanced-status"]
    assert "0006.unknown.enhanced-code" in written["flaws"]["0006.enhanced-status"]["caught_by"]
    assert "0006.enhanced-status" in written["requirements"]["0006.unknown.enhanced-code"]["catches"]
    assert "`0006.enhanced-status`" in (tmp_path / "zoo.md").read_text(encoding="utf-8")


def test_a_broken_bar_is_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_trials", lambda trials, workers: iter(()))
    monkeypatch.setattr(command, "baseline", lambda names: baseline(list(names)[:3]))
    monkeypatch.setattr(command, "all_requirements", lambda: dict(list(REQUIREMENTS.items())[:3]))
    assert main(["zoo", "-k", "0006.dropped", "-n", "1", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("broken: 0006.dropped (answers 502 as stock does) is caught by no requirement")


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["-k", "no-such-word"], 4, "no flaw and no requirement is selected"),
        (["-k", "and and"], 2, "pytest's -k"),
        (["-n", "0"], 2, "at least one worker"),
    ],
)
def test_wrong_use(
    arguments: list[str], status: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["zoo", *arguments, "--out", str(tmp_path / "out")]) == status
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# The published table


def first_cells(page: str, head: str) -> list[str]:
    """The names in the first column of every table that begins with this word."""
    cells: list[str] = []
    for block in re.split(r"\n\n+", page):
        rows = block.splitlines()
        if rows and rows[0].startswith(f"| {head} |"):
            cells += [row.split("`")[1] for row in rows[2:]]
    return cells


REMEDY = "docs/zoo.md is out of date: run `qmail-conformance zoo --out docs` and keep zoo.md"


def test_the_published_table_holds_every_flaw_and_no_name_that_is_gone() -> None:
    """A new case is in the table that CI makes at once, and in the published one when it is next made."""
    page = PUBLISHED.read_text(encoding="utf-8")
    flaws, requirements = first_cells(page, "flaw"), first_cells(page, "requirement")
    assert sorted(flaws) == sorted(FLAWS), REMEDY
    assert len(requirements) > 300
    named = set(re.findall(r"`([a-z0-9]+\.[a-z0-9.-]+)`", page))
    assert named <= {*FLAWS, *REQUIREMENTS}, REMEDY
    assert "## Broken" not in page


def test_the_published_table_says_of_a_sample_what_is_so() -> None:
    page = PUBLISHED.read_text(encoding="utf-8")
    for name in ("0006.unknown.enhanced-code", "0009.exit-111.temporary"):
        (row,) = re.findall(rf"^\| `{re.escape(name)}` \| [a-z]+ \| (.*) \|$", page, re.MULTILINE)
        flaws = row.replace("`", "").split(", ")
        assert rounds([name], flaws).catches[name] == flaws, REMEDY


def test_a_page_is_the_same_each_time() -> None:
    names = ["0006.unknown.code", "0006.verb.8bit"]
    one, other = (rounds(names, ["0006.dropped", "0006.closes"]) for _ in range(2))
    assert markdown(one) == markdown(other)
