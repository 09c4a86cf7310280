"""The DNS server's sockets: UDP, and TCP with a length of two octets before each message (RFC 1035 4.2).

They stand in an epoll object of their own, which the event loop watches as one descriptor. With asyncio's
transports small answers over UDP went out at 0.65 times the rate of nsd, and 4 KiB by way of TC and TCP,
which takes a connection for each question, at 0.6 times.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from functools import partial
from itertools import islice

from conformance.errors import WorldError
from conformance.internet.datagrams import Datagrams
from conformance.internet.links import Listener
from conformance.internet.nameserver import NameServer, Response

_BACKLOG = 512
#: Octets read at once from a connection, enough for many questions. With 64 KiB the C library spent 2 % of
#: the CPU on buffers; what is longer is read in several turns.
_BUFFER = 4096
_TC = 0x02  #: in the third octet of a message

#: How often the poll is asked again before the event loop has its turn: what a client does next is mostly
#: there by then, and a round through the loop costs as much as two answers. Who was told TC comes back for
#: certain, over a connection that takes a while; elsewhere a long wait takes the CPU from who asks, most of
#: all over UDP, where the questions that come meanwhile are answered together and at less cost.
_PATIENCE = 24
_PATIENCE_WITH_DATAGRAMS = 4
_PATIENCE_WITH_TC = 140
#: Before so many questions it is not asked again: a case asks a few, and between them qmail has work to do.
_MANY = 500
#: Turns of the poll after which the event loop has its turn whatever still comes.
_MOST_TURNS = 256

#: `after(delay, act)` of the servers: does it now or so many seconds later, unless the world is another then.
After = Callable[[float, Callable[[], None]], None]


class DnsSockets:
    """Serves UDP on `address` from the start, and TCP while `serve_tcp` says so.

    `nameserver` gives that of the world that stands, `now` seconds since the world was set. Raises WorldError
    for a taken address.
    """

    def __init__(
        self,
        address: tuple[str, int],
        nameserver: Callable[[], NameServer],
        now: Callable[[], float],
        after: After,
    ) -> None:
        self.nameserver, self.now, self.after = nameserver, now, after
        self.connections: dict[int, _Connection] = {}
        #: Connections whose clients have closed them. To close one takes as long as an answer, and who was
        #: told TC asks the next question meanwhile: done after that, 4 KiB go out at 1.1 times the rate.
        self.left: list[_Connection] = []
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._udp = _bound(address, socket.SOCK_DGRAM)
        self._datagrams = Datagrams(self._udp)
        self._listener: socket.socket | None = None
        self.patience = _PATIENCE
        self.poll = select.epoll()
        self.poll.register(self._udp, select.EPOLLIN)
        self._loop.add_reader(self.poll.fileno(), self._ready)

    def serve_tcp(self, serves: bool) -> None:
        """Listen over TCP, or close the port. Raises WorldError for a taken address."""
        if serves and self._listener is None:
            self._listener = _bound(self._address, socket.SOCK_STREAM)
            self.poll.register(self._listener, select.EPOLLIN)
        elif not serves and self._listener is not None:
            self._listener.close()
            self._listener = None

    def abort(self) -> None:
        """Close every connection, whatever is still to be sent."""
        for connection in list(self.connections.values()):
            connection.drop()

    def close(self) -> None:
        """Stop serving, and close every connection."""
        self.abort()
        self.serve_tcp(False)
        self._loop.remove_reader(self.poll.fileno())
        self.poll.close()
        self._udp.close()

    def _ready(self) -> None:
        self._take_turns()
        self._drop_left()

    def _drop_left(self) -> None:
        """Close the connections that their clients have closed."""
        for connection in self.left:
            connection.drop()
        self.left.clear()

    def _take_turns(self) -> None:
        poll, idle = self.poll.poll, 0
        many = self.nameserver().count >= _MANY
        datagrams, listener = self._udp.fileno(), self._listener.fileno() if self._listener else -1
        for turn in range(_MOST_TURNS):
            if turn and not many:
                return  # the event loop tells of what has come meanwhile
            events = poll(0)
            if not events:
                idle += 1
                if idle >= self.patience or not many:
                    return
                continue
            idle = 0
            nameserver, at = self.nameserver(), self.now()
            for number, event in events:
                if number == datagrams:
                    self._answer_datagrams(nameserver, at)
                    self._drop_left()
                elif number == listener:
                    self._accept(nameserver, at)
                elif (connection := self.connections.get(number)) is not None:
                    connection.flush() if event & select.EPOLLOUT else connection.hear(nameserver, at)

    def _answer_datagrams(self, nameserver: NameServer, at: float) -> None:
        datagrams = self._datagrams
        messages = datagrams.receive()
        answers: list[bytes | None] = [*nameserver.answer_datagrams(messages, at)]
        while (number := len(answers)) < len(messages):
            response = nameserver.answer(messages[number], "udp", at)
            if response.octets is not None:
                late = partial(datagrams.send_to, response.octets, datagrams.client(number))
                self.after(response.delay, late)
            answers.append(None)
            if number + 1 < len(messages):
                answers += nameserver.answer_datagrams(islice(messages, number + 1, None), at)
        if answers and (last := answers[-1]) is not None:
            self.patience = _PATIENCE_WITH_TC if last[2] & _TC else _PATIENCE_WITH_DATAGRAMS
        datagrams.send(answers)

    def _accept(self, nameserver: NameServer, at: float) -> None:
        assert self._listener is not None
        # One at a time: the poll, which tells of the next, costs less than an attempt that fails.
        with contextlib.suppress(OSError):  # the client has gone
            client, _address = self._listener.accept()
            connection = _Connection(self, client)
            self.connections[client.fileno()] = connection
            self.poll.register(client, select.EPOLLIN)
            connection.hear(nameserver, at)  # the question is mostly there already


def _bound(address: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    made = (Listener if kind is socket.SOCK_STREAM else socket.socket)(socket.AF_INET, kind)
    try:
        made.setblocking(False)
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        made.bind(address)
        if kind is socket.SOCK_STREAM:
            made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise taken(address, "tcp" if kind is socket.SOCK_STREAM else "udp", error) from error
    return made


def taken(address: tuple[str, int], over: str, error: OSError) -> WorldError:
    """What is told when an address cannot be listened on."""
    return WorldError(
        f"cannot listen on {address[0]}:{address[1]} over {over}: {error.strerror or error}",
        "something else listens there, or the port needs a privilege that this process lacks",
    )


def _end_of_frame(data: bytes, begin: int) -> int:
    """Where the message ends whose length stands at `begin`; behind the data when it is not whole."""
    if len(data) - begin < 2:
        return len(data) + 1
    return begin + 2 + int.from_bytes(data[begin : begin + 2], "big")


class _Connection:
    """One client: octets of a question that is not whole yet, and of answers that the socket did not take."""

    __slots__ = ("_closes", "_ended", "_heard", "_server", "_socket", "_unread", "_unsent", "_waits")

    def __init__(self, server: DnsSockets, client: socket.socket) -> None:
        self._server = server
        self._socket = client
        self._unread = b""
        self._unsent = b""
        self._ended = False
        self._heard = False
        self._closes = False
        self._waits = False  #: for the socket to take more

    def hear(self, nameserver: NameServer, at: float) -> None:
        """Answer what has come, `at` seconds since the world was set."""
        try:
            data = self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._server.poll.unregister(self._socket)
            self._server.left.append(self)
            return
        if self._ended:
            return  # after a stall nothing is said, whatever the client asks
        # On a connection that is kept the next question is on its way already.
        self._server.patience = _PATIENCE if self._heard else _PATIENCE_WITH_TC
        self._heard = True
        if self._unread:
            data = self._unread + data
        answers, begin = nameserver.answer_frames(data, 0, at)
        while not self._ended and (end := _end_of_frame(data, begin)) <= len(data):
            response = nameserver.answer(data[begin + 2 : end], "tcp", at)
            # After a stall or a close nothing that the client asks is heard, so nothing of it is logged.
            self._ended = response.end != "open"
            self._send(answers)
            self._server.after(response.delay, partial(self._respond, response))
            answers, begin = b"", end
            if not self._ended and end < len(data):
                answers, begin = nameserver.answer_frames(data, end, at)
        self._unread = data[begin:]
        self._send(answers)

    def _respond(self, response: Response) -> None:
        self._closes = response.end == "close"
        framed = b""
        if response.octets is not None:
            framed = len(response.octets).to_bytes(2, "big") + response.octets
        self._send(framed[: response.limit])

    def _send(self, octets: bytes) -> None:
        if self._socket.fileno() < 0:
            return  # the client left before a late answer
        self._unsent += octets
        self.flush()

    def flush(self) -> None:
        """Send what waits; the poll tells when the socket takes more."""
        try:
            if self._unsent:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
                self._unsent = self._unsent[sent:] if sent < len(self._unsent) else b""
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if bool(self._unsent) != self._waits:
            self._waits = not self._waits
            self._server.poll.modify(self._socket, select.EPOLLOUT if self._waits else select.EPOLLIN)
        if self._closes and not self._unsent:
            self.drop()

    def drop(self) -> None:
        """Close the connection."""
        self._server.connections.pop(self._socket.fileno(), None)
        self._socket.close()
