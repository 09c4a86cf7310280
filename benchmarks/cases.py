"""The suite's own CPU for each case: the worker, the internet's agent and the target's, without qmail.

    python benchmarks/cases.py TARGET [ROUNDS]

Needs an engine on this machine, for the agents' CPU is read from /proc. All cases are run so many times (3)
in one pod, round by round; shown are the medians over the cases, in milliseconds, and what is above the bar.
A case's least round counts: whatever else the machine does is charged to processes here, under a virtual
machine too, and only ever adds. What its median round says stands in brackets. One case is run once before:
what a pod does only when it is first used is no case's. Exit status 1: a case is above the bar.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from statistics import median

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


async def measure(plan: Plan, rounds: int) -> dict[str, list[Spent]]:
    """For each requirement and round the CPU of each part."""
    pod, secrets = await start_pod(plan.targets[0], plan), fixture_secrets()
    found: dict[str, list[Spent]] = {}
    try:
        processes = agents(pod)
        cases = {name: case_of(requirement) for name, requirement in all_requirements().items()}
        await attempt(cases[min(cases)], pod, secrets)
        for _ in range(rounds):
            for name, case in cases.items():
                before = now(*processes, ends=False)
                await attempt(case, pod, secrets)
                after = now(*processes, ends=True)
                worker, internet, target = (b - a for a, b in zip(before, after, strict=True))
                found.setdefault(name, []).append((worker, internet, target))
    finally:
        await pod.dispose()
    return found


def main() -> int:
    name, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    plan = make_ready([name], Images.chosen(lambda option: None), print)
    began = time.monotonic()
    found = asyncio.run(measure(plan, rounds))
    print(f"{len(found)} cases, {rounds} times each, in {time.monotonic() - began:.0f} s")
    least = {case: min(each, key=sum) for case, each in found.items()}
    middle = {case: median(map(sum, each)) for case, each in found.items()}
    for part, values in zip(PARTS, zip(*least.values(), strict=True), strict=True):
        print(f"{part:10}{median(values):8.2f} ms")
    print(f"{'together':10}{median(map(sum, least.values())):8.2f} ms ({median(middle.values()):.2f})")
    above = sorted(((sum(spent), case) for case, spent in least.items() if sum(spent) > BAR), reverse=True)
    for total, case in above:
        parts = zip(PARTS, least[case], strict=True)
        print(f"{total:10.1f} ms  {case}: " + ", ".join(f"{part} {value:.1f}" for part, value in parts))
    behind = sum(value > BAR for value in middle.values())
    print(f"{len(above)} of {len(least)} above {BAR:g} ms ({behind})")
    return int(bool(above))


if __name__ == "__main__":
    sys.exit(main())
