"""A pod on sockets: clients, exchangers and DNS here, qmail beside them, driven by the target's agent."""

import asyncio
import itertools
from collections.abc import Awaitable
from dataclasses import replace
from typing import Literal, TypeVar

from conformance.internet.servers import Servers
from conformance.internet.smtpclient import SmtpClient
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.world import World
from conformance.targets.standstill import Heartbeat, Standstill
from conformance.targets.target_agent import TargetAgent

T = TypeVar("T")

#: An act that takes longer is looked at, and so is one in which qmail fell silent or hung up.
_BRIEF = 0.2


class SocketPod:
    """Implements `conformance.pod.base.Pod` in the network namespace of a target.

    `smtp` is where qmail-smtpd listens, `dns` where the name server shall.
    """

    def __init__(self, agent: TargetAgent, smtp: tuple[str, int], dns: tuple[str, int]) -> None:
        self.agent = agent
        self.servers = Servers(dns)
        self._smtp = smtp
        self._numbers = itertools.count(1)
        self._clients: dict[int, SmtpClient] = {}
        self._connected: dict[int, SmtpClient] = {}  #: since the last set-up, closed ones too
        self._heartbeat = Heartbeat()
        #: When we last looked, and what of our own time and of the target's was lost by then.
        self._looked = 0.0
        self._lost = Standstill(), Standstill()

    async def _look(self) -> tuple[float, list[Standstill]]:
        """Seconds since the last look, and what each container has lost meanwhile."""
        before, self._lost = self._lost, (self._heartbeat.stood_still(), await self.agent.stood_still())
        since, self._looked = self._looked, asyncio.get_running_loop().time()
        return self._looked - since, [now - then for now, then in zip(self._lost, before, strict=True)]

    async def _watched(self, act: Awaitable[T]) -> T:
        """What comes of an act. PodFailure when the world stood still meanwhile, or the target is gone."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        result = await act
        if loop.time() - begun > _BRIEF or not result:
            seconds, lost = await self._look()
            at_limit = (
                result is None or result is False or (isinstance(result, RemoteResult) and not result.ended)
            )
            if any(each.decides(seconds, at_limit=at_limit) for each in lost):
                worst = max(each.total for each in lost)
                why = "paused, starved of CPU, or its clock was set"
                raise PodFailure(
                    f"the pod stood still for {worst:.1f} s ({why}): what was seen says nothing about qmail"
                )
        return result

    async def prepare(self, world: World, configuration: Configuration) -> None:
        # The target first: what ran for the case before must not ask its questions in the new world.
        self._drop_clients()
        await self.agent.prepare(configuration)
        await self.servers.set_world(world)
        await self._look()

    async def connect(self) -> int:
        number = next(self._numbers)
        self._clients[number] = self._connected[number] = await SmtpClient.connected(self._smtp)
        return number

    def _client(self, number: int) -> SmtpClient:
        if number not in self._clients:
            raise PodFailure(f"there is no connection {number}")
        return self._clients[number]

    async def send(self, connection: int, data: bytes) -> bool:
        return await self._watched(self._client(connection).send(data))

    async def receive(self, connection: int, limit: float) -> bytes | None:
        return await self._watched(self._client(connection).receive(limit))

    async def pause(self, connection: int, seconds: float) -> None:
        self._client(connection)
        await self._watched(asyncio.sleep(seconds, True))

    async def shut(self, connection: int) -> None:
        self._client(connection).shut()

    async def close(self, connection: int) -> None:
        self._client(connection).close()
        del self._clients[connection]

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        return await self._watched(self.agent.remote(host, sender, recipients, message, limit))

    async def wait_until_idle(self, limit: float) -> bool:
        return await self._watched(self.agent.wait_until_idle(limit))

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        await self.agent.signal(name, control)

    async def packages(self, step: PackageStep) -> Installation:
        return await self._watched(self.agent.packages(step))

    async def observe(self) -> Observation:
        clients = self._connected
        seen = await self.agent.observe(client.port for client in clients.values() if not client.over)
        await self.servers.catch_up()
        asked, stray = list(self.servers.nameserver.questions), list(self.servers.nameserver.stray)
        numbers = {client.port: number for number, client in clients.items()}
        sessions = [
            replace(session, connection=number, reset=clients[number].reset)
            for session in seen.sessions
            if (number := numbers.get(session.connection)) is not None
        ]
        sessions.sort(key=lambda session: session.connection)
        mx_sessions = self.servers.mx_sessions
        return replace(seen, questions=asked, mx_sessions=mx_sessions, stray=stray, sessions=sessions)

    async def dispose(self) -> None:
        self._heartbeat.close()
        self._drop_clients()
        self.agent.close()
        self.servers.close()

    def _drop_clients(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._connected.clear()
