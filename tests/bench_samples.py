"""What tests of the bench share: a server for drivers, pods that answer from a script, a whole bench."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conformance.bench.results import Bench, Measurement, Participant
from conformance.bench.scenarios import Scenario
from conformance.bench.subject import Fails

#: Serves one connection; the server closes it afterwards.
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A server on a free port of loopback, a thread for each connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def lines(connection: socket.socket) -> Iterator[bytes]:
    """What the client says, line by line."""
    with connection.makefile("rb") as file:
        yield from file


def measured(rate: float, **more: float | None) -> Measurement:
    """A measurement of 100 units at so many a second."""
    seconds = 100 / rate
    return Measurement(100, seconds, 0.05 * seconds, 0.5 * seconds, (0.001, 0.002, 0.003), **more)  # type: ignore[arg-type]


class Rates:
    """A pod that reaches the given rates, one after the other, the last one for ever; text means it fails."""

    def __init__(self, *rates: float | str) -> None:
        self._rates = list(rates)
        self.units: list[int] = []

    async def measure(self, scenario: Scenario, units: int) -> Measurement:
        self.units.append(units)
        rate = self._rates.pop(0) if len(self._rates) > 1 else self._rates[0]
        if isinstance(rate, str):
            raise Fails(rate)
        return measured(rate)

    async def ceiling(self, scenario: Scenario, units: int) -> Measurement:
        return Measurement(units, units / 9000, 0.8 * units / 9000, None, (0.001, 0.001, 0.002))


def participant(key: str, label: str, *patches: str) -> Participant:
    packages = {"qmail": "1.06-6.2"}
    target = {
        "name": label,
        "kind": "debs",
        "patches": list(patches),
        "packages": packages,
        "image": "sha256:1",
    }
    return Participant(key, label, target)


def bench(*participants: Participant, min_ratio: float | None = None) -> Bench:
    """A bench that has measured nothing yet."""
    return Bench(
        suite="0",
        started="2020-01-01T00:00:00Z",
        seed=7,
        rounds=7,
        seconds=0.4,
        machine={"cores": 2, "load": 0.1},
        participants=list(participants),
        min_ratio=min_ratio,
    )
