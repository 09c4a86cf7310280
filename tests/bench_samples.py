"""What tests of the bench share: a server for drivers, pods that answer from a script, a whole bench."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from conformance.bench.results import Bench, Measurement, Participant
from conformance.bench.scenarios import LoadScenario
from conformance.bench.subject import Fails

#: Serves one connection; the server closes it afterwards.
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A server on a free port of loopback, a thread for each connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def carry(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):  # it has been closed
            while True:
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

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


class FakeAgent:
    """The channel to a pod in the place of the pod's program: `answers` by operation, None for the others."""

    def __init__(self) -> None:
        self.channel = self
        self.answers: dict[str, Callable[..., Any]] = {}
        self.asked: dict[str, dict[str, Any]] = {}  #: operation -> its fields, the last time
        self.disposed = False

    async def request(self, op: str, *, patience: float = 0.0, **fields: Any) -> Any:
        self.asked[op] = fields
        return self.answers[op](**fields) if op in self.answers else None

    async def dispose(self) -> None:
        self.disposed = True


class Rates:
    """A pod that reaches the given rates, one after the other, the last one for ever; text means it fails."""

    def __init__(self, *rates: float | str) -> None:
        self._rates = list(rates)
        self.units: list[int] = []

    async def measure(self, scenario: LoadScenario, units: int) -> Measurement:
        self.units.append(units)
        rate = self._rates.pop(0) if len(self._rates) > 1 else self._rates[0]
        if isinstance(rate, str):
            raise Fails(rate)
        return measured(rate)

    async def ceiling(self, scenario: LoadScenario, units: int) -> Measurement:
        return Measurement(units, units / 9000, 0.8 * units / 9000, None, (0.001, 0.001, 0.002))


def participant(key: str, label: str, *patches: str) -> Participant:
    packages = {"qmail": "1.06-6.2"}
    target = {"name": label, "kind": "debs", "packages": packages, "image": "sha256:1"}
    return Participant(key, label, target | {"patches": list(patches)})


STOCK, PATCHED = participant("0", "debs:a@"), participant("1", "debs:b|<b>", "0008")


def bench(*participants: Participant, min_ratio: float | None = None) -> Bench:
    """A bench that has measured nothing yet."""
    machine = {"cores": 2, "load": 0.1}
    return Bench("0", "2020-01-01T00:00:00Z", 7, 7, 0.4, machine, list(participants), min_ratio=min_ratio)
