"""A raw SMTP session that sends what it is told, octet by octet, and can misbehave on purpose."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from conformance.pod.base import Pod, combining
from conformance.smtp.reply import CLOSED, ENDLESS, SILENT, Reply, split_replies

#: Seconds to wait for a reply; longer than any wait that qmail takes on purpose (5 s after a failed AUTH).
PATIENCE = 10.0

#: Octets that a reply may hold. A server that says more without an end is no SMTP server, and must not fill
#: the memory of who listens.
LONGEST_REPLY = 131_072

CLIENT = "client.test.example"


class Session:
    """One connection to qmail-smtpd; enter it to connect and read the greeting."""

    def __init__(self, pod: Pod, connection: int) -> None:
        self._pod = pod
        self._pairs = combining(pod)
        self._connection = connection
        self._replies: deque[Reply] = deque()  #: whole ones that wait to be read
        self._buffer = b""  #: what came after them
        self._received: list[bytes | None] = []  #: what an act brought that also did something else
        self._open = True
        self._endless = False
        self.greeting: Reply = SILENT

    @classmethod
    async def begun(cls, pod: Pod) -> Session:
        """A session on a new connection, for one who enters it at once: its greeting has been received."""
        connection, received = await combining(pod).greet(PATIENCE)
        session = cls(pod, connection)
        session._received.append(received)
        return session

    async def __aenter__(self) -> Session:
        self.greeting = await self.reply()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A case that has failed does nothing more: its verdict stands, and the next reset closes.
        if kind is None:
            await self._pod.close(self._connection)

    async def send(self, data: bytes) -> None:
        """Send octets as they are; a server that has gone is seen at the next reply."""
        await self._pod.send(self._connection, data)

    async def reply(self, limit: float = PATIENCE) -> Reply:
        """The next reply, of one line or more.

        A reply of more than LONGEST_REPLY octets is garbled, and nothing behind it is read.
        """
        while not self._endless:
            if self._replies:
                return self._replies.popleft()
            if len(self._buffer) > LONGEST_REPLY:
                self._endless, self._buffer = True, b""
                break
            if not self._open:
                return CLOSED
            if self._received:
                data = self._received.pop()
            else:
                data = await self._pod.receive(self._connection, limit)
            if data is None:
                return SILENT
            if not data:
                self._open = False
            replies, self._buffer = split_replies(self._buffer + data)
            self._replies.extend(replies)
        return ENDLESS

    async def _say(self, data: bytes, limit: float) -> Reply:
        """Send octets and read the next reply; in one act, where that reply is still to come."""
        at_hand = self._replies or self._received or len(self._buffer) > LONGEST_REPLY
        if at_hand or self._endless or not self._open:
            await self.send(data)
        else:
            _, received = await self._pairs.exchange(self._connection, data, limit)
            self._received.append(received)
        return await self.reply(limit)

    async def command(self, line: str | bytes, limit: float = PATIENCE) -> Reply:
        """Send one line and CRLF, and read the reply."""
        return await self._say((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n", limit)

    async def pipeline(self, lines: list[str]) -> list[Reply]:
        """Send all lines in one write, then read a reply for each."""
        said = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        if not lines:
            await self.send(said)
            return []
        return [await self._say(said, PATIENCE), *[await self.reply() for _ in lines[1:]]]

    async def hello(self, name: str = CLIENT) -> Reply:
        return await self.command(f"EHLO {name}")

    async def envelope(self, sender: str, recipients: list[str]) -> list[Reply]:
        """MAIL and each RCPT, one after the other."""
        replies = [await self.command(f"MAIL FROM:<{sender}>")]
        for recipient in recipients:
            replies.append(await self.command(f"RCPT TO:<{recipient}>"))
        return replies

    async def data(self, message: bytes) -> Reply:
        """DATA, the message with its dots stuffed, the final dot; the reply to it (or DATA's own refusal)."""
        go_ahead = await self.command("DATA")
        if go_ahead.code != 354:
            return go_ahead
        stuffed = message.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        return await self._say(stuffed + b".\r\n", PATIENCE)

    async def half_close(self) -> None:
        """Say that no more will come, and go on reading."""
        await self._pod.shut(self._connection)

    async def closed(self, limit: float = PATIENCE) -> bool:
        """Whether the server closes, with nothing more to say, within `limit` seconds."""
        return await self.reply(limit) == CLOSED
