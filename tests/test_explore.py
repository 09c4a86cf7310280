"""Explore: a seed finds the same, a difference is believed when it comes again, and is shrunk as itself."""

import asyncio
import json
import re
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from conformance.cli import main
from conformance.errors import WorldError
from conformance.explore.areas import AREAS
from conformance.explore.campaign import Wish, explored
from conformance.explore.differences import Difference
from conformance.explore.document import Made, made
from conformance.explore.exploring import Budget, Exploration
from conformance.explore.finding import Cause, Finding, features, find
from conformance.explore.judging import AgainstBuild, AgainstModel, Judge, Judged, between
from conformance.explore.playing import ReferenceSide
from conformance.explore.stream import BATCH, Stream
from conformance.explore.tally import Tally
from conformance.pod import record as acts
from conformance.pod.mailboxes import load_users
from conformance.pod.observation import Observation
from conformance.pod.record import Record
from conformance.report.explored import seen
from conformance.targets.names import model_of, name_of_model, parse_target
from conformance.targets.plan import Plan
from conformance.targets.target import Target
from tests.schemas import faults, spoilt


def side(name: str) -> ReferenceSide:
    return ReferenceSide(parse_target(name))


def explore(judge: Judge, area: str, sessions: int) -> tuple[list[Finding], Tally]:
    """The findings, each once, and the tally of one stream."""
    exploration = Exploration(judge, Stream(area, "1"), 1)

    async def run() -> tuple[list[Finding], Tally]:
        found: dict[Cause, Finding] = {}
        whole = Tally()
        async for each in exploration.run(Budget(sessions=sessions)):
            if isinstance(each, Tally):
                whole.add(each)
            else:
                found.setdefault(each.cause, each)
        return list(found.values()), whole

    return asyncio.run(run())


@pytest.mark.parametrize("area", AREAS)
def test_the_reference_does_not_differ_from_itself(area: str) -> None:
    findings, tally = explore(AgainstModel(side("reference-ppa"), side("reference-ppa")), area, 60)
    assert findings == []
    assert (tally.sessions, tally.failed, tally.differing) == (60, 0, 0), tally.reasons
    assert len(tally.reached) > 20


def test_the_same_seed_makes_the_same_scenarios_whatever_the_build_does() -> None:
    def documents(build: str, seed: str) -> list[object]:
        judge = AgainstModel(side(build), side("reference-ppa"))
        stream = Stream("smtp", seed)

        async def grow() -> list[object]:
            made: list[object] = []
            for _ in range(3):
                for each in stream.batch(20):
                    made.append(each.document)
                    stream.learn(each, set((await judge.judge(each)).sights))
            return made

        return asyncio.run(grow())

    same = documents("reference-ppa", "1")
    assert documents("reference-ppa~0006.dropped", "1") == same
    assert documents("reference-ppa", "2") != same


def test_a_flaw_is_found_shrunk_and_written_as_a_scenario(tmp_path: Path) -> None:
    words = ["explore", "reference-ppa~0006.dropped", "--area", "smtp", "--sessions", "80", "--seed", "1"]
    status = main([*words, "-n", "2", "--out", str(tmp_path)])
    assert status == 1
    report = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert faults("explore-1", report) == []
    assert report["complete"]
    finding = report["findings"][0]
    assert finding["difference"]["left"] == "qmail: 502 unimplemented (#5.5.1)"
    assert finding["scenario"].count("\n>") == 1
    scenario = str(tmp_path / finding["file"])
    assert main(["try", scenario, "--target", "reference-ppa"]) == 0
    assert main(["try", scenario, "--target", "reference-ppa~0006.dropped"]) == 1


def test_what_is_taken_away_with_a_table_is_no_scenario_and_no_password_is_written(tmp_path: Path) -> None:
    words = ["explore", "reference-ppa~0008.log-credentials", "--area", "auth", "--sessions", "60"]
    assert main([*words, "--seed", "2", "-n", "1", "--out", str(tmp_path)]) == 1
    written = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    tokens = [f"\0{name}\0{user.password}" for name, user in load_users().items()]
    assert not [
        each for each in map(str.encode, tokens) if any(b64encode(each).decode() in text for text in written)
    ]


def test_what_explores_is_ours_whatever_stands_where_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "reference-ppa", "--area", "smtp", "--sessions", "2", "-n", "1"]) == 0


def test_what_was_found_before_a_worker_dies_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dying(*_: object) -> Iterator[Finding]:
        yield Finding(ONE, ("NOOP",), "smtp", 1, 2, 'session = "> NOOP\\n"\n', {"session": "> NOOP\n"}, ())
        raise WorldError("a process that explores died")

    monkeypatch.setattr("conformance.explore.campaign.explored", dying)
    assert main(["explore", "reference-ppa", "--sessions", "9", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "1 finding" in told.out
    assert "a process that explores died" in told.err
    assert not json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))["complete"]


