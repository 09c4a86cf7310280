"""A pod in Docker that is measured: the worker's side of `conformance.bench.agent`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.pod.codec import encode
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.docker.pod import LATENESS, DockerPod


class MeasuredPod:
    """Implements `conformance.bench.subject.LoadedPod`."""

    def __init__(self, pod: DockerPod) -> None:
        self._request = pod.request
        self.dispose = pod.dispose

    async def prepare(self, world: World, configuration: Configuration) -> None:
        """Make the pod stand as described."""
        await self._request("prepare", world=encode(world), configuration=encode(configuration))

    async def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        """What a driver of `conformance.bench` says about a load; `{"failure": why}` by qmail's doing."""
        result: dict[str, Any] = await self._request(
            "load", driver=driver, load=load, limit=limit, patience=limit + LATENESS
        )
        return result

    async def serve_remotes(self, host: str, sender: str, recipients: list[str]) -> None:
        """Run one qmail-remote for each connection to 127.0.0.1:7026, until the next `prepare`."""
        await self._request("remotes", arguments=[host, sender, *recipients])

    async def sink(self, addresses: Sequence[tuple[str, int]], *, refusing: bool, stamped: bool) -> None:
        """Exchangers of `conformance.bench.sink` on these addresses, until `taken` or the next `prepare`."""
        await self._request("sink", addresses=addresses, refusing=refusing, stamped=stamped)

    async def taken(self) -> dict[str, Any]:
        """What the sink accepted, as `conformance.bench.sink.Taken`; it ends with that."""
        taken: dict[str, Any] = await self._request("taken")
        return taken

    async def counts(self) -> dict[str, int]:
        """How many `questions`, and of them `stray`, there were since `prepare`."""
        counts: dict[str, int] = await self._request("counts")
        return counts

    async def cpu(self) -> float | None:
        """Seconds of CPU that the target container has had; None where that cannot be read."""
        cpu: float | None = await self._request("cpu")
        return cpu

    async def wait_until_idle(self, limit: float) -> bool:
        """Wait until qmail-send rests; False at the limit."""
        return bool(await self._request("wait_until_idle", limit=limit, patience=limit + LATENESS))
