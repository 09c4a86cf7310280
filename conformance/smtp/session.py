"""A raw SMTP session that sends what it is told, octet by octet, and can misbehave on purpose."""

from dataclasses import replace
from types import TracebackType
from typing import Self

from conformance.pod.base import Pod
from conformance.smtp.reply import CLOSED, ENDLESS, LONGEST_REPLY, SILENT, Reply, ReplyReader

#: Seconds to wait for a reply; longer than any wait that qmail takes on purpose (5 s after a failed AUTH).
PATIENCE = 10.0

#: What is quoted of a line, and the verbs behind which no secret can stand.
_MOST_WORDS = 60
_VERBS = ("HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "HELP")

CLIENT = "client.test.example"


class Session:
    """One connection to qmail-smtpd, whose greeting is read when the session is entered.

    A case that fails inside closes nothing: its verdict stands, and the next set-up drops the connection.
    """

    def __init__(self, pod: Pod, connection: int) -> None:
        self._pod = pod
        self._connection = connection
        self._replies = ReplyReader()
        self._ended = False
        self._after = "connecting"  #: what the client did last, in words
        self.greeting: Reply = SILENT

    async def __aenter__(self) -> Self:
        self.greeting = await self.reply()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._pod.close(self._connection)

    async def send(self, data: bytes) -> None:
        """Send octets as they are; a server that has gone is seen at the next reply."""
        self._after = _words(data) or self._after
        await self._pod.send(self._connection, data)

    async def reply(self, limit: float = PATIENCE) -> Reply:
        """The next reply, of one line or more; `limit` seconds for each time that the server pauses.

        A reply of more than LONGEST_REPLY octets is garbled, and nothing behind it is read.
        """
        while (reply := self._replies.take()) is None:
            if self._ended:
                return replace(CLOSED, after=self._after)
            if self._replies.pending > LONGEST_REPLY:
                return ENDLESS
            data = await self._pod.receive(self._connection, limit)
            if data is None:
                return replace(SILENT, after=self._after, seconds=limit)
            self._ended = not data
            self._replies.feed(data)
        return reply

    async def say(self, *writes: bytes) -> Reply:
        """Send octets as they are, each of the `writes` by itself, and read the reply."""
        for data in writes:
            await self.send(data)
        return await self.reply()

    async def command(self, line: str | bytes, limit: float = PATIENCE) -> Reply:
        """Send one line and CRLF, and read the reply."""
        await self.send((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n")
        return await self.reply(limit)

    async def commands(self, *lines: str | bytes, message: bytes | None = None) -> list[Reply]:
        """Send lines, each when the one before has been answered, and read the replies.

        With a `message` DATA follows, and when that is answered with 354 the message, its dots stuffed.
        """
        replies = [await self.command(line) for line in lines]
        return replies if message is None else replies + await self._data(stuffed(message))

    async def pipeline(self, lines: list[str]) -> list[Reply]:
        """Send all lines in one write, then read a reply for each."""
        await self.send("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
        return [await self.reply() for _ in lines]

    async def hello(self, name: str = CLIENT) -> Reply:
        return await self.command(f"EHLO {name}")

    async def envelope(self, sender: str, recipients: list[str], message: bytes | None = None) -> list[Reply]:
        """MAIL and each RCPT, one after the other, and DATA and a `message` as in `commands`."""
        lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        return await self.commands(*lines, message=message)

    async def data(self, message: bytes) -> Reply:
        """DATA, the message with its dots stuffed, the final dot; the reply to it (or DATA's own refusal)."""
        return (await self._data(stuffed(message)))[-1]

    async def transaction(self, sender: str, recipients: list[str], octets: bytes) -> list[Reply]:
        """MAIL, each RCPT and DATA, and after 354 the octets as they are: the reply to each."""
        return await self.envelope(sender, recipients) + await self._data(octets)

    async def submit(self, sender: str, recipients: list[str], message: bytes) -> list[Reply]:
        """A whole transaction, and QUIT once the message is accepted, as an ordinary client says it.

        The replies to MAIL, to each RCPT, to DATA; if that is 354, to the message; if that is 250, to QUIT.
        """
        replies = await self.envelope(sender, recipients, message)
        return [*replies, await self.command("QUIT")] if replies[-1].code == 250 else replies

    async def _data(self, octets: bytes) -> list[Reply]:
        """DATA, and after 354 the octets: the reply to each."""
        go_ahead = await self.command("DATA")
        return [go_ahead, await self.say(octets)] if go_ahead.code == 354 else [go_ahead]

    async def pause(self, seconds: float) -> None:
        """Say nothing for so long."""
        await self._pod.pause(self._connection, seconds)

    async def half_close(self) -> None:
        """Say that no more will come, and go on reading."""
        await self._pod.shut(self._connection)

    async def closed(self, limit: float = PATIENCE) -> bool:
        """Whether the server closes, with nothing more to say, within `limit` seconds."""
        return await self.reply(limit) == CLOSED


def _words(data: bytes) -> str:
    """The last line of what was said, in words; "" for none. Nothing of credentials: they go into reports."""
    line = (data.splitlines() or [b""])[-1].decode("latin-1")
    verb = line.partition(" ")[0].upper()
    if not line or verb == "AUTH":
        return verb
    return line[:_MOST_WORDS] if verb in _VERBS else "what the client said"


def stuffed(message: bytes) -> bytes:
    """A message as it goes out, with the final dot."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
