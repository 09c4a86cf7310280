"""Records: everything that was done to a pod and seen of it while one case ran.

`Recorder` stands between a case and a live pod and writes the record; `Replay` is a pod that answers each
act with what was seen then. A case that runs against its own record concludes the same again, without a
container, because a case sees nothing that is not in the record. Passwords are hidden on the way.
"""

from __future__ import annotations

import time
from typing import Any

from conformance.pod.base import (
    Combining,
    Heard,
    Pod,
    PodFailure,
    RemoteResult,
    Says,
    Sight,
    combining,
    octets,
    text,
)
from conformance.pod.configuration import Configuration
from conformance.pod.secrets import Secrets
from conformance.pod.world import World

Act = dict[str, Any]


class Recorder(Combining):
    """A pod that keeps, in order, every act and its result; times are seconds since the case began.

    Acts that were done several at a time are noted one by one.
    """

    def __init__(self, pod: Pod, secrets: Secrets) -> None:
        self._pod = pod
        self._pairs = combining(pod)
        self._hide = secrets.hide
        self._start = time.monotonic()
        self._numbers: dict[int, int] = {}
        self._unsettled: Act | None = None  #: a `prepare` of which it is not known when its world stood
        self.acts: list[Act] = []

    def _note(self, act: str, *, when: float | None = None, **details: Any) -> None:
        self._note_hidden(act, when=when, **self._hide(details))

    def _note_hidden(self, act: str, *, when: float | None = None, **details: Any) -> None:
        self.acts.append({"act": act, "at": self._at(time.monotonic() if when is None else when), **details})
        if self._unsettled is not None and self._pairs.stood is not None:
            self._unsettled["at"] = self._at(self._pairs.stood)
            self._unsettled = None

    def _at(self, when: float) -> float:
        return round(max(0.0, when - self._start), 4)

    async def prepare(self, world: World, configuration: Configuration) -> None:
        await self._pod.prepare(world, configuration)
        self._note("prepare", world=world.to_json(), configuration=configuration.to_json())
        self._unsettled = self.acts[-1]

    async def connect(self) -> int:
        return self._connected(await self._pod.connect())

    def _connected(self, number: int, when: float | None = None) -> int:
        # Numbered anew for each case, so that a record does not depend on what the pod did before.
        seen = len(self._numbers)
        self._numbers[seen] = number
        self._note("connect", when=when, connection=seen)
        return seen

    async def send(self, connection: int, data: bytes) -> bool:
        act = self._sending(connection, data)
        act["taken"] = await self._pod.send(self._numbers[connection], data)
        return bool(act["taken"])

    def _sending(self, connection: int, data: bytes) -> Act:
        # Noted before the reply can arrive, so that the order in the record is that of cause and effect.
        self._note("send", connection=connection, data=text(data))
        return self.acts[-1]

    async def receive(self, connection: int, limit: float) -> bytes | None:
        data = await self._pod.receive(self._numbers[connection], limit)
        self._received(connection, data)
        return data

    def _received(self, connection: int, data: bytes | None, when: float | None = None) -> None:
        self._note("receive", when=when, connection=connection, data=None if data is None else text(data))

    async def converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> tuple[int, list[Heard]]:
        if connection is None:
            number, heard = await self._pairs.converse(None, says, limit, replies)
            return self._began(number, says, heard), heard
        act = self._sending(connection, says[0][0])
        _, heard = await self._pairs.converse(self._numbers[connection], says, limit, replies)
        act["taken"] = heard[0]["taken"]
        self._conversed(connection, [data for data, _ in says], heard)
        return connection, heard

    def _began(self, number: int, says: Says, heard: list[Heard]) -> int:
        seen = self._connected(number, heard[0]["sent"])
        self._conversed(seen, [b"", *(data for data, _ in says)], heard)
        return seen

    def _conversed(self, seen: int, said: list[bytes], heard: list[Heard]) -> None:
        for number, (exchange, data) in enumerate(zip(heard, said, strict=False)):
            if number:
                self._note("send", when=exchange["sent"], connection=seen, data=text(data))
                self.acts[-1]["taken"] = exchange["taken"]
            for received, when in exchange["received"]:
                self._received(seen, received, when)

    async def converse_and_settle(
        self, says: Says, limit: float, settling: float
    ) -> tuple[int, list[Heard], tuple[bool, Sight] | None]:
        number, heard, rest = await self._pairs.converse_and_settle(says, limit, settling)
        seen = self._began(number, says, heard)
        if rest is None:
            return seen, heard, None
        self._note("close", connection=seen)
        return seen, heard, self._settled(*rest)

    async def shut(self, connection: int) -> None:
        await self._pod.shut(self._numbers[connection])
        self._note("shut", connection=connection)

    async def close(self, connection: int) -> None:
        await self._pod.close(self._numbers[connection])
        self._note("close", connection=connection)

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        result = await self._pod.remote(host, sender, recipients, message, limit)
        return self._ran(result, [host, sender, *recipients], message)

    def _ran(self, result: RemoteResult, arguments: list[str], message: bytes) -> RemoteResult:
        hidden: RemoteResult = self._hide(dict(result))
        self._note("remote", arguments=arguments, message=text(message), result=hidden)
        return hidden

    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        result, sight = await self._pairs.remote_and_look(host, sender, recipients, message, limit)
        return self._ran(result, [host, sender, *recipients], message), self._looked(sight)

    async def settle(self, limit: float) -> bool:
        result = await self._pod.settle(limit)
        self._note("settle", result=result)
        return result

    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        return self._settled(*await self._pairs.settle_and_look(limit))

    def _settled(self, rests: bool, sight: Sight) -> tuple[bool, Sight]:
        self._note("settle", result=rests)
        return rests, self._looked(sight)

    async def look(self) -> Sight:
        return self._looked(await self._pod.look())

    def _looked(self, sight: Sight) -> Sight:
        hidden: Sight = self._hide(dict(sight))
        self._note_hidden("look", result=hidden)
        return hidden

    async def dispose(self) -> None:
        """Nothing: the pod belongs to the worker and outlives the case."""


