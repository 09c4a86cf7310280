"""Datagrams sent and received many at a time reach the right clients whole, and in the order of arrival."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from conformance.internet.datagrams import Datagrams


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bound(sockets: ExitStack) -> socket.socket:
    made = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made.bind(("127.0.0.1", 0))
    made.settimeout(5)
    return made


def served(sockets: ExitStack, clients: int) -> tuple[Datagrams, list[socket.socket]]:
    """The datagrams of a socket, and clients that are connected to it."""
    server = bound(sockets)
    server.setblocking(False)
    made = [bound(sockets) for _ in range(clients)]
    for client in made:
        client.connect(server.getsockname())
    return Datagrams(server), made


def test_nothing_waits(sockets: ExitStack) -> None:
    datagrams, _ = served(sockets, 1)
    assert datagrams.receive() == []
    datagrams.send([])


def test_each_client_gets_its_answer(sockets: ExitStack) -> None:
    datagrams, clients = served(sockets, 3)
    # Over and over: what the kernel wrote about a datagram must not stay for the next one in its place.
    for length in (40, 4, 300):
        for number, client in enumerate(clients):
            client.send(b"q%d" % number + bytes(length))
        received = datagrams.receive()
        assert received == [b"q%d" % number + bytes(length) for number in range(3)]
        assert [datagrams.client(number) for number in range(3)] == [one.getsockname() for one in clients]
        datagrams.send([question.replace(b"q", b"a") * 2 for question in received])
        assert [one.recv(65536) for one in clients] == [(b"a%d" % n + bytes(length)) * 2 for n in range(3)]


def test_who_is_to_have_no_answer_gets_none(sockets: ExitStack) -> None:
    datagrams, clients = served(sockets, 5)
    for client in clients:
        client.send(b"question")
    assert len(datagrams.receive()) == 5
    datagrams.send([None, b"second", b"third", None, b"fifth"])
    for number, answer in ((1, b"second"), (2, b"third"), (4, b"fifth")):
        assert clients[number].recv(100) == answer
    for number in (0, 3):
        clients[number].setblocking(False)
        with pytest.raises(BlockingIOError):
            clients[number].recv(100)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([b"one", b"two", b"six"], "of one size"),
        ([b"one", b"two", b"three"], "the last is longer"),
        ([b"one", b"four", b"six"], "the middle is longer"),
        ([b"one", b"two", b"y" * 5000], "one is too long for its place"),
        ([b"x" * 30000, b"y" * 30000, b"z" * 30000], "together they are too long for a message"),
        ([b"", b"", b""], "they are empty"),
        ([b"one", None, b"six"], "one is not answered"),
        ([None, b"two", b"six"], "the first is not answered"),
    ],
)
def test_one_client_gets_several_answers(sockets: ExitStack, answers: list[bytes | None], why: str) -> None:
    datagrams, (client,) = served(sockets, 1)
    for _ in answers:
        client.send(b"question")
    assert len(datagrams.receive()) == 3
    datagrams.send(answers)
    expected = [one for one in answers if one is not None]
    assert [client.recv(65536) for _ in expected] == expected, why
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)


def test_answers_to_one_client_and_to_another_are_kept_apart(sockets: ExitStack) -> None:
    datagrams, (one, other) = served(sockets, 2)
    for client in (one, one, other):
        client.send(b"question")
    assert len(datagrams.receive()) == 3
    datagrams.send([b"a1", b"a2", b"b1"])
    assert [one.recv(100), one.recv(100), other.recv(100)] == [b"a1", b"a2", b"b1"]


def test_a_kernel_that_does_not_divide_messages_gets_each_by_itself(sockets: ExitStack) -> None:
    class Old(socket.socket):
        def getsockopt(self, *_: object) -> int:  # type: ignore[override]
            raise OSError("Protocol not available")

    server = sockets.enter_context(Old(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)
    client = bound(sockets)
    client.connect(server.getsockname())
    server.sendmsg = None  # type: ignore[method-assign, assignment]
    datagrams = Datagrams(server)
    for _ in range(2):
        client.send(b"question")
    datagrams.receive()
    datagrams.send([b"one", b"two"])
    assert [client.recv(100), client.recv(100)] == [b"one", b"two"]


def test_more_than_are_received_at_once_come_in_turns(sockets: ExitStack) -> None:
    datagrams, (client,) = served(sockets, 1)
    for number in range(100):
        client.send(b"%d" % number)
    first = datagrams.receive()
    assert first + datagrams.receive() == [b"%d" % number for number in range(100)]
    assert len(first) == 64


def test_a_long_datagram_is_cut_and_a_long_answer_is_whole(sockets: ExitStack) -> None:
    datagrams, (one, other) = served(sockets, 2)
    one.send(b"x" * 5000)
    other.send(b"")
    assert datagrams.receive() == [b"x" * 4096, b""]
    datagrams.send([b"y" * 65507, b"short"])
    assert one.recv(65536) == b"y" * 65507
    assert other.recv(65536) == b"short"


def test_a_late_answer_goes_to_who_asked(sockets: ExitStack) -> None:
    datagrams, (client,) = served(sockets, 1)
    client.send(b"question")
    datagrams.receive()
    asker = datagrams.client(0)
    assert datagrams.receive() == []
    datagrams.send_to(b"late", asker)
    assert client.recv(100) == b"late"


def test_an_answer_that_cannot_be_sent_keeps_no_other_back(sockets: ExitStack) -> None:
    datagrams, clients = served(sockets, 3)
    for client in clients:
        client.send(b"question")
    datagrams.receive()
    # The kernel refuses to send to port 0: as if that client's datagram had come from there.
    datagrams._names[16 + 2 : 16 + 4] = bytes(2)
    datagrams.send([b"first", b"nobody's", b"third"])
    assert clients[0].recv(100) == b"first"
    assert clients[2].recv(100) == b"third"
    datagrams.send_to(b"late", ("127.0.0.1", 0))
