"""SMTP connections from the internet to the target, by number."""

from __future__ import annotations

import asyncio
from typing import cast

from conformance.errors import WorldError

#: For how long a connection is tried while it is refused: the target's listener may be just coming up.
_PATIENCE = 2.0

#: Octets that wait unread before the server is made to wait: one that floods must not fill our memory.
_MOST_UNREAD = 1_048_576


class Clients:
    """Connections to `address` and port, each with a number that is never used again."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._made = 0
        self._connections: dict[int, Connection] = {}

    async def connect(self) -> int:
        """A new connection's number; WorldError when it is still refused after two seconds."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + _PATIENCE, 0.001
        while True:
            try:
                _, connection = await loop.create_connection(Connection, *self._address)
                break
            except ConnectionRefusedError as error:
                if loop.time() + pause > until:
                    raise WorldError(
                        f"nothing listens on {self._address[0]}:{self._address[1]} after {_PATIENCE:g} s",
                        "is qmail-smtpd up in the target?",
                    ) from error
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
        self._made += 1
        self._connections[self._made] = connection
        return self._made

    def get(self, number: int) -> Connection:
        """The connection with that number; WorldError when it is closed or never was."""
        try:
            return self._connections[number]
        except KeyError:
            raise WorldError(f"there is no connection {number}") from None

    def close(self, number: int) -> None:
        """Close one connection; what was sent still leaves."""
        self.get(number).close()
        del self._connections[number]

    def abort(self) -> None:
        """Drop all connections."""
        for connection in self._connections.values():
            connection.abort()
        self._connections.clear()


class Connection(asyncio.Protocol):
    """One TCP connection whose octets wait until they are asked for."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._unread = bytearray()
        self._ended = False
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def send(self, data: bytes) -> bool:
        """Send octets; False when the server no longer takes any."""
        if self._ended or self._transport.is_closing():
            return False
        self._transport.write(data)
        await self._writable.wait()
        return not self._transport.is_closing()

    async def receive(self, limit: float) -> bytes | None:
        """What has come, at once or within `limit` seconds: None when silent, b"" when the server closed."""
        if not self._unread and not self._ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(limit):
                    await self._changed.wait()
            except TimeoutError:
                return None
        octets = bytes(self._unread)
        self._unread.clear()
        if not self._ended:
            self._transport.resume_reading()
        return octets

    def shut(self) -> None:
        """Half close."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        self._end()
        self._transport.close()

    def abort(self) -> None:
        self._end()
        self._transport.abort()

    def _end(self) -> None:
        self._ended = True
        self._changed.set()
        self._writable.set()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # A send is done when the kernel has all of it.
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _MOST_UNREAD:
            self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> bool:
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
