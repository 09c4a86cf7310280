"""`run`, `compare`, `gate` and `judge`: what they put together, and what they say at the end."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from conformance.attribution.carried import difference, shares
from conformance.cli import keeping
from conformance.cli.case_run import Selection, run_cases
from conformance.cli.controlling import Control, control
from conformance.cli.options import (
    images,
    note,
    output_directory,
    refuse_overwriting,
    refuse_standard_output,
)
from conformance.cli.stored import is_stored, run_file, run_files
from conformance.cli.writing import write_text
from conformance.errors import EXIT_WORLD, UsageError, WorldError
from conformance.judge.baseline import against_baseline, refuse_nothing_in_common
from conformance.judge.comparison import Comparison
from conformance.judge.comparison import compare as lay_side_by_side
from conformance.judge.deviations import load_deviations
from conformance.judge.outcome import worst_status
from conformance.judge.runfile import Run, part_of, read_reached, read_run
from conformance.judge.shards import Shard
from conformance.report import baseline as baseline_report
from conformance.report.annotations import annotations
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.progress import Progress
from conformance.report.sentences import sentence
from conformance.report.terminal import show
from conformance.report.words import conclusion, known_to_be_wrong, one_line, unexpected_or_undecided
from conformance.targets.names import parse_target
from conformance.targets.namespaces.ready import why_not
from conformance.targets.plan import Plan
from conformance.targets.ready import make_ready

#: "none": behave as if there were no Docker engine (for tests, and for a quick comparison of references).
ENGINE_VARIABLE = "QMAIL_CONFORMANCE_ENGINE"

_CHANGED = 20  #: verdicts that are told as changed; the run file holds them all


def run(options: argparse.Namespace) -> int:
    return _measure([options.target], options).exit_status


def compare(options: argparse.Namespace) -> int:
    """Targets are run; stored runs are read, and nothing is started."""
    stored = [name for name in options.what if is_stored(name)]
    if stored and len(stored) < len(options.what):
        raise UsageError(
            "targets and stored runs cannot be compared at once", "Run the targets first, with --out."
        )
    if stored and options.resume:
        raise UsageError("--resume goes on with targets, and stored runs are not run", "Leave it out.")
    if stored:
        comparison = lay_side_by_side([read_reached(path) for path in run_files(stored)])
        show(comparison, sys.stdout, options.detail, options.color)
        _tell_claims(comparison, options)
        return comparison.exit_status
    plan = _best_there_is(options) if not options.what else None
    return _measure(options.what, options, plan).exit_status


def gate(options: argparse.Namespace) -> int:
    """One line of conclusion at the end; the exit status covers the build and what it is compared with."""
    names = [options.target] + ([options.against] if options.against else [])
    if options.baseline and len(images(options, several=True).each_release()) > 1:
        what = "--baseline is the run of one release, and this would be one of several"
        raise UsageError(what, "Name one release with --release.")
    baseline = read_run(_baseline(options)) if options.baseline else None
    refuse_standard_output(options.annotations)
    if options.annotations:
        refuse_overwriting([options.annotations], [baseline.path] if baseline else [])
    found_noise: list[Control] = []

    def once_more(plan: Plan, runs: Sequence[Run]) -> None:
        if not runs[0].cut_off and (noise := control(plan, runs[0], options.pods, options.project)):
            found_noise.append(noise)

    before = 1 if options.against else None
    comparison = _measure(names, options, baseline=baseline, before=before, then=once_more)
    status, found = comparison.exit_status, None
    if baseline is not None:
        found = against_baseline(comparison.runs[0], baseline)
        status = found.exit_status(comparison.runs[0], comparison.runs[1:])
        print("\n".join(baseline_report.lines(found)))
    if options.annotations:
        write_text(Path(options.annotations), annotations(comparison, found))
    if selection := comparison.runs[0].header.selection:
        print(f"gate: this is of a part alone ({one_line(selection)}), and no answer about the whole build.")
    for noise in found_noise:
        print(one_line(str(noise), 600))
    word = {0: "passes", EXIT_WORLD: "is not decided"}.get(status, "does not pass")
    if found is not None:
        word += known_to_be_wrong(comparison, 0)
        verdicts = comparison.runs[0].verdicts
        print(baseline_report.ending(comparison.labels[0], word, found, status, verdicts))
    else:
        several = len(_gated(comparison)) > 1
        name = comparison.runs[0].target.name if several else comparison.labels[0]
        print(f"gate: {one_line(name)} {word}{_of_each(comparison)}. {conclusion(comparison)}")
    return status


def _baseline(options: argparse.Namespace) -> Path:
    """The run file that --baseline means: in a directory the one of the build that is gated."""
    given = images(options)
    target = parse_target(options.target, ppa=given.ppa, project=options.project)
    return run_file(options.baseline, target.name, given.release)


def _gated(comparison: Comparison) -> list[int]:
    """The runs of the build that is gated: one for each release."""
    name = comparison.runs[0].target.name
    return [index for index, run in enumerate(comparison.runs) if run.target.name == name]


def _of_each(comparison: Comparison) -> str:
    """What is unexpected and what is known of the build that is gated, on each release."""
    gated = _gated(comparison)
    told = [
        unexpected_or_undecided(comparison.runs[index]) + known_to_be_wrong(comparison, index)
        for index in gated
    ]
    if len(gated) == 1:
        return told[0]
    labels = (one_line(comparison.labels[index]) for index in gated)
    return "; " + "; ".join(
        f"{label}{said or ': as expected'}" for label, said in zip(labels, told, strict=True)
    )


def judge(options: argparse.Namespace) -> int:
    """Each stored run is judged from its records by today's cases; the runs themselves stay as they are."""
    paths = run_files(options.runs)
    runs = [read_reached(path) for path in paths]
    with output_directory(options) as out:
        places = [keeping.place(out, run.header) for run in runs]
        refuse_overwriting(places, paths)
        refuse_overwriting(map(part_of, places), paths)
        return worst_status([_judge(run, out, options, alone=len(runs) == 1) for run in runs])


