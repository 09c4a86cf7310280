"""`zoo`: every case under every flaw of the reference; red when one is uncaught, or a case catches none."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from _pytest.mark.expression import Expression

from conformance.cases.collection import all_requirements
from conformance.cli.running import output_directory
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, NothingSelected, UsageError
from conformance.reference.flaws import FLAWS
from conformance.zoo import pages
from conformance.zoo.table import Table, lay_out
from conformance.zoo.trial import baseline, run_trials


def matching(keyword: str, names: list[str]) -> set[str]:
    """The names that pytest's -k expression selects; all of them when it is empty. Raises UsageError."""
    if not keyword:
        return set(names)
    try:
        expression = Expression.compile(keyword)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"-k {keyword!r}: {error}", "Write it as pytest's -k.") from error

    def selects(name: str) -> bool:
        return expression.evaluate(lambda word, /, **_: word.lower() in name)

    return set(filter(selects, names))


def visit(keyword: str, workers: int) -> Table:
    """One round: what `keyword` selects of flaws and requirements, each against all of the other side."""
    requirements = all_requirements()
    chosen = matching(keyword, [*FLAWS, *requirements])
    if not chosen:
        raise NothingSelected(
            f"no flaw and no requirement is selected by -k {keyword!r}",
            "`qmail-conformance list` shows the requirements, conformance/reference/flaws.py the flaws.",
        )
    without = baseline(requirements)
    trials = without.trials(lambda flaw, name: flaw in chosen or name in chosen)
    return lay_out(requirements, without, run_trials(trials, workers), chosen)


def run(options: argparse.Namespace) -> int:
    if options.workers < 1:
        raise UsageError(f"-n {options.workers}: at least one worker is needed")
    began = time.monotonic()
    table = visit(options.keyword, options.workers)
    out: Path = output_directory(options)
    out.mkdir(parents=True, exist_ok=True)
    (out / "zoo.md").write_text(pages.markdown(table), encoding="utf-8")
    text = json.dumps(pages.to_json(table), indent=1, ensure_ascii=False)
    (out / "zoo.json").write_text(text + "\n", encoding="utf-8")
    for line in summary(table):
        print(line)
    print(f"{table.runs} cases under a flaw, in {time.monotonic() - began:.1f} s with -n {options.workers}")
    print(f"the table: {out / 'zoo.md'}, {out / 'zoo.json'}")
    return EXIT_REGRESSION if table.broken else EXIT_AS_EXPECTED


def summary(table: Table) -> list[str]:
    """The conclusion, in a few lines; what is broken comes first."""
    caught = sum(bool(table.caught_by[flaw]) for flaw in table.flaws)
    catching = sum(bool(table.catches[name]) for name in table.requirements)
    lines = [f"broken: {line}" for line in table.broken]
    lines.append(f"{caught} of {len(table.flaws)} flaws are caught by a requirement")
    lines.append(f"{catching} of {len(table.requirements)} requirements catch a flaw")
    if not table.broken:
        lines.append("every flaw by one of its own patch; without flaws the reference is as promised")
    return lines
