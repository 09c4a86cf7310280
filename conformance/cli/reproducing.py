"""`reproduce`: one requirement on one target as a directory that stands alone, its story on the terminal."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from conformance.errors import NothingSelected, UsageError, WorldError
from conformance.judge.verdict import Verdict
from conformance.report.words import one_line, say
from conformance.targets.target import Target


def run(options: argparse.Namespace) -> int:
    """Take the record, tell its story, write the directory; 0 whatever the verdict is."""
    from conformance.reproduce.directory import directory, directory_name, write
    from conformance.reproduce.readme import heading, story_lines
    from conformance.reproduce.recipe import located
    from conformance.reproduce.scene import scene
    from conformance.targets.ready import Images

    images = Images.chosen(lambda name: getattr(options, name))
    if options.stored:
        verdict, target = _stored(options.requirement, options.target, Path(options.stored))
        target = located(target, images)
    elif options.target:
        verdict, target = _measured(options.requirement, options.target, images)
    else:
        raise UsageError(
            "reproduce: it is not said on which target", "Give --target TARGET, or --from RUN.jsonl."
        )
    made = scene(verdict, target)
    try:
        files = directory(made, images)
    except UnicodeEncodeError as error:
        raise UsageError(f"{options.requirement}: its record holds what no octets are: {error}") from error
    for line in [*heading(made), "", *story_lines(made)]:
        say(sys.stdout, line + "\n")
    out = Path(options.out) if options.out else Path("reproduce") / directory_name(made)
    write(files, out)
    say(sys.stdout, f"\n{out}: {len(files)} files; `sh {one_line(str(out))}/reproduce.sh` shows it\n")
    return 0


def _stored(name: str, target: str | None, path: Path) -> tuple[Verdict, Target]:
    """The verdict and the target of a stored run; nothing is started."""
    from conformance.judge.runfile import read_run

    run = read_run(path)
    if target and target != run.target.name:
        raise UsageError(
            f"{path} is a run of {one_line(run.target.name)}, not of {target}",
            "Leave --target out, or name the run file of that target.",
        )
    found = next((verdict for verdict in run.verdicts if verdict.requirement == name), None)
    if found is None:
        raise NothingSelected(
            f"{path} holds no requirement {name!r}{_close(name, [one.requirement for one in run.verdicts])}",
            "`qmail-conformance list` shows what there is.",
        )
    return found, run.target


def _measured(name: str, target_name: str, images: object) -> tuple[Verdict, Target]:
    """Run the one case on the target."""
    from conformance.cases.attempt import Attempt, judge
    from conformance.cases.collection import all_requirements, case_of
    from conformance.cases.script import script_of
    from conformance.judge.deviations import load_deviations
    from conformance.judge.expectation import expect, judged
    from conformance.pod.base import PodFailure
    from conformance.pod.secrets import fixture_secrets
    from conformance.targets.pool import PodPool
    from conformance.targets.ready import Images, make_ready

    assert isinstance(images, Images)
    requirements = all_requirements()
    if name not in requirements:
        raise NothingSelected(
            f"there is no requirement {name!r}{_close(name, list(requirements))}",
            "`qmail-conformance list` shows what there is.",
        )
    requirement = requirements[name]
    plan = make_ready([target_name], images, _note)
    target = plan.targets[0]

    async def decide() -> Attempt:
        case, pool = case_of(requirement), PodPool(plan)
        try:
            played = await pool.play(target, script_of(case))
            return await judge(case, played, fixture_secrets())
        except PodFailure as error:
            hint = "`qmail-conformance doctor` looks at this machine."
            raise WorldError(f"no pod: {error}", hint) from error
        finally:
            await pool.dispose()

    result = asyncio.run(decide())
    expectation = expect(requirement, target, load_deviations(requirements))
    verdict = judged(
        requirement,
        expectation,
        [result.outcome],
        seconds=result.seconds,
        seen=result.seen,
        record=result.record,
    )
    if verdict.verdict == "invalid":
        raise WorldError(
            f"{name} on {target.name}: the world misbehaved, so nothing is said about qmail: {verdict.seen}",
            "Run it again; `qmail-conformance doctor` looks at this machine.",
        )
    return verdict, target


def _close(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3)
    return f"; near it are {', '.join(near)}" if near else ""


def _note(line: str) -> None:
    print(f"{line} ...", file=sys.stderr, flush=True)
