"""Connections of a load, and the loop that serves many of them in one process."""

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TypeVar

from conformance.pod.codec import decode

T = TypeVar("T")


class LoadFailure(Exception):
    """The server did something else than expected; the measurement says nothing."""


@dataclass(frozen=True)
class Result:
    """Units done in `seconds` of wall time and `cpu` seconds of the driver, and seconds that each took."""

    units: int
    seconds: float
    cpu: float
    latencies: list[float]


class Connection:
    """One connection: `unsent` is said as the other side takes it, then `hear` is given what comes."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = link
        self.unsent = b""
        self.done = False  #: to be closed when all has been sent
        self.began = time.perf_counter()

    def hear(self, octets: bytes) -> None:
        """Take in what has come; no octets: the other side has closed."""
        raise NotImplementedError

    def send(self) -> None:
        """Send what the other side takes now."""
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            raise  # nobody listens: that says nothing about a server
        except OSError:
            self.unsent = b""  # it has gone; what it said last is still to be read

    def serve(self, selector: selectors.BaseSelector, key: selectors.SelectorKey, events: int) -> None:
        """What is to be done after these events, be it the end."""
        if events & selectors.EVENT_READ:
            try:
                octets = self.socket.recv(1 << 16)
            except ConnectionResetError:
                octets = b""
            self.hear(octets)
        if self.unsent:
            self.send()
        if self.done and not self.unsent:
            self.close(selector)
        elif self.events != key.events:
            selector.modify(self.socket, self.events, self)

    @property
    def events(self) -> int:
        """What it waits for."""
        return selectors.EVENT_WRITE if self.unsent else selectors.EVENT_READ

    def close(self, selector: selectors.BaseSelector) -> None:
        selector.unregister(self.socket)
        self.socket.close()


def connecting(address: str, port: int) -> socket.socket:
    """A socket that connects; whether it does shows when it is used."""
    link = socket.socket()
    link.setblocking(False)
    link.connect_ex((address, port))
    return link


def carry_out(
    connections: Iterator[Connection], sessions: int, units: int, latencies: list[float], limit: float
) -> Result:
    """Serve connections to their ends, so many at once, all in `limit` seconds.

    They note in `latencies` what each unit took. Raises LoadFailure for what the server does, OSError for
    what the world does.
    """
    began, cpu = time.perf_counter(), time.process_time()
    deadline = began + limit
    with selectors.DefaultSelector() as selector:

        def begin() -> None:
            with suppress(StopIteration):
                connection = next(connections)
                selector.register(connection.socket, connection.events, connection)

        try:
            for _ in range(sessions):
                begin()
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.perf_counter()))
                if time.perf_counter() > deadline:
                    raise LoadFailure(f"{len(latencies)} of {units} after {limit:g} s")
                for key, events in ready:
                    key.data.serve(selector, key, events)
                    if key.data.socket.fileno() < 0:
                        begin()
        finally:
            for key in list(selector.get_map().values()):
                key.data.close(selector)
    return Result(len(latencies), time.perf_counter() - began, time.process_time() - cpu, latencies)


def tell(kind: type[T], run: Callable[[T], Result]) -> int:
    """Run the load of this kind that standard input has as JSON, and write its result to standard output.

    Exit status 0 with a result, 1 with one line that says what the server did instead. Any other error is the
    world's, and is not made to look like that.
    """
    try:
        result = run(decode(kind, json.load(sys.stdin)))
    except LoadFailure as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(asdict(result), sys.stdout)
    return 0
