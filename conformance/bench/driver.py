"""The load driver: many SMTP sessions in one process, as cheaply as Python can, on one epoll loop.

It is not a client to judge with: a reply that is not as expected ends the whole measurement. Profiles of
asyncio and uvloop put most of the time of a message into callbacks and transports, so this loop has neither:
one `recv` and one `send` for each step, and no object is made on the way.

`python -m conformance.bench.driver` reads a `Load` as JSON from standard input, and writes a `Result`.
"""

from __future__ import annotations

import ctypes
import json
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: Told once of what comes, so that the poll need not ask the socket again: 0.95 of the CPU of a message.
_READ = select.EPOLLIN | select.EPOLLET
_WRITE = select.EPOLLOUT
#: Octets read at once. Python keeps a block that fits into 512 at hand; the 64 KiB of others come from the C
#: library, which cost 2 to 5 % of a message.
_BUFFER = 400

#: Stands in a message for the time at which it is sent, in nanoseconds of the machine's monotonic clock.
STAMP = b"X-Sent: 00000000000000000000\r\n"
STAMPED = re.compile(rb"X-Sent: (\d{20})\r\n")

#: Sessions from which on replies are gathered (see `Pauses`): those of a share of them, and not more than so
#: many, for what a pause adds to the wait for each reply is half of what the server takes for these.
_MANY = 8
_SHARE = 0.25
_MOST_GATHERED = 8
#: Seconds from the end of a pause until the server hears of us: the sleep lasts longer, and the replies are
#: read before the first is answered.
_LATE = 0.00001
_LONGEST = 0.0005  #: seconds, so that it stays little beside what a message takes
_WEIGHT = 0.05  #: of the last look in the pace of the replies
#: From <linux/prctl.h>: by how many nanoseconds the kernel may wake a thread later than it asked for.
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30


class LoadFailure(Exception):
    """The server did something else than expected; the measurement says nothing."""


@dataclass(frozen=True)
class Step:
    """One write, and the replies that answer it: a first digit for each (`b"223"` is three replies)."""

    said: bytes
    digits: bytes


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


class _Place:
    """A place in the script, where the replies to a step are awaited; it goes on `then`, or with None ends.

    `answered` is true of exactly these replies, of one line or more: one look of a regular expression costs
    less than any code of ours that goes through lines. What it was true of is `known`, for a server mostly
    says the same again, and to see that costs less still.
    """

    __slots__ = ("answered", "known", "replies", "said", "stamped", "then")

    def __init__(self, step: Step, then: _Place | None) -> None:
        self.said = step.said
        self.stamped = STAMP in step.said
        self.replies = len(step.digits)
        self.answered = re.compile(b"".join(_one(digit) for digit in step.digits)).fullmatch
        self.known: bytes | None = None
        self.then = then


def _script(steps: tuple[Step, ...], then: _Place | None) -> _Place | None:
    """The first place of so many steps, after which it goes on `then`."""
    for step in reversed(steps):
        then = _Place(step, then)
    return then


class _Session:
    """One connection: where it stands in the script, and what is read and written only in part."""

    __slots__ = ("began", "left", "place", "read", "recv", "send", "socket", "unsent")

    def __init__(self, connection: socket.socket, place: _Place, left: int) -> None:
        self.socket = connection
        self.recv = connection.recv
        self.send = connection.send
        self.place = place
        self.left = left  #: units
        self.read = b""
        self.unsent = b""
        self.began = time.perf_counter()


def incomplete(said: bytes, replies: int) -> bool:
    """Whether fewer than so many replies stand whole in what was said."""
    return said[-1:] != b"\n" or sum(line[3:4] != b"-" for line in said.splitlines()) < replies


class Pauses:
    """How long many sessions wait before the next look, so that it finds several replies and not one.

    A look for one reply costs as much as one for several, and a process that is woken for each most of all,
    the server too, which has to wake it: beside smtp-sink, ten sessions in lock-step that are woken for one
    reply after the other take 1.1 times the CPU of gathered ones. Pauses that are 10 us longer lower the
    rate there. There is none after a look that found more than half of the sessions, for then the server may
    be out of work.
    """

    __slots__ = ("_found", "_last", "_passed")

    def __init__(self) -> None:
        self._found = 1.0  #: replies in a look, and
        self._passed = 0.0  #: seconds from look to look: moving averages
        self._last = 0

    def before(self, sessions: int) -> float:
        """Seconds to let pass before the next look; 0: look at once."""
        if self._last * 2 > sessions:
            return 0.0
        enough = min(_SHARE * sessions, _MOST_GATHERED) * self._passed / self._found - _LATE
        return max(min(enough, _LONGEST), 0.0)

    def after(self, found: int, passed: float) -> None:
        """Learn from a look that found so many replies, `passed` seconds after the one before."""
        self._last = found
        self._found += _WEIGHT * (found - self._found)
        self._passed += _WEIGHT * (passed - self._passed)