def test_what_is_known_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explore", "reference-ppa~0006.dropped", "--area", "smtp", "--sessions", "40", "-n", "1"]
    assert main([*words, "--seed", "1", "--out", str(tmp_path / "first")]) == 1
    capsys.readouterr()
    again = [*words, "--seed", "2", "--known", str(tmp_path / "first"), "--out", str(tmp_path / "second")]
    assert main(again) == 0
    assert "that show what is known" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "second").iterdir()) == ["findings.html", "findings.json"]
    # Of several all are known, and one that found nothing is one, too.
    third = [*words, "--seed", "3", *(f"--known={tmp_path / name}" for name in ("first", "second"))]
    assert main([*third, "--out", str(tmp_path / "third")]) == 0
    assert main([*third, "--known", str(tmp_path), "--out", str(tmp_path / "fourth")]) == 2
    assert "there is no scenario in it" in capsys.readouterr().err
    (tmp_path / "alone").mkdir()
    for scenario in (tmp_path / "first").glob("*.toml"):
        scenario.rename(tmp_path / "alone" / scenario.name)
    alone = [*words, "--seed", "3", "--known", str(tmp_path / "alone")]
    assert main([*alone, "--out", str(tmp_path / "sixth")]) == 0
    assert main([*third, "--out", str(tmp_path / "fifth")]) == 2
    assert "of a finding is gone" in capsys.readouterr().err
    (tmp_path / "first" / "findings.json").write_text("{")
    assert main([*third, "--out", str(tmp_path / "fifth")]) == 2
    assert "no exploration: " in capsys.readouterr().err


def test_on_a_terminal_a_line_tells_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explore", "reference-ppa~0006.dropped", "--area", "smtp", "--sessions", "40", "-n", "1"]
    words += ["--seed", "1"]
    assert main([*words, "--out", str(tmp_path / "first")]) == 1
    assert "\r" not in capsys.readouterr().err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: True)
        assert main([*words, "--out", str(tmp_path / "second")]) == 1
    told = capsys.readouterr().err
    assert re.search(r"\r\d+ sessions in \d+ s, \d+ findings? ", told)
    assert "\r\x1b[Kfound in smtp: " in told


def test_a_finding_in_the_log_alone_is_a_scenario_that_fails_there(tmp_path: Path) -> None:
    words = ["explore", "reference-ppa~smtpd.log-no-address", "--area", "smtp", "--sessions", "16"]
    assert main([*words, "--seed", "1", "-n", "1", "--out", str(tmp_path)]) == 1
    (first, *_) = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))["findings"]
    scenario = tmp_path / first["file"]
    assert first["difference"]["channel"] == "log"
    head = "try FILE '--target=reference-ppa~smtpd.log-no-address' --target=reference-ppa"
    assert head.replace("FILE", scenario.name) in scenario.read_text(encoding="utf-8")
    assert main(["try", str(scenario), "--target", "reference-ppa"]) == 0
    assert main(["try", str(scenario), "--target", "reference-ppa~smtpd.log-no-address"]) == 1


def test_what_an_exploration_has_written_is_not_lost_to_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explore", "reference-ppa~0006.dropped", "--area", "smtp", "--sessions", "16", "-n", "1"]
    out = str(tmp_path / "one")
    assert main([*words, "--seed", "1", "--out", out]) == 1
    written = (tmp_path / "one" / "findings.json").read_bytes()
    assert main([*words, "--seed", "2", "--out", out]) == 2
    assert "it is of seed 1, and this would be of 2\n" in capsys.readouterr().err
    assert main([*words[:1], "reference-ppa", *words[2:], "--seed", "1", "--out", out]) == 2
    there = "it is of targets reference-ppa~0006.dropped, and this would be of reference-ppa\n"
    assert there in capsys.readouterr().err
    assert main([*words, "--seed", "1", "--out", out]) == 2
    assert "1 finding of an earlier exploration" in capsys.readouterr().err
    assert main([*words, "--seed", "1", "--known", out, "--out", out]) == 2
    assert "it is the --out of this exploration" in capsys.readouterr().err
    assert (tmp_path / "one" / "findings.json").read_bytes() == written


def test_each_batch_is_told_of_so_that_a_stop_loses_no_count() -> None:
    build = parse_target("reference-ppa")
    (task, *_) = Wish(Plan((build,)), (model_of(build),), ("smtp",), 3, sessions=1920).tasks(1)
    tallies = [each for each in explored([task], 1) if isinstance(each, Tally)]
    assert [tally.sessions for tally in tallies] == [50, 50, 20]


