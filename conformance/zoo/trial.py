"""Decides cases on the embedded reference: once without flaws, then under each flaw that they can show."""

import asyncio
import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

from conformance.cases.attempt import conclude
from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue.patches import BASE, STOCK_PATCHES
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

#: The builds: the reference as stock and with all patches, and the model of the package with all patches.
BUILDS = {
    "stock": parse_target("reference-stock"),
    "patched": parse_target("reference-ppa"),
    "model": parse_target("model-ppa"),
}


@dataclass(frozen=True)
class Trial:
    """The cases of these requirements, on one build with one flaw.

    It ends with the first one whose verdict is that which `enough` has for it, or, on the model, is not as
    expected.
    """

    flaw: str
    build: str
    requirements: tuple[str, ...]
    enough: tuple[tuple[str, VerdictName], ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        enough = tuple((name, verdict) for name, verdict in data["enough"])
        return cls(data["flaw"], data["build"], tuple(data["requirements"]), enough)


#: Seconds after which a worker process ends itself: a flaw may have found a loop without end.
TRIAL_LIMIT = 300

#: The command of a worker process.
WORKER = [sys.executable, "-P", "-m", "conformance.zoo.worker"]

#: What a trial came to: by requirement its verdict, and what was seen where that is not met.
Outcome = dict[str, tuple[VerdictName, str]]

#: What the threads of worker processes hand over; without an outcome when the process died.
Said = queue.Queue[tuple[Trial, Outcome | None]]


class Baseline:
    """Without a flaw of the zoo: what each of `requirements` is decided to be, and which flaws it can show.

    A case is run when its verdict is asked for, for a round that looks at one flaw needs few of them. On the
    model only verdicts count: what is tried there follows from what was caught without deviations.
    """

    def __init__(self, requirements: Iterable[str]) -> None:
        self._names = tuple(requirements)
        self._pods: dict[str, tuple[Unrecorded, WatchedBuild]] = {}
        self._found: dict[tuple[str, str], tuple[Verdict, set[str]]] = {}

    def verdict(self, build: str, name: str) -> Verdict:
        """The verdict on one of BUILDS. An unknown requirement is a KeyError."""
        return self._decided(build, name)[0]

    def shown(self, build: str, name: str) -> set[str]:
        """The flaws that the case can show there."""
        return self._decided(build, name)[1]

    def _decided(self, build: str, name: str) -> tuple[Verdict, set[str]]:
        if (build, name) not in self._found:
            target = BUILDS[build]
            if build not in self._pods:
                watched = WatchedBuild(target.patches)
                flaws = frozenset(target.flaws)
                self._pods[build] = (
                    Unrecorded(target.patches, flaws, build=None if flaws else watched),
                    watched,
                )
            pod, watched = self._pods[build]
            watched.reached.clear()
            verdict = asyncio.run(_decided(name, target, pod))
            self._found[build, name] = verdict, {flaw for flaw in FLAWS if watched.can_show(flaw)}
        return self._found[build, name]

    def trials(self, wanted: Callable[[str, str], bool], *, quick: bool = False) -> Iterator[Trial]:
        """What must be run first: every flaw on the patched build.

        `wanted` tells for a flaw and a requirement whether their meeting is of interest. When `quick`, a
        trial begins with those of the flaw's own patch that the fewest flaws touch, and ends with the first
        of them that catches it.
        """
        yield from self._on("patched", FLAWS, wanted, quick)

    def trials_on_stock(
        self,
        wanted: Callable[[str, str], bool],
        settled: Collection[str],
        idle: Collection[str],
        *,
        quick: bool = False,
    ) -> Iterator[Trial]:
        """Then the flaws of base and of stock's own patches on stock: all that can show them, or, where a
        flaw is `settled` because a requirement of its patch catches it on the patched build, those alone that
        are `idle`, for they catch none.
        """
        base = [flaw for flaw in FLAWS if FLAWS[flaw].patch in (BASE, *STOCK_PATCHES)]

        def useful(flaw: str, name: str) -> bool:
            return wanted(flaw, name) and (flaw not in settled or name in idle)

        yield from self._on("stock", base, useful, quick)

    def _on(
        self, build: str, flaws: Iterable[str], wanted: Callable[[str, str], bool], quick: bool
    ) -> Iterator[Trial]:
        for flaw in flaws:
            names = [name for name in self._names if wanted(flaw, name) and flaw in self.shown(build, name)]
            if names and quick:
                names.sort(
                    key=lambda name: (not self._is_own(flaw, name, build), len(self.shown(build, name)))
                )
                settles = [
                    (name, self._caught(name, build)) for name in names if self._is_own(flaw, name, build)
                ]
                yield Trial(flaw, build, tuple(names), tuple(settles))
            elif names:
                yield Trial(flaw, build, tuple(names))

    def _is_own(self, flaw: str, name: str, build: str) -> bool:
        """Whether what catches a flaw settles it: a requirement of its own patch, or a change on stock."""
        of_patch = _requirements()[name].patch == FLAWS[flaw].patch
        return of_patch or (build == "stock" and self._caught(name, build) == "met")

    def _caught(self, name: str, build: str) -> VerdictName:
        """The verdict of a requirement that catches a flaw."""
        return "met" if self.verdict(build, name).verdict == "unmet" else "unmet"

    def trials_one_by_one(
        self, idle: set[str], wanted: Callable[[str, str], bool], tried: Collection[tuple[str, str]]
    ) -> Iterator[list[Trial]]:
        """A few flaws for each of the `idle` requirements, twice as many each time, on the patched build:
        first those of its own patch, then those that the fewest requirements can show, but none of the pairs
        that were `tried`. Who is idle no longer is to be taken out of the set meanwhile.
        """
        shown = Counter(flaw for name in self._names for flaw in self.shown("patched", name))
        left: dict[str, list[str]] = {}
        for name in idle:
            patch = _requirements()[name].patch
            flaws = [
                flaw
                for flaw in self.shown("patched", name)
                if wanted(flaw, name) and (flaw, name) not in tried
            ]
            left[name] = sorted(flaws, key=lambda flaw: (FLAWS[flaw].patch == patch, -shown[flaw], flaw))
        some = 2
        while left := {name: flaws for name, flaws in left.items() if flaws and name in idle}:
            together: dict[str, list[str]] = {}
            for name, flaws in left.items():
                for flaw in flaws[-some:]:
                    together.setdefault(flaw, []).append(name)
                del flaws[-some:]
            some *= 2
            yield [Trial(flaw, "patched", tuple(names)) for flaw, names in together.items()]

    def trials_on_model(self, caught: Mapping[str, Sequence[str]]) -> Iterator[Trial]:
        """Each flaw that a requirement with a known deviation catches without it, on the model.

        `caught` maps a flaw to the requirements that catch it on the patched build. After these, those are
        decided whose deviation the flaw stands in the place of, and then what else can show it; the first
        that catches it is enough.
        """
        for flaw, names in caught.items():
            if flaw not in BUILDS["model"].flaws and any(map(self._is_known, names)):
                known = filter(self._is_known, self._names)
                others = (name for name in self._names if flaw in self.shown("patched", name))
                yield Trial(flaw, "model", tuple(dict.fromkeys((*names, *known, *others))))

    def _is_known(self, name: str) -> bool:
        """Whether a known deviation speaks of it."""
        return self.verdict("model", name).deviation is not None


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
    # By its own words: what every case is held to would make one that asserts nothing catch a flaw. The
    # reference does the same each time, so nothing is repeated.
    verdict, _ = await decide(
        requirement, expectation, lambda again: conclude(case, pod, alone=True), repeat=False
    )
    return verdict


def run_trial(trial: Trial) -> Outcome:
    """What a trial came to."""

    async def run() -> Outcome:
        target = BUILDS[trial.build]
        flaws = parse_target(f"{target.name}~{trial.flaw}").flaws
        pod = Unrecorded(target.patches, frozenset(flaws))
        outcome: Outcome = {}
        for name in trial.requirements:
            verdict = await _decided(name, target, pod)
            outcome[name] = (verdict.verdict, verdict.seen)
            if (name, verdict.verdict) in trial.enough or (target.is_model and not verdict.as_expected):
                break
        return outcome

    return asyncio.run(run())


def run_trials(trials: Iterable[Trial], workers: int) -> Iterator[tuple[Trial, Outcome]]:
    """Every trial with its outcome, as they come, from so many processes; without any in this one."""
    if workers == 0:
        yield from ((trial, run_trial(trial)) for trial in trials)
        return
    given = list(trials)
    left = iter(given)
    said: Said = queue.Queue()
    processes = [_Worker(left, said) for _ in range(workers)]
    try:
        for _ in given:
            trial, outcome = said.get()
            if outcome is None:
                where = f"{trial.flaw} on {trial.build}"
                what = f"a worker of the zoo died at {where}, or was at work for {TRIAL_LIMIT} s"
                raise WorldError(what, f"`qmail-conformance zoo -k {trial.flaw} -n 1` runs it alone.")
            yield trial, outcome
    finally:
        for process in processes:
            process.close()


class _Worker:
    """A process of its own for trials, and a thread that hands it one after the other out of `left`."""

    def __init__(self, left: Iterator[Trial], said: Said) -> None:
        self._process = subprocess.Popen(WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
            self._said.put((trial, None))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
