"""The load driver: many SMTP sessions in one process, as cheaply as Python can, on one epoll loop.

It is not a client to judge with: a reply that is not as expected ends the whole measurement. Profiles of
asyncio and uvloop put most of the time of a message into callbacks and transports, so this loop has neither:
one `recv` and one `send` for each step, and no object is made on the way.

`python -m conformance.bench.driver` reads a `Load` as JSON from standard input, and writes a `Result`.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_READ = select.EPOLLIN
_WRITE = select.EPOLLOUT
_BUFFER = 65536

#: Stands in a message for the time at which it is sent, in nanoseconds of the machine's monotonic clock.
STAMP = b"X-Sent: 00000000000000000000\r\n"
STAMPED = re.compile(rb"X-Sent: (\d{20})\r\n")


#: A look that finds one reply costs as much as one that finds several. So where this many sessions or more
#: wait for a server that takes longer than `_SLOW` seconds for a reply, the driver lets about `_GATHERED` of
#: them come before it looks, at most `_LONGEST` seconds. Beside ten sessions at qmail-smtpd that is 0.068
#: instead of 0.085 of the target's CPU, with the same rate and latency. A faster server would wait for us.
_MANY = 8
_SLOW = 0.00005
_GATHERED = 2
_LONGEST = 0.0005
_WEIGHT = 0.05  #: of the last look in the pace of the replies


class LoadFailure(Exception):
    """The server did something else than expected; the measurement says nothing."""


@dataclass(frozen=True)
class Step:
    """One write, and the replies that answer it: a first digit for each (`b"223"` is three replies).

    `answered` is true of exactly these, of one line or more: one look of a regular expression costs less than
    any code of ours that goes through lines.
    """

    said: bytes
    digits: bytes
    answered: Callable[[bytes], object] = field(init=False, repr=False, compare=False)
    stamped: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        replies = re.compile(b"".join(_one(digit) for digit in self.digits))
        object.__setattr__(self, "answered", replies.fullmatch)
        object.__setattr__(self, "stamped", STAMP in self.said)


def _one(digit: int) -> bytes:
    return rb"(?:%c\d\d-[^\n]*\n)*%c\d\d(?: [^\n]*|\r)?\n" % (digit, digit)


@dataclass(frozen=True)
class Load:
    """What the driver does: `units` times `unit`, spread over `sessions` connections at once.

    A connection hears a greeting, says `opening`, then units, then `closing`. `per_connection` is how many
    units one connection says; 0: each session has one connection, and the units are shared out evenly.
    """

    address: str
    port: int
    sessions: int
    units: int
    opening: tuple[Step, ...]
    unit: tuple[Step, ...]
    closing: tuple[Step, ...]
    per_connection: int = 0
    limit: float = 120.0  #: seconds for all of it

    def to_json(self) -> dict[str, Any]:
        data = {one.name: getattr(self, one.name) for one in fields(self)}
        for part in ("opening", "unit", "closing"):
            data[part] = [[step.said.decode("latin-1"), step.digits.decode("ascii")] for step in data[part]]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Load:
        parts = {
            part: tuple(Step(said.encode("latin-1"), digits.encode("ascii")) for said, digits in data[part])
            for part in ("opening", "unit", "closing")
        }
        return cls(**{**data, **parts})


@dataclass
class Result:
    """Units done in `seconds` of wall time and `cpu` seconds of the driver, and seconds that each took."""

    units: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)


_GREETING = Step(b"", b"2")


class _Session:
    """One connection: where it stands in its script, and what is read and written only in part."""

    __slots__ = ("awaited", "began", "left", "part", "read", "socket", "step", "unsent")

    def __init__(self, connection: socket.socket, left: int) -> None:
        self.socket = connection
        self.part = 0  #: 0 opening, 1 units, 2 closing
        self.step = -1  #: number of the step whose reply is awaited; -1: the greeting
        self.awaited = _GREETING
        self.left = left
        self.read = b""
        self.unsent = b""
        self.began = 0.0


def incomplete(said: bytes, replies: int) -> bool:
    """Whether fewer than so many replies stand whole in what was said."""
    return said[-1:] != b"\n" or sum(line[3:4] != b"-" for line in said.splitlines()) < replies


def pause(pace: float, sessions: int) -> float:
    """Seconds to let pass before the next look, where a reply comes every `pace` seconds."""
    return min(_GATHERED * pace, _LONGEST) if sessions >= _MANY and pace > _SLOW else 0.0


class Driver:
    """Runs one load. Raises LoadFailure."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._parts = (load.opening, load.unit, load.closing)
        self._poll = select.epoll()
        self._sessions: dict[int, _Session] = {}
        self._answered: list[_Session] = []
        self._to_begin = load.units
        self._result = Result()

    def run(self) -> Result:
        load, poll, sessions, answered = self._load, self._poll, self._sessions, self._answered
        look, clock, hear, go_on = poll.poll, time.perf_counter, self._hear, self._go_on
        began, cpu = clock(), time.process_time()
        deadline = began + load.limit
        try:
            for free in range(min(load.sessions, load.units), 0, -1):
                self._connect(load.per_connection or -(-self._to_begin // free))
            pace, now = 0.0, clock()
            while sessions:
                if pace > _SLOW and len(sessions) >= _MANY:  # asked here too: at a fast server a call counts
                    time.sleep(pause(pace, len(sessions)))
                events = look(deadline - now if deadline > now else 0.0)
                last, now = now, clock()
                if now > deadline:
                    raise LoadFailure(f"{self._result.units} of {load.units} after {load.limit:g} s")
                pace += _WEIGHT * ((now - last) / (len(events) or 1) - pace)
                for number, event in events:
                    if event & _WRITE:
                        self._flush(sessions[number])
                    else:
                        hear(sessions[number])
                # Said in one go, so that a server with many sessions is woken once and not by each of them.
                for session in answered:
                    go_on(session)
                answered.clear()
        finally:
            for session in sessions.values():
                session.socket.close()
            poll.close()
        self._result.seconds = clock() - began
        self._result.cpu = time.process_time() - cpu
        return self._result

    def _connect(self, share: int) -> None:
        """Begin a connection for `share` units, or for as many as are left."""
        if not self._to_begin:
            return
        load = self._load
        share = min(share, self._to_begin)
        self._to_begin -= share
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect_ex((load.address, load.port))
        session = _Session(connection, share)
        session.began = time.perf_counter()
        self._sessions[connection.fileno()] = session
        self._poll.register(connection, _READ)

    def _hear(self, session: _Session) -> None:
        try:
            said = session.socket.recv(_BUFFER)
        except ConnectionRefusedError:
            raise  # nobody listens: that says nothing about a server
        except OSError as error:
            raise LoadFailure(f"connection lost: {error}") from error
        if not said:
            raise LoadFailure("the server closed the connection")
        if session.read:
            said = session.read + said
            session.read = b""
        if session.awaited.answered(said) is None:
            if incomplete(said, len(session.awaited.digits)):
                session.read = said
                return
            raise LoadFailure(f"the server said {said[:200]!r}")
        self._answered.append(session)

    def _go_on(self, session: _Session) -> None:
        """Say the next step; after the last one close, and begin another connection if units are left."""
        session.step += 1
        steps = self._parts[session.part]
        while session.step == len(steps):
            if session.part == 1:
                now = time.perf_counter()
                self._result.latencies.append(now - session.began)
                self._result.units += 1
                session.left -= 1
                session.began = now
                session.step = 0
                if session.left:
                    continue
            elif session.part == 2:
                self._close(session)
                return
            session.part += 1
            session.step = 0
            steps = self._parts[session.part]
        step = session.awaited = steps[session.step]
        said = step.said
        if step.stamped:
            said = said.replace(STAMP, b"X-Sent: %020d\r\n" % time.monotonic_ns())
        try:
            sent = session.socket.send(said)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise LoadFailure(f"connection lost: {error}") from error
        if sent < len(said):
            session.unsent = said[sent:]
            self._poll.modify(session.socket, _WRITE)

    def _flush(self, session: _Session) -> None:
        try:
            sent = session.socket.send(session.unsent)
        except OSError as error:
            raise LoadFailure(f"connection lost: {error}") from error
        session.unsent = session.unsent[sent:]
        if not session.unsent:
            self._poll.modify(session.socket, _READ)

    def _close(self, session: _Session) -> None:
        del self._sessions[session.socket.fileno()]
        session.socket.close()
        self._connect(self._load.per_connection)


def tell(run: Callable[[dict[str, Any]], Result]) -> int:
    """Run what standard input describes as JSON, and write its result to standard output.

    Exit status 0 with a result, 1 with one line that says what the server did instead. Any other error is the
    world's, and is not made to look like that.
    """
    try:
        result = run(json.load(sys.stdin))
    except LoadFailure as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(asdict(result), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(tell(lambda load: Driver(Load.from_json(load)).run()))
