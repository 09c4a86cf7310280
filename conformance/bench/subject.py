"""A pod that is measured: made ready, loaded, read. A scenario and how many units in, a measurement out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from conformance.bench import loads
from conformance.bench.results import Measurement, three
from conformance.bench.scenarios import TEN, Scenario
from conformance.errors import WorldError
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration
from conformance.pod.world import World

#: Seconds beyond a load's own limit for the driver's start and end.
LATENESS = 15.0


class LoadedPod(Protocol):
    """What a measurement needs of a pod in Docker; see `conformance.bench.pod.MeasuredPod`."""

    async def prepare(self, world: World, configuration: Configuration) -> None: ...

    async def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]: ...

    async def serve_remotes(self, host: str, sender: str, recipients: list[str]) -> None: ...

    async def sink(self, addresses: Sequence[tuple[str, int]], *, refusing: bool, stamped: bool) -> None: ...

    async def taken(self) -> dict[str, Any]: ...

    async def counts(self) -> dict[str, int]: ...

    async def cpu(self) -> float | None: ...

    async def wait_until_idle(self, limit: float) -> bool: ...

    async def dispose(self) -> None: ...


class Fails(Exception):
    """The target did something else than the scenario needs: nothing is measured."""


class Subject:
    """Measures one pod. PodFailure and WorldError are the world's; Fails is the target's."""

    def __init__(self, pod: LoadedPod) -> None:
        self._pod = pod

    async def measure(self, scenario: Scenario, units: int) -> Measurement:
        """Carry out so many units on the target, from a pod in which nothing of earlier loads is left."""
        await self._pod.prepare(loads.world(scenario), loads.configuration(scenario))
        act = {"inbound": self._inbound, "outbound": self._outbound, "mixed": self._mixed}[scenario.direction]
        return await act(scenario, units)

    async def ceiling(self, scenario: Scenario, units: int) -> Measurement:
        """Carry out the same load on our exchanger, with no qmail behind it."""
        await self._pod.prepare(loads.world(scenario), loads.configuration(scenario))
        await self._pod.sink(**loads.sink(scenario))
        done = await self._pod.load(
            "driver", loads.ceiling(scenario, units).to_json(), loads.LIMIT + LATENESS
        )
        if "failure" in done:
            raise WorldError(f"our exchanger failed under load in {scenario.name}: {done['failure']}")
        return _measurement(done)

    async def dispose(self) -> None:
        await self._pod.dispose()

    async def _inbound(self, scenario: Scenario, units: int) -> Measurement:
        return _measurement(*await self._loaded("driver", loads.inbound(scenario, units).to_json()))

    async def _outbound(self, scenario: Scenario, units: int) -> Measurement:
        await self._pod.sink(**loads.sink(scenario))
        recipient = f"box@{loads.host(scenario)}"
        await self._pod.serve_remotes(loads.host(scenario), loads.SENDER, [recipient])
        done, cpu = await self._loaded("deliveries", loads.outbound(scenario, units).to_json())
        await self._taken(scenario, units)
        return _measurement(done, cpu, await self._questions())

    async def _mixed(self, scenario: Scenario, units: int) -> Measurement:
        await self._pod.sink(**loads.sink(scenario))
        before = await self._pod.cpu()
        load = loads.mixed(scenario, units).to_json()
        done = await self._pod.load("driver", load, loads.LIMIT + LATENESS)
        if "failure" in done:
            raise Fails(done["failure"])
        began = time.perf_counter()
        if not await self._pod.wait_until_idle(loads.LIMIT):
            raise Fails(f"the queue was not empty {loads.LIMIT:g} s after the last message had come in")
        # The driver's own seconds count from its first connection, without the start of its process.
        done["seconds"] += time.perf_counter() - began
        after = await self._pod.cpu()
        done["units"] *= TEN
        # From the driver's last octets of a message to the exchanger's: what it took through the queue.
        done["latencies"] = await self._taken(scenario, units)
        if len(done["latencies"]) != units:
            raise PodFailure(f"{len(done['latencies'])} of {units} messages told when they had been sent")
        return _measurement(done, _between(before, after), await self._questions())

    async def _loaded(self, driver: str, load: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
        before = await self._pod.cpu()
        done = await self._pod.load(driver, load, loads.LIMIT + LATENESS)
        after = await self._pod.cpu()
        if "failure" in done:
            raise Fails(done["failure"])
        return done, _between(before, after)

    async def _taken(self, scenario: Scenario, units: int) -> list[float]:
        """How long each message took, where they tell. Fails unless each came once, in its own envelope."""
        taken = await self._pod.taken()
        found: Counter[str] = Counter()
        for sender, recipients, _, times in taken["envelopes"]:
            if sender != loads.SENDER or len(recipients) != 1:
                raise Fails(f"a message came from {sender!r} for {', '.join(map(repr, recipients))}")
            found[recipients[0]] += times
        for ways, wanted in loads.envelopes(scenario, units).items():
            came = sum(found.pop(recipient, 0) for recipient in ways)
            if came != wanted:
                raise Fails(f"{came} messages came for {' or '.join(sorted(ways))}, and not {wanted}")
        if found:
            raise Fails(f"messages came for {', '.join(map(repr, found))}")
        latencies: list[float] = taken["latencies"]
        return latencies

    async def _questions(self) -> int:
        """The number of DNS questions."""
        counts = await self._pod.counts()
        if counts["stray"]:
            raise PodFailure(f"{counts['stray']} questions were for names that no zone of the scenario has")
        return counts["questions"]


async def dispose_all(subjects: list[Subject]) -> None:
    await asyncio.gather(*(subject.dispose() for subject in subjects))


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _measurement(
    done: dict[str, Any], target_cpu: float | None = None, questions: int | None = None
) -> Measurement:
    latencies = done["latencies"]
    return Measurement(
        done["units"],
        done["seconds"],
        done["cpu"],
        target_cpu,
        three(latencies) if latencies else None,
        questions,
    )
