"""Decides cases on the embedded reference: once without flaws, then under each flaw that they can show."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache

from conformance.cases.attempt import conclude
from conformance.cases.collection import all_requirements, case_of
from conformance.errors import WorldError
from conformance.judge.decider import decide
from conformance.judge.expectation import expect
from conformance.judge.verdict import Verdict
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.secrets import fixture_secrets
from conformance.reference.flaws import FLAWS
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target
from conformance.targets.target import Target
from conformance.zoo.watch import WatchedBuild

#: The two builds of the reference: without patches, and with all six.
BUILDS = {"stock": parse_target("reference-stock"), "patched": parse_target("reference-ppa")}


@dataclass(frozen=True)
class Trial:
    """The cases of these requirements, on one build with one flaw."""

    flaw: str
    build: str
    requirements: tuple[str, ...]


@dataclass
class Baseline:
    """The reference without flaws: by build and requirement the verdict, and the flaws that it can show."""

    outcomes: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    asked: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def trials(self, wanted: Callable[[str, str], bool]) -> Iterator[Trial]:
        """What must be run: a base flaw on both builds, a patch's flaw on the patched one.

        `wanted` tells for a flaw and a requirement whether their meeting is of interest.
        """
        for flaw in FLAWS.values():
            for build in BUILDS if flaw.patch == "base" else ("patched",):
                asked = self.asked[build]
                names = [name for name in asked if flaw.name in asked[name] and wanted(flaw.name, name)]
                if names:
                    yield Trial(flaw.name, build, tuple(names))


_requirements = cache(all_requirements)


class Unrecorded(ReferencePod):
    """The reference as a case sees it, with passwords hidden as in a record, but without the record."""

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        result = await super().remote(host, sender, recipients, message, limit)
        seen: RemoteResult = fixture_secrets().hide(result)
        return seen

    async def observe(self) -> Observation:
        seen: Observation = fixture_secrets().hide(await super().observe())
        return seen


async def _decided(name: str, target: Target, pod: Unrecorded) -> Verdict:
    requirement = _requirements()[name]
    case = case_of(requirement)
    # The reference does the same each time, so nothing is repeated.
    verdict, _ = await decide(
        requirement, expect(requirement, target, []), lambda again: conclude(case, pod), repeat=False
    )
    return verdict


def baseline(requirements: Iterable[str]) -> Baseline:
    """Every case without flaws, on both builds. An unknown requirement is a KeyError."""

    async def run() -> Baseline:
        found = Baseline()
        names = list(requirements)
        for build, target in BUILDS.items():
            watched = WatchedBuild(target.patches)
            pod = Unrecorded(target.patches, build=watched)
            verdicts, asked = found.outcomes.setdefault(build, {}), found.asked.setdefault(build, {})
            for name in names:
                watched.reached.clear()
                verdicts[name] = await _decided(name, target, pod)
                asked[name] = {flaw for flaw in FLAWS if watched.can_show(flaw)}
        return found

    return asyncio.run(run())


def run_trial(trial: Trial) -> dict[str, Verdict]:
    """The verdict on each case of a trial, by requirement."""

    async def run() -> dict[str, Verdict]:
        target = BUILDS[trial.build]
        pod = Unrecorded(target.patches, frozenset({trial.flaw}))
        return {name: await _decided(name, target, pod) for name in trial.requirements}

    return asyncio.run(run())


def run_trials(trials: Iterable[Trial], workers: int) -> Iterator[tuple[Trial, dict[str, Verdict]]]:
    """Every trial with its verdicts, in order, in so many processes; with one worker in this process."""
    given = list(trials)
    if workers == 1:
        yield from ((trial, run_trial(trial)) for trial in given)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        yield from zip(given, pool.map(run_trial, given), strict=True)
    except BrokenProcessPool as error:
        raise WorldError("a worker process of the zoo died", "With -n 1 all runs in one process.") from error
    finally:
        pool.shutdown(cancel_futures=True)