class Replay:
    """A pod made of a record. An act that was not recorded, or was recorded otherwise, is a `PodFailure`."""

    def __init__(self, acts: list[Act], secrets: Secrets) -> None:
        self._acts = acts
        self._hide = secrets.hide
        self._next = 0

    def _take(self, act: str, **details: Any) -> Act:
        if self._next >= len(self._acts):
            raise PodFailure(f"the record ends before {act}: it was made by another version of this case")
        recorded = self._acts[self._next]
        self._next += 1
        if recorded["act"] != act or any(
            recorded[key] != self._hide(value) for key, value in details.items()
        ):
            raise PodFailure(
                f"the record has {recorded['act']} where the case now does {act}"
                if recorded["act"] != act
                else f"the case now does {act} with other values than were recorded"
            )
        return recorded

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self._take("prepare", world=world.to_json(), configuration=configuration.to_json())

    async def connect(self) -> int:
        return int(self._take("connect")["connection"])

    async def send(self, connection: int, data: bytes) -> bool:
        return bool(self._take("send", connection=connection, data=text(data))["taken"])

    async def receive(self, connection: int, limit: float) -> bytes | None:
        data = self._take("receive", connection=connection)["data"]
        return None if data is None else octets(data)

    async def shut(self, connection: int) -> None:
        self._take("shut", connection=connection)

    async def close(self, connection: int) -> None:
        self._take("close", connection=connection)

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        arguments = [host, sender, *recipients]
        result: RemoteResult = self._take("remote", arguments=arguments, message=text(message))["result"]
        return result

    async def settle(self, limit: float) -> bool:
        return bool(self._take("settle")["result"])

    async def look(self) -> Sight:
        sight: Sight = self._take("look")["result"]
        return sight

    async def dispose(self) -> None:
        """Nothing to take down."""
