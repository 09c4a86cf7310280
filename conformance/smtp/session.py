"""A raw SMTP session that sends what it is told, octet by octet, and can misbehave on purpose."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from conformance.pod.base import AT_ONCE, Heard, Pod, Says, Sight, combining
from conformance.smtp.reply import CLOSED, ENDLESS, LONGEST_REPLY, SILENT, Reply, split_replies

#: Seconds to wait for a reply; longer than any wait that qmail takes on purpose (5 s after a failed AUTH).
PATIENCE = 10.0

CLIENT = "client.test.example"


class Session:
    """One connection to qmail-smtpd: one that stands, whose greeting is read when the session is entered, or
    one of its own, which it makes with the first thing that is said on it.

    Its own is greeted with 220 and, where `hello` says so, EHLO is answered with 250; or AssertionError. With
    `settling`, and where the pod can do that, the session's end and the pod's `settle`, for so many seconds,
    and `look` are one act with all that is said on it: what came of them is in `settled`, else None.
    """

    def __init__(
        self, pod: Pod, connection: int | None = None, *, hello: bool = False, settling: float | None = None
    ) -> None:
        self._pod = pod
        self._several = combining(pod)
        self._connection = connection
        self._hello = hello
        self._settling = settling
        self._replies: deque[Reply] = deque()  #: whole ones that wait to be read
        self._buffer = b""  #: what came after them
        self._received: deque[bytes | None] = deque()  #: what an act brought that also did something else
        self._ahead: deque[tuple[bytes, Heard]] = deque()  #: exchanges that took place by now
        self._open = True
        self._endless = False
        self.greeting: Reply = SILENT
        self.settled: tuple[bool, Sight] | None = None

    @classmethod
    async def connected(cls, pod: Pod, then: Says = (), replies: int = 1) -> Session:
        """A session on a new connection, whatever its greeting may be: it has been received, but not read.

        What is said `then` is said in the same act where the pod can do that, and spoken next. So many
        `replies` answer the last of it.
        """
        connection, heards = await combining(pod).converse(None, then, PATIENCE, replies)
        session = cls(pod, connection)
        session._heard(heards[0])
        session._follows(then, heards)
        return session

    async def __aenter__(self) -> Session:
        if self._connection is not None:
            self.greeting = await self.reply()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A case that has failed does nothing more: its verdict stands, and the next reset closes.
        if kind is None and self.settled is None:
            await self._pod.close(await self._number())

    async def _number(self) -> int:
        """The connection's number; made now where nothing has been said yet."""
        return await self._begin() if self._connection is None else self._connection

    async def _begin(self, then: Says = (), replies: int = 1) -> int:
        """Make the connection and read the greeting; what is said `then` is said in the same act where the
        pod can do that, and asked for next. So many `replies` answer the last of it.
        """
        says: Says = [(_hello(CLIENT), 220), *then] if self._hello else then
        if self._settling is None:
            self._connection, heards = await self._several.converse(None, says, PATIENCE, replies)
        else:
            told = await self._several.converse_and_settle(says, PATIENCE, self._settling)
            self._connection, heards, self.settled = told
        self._heard(heards[0])
        self._follows(says, heards)
        self.greeting = await self.reply()
        assert self.greeting.code == 220, self.greeting
        if self._hello:
            said = await self.hello()
            assert said.code == 250, said
        return self._connection

    def _follows(self, says: Says, heards: list[Heard]) -> None:
        """Keep what was heard after the first exchange with what was said, as far as it took place."""
        self._ahead.extend(zip((said for said, _ in says), heards[1:], strict=False))

    def _heard(self, exchange: Heard) -> None:
        self._received.extend(received for received, _ in exchange["received"])

    async def send(self, data: bytes) -> None:
        """Send octets as they are; a server that has gone is seen at the next reply."""
        await self._pod.send(await self._number(), data)

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
                data = self._received.popleft()
            else:
                data = await self._pod.receive(await self._number(), limit)
            if data is None:
                return SILENT
            if not data:
                self._open = False
            replies, self._buffer = split_replies(self._buffer + data)
            self._replies.extend(replies)
        return ENDLESS

    async def speak(self, data: bytes, limit: float = PATIENCE, then: Says = (), replies: int = 1) -> None:
        """Send octets, and receive what is answered, where nothing else is to be read first; it is read next.

        One act, where the pod can do that. What is said `then` is said in it too, and spoken next. So many
        `replies` answer the last of it.
        """
        if self._connection is None:
            if limit == PATIENCE:
                await self._begin([(data, 250 if self._hello else 220), *then], replies)
            else:  # with its own patience it goes by itself: that of the greeting is another
                await self._begin()
        at_hand = self._replies or self._received or len(self._buffer) > LONGEST_REPLY
        if self._ahead:
            said, heard = self._ahead.popleft()
            assert said == data, f"{said!r} was said before {data!r}"
            self._heard(heard)
        elif at_hand or self._endless or not self._open:
            await self.send(data)
        else:
            says = [(data, 0), *then]
            _, heards = await self._several.converse(self._connection, says, limit, replies)
            self._heard(heards[0])
            self._follows(then, heards)

    async def _ask(self, data: bytes, limit: float = PATIENCE, then: Says = (), replies: int = 1) -> Reply:
        await self.speak(data, limit, then, replies)
        return await self.reply(limit)

    async def converse(self, says: Says) -> list[Reply]:
        """Say one thing after the other, each with the code that the reply before must have (0: any).

        The replies, up to the first that the next thing does not follow.
        """
        replies: list[Reply] = []
        for number, (data, after) in enumerate(says, 1):
            if after and replies and replies[-1].code != after:
                break
            replies.append(await self._ask(data, PATIENCE, says[number:]))
        return replies

    async def say(self, *writes: bytes) -> Reply:
        """Send octets as they are, each of the `writes` straight after the one before, and read the reply."""
        says: Says = [(data, AT_ONCE) for data in writes]
        for number, data in enumerate(writes, 1):
            await self.speak(data, PATIENCE, says[number:])
        return await self.reply()

    async def command(self, line: str | bytes, limit: float = PATIENCE) -> Reply:
        """Send one line and CRLF, and read the reply."""
        return await self._ask(_line(line), limit)

    async def commands(self, *lines: str | bytes, message: bytes | None = None) -> list[Reply]:
        """Send lines, each when the one before has been answered, and read the replies.

        With a `message` DATA follows, and when that is answered with 354 the message, its dots stuffed.
        """
        data = [] if message is None else [(b"DATA\r\n", 0), (_stuffed(message), 354)]
        return await self.converse([*((_line(line), 0) for line in lines), *data])

    async def pipeline(self, lines: list[str]) -> list[Reply]:
        """Send all lines in one write, then read a reply for each."""
        said = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        if not lines:
            await self.send(said)
            return []
        return [await self._ask(said, replies=len(lines)), *[await self.reply() for _ in lines[1:]]]

    async def hello(self, name: str = CLIENT) -> Reply:
        return await self._ask(_hello(name))

    async def envelope(self, sender: str, recipients: list[str], message: bytes | None = None) -> list[Reply]:
        """MAIL and each RCPT, one after the other, and DATA and a `message` as in `commands`."""
        return await self.commands(*_envelope(sender, recipients), message=message)

    async def data(self, message: bytes) -> Reply:
        """DATA, the message with its dots stuffed, the final dot; the reply to it (or DATA's own refusal)."""
        return (await self.commands(message=message))[-1]

    async def transaction(
        self, sender: str, recipients: list[str], octets: bytes, *, then: Says = ()
    ) -> list[Reply]:
        """MAIL, each RCPT and DATA, and after 354 the octets as they are: the reply to each.

        What is said `then` follows as in `converse`.
        """
        lines = [*_envelope(sender, recipients), "DATA"]
        return await self.converse([*((_line(line), 0) for line in lines), (octets, 354), *then])

    async def hand_in(self, sender: str, recipients: list[str], message: bytes) -> list[Reply]:
        """A whole transaction, and QUIT once the message is accepted, as an ordinary client says it.

        The replies to MAIL, to each RCPT, to DATA; if that is 354, to the message; if that is 250, to QUIT.
        """
        return await self.transaction(sender, recipients, _stuffed(message), then=[(b"QUIT\r\n", 250)])

    async def half_close(self) -> None:
        """Say that no more will come, and go on reading."""
        await self._pod.shut(await self._number())

    async def closed(self, limit: float = PATIENCE) -> bool:
        """Whether the server closes, with nothing more to say, within `limit` seconds."""
        return await self.reply(limit) == CLOSED


def _line(line: str | bytes) -> bytes:
    return (line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n"


def _hello(name: str) -> bytes:
    return _line(f"EHLO {name}")


def _envelope(sender: str, recipients: list[str]) -> list[str]:
    return [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]


def _stuffed(message: bytes) -> bytes:
    """A message as it goes out, with the final dot."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
