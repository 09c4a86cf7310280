"""A pod that keeps what qmail was told through it, and what was last seen of it."""

from typing import Any, Literal

from conformance.pod.base import Pod, text
from conformance.pod.observation import Observation, RemoteResult


class Told:
    """A pod, the words that qmail was given through it, and what was last seen of it."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self.words: list[str] = []
        self.seen = Observation()
        self.unobserved = False  #: a session has gone on since

    def __getattr__(self, act: str) -> Any:
        return getattr(self._pod, act)

    async def observe(self) -> Observation:
        self.seen = await self._pod.observe()
        self.unobserved = False
        return self.seen

    async def connect(self) -> int:
        self.unobserved = True
        return await self._pod.connect()

    async def close(self, connection: int) -> None:
        self.unobserved = True
        await self._pod.close(connection)

    async def send(self, connection: int, data: bytes) -> bool:
        self.unobserved = True
        self.words.append(text(data))
        return await self._pod.send(connection, data)

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        self.words += control.values()
        await self._pod.signal(name, control)

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        self.words += [host, sender, *recipients, text(message)]
        return await self._pod.remote(host, sender, recipients, message, limit)
