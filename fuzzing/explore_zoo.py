"""Explore measured on the flaws of the reference: which of them does it find, and after how many sessions?

    python fuzzing/explore_zoo.py [--seed N] [--sessions 3000] [--tenth] [-k PART]… [--bar 85] [--out FILE]

Each flaw is a build, `reference-ppa~FLAW`, explored in all areas against the plain reference; a flaw of base
that does not show there is looked for on `reference-stock~FLAW` as well. Nobody tells explore anything of a
flaw, nor of the cases that catch it. Streams follow from the seed and from what the model reached, so all
flaws meet the same sessions; one in which no decision that a flaw is about was taken is passed over.
`--tenth`: about a tenth of the flaws, the same ones whatever others there are. Exit status 1: fewer were
found than the bar says.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from conformance.errors import WorldError
from conformance.explore.areas import AREAS
from conformance.explore.campaign import Wish
from conformance.explore.coverage import sights
from conformance.explore.document import Made
from conformance.explore.judging import AgainstModel
from conformance.explore.playing import ReferenceSide
from conformance.explore.stream import BATCH, Stream
from conformance.explore.worker import Task
from conformance.pod.record import Record
from conformance.reference.flaws import FLAWS
from conformance.reference.flaws.flaw import Decision
from conformance.report.story import events_of
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.target import Target
from conformance.zoo.watch import WatchedBuild

BUILDS = ("reference-ppa", "reference-stock")

#: Seconds of CPU that a flaw may take on a build: some beget mail for ever.
PATIENCE = 60.0


@dataclass(frozen=True)
class Session:
    """One scenario on the plain reference: what was seen, and which decisions were taken."""

    place: int  #: in its stream
    area: str
    made: Made
    record: Record
    reached: frozenset[Decision]


@dataclass(frozen=True)
class Trial:
    """What came of a flaw on a build. `sessions`: until it was found, or in all; `reached`: of these."""

    flaw: str
    build: str
    sessions: int
    reached: int
    area: str = ""  #: in which it was found; "" when it was not
    shows: str = ""  #: the first difference


class _Watched(ReferenceSide):
    """The plain reference, and which decisions it takes."""

    def _started(self) -> ReferencePod:
        self.build = WatchedBuild(self.target.patches)
        return ReferencePod(self.target.patches, build=self.build)


class _Recalled(ReferenceSide):
    """A reference that has been seen already."""

    record: Record

    async def play(self, made: Made, *, fresh: bool = False) -> Record:
        return self.record


def streams(build: str, seed: int, sessions: int) -> list[Task]:
    """The streams of an exploration of all areas."""
    target = parse_target(build)
    return Wish(_plan(target), (target,), tuple(AREAS), seed, sessions=sessions).tasks(1)


def _plan(target: Target) -> Plan:
    return Plan((target,), "")


def played(task: Task) -> list[Session]:
    """All sessions of a stream on the plain reference."""

    async def run() -> list[Session]:
        side = _Watched(task.models[0])
        stream = Stream(task.area, task.seed)
        found: list[Session] = []
        left = task.budget.sessions or 0
        while left:
            batch = stream.batch(min(BATCH, left))[:left]
            for made in batch:
                left -= 1
                side.build.reached.clear()
                record = await side.play(made)
                stream.learn(made, sights(events_of(record)))
                reached = frozenset(side.build.reached)
                found.append(Session(len(found), task.area, made, record, reached))
        return found

    return asyncio.run(run())


#: The sessions that flaws are tried on, in the order in which streams take turns; workers inherit them.
_SESSIONS: list[Session] = []


def tried(flaw: str, build: str) -> Trial:
    """A flaw on the sessions until one shows it."""

    async def run() -> Trial:
        side = ReferenceSide(parse_target(f"{build}~{flaw}"))
        flawed, plain = _Recalled(side.target), _Recalled(parse_target(build))
        judge = AgainstModel(flawed, plain)
        reached, until = 0, time.process_time() + PATIENCE
        for number, session in enumerate(_SESSIONS, 1):
            if session.reached.isdisjoint(FLAWS[flaw].decisions):
                continue
            reached += 1
            try:
                flawed.record, plain.record = await side.play(session.made), session.record
            except WorldError:  # what is no finding of explore is none here
                continue
            if flawed.record == plain.record:  # which costs less than a judgement
                continue
            judged = await judge.judge(session.made)
            if judged.differences:
                return Trial(flaw, build, number, reached, session.area, str(judged.differences[0]))
            if time.process_time() > until:
                break
        return Trial(flaw, build, len(_SESSIONS), reached)

    return asyncio.run(run())


def measured(flaws: list[str], seed: int, sessions: int, workers: int) -> Iterator[Trial]:
    """A trial for each flaw; on stock where it is of base and does not show on the patched build."""
    left = flaws
    for build in BUILDS:
        missed: list[str] = []
        for trial in _measured_on(build, left, seed, sessions, workers):
            if trial.area or build == BUILDS[-1] or FLAWS[trial.flaw].patch != "base":
                yield trial
            else:
                missed.append(trial.flaw)
        left = missed


def _measured_on(build: str, flaws: list[str], seed: int, sessions: int, workers: int) -> Iterable[Trial]:
    if not flaws:
        return
    forks = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, forks) as pool:
        of_streams = list(pool.map(played, streams(build, seed, sessions)))
    places = [(session.place, number) for number, of_stream in enumerate(of_streams) for session in of_stream]
    _SESSIONS[:] = [of_streams[number][place] for place, number in sorted(places)]
    with ProcessPoolExecutor(
        workers, forks
    ) as pool:  # its processes have the sessions without being sent them
        yield from pool.map(tried, flaws, [build] * len(flaws))


# The page

_INTRODUCTION = """\
# What explore finds