@pytest.mark.parametrize("name", ["reference-ppa", "model-ppa", "model-stock", "model@0004,0006"])
def test_a_model_has_a_name_that_any_command_takes(name: str) -> None:
    target = parse_target(name)
    assert name_of_model(model_of(target)) == name
    build = Target("debs:x", "debs", target.patches, packages=target.packages)
    assert parse_target(name_of_model(model_of(build))).flaws == model_of(build).flaws


def test_however_many_workers_find_the_same() -> None:
    build = parse_target("reference-ppa~smtpd.open-relay")
    wish = Wish(Plan((build,)), (model_of(build),), ("smtp",), 3, sessions=96)

    def found(workers: int) -> dict[Cause, str]:
        return {
            each.cause: each.scenario
            for each in explored(wish.tasks(workers), workers)
            if isinstance(each, Finding)
        }

    first = found(1)
    assert first
    assert set(found(2)) == set(first)


class Scripted:
    """Differs as it is told, play after play."""

    def __init__(self, differences: Iterator[tuple[Difference, ...] | WorldError]) -> None:
        self.left = self.right = side("reference-ppa")
        self.is_instant = True
        self.fresh: list[bool] = []
        self._differences = differences

    async def judge(self, made: Made, *, fresh: bool = False) -> Judged:
        self.fresh.append(fresh)
        found = next(self._differences)
        if isinstance(found, WorldError):
            raise found
        return Judged(found, Record(), Record())


ONE = Difference("smtpd", "qmail: 250 ok", "qmail: 550 no")


def test_a_difference_that_does_not_come_again_in_a_fresh_pod_is_none() -> None:
    judge = Scripted(iter([(ONE,), (), (ONE,), ()]))
    findings, tally = explore(judge, "smtp", 2)
    assert findings == []
    assert (tally.unstable, tally.differing, tally.doubtful) == (1, 1, [str(ONE)])
    assert judge.fresh == [False, False, True, True]


@pytest.mark.parametrize(("deadline", "plays", "shrunk"), [(0.0, 2, False), (None, 4, True)])
def test_when_the_time_is_up_nothing_is_made_smaller_and_the_finding_says_so(
    deadline: float | None, plays: int, shrunk: bool
) -> None:
    """Two chats are tried alone otherwise, and their one line cannot go."""
    judge = Scripted(iter([(ONE,), (ONE,), (), ()]))
    one = made({"session": ["> NOOP\n", "> NOOP\n"]})
    found = asyncio.run(find(judge, one, ONE, frozenset(), ("smtp", 1, 1), deadline))
    assert found is not None
    assert (len(judge.fresh), found.shrunk) == (plays, shrunk)
    assert ("the time was up" in seen(found)) is not shrunk


def test_a_world_that_fails_is_no_finding() -> None:
    broken = WorldError("no engine")
    findings, tally = explore(Scripted(iter([broken, broken, broken])), "smtp", 3)
    assert findings == []
    assert (tally.sessions, tally.failed, tally.reasons) == (3, 3, ["no engine"])


class Slow:
    """Does not come to the end of its first scenario before it has begun one of the next batch."""

    def __init__(self) -> None:
        self.left = self.right = side("reference-ppa")
        self.is_instant = False
        self.begun: list[Made] = []
        self._next_batch = asyncio.Event()

    async def judge(self, made: Made, *, fresh: bool = False) -> Judged:
        self.begun.append(made)
        if len(self.begun) > BATCH:
            self._next_batch.set()
        if made is self.begun[0]:
            await asyncio.wait_for(self._next_batch.wait(), 30)
        return Judged((), Record(), Record())


def test_a_scenario_that_waits_does_not_hold_up_the_next_batch() -> None:
    judge = Slow()

    async def run() -> list[int]:
        exploration = Exploration(judge, Stream("smtp", "1"), 1, at_a_time=2)
        tallies = [each async for each in exploration.run(Budget(sessions=2 * BATCH + 1))]
        return [each.sessions for each in tallies if isinstance(each, Tally)]

    assert asyncio.run(run()) == [BATCH, BATCH, 1]
    assert len(judge.begun) == 2 * BATCH + 1


def test_what_is_under_way_is_dropped_with_the_exploration() -> None:
    judge = Slow()

    async def run() -> int:
        exploration = Exploration(judge, Stream("smtp", "1"), 1, at_a_time=2)
        batches = cast(AsyncGenerator[object], exploration.run(Budget(sessions=10 * BATCH)))
        await anext(batches)
        await batches.aclose()
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


