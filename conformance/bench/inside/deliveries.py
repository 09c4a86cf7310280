"""The load driver of deliveries: runs of qmail-remote, so many at once, each behind one connection.

The target serves a qmail-remote on each connection to a port of its own: the message goes in and ends with
half a close, the report comes out. So no agent stands between two deliveries, and each is timed here, where
there is a clock. A delivery that was not accepted ends the whole measurement.

`python -m conformance.bench.inside.deliveries` reads `Deliveries` as JSON and writes a `Result`.
"""

import re
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from conformance.bench.inside.connections import Connection, LoadFailure, Result, carry_out, connecting, tell

#: The report of one recipient that the remote host took the message for.
ACCEPTED = re.compile(rb"r[^\0]*\0K[^\0]*\0")


@dataclass(frozen=True)
class Deliveries:
    """`units` deliveries of `message` to one recipient, `sessions` at once, all in `limit` seconds."""

    address: str
    port: int
    sessions: int
    units: int
    message: bytes  #: as qmail stores it
    limit: float = 120.0


class _RemoteConnection(Connection):
    """One qmail-remote: what it has yet to be given, and what it has reported."""

    def __init__(self, deliveries: Deliveries, latencies: list[float]) -> None:
        super().__init__(connecting(deliveries.address, deliveries.port))
        self.unsent = deliveries.message
        self._report = b""
        self._latencies = latencies

    def send(self) -> None:
        super().send()
        if not self.unsent:
            with suppress(OSError):  # it has ended without its message; its report says why
                self.socket.shutdown(socket.SHUT_WR)

    def hear(self, octets: bytes) -> None:
        self._report += octets
        if octets:
            return
        if not ACCEPTED.fullmatch(self._report):
            raise LoadFailure(f"qmail-remote reported {self._report[:300].decode('latin-1')!r}")
        self._latencies.append(time.perf_counter() - self.began)
        self.done = True


def run(deliveries: Deliveries) -> Result:
    """Carry them out; raises what `carry_out` does."""
    latencies: list[float] = []
    connections = (_RemoteConnection(deliveries, latencies) for _ in range(deliveries.units))
    return carry_out(connections, deliveries.sessions, deliveries.units, latencies, deliveries.limit)


if __name__ == "__main__":
    sys.exit(tell(Deliveries, run))