Written by `tox run -e explore-zoo`; not edited by hand.

Each flaw of the reference, but those of packages (`package.*`), is explored as a build, in all areas,
against the plain reference, with
{sessions:,} sessions at most (seed {seed}); a flaw of base that does not show on the patched build, on
stock as well. Nobody tells explore anything of the flaws. The area and the session are those in which a
flaw was found; what differs is the first thing that did, the flawed build's side first.
"""
_MISSED = """
## Not found

The number is that of the sessions in which the decision was taken that the flaw is about.

| flaw | what it does | sessions |
| --- | --- | ---: |"""


def page(trials: list[Trial], seed: int, sessions: int) -> str:
    """The table, for docs/."""
    found = [trial for trial in trials if trial.area]
    soon = sorted(trial.sessions for trial in found)
    parts = [
        _INTRODUCTION.format(sessions=sessions, seed=seed),
        f"**{len(found)} of {len(trials)} flaws are found ({share(trials):.1f} %)**, half of them within "
        f"{soon[len(soon) // 2] if soon else 0:,} sessions.\n",
        "| flaws of | found | of | within 100 | within 1,000 |\n| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind, of_kind in _by_kind(trials).items():
        soons = [trial.sessions for trial in of_kind if trial.area]
        counts = [sum(each <= most for each in soons) for most in (sessions, 100, 1000)]
        parts.append(f"| {kind} | {counts[0]} | {len(of_kind)} | {counts[1]} | {counts[2]} |")
    if missed := [each for each in trials if not each.area]:
        parts.append(_MISSED)
        parts += [f"| `{each.flaw}` | {_wrong(each)} | {each.reached:,} |" for each in missed]
    parts.append("\n## Found\n\n| flaw | area | session | what differs |\n| --- | --- | ---: | --- |")
    for each in found:
        parts.append(f"| `{_named(each)}` | {each.area} | {each.sessions:,} | {_shown(each.shows)} |")
    return "\n".join(parts) + "\n"


def _wrong(trial: Trial) -> str:
    return FLAWS[trial.flaw].description.replace("|", "\\|")


def _named(trial: Trial) -> str:
    return trial.flaw if trial.build == BUILDS[0] else f"{trial.flaw} (stock)"


def _shown(text: str) -> str:
    harmless = "".join(each if each.isprintable() else "?" for each in text)
    return "`" + harmless.replace("`", "'").replace("|", "\\|") + "`"


def _by_kind(trials: list[Trial]) -> dict[str, list[Trial]]:
    """By the part of a flaw's name before the dot."""
    kinds: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.flaw):
        kinds.setdefault(trial.flaw.partition(".")[0], []).append(trial)
    return kinds


def share(trials: list[Trial]) -> float:
    """Per cent that were found."""
    return 100 * sum(bool(trial.area) for trial in trials) / max(1, len(trials))


def main() -> int:
    parser = argparse.ArgumentParser(description="which flaws of the reference does explore find?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=3000)
    parser.add_argument("--tenth", action="store_true", help="about a tenth of the flaws")
    parser.add_argument("-k", action="append", default=[], help="flaws with this in their names")
    parser.add_argument("--bar", type=float, default=0.0, help="per cent that must be found")
    parser.add_argument("-n", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, help="where to write the page")
    parser.add_argument("--json", type=Path, help="where to write the trials")
    given = parser.parse_args()
    # No scenario installs a package.
    known = sorted(flaw for flaw in FLAWS if not flaw.startswith("package."))
    flaws = [flaw for flaw in known if not given.k or any(part in flaw for part in given.k)]
    if given.tenth:  # by name: one more flaw must not put others in the sample
        flaws = [flaw for flaw in flaws if crc32(flaw.encode()) % 10 == given.seed % 10]
    began = time.monotonic()
    trials = []
    for trial in measured(flaws, given.seed, given.sessions, given.n):
        trials.append(trial)
        if not trial.area:
            print(f"not found: {trial.flaw} ({trial.reached} sessions took its decision)", flush=True)
    trials.sort(key=lambda trial: trial.flaw)
    for kind, of_kind in _by_kind(trials).items():
        print(f"{kind}: {sum(bool(trial.area) for trial in of_kind)} of {len(of_kind)}")
    print(f"{share(trials):.1f} % of {len(trials)} flaws in {time.monotonic() - began:.0f} s")
    if given.out:
        given.out.write_text(page(trials, given.seed, given.sessions), encoding="utf-8")
    if given.json:
        given.json.write_text(json.dumps([vars(trial) for trial in trials], indent=1), encoding="utf-8")
    return int(share(trials) < given.bar)


if __name__ == "__main__":
    sys.exit(main())
