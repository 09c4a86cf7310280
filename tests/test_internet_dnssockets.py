"""Questions that wait together are answered and logged as if each had come alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

from dnslib import DNSRecord

from conformance.internet.dnssockets import DnsSockets
from conformance.internet.nameserver import NameServer
from conformance.pod.world import Fault, World

ZONE = "$ORIGIN big.example.\n" + "".join(f"{host} A 127.0.0.2\n" for host in ("mx", "other", "late", "lost"))
FAULTS = [Fault("late.big.example", "delay", seconds=1.0), Fault("lost.big.example", "drop")]
#: Seconds within which loopback has long brought what is on its way.
LONG = 20.0


def vacant_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def question(name: str) -> bytes:
    return bytes(DNSRecord.question(name, "A").pack())


async def exchanged(names: NameServer, asked: list[bytes], unanswered: set[int]) -> list[bytes]:
    """The answers to all but the questions at these places, in the order of the questions.

    All questions wait before the first is read. What is put off is done after the last is answered, which is
    therefore a plain one.
    """
    loop, address = asyncio.get_running_loop(), ("127.0.0.1", vacant_port())
    put_off: list[Callable[[], None]] = []

    def after(delay: float, act: Callable[[], None]) -> None:
        put_off.append(act) if delay else act()

    server = DnsSockets(address, lambda: names, lambda: 0.0, after)
    with ExitStack() as sockets:
        clients = [sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in asked]
        for client, message in zip(clients, asked, strict=True):
            client.setblocking(False)
            client.connect(address)
            client.send(message)
        try:
            async with asyncio.timeout(LONG):
                last = await loop.sock_recv(clients[-1], 65536)
                for act in put_off:
                    act()
                awaited = [one for place, one in enumerate(clients[:-1]) if place not in unanswered]
                return [*[await loop.sock_recv(one, 65536) for one in awaited], last]
        finally:
            server.close()


def test_faults_among_plain_questions_strike_and_are_logged_in_order() -> None:
    names = NameServer(World(zones=[ZONE], faults=FAULTS))
    hosts = ["mx", "late", "other", "lost", "mx", "other", "late", "mx"]
    asked = [question(f"{host}.big.example") for host in hosts]
    # One is known before it comes, as in the midst of a measurement.
    names.answer(question("mx.big.example"), "udp", 0.0)
    heard = asyncio.run(exchanged(names, asked, unanswered={3}))
    del asked[3]
    for sent, got in zip(asked, heard, strict=True):
        assert got[:2] == sent[:2], "each client hears the answer to its own question"
        assert got[12 : len(sent)] == sent[12:]
        assert len(DNSRecord.parse(got).rr) == 1
    assert [one["name"] for one in names.questions[1:]] == [f"{host}.big.example" for host in hosts]


def test_more_questions_than_are_read_at_once_are_all_answered() -> None:
    names = NameServer(World(zones=[ZONE]))
    asked = [question("mx.big.example") for _ in range(150)]
    heard = asyncio.run(exchanged(names, asked, unanswered=set()))
    assert [got[:2] for got in heard] == [sent[:2] for sent in asked]


def framed(name: str) -> bytes:
    asked = question(name)
    return len(asked).to_bytes(2, "big") + asked


async def heard_over_tcp(names: NameServer, asked: bytes, asked_last: bytes = b"") -> tuple[bytes, bytes]:
    """What comes after the first write on a connection, and then after another and the client's end."""
    loop, address = asyncio.get_running_loop(), ("127.0.0.1", vacant_port())
    server = DnsSockets(address, lambda: names, lambda: 0.0, lambda _delay, act: act())
    server.serve_tcp(True)
    rest = b""
    try:
        with socket.socket() as client:
            client.setblocking(False)
            async with asyncio.timeout(LONG):
                await loop.sock_connect(client, address)
                await loop.sock_sendall(client, asked)
                first = await loop.sock_recv(client, 65536)
                assert len(server.connections) == 1
                await loop.sock_sendall(client, asked_last)
                client.shutdown(socket.SHUT_WR)
                while more := await loop.sock_recv(client, 65536):
                    rest += more
        assert not server.connections
        assert not server.left
        return first, rest
    finally:
        server.close()


def test_a_connection_that_its_client_closes_is_closed() -> None:
    names = NameServer(World(zones=[ZONE]))
    asked = framed("mx.big.example")
    for answer in asyncio.run(heard_over_tcp(names, asked, asked)):
        assert len(DNSRecord.parse(answer[2:]).rr) == 1


def test_after_a_stall_nothing_is_heard() -> None:
    names = NameServer(World(zones=[ZONE], faults=[Fault("late.big.example", "stall", over="tcp", length=5)]))
    # One that is known already would be answered at once.
    names.answer(question("mx.big.example"), "tcp", 0.0)
    first, rest = asyncio.run(heard_over_tcp(names, framed("late.big.example"), framed("mx.big.example")))
    assert len(first) == 5
    assert rest == b""
    assert [one["name"] for one in names.questions[1:]] == ["late.big.example"]
