"""The zoo: what it runs and may leave out, bars that turn red, and a table that is the same each time."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue import Requirement
from conformance.cli import main
from conformance.cli import zoo as command
from conformance.errors import WorldError
from conformance.judge.verdict import Verdict, VerdictName
from conformance.reference.flaws import FLAWS
from conformance.zoo import trial
from conformance.zoo.catches import ZooTable, lay_out
from conformance.zoo.pages import markdown, to_json
from conformance.zoo.trial import BUILDS, Baseline, Outcome, Trial, run_trial, run_trials
from tests.judge_samples import verdict
from tests.packages import PROJECT, write_package

REQUIREMENTS = all_requirements()


def rounds(names: list[str], flaws: list[str]) -> ZooTable:
    """A small round of the zoo, in this process."""
    without = Baseline(names)

    def wanted(flaw: str, _: str) -> bool:
        return flaw in flaws

    trials = [*without.trials(wanted), *without.trials_on_stock(wanted, (), ())]
    chosen = {name: REQUIREMENTS[name] for name in names}
    return lay_out(chosen, without, run_trials(trials, 0), {*names, *flaws})


def test_flaws_are_caught_both_ways() -> None:
    names = ["0006.unknown.code", "0006.session.goes-on", "0006.known.unaffected"]
    flaws = ["0006.dropped", "0006.closes", "0006.known-verbs"]
    table = rounds(names, flaws)
    assert table.broken == []
    assert markdown(table) == markdown(rounds(names, flaws)), "a page is the same each time"
    assert table.caught_by["0006.dropped"] == ["0006.unknown.code"]
    assert "0006.session.goes-on" in table.caught_by["0006.closes"]
    assert table.catches["0006.known.unaffected"] == ["0006.known-verbs"]
    # A change that stock meets under a flaw of base catches it.
    table = rounds(["0004.alias.recipient-as-written"], ["remote.alias-kept"])
    assert table.caught_by["remote.alias-kept"] == ["0004.alias.recipient-as-written"]
    assert not [line for line in table.broken if line.startswith("remote.alias-kept")]


def test_every_flaw_meets_the_patched_build_and_one_of_base_stock_where_that_tells_more() -> None:
    names = ["base.verbs.noop", "0006.known.unaffected"]
    without = Baseline(names)

    def wanted(flaw: str, _: str) -> bool:
        return flaw in ("smtpd.noop-resets", "0006.known-verbs")

    trials = [(trial.flaw, trial.build) for trial in without.trials(wanted)]
    assert trials == [("smtpd.noop-resets", "patched"), ("0006.known-verbs", "patched")]
    for settled, idle, tried in (
        ((), (), names),
        (("smtpd.noop-resets",), (), []),
        (("smtpd.noop-resets",), names[1:], names[1:]),
    ):
        on_stock = list(without.trials_on_stock(wanted, settled, idle))
        assert [(trial.flaw, trial.build) for trial in on_stock] == [("smtpd.noop-resets", "stock")] * bool(
            tried
        )
        assert [name for trial in on_stock for name in trial.requirements] == tried


@pytest.mark.parametrize("name", ["0006.unknown.code", "0005.small.one-question", "0009.exit-100.refused"])
def test_a_flaw_that_is_never_asked_about_makes_no_difference(name: str) -> None:
    without = Baseline([name])
    left_out, plain = set(FLAWS) - without.shown("patched", name), without.verdict("patched", name)
    assert len(left_out) > 50
    for flaw in left_out:
        under = run_trial(Trial(flaw, "patched", (name,)))[name]
        assert under == (plain.verdict, plain.seen), flaw


def test_worker_processes_come_to_the_same() -> None:
    trials = [Trial(flaw, "patched", ("0006.unknown.code",)) for flaw in ("0006.dropped", "0006.closes")]
    for workers in (0, 1, 2):
        found = {trial: outcome["0006.unknown.code"][0] for trial, outcome in run_trials(trials, workers)}
        assert [found[trial] for trial in trials] == ["unmet", "met"]


def test_a_worker_process_tells_what_was_seen_in_pytests_words() -> None:
    trials = [Trial("0006.dropped", "patched", ("0006.unknown.code",))]
    [(_, outcome)] = run_trials(trials, 1)
    assert "assert 502 == 500" in outcome["0006.unknown.code"][1]


def test_a_worker_that_never_comes_to_an_end_is_ended_and_its_flaw_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = "import signal; from conformance.zoo import trial, worker; trial.TRIAL_LIMIT = 1; "
    endless = f"{worker} worker.TRIAL_LIMIT = 1; worker.run_trial = lambda _: signal.pause(); worker.main()"
    monkeypatch.setattr(trial, "WORKER", [sys.executable, "-c", endless])
    given = [Trial("0006.closes", "patched", ("0006.unknown.code",))]
    with pytest.raises(WorldError, match=r"died at 0006\.closes on patched, or was at work for \d+ s"):
        list(run_trials(given, 2))


def test_what_settles_a_flaw_ends_its_trial_when_quick() -> None:
    names = ["0006.unknown.code", "0006.session.goes-on", "base.verbs.noop", "base.quit.closes"]
    without = Baseline(names)
    flaws = ("0006.dropped", "smtpd.noop-resets")
    trials = list(without.trials(lambda flaw, _: flaw in flaws, quick=True))
    outcomes = {trial.flaw: run_trial(trial) for trial in trials}
    for each in trials:
        assert set(each.requirements) - set(outcomes[each.flaw]) or len(each.requirements) == 1, each
        verdicts = [verdict for verdict, _ in outcomes[each.flaw].values()]
        assert verdicts == ["met"] * (len(verdicts) - 1) + ["unmet"], "it ends with what catches the flaw"
    caught = {name for outcome in outcomes.values() for name in outcome}
    idle, met = set(names) - caught, []
    for some in without.trials_one_by_one(idle, lambda *_: True, ()):
        met += [(trial.flaw, name) for trial in some for name in trial.requirements]
        idle.discard("base.quit.closes")
    assert idle
    assert len(met) == len(set(met)), "no pair meets twice"
    assert sum(name == "base.quit.closes" for _, name in met) == 2 * ("base.quit.closes" not in caught)


def test_what_a_deviation_does_not_describe_is_caught_where_it_shows() -> None:
    name = "0007.rcpt.percent"
    without = Baseline([name])
    known = without.verdict("model", name)
    assert (known.verdict, known.as_expected) == ("unmet", True)
    flaws = {"0007.550": [name], "0007.sender-only": [name], "0006.dropped": ["0006.unknown.code"]}
    [trial] = without.trials_on_model(flaws)
    # Not the model's own, nor what no deviation is about.
    assert (trial.flaw, trial.build, trial.requirements) == ("0007.550", "model", (name,))
    # Recipients are not screened, so nobody sees with which code they would be refused.
    assert run_trial(trial)[name] == (known.verdict, known.seen)
    table = lay_out({name: REQUIREMENTS[name]}, without, [(trial, run_trial(trial))], {"0007.550"})
    assert table.on_model == {"0007.550": []}
    assert any(line.startswith("0007.550 is caught by nothing on the model") for line in table.broken)
    otherwise: Outcome = {name: ("unmet", "<reply 550 'no'>")}
    table = lay_out({name: REQUIREMENTS[name]}, without, [(trial, otherwise)], {"0007.550"})
    assert table.on_model == {"0007.550": [name]}
    assert "| `0007.550` | `0007.rcpt.percent` |" in markdown(table)
    hidden = [(replace(trial, flaw="0007.adds-recipient"), otherwise)]
    table = lay_out({name: REQUIREMENTS[name]}, without, hidden, set())
    says = "0007.adds-recipient is caught by 0007.rcpt.percent on the model, and a deviation says"
    assert table.broken == [f"{says} that it hides it"]


# Bars

NAMES = ("base.quit.closes", "0006.unknown.code")
FLAW = "0006.dropped"


class MadeUp(Baseline):
    """Verdicts without a flaw that are made up, by build; of other builds they are as they are."""

    def __init__(self, verdicts: dict[str, dict[str, Verdict]]) -> None:
        super().__init__(NAMES)
        self._made_up = verdicts

    def verdict(self, build: str, name: str) -> Verdict:
        return self._made_up[build][name] if build in self._made_up else super().verdict(build, name)


def made(
    under: dict[str, VerdictName],
    chosen: tuple[str, ...] = (*NAMES, FLAW),
    build: str = "patched",
    **odd: VerdictName,
) -> ZooTable:
    """A table of verdicts that are made up: `under` the flaw, and `odd` ones without any, by build."""

    def verdicts(build: str, found: dict[str, VerdictName]) -> dict[str, Verdict]:
        said = {"met": "", "unmet": "it was otherwise", "invalid": "no pod"}
        return {
            name: verdict(REQUIREMENTS[name], BUILDS[build], outcome, seen=said[outcome])
            for name, outcome in found.items()
        }

    without = {
        "stock": verdicts("stock", {NAMES[0]: "met", NAMES[1]: odd.get("stock", "unmet")}),
        "patched": verdicts("patched", {NAMES[0]: "met", NAMES[1]: odd.get("patched", "met")}),
    }
    requirements: dict[str, Requirement] = {name: REQUIREMENTS[name] for name in NAMES}
    outcome = {name: (each.verdict, each.seen) for name, each in verdicts(build, under).items()}
    seen: list[tuple[Trial, Outcome]] = [(Trial(FLAW, build, tuple(under)), dict(outcome))]
    return lay_out(requirements, MadeUp(without), seen, chosen)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (made({NAMES[1]: "met"}, (FLAW,)), "0006.dropped .* is caught by no requirement$"),
        (made({NAMES[0]: "unmet"}, (FLAW,)), "0006.dropped .* by none of 0006, only by base.quit.closes$"),
        (made({NAMES[1]: "unmet"}), "base.quit.closes catches no flaw"),
        (
            made({}, NAMES[1:], patched="unmet"),
            "0006.unknown.code is unmet .* met was expected: it was otherwise$",
        ),
        (made({}, NAMES[1:], stock="met"), "0006.unknown.code is met on stock .*, and unmet was expected"),
        (made({NAMES[1]: "invalid"}, ()), "0006.unknown.code is invalid on .* with 0006.dropped: no pod$"),
    ],
)
def test_what_does_not_clear_the_bars_is_broken_and_stands_on_the_page(table: ZooTable, says: str) -> None:
    assert re.match(says, table.broken[0])
    assert f"## Broken\n\n- {table.broken[0]}\n" in markdown(table)
    assert to_json(table)["broken"] == table.broken


# The command


def test_the_command_writes_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {name: requirement for name, requirement in REQUIREMENTS.items() if requirement.patch == "0006"}
    monkeypatch.setattr(command, "all_requirements", lambda: few)
    expression = "0006.enhanced-status or 0006.unknown.enhanced-code"
    assert main(["zoo", "-k", expression, "-n", "1", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "1 of 1 flaws are caught" in told
    assert main(["zoo", "--quick", "-k", expression, "-n", "1", "--out", str(tmp_path / "quick")]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == told.splitlines()[:2]
    assert main(["zoo", "-k", "0006.unknown.enhanced-code", "-n", "1", "--out", str(tmp_path / "one")]) == 0
    alone = capsys.readouterr().out.splitlines()
    assert alone[0].startswith("0006.unknown.enhanced-code catches 0006.")
    assert "every flaw" not in "".join(alone)
    assert "Made with `--quick`" in (tmp_path / "quick" / "zoo.md").read_text(encoding="utf-8")
    assert "1 of 1 requirements catch a flaw" in told
    written = json.loads((tmp_path / "zoo.json").read_text(encoding="utf-8"))
    assert list(written["flaws"]) == ["0006.enhanced-status"]
    assert "0006.unknown.enhanced-code" in written["flaws"]["0006.enhanced-status"]["caught_by"]
    assert "0006.enhanced-status" in written["requirements"]["0006.unknown.enhanced-code"]["catches"]
    assert "`0006.enhanced-status`" in (tmp_path / "zoo.md").read_text(encoding="utf-8")


def test_a_broken_bar_is_exit_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_trials", lambda trials, workers: ((trial, {}) for trial in trials))
    monkeypatch.setattr(command, "Baseline", lambda names: Baseline(list(names)[:3]))
    monkeypatch.setattr(command, "all_requirements", lambda: dict(list(REQUIREMENTS.items())[:3]))
    assert main(["zoo", "-k", "0006.dropped", "-n", "1", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("broken: 0006.dropped (answers 502 as stock does) is caught by no requirement")


def test_a_verdict_that_is_told_in_code_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {name: REQUIREMENTS[name] for name in ("0006.unknown.code", "0006.known.unaffected")}
    sides = ["<reply 502 'no'>", "<object at 0x7f>"]

    def outcomes(trials: Iterable[Trial], workers: int) -> Iterator[tuple[Trial, Outcome]]:
        yield from (
            (each, {name: ("unmet", seen) for name, seen in zip(few, sides, strict=True)}) for each in trials
        )

    monkeypatch.setattr(command, "run_trials", outcomes)
    monkeypatch.setattr(command, "all_requirements", lambda: few)
    assert main(["zoo", "-k", "0006.dropped", "-n", "1", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "0006.known.unaffected under 0006.dropped is told in code: not as promised: <object at" in told
    assert re.search(r"^(\d+) of \d+ unmet verdicts are told in words$", told, re.MULTILINE)
    assert "0006.unknown.code under 0006.dropped is told" not in told


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["-k", "no-such-word"], 4, "no flaw and no requirement is selected"),
        (["-k", "and and"], 2, "pytest's -k"),
        (["-k", "0006 0007"], 2, "pytest's -k"),
        (["-n", "0"], 2, "at least one"),
    ],
)
def test_wrong_use(
    arguments: list[str], status: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["zoo", *arguments, "--out", str(tmp_path / "out")]) == status
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# A project's own


def test_a_projects_own_requirements_meet_the_flaws_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path, PROJECT)
    weak = (tmp_path / "conformance/scenarios/frob-code.toml").read_text().replace("frob.code", "frob.weak")
    (tmp_path / "conformance/scenarios/weak.toml").write_text(weak.replace("FROB\n< 500", "QUIT\n< *"))
    arguments = ["zoo", "-k", "verbs", "--project", str(tmp_path / "qmail-conformance.toml")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    assert "broken: verbs.frob.weak catches no flaw" in told
    assert re.search(r"verbs\.frob\.code: catches .*0006\.dropped", told)
    assert "verbs.grob.words: not tried: it is unmet on the reference without any flaw: GROB is" in told
    own = json.loads((tmp_path / "out" / "zoo.json").read_text())["own"]
    assert {name: bool(each["catches"]) for name, each in own.items()} == {
        "verbs.frob.closes": False,
        "verbs.frob.code": True,
        "verbs.frob.weak": False,
        "verbs.grob.words": False,
    }
    assert "- `verbs.frob.weak`: **nothing**" in (tmp_path / "out" / "zoo.md").read_text()
