"""The pytest plugin: runs each case against each target and turns what came of it into verdicts.

It is thin: a case is run by `cases.attempt`, judged by `judge.expectation`. In a worker process of
pytest-xdist the verdict travels with the test report; the controller hands it to whoever listens.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Generator
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.attempt import Attempt, Played, handle_names, judge, replay
from conformance.cases.collection import all_requirements
from conformance.cases.script import script_of
from conformance.catalogue import Requirement
from conformance.catalogue.requirements import Case
from conformance.errors import ConformanceError, UsageError
from conformance.judge.deviations import Deviation, load_deviations
from conformance.judge.expectation import expect, judged, meaning
from conformance.judge.runfile import read_run, verdict_line
from conformance.judge.verdict import Verdict, VerdictName
from conformance.pod.base import PodFailure
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets
from conformance.targets.plan import Plan
from conformance.targets.pool import Job, PodPool
from conformance.targets.ready import IMAGE_OPTIONS, Images, make_ready
from conformance.targets.target import Target

PLAN = pytest.StashKey[Plan]()
WORKER = pytest.StashKey["Worker"]()
VERDICT = pytest.StashKey[str]()
SHARES = pytest.StashKey[dict[Any, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "qmail conformance")
    group.addoption(
        "--target", action="append", default=[], help="a qmail to judge; may be given more than once"
    )
    group.addoption(
        "--patch", action="append", default=[], help="only the requirements of this patch (0005, base)"
    )
    group.addoption(
        "--no-repeat", action="store_true", help="do not repeat an unexpected verdict in a fresh pod"
    )
    group.addoption("--pods", type=int, default=4, help="how many pods of each target there are (4)")
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.addoption(option, default=None, help=f"{what} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--pods") < 1:
        raise pytest.UsageError("--pods: at least one pod is needed")
    config.addinivalue_line("markers", "requirement(name, role): the case that decides a requirement")
    config.addinivalue_line("markers", "patch(number): a case of this patch")
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None and "conformance" in worker_input:
        config.stash[PLAN] = Plan.loads(worker_input["conformance"])
    elif config.getoption("--target"):
        try:
            config.stash[PLAN] = make_ready(config.getoption("--target"), Images.chosen(config.getoption))
        except ConformanceError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the plan to a worker process (pytest-xdist), and its share where it runs all that it collects."""
    node.workerinput["conformance"] = _plan(node.config).dumps()
    if node.config.getoption("dist") == "each":
        shares = node.config.stash.setdefault(SHARES, {})
        workers = node.workerinput["workercount"]
        shares[node] = min(set(range(workers)) - set(shares.values()))
        node.workerinput["share"] = (shares[node], workers)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """The worker that takes the place of one that died takes its share as well."""
    if error:
        node.config.stash.setdefault(SHARES, {}).pop(node, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker runs its own share, also the one in the place of another."""
    if config.getoption("dist") != "each":
        return None
    from conformance.shares import ShareScheduling

    return ShareScheduling(config, log)


def _plan(config: pytest.Config) -> Plan:
    if PLAN not in config.stash:
        config.stash[PLAN] = make_ready(["reference-stock", "reference-ppa"], Images())
    return config.stash[PLAN]


@pytest.fixture
def internet() -> None:
    """The handle is made for each attempt; the fixture only gives its name."""


@pytest.fixture
def qmail() -> None:
    """The handle is made for each attempt; the fixture only gives its name."""


def _requirement(function: Any) -> Requirement | None:
    found = getattr(function, "requirement", None)
    return found if isinstance(found, Requirement) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if _requirement(metafunc.function) is not None:
        names = [target.name for target in _plan(metafunc.config).targets]
        metafunc.fixturenames.append("conformance_target")
        metafunc.parametrize("conformance_target", names, ids=names)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    patches = set(config.getoption("--patch"))
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        requirement = _requirement(getattr(item, "function", None))
        if requirement is None:
            kept.append(item)
            continue
        item.add_marker(pytest.mark.requirement(name=requirement.name, role=requirement.role))
        item.add_marker(pytest.mark.patch(number=requirement.patch))
        item.extra_keyword_matches.update((requirement.name, requirement.role, requirement.level))
        wanted = not patches or requirement.patch in patches
        (kept if wanted and _is_stored(config, item, requirement) else left_out).append(item)
    # The quick ones first; and each worker has its share of those that wait on each target.
    kept.sort(key=_waits)
    share, workers = getattr(config, "workerinput", {}).get("share", (0, 1))
    targets = len(_plan(config).targets)
    items[:] = [item for number, item in enumerate(kept) if number // targets % workers == share]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def _waits(item: pytest.Item) -> int:
    """Seconds for which a case waits for qmail."""
    requirement = _requirement(getattr(item, "function", None))
    return requirement.waits if requirement is not None else 0


def _is_stored(config: pytest.Config, item: pytest.Item, requirement: Requirement) -> bool:
    """A stored run is judged again as far as it goes, and no further."""
    worker = _worker(config)
    target = _target(item)
    return target.name not in worker.plan.stored or requirement.name in worker.stored(target.name)


def _target(item: pytest.Item) -> Target:
    callspec: Any = getattr(item, "callspec")  # noqa: B009 (pytest gives it to parametrized items only)
    return _plan(item.config).target(callspec.params["conformance_target"])


class Worker:
    """What one process keeps between cases: an event loop, pods, what they have played, the deviations."""

    def __init__(self, config: pytest.Config) -> None:
        self.plan = _plan(config)
        self.repeat = not config.getoption("--no-repeat")
        self.runner = asyncio.Runner()
        # Of the items that pytest-xdist hands out one by one it is not known which are this worker's.
        self.ahead = "share" in getattr(config, "workerinput", {"share": None})
        share, workers = getattr(config, "workerinput", {}).get("share", (0, 1))
        pods = (config.getoption("--pods") + workers - 1 - share) // workers  # this worker's part of them
        self.pool = PodPool(self.plan, max(1, pods) if self.ahead else 1)
        self._jobs: dict[pytest.Item, Job] = {}
        self._deviations: list[Deviation] | None = None
        self._stored: dict[str, dict[str, Verdict]] = {}

    @property
    def deviations(self) -> list[Deviation]:
        if self._deviations is None:
            self._deviations = load_deviations(all_requirements())
        return self._deviations

    def stored(self, target: str) -> dict[str, Verdict]:
        if target not in self._stored:
            run = read_run(Path(self.plan.stored[target]))
            self._stored[target] = {verdict.requirement: verdict for verdict in run.verdicts}
        return self._stored[target]

    async def decide(self, item: pytest.Function, requirement: Requirement) -> tuple[Verdict, Attempt]:
        """Judge what was played; an unexpected verdict is repeated in a fresh pod before it is believed."""
        __tracebackhide__ = True
        target = _target(item)
        expectation = expect(requirement, target, self.deviations)
        if target.name in self.plan.stored:
            stored = self.stored(target.name)[requirement.name]
            attempts = [await replay(item.function, stored.record or Record(), fixture_secrets())]
            attempts[0].seconds = stored.seconds
        else:
            job = self._submitted(item)
            attempts = [await _judged(item.function, job.played)]
            while self.repeat and _is_doubtful([one.outcome for one in attempts], expectation.verdict):
                await self.pool.retire(job)
                again = self.pool.play_in_a_fresh_pod(target, job.script)
                attempts.append(await _judged(item.function, again))
        last = attempts[-1]
        verdict = judged(
            requirement,
            expectation,
            [one.outcome for one in attempts],
            seconds=last.seconds,
            seen=last.seen,
            record=last.record,
        )
        return verdict, last

    def _submitted(self, item: pytest.Function) -> Job:
        """The job of an item; with the first, all that this worker will judge is handed to the pods."""
        if item not in self._jobs:
            # From the back: those that wait come first, and a pod that begins at the end goes as we judge.
            for each in reversed(item.session.items if self.ahead else [item]):
                case: Any = getattr(each, "function", None)
                if _requirement(case) is not None and each not in self._jobs:
                    target = _target(each)
                    if target.name not in self.plan.stored:
                        self._jobs[each] = self.pool.submit(target, script_of(case))
        return self._jobs[item]

    def close(self) -> None:
        self.runner.run(self.pool.dispose())
        self.runner.close()


async def _judged(case: Case, playing: Awaitable[Played]) -> Attempt:
    """What the case says of what is being played."""
    __tracebackhide__ = True
    try:
        played = await playing
    except (PodFailure, ConformanceError) as error:
        return Attempt("invalid", str(error), error=error)
    except Exception as error:  # a mistake of ours says nothing about qmail either
        return Attempt("invalid", f"it cannot be played: {type(error).__name__}: {error}", error=error)
    return await judge(case, played, fixture_secrets())


def _is_doubtful(attempts: list[VerdictName], expected: VerdictName) -> bool:
    """Whether another attempt is needed: an unexpected verdict is believed when it comes twice.

    An attempt in which the world failed says nothing; after three the world is given up.
    """
    if attempts[-1] in (expected, "unsupported") or len(attempts) == 3:
        return False
    said = [one for one in attempts if one != "invalid"]
    return len(said) < 2


def _worker(config: pytest.Config) -> Worker:
    if WORKER not in config.stash:
        config.stash[WORKER] = Worker(config)
    return config.stash[WORKER]


def pytest_unconfigure(config: pytest.Config) -> None:
    if WORKER in config.stash:
        config.stash[WORKER].close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    requirement = _requirement(pyfuncitem.function)
    if requirement is None:
        return None
    if set(handle_names(pyfuncitem.function)) - {"internet", "qmail"}:
        raise UsageError(f"{requirement.name}: a case takes the handles internet and qmail, and nothing else")
    worker = _worker(pyfuncitem.config)
    verdict, last = worker.runner.run(worker.decide(pyfuncitem, requirement))
    pyfuncitem.stash[VERDICT] = verdict_line(verdict)
    _tell_pytest(verdict, last)
    return True


def _tell_pytest(verdict: Verdict, last: Attempt) -> None:
    """The outcome for people who live in pytest: what is as expected passes or is an expected failure."""
    if verdict.verdict == "unsupported":
        pytest.skip(last.seen)
    if verdict.standing == "unstable":
        warnings.warn(f"{verdict.requirement}: {meaning(verdict)}", stacklevel=1)
        return
    if verdict.as_expected:
        if verdict.verdict == "unmet":
            why = (
                verdict.deviation["reason"]
                if verdict.deviation
                else f"the target does not claim {verdict.patch}"
            )
            pytest.xfail(why)
        return
    world = (PodFailure, ConformanceError, TimeoutError)
    if isinstance(last.error, Exception) and not isinstance(last.error, world):
        raise last.error
    pytest.fail(f"{verdict.requirement}: {meaning(verdict)}. {last.seen}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call" and VERDICT in item.stash:
        report.conformance = item.stash[VERDICT]
        report.conformance_target = _target(item).name
    return report
