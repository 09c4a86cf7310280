"""A pod for tests: it answers from a script and notes what was done."""

from __future__ import annotations

from conformance.pod.base import Apart, Combining, RemoteResult, Sight
from conformance.pod.configuration import Configuration
from conformance.pod.world import World

NOTHING_SEEN: Sight = {
    "questions": [],
    "exchanges": [],
    "queue": [],
    "mailboxes": {},
    "runs": [],
    "log": [],
    "stray": [],
}


class ScriptedPod:
    """Gives `octets` to whoever receives, one item a time; None is silence, the end a closed connection."""

    def __init__(self, *octets: bytes | None, sight: Sight | None = None) -> None:
        self._octets = list(octets)
        self._sight = sight or NOTHING_SEEN
        self.sent = b""
        self.acts: list[str] = []
        self.report = "r\0Kaccepted\n\0"

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self.acts.append("prepare")

    async def connect(self) -> int:
        self.acts.append("connect")
        return 41

    async def send(self, connection: int, data: bytes) -> bool:
        self.sent += data
        return True

    async def receive(self, connection: int, limit: float) -> bytes | None:
        return self._octets.pop(0) if self._octets else b""

    async def shut(self, connection: int) -> None:
        self.acts.append("shut")

    async def close(self, connection: int) -> None:
        self.acts.append("close")

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        return {"report": self.report, "status": 0, "ended": True, "seconds": 0.1}

    async def settle(self, limit: float) -> bool:
        return True

    async def look(self) -> Sight:
        return self._sight

    async def dispose(self) -> None:
        self.acts.append("dispose")


class PairedPod(ScriptedPod, Combining):
    """The same, which also does acts two at a time; `pairs` notes which."""

    def __init__(self, *octets: bytes | None, sight: Sight | None = None) -> None:
        super().__init__(*octets, sight=sight)
        self._apart = Apart(self)
        self.pairs: list[str] = []

    async def greet(self, limit: float) -> tuple[int, bytes | None]:
        self.pairs.append("greet")
        return await self._apart.greet(limit)

    async def exchange(self, connection: int, data: bytes, limit: float) -> tuple[bool, bytes | None]:
        self.pairs.append("exchange")
        return await self._apart.exchange(connection, data, limit)

    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        self.pairs.append("remote and look")
        return await self._apart.remote_and_look(host, sender, recipients, message, limit)

    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        self.pairs.append("settle and look")
        return await self._apart.settle_and_look(limit)
