"""`reproduce`: one requirement on one target as a directory that stands alone, its story on the terminal."""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from conformance.cases.script import script_of
from conformance.cli.options import images, note
from conformance.cli.stored import run_file
from conformance.cli.writing import write_directory
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, NothingSelected, UsageError, WorldError
from conformance.judge.decider import decide, of_case
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect
from conformance.judge.runfile import read_reached
from conformance.judge.verdict import Verdict
from conformance.nearest import did_you_mean
from conformance.project.form import Project
from conformance.report.words import one_line
from conformance.reproduce.directory import MARK, directory, directory_name, mode, refuse_other_things
from conformance.reproduce.readme import heading, story_lines
from conformance.reproduce.recipe import located
from conformance.reproduce.scene import scene
from conformance.targets.image_options import Images
from conformance.targets.pool import PodPool
from conformance.targets.ready import make_ready
from conformance.targets.target import Target


def run(options: argparse.Namespace) -> int:
    """Take the record, tell its story, write the directory; 0 whatever the verdict is, 3 of half a run."""
    given = images(options)
    cut_off = ""
    if options.stored:
        path = run_file(options.stored, options.target)
        verdict, target, cut_off = _stored(options.requirement, options.target, path)
        target = located(target, given, options.project)
    elif options.target:
        verdict, target = _measured(options.requirement, options.target, given, options.project)
    else:
        raise UsageError(
            "reproduce: it is not said on which target", "Give --target TARGET, or --from RUN.jsonl."
        )
    made = scene(verdict, target)
    try:
        files = directory(made, given)
    except UnicodeEncodeError as error:
        raise UsageError(f"{options.requirement}: its record holds what no octets are: {error}") from error
    for line in [*heading(made), "", *story_lines(made)]:
        print(line)
    out = Path(options.out) if options.out else Path("reproduce") / directory_name(made)
    refuse_other_things(out, files)
    write_directory(out, files, MARK, mode)
    place = one_line(str(out))
    print(f"\n{place}: {len(files)} files; `sh {place}/reproduce.sh` shows it")
    if cut_off:
        print(f"{path} was cut off after {cut_off}; this one was reached", file=sys.stderr)
    return EXIT_WORLD if cut_off else EXIT_AS_EXPECTED


def _stored(name: str, target: str | None, path: Path) -> tuple[Verdict, Target, str]:
    """The verdict and the target of a stored run, and whether it was cut off; nothing is started."""
    run = read_reached(path)
    if target and target != run.target.name:
        raise UsageError(
            f"{path} is a run of {one_line(run.target.name)}, not of {target}",
            "Leave --target out, or name the run file of that target.",
        )
    verdicts = {verdict.requirement: verdict for verdict in run.verdicts}
    if name not in verdicts:
        raise _unknown(f"{path} holds no requirement", name, verdicts)
    return verdicts[name], run.target, run.cut_off


def _measured(name: str, target_name: str, given: Images, project: Project) -> tuple[Verdict, Target]:
    """Run the one case on the target."""
    requirements = project.catalogue.requirements
    if name not in requirements:
        raise _unknown("there is no requirement", name, requirements)
    plan = make_ready([target_name], given, note, project)
    (target,) = plan.targets
    requirement = requirements[name]
    expectation = expect(requirement, target, load_deviations(requirements, project=project))

    async def decided() -> Verdict:
        case, pool = project.catalogue.cases[name], PodPool(plan)
        try:
            live = of_case(case, partial(pool.played, pool.submit(target, script_of(case))))
            return (await decide(requirement, expectation, live))[0]
        finally:
            await pool.dispose()

    verdict = asyncio.run(decided())
    if verdict.verdict == "invalid":
        raise WorldError(
            f"{name} on {target.name}: the world misbehaved, so nothing is said about qmail: {verdict.seen}",
            "Run it again; `qmail-conformance doctor` looks at this machine.",
        )
    return verdict, target


def _unknown(what: str, name: str, known: Iterable[str]) -> NothingSelected:
    hint = did_you_mean(name, known, "`qmail-conformance list` shows what there is.")
    return NothingSelected(f"{what} {name!r}", hint)
