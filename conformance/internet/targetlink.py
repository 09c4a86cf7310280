"""The way to the target's agent: lists of octet strings, asked and answered over one kept TCP connection.

A list travels as four octets of length (big-endian) and its items, each after four octets of its own length.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from conformance.errors import WorldError
from conformance.internet.clients import Clients, Connection


def packed(items: Sequence[bytes]) -> bytes:
    """A list as it travels."""
    content = b"".join([part for item in items for part in (len(item).to_bytes(4, "big"), item)])
    return len(content).to_bytes(4, "big") + content


def unpacked(content: bytes) -> list[bytes]:
    """The items of a list, from what follows its length; ValueError when it is cut off."""
    items: list[bytes] = []
    position = 0
    while position < len(content):
        begin = position + 4
        position = begin + int.from_bytes(content[position:begin], "big")
        items.append(content[begin:position])
    if position != len(content):
        raise ValueError("a list of octet strings is cut off")
    return items


#: Told the answer to a request, or why there is none.
Told = Callable[[list[bytes] | WorldError], None]


class TargetLink:
    """Requests to the target agent at `address` and port, one after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        # It may be just coming up; the limit of a request ends the attempts.
        self._clients = Clients(address, patience=math.inf)
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: deque[_Request] = deque()  #: the first is being served
        self._unread = bytearray()

    def ask(self, request: Sequence[bytes], limit: float, told: Told, *, soon: bool = False) -> None:
        """Have `told` what the agent answers, without the leading "ok".

        `soon`: it does so within a few milliseconds, and needs nothing else to be served. WorldError
        when it says that it failed, when the connection breaks, and when there is no answer after `limit`
        seconds; then the connection is dropped, for the answer may still come.
        """
        asked = _Request(packed(request), request[0].decode("latin-1"), told, soon)
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            self._serve()
        if not asked.concluded:  # what is answered at once needs no timer
            asked.timer = asyncio.get_running_loop().call_later(limit, self._overdue, asked, limit)

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        self._connection = None
        self._clients.abort()
        self._unread.clear()

    def _serve(self) -> None:
        if self._connection is None or self._connection.ended:
            self.close()
            number = self._clients.connect_at_once()
            if number is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
                return
            self._connection = self._clients.get(number)
        self._send(self._connection)

    async def _connect(self) -> None:
        self._connection = self._clients.get(await self._clients.connect())
        self._connecting = None
        self._send(self._connection)

    def _send(self, connection: Connection) -> None:
        connection.send(self._waiting[0].octets)  # that it takes none is heard as its end
        at_once = connection.soon() if self._waiting[0].soon else None
        if at_once is None:
            connection.hear(None, partial(self._hear, connection))
        else:
            self._hear(connection, at_once)

    def _hear(self, connection: Connection, received: bytes | None) -> None:
        if connection is not self._connection:
            return  # dropped
        try:
            if not received:
                raise ValueError("it has closed")
            self._unread += received
            if len(self._unread) < 4 + int.from_bytes(self._unread[:4], "big"):
                connection.hear(None, partial(self._hear, connection))
                return
            self._conclude(self._waiting[0], unpacked(bytes(self._unread[4:])))
        except ValueError as error:
            self.close()
            self._conclude(self._waiting[0], WorldError(f"the connection to the target agent broke: {error}"))

    def _overdue(self, request: _Request, limit: float) -> None:
        if request is self._waiting[0]:
            self.close()
        self._conclude(request, WorldError(f"the target agent has not answered within {limit:g} s"))

    def _conclude(self, request: _Request, answer: list[bytes] | WorldError) -> None:
        self._unread.clear()  # one answer at a time: nothing follows it
        served = request is self._waiting[0]
        self._waiting.remove(request)
        request.concluded = True
        if request.timer is not None:
            request.timer.cancel()
        if served and self._waiting:
            self._serve()
        if isinstance(answer, WorldError):
            request.told(answer)
        elif answer[:1] == [b"ok"]:
            request.told(answer[1:])
        else:
            said = b" ".join(answer[1:]).decode("utf-8", "replace").strip()
            request.told(WorldError(f"the target agent failed at {request.op!r}: {said}"))


@dataclass(eq=False)
class _Request:
    octets: bytes
    op: str
    told: Told
    soon: bool
    concluded: bool = False
    timer: asyncio.TimerHandle | None = None
