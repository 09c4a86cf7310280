"""Ordinary sessions: aiosmtplib's client and protocol, over a transport whose other end talks to the pod.

The relay goes in lock-step (one command, one reply), as aiosmtplib does, so that its octets land in the same
transcript as a raw session's and in the same order each time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from conformance.pod.base import Pod, combining
from conformance.smtp.reply import LONGEST_REPLY, split_reply
from conformance.smtp.session import CLIENT, PATIENCE

#: With this aiosmtplib begins whatever it does, so it goes in one act with the connection, where a pod can.
_HELLO = f"EHLO {CLIENT}\r\n".encode()


class _Transport(asyncio.Transport):
    """What aiosmtplib's protocol writes to and hears from, in place of a socket.

    A pair of sockets would cost a turn of the event loop for each thing said and each heard, half of all.
    """

    def __init__(self, protocol: SMTPProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._said = b""
        self._ended = False
        self._more: asyncio.Future[None] | None = None
        protocol.connection_made(self)

    # What aiosmtplib calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._said += data
        self._tell()

    def is_closing(self) -> bool:
        return self._ended

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._tell()

    abort = close

    # What the relay calls

    async def said(self, end: bytes) -> bytes:
        """What the client says, up to `end`; what it has said without an end when it has left."""
        while not self._said.endswith(end) and not self._ended:
            self._more = self._loop.create_future()
            await self._more
        said, self._said = self._said, b""
        return said

    def hear(self, octets: bytes) -> None:
        """Have the client hear what the server says, or with none that it has closed."""
        if self._ended:
            return
        if octets:
            self._protocol.data_received(octets)
        else:
            self._protocol.eof_received()
            self.close()

    def _tell(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


async def _relay(pod: Pod, client: _Transport) -> None:
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
            client.hear(received)
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
        client.hear(b"")


@contextlib.asynccontextmanager
async def ordinary_client(pod: Pod) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connected aiosmtplib client whose every octet goes through a connection of `pod`."""
    protocol = SMTPProtocol()
    transport = _Transport(protocol)
    # A limit here would be a timer for each reply beside the relay's own.
    client = aiosmtplib.SMTP(local_hostname=CLIENT, timeout=None)
    # As its `connect` leaves it, which makes a transport of its own, for sockets only.
    client.protocol, client.transport = protocol, transport
    relay = asyncio.create_task(_relay(pod, transport))
    concluded = False
    try:
        greeting = await protocol.read_response()
        if greeting.code != 220:
            raise aiosmtplib.SMTPConnectResponseError(greeting.code, greeting.message)
        yield client
    except AssertionError:
        concluded = True
        raise
    finally:
        client.close()
        relay.cancel()
        # A failure of the pod inside the relay must surface as such, not as a broken client.
        failed = (await asyncio.gather(relay, return_exceptions=True))[0]
        if isinstance(failed, Exception) and not concluded:
            raise failed
