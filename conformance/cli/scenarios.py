"""`try` and `shrink`: a scenario on one target or more, and the smallest one that still shows the same."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from conformance.cli.options import images, note
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.pod.codec import encode
from conformance.report.words import one_line, printable, say
from conformance.scenario.making import load_transcript
from conformance.scenario.reading import load_scenario
from conformance.scenario.showing import shown
from conformance.scenario.shrinking import shrunk
from conformance.scenario.trial import Trials
from conformance.targets.ready import make_ready

#: What is tried when no target is named.
TARGETS = ("reference-stock", "reference-ppa")


def attempt(options: argparse.Namespace) -> int:
    """`try`: run a scenario, or make one from a transcript."""
    if options.from_transcript is not None:
        return _from_transcript(options)
    if options.file is None:
        raise UsageError("try: which scenario?", "Give a file, or --from-transcript FILE.")
    if options.o is not None:
        raise UsageError("-o belongs to --from-transcript", "Records are written with --out DIR.")
    scenario = load_scenario(Path(options.file))
    plan = make_ready(list(dict.fromkeys(options.target)) or TARGETS, images(options), note)
    with Trials(plan) as trials:
        tried = trials.run(scenario)
    say(sys.stdout, shown(scenario, tried, shutil.get_terminal_size((120, 24)).columns))
    if options.out:
        out = Path(options.out)
        for trial in tried:
            data = {
                "scenario": options.file,
                "target": trial.target.to_json(),
                "expectations": encode(trial.checks),
                "record": encode(trial.record),
            }
            write_text(out / f"{trial.target.file_name}.json", json.dumps(data, indent=1) + "\n")
        say(sys.stdout, f"the records: {out}\n")
    return EXIT_AS_EXPECTED if all(trial.met for trial in tried) else EXIT_REGRESSION


def _from_transcript(options: argparse.Namespace) -> int:
    if options.file is not None or options.target or options.out:
        raise UsageError(
            "--from-transcript makes a scenario and runs nothing",
            "First `try --from-transcript FILE -o SCENARIO.toml`, then `try SCENARIO.toml`.",
        )
    made = load_transcript(Path(options.from_transcript))
    for remark in made.notes:
        say(sys.stderr, f"{printable(remark)}\n")
    _give(made.scenario, options.o, f"; `qmail-conformance try {options.o}` tries it")
    return EXIT_AS_EXPECTED


def _give(text: str, place: str | None, then: str = "") -> None:
    """A scenario to standard output, or to the file that -o names."""
    if place is None:
        say(sys.stdout, text)
    else:
        write_text(Path(place), text)
        say(sys.stderr, f"{place} is written{then}\n")


def shrink(options: argparse.Namespace) -> int:
    """`shrink`: with two targets while they differ, with one while the same expectation stays unmet."""
    path = Path(options.scenario)
    load_scenario(path)
    names = list(dict.fromkeys(options.target)) or list(TARGETS)
    if len(names) > 2:
        raise UsageError("shrink takes one target or two", "Name the two that differ.")
    plan = make_ready(names, images(options), note)
    with Trials(plan) as trials:
        result = shrunk(path, trials, _progress if sys.stderr.isatty() else lambda runs, left: None)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # the progress stands on a line of its own
    say(sys.stderr, f"kept: {one_line(str(result.difference))}\n")
    say(sys.stderr, f"{result.before} lines before, {result.after} after; {result.runs} runs\n")
    _give(result.text, options.o)
    return EXIT_AS_EXPECTED


def _progress(runs: int, left: int) -> None:
    print(f"\r{runs} runs, {left} lines left ", end="", file=sys.stderr, flush=True)
