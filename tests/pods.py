"""A pod for tests: it answers from a script and notes what was done."""

from __future__ import annotations

import time

from conformance.pod.base import AT_ONCE, Apart, Combining, Heard, RemoteResult, Says, Sight
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.smtp.reply import split_replies, split_reply

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
        self.writes: list[bytes] = []
        self.acts: list[str] = []
        self.report = "r\0Kaccepted\n\0"

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self.acts.append("prepare")

    async def connect(self) -> int:
        self.acts.append("connect")
        return 41

    async def send(self, connection: int, data: bytes) -> bool:
        self.sent += data
        self.writes.append(data)
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


class CombiningPod(ScriptedPod, Combining):
    """The same, which also does several acts at once; `several` notes which, or how often it received."""

    def __init__(self, *octets: bytes | None, sight: Sight | None = None) -> None:
        super().__init__(*octets, sight=sight)
        self._apart = Apart(self)
        self.several: list[str | int] = []

    async def converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> tuple[int, list[Heard]]:
        number, heard = await self._apart.converse(connection, says, limit)
        for at in range(0 if connection is None else 1, len(says)):
            if says[at][1] != AT_ONCE:
                [[received, _]] = heard[-1]["received"]
                reply, rest = split_reply(received or b"")
                if reply is None or rest or says[at][1] not in (0, reply.code):
                    break
            heard += (await self._apart.converse(number, says[at : at + 2], limit))[1]
        else:
            pieces = heard[-1]["received"]
            while pieces and pieces[-1][0] and _replies(pieces) < replies:
                pieces.append((await self.receive(number, limit), time.monotonic()))
        self.several.append(sum(len(exchange["received"]) for exchange in heard))
        return number, heard

    async def converse_and_settle(
        self, says: Says, limit: float, settling: float
    ) -> tuple[int, list[Heard], tuple[bool, Sight] | None]:
        number, heard = await self.converse(None, says, limit)
        if len(heard) <= len(says):
            return number, heard, None
        await self.close(number)
        return number, heard, await self.settle_and_look(settling)

    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        self.several.append("remote and look")
        return await self._apart.remote_and_look(host, sender, recipients, message, limit)

    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        self.several.append("settle and look")
        return await self._apart.settle_and_look(limit)


def _replies(pieces: list[tuple[bytes | None, float]]) -> int:
    """How many whole replies were received."""
    return len(split_replies(b"".join(octets or b"" for octets, _ in pieces))[0])
