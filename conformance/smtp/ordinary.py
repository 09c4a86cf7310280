"""Ordinary sessions: aiosmtplib talks to one end of a socket pair, the other end talks to the pod.

The relay goes in lock-step (one command, one reply), as aiosmtplib does, so that its octets land in the same
transcript as a raw session's and in the same order each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator

import aiosmtplib

from conformance.pod.base import Pod, combining
from conformance.smtp.reply import LONGEST_REPLY, split_reply
from conformance.smtp.session import CLIENT, PATIENCE

#: With this aiosmtplib begins whatever it does, so it goes in one act with the connection, where a pod can.
_HELLO = f"EHLO {CLIENT}\r\n".encode()


class _Client:
    """Our end of the pair. The loop watches it all the while: to ask for each command costs twice as much."""

    def __init__(self, socket: socket.socket) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._said = b""
        self._ended = False
        self._more: asyncio.Future[None] | None = None
        self._loop.add_reader(socket, self._readable)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:  # it left with something unread
            data = b""
        self._said += data
        if not data:
            self._ended = True
            self._loop.remove_reader(self._socket)
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def said(self, end: bytes) -> bytes:
        """What the client says, up to `end`; what it has said without an end when it has left."""
        while not self._said.endswith(end) and not self._ended:
            self._more = self._loop.create_future()
            await self._more
        said, self._said = self._said, b""
        return said

    async def hears(self, octets: bytes) -> None:
        try:
            sent = self._socket.send(octets)  # nearly always all of it
        except BlockingIOError:
            sent = 0
        if sent < len(octets):
            await self._loop.sock_sendall(self._socket, octets[sent:])

    def close(self) -> None:
        """Let go, as often as it is called."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()


async def _relay(pod: Pod, client: _Client) -> None:
    """Connect, and pass octets until either side closes: a whole reply, then a command or message, and so on.

    A reply of more than LONGEST_REPLY octets ends the session as well. At its end, however it comes, the
    client finds its connection closed: it waits for replies without a limit of its own.
    """
    several = combining(pod)
    request = b""
    try:
        connection, [greeting, *hello] = await several.converse(None, [(_HELLO, 220)], PATIENCE)
        at_hand = deque(octets for octets, _ in greeting["received"])
        while True:
            received = b""
            reply = None
            while reply is None:
                if at_hand:
                    data = at_hand.popleft()
                else:
                    data = b"" if len(received) > LONGEST_REPLY else await pod.receive(connection, PATIENCE)
                if not data:
                    return
                received += data
                reply, _ = split_reply(received)
            await client.hears(received)
            # Only after DATA: a server that says 354 to anything else gets no message.
            in_message = reply.code == 354 and request.upper() == b"DATA\r\n"
            end = b"\r\n.\r\n" if in_message else b"\r\n"
            request = await client.said(end)
            if not request.endswith(end):
                await pod.close(connection)
                return
            if hello:
                if request != _HELLO:
                    raise RuntimeError(f"an ordinary client begins with {_HELLO!r}, not {request!r}")
                heard = hello.pop()
            else:
                _, [heard] = await several.converse(connection, [(request, 0)], PATIENCE)
            at_hand.extend(octets for octets, _ in heard["received"])
    finally:
        client.close()


@contextlib.asynccontextmanager
async def ordinary_client(pod: Pod) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connected aiosmtplib client whose every octet goes through a connection of `pod`."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    end = _Client(ours)
    relay = asyncio.create_task(_relay(pod, end))
    # A limit here would be a timer for each reply beside the relay's own.
    client = aiosmtplib.SMTP(
        hostname=None, port=None, sock=theirs, local_hostname=CLIENT, timeout=None, start_tls=False
    )
    concluded = False
    try:
        await client.connect()
        yield client
    except AssertionError:
        concluded = True
        raise
    finally:
        client.close()
        relay.cancel()
        # A failure of the pod inside the relay must surface as such, not as a broken client.
        failed = (await asyncio.gather(relay, return_exceptions=True))[0]
        end.close()  # a relay that was cancelled before it began has not
        if isinstance(failed, Exception) and not concluded:
            raise failed
