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


async def _relay(pod: Pod, client: socket.socket) -> None:
    """Connect, and pass octets until either side closes: a whole reply, then a command or message, and so on.

    A reply of more than LONGEST_REPLY octets ends the session as well.
    """
    several = combining(pod)
    loop = asyncio.get_running_loop()  # its streams would cost as much as aiosmtplib itself
    request = b""
    connection, [greeting] = await several.converse(None, [], PATIENCE)
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
                client.shutdown(socket.SHUT_RDWR)
                return
            received += data
            reply, _ = split_reply(received)
        await loop.sock_sendall(client, received)
        # Only after DATA: a server that says 354 to anything else gets no message.
        in_message = reply.code == 354 and request.upper() == b"DATA\r\n"
        request = b""
        while not request.endswith(b"\r\n.\r\n" if in_message else b"\r\n"):
            said = await loop.sock_recv(client, 65536)
            if not said:
                await pod.close(connection)
                return
            request += said
        _, [heard] = await several.converse(connection, [(request, 0)], PATIENCE)
        at_hand.extend(octets for octets, _ in heard["received"])


@contextlib.asynccontextmanager
async def ordinary_client(pod: Pod) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connected aiosmtplib client whose every octet goes through a connection of `pod`."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    relay = asyncio.create_task(_relay(pod, ours))
    client = aiosmtplib.SMTP(
        hostname=None, port=None, sock=theirs, local_hostname=CLIENT, timeout=PATIENCE * 2, start_tls=False
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
        ours.close()
        if isinstance(failed, Exception) and not concluded:
            raise failed
