"""Pods are started while the first scripts are played, kept warm, and replaced when they fail."""

import asyncio
from collections.abc import Callable

import pytest

from conformance.cases.attempt import Outcome, Played
from conformance.cases.script import Script
from conformance.errors import EngineGone, WorldError
from conformance.pod.base import PodFailure
from conformance.pod.installation import Installation
from conformance.pod.record import Packages, Record
from conformance.targets import pool as module
from conformance.targets.plan import Plan
from conformance.targets.pool import Job, PodPool
from conformance.targets.target import Target
from tests.agents import on_a_loop

HERE, THERE, ELSEWHERE = (Target(name, "stock") for name in ("here", "there", "elsewhere"))


UPGRADED = Packages(at=0.0, step="upgrade", seen=Installation())


class Pod:
    """Says what came of a script by the script's name; "dies" is its own end, and else a case is met."""

    def __init__(self, engine: "Engine", target: Target) -> None:
        self._engine = engine
        self.target = target.name
        self.played: list[str] = []
        self.disposed = 0

    async def play(self, script: Script) -> Played:
        self.played.append(script.function)
        self._engine.playing.set()
        await self._engine.lets_play.wait()
        if script.function == "dies":
            raise PodFailure("the internet container ended")
        outcomes: dict[str, Outcome] = {"invalid": "invalid", "unmet": "unmet"}
        record = Record((UPGRADED,) if script.function == "upgrades" else ())
        return Played(record, outcomes.get(script.function, "met"), "", 0.0)

    async def dispose(self) -> None:
        self.disposed += 1


class Engine:
    """Starts pods, or fails with its `failures` first; its events hold starts and plays back."""

    def __init__(self, *failures: Exception) -> None:
        self.pods: list[Pod] = []
        self.failures = list(failures)
        self.starting, self.playing, self.lets_start, self.lets_play = (asyncio.Event() for _ in range(4))
        self.lets_start.set()
        self.lets_play.set()
        self.starts = self.most_starts = 0

    async def start(self, target: Target, plan: Plan) -> Pod:
        self.starting.set()
        self.starts += 1
        self.most_starts = max(self.most_starts, self.starts)
        try:
            await asyncio.sleep(0)
            await self.lets_start.wait()
        finally:
            self.starts -= 1
        if self.failures:
            raise self.failures.pop(0)
        self.pods.append(Pod(self, target))
        return self.pods[-1]

    @property
    def done(self) -> list[tuple[list[str], int]]:
        """What each pod has played, and how often it was taken down."""
        return [(pod.played, pod.disposed) for pod in self.pods]


Make = Callable[..., tuple[PodPool, Engine]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A pool of a size, and the engine that gives it pods."""

    def made(size: int, *failures: Exception) -> tuple[PodPool, Engine]:
        engine = Engine(*failures)
        monkeypatch.setattr("conformance.targets.pool.start", engine.start)
        return PodPool(Plan(()), size), engine

    return made


def submitted(pool: PodPool, *names: str, target: Target = HERE) -> list[Job]:
    return [pool.submit(target, Script("m", name)) for name in names]


async def catch_up() -> None:
    """Turns of the loop in which all is done that waits for nothing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def outcomes(jobs: list[Job]) -> list[str]:
    return [(await job.played).outcome for job in jobs]


@on_a_loop
async def test_quick_ones_come_from_the_back_and_those_that_wait_from_the_front(make: Make) -> None:
    pool, engine = make(2)
    jobs = submitted(pool, "waits 1", "waits 2", "waits 3", "quick 1", "quick 2")
    assert await outcomes(jobs) == ["met"] * 5
    first, second = engine.pods
    assert first.played[:2] == ["quick 2", "quick 1"]
    assert second.played[:2] == ["waits 1", "waits 2"]


@on_a_loop
async def test_each_target_has_pods_of_its_own_and_no_more_than_its_size(make: Make) -> None:
    pool, engine = make(2)
    engine.lets_play.clear()
    jobs = submitted(pool, *"abcd") + submitted(pool, *"efgh", target=THERE)
    await catch_up()
    # The first up plays while the others start, one after the other.
    played = sorted((pod.target, len(pod.played)) for pod in engine.pods)
    assert played == [("here", 1)] * 2 + [("there", 1)] * 2
    assert engine.most_starts == 1
    engine.lets_play.set()
    assert await outcomes(jobs) == ["met"] * 8
    for pod in engine.pods:
        assert set(pod.played) <= set("abcd" if pod.target == "here" else "efgh")
    assert len(engine.pods) == 4


@on_a_loop
async def test_a_pod_is_kept_warm_and_one_on_which_a_case_was_invalid_is_replaced(make: Make) -> None:
    pool, engine = make(1)
    assert await outcomes(submitted(pool, "a", "unmet")) == ["met", "unmet"]
    await catch_up()
    assert await outcomes(submitted(pool, "b")) == ["met"]
    assert await outcomes(submitted(pool, "c", "invalid")) == ["met", "invalid"]
    assert engine.done == [(["unmet", "a", "b", "invalid"], 1), (["c"], 0)]


@on_a_loop
async def test_a_pod_whose_packages_were_upgraded_is_replaced(make: Make) -> None:
    pool, engine = make(1)
    assert await outcomes(submitted(pool, "a", "upgrades")) == ["met", "met"]
    assert engine.done == [(["upgrades"], 1), (["a"], 0)]


@on_a_loop
async def test_a_pod_that_cannot_be_had_or_dies_fails_one_job_and_the_next_has_another(make: Make) -> None:
    pool, engine = make(1, WorldError("no engine"), PodFailure("not up"))
    jobs = submitted(pool, "met", "dies", "b", "c")
    for job, failure in zip(reversed(jobs), ("no engine", "not up", "container ended"), strict=False):
        with pytest.raises((WorldError, PodFailure), match=failure):
            await job.played
    assert await outcomes(jobs[:1]) == ["met"]
    assert engine.done == [(["dies"], 1), (["met"], 0)]
    pool, engine = make(2, PodFailure("no"), PodFailure("no"))
    submitted(pool, "a", "b")
    await catch_up()
    assert engine.pods == [], "no job is left for one"


@on_a_loop
async def test_an_engine_that_comes_back_costs_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 0)
    pool, engine = make(2, *[EngineGone("no engine answers")] * 5)
    jobs = submitted(pool, *"abcd")
    assert await outcomes(jobs) == ["met"] * 4
    engine.failures = [EngineGone("no engine answers")]
    assert (await pool.played(jobs[0], again=True)).outcome == "met"


