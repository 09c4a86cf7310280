"""Drives a chat that says nothing of replies: the client waits at each `< *` for whatever is due.

A reply is due for each line feed that the client has said. Behind a 354 the lines are a message, and its
final dot alone is answered.
"""

from collections import deque
from dataclasses import dataclass, field

from conformance.scenario.chat import Chat, Expected, HalfClose, Pause, Step, Write
from conformance.smtp.reply import Reply
from conformance.smtp.session import PATIENCE, Session

#: Seconds to wait where nothing is due: what qmail says by itself, it has said by then.
_A_MOMENT = 0.2


@dataclass
class Exchange:
    """What the client said in one write, and the replies to it in order.

    `octets` is b"" where qmail spoke by itself: the greeting, a time-out.
    """

    octets: bytes
    replies: list[Reply] = field(default_factory=list)


class Driver:
    """One connection. `exchanges` grow as it is driven."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.exchanges: list[Exchange] = []
        self._due: deque[tuple[Exchange, bytes]] = deque()  #: lines without a reply so far
        self._rest = b""  #: of a line that has not ended
        self._in_message = False
        self._last: Reply | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to hear: qmail has closed, is silent, or says what is no reply."""
        return self._last is not None and not self._last.code

    async def drive(self, chat: Chat) -> list[Exchange]:
        """Do all that a chat says, and read all that comes of it; the connection stays open."""
        steps: deque[Step] = deque(chat.steps)
        greeting = Exchange(b"")
        while steps and isinstance(step := steps[0], Write) and step.early:
            await self._write(steps.popleft())  # type: ignore[arg-type]
        await self._read(greeting)
        self.exchanges.insert(0, greeting)
        for step in steps:
            await self._do(step)
        await self._catch_up()
        return self.exchanges

    async def end(self) -> None:
        """Say that no more will come, and read until qmail closes: what it says unasked is heard too."""
        if not self.over:
            await self.session.half_close()
        while not self.over:
            await self._read(self.exchanges[-1])

    async def _do(self, step: Step) -> None:
        match step:
            case Expected():
                await self._catch_up()
            case Pause():
                await self.session.pause(step.seconds)
                await self._by_itself()
            case HalfClose():
                await self.session.half_close()
                await self._catch_up()
                await self._by_itself()
            case Write():
                await self._write(step)

    async def _write(self, step: Write) -> None:
        """Say something; a message only where the last reply asks for one."""
        if step.is_message:
            await self._catch_up()
            if not self._in_message:
                return
        if self.over:
            return
        challenge = self._last.text if self._last is not None and self._last.code == 334 else ""
        said = Exchange(step.octets(challenge))
        self.exchanges.append(said)
        *lines, self._rest = (self._rest + said.octets).split(b"\n")
        self._due += ((said, line) for line in lines)
        await self.session.send(said.octets)

    async def _catch_up(self) -> None:
        """Read the reply to each line that has been said."""
        while self._due and not self.over:
            exchange, line = self._due.popleft()
            if self._in_message and line.removesuffix(b"\r") != b".":
                continue
            self._in_message = False
            await self._read(exchange)
            self._in_message = self._last is not None and self._last.code == 354

    async def _by_itself(self) -> None:
        """Read what qmail says unasked."""
        unasked = Exchange(b"")
        while not self.over:
            reply = await self.session.reply(_A_MOMENT)
            if reply.why == "silent":
                return
            self._last = reply
            unasked.replies.append(reply)
            if unasked not in self.exchanges:
                self.exchanges.append(unasked)

    async def _read(self, exchange: Exchange) -> None:
        self._last = await self.session.reply(PATIENCE)
        exchange.replies.append(self._last)


async def drive(chat: Chat, session: Session) -> list[Exchange]:
    """Do all that a chat says on a connection whose greeting has not been read."""
    return await Driver(session).drive(chat)
