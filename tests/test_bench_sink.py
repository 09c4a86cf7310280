"""The exchanger of throughput measurements: every envelope is kept, however the octets arrive."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conformance.bench.inside.sink import Sink, Taken

Made = tuple[tuple[str, int], Taken]
ONE = b"HELO c.example\r\nMAIL FROM:<a@b.example> SIZE=3\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"


@contextmanager
def served(**options: bool) -> Iterator[Made]:
    """A sink in a thread; what it took is complete when the block is left."""
    sink = Sink([("127.0.0.1", 0)], **options)
    stopped, stop = os.pipe()
    thread = threading.Thread(target=sink.run, args=(stopped,))
    thread.start()
    try:
        yield sink.addresses[0], sink.taken
    finally:
        os.close(stop)
        thread.join(10)
        os.close(stopped)
    assert not thread.is_alive()


def said(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Everything that the sink says to these pieces; it has taken one before the next is sent."""
    replies = b""
    with socket.create_connection(address, timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        client.sendall(b"QUIT\r\n")
        while not replies.endswith(b"221 mx.test.example\r\n"):
            got = client.recv(65536)
            assert got, replies
            replies += got
        assert client.recv(100) == b"", "after QUIT the server closes (RFC 5321 4.1.1.10)"
    return replies


def codes(replies: bytes) -> list[bytes]:
    return [line[:3] for line in replies.splitlines() if line[3:4] != b"-"]


WHOLE = ONE + b"hello\r\n.\r\n"


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_an_envelope_is_kept_wherever_the_session_is_cut(cut: int) -> None:
    with served() as (address, taken):
        replies = said(address, WHOLE[:cut], WHOLE[cut:])
    assert codes(replies) == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert taken.envelopes == [("a@b.example", ["c@d.example"], 7, 1)]


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (b".\r\n", 0),
        (b"\r\n.\r\n", 2),
        (b"x\n.\n\r\n.\r\n", 6),
        (b"..\r\n.\r\n", 4),
        (b"x" * 300_000 + b"\r\n.\r\n", 300_002),
    ],
)
def test_a_message_ends_with_its_dot_and_nothing_else(message: bytes, size: int) -> None:
    with served() as (address, taken):
        said(address, ONE + message)
    assert [envelope[2] for envelope in taken.envelopes] == [size]


def test_the_same_envelope_is_counted_and_another_one_kept_beside_it() -> None:
    other = b"MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nRCPT TO:<g@h.example>\r\nDATA\r\n.\r\n"
    with served() as (address, taken):
        said(address, WHOLE, WHOLE + other)
        said(address, WHOLE)
    first, second = ("a@b.example", ["c@d.example"], 7, 3), ("", ["e@f.example", "g@h.example"], 0, 1)
    assert taken.envelopes == [first, second]


@pytest.mark.parametrize("cut", range(len(ONE) - 2, len(ONE) + 40))
def test_a_stamped_message_tells_how_long_it_took_wherever_it_is_cut(cut: int) -> None:
    sent = b"X-Sent: %020d\r\n" % (time.monotonic_ns() - 5_000_000_000)
    whole = ONE + b"Subject: x\r\n" + sent + b"\r\nx\r\n.\r\n"
    with served(stamped=True) as (address, taken):
        said(address, whole[:cut], whole[cut:])
    assert [round(seconds) for seconds in taken.latencies] == [5]
    assert [envelope[3] for envelope in taken.envelopes] == [1]


def test_recipients_are_refused_when_so_told() -> None:
    with served(refusing=True) as (address, taken):
        begun = b"EHLO c.example\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<>\r\n"
        replies = said(address, begun + b"RCPT TO:<a@b.example>\r\n")
    assert codes(replies)[1:5] == [b"250", b"235", b"250", b"553"]
    assert taken.envelopes == []


def test_a_reset_forgets_the_envelope() -> None:
    with served() as (address, taken):
        begun = b"MAIL FROM:<a@b.example>\r\nRSET\r\n"
        replies = said(address, begun + b"RCPT TO:<c@d.example>\r\nDATA\r\n.\r\nFROB\r\n")
    assert taken.envelopes == [("", ["c@d.example"], 0, 1)]
    assert codes(replies)[-2] == b"502"


def test_a_client_that_leaves_in_the_middle_disturbs_nobody() -> None:
    with served() as (address, taken):
        for piece in (b"", ONE, ONE + b"half"):
            with socket.create_connection(address, timeout=10) as client:
                client.sendall(piece)
        said(address, WHOLE)
    assert [envelope[3] for envelope in taken.envelopes] == [1]
