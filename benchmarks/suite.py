"""How fast the suite is by itself: what people wait for.

    python benchmarks/suite.py [ROUNDS] [--report-only] [--delay MS TARGET TARGET]

Cases a second against the references, and how soon the command answers. With `--delay`: the wall time of a
comparison of two targets in Docker instead, as it is and with so many milliseconds added to whatever is sent
to the engine, in turn. Medians of the rounds (5; 3 of comparisons), from the start of the command to its end,
beside the bars that the project sets itself. Exit status 1: a bar was missed, unless `--report-only`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bars import Table
from delay import delayed

WORKERS = 2


def seconds(*words: str, environment: dict[str, str] | None = None, worst: int = 0) -> float:
    """Wall time of the command. SystemExit, with what it said, when its status is above `worst`."""
    command = [sys.executable, "-m", "conformance", *words]
    began = time.perf_counter()
    done = subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    took = time.perf_counter() - began
    if done.returncode > worst:
        raise SystemExit(done.stderr)
    return took


def compare(*words: str, environment: dict[str, str] | None = None) -> tuple[float, int]:
    """Seconds of a comparison, and how many cases it played."""
    with tempfile.TemporaryDirectory() as out:
        # With deviations that are not known, status 1, it takes as long.
        took = seconds("compare", *words, "--out", out, environment=environment, worst=1)
        texts = [path.read_text() for path in Path(out).glob("*.jsonl")]
    return took, sum(text.count('\n{"kind": "verdict"') for text in texts)


def rate() -> float:
    """Cases a second: every requirement on both references."""
    took, cases = compare("reference-stock", "reference-ppa", "-n", str(WORKERS))
    return cases / took


def children_cpu() -> float:
    """Seconds of CPU of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def near_and_far(table: Table, rounds: int, delay: float, targets: list[str]) -> None:
    """A comparison with a near engine, and with one that is `delay` milliseconds away."""
    compare(*targets)  # images are built, and files read, once before
    near, far, cpu = [], [], []
    for _ in range(rounds):
        before = children_cpu()
        took, cases = compare(*targets)
        near.append(took)
        cpu.append(1000 * (children_cpu() - before) / cases)
        with delayed(delay) as environment:
            far.append(compare(*targets, environment=environment)[0])
    print(f"{'seconds of compare':48}{median(near):8.1f}")
    print(f"{'milliseconds of CPU for each case':48}{median(cpu):8.1f}")
    table.row(f"with {delay:g} ms for each request: ratio", median(far) / median(near), 1.3, most=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="the suite's own speed")
    parser.add_argument("rounds", nargs="?", type=int)
    parser.add_argument("--report-only", action="store_true", help="a missed bar is no failure")
    names = ("MS", "TARGET", "TARGET")
    parser.add_argument(
        "--delay", nargs=3, metavar=names, help="of a comparison, with a near and a far engine"
    )
    options = parser.parse_args()
    table = Table()
    if options.delay:
        delay, *targets = options.delay
        near_and_far(table, options.rounds or 3, float(delay), targets)
    else:
        for what, measure, bar, most in (
            (f"cases a second against the references, -n {WORKERS}", rate, 100.0, False),
            ("seconds of --help", lambda: seconds("--help"), 0.15, True),
            ("seconds of list", lambda: seconds("list"), 0.4, True),
        ):
            table.row(what, median(measure() for _ in range(options.rounds or 5)), bar, most=most)
    return int(bool(table.missed) and not options.report_only)


if __name__ == "__main__":
    sys.exit(main())
