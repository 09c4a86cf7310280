"""The load drivers: they count what was done, and whatever is not as expected ends them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.bench.deliveries import Deliveries, accepted
from conformance.bench.deliveries import run as deliver
from conformance.bench.driver import (
    STAMP,
    STAMPED,
    Driver,
    Load,
    LoadFailure,
    Pauses,
    Step,
    incomplete,
    punctual,
)
from tests.bench_samples import Serve, lines, server

NOOP = Step(b"NOOP\r\n", b"2")
HELLO = Step(b"EHLO client.example\r\n", b"2")
QUIT = Step(b"QUIT\r\n", b"2")


class Smtp:
    """Answers each line by its verb, and counts connections and lines."""

    def __init__(self, **replies: bytes) -> None:
        self._replies = {"EHLO": b"250-mx\r\n250 PIPELINING\r\n", **replies}
        self._lock = threading.Lock()
        self.said: list[bytes] = []
        self.connections = 0

    def __call__(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        connection.sendall(b"220 mx.test.example\r\n")
        for line in lines(connection):
            with self._lock:
                self.said.append(line)
            self.answer(connection, self._replies.get(line[:4].strip().decode(), b"250 ok\r\n"))
            if line == QUIT.said:
                return

    def answer(self, connection: socket.socket, reply: bytes) -> None:
        connection.sendall(reply)


class InPieces(Smtp):
    """Every octet of a reply is sent by itself."""

    def answer(self, connection: socket.socket, reply: bytes) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(reply)):
            connection.sendall(reply[at : at + 1])


def load(port: int, units: int = 5, sessions: int = 2, per_connection: int = 0, **more: object) -> Load:
    unit = more.pop("unit", (NOOP,))
    return Load(
        "127.0.0.1",
        port,
        sessions,
        units,
        (HELLO,),
        unit,
        (QUIT,),
        per_connection,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("units", "sessions"), [(1, 3), (4, 3), (7, 2), (12, 4), (5, 5)])
def test_kept_connections_share_the_units_out_and_do_no_more(units: int, sessions: int) -> None:
    smtp = Smtp()
    with server(smtp) as port:
        result = Driver(load(port, units, sessions)).run()
    assert result.units == units == smtp.said.count(NOOP.said)
    assert smtp.connections == min(units, sessions)
    assert len(result.latencies) == units
    assert 0 < max(result.latencies) <= result.seconds


def test_so_many_units_on_each_connection() -> None:
    smtp = Smtp()
    with server(smtp) as port:
        assert Driver(load(port, 7, 2, per_connection=2)).run().units == 7
    assert smtp.connections == 4
    assert smtp.said.count(HELLO.said) == smtp.said.count(QUIT.said) == 4


def test_no_more_connections_stand_at_once_than_sessions() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def serve(connection: socket.socket) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        connection.sendall(b"220 mx\r\n")
        for line in lines(connection):
            if line == QUIT.said:
                with lock:
                    now -= 1
            connection.sendall(b"250 ok\r\n")

    with server(serve) as port:
        Driver(load(port, 12, 3, per_connection=1)).run()
    assert most <= 3


@pytest.mark.parametrize("smtp", [Smtp, InPieces])
def test_replies_of_several_lines_however_they_are_cut(smtp: Callable[..., Smtp]) -> None:
    served = smtp(NOOP=b"250-one\r\n250-two\r\n250 three\r\n")
    with server(served) as port:
        assert Driver(load(port, 6)).run().units == 6


def test_a_reply_longer_than_what_is_read_at_once() -> None:
    with server(Smtp(NOOP=b"250-" + b"x" * 300 + b"\r\n" + b"250-y\r\n" * 2000 + b"250 ok\r\n")) as port:
        assert Driver(load(port, 6)).run().units == 6


@pytest.mark.parametrize("smtp", [Smtp, InPieces])
def test_pipelined_commands_wait_for_every_reply(smtp: Callable[..., Smtp]) -> None:
    served = smtp(MAIL=b"250 ok\r\n", RCPT=b"553-no\r\n553 relaying\r\n", RSET=b"250 flushed\r\n")
    step = Step(b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRSET\r\n", b"252")
    with server(served) as port:
        assert Driver(load(port, 4, unit=(step, NOOP))).run().units == 4
    assert served.said.count(NOOP.said) == 4


def test_a_stamp_becomes_the_time_at_which_it_is_sent() -> None:
    smtp = Smtp()
    before = time.monotonic_ns()
    with server(smtp) as port:
        Driver(load(port, 2, 1, unit=(Step(STAMP, b"2"),))).run()
    stamps = [int(found[1]) for line in smtp.said if (found := STAMPED.fullmatch(line))]
    assert len(stamps) == 2
    assert before < stamps[0] < stamps[1] < time.monotonic_ns()


def test_a_long_message_is_sent_whole() -> None:
    smtp = Smtp()
    long = b"x" * 4_000_000 + b"\r\n"
    with server(smtp) as port:
        assert Driver(load(port, 2, 1, unit=(Step(long, b"2"),))).run().units == 2
    assert smtp.said.count(long) == 2


@pytest.mark.parametrize(
    ("said", "step", "why"),
    [
        (b"451 try later\r\n", NOOP, "451 try later"),
        (b"250 ok\r\n", Step(b"NOOP\r\n", b"5"), "250 ok"),
        (b"250 ok\r\n550 no\r\n", Step(b"NOOP\r\n", b"22"), "550 no"),
    ],
)
def test_another_reply_than_expected_ends_it(said: bytes, step: Step, why: str) -> None:
    with server(Smtp(NOOP=said)) as port, pytest.raises(LoadFailure, match=why):
        Driver(load(port, unit=(step,))).run()


class Changes(Smtp):
    """Thinks better of it at the third NOOP."""

    def answer(self, connection: socket.socket, reply: bytes) -> None:
        connection.sendall(b"451 too many\r\n" if self.said.count(NOOP.said) == 3 else reply)


def test_a_reply_that_changes_is_seen() -> None:
    with server(Changes()) as port, pytest.raises(LoadFailure, match="451 too many"):
        Driver(load(port, sessions=1)).run()


def _closes(connection: socket.socket) -> None:
    connection.sendall(b"220 mx\r\n")
    next(lines(connection))


def _closes_within_a_reply(connection: socket.socket) -> None:
    connection.sendall(b"220 mx\r\n")
    next(lines(connection))
    connection.sendall(b"250-mx\r\n")


@pytest.mark.parametrize("serve", [_closes, _closes_within_a_reply])
def test_a_closed_connection_ends_it(serve: Serve) -> None:
    with server(serve) as port, pytest.raises(LoadFailure, match="closed the connection"):
        Driver(load(port, sessions=1)).run()


def test_a_refused_connection_says_nothing_about_the_server() -> None:
    with server(_closes) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        Driver(load(port)).run()


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _chatters(connection: socket.socket) -> None:
    """Never silent and never done: a limit that counts silence alone would not end it."""
    while True:
        connection.sendall(b"220-mx\r\n")


@pytest.mark.parametrize("serve", [_silent, _chatters])
def test_the_limit_ends_it(serve: Serve) -> None:
    with server(serve) as port, pytest.raises(LoadFailure, match="0 of 5 after"):
        Driver(load(port, limit=0.05)).run()


@pytest.mark.parametrize(
    ("said", "replies", "more"),
    [
        (b"250 ok\r\n", 1, False),
        (b"250 ok\r", 1, True),
        (b"250-a\r\n", 1, True),
        (b"250-a\r\n250 b\r\n", 1, False),
        (b"250 ok\r\n", 2, True),
        (b"250 ok\r\n250-a\r\n", 2, True),
        (b"250 ok\r\n250-a\r\n250 b\r\n", 2, False),
        (b"250\r\n", 1, False),
        (b"\r\n", 1, False),
    ],
)
def test_more_is_to_come_until_every_reply_stands_whole(said: bytes, replies: int, more: bool) -> None:
    assert incomplete(said, replies) is more


def test_a_load_survives_json() -> None:
    one = load(25, 3, 2, 1, unit=(Step(b"\xff\r\n", b"5"),))
    assert Load.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(("reply", "status"), [(b"250 ok\r\n", 0), (b"500 no\r\n", 1)])
def test_as_a_program(reply: bytes, status: int) -> None:
    with server(Smtp(NOOP=reply)) as port:
        done = subprocess.run(
            [sys.executable, "-m", "conformance.bench.driver"],
            input=json.dumps(load(port).to_json()),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == status
    if status:
        assert done.stdout == ""
        assert "500 no" in done.stderr
    else:
        assert json.loads(done.stdout)["units"] == 5


# Deliveries


class Remotes:
    """qmail-remote behind connections: reads the message to its end, then reports."""

    def __init__(self, report: bytes = b"r\0Kaccepted\n\0", *, reads: bool = True) -> None:
        self._report = report
        self._reads = reads
        self.messages: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        if self._reads:
            self.messages.append(b"".join(iter(lambda: connection.recv(65536), b"")))
        # Who closes with something unread drops what has not left yet: then the report must be one write.
        size = 3 if self._reads else len(self._report)
        for at in range(0, len(self._report), size):
            connection.sendall(self._report[at : at + size])


def deliveries(port: int, message: bytes = b"hello\n", limit: float = 20.0) -> Deliveries:
    return Deliveries("127.0.0.1", port, 3, 8, message, limit)


@pytest.mark.parametrize("message", [b"hello\n", b"x" * 3_000_000])
def test_deliveries_are_counted_and_timed(message: bytes) -> None:
    remotes = Remotes()
    with server(remotes) as port:
        result = deliver(deliveries(port, message))
    assert result.units == len(result.latencies) == 8
    assert remotes.messages == [message] * 8
    assert 0 < max(result.latencies) <= result.seconds


@pytest.mark.parametrize(("reads", "size"), [(True, 100), (False, 100), (False, 5_000_000)])
def test_a_delivery_that_is_put_off_ends_it_with_its_report(reads: bool, size: int) -> None:
    """Also when qmail-remote ends without having read the message, so that the connection is reset."""
    remotes = Remotes(b"ZCNAME lookup failed temporarily.\n\0", reads=reads)
    with server(remotes) as port, pytest.raises(LoadFailure, match="ZCNAME lookup"):
        deliver(deliveries(port, b"x" * size))


def test_deliveries_have_a_limit() -> None:
    ended = threading.Event()
    with server(lambda connection: bool(ended.wait(30)) and None) as port:  # type: ignore[func-returns-value]
        with pytest.raises(LoadFailure, match="0 of 8"):
            deliver(deliveries(port, limit=0.05))
        ended.set()


@pytest.mark.parametrize(
    ("report", "whole"),
    [
        (b"r\0Kok\n\0", True),
        (b"r\0Kok\n", False),
        (b"Kok\n\0", False),
        (b"hno\0Kok\n\0", False),
        (b"r\0Zlater\n\0", False),
        (b"", False),
    ],
)
def test_only_a_whole_report_that_says_so_is_an_acceptance(report: bytes, whole: bool) -> None:
    assert accepted(report) is whole


def test_deliveries_survive_json() -> None:
    one = deliveries(7026, b"\xff\n")
    assert Deliveries.from_json(json.loads(json.dumps(one.to_json()))) == one


def pause(looks: list[tuple[int, float]], sessions: int = 10) -> float:
    """The pause after looks that found so many replies so many seconds after the one before."""
    pauses = Pauses()
    for found, passed in looks:
        pauses.before(sessions)
        pauses.after(found, passed)
    return pauses.before(sessions)


@pytest.mark.parametrize(
    ("pace", "sessions", "expected", "why"),
    [
        (0.00001, 10, 0.000015, "the replies of a quarter of the sessions"),
        (0.00004, 10, 0.00009, "as fast as they come"),
        (0.00001, 20, 0.00004, "of more sessions more"),
        (0.00001, 200, 0.00007, "but not more than eight"),
        (0.000001, 10, 0.0, "none where the server would wait for us"),
        (1.0, 10, 0.0005, "never long beside what a message takes"),
    ],
)
def test_replies_are_gathered(pace: float, sessions: int, expected: float, why: str) -> None:
    assert pause([(2, 2 * pace)] * 200, sessions) == pytest.approx(expected, rel=0.01), why


def test_the_pace_is_that_of_many_looks() -> None:
    assert pause([(1, 0.00001), (3, 0.00007)] * 200) == pytest.approx(0.00004, rel=0.1)


@pytest.mark.parametrize(("found", "waits"), [(5, True), (6, False), (10, False)])
def test_a_server_that_may_be_out_of_work_is_not_left_waiting(found: int, waits: bool) -> None:
    assert (pause([(2, 0.00002)] * 200 + [(found, 0.00002)]) > 0) is waits


def test_a_pause_follows_the_next_look_that_finds_few() -> None:
    assert pause([(2, 0.00002)] * 200 + [(10, 0.00002), (1, 0.00002)]) > 0


def test_the_thread_that_drives_sleeps_as_before_afterwards() -> None:
    def slack() -> int:
        return int(Path(f"/proc/{threading.get_native_id()}/timerslack_ns").read_text())

    before = slack()
    with punctual():
        assert slack() == 1
    assert slack() == before


def test_many_sessions_at_a_slow_server_are_all_served() -> None:
    class Slow(Smtp):
        def answer(self, connection: socket.socket, reply: bytes) -> None:
            threading.Event().wait(0.001)
            connection.sendall(reply)

    smtp = Slow()
    with server(smtp) as port:
        result = Driver(load(port, units=40, sessions=10)).run()
    assert result.units == 40
    assert smtp.said.count(NOOP.said) == 40
