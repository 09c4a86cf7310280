"""The world on sockets: what it shows is replaced, and nothing of the old one reaches the new."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from dnslib import DNSRecord

from conformance.errors import UsageError, WorldError
from conformance.internet import servers as internet_servers
from conformance.internet.nameserver import NameServer
from conformance.internet.servers import Servers
from conformance.internet.zones import load_zone
from conformance.pod.world import Exchanger, Fault, Padding, World
from tests.agents import LONG, free_port, on_a_loop

PLAIN = [load_zone("plain.example")]


class Shown(Servers):
    """Servers, and clients of their DNS."""

    def __init__(self) -> None:
        self.dns = ("127.0.0.1", free_port())
        super().__init__(self.dns)

    async def show(self, **parts: Any) -> None:
        await self.set_world(World(**parts))

    async def ask(self, name: str, over: str = "udp") -> DNSRecord:
        asked = DNSRecord.question(name, "MX")
        host, port = self.dns
        octets = await asyncio.to_thread(asked.send, host, port, tcp=over == "tcp", timeout=LONG)
        return DNSRecord.parse(octets)


def shown(test: Callable[..., Awaitable[None]]) -> Callable[[], None]:
    """A coroutine as a test of servers."""

    async def whole() -> None:
        servers = Shown()
        try:
            await test(servers)
        finally:
            servers.close()

    return on_a_loop(whole)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends without another octet."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@shown
async def test_questions_are_kept_as_long_as_their_world(servers: Shown) -> None:
    await servers.show(zones=PLAIN, paddings=[Padding("plain.example", "MX", 4096)])
    short = await servers.ask("plain.example")
    assert (short.header.tc, short.rr) == (1, [])
    assert (await servers.ask("plain.example", "tcp")).rr
    first, second = servers.nameserver.questions
    assert (first.over, first.size, second.over, second.size) == ("udp", 31, "tcp", 4096)
    assert 0 < first.at < second.at < LONG
    await servers.show(zones=PLAIN)
    assert servers.nameserver.questions == []
    assert (await servers.ask("other.example")).rr == []
    assert servers.nameserver.stray == ["other.example MX"]


@shown
async def test_a_late_answer_comes_late_and_never_from_the_old_world(servers: Shown) -> None:
    loop, late = asyncio.get_running_loop(), [Fault("plain.example", "delay", seconds=0.05)]
    await servers.show(zones=PLAIN, faults=late)
    start = time.monotonic()
    assert (await servers.ask("plain.example")).rr
    assert time.monotonic() - start >= 0.05
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(servers.dns)
        client.send(DNSRecord.question("plain.example", "MX").pack())
        while len(servers.nameserver.questions) < 2:
            await servers.catch_up()
        await servers.show(zones=PLAIN, latency=0.1)
        later = DNSRecord.question("plain.example", "A")
        client.send(later.pack())
        assert DNSRecord.parse(await loop.sock_recv(client, 65536)).header.id == later.header.id


HOSTS = "$ORIGIN big.example.\n* A 127.0.0.2\n"


def framed(*hosts: str) -> bytes:
    return b"".join(len(question(host)).to_bytes(2, "big") + question(host) for host in hosts)


def question(host: str) -> bytes:
    return bytes(DNSRecord.question(f"{host}.big.example", "A").pack())


def host_of(answer: bytes) -> str:
    record = DNSRecord.parse(answer)
    assert len(record.rr) == 1
    return str(record.q.qname).partition(".")[0]


@shown
async def test_many_clients_over_udp_each_hear_their_own_answer(servers: Shown) -> None:
    faults = [Fault("late.big.example", "delay", seconds=0.05), Fault("lost.big.example", "drop")]
    await servers.show(zones=[HOSTS], faults=faults)
    hosts = ["mx", "late", "other", "lost", "late", "mx"] * 25
    clients = [(host, question(host), socket.socket(type=socket.SOCK_DGRAM)) for host in hosts]
    for _, asked, client in clients:
        client.setblocking(False)
        client.connect(servers.dns)
        client.send(asked)
    for host, asked, client in clients:
        if host != "lost":
            heard = await asyncio.get_running_loop().sock_recv(client, 65536)
            assert (heard[:2], host_of(heard)) == (asked[:2], host)
        client.close()
    assert [seen.name.partition(".")[0] for seen in servers.nameserver.questions] == hosts


@shown
async def test_a_datagram_of_nothing_is_sent(servers: Shown) -> None:
    await servers.show(zones=[HOSTS], faults=[Fault("*", "cut", length=0)])
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(servers.dns)
        client.send(question("mx"))
        heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), LONG)
    assert heard == b""


@shown
async def test_questions_on_one_connection_are_answered_in_order_however_they_are_cut(servers: Shown) -> None:
    await servers.show(zones=[HOSTS])
    reader, writer = await asyncio.open_connection(*servers.dns)
    for octet in framed("mx", "other", "mx"):
        writer.write(bytes([octet]))
        await writer.drain()
    for host in ("mx", "other", "mx"):
        length = int.from_bytes(await reader.readexactly(2), "big")
        assert host_of(await reader.readexactly(length)) == host
    writer.write_eof()
    assert await reader.read() == b"", "the server closes too"
    writer.close()


@shown
async def test_after_a_stall_or_a_close_nothing_is_said_and_nothing_is_heard(servers: Shown) -> None:
    for action in ("stall", "close"):
        await servers.show(zones=[HOSTS], faults=[Fault("late.big.example", action, over="tcp", length=5)])
        reader, writer = await asyncio.open_connection(*servers.dns)
        writer.write(framed("late", "mx"))
        assert len(await reader.readexactly(5)) == 5
        if action == "stall":
            writer.write(framed("mx"))
            writer.write_eof()
        assert await reader.read() == b""
        assert [seen.name for seen in servers.nameserver.questions] == ["late.big.example"]
        writer.close()


@shown
async def test_a_world_that_refuses_tcp_closes_the_port_and_the_next_opens_it(servers: Shown) -> None:
    await servers.show(zones=[HOSTS], tcp="refuse")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*servers.dns)
    await servers.show(zones=[HOSTS])
    _, writer = await asyncio.open_connection(*servers.dns)
    writer.close()


@shown
async def test_connections_of_the_old_world_are_dropped(servers: Shown) -> None:
    stalls = Exchanger(port=free_port("127.0.0.2"), steps={"connect": "stall"})
    await servers.show(exchangers=[stalls])
    addresses = [servers.dns, (stalls.address, stalls.port)]
    streams = [await asyncio.open_connection(*address) for address in addresses]
    while not servers.mx_sessions:
        await servers.ask("plain.example")
    await servers.show(exchangers=[stalls])
    for reader, writer in streams:
        assert await ended(reader)
        writer.close()
    assert servers.mx_sessions == []


@shown
async def test_exchangers_come_and_go_with_the_world(servers: Shown) -> None:
    ports = [free_port("127.0.0.2"), free_port("127.0.0.3")]
    await servers.show(exchangers=[Exchanger(port=ports[0]), Exchanger("127.0.0.3", ports[1])])
    reader, writer = await asyncio.open_connection("127.0.0.2", ports[0])
    writer.write(b"QUIT\r\n")
    assert await reader.read() == b"220 mx.test.example ESMTP\r\n221 mx.test.example\r\n"
    writer.close()
    [session] = servers.mx_sessions
    assert (session.address, session.port) == ("127.0.0.2", ports[0])
    assert (session.transcript[-1].source, session.transcript[-1].text) == ("event", "closed")
    await servers.show(exchangers=[Exchanger("127.0.0.3", ports[1], steps={"connect": "421 no; reset"})])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.2", ports[0])
    with pytest.raises(ConnectionResetError):  # noqa: PT012  it may come before the client has connected
        reader, writer = await asyncio.open_connection("127.0.0.3", ports[1])
        await reader.read()
    assert [session.address for session in servers.mx_sessions] == ["127.0.0.3"]


@shown
async def test_a_listener_that_the_next_world_needs_too_is_kept(servers: Shown) -> None:
    port = free_port("127.0.0.2")
    await servers.show(exchangers=[Exchanger(port=port)])
    with socket.create_connection(("127.0.0.2", port)) as early:  # nobody has accepted it yet
        await servers.show(exchangers=[Exchanger(port=port, host="new.test.example")])
        reader, writer = await asyncio.open_connection(sock=early)
        assert await reader.readline() == b"220 new.test.example ESMTP\r\n"
        writer.close()


@shown
async def test_a_client_that_has_gone_is_heard_to_its_end(servers: Shown) -> None:
    port = free_port("127.0.0.2")
    await servers.show(exchangers=[Exchanger(port=port)])
    with socket.create_connection(("127.0.0.2", port)) as client:
        client.sendall(b"EHLO here.example\r\nMAIL FROM:<a@b.example>\r\n")
        client.shutdown(socket.SHUT_WR)
        assert servers.mx_sessions == [], "the loop has had no turn yet"
        await servers.catch_up()
        [session] = servers.mx_sessions
        assert (session.helo, session.sender) == ("EHLO here.example", "a@b.example")
        assert session.transcript[-1].text == "client closed"


@shown
async def test_a_silent_exchanger_answers_no_attempt_to_connect(servers: Shown) -> None:
    port = free_port("127.0.0.2")
    for _ in range(2):  # the second time the address has been used already
        await servers.show(exchangers=[Exchanger(port=port, silent=True)])
        with socket.socket() as client:
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.connect(("127.0.0.2", port))
        assert servers.mx_sessions == []
        await servers.show(exchangers=[Exchanger(port=port)])
        _, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.close()


@on_a_loop
async def test_a_name_server_that_is_gone_or_slow_or_of_another_world_is_the_worlds_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Shown()
    await servers.show(zones=PLAIN)
    await servers.catch_up()
    assert (servers.nameserver.questions, servers.nameserver.stray) == ([], []), (
        "our own question is not seen"
    )
    right = servers.nameserver.answer
    monkeypatch.setattr(servers.nameserver, "answer", NameServer(World(zones=PLAIN)).answer)
    with pytest.raises(WorldError, match="of another world"):
        await servers.catch_up()
    monkeypatch.setattr(servers.nameserver, "answer", lambda *asked: replace(right(*asked), delay=LONG))
    monkeypatch.setattr(internet_servers, "PROBE", 0.05)
    with pytest.raises(WorldError, match="did not answer"):
        await servers.catch_up()
    monkeypatch.undo()
    servers._datagrams.close()
    with pytest.raises(WorldError, match="is gone"):
        await servers.catch_up()
    servers.close()


@shown
async def test_a_listener_that_is_gone_is_the_worlds_failure(servers: Shown) -> None:
    await servers.show(exchangers=[Exchanger(port=free_port("127.0.0.2"))])
    await servers.catch_up()
    next(iter(servers._listening.values())).close()
    with pytest.raises(WorldError, match="nothing listens any more on 127"):
        await servers.catch_up()


@shown
async def test_a_wrong_world_is_an_error_and_the_old_one_stays(servers: Shown) -> None:
    await servers.show(zones=PLAIN)
    with pytest.raises(UsageError, match="zone 1 of the world, line 2"):
        await servers.show(zones=["$ORIGIN x.example.\n@ A nowhere\n"])
    with pytest.raises(UsageError, match="the same address and port"):
        await servers.show(exchangers=[Exchanger(host="a.example"), Exchanger(host="b.example")])
    assert (await servers.ask("plain.example")).rr


@shown
async def test_an_address_that_is_taken_is_the_worlds_failure(servers: Shown) -> None:
    for kind, over in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(servers.dns)
            with pytest.raises(WorldError, match=f"cannot listen on .*:{servers.dns[1]} over {over}"):
                await servers.show()
    await servers.show()  # now that it is free
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WorldError, match=rf"cannot listen on 127\.0\.0\.2:{port} over tcp"):
            await servers.show(exchangers=[Exchanger(port=port)])


@on_a_loop
async def test_a_kernel_that_answers_where_silence_is_wanted_is_the_worlds_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = Shown()
    await servers.show()
    # A longer queue is what such a kernel amounts to.
    listen = socket.socket.listen
    monkeypatch.setattr(socket.socket, "listen", lambda self, backlog: listen(self, backlog + 5))
    with pytest.raises(WorldError, match="should be silent"):
        await servers.show(exchangers=[Exchanger(port=free_port("127.0.0.2"), silent=True)])
    servers.close()


@shown
async def test_a_host_with_a_pace_says_octet_by_octet_and_closes_behind_the_last(servers: Shown) -> None:
    address = ("127.0.0.2", free_port("127.0.0.2"))
    await servers.show(exchangers=[Exchanger(*address, steps={"connect": "421 no; close"}, pace=0.01)])
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(*address)
    heard = [await reader.read(100) for _ in range(len("421 no\r\n"))]
    assert (b"".join(heard), await reader.read()) == (b"421 no\r\n", b"")
    assert time.monotonic() - began >= 0.07
    writer.close()


@shown
async def test_a_deaf_host_leaves_what_it_is_sent_unread(servers: Shown) -> None:
    address = ("127.0.0.2", free_port("127.0.0.2"))
    await servers.show(exchangers=[Exchanger(*address, steps={"NOOP": "250 ok; deaf"})])
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"NOOP\r\n")
    assert (await reader.readline(), await reader.readline()) == (
        b"220 mx.test.example ESMTP\r\n",
        b"250 ok\r\n",
    )
    writer.write(bytes(1 << 24))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.1)
    [session] = servers.mx_sessions
    assert [entry.text for entry in session.transcript][-2:] == ["250 ok\r\n", "deaf"]
    writer.close()


@shown
async def test_a_client_that_resets_is_told_from_one_that_closes(servers: Shown) -> None:
    address = ("127.0.0.2", free_port("127.0.0.2"))
    await servers.show(exchangers=[Exchanger(*address)])
    for lingers in (None, struct.pack("ii", 1, 0)):
        reader, writer = await asyncio.open_connection(*address)
        await reader.readline()  # what is unread when a connection is closed resets it
        if lingers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
        writer.close()
    while not all(session.ended for session in servers.mx_sessions) or len(servers.mx_sessions) < 2:
        await servers.catch_up()
    assert [session.ended for session in servers.mx_sessions] == ["client closed", "client reset"]


@shown
async def test_the_root_is_in_every_world(servers: Shown) -> None:
    await servers.show(zones=PLAIN)
    assert (await servers.ask(".")).header.rcode == 0
    assert servers.nameserver.stray == []
    await servers.show(zones=[*PLAIN, "$ORIGIN .\n@ MX 10 .\n"])
    assert len((await servers.ask(".")).rr) == 1
