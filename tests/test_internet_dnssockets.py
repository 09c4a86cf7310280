"""The DNS server's sockets: each client hears the answers to its own questions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dnslib import DNSRecord

from conformance.internet.servers import Servers
from conformance.pod.world import Fault, World

ZONE = "$ORIGIN big.example.\n" + "".join(f"{host} A 127.0.0.2\n" for host in ("mx", "other", "late", "lost"))
#: Seconds within which loopback has long brought what is on its way.
LONG = 20.0


def question(name: str) -> bytes:
    return bytes(DNSRecord.question(f"{name}.big.example", "A").pack())


def framed(*names: str) -> bytes:
    return b"".join(len(asked := question(name)).to_bytes(2, "big") + asked for name in names)


def host_of(answer: bytes) -> str:
    record = DNSRecord.parse(answer)
    assert len(record.rr) == 1
    return str(record.q.qname).partition(".")[0]


@asynccontextmanager
async def serving(*faults: Fault) -> AsyncIterator[tuple[Servers, tuple[str, int]]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", int(found.getsockname()[1]))
    servers = Servers(address)
    try:
        await servers.set_world(World(zones=[ZONE], faults=list(faults)))
        async with asyncio.timeout(LONG):
            yield servers, address
    finally:
        servers.close()


def test_many_clients_over_udp_each_hear_their_own_answer() -> None:
    async def run() -> None:
        faults = (Fault("late.big.example", "delay", seconds=0.05), Fault("lost.big.example", "drop"))
        async with serving(*faults) as (servers, address):
            hosts = ["mx", "late", "other", "lost", "late", "mx"] * 25
            loop, clients = asyncio.get_running_loop(), [socket.socket(type=socket.SOCK_DGRAM) for _ in hosts]
            asked = [question(host) for host in hosts]
            for client, message in zip(clients, asked, strict=True):
                client.setblocking(False)
                client.connect(address)
                client.send(message)
            for host, client, message in zip(hosts, clients, asked, strict=True):
                if host != "lost":
                    heard = await loop.sock_recv(client, 65536)
                    assert (heard[:2], host_of(heard)) == (message[:2], host)
                client.close()
            assert [seen.name.partition(".")[0] for seen in servers.nameserver.questions] == hosts

    asyncio.run(run())


def test_questions_on_one_connection_are_answered_in_order_however_they_are_cut() -> None:
    async def run() -> None:
        async with serving() as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            for octet in framed("mx", "other", "mx"):
                writer.write(bytes([octet]))
                await writer.drain()
            for host in ("mx", "other", "mx"):
                length = int.from_bytes(await reader.readexactly(2), "big")
                assert host_of(await reader.readexactly(length)) == host
            writer.write_eof()
            assert await reader.read() == b"", "the server closes too"
            writer.close()

    asyncio.run(run())


def test_after_a_stall_nothing_is_said_and_nothing_is_heard() -> None:
    async def run() -> None:
        async with serving(Fault("late.big.example", "stall", over="tcp", length=5)) as (servers, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(framed("late", "mx"))
            assert len(await reader.readexactly(5)) == 5
            writer.write(framed("mx"))
            writer.write_eof()
            assert await reader.read() == b""
            assert [seen.name for seen in servers.nameserver.questions] == ["late.big.example"]
            writer.close()

    asyncio.run(run())


def test_a_connection_is_closed_in_the_midst_of_an_answer() -> None:
    async def run() -> None:
        async with serving(Fault("mx.big.example", "close", over="tcp", length=7)) as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(framed("mx"))
            assert len(await reader.read()) == 7
            writer.close()

    asyncio.run(run())


def test_a_world_that_refuses_tcp_closes_the_port_and_the_next_opens_it() -> None:
    async def run() -> None:
        async with serving() as (servers, address):
            for tcp, open_ in (("refuse", False), ("accept", True)):
                await servers.set_world(World(zones=[ZONE], tcp=tcp))  # type: ignore[arg-type]
                try:
                    _, writer = await asyncio.open_connection(*address)
                except ConnectionRefusedError:
                    assert not open_
                else:
                    assert open_
                    writer.close()

    asyncio.run(run())
