"""The load drivers: they count what was done, and whatever is not as expected ends them."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conformance.bench.inside import deliveries, driver
from conformance.bench.inside.connections import LoadFailure
from conformance.bench.inside.deliveries import ACCEPTED, Deliveries
from conformance.bench.inside.driver import STAMP, STAMPED, Load, LoadStep
from conformance.pod.codec import decode, encode
from tests.bench_samples import Serve, lines, server

NOOP = LoadStep(b"NOOP\r\n", b"2")
HELLO = LoadStep(b"EHLO client.example\r\n", b"2")
QUIT = LoadStep(b"QUIT\r\n", b"2")


class Smtp:
    """Answers each line by its verb, and counts connections and lines."""

    def __init__(self, **replies: bytes) -> None:
        self._replies = {"EHLO": b"250-mx\r\n250 PIPELINING\r\n", **replies}
        self._lock = threading.Lock()
        self.said: list[bytes] = []
        self.connections = self.now = self.most = 0

    def __call__(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.now += 1
            self.most = max(self.most, self.now)
        connection.sendall(b"220 mx.test.example\r\n")
        for line in lines(connection):
            with self._lock:
                self.said.append(line)
                self.now -= line == QUIT.said
            self.answer(connection, self._replies.get(line[:4].strip().decode(), b"250 ok\r\n"))

    def answer(self, connection: socket.socket, reply: bytes) -> None:
        connection.sendall(reply)


class InPieces(Smtp):
    """Every octet of a reply is sent by itself."""

    def answer(self, connection: socket.socket, reply: bytes) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(reply)):
            connection.sendall(reply[at : at + 1])


def load(port: int, units: int = 5, sessions: int = 2, per_connection: int = 0, **more: Any) -> Load:
    unit = more.pop("unit", (NOOP,))
    more.setdefault("limit", 20.0)
    return Load("127.0.0.1", port, sessions, units, (HELLO,), unit, (QUIT,), per_connection, **more)


def drive(serve: Serve, *counts: int, **more: Any) -> driver.Result:
    """What comes of a load on a server."""
    with server(serve) as port:
        return driver.run(load(port, *counts, **more))


@pytest.mark.parametrize(
    ("counts", "connections"),
    [((1, 3), 1), ((7, 2), 2), ((5, 5), 5), ((40, 10), 10), ((7, 2, 2), 4), ((12, 3, 1), 12)],
)
def test_connections_share_the_units_out_and_do_no_more(counts: tuple[int, ...], connections: int) -> None:
    smtp, (units, sessions, *_) = Smtp(), counts
    result = drive(smtp, *counts)
    assert result.units == len(result.latencies) == smtp.said.count(NOOP.said) == units
    assert 0 < max(result.latencies) <= result.seconds
    assert smtp.connections == smtp.said.count(HELLO.said) == smtp.said.count(QUIT.said) == connections
    assert smtp.most <= sessions


@pytest.mark.parametrize("smtp", [Smtp, InPieces])
@pytest.mark.parametrize(
    "reply",
    [b"250-one\r\n250-two\r\n250 three\r\n", b"250-" + b"x" * 300 + b"\r\n" + b"250-y\r\n" * 99 + b"250\r\n"],
)
def test_replies_however_they_are_cut_and_pipelined_commands_wait_for_each(
    smtp: Callable[..., Smtp], reply: bytes
) -> None:
    served = smtp(NOOP=reply, RCPT=b"553-no\r\n553 relaying\r\n")
    step = LoadStep(b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRSET\r\n", b"252")
    assert drive(served, 4, unit=(step, NOOP)).units == 4
    assert served.said.count(NOOP.said) == 4


def test_a_stamp_becomes_the_time_at_which_it_is_sent() -> None:
    smtp = Smtp()
    before = time.monotonic_ns()
    drive(smtp, 2, 1, unit=(LoadStep(STAMP, b"2"),))
    stamps = [int(found[1]) for line in smtp.said if (found := STAMPED.fullmatch(line))]
    assert len(stamps) == 2
    assert before < stamps[0] < stamps[1] < time.monotonic_ns()


@pytest.mark.parametrize(
    ("serve", "step", "why"),
    [
        (Smtp(NOOP=b"451 try later\r\n"), NOOP, "451 try later"),
        (Smtp(), LoadStep(b"NOOP\r\n", b"5"), "250 ok"),
        (Smtp(NOOP=b"250 ok\r\n550 no\r\n"), LoadStep(b"NOOP\r\n", b"22"), "550 no"),
        (Smtp(NOOP=b"\r\n"), NOOP, "the server said"),
    ],
)
def test_another_reply_than_expected_ends_it(serve: Serve, step: LoadStep, why: str) -> None:
    with pytest.raises(LoadFailure, match=why):
        drive(serve, sessions=1, unit=(step,))


def _closes(connection: socket.socket) -> None:
    """Within a reply."""
    connection.sendall(b"220 mx\r\n")
    next(lines(connection))
    connection.sendall(b"250-mx\r\n")


def test_a_closed_connection_ends_it() -> None:
    with pytest.raises(LoadFailure, match="closed the connection"):
        drive(_closes, sessions=1)


@pytest.mark.parametrize("run", [lambda port: driver.run(load(port)), lambda port: deliver(port)])
def test_a_refused_connection_says_nothing_about_the_server(run: Callable[[int], object]) -> None:
    with server(_closes) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        run(port)


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _chatters(connection: socket.socket) -> None:
    """Never silent and never done: a limit that counts silence alone would not end it."""
    while True:
        connection.sendall(b"220-mx\r\n")


@pytest.mark.parametrize("serve", [_silent, _chatters])
def test_the_limit_ends_it(serve: Serve) -> None:
    with pytest.raises(LoadFailure, match="0 of 5 after"):
        drive(serve, limit=0.05)


# Deliveries


@dataclass
class Remotes:
    """qmail-remote behind connections: reads the message to its end, then reports."""

    report: bytes = b"r\0Kaccepted\n\0"
    reads: bool = True
    messages: list[bytes] = field(default_factory=list)

    def __call__(self, connection: socket.socket) -> None:
        if self.reads:
            self.messages.append(b"".join(iter(lambda: connection.recv(65536), b"")))
        # Who closes with something unread drops what has not left yet: then the report must be one write.
        size = 3 if self.reads else len(self.report)
        for at in range(0, len(self.report), size):
            connection.sendall(self.report[at : at + size])


def deliver(port: int, message: bytes = b"hello\n") -> driver.Result:
    return deliveries.run(Deliveries("127.0.0.1", port, 3, 8, message, 20.0))


@pytest.mark.parametrize("message", [b"hello\n", b"x" * 3_000_000])
def test_deliveries_are_counted_and_timed(message: bytes) -> None:
    remotes = Remotes()
    with server(remotes) as port:
        result = deliver(port, message)
    assert result.units == len(result.latencies) == 8
    assert remotes.messages == [message] * 8
    assert 0 < max(result.latencies) <= result.seconds


@pytest.mark.parametrize(("reads", "size"), [(True, 100), (False, 100), (False, 5_000_000)])
def test_a_delivery_that_is_put_off_ends_it_with_its_report(reads: bool, size: int) -> None:
    """Also when qmail-remote ends without having read the message, so that the connection is reset."""
    remotes = Remotes(b"ZCNAME lookup failed temporarily.\n\0", reads=reads)
    with server(remotes) as port, pytest.raises(LoadFailure, match="ZCNAME lookup"):
        deliver(port, b"x" * size)


@pytest.mark.parametrize("report", [b"r\0Kok\n", b"Kok\n\0", b"hno\0Kok\n\0", b"r\0Zlater\n\0", b""])
def test_only_a_whole_report_that_says_so_is_an_acceptance(report: bytes) -> None:
    assert ACCEPTED.fullmatch(b"r\0Kok\nLine 2\n\0")
    assert not ACCEPTED.fullmatch(report)


@pytest.mark.parametrize(
    "wanted",
    [load(25, 3, 2, 1, unit=(LoadStep(b"\xff\r\n", b"5"),)), Deliveries("127.0.0.1", 7026, 3, 8, b"\xff\n")],
)
def test_loads_survive_json(wanted: Load | Deliveries) -> None:
    assert decode(type(wanted), json.loads(json.dumps(encode(wanted)))) == wanted
