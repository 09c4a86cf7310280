"""The DNS server's sockets: UDP, and TCP with a length of two octets before each message (RFC 1035 4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

from conformance.internet.nameserver import NameServer, Response

#: `after(delay, act)` of the servers: does it now or so many seconds later, unless the world is another then.
After = Callable[[float, Callable[[], None]], None]


class DatagramServer(asyncio.DatagramProtocol):
    """Answers what comes over UDP."""

    def __init__(self, nameserver: Callable[[], NameServer], now: Callable[[], float], after: After) -> None:
        self._nameserver, self._now, self._after = nameserver, now, after

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        response = self._nameserver().answer(data, "udp", self._now())
        if response.octets is not None:
            self._after(response.delay, partial(self._transport.sendto, response.octets, client))


class StreamServer(asyncio.Protocol):
    """One client over TCP. `connections` holds those that stand."""

    def __init__(
        self,
        nameserver: Callable[[], NameServer],
        now: Callable[[], float],
        after: After,
        connections: set[asyncio.Transport],
    ) -> None:
        self._nameserver, self._now, self._after = nameserver, now, after
        self._connections = connections
        self._unread = b""
        self._ended = False  #: after a stall or a close nothing that the client asks is heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self._transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while not self._ended and len(self._unread) >= 2:
            end = 2 + int.from_bytes(self._unread[:2], "big")
            if len(self._unread) < end:
                return
            message, self._unread = self._unread[2:end], self._unread[end:]
            response = self._nameserver().answer(message, "tcp", self._now())
            self._ended = response.end != "open"
            self._after(response.delay, partial(self._respond, response))

    def _respond(self, response: Response) -> None:
        if response.octets is not None:
            framed = len(response.octets).to_bytes(2, "big") + response.octets
            self._transport.write(framed[: response.limit])
        if response.end == "close":
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._transport)