def _judge(before: Run, out: Path, options: argparse.Namespace, *, alone: bool) -> int:
    """One run judged again; the exit status."""
    names = tuple(verdict.requirement for verdict in before.verdicts)
    if not names:
        raise WorldError(
            f"{before.path}: it was cut off before its first verdict", "--resume goes on with it."
        )
    plan = Plan((before.target,), selected=names, stored={before.target.label: str(before.path.resolve())})
    runs = run_cases(
        plan,
        Selection(),
        out=out,
        pods=1,
        say=_sayer(options),
        progress=_progress(options),
        judged=before,
        project=options.project,
    )
    comparison = tell(runs, out, options, "" if alone else f"{before.target.file_name}.")
    old = {verdict.requirement: verdict for verdict in before.verdicts}
    changed = [new for new in runs[0].verdicts if new.verdict != old[new.requirement].verdict]
    for new in changed[:_CHANGED]:
        was = old[new.requirement].verdict
        print(one_line(f"{new.requirement}: was {was}, is now {new.verdict}. {sentence(new)}", 600))
    if len(changed) > _CHANGED:
        print(f"… and {len(changed) - _CHANGED} more; {out} holds them all.")
    return comparison.exit_status


def _measure(
    names: list[str],
    options: argparse.Namespace,
    plan: Plan | None = None,
    baseline: Run | None = None,
    before: int | None = None,
    then: Callable[[Plan, Sequence[Run]], None] = lambda plan, runs: None,
) -> Comparison:
    """Run, write every report, and show the comparison; `before` as for `lay_side_by_side`.

    `then` is done with what was run, before anything is told of it.
    """
    selection = Selection(options.keyword, tuple(options.patch), shard=_shard(options))
    if baseline is not None:  # told before an image is built
        chosen = selection.of(options.project.catalogue.requirements.values())
        if chosen:
            refuse_nothing_in_common((requirement.name for requirement in chosen), baseline)
    with output_directory(options) as out:
        plan = plan or make_ready(
            names, images(options, several=True), note, options.project, before=before or 0
        )
        resume = bool(options.resume)
        if baseline is not None:
            written = [out / f"{target.file_name}.jsonl" for target in plan.targets]
            refuse_overwriting(written, [baseline.path])
        runs = run_cases(
            plan,
            selection,
            out=out,
            pods=options.pods,
            say=_sayer(options),
            progress=_progress(options),
            resume=resume,
            project=options.project,
            maxfail=options.maxfail,
        )
        then(plan, runs)
        return tell(runs, out, options, baseline=baseline, before=before)


