"""What a pod costs: its start, a reset, what is seen of it, memory. Medians, beside the bars.

    python benchmarks/pods.py debs:DIRECTORY [ROUNDS]
    python benchmarks/pods.py root:DIRECTORY [ROUNDS]

An engine must be on this machine, for memory is read from /proc. Times within a case are those of its record.
Memory is what this process and all of both containers have for themselves, with their parts of what they
share (PSS); of a pod in namespaces it is not told. The first pod there, for which Python starts, is not
counted. Exit status 1: a bar was missed.
"""

import asyncio
import os
import re
import sys
import time
from pathlib import Path
from statistics import median

from bars import Table
from podcases import cases

from conformance.cases.script import script_of
from conformance.pod.record import Observe, Prepare, Record, Remote
from conformance.targets.docker.engine import connect
from conformance.targets.docker.pod import DockerPod
from conformance.targets.plan import Plan
from conformance.targets.pool import start_real
from conformance.targets.ready import Images, make_ready

STARTS = 9


def memory(pod: DockerPod) -> float:
    """MiB of this process and of those in the pod's containers."""
    processes = {os.getpid()}
    for container in pod.containers:
        titles, rows = (connect().api.top(container)[key] for key in ("Titles", "Processes"))
        processes |= {int(row[titles.index("PID")]) for row in rows}
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes)
    sizes = (re.findall(r"^Pss: +(\d+) kB", rollup, re.M) for rollup in rollups)
    return sum(int(size) for size, *_ in sizes) / 1024


def times(record: Record) -> dict[str, list[float]]:
    """Milliseconds of each kind of act, and what a run of qmail-remote took beyond qmail-remote itself."""
    found: dict[str, list[float]] = {"reset": [], "observe": [], "beyond qmail-remote": []}
    for before, act in zip(record.acts, record.acts[1:], strict=False):
        took = (act.at - before.at) * 1000
        if isinstance(act, Prepare):
            found["reset"].append(took)
        elif isinstance(act, Observe):
            found["observe"].append(took)
        elif isinstance(act, Remote):
            found["beyond qmail-remote"].append(took - act.result.seconds * 1000)
    return found


async def measure(plan: Plan, rounds: int) -> dict[str, float]:
    """Medians over so many rounds."""
    starts = []
    pod = await start_real(plan.targets[0], plan)
    for _ in range(STARTS):
        await pod.dispose()
        began = time.perf_counter()
        pod = await start_real(plan.targets[0], plan)
        starts.append((time.perf_counter() - began) * 1000)
    try:
        played = await pod.play(script_of(cases, rounds=str(rounds)))
        if played.outcome != "met":
            raise SystemExit(played.seen)
        figures = {name: median(values) for name, values in times(played.record).items()}
        if isinstance(pod, DockerPod):
            figures["memory"] = memory(pod)
        return {"pod start": median(starts), **figures}
    finally:
        await pod.dispose()


def main() -> int:
    name, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    plan = make_ready([name], Images.chosen(lambda option: None), print)
    medians = asyncio.run(measure(plan, rounds))
    table = Table()
    for what, unit, bar in (
        ("pod start", "ms", 50.0 if plan.targets[0].kind == "root" else 700.0),
        ("reset", "ms", 5.0),
        ("observe", "ms", 5.0),
        ("beyond qmail-remote", "ms", 5.0),
        ("memory", "MiB", 150.0),
    ):
        if what in medians:
            table.row(f"{what}, {unit}", medians[what], bar, most=True)
    return int(bool(table.missed))


if __name__ == "__main__":
    sys.exit(main())
