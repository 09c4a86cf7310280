"""`try` and `shrink`: a scenario on one target or more, and the smallest one that still shows the same."""

import argparse
import sys
from pathlib import Path

from conformance.cli.deciding import headers, keep, question_of_file, tried_verdict
from conformance.cli.keeping import place, refuse_losses
from conformance.cli.options import images, note, output_directory, refuse_overwriting
from conformance.cli.reproducing import reproduction, write_reproduction
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.harmless import HarmlessStream, columns, harmless, printable
from conformance.places import located
from conformance.report.words import one_line
from conformance.reproduce.scene import scene
from conformance.scenario.form import Scenario
from conformance.scenario.making import load_transcript
from conformance.scenario.named import named_scenarios, scenario_path
from conformance.scenario.reading import load_scenario
from conformance.scenario.showing import shown
from conformance.scenario.shrinking import shrunk
from conformance.scenario.trial import Trials, Tried
from conformance.targets.plan import Plan
from conformance.targets.ready import make_ready

#: What is tried when no target is named.
TARGETS = ("reference-stock", "reference-ppa")


def attempt(options: argparse.Namespace) -> int:
    """`try`: run a scenario, or make one from a transcript."""
    if options.list:
        return _list(options)
    if options.from_transcript is not None:
        return _from_transcript(options)
    if options.file is None:
        hint = "Give a file, the name of one of `try --list`, or --from-transcript FILE."
        raise UsageError("try: which scenario?", hint)
    if options.o is not None:
        raise UsageError("-o belongs to --from-transcript", "Records are written with --out DIR.")
    path = scenario_path(options.file, options.project)
    scenario = load_scenario(path)
    plan = make_ready(list(dict.fromkeys(options.target)) or TARGETS, images(options), note, options.project)
    tried = _kept(path, scenario, plan, options) if options.out else _shown(scenario, plan)
    return EXIT_AS_EXPECTED if all(trial.met for trial in tried) else EXIT_REGRESSION


def _shown(scenario: Scenario, plan: Plan) -> list[Tried]:
    with Trials(plan) as trials:
        tried = trials.run(scenario)
    sys.stdout.write(shown(scenario, tried, columns(120)))
    return tried


def _kept(path: Path, scenario: Scenario, plan: Plan, options: argparse.Namespace) -> list[Tried]:
    """The same, and a run file and a directory to send for each target. Raises UsageError."""
    asked = question_of_file(path)
    begun = headers(asked, plan.targets, options.project)
    with output_directory(options) as out:
        refuse_overwriting((place(out, header) for header in begun), [path])
        refuse_losses(out, begun)  # before anything is played
        tried = _shown(scenario, plan)
        verdicts = [(trial.target, tried_verdict(asked, trial, options.project)) for trial in tried]
        print()
        for run in keep(begun, verdicts, out):
            print(one_line(f"run file: {run.path}"))
        for target, verdict in verdicts:
            directory = out / target.file_name
            try:
                files = reproduction(scene(verdict, target), images(options), path)
            except UsageError as error:  # of what no player does
                print(one_line(f"{directory} is not written: {error}"))
                continue
            write_reproduction(directory, files)
            print(one_line(f"to send: {directory} (`sh reproduce.sh` needs docker alone; traffic.pcap)"))
    return tried


def _list(options: argparse.Namespace) -> int:
    """The scenarios that have names."""
    for name, path in named_scenarios(options.project).items():
        print(f"{name}: {one_line(load_scenario(path).title)}")
    print(located("docs/scenarios.md explains the form, docs/schema/scenario-1.schema.json is for editors."))
    return EXIT_AS_EXPECTED


def _from_transcript(options: argparse.Namespace) -> int:
    if options.file is not None or options.target or options.out:
        raise UsageError(
            "--from-transcript makes a scenario and runs nothing",
            "First `try --from-transcript FILE -o SCENARIO.toml`, then `try SCENARIO.toml`.",
        )
    refuse_overwriting(filter(None, [options.o]), [options.from_transcript])
    made = load_transcript(Path(options.from_transcript))
    for remark in made.notes:
        print(printable(remark), file=sys.stderr)
    first = "answer the question in it (`hidden:`), then " if made.questions else ""
    _give(made.scenario, options.o, f"; {first}`qmail-conformance try {options.o}` tries it")
    return EXIT_AS_EXPECTED


def _give(text: str, place: str | None, then: str = "") -> None:
    """A scenario to standard output, or to the file that -o names."""
    if place is None:
        sys.stdout.write(text)
        if harmless(text) != text:
            print("some of it is shown otherwise than it is; -o FILE writes it as it is", file=sys.stderr)
    else:
        write_text(Path(place), text)
        print(printable(f"{place} is written{then}"), file=sys.stderr)


def shrink(options: argparse.Namespace) -> int:
    """`shrink`: with two targets while they differ, with one while the same expectation stays unmet."""
    path = scenario_path(options.scenario, options.project)
    refuse_overwriting(filter(None, [options.o]), [path])
    load_scenario(path)
    names = list(dict.fromkeys(options.target)) or list(TARGETS)
    if len(names) > 2:
        raise UsageError("shrink takes one target or two", "Name the two that differ.")
    plan = make_ready(names, images(options), note, options.project)
    with Trials(plan) as trials:
        result = shrunk(path, trials, _progress if sys.stderr.isatty() else lambda runs, left: None)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # the progress stands on a line of its own
    print(f"kept: {one_line(str(result.difference))}", file=sys.stderr)
    print(f"{result.before} lines before, {result.after} after; {result.runs} runs", file=sys.stderr)
    _give(result.text, options.o)
    return EXIT_AS_EXPECTED


def _progress(runs: int, left: int) -> None:
    stream = HarmlessStream.of(sys.stderr)
    stream.rewrite(f"{runs} runs, {left} lines left ")
    stream.flush()
