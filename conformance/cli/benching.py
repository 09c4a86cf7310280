"""`bench`: throughput of targets side by side, judged with intervals and a control."""

import argparse
import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import __version__, stopping
from conformance.bench.plots import plots
from conformance.bench.results import Bench, Participant, ScenarioResult, conclusion
from conformance.bench.rounds import Course
from conformance.bench.scenarios import SCENARIOS, LoadScenario, select
from conformance.bench.statistics import LEAST_ROUNDS
from conformance.bench.subject import Subject
from conformance.bench.throughput_table import LEGEND, heading, markdown, table
from conformance.cli.keeping import ANEW, keep_aside, refuse_another
from conformance.cli.options import images, note, output_directory
from conformance.cli.writing import write_text
from conformance.errors import UsageError, WorldError
from conformance.judge.runfile import part_of, suite_digest
from conformance.pod.base import PodFailure
from conformance.report.words import is_specification, numbered, one_line, specification_sentence
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.pool import RealPod, start_real
from conformance.targets.ready import make_ready
from conformance.targets.target import Target

WHOLE = "bench.json"


def run(options: argparse.Namespace) -> int:
    """Measure; 0, or 1 when the gate of --min-ratio falls, or 3 when it decides nothing."""
    if options.list:
        for scenario in SCENARIOS:
            print(f"{'*' if scenario.default else ' '} {scenario.name:26}{scenario.what}")
        print("* measured when no --scenario is given")
        return 0
    _check(options)
    scenarios = select(options.scenario)
    with output_directory(options) as out:
        return _run(
            options, scenarios, make_ready(options.targets, images(options), note, options.project), out
        )