@contextmanager
def punctual() -> Iterator[None]:
    """Sleeps of this thread end within some microseconds, where the kernel lets others last 50 longer."""
    prctl = ctypes.CDLL(None).prctl
    usual = prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0)
    prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, usual, 0, 0, 0)


class Driver:
    """Runs one load. Raises LoadFailure."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._last = _Place(load.unit[-1], _script(load.closing, None))  #: of a unit
        self._first = _script(load.unit[:-1], self._last)
        self._greeting = _Place(Step(b"", b"2"), _script(load.opening, self._first))
        self._poll = select.epoll()
        self._sessions: dict[int, _Session] = {}
        self._answered: list[_Session] = []
        self._to_begin = load.units
        self._result = Result()

    @punctual()
    def run(self) -> Result:
        load, sessions, answered = self._load, self._sessions, self._answered
        look, clock, hear, go_on = self._poll.poll, time.perf_counter, self._hear, self._go_on
        began, cpu = clock(), time.process_time()
        deadline = began + load.limit
        try:
            for free in range(min(load.sessions, load.units), 0, -1):
                self._connect(load.per_connection or -(-self._to_begin // free))
            pauses, now = Pauses(), clock()
            while count := len(sessions):
                if count >= _MANY and (seconds := pauses.before(count)):
                    time.sleep(seconds)
                events = look(deadline - now if deadline > now else 0.0)
                last, now = now, clock()
                if now > deadline:
                    raise LoadFailure(f"{len(self._result.latencies)} of {load.units} after {load.limit:g} s")
                if count >= _MANY:
                    pauses.after(len(events), now - last)
                for number, event in events:
                    session = sessions[number]
                    if event & _WRITE:
                        self._flush(session)
                        continue
                    try:
                        said = session.recv(_BUFFER)
                    except ConnectionRefusedError:
                        raise  # nobody listens: that says nothing about a server
                    except OSError as error:
                        raise LoadFailure(f"connection lost: {error}") from error
                    if said == session.place.known and not session.read:
                        answered.append(session)
                    else:
                        hear(session, said)
                # Said in one go, so that a server with many sessions is woken once and not by each of them.
                for session in answered:
                    go_on(session)
                answered.clear()
        finally:
            for session in sessions.values():
                session.socket.close()
            self._poll.close()
        self._result.seconds = clock() - began
        self._result.cpu = time.process_time() - cpu
        self._result.units = len(self._result.latencies)
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
        self._sessions[connection.fileno()] = _Session(connection, self._greeting, share)
        self._poll.register(connection, _READ)

    def _hear(self, session: _Session, said: bytes) -> None:
        """Judge what a session has read, where it is not what its place has known so far."""
        if not said:
            raise LoadFailure("the server closed the connection")
        place = session.place
        said = session.read + said
        if place.answered(said) is not None:
            place.known = said
            session.read = b""
            self._answered.append(session)
        elif incomplete(said, place.replies):
            session.read = said
            # More than one look had room for may be there, or an end, and to be told of that takes asking.
            self._poll.modify(session.socket, _READ)
        else:
            raise LoadFailure(f"the server said {said[:200]!r}")

    def _go_on(self, session: _Session) -> None:
        """Say the next step; after the last one close, and begin another connection if units are left."""
        place = session.place
        then = place.then
        if place is self._last:
            now = time.perf_counter()
            self._result.latencies.append(now - session.began)
            session.began = now
            session.left -= 1
            if session.left:
                then = self._first
        if then is None:
            self._close(session)
            return
        session.place = then
        said = then.said
        if then.stamped:
            said = said.replace(STAMP, b"X-Sent: %020d\r\n" % time.monotonic_ns())
        try:
            sent = session.send(said)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise LoadFailure(f"connection lost: {error}") from error
        if sent < len(said):
            session.unsent = said[sent:]
            self._poll.modify(session.socket, _WRITE)

    def _flush(self, session: _Session) -> None:
        try:
            sent = session.send(session.unsent)
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
