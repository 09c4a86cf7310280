"""Ordinary sessions: aiosmtplib's client on one end of a pair of sockets, whose other end talks to the pod.

The relay goes in lock-step (one command, one reply), as aiosmtplib does, so that its octets land in the same
transcript as a raw session's and in the same order each time.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiosmtplib

from conformance.pod.base import Pod
from conformance.smtp.reply import LONGEST_REPLY, ReplyReader
from conformance.smtp.session import CLIENT, PATIENCE


@contextlib.asynccontextmanager
async def ordinary_client(pod: Pod) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connected aiosmtplib client whose every octet goes through a connection of `pod`.

    That it gives up on what the server said is qmail's doing: an AssertionError.
    """
    theirs, ours = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 24)  # of a message
    relay = asyncio.create_task(_relay(pod, reader, writer))
    client = aiosmtplib.SMTP(
        sock=theirs, hostname=None, local_hostname=CLIENT, use_tls=False, start_tls=False, timeout=None
    )
    concluded = False
    gave_up: aiosmtplib.SMTPException | None = None
    try:
        await client.connect()
        yield client
    except AssertionError:
        concluded = True
        raise
    except aiosmtplib.SMTPException as error:
        gave_up = error
    finally:
        client.close()
        theirs.close()
        relay.cancel()
        # A failure of the pod inside the relay must surface as such, not as a broken client.
        failed = (await asyncio.gather(relay, return_exceptions=True))[0]
        writer.close()
        if isinstance(failed, Exception) and not concluded:
            raise failed
    if gave_up is not None:
        raise AssertionError(f"aiosmtplib: {type(gave_up).__name__}: {gave_up}") from gave_up


async def _relay(pod: Pod, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    """Connect, and pass octets until either side closes: a whole reply, then a command or message, and so on.

    A reply of more than LONGEST_REPLY octets ends the session as well. At its end, however it comes, the
    client finds its connection closed: it waits for replies without a limit of its own.
    """
    request = b""
    try:
        connection = await pod.connect()
        while (received := await _reply(pod, connection)) is not None:
            to_client.write(received)
            # Only after DATA: a server that says 354 to anything else gets no message.
            in_message = received.startswith(b"354") and request.upper() == b"DATA\r\n"
            try:
                request = await client.readuntil(b"\r\n.\r\n" if in_message else b"\r\n")
            except (asyncio.IncompleteReadError, OSError):  # the client has left
                await pod.close(connection)
                return
            await pod.send(connection, request)
    finally:
        to_client.close()


async def _reply(pod: Pod, connection: int) -> bytes | None:
    """The octets of a whole reply; None when none comes, or none that ends."""
    received, replies = b"", ReplyReader()
    while len(received) <= LONGEST_REPLY:
        data = await pod.receive(connection, PATIENCE)
        if not data:
            return None
        received += data
        replies.feed(data)
        if replies.take():
            return received
    return None
