"""The pytest plugin: runs each case against each target and turns what came of it into verdicts.

It is thin: a case is run by `cases.attempt`, judged by `judge.expectation`. In a worker process of
pytest-xdist the verdict travels with the test report; the controller hands it to whoever listens.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.attempt import Attempt, attempt, handle_names, replay
from conformance.cases.collection import all_requirements
from conformance.catalogue import Requirement
from conformance.errors import ConformanceError, UsageError
from conformance.judge.deviations import Deviation, load_deviations
from conformance.judge.expectation import expect, judged, meaning
from conformance.judge.runfile import read_run
from conformance.judge.verdict import Verdict, VerdictName
from conformance.pod.base import PodFailure
from conformance.targets.keeper import Keeper, fixture_secrets
from conformance.targets.plan import Plan
from conformance.targets.ready import IMAGE_OPTIONS, Images, make_ready
from conformance.targets.target import Target

PLAN = pytest.StashKey[Plan]()
WORKER = pytest.StashKey["Worker"]()
VERDICT = pytest.StashKey[str]()


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
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.addoption(option, default=None, help=f"{what} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
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
    """Hand the plan to a worker process (pytest-xdist)."""
    node.workerinput["conformance"] = _plan(node.config).dumps()


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
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _is_stored(config: pytest.Config, item: pytest.Item, requirement: Requirement) -> bool:
    """A stored run is judged again as far as it goes, and no further."""
    worker = _worker(config)
    target = _target(item)
    return target.name not in worker.plan.stored or requirement.name in worker.stored(target.name)


def _target(item: pytest.Item) -> Target:
    callspec: Any = getattr(item, "callspec")  # noqa: B009 (pytest gives it to parametrized items only)
    return _plan(item.config).target(callspec.params["conformance_target"])


class Worker:
    """What one process keeps between cases: an event loop, its pods, the deviations."""

    def __init__(self, config: pytest.Config) -> None:
        self.plan = _plan(config)
        self.repeat = not config.getoption("--no-repeat")
        self.runner = asyncio.Runner()
        self.keeper = Keeper(self.plan)
        self.secrets = fixture_secrets()
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

    async def decide(
        self, function: Any, requirement: Requirement, target: Target
    ) -> tuple[Verdict, Attempt]:
        """Run the case; an unexpected verdict is repeated in a fresh pod before it is believed."""
        expectation = expect(requirement, target, self.deviations)
        if target.name in self.plan.stored:
            stored = self.stored(target.name)[requirement.name]
            attempts = [await replay(function, stored.record or {}, self.secrets)]
            attempts[0].seconds = stored.seconds
        else:
            attempts = [await self._attempt(function, target)]
            while self.repeat and _is_doubtful([one.verdict for one in attempts], expectation.verdict):
                await self.keeper.discard(target)
                attempts.append(await self._attempt(function, target))
        last = attempts[-1]
        verdict = judged(
            requirement,
            expectation,
            [one.verdict for one in attempts],
            seconds=last.seconds,
            seen=last.seen,
            record=last.record,
        )
        return verdict, last

    async def _attempt(self, function: Any, target: Target) -> Attempt:
        try:
            pod = await self.keeper.pod(target)
        except (PodFailure, ConformanceError) as error:
            return Attempt("invalid", seen=f"no pod: {error}", error=error)
        result = await attempt(function, pod, self.secrets)
        if result.verdict == "invalid":
            await self.keeper.discard(target)
        return result

    def close(self) -> None:
        self.runner.run(self.keeper.dispose())
        self.runner.close()


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
    verdict, last = worker.runner.run(worker.decide(pyfuncitem.function, requirement, _target(pyfuncitem)))
    pyfuncitem.stash[VERDICT] = json.dumps(verdict.to_json())
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
    if isinstance(last.error, AssertionError):
        raise last.error
    pytest.fail(f"{verdict.requirement}: {meaning(verdict)}. {last.seen}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call" and VERDICT in item.stash:
        report.conformance = item.stash[VERDICT]
        report.conformance_target = _target(item).name
    return report
