"""The connection of one client to a mail exchanger on a socket."""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from conformance.internet.exchanger import Output
from conformance.pod.addresses import Address

if TYPE_CHECKING:
    from conformance.internet.servers import Servers


class MailConnection(asyncio.Protocol):
    """One client at a mail exchanger."""

    def __init__(self, servers: "Servers", address: Address) -> None:
        self._servers = servers
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pace = self._servers.pace(self._address)
        self._unsaid = b""
        self._session = self._servers.begin(self._address, self._transport)
        self._carry_out(self._session.open(self._servers.now()))

    def data_received(self, data: bytes) -> None:
        self._carry_out(self._session.receive(data, self._servers.now()))

    def eof_received(self) -> None:
        self._session.closed(self._servers.now())

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.closed(self._servers.now(), by_reset=exc is not None)
        self._servers.connections.discard(self._transport)

    def _carry_out(self, output: Output) -> None:
        if self._pace:
            begun, self._unsaid = bool(self._unsaid), self._unsaid + output.octets
            self._end = output.end
            if not begun:
                self._say_on()
            return
        self._transport.write(output.octets)
        self._finish(output.end)

    def _say_on(self) -> None:
        """The next octet of a host that is slow to speak, and the one after it when its time has come."""
        if self._transport.is_closing():
            return
        octet, self._unsaid = self._unsaid[:1], self._unsaid[1:]
        self._transport.write(octet)
        if self._unsaid:
            self._servers.after(self._pace, self._say_on)
        else:
            self._finish(self._end)

    def _finish(self, end: str) -> None:
        if end == "close":
            self._transport.close()
        elif end == "deaf":
            self._transport.pause_reading()
        elif end == "reset":
            # A close that lingers for no time is a reset.
            link: socket.socket = self._transport.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
