"""`merge`: the parts of a run, each from a machine of its own, put together."""

import argparse

from conformance.cli.keeping import begin
from conformance.cli.options import note, output_directory
from conformance.cli.running import tell
from conformance.cli.stored import mark_latest, run_files
from conformance.judge.runfile import read_run, verdict_line
from conformance.judge.shards import merged


def run(options: argparse.Namespace) -> int:
    """Write one run for each target; the exit status is that of all verdicts, as of a run in one piece."""
    parts = [read_run(path) for path in run_files(options.runs)]
    whole = merged(parts)
    with output_directory(options) as out:
        writers = begin(out, [header for header, _ in whole], note)
        for header, verdicts in whole:
            writer = writers[header.target.label]
            for verdict in verdicts:
                writer.write(verdict_line(verdict))
            writer.finish()
        mark_latest(out)
        return tell([read_run(writer.path) for writer in writers.values()], out, options).exit_status
