"""What a pod costs: its start, a reset, a session, a delivery, a look. Medians, in milliseconds.

    python benchmarks/pods.py debs:DIRECTORY [ROUNDS]

The last line is the ratio that matters: what the suite adds to a case beside what qmail itself takes, where
qmail's part is the time from the first octet of the act to the last one seen.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.base import Pod
from conformance.targets.keeper import start_pod
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready

STARTS = 5


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


async def measure(plan: Plan, rounds: int) -> dict[str, float]:
    """Medians over so many rounds."""
    target = plan.targets[0]
    times: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        times.setdefault(name, []).append(value)

    for _ in range(STARTS):
        start = time.perf_counter()
        pod = await start_pod(target, plan)
        note("pod start", (time.perf_counter() - start) * 1000)
        await pod.dispose()
    pod = await start_pod(target, plan)
    try:
        for _ in range(rounds):
            qmail = Qmail(pod, Internet())
            note("reset and look", await _timed(qmail.look))
            note("qmail-smtpd case", await _timed(lambda: _smtpd_case(pod)))
            start = time.perf_counter()
            took = await _remote_case(pod)
            whole = (time.perf_counter() - start) * 1000
            note("qmail-remote case", whole)
            note("  of it qmail-remote", took)
            note("  of it ours", whole - took)
    finally:
        await pod.dispose()
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    name, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    plan = make_ready([name], Images.chosen(lambda option: None), print)
    medians = asyncio.run(measure(plan, rounds))
    for what, value in medians.items():
        print(f"{what:24}{value:8.1f} ms")
    ratio = medians["  of it ours"] / medians["  of it qmail-remote"]
    print(f"{'ours / qmail-remote':24}{ratio:8.2f}")


if __name__ == "__main__":
    main()
