"""A pod that is measured: made ready, loaded, read. A scenario and how many units in, a measurement out."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from conformance.bench import loads
from conformance.bench.inside.deliveries import Deliveries
from conformance.bench.inside.driver import Load
from conformance.bench.results import Measurement, three
from conformance.bench.scenarios import TEN, LoadScenario
from conformance.errors import WorldError
from conformance.pod.base import PodFailure
from conformance.pod.codec import encode

if TYPE_CHECKING:
    from conformance.targets.pool import RealPod

#: Seconds beyond a load's own limit: for the driver's start and end, and until the pod has answered.
LATENESS, PATIENCE = 15.0, 55.0


class Fails(Exception):
    """The target did something else than the scenario needs: nothing is measured."""


class Subject:
    """Measures a pod of `inside.measuring_agent`. PodFailure, WorldError: the world's; Fails: the target's"""

    def __init__(self, pod: "RealPod") -> None:
        self._request = pod.channel.request
        self.dispose = pod.dispose

    async def measure(self, scenario: LoadScenario, units: int) -> Measurement:
        """Carry out so many units on the target, from a pod in which nothing of earlier loads is left."""
        await self._prepare(scenario, sink=scenario.direction != "inbound")
        if scenario.direction == "outbound":
            host = loads.host(scenario)
            await self._request("remotes", arguments=[host, loads.SENDER, f"box@{host}"])
        before = await self._request("cpu")
        done = await self._load(loads.load(scenario, units))
        if scenario.direction == "mixed":
            await self._drain(done)
        after = await self._request("cpu")
        cpu = None if before is None or after is None else after - before
        if scenario.direction == "inbound":
            return _measurement(done, cpu)
        latencies = await self._taken(scenario, units)
        if scenario.direction == "mixed":
            # From the driver's last octets of a message to the exchanger's: what it took through the queue.
            done["latencies"] = latencies
            if len(latencies) != units:
                raise PodFailure(f"{len(latencies)} of {units} messages told when they had been sent")
        counts = await self._request("counts")
        if counts["stray"]:
            raise PodFailure(f"{counts['stray']} questions were for names that no zone of the scenario has")
        return _measurement(done, cpu, counts["questions"])

    async def ceiling(self, scenario: LoadScenario, units: int) -> Measurement:
        """Carry out the same load on our exchanger, with no qmail behind it."""
        await self._prepare(scenario, sink=True)
        try:
            return _measurement(await self._load(loads.ceiling(scenario, units)))
        except Fails as failure:
            raise WorldError(f"our exchanger failed under load in {scenario.name}: {failure}") from failure

    async def _prepare(self, scenario: LoadScenario, *, sink: bool) -> None:
        world, configuration = loads.world(scenario), loads.configuration(scenario)
        await self._request("prepare", world=encode(world), configuration=encode(configuration))
        if sink:
            await self._request("sink", **loads.sink(scenario))

    async def _load(self, load: Load | Deliveries) -> dict[str, Any]:
        driver = "driver" if isinstance(load, Load) else "deliveries"
        limits = {"limit": loads.LIMIT + LATENESS, "patience": loads.LIMIT + PATIENCE}
        done: dict[str, Any] = await self._request("load", driver=driver, load=encode(load), **limits)
        if "failure" in done:
            raise Fails(done["failure"])
        return done

    async def _drain(self, done: dict[str, Any]) -> None:
        """Wait for the queue; the seconds that it takes are part of the measurement."""
        began = time.perf_counter()
        limits = {"limit": loads.LIMIT, "patience": loads.LIMIT + PATIENCE}
        if not await self._request("wait_until_idle", **limits):
            raise Fails(f"the queue was not empty {loads.LIMIT:g} s after the last message had come in")
        # The driver's own seconds count from its first connection, without the start of its process.
        done["seconds"] += time.perf_counter() - began
        done["units"] *= TEN

    async def _taken(self, scenario: LoadScenario, units: int) -> list[float]:
        """How long each message took, where they tell. Fails unless each came once, in its own envelope."""
        taken = await self._request("taken")
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


def _measurement(
    done: dict[str, Any], target_cpu: float | None = None, questions: int | None = None
) -> Measurement:
    latencies = three(done["latencies"]) if done["latencies"] else None
    return Measurement(done["units"], done["seconds"], done["cpu"], target_cpu, latencies, questions)