@on_a_loop
async def test_an_engine_that_is_gone_for_too_long_fails_all_that_is_left_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is asked once more, not once for each job and each attempt at it."""
    monkeypatch.setattr(module, "AGAIN", 0)
    pool, engine = make(2)
    assert await outcomes(submitted(pool, "a", "b")) == ["met"] * 2
    monkeypatch.setattr(module, "GONE", 0)
    engine.failures = [EngineGone("no engine answers")]
    [died, *jobs] = submitted(pool, "c", "d", "e", "dies")
    for job in (died, *jobs, died):
        with pytest.raises((WorldError, PodFailure)):
            await pool.played(job, again=job.played.done())
    assert engine.failures == []
    with pytest.raises(WorldError, match="no engine answers; it has been gone for 0 s"):
        await submitted(pool, "f")[0].played
    with pytest.raises(WorldError, match="gone for 0 s"):
        await pool.played(died, again=True)


@on_a_loop
async def test_a_mistake_of_ours_fails_one_job_and_nobody_waits_for_ever(make: Make) -> None:
    pool, _ = make(1, KeyError("oops"))
    first, second = submitted(pool, "a", "b")
    await catch_up()
    assert isinstance(second.played.done() and second.played.exception(), KeyError)
    assert await outcomes([first]) == ["met"]


@on_a_loop
async def test_what_is_played_again_is_on_a_pod_of_its_own_and_the_first_plays_no_more(make: Make) -> None:
    pool, engine = make(1)
    engine.lets_play.clear()
    [waiting, playing] = submitted(pool, "a", "b")
    await engine.playing.wait()
    again = [asyncio.create_task(pool.played(job, again=True)) for job in (waiting, playing)]
    await catch_up()
    assert engine.done == [(["b"], 0), (["a"], 0), (["b"], 0)], "what it plays it may end"
    engine.lets_play.set()
    assert [(await task).outcome for task in again] == ["met", "met"]
    assert await outcomes([waiting, playing]) == ["met", "met"]
    await catch_up()
    assert engine.done == [(["b"], 1), (["a"], 1), (["b"], 1), (["a"], 0)]
    await pool.played(waiting, again=True)
    await pool.played(waiting, again=True)  # its own is idle the first time, and gone the second
    assert engine.done[3:] == [(["a"], 1)] * 3
    assert await outcomes(submitted(pool, "c")) == ["met"]
    assert engine.done[6:] == [(["c"], 0)]


@on_a_loop
async def test_a_pod_whose_job_is_played_again_as_soon_as_it_ended_plays_nothing_more(make: Make) -> None:
    pool, engine = make(1)
    [after, job] = submitted(pool, "after", "a")
    assert (await pool.played(job)).outcome == "met"
    assert (await pool.played(job, again=True)).outcome == "met"
    assert await outcomes([after]) == ["met"]
    assert sorted(engine.done) == [(["a"], 1), (["a"], 1), (["after"], 0)]
    [job] = submitted(pool, "dies")
    for again in (False, True):
        with pytest.raises(PodFailure, match="ended"):
            await pool.played(job, again=again)
    assert engine.done[3:] == [(["dies"], 1)], "one of its own is taken down too"


@pytest.mark.parametrize("turns", range(4))
@on_a_loop
async def test_a_job_that_comes_as_the_last_one_ends_is_played(make: Make, turns: int) -> None:
    pool, _ = make(1)
    assert await outcomes(submitted(pool, "a")) == ["met"]
    for _ in range(turns):
        await asyncio.sleep(0)
    [job] = submitted(pool, "b")
    await catch_up()
    assert job.played.done()


@on_a_loop
async def test_all_pods_are_taken_down_once_whatever_they_do(make: Make) -> None:
    pool, engine = make(1)
    assert await outcomes(submitted(pool, "idle")) == ["met"]
    for event in (engine.playing, engine.starting, engine.lets_play):
        event.clear()
    left = submitted(pool, "waits", "plays", target=THERE)
    await engine.playing.wait()
    engine.starting.clear()
    engine.lets_start.clear()
    left += submitted(pool, "starts", target=ELSEWHERE)
    await engine.starting.wait()
    await pool.dispose()
    assert engine.starts == 0, "what was starting has been cancelled"
    assert engine.done == [(["idle"], 1), (["plays"], 1)]
    assert [job.script.function for job in left if job.played.done()] == ["plays"], "who waits hears of it"
