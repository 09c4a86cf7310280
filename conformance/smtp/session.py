"""A raw SMTP session that sends what it is told, octet by octet, and can misbehave on purpose."""

from __future__ import annotations

from types import TracebackType

from conformance.pod.base import Pod
from conformance.smtp.reply import CLOSED, ENDLESS, SILENT, Reply, split_reply

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
        self._connection = connection
        self._buffer = b""
        self._open = True
        self._endless = False
        self.greeting: Reply = SILENT

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
            reply, self._buffer = split_reply(self._buffer)
            if reply is not None:
                return reply
            if len(self._buffer) > LONGEST_REPLY:
                self._endless, self._buffer = True, b""
                break
            if not self._open:
                return CLOSED
            data = await self._pod.receive(self._connection, limit)
            if data is None:
                return SILENT
            if not data:
                self._open = False
            self._buffer += data
        return ENDLESS

    async def command(self, line: str | bytes, limit: float = PATIENCE) -> Reply:
        """Send one line and CRLF, and read the reply."""
        await self.send((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n")
        return await self.reply(limit)

    async def pipeline(self, lines: list[str]) -> list[Reply]:
        """Send all lines in one write, then read a reply for each."""
        await self.send("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
        return [await self.reply() for _ in lines]

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
        await self.send(stuffed + b".\r\n")
        return await self.reply()

    async def half_close(self) -> None:
        """Say that no more will come, and go on reading."""
        await self._pod.shut(self._connection)

    async def closed(self, limit: float = PATIENCE) -> bool:
        """Whether the server closes, with nothing more to say, within `limit` seconds."""
        return await self.reply(limit) == CLOSED
