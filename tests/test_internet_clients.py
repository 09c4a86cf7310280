"""SMTP connections of the internet to the target: octets both ways, waits, floods."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.errors import WorldError
from conformance.internet.clients import Clients
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
        assert await driver.do("send", connection=connection, data=every) is True
        await driver.do("shut", connection=connection)
        received = b""
        while more := await driver.do("receive", connection=connection, limit=LONG):
            received += more
        assert more == b""
        assert received == every
        assert await driver.do("receive", connection=connection, limit=LONG) == b""
        assert await driver.do("send", connection=connection, data=b"x") is False
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
        assert await driver.do("send", connection=connection, data=b"go\r\n")
        assert await pending == b"late"
        pending = asyncio.create_task(driver.do("receive", connection=connection, limit=LONG))
        assert await driver.do("hello")
        await driver.world()
        assert await pending == b"", "the world's end ends the connection"
        with pytest.raises(Failure, match="no connection"):
            await driver.do("receive", connection=connection, limit=LONG)
        assert await driver.do("connect") == connection + 1


def test_connect_does_not_wait_for_ever() -> None:
    async def connect() -> None:
        await Clients(("127.0.0.1", free_port()), patience=0.05).connect()

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
        said = await driver.do("converse", connection=1, says=[[b"x", 0]], limit=0.01)
        assert heard(said) == [(True, [None])], "what is silent holds nothing up"


def heard(result: Any) -> list[tuple[bool, list[bytes | None]]]:
    """Of each exchange of a conversation whether its octets were taken, and what came."""
    return [(taken, [said for said, _ in pieces]) for taken, _, pieces in result[1]]


@driven
async def test_a_conversation_gives_what_its_acts_give(driver: Driver) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 greeting\r\n")
        while said := await reader.read(100):
            if said == b"leave":
                break
            if said != b"silence":
                writer.write(b"250 to " + said + b"\r\n")
        writer.close()

    async with smtp_server(driver.smtp, answer):
        result = await driver.do("converse", connection=None, says=[[b"\xff", 220], [b"b", 0]], limit=LONG)
        said = [(True, [b"220 greeting\r\n"]), (True, [b"250 to \xff\r\n"]), (True, [b"250 to b\r\n"])]
        assert heard(result) == said
        sent = [ago for _, ago, _ in result[1]]
        assert sent == sorted(sent, reverse=True), "what was sent later was sent fewer seconds ago"
        on = {"connection": result[0], "limit": LONG}
        only = [(True, [b"250 to c\r\n"])]
        assert heard(await driver.do("converse", says=[[b"c", 0], [b"d", 251]], **on)) == only
        quiet = {"connection": result[0], "limit": 0.01}
        silence = [(True, [None])]
        assert heard(await driver.do("converse", says=[[b"silence", 0], [b"e", 0]], **quiet)) == silence
        assert heard(await driver.do("converse", says=[[b"leave", 0], [b"f", 0]], **on)) == [(True, [b""])]
        assert heard(await driver.do("converse", says=[[b"g", 0]], **on)) == [(False, [b""])]
        with pytest.raises(Failure, match="no connection 77"):
            await driver.do("converse", connection=77, says=[[b"", 0]], limit=LONG)


@driven
async def test_a_conversation_waits_for_whole_replies_and_stops_at_others(driver: Driver) -> None:
    said = asyncio.Queue[bytes]()
    on = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-two")
        await on.wait()
        writer.write(b" lines\r\n220 end\r\n")
        said.put_nowait(await reader.readline())
        writer.write(b"250 one\r\n250 another\r\n")
        said.put_nowait(await reader.readline())
        writer.write(b"what?\r\n")
        await reader.read()
        writer.close()

    async with smtp_server(driver.smtp, answer):
        says = [[b"a\r\n", 220], [b"b\r\n", 0]]
        pending = asyncio.create_task(driver.do("converse", connection=None, says=says, limit=LONG))
        assert await driver.do("hello")  # by then the greeting is waited for in the loop
        on.set()
        number, exchanges = await pending
        greeting, two = ([b"".join(said for said, _ in pieces)] for _, _, pieces in exchanges)
        assert greeting == [b"220-two lines\r\n220 end\r\n"]
        assert two == [b"250 one\r\n250 another\r\n"]
        assert await said.get() == b"a\r\n"
        assert said.empty(), "two replies to one command: nothing more is said by itself"
        result = await driver.do("converse", connection=number, says=says, limit=LONG)
        assert heard(result) == [(True, [b"what?\r\n"])]


@driven
async def test_what_is_said_last_has_as_many_replies_as_are_told(driver: Driver) -> None:
    some, on = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        await reader.readline()
        writer.write(b"250 one\r\n250-two\r\n")
        some.set()
        await on.wait()
        writer.write(b"250 of two lines\r\n250 three\r\n250 fo")
        await reader.readline()
        writer.write(b"ur\r\n")
        await reader.readline()
        writer.write(b"250 five\r\n")
        writer.close()

    def joined(result: Any) -> list[bytes]:
        return [b"".join(said for said, _ in pieces) for _, _, pieces in result[1]]

    async with smtp_server(driver.smtp, answer):
        both = {"says": [[b"a\r\n", 220]], "limit": LONG, "replies": 3}
        pending = asyncio.create_task(driver.do("converse", connection=None, **both))
        await some.wait()
        for _ in range(2):  # by the second it has seen in the loop what came before the first
            assert await driver.do("hello")
        assert not pending.done(), "two of three replies are still to come"
        on.set()
        result = await pending
        told = [b"220 mx\r\n", b"250 one\r\n250-two\r\n250 of two lines\r\n250 three\r\n250 fo"]
        assert joined(result) == told
        kept = {"connection": result[0], "limit": LONG}
        assert joined(await driver.do("converse", says=[[b"b\r\n", 0]], **kept)) == [b"ur\r\n"]
        # An end comes before the replies that are missing.
        ends = await driver.do("converse", says=[[b"c\r\n", 0]], replies=9, **kept)
        assert joined(ends) == [b"250 five\r\n"]


@driven
async def test_what_is_said_at_once_waits_for_no_reply(driver: Driver) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        writer.write(b"250 to " + await reader.readline())
        writer.close()

    async with smtp_server(driver.smtp, answer):
        says = [[b"NO", 220], [b"O", -1], [b"P\r\n", -1]]
        result = await driver.do("converse", connection=None, says=says, limit=LONG)
        nothing: list[bytes] = []
        assert heard(result) == [
            (True, [b"220 mx\r\n"]),
            (True, nothing),
            (True, nothing),
            (True, [b"250 to NOOP\r\n"]),
        ]


@driven
async def test_octets_that_the_server_does_not_take_wait_and_hold_nothing_up(driver: Driver) -> None:
    read_on = asyncio.Event()
    much = b"x" * 20_000_000

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_on.wait()
        count = 0
        while count < len(much):
            count += len(await reader.read(1 << 20))
        writer.write(b"all")
        writer.close()

    async with smtp_server(driver.smtp, late):
        connection = await driver.do("connect")
        says = [[much, 0]]
        pending = asyncio.create_task(driver.do("converse", connection=connection, says=says, limit=LONG))
        assert await driver.do("hello")
        assert not pending.done()
        read_on.set()
        assert heard(await pending) == [(True, [b"all", b""])]
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
        connection, [[_, _, pieces]] = await driver.do("converse", connection=None, says=[], limit=LONG)
        sizes = [len(received) for received, _ in pieces]
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
        assert await first == b""
