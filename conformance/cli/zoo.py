"""`zoo`: every case under every flaw of the reference; red when one is uncaught, or a case catches none."""

import argparse
import json
import time

from conformance.cases.collection import all_requirements
from conformance.cli.keywords import matcher
from conformance.cli.options import output_directory
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, NothingSelected, UsageError
from conformance.harmless import printable
from conformance.reference.flaws import FLAWS
from conformance.targets.capacity import cut_down_workers
from conformance.zoo import pages
from conformance.zoo.catches import ZooTable, lay_out
from conformance.zoo.trial import baseline, run_trials


def visit(keyword: str, workers: int) -> ZooTable:
    """One round: what `keyword` selects of flaws and requirements, each against all of the other side."""
    requirements = all_requirements()
    fits = matcher(keyword)
    chosen = {name for name in (*FLAWS, *requirements) if fits([name])}
    if not chosen:
        raise NothingSelected(
            f"no flaw and no requirement is selected by -k {keyword!r}",
            "`qmail-conformance list` shows the requirements, conformance/reference/flaws the flaws.",
        )
    without = baseline(requirements)
    trials = without.trials(lambda flaw, name: flaw in chosen or name in chosen)
    return lay_out(requirements, without, run_trials(trials, workers), chosen)


def run(options: argparse.Namespace) -> int:
    if options.workers < 1:
        raise UsageError(f"-n {options.workers}: at least one worker is needed")
    options.workers = cut_down_workers(options.workers, print)
    began = time.monotonic()
    table = visit(options.keyword, options.workers)
    out = output_directory(options)
    write_text(out / "zoo.md", pages.markdown(table))
    write_text(out / "zoo.json", json.dumps(pages.to_json(table), indent=1) + "\n")
    for line in summary(table):
        print(line)
    print(f"{table.runs} cases under a flaw, in {time.monotonic() - began:.1f} s with -n {options.workers}")
    print(printable(f"the table: {out / 'zoo.md'}, {out / 'zoo.json'}"))
    return EXIT_REGRESSION if table.broken else EXIT_AS_EXPECTED


def summary(table: ZooTable) -> list[str]:
    """The conclusion, in a few lines; what is broken comes first."""
    caught = sum(bool(table.caught_by[flaw]) for flaw in table.flaws)
    catching = sum(bool(table.catches[name]) for name in table.requirements)
    lines = [f"broken: {line}" for line in table.broken]
    lines.append(f"{caught} of {len(table.flaws)} flaws are caught by a requirement")
    lines.append(f"{catching} of {len(table.requirements)} requirements catch a flaw")
    if not table.broken:
        lines.append("every flaw by one of its own patch; without flaws the reference is as promised")
    return lines
