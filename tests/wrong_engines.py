"""Engines that are not qmail at all: SMTP servers and programs that do as they like, in a pod of their own.

A suite that judges must survive whatever it is pointed at. A server is a generator: it is sent what the
client said since it last spoke, and yields what it says, or None for silence; when it ends it closes.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass

from conformance.pod.base import PodFailure, text
from conformance.pod.configuration import Configuration
from conformance.pod.observation import RemoteResult
from conformance.pod.world import World
from tests.pods import ScriptedPod

Server = Generator[bytes | None, bytes, None]

_GREETING = b"220 wrong.test.example ESMTP\r\n"
_GARBAGE = bytes(range(256)) * 4 + b"\r\n"
_CHUNK = 65_536
_MORE = b"250-" + b"more" * 120 + b"\r\n"


def answers(reply: bytes) -> Callable[[], Server]:
    """A server that says this to every line, the lines of a message among them."""

    def server() -> Server:
        heard = yield _GREETING
        while True:
            heard = yield reply * heard.count(b"\n") or None

    return server


def says(*first: bytes, endless: tuple[bytes | None, ...] = ()) -> Callable[[], Server]:
    """A server that says some things, and then one thing without end (None is silence), or closes."""

    def server() -> Server:
        for said in itertools.chain(first, itertools.cycle(endless)):
            _heard = yield said

    return server


def echoes(*first: bytes) -> Callable[[], Server]:
    """A server that says some things, and then what it hears."""

    def server() -> Server:
        heard = b""
        for said in first or (None,):
            heard = yield said
        while True:
            heard = yield heard or None

    return server


def closes_after_data() -> Server:
    """An ordinary host up to DATA; then it closes."""
    heard = yield _GREETING
    while not heard.upper().endswith(b"DATA\r\n"):
        heard = yield b"250 ok\r\n" * heard.count(b"\n") or None


@dataclass(frozen=True)
class Engine:
    """A server in the place of qmail-smtpd, and what the program in the place of qmail-remote comes to.

    `ended` is False for a program that never ends; `rests` says whether qmail-send's place ever rests.
    """

    server: Callable[[], Server]
    report: bytes = b""
    status: int = 0
    ended: bool = True
    rests: bool = True


_EARLY = (_GREETING, b"250 ok\r\n" * 3, b"354 go ahead\r\n", b"250 ok 1 qp 1\r\n", b"221 bye\r\n")

ENGINES: dict[str, Engine] = {
    "says-yes": Engine(answers(b"250 ok\r\n"), b"r\0Kaccepted\n\0"),
    "says-go-ahead": Engine(answers(b"354 go ahead\r\n"), b"K"),
    "says-no": Engine(answers(b"554 no\r\n"), b"Dno\n\0"),
    "mute": Engine(says(endless=(None,)), ended=False, status=-9, rests=False),
    "greets-and-is-silent": Engine(says(_GREETING, endless=(None,)), ended=False, status=-9, rests=False),
    "closes-at-once": Engine(says(), status=-11),
    "closes-after-data": Engine(closes_after_data),
    "answers-before-it-is-asked": Engine(says(b"".join(_EARLY)), b"Kaccepted before it began\n\0"),
    "echoes": Engine(echoes(), b"\0\0\0"),
    "greets-and-echoes": Engine(echoes(_GREETING, b"250 ok\r\n"), b"rhsKZD\0"),
    "floods-with-replies": Engine(says(endless=(b"250 ok\r\n" * (_CHUNK // 8),)), b"r\0" * 1000),
    "floods-with-one-reply": Engine(says(_GREETING, endless=(_MORE * 100,)), b"Z" * 10_000),
    "floods-with-one-line": Engine(says(endless=(b"2" * _CHUNK,)), b"K\0" * 1000),
    "says-garbage": Engine(says(endless=(_GARBAGE,)), _GARBAGE, status=111),
    "speaks-http": Engine(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), b"HTTP/1.1 400 Bad Request\0"),
}


class _Connection:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._first = [next(server, b"")]  # a generator can be told nothing before it has spoken
        self.unheard = b""

    def speak(self) -> bytes | None:
        """What the server says next; b"" once it has closed."""
        if self._first:
            return self._first.pop()
        heard, self.unheard = self.unheard, b""
        try:
            return self._server.send(heard)
        except StopIteration:
            return b""


class WrongPod(ScriptedPod):
    """A pod with an engine that is not qmail; its time costs nothing.

    `most_said` is the largest number of octets that any one connection was given.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._numbers = itertools.count(1)
        self._connections: dict[int, _Connection] = {}
        self._said: Counter[int] = Counter()

    @property
    def most_said(self) -> int:
        return max(self._said.values(), default=0)

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self._connections.clear()

    async def connect(self) -> int:
        number = next(self._numbers)
        self._connections[number] = _Connection(self._engine.server())
        return number

    async def send(self, connection: int, data: bytes) -> bool:
        self._connection(connection).unheard += data
        return True

    async def receive(self, connection: int, limit: float) -> bytes | None:
        # The loop gets its turn, as with any real pod, so that a time limit can end a case.
        await asyncio.sleep(0)
        said = self._connection(connection).speak()
        self._said[connection] += len(said or b"")
        return said

    async def shut(self, connection: int) -> None:
        self._connection(connection)

    async def close(self, connection: int) -> None:
        self._connections.pop(connection, None)

    def _connection(self, number: int) -> _Connection:
        if number not in self._connections:
            raise PodFailure(f"there is no connection {number}")
        return self._connections[number]

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        await asyncio.sleep(0)
        engine = self._engine
        return RemoteResult(text(engine.report), engine.status, engine.ended, 0.0 if engine.ended else limit)

    async def wait_until_idle(self, limit: float) -> bool:
        await asyncio.sleep(0)
        return self._engine.rests

    async def signal(self, name: str, control: dict[str, str]) -> None:
        await asyncio.sleep(0)
