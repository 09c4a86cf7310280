"""The suite's own CPU for each case: the worker, the internet's agent and the target's, without qmail.

    python benchmarks/cases.py TARGET [CASE ...] [--rounds N]

Needs an engine on this machine, for the agents' CPU is read from /proc. All cases, or those named, are run
so many times (3) in one pod, round by round; shown are the medians over the cases, in milliseconds, and the
dearest cases. What is above the bar then has as many rounds again, seven times at most. A case's least round
counts: whatever else the machine does is charged to processes here, under a virtual machine too, and only
ever adds. What its median round says stands in brackets. One case is run once before: what a pod does only
when it is first used is no case's.

CPU time is dearer in a slow hour of a shared machine. So that figures of different hours can be compared, a
yardstick is measured all the while (see `yardstick`); the bar stays. Exit status 1: a case is above the bar.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from statistics import median

from yardstick import measured

from conformance.cases.attempt import attempt
from conformance.cases.collection import all_requirements, case_of
from conformance.pod.base import Pod
from conformance.targets.docker.engine import connect
from conformance.targets.docker.pod import DockerPod
from conformance.targets.keeper import fixture_secrets, start_pod
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready

#: Milliseconds that no case should need.
BAR = 5.0

#: The yardstick is measured after so many cases.
EACH = 8

#: Series of rounds that a case above the bar has.
SERIES = 8

#: How many of the dearest cases are shown.
SHOWN = 8

PARTS = ("worker", "internet", "target")
Spent = tuple[float, float, float]  #: milliseconds of each part


def agents(pod: Pod) -> tuple[int, int]:
    """The process numbers of the internet's and the target's agent."""
    if not isinstance(pod, DockerPod):
        raise SystemExit("a target in Docker is needed")
    target, internet = (connect().api.inspect_container(one)["State"]["Pid"] for one in pod.containers)
    return internet, target


def spent(process: int) -> float:
    """Milliseconds of CPU that the threads of a process have had (Linux counts nanoseconds here)."""
    files = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in files) / 1e6


def now(internet: int, target: int, *, ends: bool) -> Spent:
    """What each part has spent by now, as a case begins or `ends`, to which this reading does not belong."""
    if ends:
        return time.process_time() * 1000, spent(internet), spent(target)
    agents = spent(internet), spent(target)
    return time.process_time() * 1000, *agents


async def measure(plan: Plan, chosen: list[str], rounds: int) -> tuple[dict[str, list[Spent]], list[float]]:
    """For each requirement and round the CPU of each part; the yardstick, each time it was measured."""
    pod, secrets = await start_pod(plan.targets[0], plan), fixture_secrets()
    found: dict[str, list[Spent]] = {name: [] for name in chosen}
    yardstick = [measured()]
    try:
        processes = agents(pod)
        cases = {name: case_of(all_requirements()[name]) for name in chosen}
        await attempt(cases[min(cases)], pod, secrets)
        for turn in range(SERIES * rounds):
            for number, (name, case) in enumerate(cases.items()):
                if turn >= rounds and least(found[name]) <= BAR:
                    continue
                before = now(*processes, ends=False)
                await attempt(case, pod, secrets)
                after = now(*processes, ends=True)
                worker, internet, target = (b - a for a, b in zip(before, after, strict=True))
                found[name].append((worker, internet, target))
                if number % EACH == 0:
                    yardstick.append(measured())
    finally:
        await pod.dispose()
    return found, yardstick


def least(rounds: list[Spent]) -> float:
    """Milliseconds of the round that took least."""
    return min(map(sum, rounds))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the suite's own CPU for each case, beside qmail's")
    parser.add_argument("target", help="a target in Docker, as `run` takes it")
    parser.add_argument("case", nargs="*", metavar="CASE", help="a requirement (all)")
    parser.add_argument("--rounds", type=int, default=3, help="how many times each is run (3)")
    options = parser.parse_args()
    unknown = [name for name in options.case if name not in all_requirements()]
    if unknown or options.rounds < 1:
        parser.error(f"there is no requirement {unknown[0]}" if unknown else "at least one round is needed")
    return options


def main() -> int:
    options = arguments()
    plan = make_ready([options.target], Images.chosen(lambda option: None), print)
    began = time.monotonic()
    found, yardstick = asyncio.run(measure(plan, options.case or list(all_requirements()), options.rounds))
    print(f"{len(found)} cases, {options.rounds} times each, in {time.monotonic() - began:.0f} s")
    best = {case: min(each, key=sum) for case, each in found.items()}
    middle = {case: median(map(sum, each)) for case, each in found.items()}
    for part, values in zip(PARTS, zip(*best.values(), strict=True), strict=True):
        print(f"{part:10}{median(values):8.2f} ms")
    print(f"{'together':10}{median(map(sum, best.values())):8.2f} ms ({median(middle.values()):.2f})")
    for case in sorted(best, key=lambda case: sum(best[case]), reverse=True)[:SHOWN]:
        parts = ", ".join(f"{part} {value:.1f}" for part, value in zip(PARTS, best[case], strict=True))
        print(f"{sum(best[case]):10.1f} ms ({middle[case]:.1f})  {case}: {parts}; {len(found[case])} rounds")
    print(f"{'yardstick':10}{median(yardstick):8.2f} ms")
    above = sum(sum(spent) > BAR for spent in best.values())
    print(f"{above} of {len(best)} above {BAR:.1f} ms ({sum(value > BAR for value in middle.values())})")
    return int(above > 0)


if __name__ == "__main__":
    sys.exit(main())
