"""The program of the internet container of a pod that is measured: more operations than `targets.agent` has.

python3 -m conformance.bench.inside.measuring_agent
"""

import sys
from typing import Any

from conformance.bench.inside.processes import SinkProcess, run_driver
from conformance.errors import ConformanceError
from conformance.pod.addresses import Address
from conformance.pod.base import octets
from conformance.pod.codec import decode
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.agent import Agent, main
from conformance.targets.sockets import SocketPod


class MeasuringAgent(Agent):
    """Serves what a measurement needs besides, with at most one sink."""

    def __init__(self, pod: SocketPod) -> None:
        super().__init__(pod)
        self._sink: SinkProcess | None = None
        self.operations |= {
            "prepare": self.prepare,
            "load": run_driver,
            "sink": self.sink,
            "taken": self.taken,
            "counts": self.counts,
            "cpu": self.cpu,
            "remotes": self.remotes,
            "wait_until_idle": pod.wait_until_idle,
        }

    async def prepare(self, world: dict[str, Any], configuration: dict[str, Any]) -> None:
        """Set up; a sink ends."""
        await self._end_sink()
        await self.pod.prepare(decode(World, world), decode(Configuration, configuration))

    async def sink(self, addresses: list[Address], refusing: bool, stamped: bool) -> list[Address]:
        """Exchangers for a load, a process of its own, in place of those that stood; where they listen."""
        await self._end_sink()
        self._sink = await SinkProcess.start(addresses, refusing=refusing, stamped=stamped)
        return self._sink.addresses

    async def taken(self) -> dict[str, Any]:
        """What the sink accepted; it ends with that."""
        if self._sink is None:
            raise ConformanceError("there is no sink")
        sink, self._sink = self._sink, None
        return await sink.taken()

    async def counts(self) -> dict[str, int]:
        """How many questions, and stray ones among them, there were."""
        nameserver = self.pod.servers.nameserver
        return {"questions": len(nameserver.questions), "stray": len(nameserver.stray)}

    async def cpu(self) -> float | None:
        """Seconds of CPU that the target container has had; None where that cannot be read."""
        [said] = await self.pod.agent.ask(b"cpu")
        return float(said) if said else None

    async def remotes(self, arguments: list[str]) -> None:
        """Run one qmail-remote for each connection to `addresses.REMOTES`, until the next set-up."""
        await self.pod.agent.ask(b"remotes", *map(octets, arguments))

    async def _end_sink(self) -> None:
        if self._sink is not None:
            sink, self._sink = self._sink, None
            await sink.stop()

    async def close(self) -> None:
        if self._sink is not None:
            self._sink.kill()
        await super().close()


if __name__ == "__main__":
    sys.exit(main(MeasuringAgent))
