"""The pytest plugin: each case runs once for each target, and what is decided becomes pytest's outcome.

It acts where it is named (`-p conformance.plugin`), and has no part in the pytest of others. It is thin: a
case is decided by `judge.decider`. The verdict travels with the test report as the line of a run file, and
whoever listens in the controller of pytest-xdist writes that line down.
"""

import asyncio
import contextlib
import json
import warnings
from collections import defaultdict
from collections.abc import Generator
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.attempt import Attempt, Played, shared
from conformance.cases.script import script_of
from conformance.catalogue.requirements import Requirement, requirement_of
from conformance.collecting import refuse_second, refuse_wrong, scenario_file
from conformance.errors import EXIT_WORLD, ConformanceError
from conformance.harmless import printable
from conformance.judge.decider import decide, of_case, of_record
from conformance.judge.deviations import Deviation, load_deviations
from conformance.judge.expectation import expect, meaning
from conformance.judge.runfile import read_reached, verdict_line
from conformance.judge.verdict import Verdict
from conformance.pod.base import PodFailure
from conformance.pod.secrets import fixture_secrets
from conformance.project.form import NO_PROJECT, Project
from conformance.project.reading import find_project, read_project
from conformance.shares import ShareScheduling, share_of, stands_in
from conformance.stopping import end_with_parent
from conformance.targets.capacity import cut_down
from conformance.targets.image_options import IMAGE_OPTIONS, Images
from conformance.targets.plan import Plan
from conformance.targets.pool import Job, PodPool
from conformance.targets.ready import make_ready
from conformance.targets.target import Target

PLAN = pytest.StashKey[Plan]()
WORKER = pytest.StashKey["Worker"]()
VERDICT = pytest.StashKey[str]()
PROJECT = pytest.StashKey[Project]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "qmail conformance")
    for option, what in (
        ("--target", "a qmail to judge; may be given more than once"),
        ("--patch", "only the requirements of this patch (0005, base)"),
    ):
        group.addoption(option, action="append", default=[], help=what)
    for option, what in (
        ("--no-repeat", "do not repeat an unexpected verdict in a fresh pod"),
        ("--shares", "with -n: each process has a share of the cases, and plays it at once"),
    ):
        group.addoption(option, action="store_true", help=what)
    what = "the project file (the nearest qmail-conformance.toml upwards)"
    group.addoption("--project", metavar="FILE", default=None, help=what)
    group.addoption("--pods", type=int, default=4, help="how many pods of each target there are (4)")
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.addoption(option, default=None, help=f"{what} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--pods") < 1:
        raise pytest.UsageError("--pods: at least one pod is needed")
    config.addinivalue_line("markers", "requirement(name, role): the case that decides a requirement")
    config.addinivalue_line("markers", "patch(number): a case of this patch")
    worker_input = getattr(config, "workerinput", {})
    if worker_input:
        end_with_parent()
    if PLAN not in config.stash and not worker_input:  # the command has statuses of its own
        config.pluginmanager.register(Undecided())
    if "conformance" in worker_input:
        config.stash[PLAN] = Plan.loads(worker_input["conformance"])
    elif config.getoption("--target"):
        try:
            config.stash[PLAN] = _ready(config, config.getoption("--target"))
        except ConformanceError as error:
            raise pytest.UsageError(printable(str(error), keep="\n")) from None


class Undecided:
    """Where nothing failed but the world, or we, pytest ends with 3 and not with the 1 of a failed test."""

    def __init__(self) -> None:
        self._undecided: list[bool] = []  #: of each failure, whether it is of that kind

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            _, line = getattr(report, "conformance", ("", '{"verdict": "invalid"}'))
            of_ours = "requirement" in report.keywords
            self._undecided.append(of_ours and json.loads(line)["verdict"] == "invalid")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED and self._undecided and all(self._undecided):
            session.exitstatus = EXIT_WORLD


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the plan to a worker process (pytest-xdist)."""
    node.workerinput["conformance"] = _plan(node.config).dumps()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker runs its own share, also the one in the place of another."""
    return ShareScheduling(len(_plan(config).targets)) if config.getoption("--shares") else None


def _plan(config: pytest.Config) -> Plan:
    if PLAN not in config.stash:
        config.stash[PLAN] = _ready(config, ["reference-stock", "reference-ppa"])
    return config.stash[PLAN]


