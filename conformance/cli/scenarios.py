"""`try` and `shrink`: a scenario on one target or more, and the smallest one that still shows the same."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.report.words import one_line, printable, say

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
    from conformance.pod.codec import encode
    from conformance.scenario.reading import load_scenario
    from conformance.scenario.showing import shown
    from conformance.scenario.trial import Trials
    from conformance.targets.ready import Images, make_ready

    scenario = load_scenario(Path(options.file))
    images = Images.chosen(lambda name: getattr(options, name))
    plan = make_ready(list(dict.fromkeys(options.target)) or TARGETS, images, _note)
    with Trials(plan) as trials:
        tried = trials.run(scenario)
    say(sys.stdout, shown(scenario, tried, _width()))
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
    return EXIT_AS_EXPECTED if all(one.met for one in tried) else EXIT_REGRESSION


def _from_transcript(options: argparse.Namespace) -> int:
    if options.file is not None or options.target or options.out:
        raise UsageError(
            "--from-transcript makes a scenario and runs nothing",
            "First `try --from-transcript FILE -o SCENARIO.toml`, then `try SCENARIO.toml`.",
        )
    from conformance.scenario.making import load_transcript

    made = load_transcript(Path(options.from_transcript))
    for note in made.notes:
        say(sys.stderr, f"{printable(note)}\n")
    if options.o is None:
        say(sys.stdout, made.scenario)
    else:
        write_text(Path(options.o), made.scenario)
        say(sys.stderr, f"{options.o} is written; `qmail-conformance try {options.o}` tries it\n")
    return EXIT_AS_EXPECTED


def shrink(options: argparse.Namespace) -> int:
    """`shrink`: with two targets while they differ, with one while the same expectation stays unmet."""
    from conformance.scenario.reading import load_scenario
    from conformance.scenario.shrinking import shrunk
    from conformance.scenario.trial import Trials
    from conformance.targets.ready import Images, make_ready

    path = Path(options.scenario)
    load_scenario(path)
    names = list(dict.fromkeys(options.target)) or list(TARGETS)
    if len(names) > 2:
        raise UsageError("shrink takes one target or two", "Name the two that differ.")
    plan = make_ready(names, Images.chosen(lambda name: getattr(options, name)), _note)
    with Trials(plan) as trials:
        result = shrunk(path, trials, _progress if sys.stderr.isatty() else lambda runs, left: None)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # the progress stands on a line of its own
    say(sys.stderr, f"kept: {one_line(str(result.difference))}\n")
    say(sys.stderr, f"{result.before} lines before, {result.after} after; {result.runs} runs\n")
    if options.o is None:
        say(sys.stdout, result.text)
    else:
        write_text(Path(options.o), result.text)
        say(sys.stderr, f"{options.o} is written\n")
    return EXIT_AS_EXPECTED


def _width() -> int:
    return shutil.get_terminal_size((120, 24)).columns


def _note(line: str) -> None:
    print(f"{line} ...", file=sys.stderr, flush=True)


def _progress(runs: int, left: int) -> None:
    print(f"\r{runs} runs, {left} lines left ", end="", file=sys.stderr, flush=True)