def _run(options: argparse.Namespace, scenarios: Sequence[LoadScenario], plan: Plan, out: Path) -> int:
    bench = Bench(
        suite=__version__,
        started=_now(),
        seed=secrets.randbelow(10**6) if options.seed is None else options.seed,
        rounds=options.rounds,
        seconds=options.seconds,
        machine={"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)},
        participants=participants(plan.targets),
        min_ratio=options.min_ratio,
    )
    names = [scenario.name for scenario in scenarios]
    refuse_another(
        out / WHOLE, {"targets": [each.label for each in bench.participants], "scenarios": names}, _told_of
    )
    part = _Part(out, bench, names, seeded=options.seed is not None, resume=bool(options.resume))
    bench = part.bench
    for line in heading(bench):
        print(line)
    for target in plan.targets:
        if is_specification(target):
            print(f"{specification_sentence(target)}.")
    print(flush=True)
    try:
        with stopping.keeping(part.kept):
            asyncio.run(_measure(bench, scenarios, plan, part.save))
    except (PodFailure, WorldError) as failure:
        bench.scenarios[-1].drop_half_a_round()
        part.save()
        raise WorldError(f"the bench was cut off: {failure}", part.kept()) from failure
    bench.complete, bench.finished = True, _now()
    _write(bench, out)
    part.path.unlink()
    status, sentence = conclusion(bench)
    for line in LEGEND:
        print(line)
    print(f"\n{one_line(sentence)}")
    print(f"{one_line(str(out))}: bench.json, bench.md, and plots for wide and for narrow screens")
    return status


def _told_of(document: dict[str, Any]) -> dict[str, Any]:
    """What a bench.json is of."""
    return {
        "targets": [each["label"] for each in document["participants"]],
        "scenarios": [each["name"] for each in document["scenarios"]],
    }


class _Part:
    """A bench that is not finished yet, beside its place: written after every round, to be gone on with."""

    def __init__(self, out: Path, bench: Bench, scenarios: list[str], *, seeded: bool, resume: bool) -> None:
        """Raises UsageError when there is nothing to go on with, or it is of something else."""
        self.path = part_of(out / WHOLE)
        self.bench = bench
        targets = [each.target for each in bench.participants]
        what = {"suite": bench.suite, "digest": suite_digest(), "targets": targets, "scenarios": scenarios}
        what |= {name: getattr(bench, name) for name in ("rounds", "seconds", "min_ratio")}
        self._what = what
        if resume:
            self.bench = self._before({**what, "seed": bench.seed} if seeded else what)
        elif self.path.exists():
            keep_aside(self.path, note)
        self.save()

    def _before(self, what: dict[str, Any]) -> Bench:
        try:
            there = json.loads(self.path.read_bytes())
            before = Bench.from_json(there["bench"])
            was = {**there["what"], "seed": before.seed}
        except FileNotFoundError:
            raise UsageError(f"{self.path}: there is nothing to go on with", ANEW) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{self.path}: no bench that was cut off: {error!r}", ANEW) from error
        for name in what:
            if was.get(name) != what[name]:
                difference = f"{name} was {was.get(name)!r}, and now it is {what[name]!r}"
                raise UsageError(f"{self.path}: it is of something else: {difference}", ANEW)
        return before

    def save(self) -> None:
        self._rounds = sum(len(result.orders) for result in self.bench.scenarios)
        write_text(self.path, json.dumps({"what": self._what, "bench": self.bench.to_json()}) + "\n")

    def kept(self) -> str:
        out, rounds = one_line(str(self.path.parent)), numbered(self._rounds, "round")
        return f"{rounds} that it had measured are kept in {out}; --resume {out} goes on"


def participants(targets: Sequence[Target]) -> list[Participant]:
    """The targets by number, each with a label of its own: a name that comes again bears its number."""
    names = [target.label for target in targets]
    labels = [
        name if name not in names[:at] else f"{name} ({names[: at + 1].count(name)})"
        for at, name in enumerate(names)
    ]
    return [
        Participant(str(at), label, target.to_json())
        for at, (label, target) in enumerate(zip(labels, targets, strict=True))
    ]


def _check(options: argparse.Namespace) -> None:
    """UsageError for what cannot be measured or judged; nothing is started."""
    if not options.targets:
        raise UsageError("bench: no target is named", "`bench stock ppa`, or `bench --list`.")
    for name in options.targets:
        if parse_target(name, ppa=images(options).ppa or None, project=options.project).kind == "reference":
            raise UsageError(
                f"{name} is an embedded specification and has no throughput",
                "Name real builds: stock, ppa, debs:DIR, image:REF, installed, root:DIR.",
            )
    if options.rounds < LEAST_ROUNDS:
        raise UsageError(f"--rounds {options.rounds}: fewer than {LEAST_ROUNDS} give no interval")
    if not 0 < options.seconds <= 10:
        raise UsageError(f"--seconds {options.seconds:g}: more than 0, at most 10")
    if options.min_ratio is not None:
        if options.min_ratio <= 0:
            raise UsageError(f"--min-ratio {options.min_ratio:g}: a ratio is above 0")
        if len(options.targets) < 2:
            raise UsageError("--min-ratio compares with the first target", "Name another one.")


async def _measure(
    bench: Bench, scenarios: Sequence[LoadScenario], plan: Plan, save: Callable[[], None]
) -> None:
    subjects: dict[tuple[str, bool], Subject] = {}

    async def pod(key: str, again: bool) -> Subject:
        if (key, again) not in subjects:
            subjects[key, again] = Subject(await _started(plan.targets[int(key)], plan))
        return subjects[key, again]

    async def renew() -> None:
        await asyncio.gather(*(subject.dispose() for subject in subjects.values()))
        subjects.clear()

    def show(result: ScenarioResult) -> None:
        lines = table(result, bench.participants)
        print("\n".join([*lines, ""]), flush=True)

    try:
        await Course(bench, pod, renew, save, _note).run(scenarios, show)
    finally:
        await asyncio.shield(renew())


async def _started(target: Target, plan: Plan) -> RealPod:
    return await start_real(target, plan, "conformance.bench.inside.measuring_agent")


def _write(bench: Bench, out: Path) -> None:
    """Every file, and bench.json last."""
    for name, page in {"bench.md": markdown(bench), **plots(bench)}.items():
        write_text(out / name, page)
    write_text(out / WHOLE, json.dumps(bench.to_json(), indent=1) + "\n")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _note(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)