def _ready(config: pytest.Config, names: list[str]) -> Plan:
    """A plan for these targets, with the project that was named or stands nearest."""
    project = find_project(config.getoption("--project"))
    return make_ready(names, Images.chosen(config.getoption, project.defaults), project=project)


def _project(config: pytest.Config) -> Project:
    """The project of a plan, read once in each process."""
    if PROJECT not in config.stash:
        place = _plan(config).project
        config.stash[PROJECT] = read_project(Path(place)) if place else NO_PROJECT
    return config.stash[PROJECT]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario files are collected where the catalogue has them, and nowhere else."""
    if file_path.suffix != ".toml":  # nothing is read for the tests of others
        return None
    project = _project(parent.config) if PLAN in parent.config.stash else NO_PROJECT
    return scenario_file(file_path, parent, project.parts)


@pytest.fixture
def internet() -> None:
    """The handle is made for each attempt; the fixture only gives its name."""


@pytest.fixture
def qmail() -> None:
    """The handle is made for each attempt; the fixture only gives its name."""


def _requirement(item: Any) -> Requirement | None:
    """What a function or an item decides."""
    return requirement_of(getattr(item, "function", None))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if _requirement(metafunc) is not None:
        refuse_wrong(metafunc.function)
        names = [target.label for target in _plan(metafunc.config).targets]
        metafunc.fixturenames.append("conformance_target")
        metafunc.parametrize("conformance_target", names, ids=names)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    patches = set(config.getoption("--patch"))
    selected = frozenset(_plan(config).selected)
    decided = {name: frozenset(names) for name, names in _plan(config).decided.items()}
    by_name: dict[str, Requirement] = {}
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        requirement = _requirement(item)
        wanted = not selected  # a project's file may hold tests that decide nothing
        if requirement is not None:
            refuse_second(requirement, by_name, _project(config).series)
            item.add_marker(pytest.mark.requirement(name=requirement.name, role=requirement.role))
            item.add_marker(pytest.mark.patch(number=requirement.patch))
            item.extra_keyword_matches.update((requirement.name, requirement.role, requirement.level))
            wanted = not patches or requirement.patch in patches
            wanted = wanted and (not selected or requirement.name in selected)
            wanted = wanted and requirement.name not in decided.get(_target(item).label, ())
        (kept if wanted else left_out).append(item)
    kept.sort(key=lambda item: getattr(_requirement(item), "waits", 0))  # the quick ones first
    items[:] = kept
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def _target(item: pytest.Item) -> Target:
    callspec: Any = getattr(item, "callspec")  # noqa: B009 (pytest gives it to parametrized items only)
    return _plan(item.config).target(callspec.params["conformance_target"])


def _shared_by(item: pytest.Item) -> tuple[str, str]:
    """The target, and what the item's case shares with others; "" for nothing."""
    requirement = _requirement(item)
    return (_target(item).label, requirement.shares) if requirement else ("", "")


@cache
def _stored_verdicts(path: str) -> dict[str, Verdict]:
    return {verdict.requirement: verdict for verdict in read_reached(Path(path)).verdicts}


