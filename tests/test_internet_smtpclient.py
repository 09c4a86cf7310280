"""A client's connection to qmail-smtpd: octets both ways, waits, floods, ends."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import pytest

from conformance.errors import WorldError
from conformance.internet import smtpclient
from conformance.internet.smtpclient import SmtpClient
from tests.agents import LONG, free_port, on_a_loop, served

MUCH = b"x" * 20_000_000


async def silent(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()


async def at_rest(size: Callable[[], int]) -> None:
    """Wait until a buffer no longer shrinks: 200 turns of the loop are many."""
    seen, turns = size(), 0
    while turns < 200:
        await asyncio.sleep(0)
        seen, turns = size(), 0 if size() < seen else turns + 1


@on_a_loop
async def test_octets_pass_both_ways_as_they_are() -> None:
    every = bytes(range(256)) * 1000

    async def echo(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(await reader.read())

    async with served(echo) as address:
        client = await SmtpClient.connected(address)
        assert await client.receive(0.01) is None
        assert await client.send(every) is True
        client.shut()
        received = b""
        while more := await client.receive(LONG):
            received += more
        assert more == b""
        assert received == every
        assert await client.receive(LONG) == b""
        assert await client.send(b"x") is False
        client.shut()  # of a connection that has ended
        client.close()


@on_a_loop
async def test_a_pending_receive_holds_nothing_up_and_ends_with_the_connection() -> None:
    async def answer_late(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readline()
        writer.write(b"late")
        await reader.read()

    async with served(answer_late) as address:
        client = await SmtpClient.connected(address)
        pending = asyncio.create_task(client.receive(LONG))
        await asyncio.sleep(0)
        assert await client.send(b"go\r\n")
        assert await pending == b"late"
        pending = asyncio.create_task(client.receive(LONG))
        await asyncio.sleep(0)
        client.close()
        assert await pending == b""
        assert await client.send(b"x") is False


@on_a_loop
async def test_connecting_does_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtpclient, "_PATIENCE", 0.05)
    with pytest.raises(WorldError, match=r"nothing listens on 127\.0\.0\.1:\d+ after 0\.05 s"):
        await SmtpClient.connected(("127.0.0.1", free_port()))


@on_a_loop
async def test_connecting_waits_for_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, sleep = asyncio.Event(), asyncio.sleep

    async def pause(seconds: float) -> None:
        refused.set()
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    address = ("127.0.0.1", free_port())
    pending = asyncio.create_task(SmtpClient.connected(address))
    await refused.wait()
    async with served(silent, address[1]):
        client = await pending
        assert await client.receive(0.01) is None
        client.close()


@on_a_loop
async def test_octets_that_the_server_does_not_take_wait_and_hold_nothing_up() -> None:
    read_on = asyncio.Event()

    async def late(reader: StreamReader, writer: StreamWriter) -> None:
        await read_on.wait()
        await reader.readexactly(len(MUCH))
        writer.write(b"all")
        await reader.read(1)
        writer.transport.abort()

    async with served(late) as address:
        client, other = [await SmtpClient.connected(address) for _ in range(2)]
        pending = asyncio.create_task(client.send(MUCH))
        assert await other.send(b"x") is True
        assert not pending.done()
        read_on.set()
        assert await client.receive(LONG) == b"all"
        assert await pending is True
        # A server that goes away takes no more.
        assert await client.send(MUCH) is False
        assert await client.receive(LONG) == b""
        client.close()
        other.close()


@on_a_loop
async def test_a_server_that_floods_is_made_to_wait() -> None:
    flooding: asyncio.Future[asyncio.WriteTransport] = asyncio.get_running_loop().create_future()

    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(MUCH)
        flooding.set_result(writer.transport)

    async with served(flood) as address:
        client = await SmtpClient.connected(address)
        await at_rest((await flooding).get_write_buffer_size)
        sizes = [len(await client.receive(LONG) or b"")]
        assert sizes[0] < 2_000_000, "more would fill our memory"
        while sizes[-1]:
            sizes.append(len(await client.receive(LONG) or b""))
        assert sum(sizes) == len(MUCH)
        client.close()


@pytest.mark.parametrize(
    ("error", "reset"), [(ConnectionResetError(), True), (BrokenPipeError(), True), (None, False)]
)
def test_a_reset_is_told_however_the_client_learns_of_it(error: OSError | None, reset: bool) -> None:
    client = SmtpClient()
    client.connection_lost(error)
    assert client.over
    assert client.reset == reset
