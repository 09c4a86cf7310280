"""Runs cases on the embedded reference: once without flaws, then under each flaw that they can show."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache

from conformance.cases.attempt import conclude
from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue import PPA_PATCHES
from conformance.errors import WorldError
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.secrets import fixture_secrets
from conformance.reference.flaws import FLAWS
from conformance.targets.embedded import ReferencePod
from conformance.zoo.watch import Watched

#: The two builds of the reference: without patches, and with all six.
BUILDS: dict[str, tuple[str, ...]] = {"stock": (), "patched": PPA_PATCHES}


@dataclass(frozen=True)
class Outcome:
    """What a case came to: the verdict, and one short text, "" when met."""

    verdict: str
    seen: str


@dataclass(frozen=True)
class Trial:
    """The cases of these requirements, on one build with one flaw."""

    flaw: str
    build: str
    requirements: tuple[str, ...]


@dataclass
class Baseline:
    """The reference without flaws: by build and requirement the outcome, and the flaws it asked about."""

    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
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


async def _outcome(name: str, pod: Unrecorded) -> Outcome:
    found = await conclude(case_of(_requirements()[name]), pod)
    return Outcome(found.outcome, found.seen)


def baseline(requirements: Iterable[str]) -> Baseline:
    """Every case without flaws, on both builds. An unknown requirement is a KeyError."""

    async def run() -> Baseline:
        found = Baseline()
        names = list(requirements)
        for build, patches in BUILDS.items():
            watched = Watched()
            pod = Unrecorded(patches, watched)
            outcomes, asked = found.outcomes.setdefault(build, {}), found.asked.setdefault(build, {})
            for name in names:
                watched.asked.clear()
                outcomes[name] = await _outcome(name, pod)
                asked[name] = set(watched.asked)
        return found

    return asyncio.run(run())


def run_trial(trial: Trial) -> dict[str, Outcome]:
    """The outcome of each case of a trial, by requirement."""

    async def run() -> dict[str, Outcome]:
        pod = Unrecorded(BUILDS[trial.build], frozenset({trial.flaw}))
        return {name: await _outcome(name, pod) for name in trial.requirements}

    return asyncio.run(run())


def run_trials(trials: Iterable[Trial], workers: int) -> Iterator[tuple[Trial, dict[str, Outcome]]]:
    """Every trial with its outcomes, in order, in so many processes; with one worker in this process."""
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
