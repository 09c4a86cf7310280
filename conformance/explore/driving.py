"""Drives a chat that says nothing of replies: the client waits at each `< *` for whatever is due.

A reply is due for each line feed that the client has said. Behind a 354 the lines are a message, and its
final dot alone is answered.
"""

from collections import deque

from conformance.scenario.chat import Chat, Expected, HalfClose, Pause, Step, Write
from conformance.smtp.reply import Reply
from conformance.smtp.session import PATIENCE, Session

#: Seconds to wait where nothing is due: what qmail says by itself, it has said by then.
_A_MOMENT = 0.2

#: Replies that are read of one that does not stop to talk.
_MOST = 1000

#: What was done in one connection, in order: what the client did, and what it heard.
Done = list[Write | HalfClose | Pause | Reply]


class Driver:
    """One connection. `done` grows as it is driven."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.done: Done = []
        self._due: deque[bytes] = deque()  #: lines without a reply so far
        self._rest = b""  #: of a line that has not ended
        self._in_message = False
        self._is_shut = False  #: the client has said that no more will come
        self._last: Reply | None = None
        self._begun = 0  #: steps that are done before the greeting

    @property
    def over(self) -> bool:
        """Whether there is nothing more to hear: qmail has closed, is silent, or says what is no reply."""
        return self._last is not None and not self._last.code

    async def drive(self, chat: Chat) -> None:
        """Do all that a chat says, and read all that comes of it; the connection stays open."""
        await self.greet(chat)
        for step in chat.steps[self._begun :]:
            await self._do(step)
        await self._catch_up()

    async def greet(self, chat: Chat) -> None:
        """Read the greeting, once; what is said before it is said first."""
        if self._last is not None:
            return
        while self._begun < len(chat.steps) and _is_early(step := chat.steps[self._begun]):
            await self._do(step)
            self._begun += 1
        await self._read()

    async def end(self) -> None:
        """Say that no more will come, and read until qmail closes: what it says unasked is heard too."""
        if not self.over:
            await self._shut()
        for _ in range(_MOST):
            if self.over:
                return
            await self._read()

    async def _do(self, step: Step) -> None:
        match step:
            case Expected():
                await self._catch_up()
            case Pause():
                self.done.append(step)
                await self.session.pause(step.seconds)
                await self._by_itself()
            case HalfClose():
                await self._shut()
                await self._catch_up()
            case Write():
                await self._write(step)

    async def _shut(self) -> None:
        if not self._is_shut:
            self._is_shut = True
            self.done.append(HalfClose())
            await self.session.half_close()

    async def _write(self, step: Write) -> None:
        """Say something; a message only where the last reply asks for one."""
        if step.is_message:
            await self._catch_up()
            if not self._in_message:
                return
        if self.over or self._is_shut:
            return
        self.done.append(step)
        challenge = self._last.text if self._last is not None and self._last.code == 334 else ""
        octets = step.octets(challenge)
        *lines, self._rest = (self._rest + octets).split(b"\n")
        self._due += lines
        await self.session.send(octets)

    async def _catch_up(self) -> None:
        """Read the reply to each line that has been said."""
        while self._due and not self.over:
            line = self._due.popleft()
            if self._in_message and line.removesuffix(b"\r") != b".":
                continue
            self._in_message = False
            await self._read()
            self._in_message = self._last is not None and self._last.code == 354

    async def _by_itself(self) -> None:
        """Read what qmail says unasked."""
        for _ in range(_MOST):
            reply = await self.session.reply(_A_MOMENT)
            if reply.why == "silent":
                return
            self._take(reply)
            if self.over:
                return

    async def _read(self) -> None:
        self._take(await self.session.reply(PATIENCE))

    def _take(self, reply: Reply) -> None:
        self._last = reply
        self.done.append(reply)


def _is_early(step: Step) -> bool:
    return isinstance(step, Write) and step.early
