"""The load driver: many SMTP sessions in one process.

It is not a client to judge with: a reply that is not as expected ends the whole measurement.

`python -m conformance.bench.inside.driver` reads a `Load` as JSON and writes a `Result`.
"""

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.bench.inside.connections import Connection, LoadFailure, Result, carry_out, connecting, tell

#: Stands in a message for the time at which it is sent, in nanoseconds of the machine's monotonic clock.
STAMP = b"X-Sent: 00000000000000000000\r\n"
STAMPED = re.compile(rb"X-Sent: (\d{20})\r\n")


@dataclass(frozen=True)
class LoadStep:
    """One write, and the replies that answer it: a first digit for each (`b"223"` is three replies)."""

    said: bytes
    digits: bytes


_GREETING = LoadStep(b"", b"2")


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
    opening: tuple[LoadStep, ...]
    unit: tuple[LoadStep, ...]
    closing: tuple[LoadStep, ...]
    per_connection: int = 0
    limit: float = 120.0  #: seconds for all of it

    def shares(self) -> list[int]:
        """How many units each connection says."""
        if self.per_connection:
            whole, rest = divmod(self.units, self.per_connection)
            return [self.per_connection] * whole + [rest] * bool(rest)
        each, more = divmod(self.units, self.sessions)
        return [each + (number < more) for number in range(min(self.sessions, self.units))]


class _SmtpConnection(Connection):
    """One connection: where it stands among its steps, and what it has heard of the replies to this one."""

    def __init__(self, load: Load, units: int, latencies: list[float]) -> None:
        super().__init__(connecting(load.address, load.port))
        self._steps = self._script(load, units, latencies)
        self._step = next(self._steps)
        self._heard = b""

    def _script(self, load: Load, units: int, latencies: list[float]) -> Iterator[LoadStep]:
        yield _GREETING
        yield from load.opening
        began = self.began
        for _ in range(units):
            yield from load.unit
            now = time.perf_counter()
            latencies.append(now - began)
            began = now
        yield from load.closing

    def hear(self, octets: bytes) -> None:
        if not octets:
            raise LoadFailure("the server closed the connection")
        self._heard += octets
        digits = first_digits(self._heard)
        if not self._heard.endswith(b"\n") or len(digits) < len(self._step.digits):
            return
        if digits != self._step.digits:
            raise LoadFailure(f"the server said {self._heard[:200]!r}")
        self._heard = b""
        for step in self._steps:
            self._step = step
            self.unsent = step.said
            if STAMP in step.said:
                self.unsent = step.said.replace(STAMP, b"X-Sent: %020d\r\n" % time.monotonic_ns())
            return
        self.done = True


def first_digits(said: bytes) -> bytes:
    """The first digit of each reply of which the last line is there; `?` for a line that is no reply."""
    return b"".join(line[:1] or b"?" for line in said.splitlines() if line[3:4] != b"-")


def run(load: Load) -> Result:
    """Carry a load out; raises what `carry_out` does."""
    latencies: list[float] = []
    connections = (_SmtpConnection(load, units, latencies) for units in load.shares())
    return carry_out(connections, load.sessions, load.units, latencies, load.limit)


if __name__ == "__main__":
    sys.exit(tell(Load, run))