class Worker:
    """What one process keeps between cases: an event loop, pods, what they have played, the deviations."""

    def __init__(self, config: pytest.Config, cases: int) -> None:
        self.plan = _plan(config)
        self._config = config
        self._pods = cut_down(config.getoption("--pods"), self.plan, cases, warnings.warn)
        # How many workers share the cases; none where pytest-xdist hands them out one by one.
        worker = getattr(config, "workerinput", {"workercount": 1})
        workers: int = worker["workercount"]
        self._shares = workers if workers == 1 or config.getoption("--shares") else 0
        self._ahead = bool(self._shares) and not stands_in(worker)
        self._repeat = not config.getoption("--no-repeat")
        self._runner = asyncio.Runner()
        self._pool = PodPool(self.plan)
        self._jobs: dict[pytest.Item, Job] = {}
        #: By target and what cases share: what was played for one of them.
        self._shared: dict[tuple[str, str], list[Job]] = defaultdict(list)

    @cached_property
    def _deviations(self) -> list[Deviation]:
        project = _project(self._config)
        # Whoever has selected the cases has looked at the names of all.
        names = None if self.plan.selected else project.catalogue.requirements
        return load_deviations(names, project=project)

    def decide(self, item: pytest.Function, requirement: Requirement) -> tuple[Verdict, Attempt]:
        """The verdict on an item's case, and the attempt that settled it."""
        return self._runner.run(self._decide(item, requirement))

    async def _decide(self, item: pytest.Function, requirement: Requirement) -> tuple[Verdict, Attempt]:
        target = _target(item)
        expectation = expect(requirement, target, self._deviations)
        if target.label in self.plan.stored:
            verdicts = _stored_verdicts(self.plan.stored[target.label])
            stored = of_record(item.function, verdicts[requirement.name])
            return await decide(requirement, expectation, stored, repeat=False)
        if item not in self._jobs and _shared_by(item) not in self._shared:
            self._submit(item)
        live = of_case(item.function, partial(self._played, item))
        return await decide(requirement, expectation, live, repeat=self._repeat)

    async def _played(self, item: pytest.Function, again: bool) -> Played:
        """What was played for an item: for another that shares it, where that suffices, or for itself."""
        if item not in self._jobs and not again:
            for job in self._shared[_shared_by(item)]:
                with contextlib.suppress(PodFailure, ConformanceError):  # what that one met with is not ours
                    of_another = await self._pool.played(job)
                    if found := await shared(item.function, of_another, fixture_secrets()):
                        return found
        if item not in self._jobs and again:
            return await self._pool.played_alone(_target(item), script_of(item.function))
        if item not in self._jobs:
            self._play(item)
        return await self._pool.played(self._jobs[item], again)

    def pool_size(self, share: int) -> int:
        """The part of the pods that goes with a share of the cases."""
        return max(1, (self._pods + self._shares - 1 - share) // self._shares)

    def _submit(self, item: pytest.Item) -> None:
        """Hand an item to the pods, and all that this worker will judge after it, as far as that is known."""
        rest = [item]
        if self._ahead:
            items, targets = item.session.items, len(self.plan.targets)
            at = items.index(item)
            share = share_of(at, self._shares, targets)
            rest = [items[n] for n in range(at, len(items)) if share_of(n, self._shares, targets) == share]
            self._pool.size = self.pool_size(share)
        # From the back: those that wait come first, and a pod that begins at the end goes as we judge.
        for each in reversed(rest):
            if _requirement(each) is not None and _shared_by(each) not in self._shared:
                self._play(each)

    def _play(self, item: pytest.Item) -> None:
        """Hand one item to the pods."""
        case: Any = getattr(item, "function", None)
        self._jobs[item] = self._pool.submit(_target(item), script_of(case))
        what = _shared_by(item)
        if what[1]:
            self._shared[what].append(self._jobs[item])

    def close(self) -> None:
        self._runner.run(self._pool.dispose())
        self._runner.close()


def pytest_unconfigure(config: pytest.Config) -> None:
    if WORKER in config.stash:
        config.stash[WORKER].close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    requirement = _requirement(pyfuncitem)
    if requirement is None:
        return None
    stash = pyfuncitem.config.stash
    if WORKER not in stash:
        stash[WORKER] = Worker(pyfuncitem.config, len(pyfuncitem.session.items))
    verdict, attempt = stash[WORKER].decide(pyfuncitem, requirement)
    pyfuncitem.stash[VERDICT] = verdict_line(verdict)
    _tell_pytest(verdict, attempt)
    return True


def _tell_pytest(verdict: Verdict, attempt: Attempt) -> None:
    """The outcome for people who live in pytest: what is as expected passes or is an expected failure."""
    if verdict.verdict == "unsupported":
        pytest.skip(printable(attempt.seen))
    if verdict.assessment == "unstable":
        warnings.warn(f"{verdict.requirement}: {meaning(verdict)}", stacklevel=1)
        return
    if verdict.as_expected:
        if verdict.verdict == "unmet":
            known = verdict.deviation
            pytest.xfail(known["reason"] if known else f"the target does not claim {verdict.patch}")
        return
    world = (PodFailure, ConformanceError, TimeoutError)
    if isinstance(attempt.error, Exception) and not isinstance(attempt.error, world):
        if verdict.unlike_described:
            attempt.error.add_note(meaning(verdict))
        raise attempt.error
    # pytest's own terminal lets everything through.
    seen = printable(attempt.seen, keep="\n").replace("\n", "\n    ")
    pytest.fail(f"{verdict.requirement}: {meaning(verdict)}. {seen}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """What a listener is told of a case: its target's label, and its verdict's line."""
    report = yield
    if report.when == "call" and VERDICT in item.stash:
        report.conformance = (_target(item).label, item.stash[VERDICT])
    return report