def _shard(options: argparse.Namespace) -> Shard | None:
    """The part that this machine has, balanced by stored runs; None for everything, as a gate needs it."""
    words = getattr(options, "shard", None)
    if words is None:
        return None
    stored = [read_run(path) for path in run_files(options.seconds_of)] if options.seconds_of else []
    return Shard.read(words, stored)


def _best_there_is(options: argparse.Namespace) -> Plan:
    """Stock against patched with what this machine has; the first line says what that is."""
    say, references = _sayer(options), ["reference-stock", "reference-ppa"]
    given = images(options, several=True)
    if os.environ.get(ENGINE_VARIABLE) == "none":
        say("The Docker engine is left out on request: the two embedded references are compared.")
        return make_ready(references, given)
    try:
        make_ready(["stock"], given, note, options.project)
    except WorldError as error:
        if not why_not(Path("/")):
            say(f"The qmail of this machine is compared with the embedded reference of stock: {error}")
            return make_ready(["reference-stock", "installed"], given, project=options.project)
        say(f"Real qmail cannot be had here: the two embedded references are compared. It is because {error}")
        return make_ready(references, given)
    if not given.ppa:
        say("No PPA is named (--ppa or QMAIL_PPA): stock is real, and the patched side is the reference.")
        return make_ready(["stock", "reference-ppa"], given, note, options.project)
    # A PPA that was named and cannot be had is an error: nothing else may stand in for it.
    plan = make_ready(["stock", "ppa"], given, note, options.project, before=0)
    say(f"Ubuntu's stock qmail is compared with that of {given.ppa}.")
    return plan


def _progress(options: argparse.Namespace) -> Callable[[int], Progress | None]:
    """A display on standard error as it is now: while pytest runs its place is taken. None for `quiet`."""
    return _nothing if options.detail == "quiet" else partial(Progress, sys.stderr)


def _nothing(total: int) -> None:
    """The display that shows nothing."""


def _sayer(options: argparse.Namespace) -> Callable[[str], None]:
    """Where lines go that are no part of a report: not between those of one that shall stand alone."""
    return _say if options.detail not in ("quiet", "differences") else _say_aside


def tell(
    runs: Sequence[Run],
    out: Path,
    options: argparse.Namespace,
    prefix: str = "",
    baseline: Run | None = None,
    before: int | None = None,
) -> Comparison:
    """Write every report, and show the comparison."""
    comparison = lay_side_by_side(runs, before)
    since = against_baseline(runs[0], baseline) if baseline is not None else None
    write_text(out / f"{prefix}junit.xml", junit(comparison, since))
    page = markdown(comparison)
    if since is not None:
        page += "\n" + baseline_report.page(since)
    write_text(out / f"{prefix}summary.md", page)
    show(comparison, sys.stdout, options.detail, options.color)
    _tell_claims(comparison, options)
    return comparison


def _tell_claims(comparison: Comparison, options: argparse.Namespace) -> None:
    """A line for each run of which what it claims and what it was found to carry differ."""
    say, requirements = _sayer(options), options.project.catalogue.requirements
    deviations = load_deviations(requirements, project=options.project)
    for label, run in zip(comparison.labels, comparison.runs, strict=True):
        if line := difference(run, shares(run, deviations, requirements)):
            say(one_line(f"{label}: {line}"))


def _say(line: str) -> None:
    """To standard output at once: in a CI log it must stand before what follows."""
    print(line, flush=True)


def _say_aside(line: str) -> None:
    """To standard error, beside a report that stands alone."""
    print(line, file=sys.stderr, flush=True)
