"""A pod that is measured: made ready, loaded, read. A scenario and how many units in, a measurement out."""

from __future__ import annotations

import asyncio
import time
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
    """What a measurement needs of a pod in Docker; see `conformance.targets.docker.acts.AgentPod`."""

    async def prepare(self, world: World, configuration: Configuration) -> None: ...

    async def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]: ...

    async def serve_remotes(self, host: str, sender: str, recipients: list[str]) -> None: ...

    async def counts(self) -> dict[str, int]: ...

    async def cpu(self) -> float | None: ...

    async def settle(self, limit: float) -> bool: ...

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
        done = await self._pod.load(
            "driver", loads.ceiling(scenario, units).to_json(), loads.LIMIT + LATENESS
        )
        if "failure" in done:
            raise WorldError(f"our exchanger failed under load in {scenario.name}: {done['failure']}")
        return _measurement(done)

    async def dispose(self) -> None:
        await self._pod.dispose()

    async def _inbound(self, scenario: Scenario, units: int) -> Measurement:
        done, cpu = await self._loaded("driver", loads.inbound(scenario, units).to_json())
        await self._counted(0)
        return _measurement(done, cpu)

    async def _outbound(self, scenario: Scenario, units: int) -> Measurement:
        host = loads.host(scenario)
        await self._pod.serve_remotes(host, loads.SENDER, [f"box@{host}"])
        done, cpu = await self._loaded("deliveries", loads.outbound(scenario, units).to_json())
        return _measurement(done, cpu, await self._counted(units))

    async def _mixed(self, scenario: Scenario, units: int) -> Measurement:
        before = await self._pod.cpu()
        load = loads.mixed(scenario, units).to_json()
        done = await self._pod.load("driver", load, loads.LIMIT + LATENESS)
        if "failure" in done:
            raise Fails(done["failure"])
        began = time.perf_counter()
        if not await self._pod.settle(loads.LIMIT):
            raise Fails(f"the queue was not empty {loads.LIMIT:g} s after the last message had come in")
        # The driver's own seconds count from its first connection, without the start of its process.
        done["seconds"] += time.perf_counter() - began
        after = await self._pod.cpu()
        done["units"] *= TEN
        done["latencies"] = []  # of tens of messages coming in: not what a message takes through the queue
        return _measurement(done, _between(before, after), await self._counted(units))

    async def _loaded(self, driver: str, load: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
        before = await self._pod.cpu()
        done = await self._pod.load(driver, load, loads.LIMIT + LATENESS)
        after = await self._pod.cpu()
        if "failure" in done:
            raise Fails(done["failure"])
        return done, _between(before, after)

    async def _counted(self, messages: int) -> int:
        """The number of DNS questions. Fails unless exactly so many messages came to the exchangers."""
        counts = await self._pod.counts()
        if counts["stray"]:
            raise PodFailure(f"{counts['stray']} questions were for names that no zone of the scenario has")
        if counts["messages"] != messages:
            raise Fails(f"{counts['messages']} messages came to the exchangers, and not {messages}")
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
