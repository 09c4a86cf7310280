"""Engines that are not qmail at all: SMTP servers and programs that do as they like, in a pod of their own.

A suite that judges must survive whatever it is pointed at. A server is a generator: it is sent what the
client said since it last spoke, and yields what it says, or None for silence; when it ends it closes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass

from conformance.cases.attempt import Played, play
from conformance.cases.script import Script
from conformance.pod.base import PodFailure, text
from conformance.pod.configuration import Configuration
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.secrets import fixture_secrets
from conformance.pod.world import World

Server = Generator[bytes | None, bytes, None]

_GREETING = b"220 wrong.test.example ESMTP\r\n"
_GARBAGE = bytes(range(256)) * 4 + b"\r\n"
_CHUNK = 65_536


def says_yes() -> Server:
    """250 to every line, the lines of a message among them."""
    heard = yield _GREETING
    while True:
        heard = yield b"250 ok\r\n" * heard.count(b"\n") or None


def says_go_ahead() -> Server:
    """354 to every line: who believes it sends messages without end."""
    heard = yield _GREETING
    while True:
        heard = yield b"354 go ahead\r\n" * heard.count(b"\n") or None


def says_no() -> Server:
    """554 to every line."""
    heard = yield _GREETING
    while True:
        heard = yield b"554 no\r\n" * heard.count(b"\n") or None


def mute() -> Server:
    """Takes the connection and says nothing."""
    while True:
        yield None


def greets_and_is_silent() -> Server:
    """A greeting, and then nothing."""
    yield _GREETING
    while True:
        yield None


def closes_at_once() -> Server:
    """Takes the connection and closes it."""
    yield from ()


def closes_after_data() -> Server:
    """An ordinary host up to DATA; then it closes."""
    heard = yield _GREETING
    while not heard.upper().endswith(b"DATA\r\n"):
        heard = yield b"250 ok\r\n" * heard.count(b"\n") or None


def answers_before_it_is_asked() -> Server:
    """All replies of an ordinary session in one breath, whatever the client says."""
    yield _GREETING + b"250 ok\r\n" * 3 + b"354 go ahead\r\n" + b"250 ok 1 qp 1\r\n" + b"221 bye\r\n"


def echoes() -> Server:
    """Says back what it hears."""
    heard = yield None
    while True:
        heard = yield heard or None


def greets_and_echoes() -> Server:
    """A greeting and a reply to EHLO, and then it says back what it hears."""
    heard = yield _GREETING
    heard = yield b"250 ok\r\n"
    while True:
        heard = yield heard or None


def floods_with_replies() -> Server:
    """One good reply after the other, without end and without being asked."""
    while True:
        yield b"250 ok\r\n" * (_CHUNK // 8)


def floods_with_one_reply() -> Server:
    """A greeting, then one reply of many lines that never ends."""
    yield _GREETING
    while True:
        yield (b"250-" + b"more" * 120 + b"\r\n") * 100


def floods_with_one_line() -> Server:
    """One line that never ends."""
    while True:
        yield b"2" * _CHUNK


def says_garbage() -> Server:
    """Every octet there is, NUL and bare line ends among them, each time it is spoken to."""
    while True:
        yield _GARBAGE


def speaks_http() -> Server:
    """A web server on port 25."""
    yield b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


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


ENGINES: dict[str, Engine] = {
    "says-yes": Engine(says_yes, b"r\0Kaccepted\n\0"),
    "says-go-ahead": Engine(says_go_ahead, b"K"),
    "says-no": Engine(says_no, b"Dno\n\0"),
    "mute": Engine(mute, ended=False, status=-9, rests=False),
    "greets-and-is-silent": Engine(greets_and_is_silent, ended=False, status=-9, rests=False),
    "closes-at-once": Engine(closes_at_once, status=-11),
    "closes-after-data": Engine(closes_after_data),
    "answers-before-it-is-asked": Engine(answers_before_it_is_asked, b"Kaccepted before it began\n\0"),
    "echoes": Engine(echoes, b"\0\0\0"),
    "greets-and-echoes": Engine(greets_and_echoes, b"rhsKZD\0"),
    "floods-with-replies": Engine(floods_with_replies, b"r\0" * 1000),
    "floods-with-one-reply": Engine(floods_with_one_reply, b"Z" * 10_000),
    "floods-with-one-line": Engine(floods_with_one_line, b"K\0" * 1000),
    "says-garbage": Engine(says_garbage, _GARBAGE, status=111),
    "speaks-http": Engine(speaks_http, b"HTTP/1.1 400 Bad Request\0"),
}


class _Connection:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = False
        self._over = False
        self.unheard = b""

    def speak(self) -> bytes | None:
        """What the server says next; b"" once it has closed."""
        if self._over:
            return b""
        heard, self.unheard = self.unheard, b""
        try:
            said = self._server.send(heard) if self._started else next(self._server)
        except StopIteration:
            self._over = True
            return b""
        if not self._started:
            # A generator cannot be told anything before it has spoken; it is told next time.
            self._started, self.unheard = True, heard
        return said


class WrongPod:
    """Implements `conformance.pod.base.Pod` with an engine that is not qmail; its time costs nothing.

    `most_said` is the largest number of octets that any one connection was given.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._connections: dict[int, _Connection] = {}
        self._said: dict[int, int] = {}

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
        self._said[connection] = self._said.get(connection, 0) + len(said or b"")
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
        seconds = 0.0 if engine.ended else limit
        return RemoteResult(text(engine.report), engine.status, engine.ended, seconds)

    async def wait_until_idle(self, limit: float) -> bool:
        await asyncio.sleep(0)
        return self._engine.rests

    async def observe(self) -> Observation:
        return Observation()

    async def play(self, script: Script) -> Played:
        return await play(script, self, fixture_secrets())

    async def dispose(self) -> None:
        self._connections.clear()
