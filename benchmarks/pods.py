"""What a pod costs: its start, a reset, a look, cases of each kind, memory. Medians, beside the bars.

    python benchmarks/pods.py debs:DIRECTORY [ROUNDS]

Needs an engine on this machine, for memory is read from /proc. The ratio is what the suite adds to a case of
qmail-remote beside what qmail-remote itself takes. Memory is what this process and all of both containers
have for themselves, with their parts of what they share (PSS). Exit status 1: a bar was missed.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.base import Pod
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.docker.engine import connect
from conformance.targets.docker.pod import DockerPod
from conformance.targets.keeper import start_pod
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready

STARTS = 5

#: Milliseconds, and MiB: what the project sets itself.
BARS = {"pod start": 600.0, "reset": 5.0, "memory": 150.0}


async def _timed(act: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await act()
    return (time.perf_counter() - start) * 1000


async def _smtpd_case(pod: Pod) -> None:
    """What an ordinary case of qmail-smtpd does."""
    qmail = Qmail(pod, Internet())
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        await smtp.data(b"Subject: x\r\n\r\nx\r\n")
    await qmail.queue()


async def _remote_case(pod: Pod) -> float:
    """What an ordinary case of qmail-remote does; milliseconds that qmail-remote itself took."""
    internet = Internet()
    internet.load("plain.example")
    delivery = await Qmail(pod, internet).remote("plain.example", "a@here.example", ["b@plain.example"])
    assert delivery.accepted, delivery
    return delivery.seconds * 1000


def memory(pod: Pod) -> float:
    """MiB of this process and of those in the pod's containers."""
    processes = {os.getpid()}
    if isinstance(pod, DockerPod):
        for container in pod.containers:
            titles, rows = (connect().api.top(container)[key] for key in ("Titles", "Processes"))
            processes |= {int(row[titles.index("PID")]) for row in rows}
    rollups = (Path(f"/proc/{one}/smaps_rollup").read_text() for one in processes)
    sizes = (re.findall(r"^Pss: +(\d+) kB", rollup, re.M) for rollup in rollups)
    return sum(int(size) for size, *_ in sizes) / 1024


async def measure(plan: Plan, rounds: int) -> dict[str, float]:
    """Medians over so many rounds."""
    target = plan.targets[0]
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(STARTS):
        start = time.perf_counter()
        pod = await start_pod(target, plan)
        note("pod start", (time.perf_counter() - start) * 1000)
        await pod.dispose()
    pod = await start_pod(target, plan)
    ordinary = Configuration(control=Qmail(pod, Internet()).control)
    try:
        for _ in range(rounds):
            # As in a run: a reset follows a case, which has left something.
            # It is done with the next act, so a look is counted in.
            await pod.prepare(World(), ordinary)
            note("reset", await _timed(pod.look))
            note("look", await _timed(pod.look))
            note("qmail-smtpd case", await _timed(lambda: _smtpd_case(pod)))
            start = time.perf_counter()
            took = await _remote_case(pod)
            whole = (time.perf_counter() - start) * 1000
            note("qmail-remote case", whole)
            note("  of it qmail-remote", took)
            note("  of it ours", whole - took)
            note("ours / qmail-remote", (whole - took) / took)
        note("memory", memory(pod))
    finally:
        await pod.dispose()
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> int:
    name, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    plan = make_ready([name], Images.chosen(lambda option: None), print)
    medians = asyncio.run(measure(plan, rounds))
    missed = False
    for what, value in medians.items():
        unit = {"memory": "MiB", "ours / qmail-remote": ""}.get(what, "ms")
        bar = BARS.get(what)
        held = bar is None or value <= bar
        missed |= not held
        beside = "" if bar is None else f"   at most {bar:g}   {'' if held else 'MISSED'}"
        print(f"{what:24}{value:8.2f} {unit:3}{beside}".rstrip())
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
