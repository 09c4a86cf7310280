"""The load driver of deliveries: runs of qmail-remote, so many at once, each behind one connection.

The target serves a qmail-remote on each connection to a port of its own: the message goes in and ends with
half a close, the report comes out. So no agent stands between two deliveries, and each is timed here, where
there is a clock. A delivery that was not accepted ends the whole measurement.

`python -m conformance.bench.deliveries` reads `Deliveries` as JSON from standard input and writes a `Result`.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from conformance.bench.driver import LoadFailure, Result, tell

_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
_BUFFER = 65536


@dataclass(frozen=True)
class Deliveries:
    """`units` deliveries of `message` to one recipient, `sessions` at once, all in `limit` seconds."""

    address: str
    port: int
    sessions: int
    units: int
    message: bytes  #: as qmail stores it
    limit: float = 120.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "message": self.message.decode("latin-1")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Deliveries:
        return cls(**{**data, "message": data["message"].encode("latin-1")})


class _Delivery:
    """One qmail-remote: what it has yet to be given, and what it has reported."""

    __slots__ = ("began", "report", "socket", "unsent")

    def __init__(self, connection: socket.socket, message: bytes, began: float) -> None:
        self.socket = connection
        self.unsent = message
        self.report = b""
        self.began = began


def accepted(report: bytes) -> bool:
    """Whether a report of one recipient says that the remote host took the message: `r…` NUL `K…` NUL."""
    fields = report.split(b"\0")
    return len(fields) == 3 and fields[0][:1] == b"r" and fields[1][:1] == b"K" and fields[2] == b""


def run(deliveries: Deliveries) -> Result:
    """Carry them out. Raises LoadFailure for what qmail-remote does, OSError for what the world does."""
    result = Result()
    poll = select.epoll()
    running: dict[int, _Delivery] = {}
    began, cpu = time.perf_counter(), time.process_time()
    deadline = began + deliveries.limit
    begun = 0

    def begin() -> None:
        nonlocal begun
        if begun == deliveries.units:
            return
        begun += 1
        connection = socket.socket()
        connection.setblocking(False)
        delivery = _Delivery(connection, deliveries.message, time.perf_counter())
        connection.connect_ex((deliveries.address, deliveries.port))
        running[connection.fileno()] = delivery
        poll.register(connection, _WRITE)

    try:
        for _ in range(deliveries.sessions):
            begin()
        while running:
            events = poll.poll(max(0.0, deadline - time.perf_counter()))
            if time.perf_counter() > deadline:
                raise LoadFailure(f"{result.units} of {deliveries.units} after {deliveries.limit:g} s")
            for number, event in events:
                delivery = running[number]
                if event & _WRITE and delivery.unsent:
                    if _give(delivery):
                        poll.modify(delivery.socket, _READ)
                elif _heard_all(delivery):
                    if not accepted(delivery.report):
                        said = delivery.report[:300].decode("latin-1")
                        raise LoadFailure(f"qmail-remote reported {said!r}")
                    result.units += 1
                    result.latencies.append(time.perf_counter() - delivery.began)
                    del running[number]
                    delivery.socket.close()
                    begin()
    finally:
        for delivery in running.values():
            delivery.socket.close()
        poll.close()
    result.seconds = time.perf_counter() - began
    result.cpu = time.process_time() - cpu
    return result


def _give(delivery: _Delivery) -> bool:
    """Hand the message over as far as it goes; whether that was all of it."""
    try:
        delivery.unsent = delivery.unsent[delivery.socket.send(delivery.unsent) :]
        if not delivery.unsent:
            delivery.socket.shutdown(socket.SHUT_WR)
    except ConnectionRefusedError:
        raise  # nobody listens: that says nothing about qmail
    except OSError:
        delivery.unsent = b""  # it has ended without its message; its report says why
    return not delivery.unsent


def _heard_all(delivery: _Delivery) -> bool:
    """Take in more of the report; whether qmail-remote has ended."""
    try:
        said = delivery.socket.recv(_BUFFER)
    except ConnectionResetError:
        # It ended without reading its message, as it does when the DNS failed: so the kernel says.
        said = b""
    delivery.report += said
    return not said


if __name__ == "__main__":
    sys.exit(tell(lambda deliveries: run(Deliveries.from_json(deliveries))))
