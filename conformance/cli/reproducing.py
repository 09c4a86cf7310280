"""`reproduce`: a requirement, or a scenario, on one target: its story, and a directory that stands alone."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.cli.deciding import decided, names_of_questions, question_of
from conformance.cli.options import images, note
from conformance.cli.stored import run_file
from conformance.cli.writing import write_directory
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, NothingSelected, UsageError, WorldError
from conformance.judge.runfile import read_reached
from conformance.judge.verdict import Verdict
from conformance.nearest import did_you_mean
from conformance.report.words import one_line
from conformance.reproduce.directory import MARK, directory, directory_name, mode, refuse_other_things
from conformance.reproduce.readme import heading, story_lines
from conformance.reproduce.recipe import located
from conformance.reproduce.scene import Scene, scene
from conformance.scenario.reading import scenario_text
from conformance.targets.image_options import Images
from conformance.targets.ready import make_ready
from conformance.targets.target import Target


def run(options: argparse.Namespace) -> int:
    """Take the record, tell its story, write the directory; 0 whatever the verdict is, 3 of half a run."""
    given = images(options)
    cut_off = ""
    asked = question_of(options.requirement, options.project)
    if options.stored:
        name = asked.requirement.name if asked else options.requirement
        path = run_file(options.stored, options.target)
        verdict, target, cut_off = _stored(name, options.target, path)
        target = located(target, given, options.project)
    elif options.target:
        if asked is None:
            known = names_of_questions(options.project)
            raise _unknown("there is no requirement and no scenario", options.requirement, known)
        plan = make_ready([options.target], given, note, options.project)
        (target,) = plan.targets
        verdict = decided(asked, target, plan, options.project)
        if verdict.verdict == "invalid":
            what = f"{verdict.requirement} on {target.label}: the world misbehaved, so nothing is said about"
            hint = "Run it again; `qmail-conformance doctor` looks at this machine."
            raise WorldError(f"{what} qmail: {verdict.seen}", hint)
    else:
        raise UsageError(
            "reproduce: it is not said on which target", "Give --target TARGET, or --from RUN.jsonl."
        )
    made = scene(verdict, target)
    files = reproduction(made, given, asked.file if asked else None)
    for line in [*heading(made), "", *story_lines(made)]:
        print(line)
    out = Path(options.out) if options.out else Path("reproduce") / directory_name(made)
    write_reproduction(out, files)
    place = one_line(str(out))
    print(f"\n{place}: {len(files)} files; `sh {place}/reproduce.sh` shows it")
    if cut_off:
        print(f"{path} was cut off after {cut_off}; this one was reached", file=sys.stderr)
    return EXIT_WORLD if cut_off else EXIT_AS_EXPECTED


def reproduction(made: Scene, given: Images, scenario: Path | None) -> dict[str, bytes]:
    """The files of the directory, that of a scenario among them. Raises UsageError."""
    try:
        files = directory(made, given, scenario_text(scenario) if scenario else "")
    except UnicodeEncodeError as error:
        name = made.verdict.requirement
        raise UsageError(f"{name}: its record holds what no octets are: {error}") from error
    return files


def write_reproduction(out: Path, files: Mapping[str, bytes]) -> None:
    """Write it in the place of an earlier one, and of nothing else. Raises UsageError."""
    refuse_other_things(out, files)
    write_directory(out, files, MARK, mode)


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


def _unknown(what: str, name: str, known: Iterable[str]) -> NothingSelected:
    hint = did_you_mean(name, known, "`qmail-conformance list` shows what there is.")
    return NothingSelected(f"{what} {name!r}", hint)
