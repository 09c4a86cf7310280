"""SMTP connections of the internet to the target: octets both ways, waits, floods."""

from __future__ import annotations

import asyncio

import pytest

from conformance.errors import WorldError
from conformance.internet import clients
from tests.agents import LONG, Driver, Failure, driven, free_port, smtp_server


@driven
async def test_octets_pass_both_ways_as_they_are(driver: Driver) -> None:
    every = bytes(range(256)) * 1000

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    async with smtp_server(driver.smtp, echo):
        connection = await driver.do("connect")
        assert await driver.do("receive", connection=connection, limit=0.01) is None
        assert await driver.do("send", connection=connection, data=every.decode("latin-1")) is True
        await driver.do("shut", connection=connection)
        received = ""
        while more := await driver.do("receive", connection=connection, limit=LONG):
            received += more
        assert more == ""
        assert received.encode("latin-1") == every
        assert await driver.do("receive", connection=connection, limit=LONG) == ""
        assert await driver.do("send", connection=connection, data="x") is False
        await driver.do("close", connection=connection)


@driven
async def test_a_pending_receive_holds_nothing_up(driver: Driver) -> None:
    async def greet_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"late")
        await reader.read()
        writer.close()

    async with smtp_server(driver.smtp, greet_late):
        connection = await driver.do("connect")
        pending = asyncio.create_task(driver.do("receive", connection=connection, limit=LONG))
        assert await driver.do("hello")
        assert not pending.done()
        assert await driver.do("send", connection=connection, data="go\r\n")
        assert await pending == "late"
        pending = asyncio.create_task(driver.do("receive", connection=connection, limit=LONG))
        assert await driver.do("hello")
        await driver.world()
        assert await pending == "", "the world's end ends the connection"
        with pytest.raises(Failure, match="no connection"):
            await driver.do("receive", connection=connection, limit=LONG)
        assert await driver.do("connect") == connection + 1


def test_connect_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_PATIENCE", 0.05)

    async def connect() -> None:
        await clients.Clients(("127.0.0.1", free_port())).connect()

    with pytest.raises(WorldError, match=r"nothing listens on 127\.0\.0\.1:\d+ after 0\.05 s"):
        asyncio.run(connect())


@driven
async def test_connect_waits_for_a_listener(driver: Driver) -> None:
    pending = asyncio.create_task(driver.do("connect"))
    assert await driver.do("hello")  # by then the first attempt has been refused

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with smtp_server(driver.smtp, silent):
        assert await pending == 1


@driven
async def test_two_acts_in_one_give_what_both_give(driver: Driver) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"greeting")
        while said := await reader.read(100):
            if said == b"leave":
                break
            if said != b"silence":
                writer.write(b"to " + said)
        writer.close()

    async with smtp_server(driver.smtp, answer):
        connection, greeting = await driver.do("greet", limit=LONG)
        assert greeting == "greeting"
        exchange = {"connection": connection, "limit": LONG}
        assert await driver.do("exchange", data="\xff", **exchange) == [True, "to \xff"]
        assert await driver.do("exchange", data="silence", connection=connection, limit=0.01) == [True, None]
        assert await driver.do("exchange", data="leave", **exchange) == [True, ""]
        assert await driver.do("exchange", data="more", **exchange) == [False, ""]
        with pytest.raises(Failure, match="no connection 77"):
            await driver.do("exchange", connection=77, data="", limit=LONG)


@driven
async def test_octets_that_the_server_does_not_take_wait_and_hold_nothing_up(driver: Driver) -> None:
    read_on = asyncio.Event()
    much = "x" * 20_000_000

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_on.wait()
        count = 0
        while count < len(much):
            count += len(await reader.read(1 << 20))
        writer.write(b"all")
        writer.close()

    async with smtp_server(driver.smtp, late):
        connection = await driver.do("connect")
        pending = asyncio.create_task(driver.do("exchange", connection=connection, data=much, limit=LONG))
        assert await driver.do("hello")
        assert not pending.done()
        read_on.set()
        assert await pending == [True, "all"]
        # A server that goes away takes no more.
        read_on.clear()
        connection = await driver.do("connect")
        pending = asyncio.create_task(driver.do("send", connection=connection, data=much))
        assert await driver.do("hello")
        await driver.world()
        assert await pending is False


@driven
async def test_a_server_that_floods_is_made_to_wait(driver: Driver) -> None:
    flood = b"x" * 8_000_000

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(flood)
        writer.close()

    async with smtp_server(driver.smtp, floods):
        connection, received = await driver.do("greet", limit=LONG)
        sizes = [len(received)]
        while sizes[-1]:
            sizes.append(len(await driver.do("receive", connection=connection, limit=LONG)))
        assert sum(sizes) == len(flood)
        assert max(sizes) < 2_000_000


@driven
async def test_only_one_waits_for_a_connections_octets(driver: Driver) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with smtp_server(driver.smtp, silent):
        connection = await driver.do("connect")
        first = asyncio.create_task(driver.do("receive", connection=connection, limit=LONG))
        assert await driver.do("hello")
        with pytest.raises(Failure, match="waits for octets of this connection already"):
            await driver.do("receive", connection=connection, limit=LONG)
        await driver.do("shut", connection=connection)
        assert await first == ""
