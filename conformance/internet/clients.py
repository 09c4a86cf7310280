"""SMTP connections from the internet to the target, by number.

They are sockets and no transports of asyncio's: a case spends most of its acts here, and making a transport
alone costs as much as a whole exchange of a command and its reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from conformance.errors import WorldError
from conformance.internet.links import Link, block_for_a_moment
from conformance.pod.base import AT_ONCE, Says
from conformance.smtp.reply import LONGEST_REPLY, split_replies, split_reply

#: For how long a connection is tried while it is refused: the target's listener may be just coming up.
_PATIENCE = 2.0

#: Octets that wait unread before the server is made to wait: one that floods must not fill our memory.
_MOST_UNREAD = 1_048_576

#: Seconds between what is said at once, so that the server can take each write in by itself.
_APART = 0.0001

#: Told the octets that came: None when silent, b"" when the server closed.
Told = Callable[[bytes | None], None]


class Clients:
    """Connections to `address` and port, each with a number that is never used again."""

    def __init__(self, address: tuple[str, int], patience: float = _PATIENCE) -> None:
        """`patience`: for how many seconds a connection is tried while it is refused."""
        self._address = address
        self._patience = patience
        self._made = 0
        self._connections: dict[int, Connection] = {}

    def connect_at_once(self) -> int | None:
        """A new connection's number; None where that takes a while, as over loopback it hardly does."""
        link = _fresh()
        block_for_a_moment(link)
        if link.connect_ex(self._address):
            link.close()
            return None
        return self._keep(link, asyncio.get_running_loop())

    async def connect(self) -> int:
        """A new connection's number; WorldError when it is still refused after `patience` seconds."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._patience, 0.001
        while True:
            link = _fresh()
            link.setblocking(False)
            try:
                await loop.sock_connect(link, self._address)
                break
            except ConnectionRefusedError as error:
                link.close()
                if loop.time() + pause > until:
                    where = f"{self._address[0]}:{self._address[1]}"
                    raise WorldError(
                        f"nothing listens on {where} after {self._patience:g} s",
                        "is qmail-smtpd up in the target?",
                    ) from error
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
            except BaseException:
                link.close()
                raise
        link.setblocking(True)
        block_for_a_moment(link)
        return self._keep(link, loop)

    def _keep(self, link: socket.socket, loop: asyncio.AbstractEventLoop) -> int:
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


def _fresh() -> socket.socket:
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


class Connection(Link):
    """One TCP connection whose octets wait until they are asked for."""

    def __init__(self, link: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(link, loop)
        self._unread = bytearray()
        self.ended = False  #: nothing more comes, and nothing more is taken
        self._full = False  #: the loop no longer reads
        self._told: Told | None = None  #: who waits for octets
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = memoryview(b"")
        self._sent: asyncio.Future[bool] | None = None  #: who waits until all is sent

    def send(self, data: bytes) -> asyncio.Future[bool] | bool:
        """Send octets: False when the server no longer takes any; a future while it does not take all."""
        if self.ended:
            return False
        try:
            sent = self._link.send(data, socket.MSG_DONTWAIT)  # nearly always all of it
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end()
            return False
        if sent == len(data):
            return True
        self._unsent = memoryview(data)[sent:]
        self._loop.add_writer(self._number, self._writable)
        self._sent = self._loop.create_future()
        return self._sent

    async def receive(self, limit: float) -> bytes | None:
        """What has come, at once or within `limit` seconds: None when silent, b"" when the server closed."""
        received: asyncio.Future[bytes | None] = self._loop.create_future()
        self.hear(limit, lambda octets: None if received.done() else received.set_result(octets))
        return await received

    def hear(self, limit: float | None, told: Told) -> None:
        """Have `told` what `receive` would give, without a limit where it is None. One waits at a time."""
        if self._told is not None:
            raise WorldError("somebody waits for octets of this connection already")
        if self._unread or self.ended:
            told(self._take())
            return
        if not self._full:
            self._read_on()
        self._told = told
        self._timer = None if limit is None else self._loop.call_later(limit, self._silent)

    def soon(self) -> bytes | None:
        """What `hear` would tell, where it comes within a few milliseconds; None where it does not.

        Nothing else is served meanwhile.
        """
        if self._unread or self.ended:
            return self._take()
        octets = self._received()
        if octets == b"":
            self._end()
        return octets

    def acknowledge(self) -> None:
        """Acknowledge now what has come, which the kernel would do after 40 ms: a server's next small write
        waits for that (Nagle's algorithm).
        """
        with contextlib.suppress(OSError):  # it has gone altogether
            self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

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
        if self._full and not self.ended:
            self._full = False
            self._read_on()
        return octets

    def _end(self) -> None:
        self.ended = True
        self._read_no_more()
        self._tell()
        if self._sent is not None:
            self._loop.remove_writer(self._number)
            self._sent.set_result(False)
            self._sent = None

    def _tell(self) -> None:
        if self._told is not None:
            if self._timer is not None:
                self._timer.cancel()
            told, self._told = self._told, None
            told(self._take())

    def _silent(self) -> None:
        if self._told is not None:
            told, self._told = self._told, None
            told(None)

    # What the loop calls

    def _writable(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._link.send(self._unsent, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return
        except OSError:
            self._end()
        if self._sent is not None:
            self._loop.remove_writer(self._number)
            self._sent.set_result(True)
            self._sent = None

    def _readable(self) -> None:
        octets = self._received(socket.MSG_DONTWAIT)
        if not octets:
            if octets is not None:
                self._end()
            return
        self._unread += octets
        if len(self._unread) > _MOST_UNREAD:
            self._full = True
            self._read_no_more()
        self._tell()


class Conversation:
    """Exchanges on one connection, one after the other; see `conformance.pod.base.Combining.converse`.

    `heard` holds, for each exchange that took place, whether its octets were taken, when they were sent, and
    what was received and when; times are the loop's. `told` is called once, at the end.
    """

    def __init__(
        self, connection: Connection, says: Says, limit: float, told: Callable[[], None], replies: int = 1
    ) -> None:
        self.heard: list[tuple[bool, float, list[tuple[bytes | None, float]]]] = []
        self._connection = connection
        self._says = says
        self._next = 0
        self._limit = limit
        self._replies = replies  #: to what is said last, that are still to come
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + limit
        self._buffer = b""
        self._waits = False  #: until something that takes longer is done
        self._ended = False

    def listen(self) -> None:
        """Begin with what the server says by itself."""
        self._expect(True, self._loop.time())
        self._go_on()

    def speak(self) -> None:
        """Begin with what the client says."""
        self._say()
        self._go_on()

    def _say(self) -> None:
        data, sent = self._says[self._next][0], self._loop.time()
        self._next += 1
        taken = self._connection.send(data)
        if isinstance(taken, bool):
            self._expect(taken, sent)
        else:
            self._waits = True
            taken.add_done_callback(lambda done: self._late(lambda: self._expect(done.result(), sent)))

    def _expect(self, taken: bool, sent: float) -> None:
        self._buffer = b""
        self.heard.append((taken, sent, []))

    def _go_on(self) -> None:
        while not self._waits and not self._ended:
            if self._next < len(self._says) and self._says[self._next][1] == AT_ONCE:
                time.sleep(_APART)
                self._say()
                continue
            received = self._connection.soon()
            if received is None:
                self._waits = True
                self._connection.hear(self._limit, lambda octets: self._late(lambda: self._take(octets)))
            else:
                self._take(received)
        if self._ended:
            self._told()

    def _late(self, act: Callable[[], None]) -> None:
        self._waits = False
        act()
        self._go_on()

    def _take(self, received: bytes | None) -> None:
        now = self._loop.time()
        self.heard[-1][2].append((received, now))
        if not received or now > self._until:
            self._ended = True
            return
        self._buffer += received
        if self._next == len(self._says):
            replies, self._buffer = split_replies(self._buffer)
            self._replies -= len(replies)
            self._ended = self._replies <= 0 or len(self._buffer) > LONGEST_REPLY
            if not self._ended:
                self._connection.acknowledge()
            return
        reply, rest = split_reply(self._buffer)
        if reply is None and len(self._buffer) <= LONGEST_REPLY:
            return
        if reply is not None and reply.code > 0 and not rest and self._says[self._next][1] in (0, reply.code):
            self._say()
        else:
            self._ended = True
