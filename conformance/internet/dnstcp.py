"""DNS over TCP: messages with a length of two octets before each (RFC 1035 4.2.2).

Its sockets stand in an epoll object of their own, which the event loop watches as one descriptor. A resolver
that was told TC makes a connection for each question; with a transport of asyncio for each, that ran at 0.6
times the rate of nsd.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from functools import partial

from conformance.internet.nameserver import NameServer, Response

_BACKLOG = 512
_ACCEPTED_AT_ONCE = 64
_BUFFER = 65536

#: `after(delay, act)` of the servers: does it now or so many seconds later, unless the world is another then.
After = Callable[[float, Callable[[], None]], None]


class DnsOverTcp:
    """Listens on `address`, and asks the `nameserver()` of the world that stands.

    `now` gives seconds since the world was set. Raises OSError for a taken address.
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
        self._loop = asyncio.get_running_loop()
        self._listener = socket.create_server(address, backlog=_BACKLOG)
        self._listener.setblocking(False)
        # Connections inherit it.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.poll = select.epoll()
        self.poll.register(self._listener, select.EPOLLIN)
        self._loop.add_reader(self.poll.fileno(), self._ready)

    def abort(self) -> None:
        """Close every connection, whatever is still to be sent."""
        for connection in list(self.connections.values()):
            connection.drop()

    def close(self) -> None:
        """Stop listening, and close every connection."""
        self.abort()
        self._loop.remove_reader(self.poll.fileno())
        self.poll.close()
        self._listener.close()

    def _ready(self) -> None:
        for number, event in self.poll.poll(0):
            connection = self.connections.get(number)
            if connection is None:
                if number == self._listener.fileno():
                    self._accept()
            elif event & select.EPOLLOUT:
                connection.flush()
            else:
                connection.hear()

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTED_AT_ONCE):
                client, _address = self._listener.accept()
                connection = _Connection(self, client)
                self.connections[client.fileno()] = connection
                self.poll.register(client, select.EPOLLIN)
                connection.hear()  # the question is mostly there already
        except OSError:
            return  # nobody else waits, or the client has gone


class _Connection:
    """One client: octets of a question that is not whole yet, and of answers that the socket did not take."""

    __slots__ = ("_closes", "_ended", "_server", "_socket", "_unread", "_unsent", "_waits")

    def __init__(self, server: DnsOverTcp, client: socket.socket) -> None:
        self._server = server
        self._socket = client
        self._unread = b""
        self._unsent = b""
        self._ended = False
        self._closes = False
        self._waits = False  #: for the socket to take more

    def hear(self) -> None:
        """Answer what has come."""
        try:
            data = self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop()
            return
        data = self._unread + data
        nameserver, at = self._server.nameserver(), self._server.now()
        answers: list[bytes] = []
        begin, length = 0, len(data)
        while length - begin >= 2 and not self._ended:
            end = begin + 2 + (data[begin] << 8 | data[begin + 1])
            if length < end:
                break
            message = data[begin + 2 : end]
            begin = end
            answer = nameserver.answer_at_once(message, "tcp", at)
            if answer is not None:
                answers += (len(answer).to_bytes(2, "big"), answer)
                continue
            response = nameserver.answer(message, "tcp", at)
            # After a stall or a close nothing that the client asks is heard, so nothing of it is logged.
            self._ended = response.end != "open"
            self._send(b"".join(answers))
            answers.clear()
            self._server.after(response.delay, partial(self._respond, response))
        self._unread = data[begin:]
        self._send(b"".join(answers))

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
                self._unsent = self._unsent[self._socket.send(self._unsent, socket.MSG_DONTWAIT) :]
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
