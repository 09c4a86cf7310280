"""SMTP connections from the internet to the target, by number.

They are watched sockets and no transports of asyncio's: a case spends most of its acts here, and making a
transport alone costs as much as a whole exchange of a command and its reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from conformance.errors import WorldError

#: For how long a connection is tried while it is refused: the target's listener may be just coming up.
_PATIENCE = 2.0

#: Octets that wait unread before the server is made to wait: one that floods must not fill our memory.
_MOST_UNREAD = 1_048_576

_READ_AT_ONCE = 65536

#: Told the octets that came: None when silent, b"" when the server closed.
Told = Callable[[bytes | None], None]


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
            link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                await _connected(link, self._address, loop)
                break
            except ConnectionRefusedError as error:
                link.close()
                if loop.time() + pause > until:
                    raise WorldError(
                        f"nothing listens on {self._address[0]}:{self._address[1]} after {_PATIENCE:g} s",
                        "is qmail-smtpd up in the target?",
                    ) from error
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
            except BaseException:
                link.close()
                raise
        self._made += 1
        self._connections[self._made] = Connection(link, loop)
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
            connection.close()
        self._connections.clear()


async def _connected(link: socket.socket, address: tuple[str, int], loop: asyncio.AbstractEventLoop) -> None:
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.connect_ex(address)
    # Over loopback an attempt that is answered is answered before the call returns; to ask again tells.
    if link.connect_ex(address) not in (0, errno.EISCONN):
        await loop.sock_connect(link, address)


class Connection:
    """One TCP connection whose octets wait until they are asked for."""

    def __init__(self, link: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._number = link.fileno()  #: for the loop, which is slow to find out what a socket is
        self._loop = loop
        self._unread = bytearray()
        self._ended = False  #: nothing more comes, and nothing more is taken
        self._reading = False
        self._told: Told | None = None  #: who waits for octets
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = memoryview(b"")
        self._sent: asyncio.Future[bool] | None = None  #: who waits until all is sent
        self._read_on()

    def send(self, data: bytes) -> asyncio.Future[bool] | bool:
        """Send octets: False when the server no longer takes any; a future while it does not take all."""
        if self._ended:
            return False
        self._unsent = memoryview(data)
        if self._write():
            return not self._ended
        self._loop.add_writer(self._number, self._writable)
        self._sent = self._loop.create_future()
        return self._sent

    async def receive(self, limit: float) -> bytes | None:
        """What has come, at once or within `limit` seconds: None when silent, b"" when the server closed."""
        received: asyncio.Future[bytes | None] = self._loop.create_future()
        self.hear(limit, lambda octets: None if received.done() else received.set_result(octets))
        return await received

    def hear(self, limit: float, told: Told) -> None:
        """Have `told` what `receive` would give. One waits at a time."""
        if self._told is not None:
            raise WorldError("somebody waits for octets of this connection already")
        if self._unread or self._ended:
            told(self._take())
            return
        self._told = told
        self._timer = self._loop.call_later(limit, self._silent)

    def shut(self) -> None:
        """Half close."""
        with contextlib.suppress(OSError):  # it has gone altogether
            self._link.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; who waits is told so."""
        self._end()
        self._link.close()

    def _take(self) -> bytes:
        octets = bytes(self._unread)
        self._unread.clear()
        if not self._ended:
            self._read_on()
        return octets

    def _read_on(self) -> None:
        if not self._reading:
            self._loop.add_reader(self._number, self._readable)
            self._reading = True

    def _read_no_more(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._number)
            self._reading = False

    def _end(self) -> None:
        self._ended = True
        self._read_no_more()
        self._tell()
        if self._sent is not None:
            self._loop.remove_writer(self._number)
            self._sent.set_result(False)
            self._sent = None

    def _tell(self) -> None:
        if self._told is not None and self._timer is not None:
            self._timer.cancel()
            told, self._told = self._told, None
            told(self._take())

    def _silent(self) -> None:
        if self._told is not None:
            told, self._told = self._told, None
            told(None)

    def _write(self) -> bool:
        """Whether all has been sent, or nothing more is taken."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._link.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError:
            self._end()
        return True

    # What the loop calls

    def _writable(self) -> None:
        if self._write() and self._sent is not None:
            self._loop.remove_writer(self._number)
            self._sent.set_result(True)
            self._sent = None

    def _readable(self) -> None:
        try:
            octets = self._link.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._end()
            return
        self._unread += octets
        if len(self._unread) > _MOST_UNREAD:
            self._read_no_more()
        self._tell()
