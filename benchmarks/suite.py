"""How fast the suite is by itself: cases a second against the references, and how soon the command answers.

    python benchmarks/suite.py [ROUNDS] [--report-only]

Medians of the rounds (5), from the start of the command to its end, beside the bars that the project sets
itself. Exit status 1: a bar was missed, unless `--report-only`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bars import Table

WORKERS = 2


def seconds(*words: str) -> float:
    """Wall time of the command. Raises CalledProcessError when it does not end with 0."""
    command = [sys.executable, "-m", "conformance", *words]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def rate() -> float:
    """Cases a second: every requirement on both references."""
    with tempfile.TemporaryDirectory() as out:
        took = seconds("compare", "reference-stock", "reference-ppa", "-n", str(WORKERS), "--out", out)
        lines = [line for path in Path(out).glob("*.jsonl") for line in path.read_text().splitlines()]
    return sum(line.startswith('{"kind": "verdict"') for line in lines) / took


def main() -> int:
    parser = argparse.ArgumentParser(description="the suite's own speed")
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--report-only", action="store_true", help="a missed bar is no failure")
    options = parser.parse_args()
    figures = (
        (f"cases a second against the references, -n {WORKERS}", rate, 100.0, False),
        ("seconds of --help", lambda: seconds("--help"), 0.15, True),
        ("seconds of list", lambda: seconds("list"), 0.4, True),
    )
    table = Table()
    for what, measure, bar, most in figures:
        table.row(what, median(measure() for _ in range(options.rounds)), bar, most=most)
    return int(bool(table.missed) and not options.report_only)


if __name__ == "__main__":
    sys.exit(main())
