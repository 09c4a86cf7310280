"""Decides cases on the embedded reference: once without flaws, then under each flaw that they can show."""

import asyncio
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Self

from conformance.cases.attempt import conclude
from conformance.cases.collection import all_requirements, case_of
from conformance.errors import WorldError
from conformance.judge.decider import decide
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect
from conformance.judge.verdict import Verdict, VerdictName
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.secrets import fixture_secrets
from conformance.reference.flaws import FLAWS
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target
from conformance.targets.target import Target
from conformance.zoo.watch import WatchedBuild

#: The builds: the reference without patches and with all six, and the model of the package with all six.
BUILDS = {
    "stock": parse_target("reference-stock"),
    "patched": parse_target("reference-ppa"),
    "model": parse_target("model-ppa"),
}


@dataclass(frozen=True)
class Trial:
    """The cases of these requirements, on one build with one flaw."""

    flaw: str
    build: str
    requirements: tuple[str, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["flaw"], data["build"], tuple(data["requirements"]))


#: What a trial came to: by requirement its verdict, and what was seen where that is not met.
Outcome = dict[str, tuple[VerdictName, str]]

#: What the threads of worker processes hand over; None when a process died.
Said = queue.Queue[tuple[Trial, Outcome] | None]


@dataclass
class Baseline:
    """Without a flaw of the zoo: by build and requirement the verdict, and the flaws that it can show.

    On the model only verdicts count: what is tried there follows from what was caught without deviations.
    """

    outcomes: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    asked: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def trials(self, wanted: Callable[[str, str], bool]) -> Iterator[Trial]:
        """What must be run first: every flaw on the patched build.

        `wanted` tells for a flaw and a requirement whether their meeting is of interest.
        """
        yield from self._on("patched", FLAWS, wanted)

    def trials_on_stock(
        self, wanted: Callable[[str, str], bool], settled: Collection[str], idle: Collection[str]
    ) -> Iterator[Trial]:
        """Then the flaws of base on stock: all that can show them, or, where a flaw is `settled` because a
        requirement of base catches it on the patched build, those alone that are `idle`, for they catch none.
        """
        base = [flaw for flaw in FLAWS if FLAWS[flaw].patch == "base"]
        yield from self._on(
            "stock", base, lambda flaw, name: wanted(flaw, name) and (flaw not in settled or name in idle)
        )

    def _on(self, build: str, flaws: Iterable[str], wanted: Callable[[str, str], bool]) -> Iterator[Trial]:
        asked = self.asked[build]
        for flaw in flaws:
            names = [name for name in asked if flaw in asked[name] and wanted(flaw, name)]
            if names:
                yield Trial(flaw, build, tuple(names))

    def trials_on_model(self, caught: Mapping[str, Sequence[str]]) -> Iterator[Trial]:
        """Each flaw that a requirement with a known deviation catches without it, on the model.

        `caught` maps a flaw to the requirements that catch it on the patched build. Beside these, those are
        decided whose deviation the flaw stands in the place of.
        """
        model = self.outcomes["model"]
        known = {name: verdict for name, verdict in model.items() if verdict.deviation is not None}
        for flaw, names in caught.items():
            if flaw not in BUILDS["model"].flaws and not known.keys().isdisjoint(names):
                yield Trial(flaw, "model", tuple(dict.fromkeys((*names, *known))))


_requirements = cache(all_requirements)
known_deviations = cache(load_deviations)


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
    expectation = expect(requirement, target, known_deviations() if target.is_model else [])
    # The reference does the same each time, so nothing is repeated.
    verdict, _ = await decide(requirement, expectation, lambda again: conclude(case, pod), repeat=False)
    return verdict


def baseline(requirements: Iterable[str]) -> Baseline:
    """Every case on every build as it is. An unknown requirement is a KeyError."""

    async def run() -> Baseline:
        found = Baseline()
        names = list(requirements)
        for build, target in BUILDS.items():
            watched = WatchedBuild(target.patches)
            pod = Unrecorded(target.patches, build=watched)
            if target.is_model:
                pod = Unrecorded(target.patches, frozenset(target.flaws))
            verdicts, asked = found.outcomes.setdefault(build, {}), found.asked.setdefault(build, {})
            for name in names:
                watched.reached.clear()
                verdicts[name] = await _decided(name, target, pod)
                asked[name] = {flaw for flaw in FLAWS if watched.can_show(flaw)}
        return found

    return asyncio.run(run())


def run_trial(trial: Trial) -> Outcome:
    """What a trial came to."""

    async def run() -> Outcome:
        target = BUILDS[trial.build]
        flaws = parse_target(f"{target.name}~{trial.flaw}").flaws
        pod = Unrecorded(target.patches, frozenset(flaws))
        decided = [await _decided(name, target, pod) for name in trial.requirements]
        return {verdict.requirement: (verdict.verdict, verdict.seen) for verdict in decided}

    return asyncio.run(run())


def run_trials(trials: Iterable[Trial], workers: int) -> Iterator[tuple[Trial, Outcome]]:
    """Every trial with its outcome, as they come, from so many processes; with one worker in this process."""
    if workers == 1:
        yield from ((trial, run_trial(trial)) for trial in trials)
        return
    given = list(trials)
    left = iter(given)
    said: Said = queue.Queue()
    processes = [_Worker(left, said) for _ in range(workers)]
    try:
        for _ in given:
            if (answer := said.get()) is None:
                raise WorldError("a worker process of the zoo died", "With -n 1 all runs in one process.")
            yield answer
    finally:
        for process in processes:
            process.close()


class _Worker:
    """A process of its own for trials, and a thread that hands it one after the other out of `left`."""

    def __init__(self, left: Iterator[Trial], said: Said) -> None:
        command = [sys.executable, "-m", "conformance.zoo.worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._left = left
        self._said = said
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            for trial in self._left:
                self._process.stdin.write(json.dumps(asdict(trial)).encode() + b"\n")
                self._process.stdin.flush()
                answer = json.loads(self._process.stdout.readline())
                self._said.put((trial, {name: (verdict, seen) for name, (verdict, seen) in answer.items()}))
        except (OSError, ValueError):  # it died
            self._said.put(None)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