def test_what_waits_for_its_turn_when_the_time_is_up_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real builds wait: a batch that is drawn in time may take long."""
    judge = Slow()
    now = iter(range(10**6))
    monkeypatch.setattr("conformance.explore.exploring.time", SimpleNamespace(monotonic=lambda: next(now)))

    async def judged(made: Made, *, fresh: bool = False) -> Judged:
        judge.begun.append(made)
        return Judged((), Record(), Record())

    monkeypatch.setattr(judge, "judge", judged)

    async def run() -> int:
        exploration = Exploration(judge, Stream("smtp", "1"), 1, at_a_time=2)
        tallies = [each async for each in exploration.run(Budget(seconds=5))]
        return sum(each.sessions for each in tallies if isinstance(each, Tally))

    assert asyncio.run(run()) == len(judge.begun) < 6


def test_however_short_the_time_is_something_is_played() -> None:
    both = side("reference-ppa")

    async def run() -> int:
        exploration = Exploration(AgainstModel(both, both), Stream("smtp", "1"), 1)
        tallies = [each async for each in exploration.run(Budget(seconds=1e-9))]
        return sum(each.sessions for each in tallies if isinstance(each, Tally))

    assert asyncio.run(run()) == 1


def test_what_was_played_is_told_before_what_it_finds() -> None:
    """Whoever stops it then has counted the sessions of the finding."""
    judge = AgainstModel(side("reference-ppa~0006.dropped"), side("reference-ppa"))

    async def run() -> list[object]:
        return [each async for each in Exploration(judge, Stream("smtp", "1"), 1).run(Budget(sessions=50))]

    first, *rest = asyncio.run(run())
    assert isinstance(first, Tally)
    assert (first.sessions, first.differing > 0) == (50, True)
    assert isinstance(rest[0], Finding)


def test_what_the_models_differ_in_is_set_apart() -> None:
    models = side("reference-stock"), side("reference-ppa")
    findings, tally = explore(
        AgainstBuild(side("reference-stock"), side("reference-ppa"), models), "smtp", 40
    )
    assert tally.explained
    assert not findings
    flawed = AgainstBuild(side("reference-stock~smtpd.open-relay"), side("reference-ppa"), models)
    findings, _ = explore(flawed, "smtp", 60)
    assert findings


def test_where_mail_begets_mail_on_both_sides_nothing_is_compared() -> None:
    def sent(messages: int) -> Record:
        log = [f"new msg {number}" for number in range(messages)]
        return Record(
            (acts.WaitUntilIdle(at=0.0, idle=True), acts.Observe(at=1.0, seen=Observation(log=log)))
        )

    assert not between(sent(250), sent(300), is_instant=False)
    assert between(sent(5), sent(300), is_instant=False)
    assert between(sent(5), sent(6), is_instant=False)


def test_features_are_verbs_and_keys() -> None:
    document = {
        "session": ["> ehlo x\n< *\n> FROB\n", "> AUTH PLAIN =\n"],
        "control": {"me": "x"},
        "exchanger": [{"address": "127.0.0.2"}],
        "delivering": True,
    }
    assert features(document) == (
        "AUTH PLAIN", "EHLO", "another command", "control.me", "delivering", "exchanger.address"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reference-ppa", "--area", "smpt"], "there is no area 'smpt'"),
        (["reference-ppa", "--sessions", "0"], "nothing is explored in no time"),
        (["reference-ppa", "--seconds", "nan"], "nan is no time at all"),
        (["reference-ppa", "--seconds", "1e300"], "more than anybody waits for"),
        (["reference-ppa", "--against", "reference-ppa"], "it is the target itself"),
        (["reference-ppa", "--known", "/nowhere"], "there is no such directory"),
        (["nothing"], "there is no target"),
    ],
)
def test_a_wrong_use_is_said(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_schema_refuses_what_is_spoilt(tmp_path: Path) -> None:
    words = ["explore", "reference-ppa~0006.dropped", "--area", "smtp", "--sessions", "20", "--seed", "1"]
    assert main([*words, "-n", "1", "--out", str(tmp_path)]) == 1
    report = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    report = {**report, "reached": {}, "findings": report["findings"][:1]}
    for target in report["targets"]:
        target.pop("flaws", None)  # that it has none need not be said
    for wrong in spoilt(report):
        assert faults("explore-1", wrong), wrong


def test_a_finding_crosses_to_json_and_back() -> None:
    finding = Finding(ONE, ("NOOP",), "smtp", 1, 2, "session = ''", {"session": ""}, ())
    assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding
    assert replace(finding, times=3) == finding.again(2)


def test_where_there_is_a_time_workers_have_few_streams_to_end() -> None:
    target = parse_target("reference-ppa")
    wish = Wish(Plan((target,)), (target,), ("smtp",), 1, seconds=60)
    assert [task.budget.seconds for task in wish.tasks(2)] == [60, 60]
    assert len(replace(wish, seconds=None, sessions=1600).tasks(2)) == 16
