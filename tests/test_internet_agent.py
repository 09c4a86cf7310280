"""The agent as the host drives it: a process on loopback, framed JSON on its standard input and output."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading
import time
from typing import Any

import pytest
from dnslib import DNSRecord

from conformance import __version__
from conformance.errors import WorldError
from conformance.internet import frames
from conformance.internet.servers import Servers
from conformance.internet.targetlink import packed, unpacked
from conformance.internet.zones import load_zone
from conformance.pod.world import Exchanger, Fault, Padding, World
from tests.agents import LONG, Driver, Failure, driven, ended, free_port, smtp_server


@driven
async def test_hello_and_what_it_does_not_know(driver: Driver) -> None:
    assert await driver.do("hello") == {"suite": __version__}
    with pytest.raises(Failure, match="no operation 'nonsense'"):
        await driver.do("nonsense")
    with pytest.raises(Failure, match="there is no connection 7"):
        await driver.do("close", connection=7)
    with pytest.raises(Failure, match="send"):
        await driver.do("send", connection=7)
    assert await driver.do("hello") == {"suite": __version__}


@driven
async def test_dns_over_udp_and_tcp(driver: Driver) -> None:
    await driver.world(zones=[load_zone("plain.example")], paddings=[Padding("plain.example", "MX", 4096)])
    short = await driver.ask_udp("plain.example", "MX")
    assert (short.header.tc, short.rr) == (1, [])
    whole = await driver.ask_tcp("plain.example", "MX")
    assert len(whole) == 2 + 4096
    seen = await driver.do("sight")
    assert [(q["over"], q["size"]) for q in seen["questions"]] == [("udp", 31), ("tcp", 4096)]
    assert 0 < seen["questions"][0]["at"] < seen["questions"][1]["at"] < LONG
    await driver.world(zones=[load_zone("plain.example")])
    assert (await driver.do("sight"))["questions"] == []
    assert (await driver.ask_udp("other.example", "MX")).rr == []
    assert (await driver.do("sight"))["stray"] == ["other.example MX"]


@driven
async def test_dns_over_tcp_can_be_refused_and_comes_back(driver: Driver) -> None:
    zones = [load_zone("plain.example")]
    await driver.world(zones=zones)
    assert await driver.ask_tcp("plain.example", "MX")
    await driver.world(zones=zones, tcp="refuse")
    with pytest.raises(ConnectionRefusedError):
        await driver.ask_tcp("plain.example", "MX")
    assert (await driver.ask_udp("plain.example", "MX")).rr
    await driver.world(zones=zones)
    assert await driver.ask_tcp("plain.example", "MX")


@driven
async def test_dns_faults_reach_the_wire(driver: Driver) -> None:
    faults = [
        Fault("plain.example", "close", type="MX", over="tcp", length=20),
        Fault("plain.example", "stall", type="A", over="tcp", length=5),
        Fault("plain.example", "delay", type="MX", over="udp", seconds=0.2),
    ]
    await driver.world(zones=[load_zone("plain.example")], faults=faults)
    assert len(await driver.ask_tcp("plain.example", "MX")) == 20
    start = time.monotonic()
    assert (await driver.ask_udp("plain.example", "MX")).rr
    assert time.monotonic() - start >= 0.2
    reader, writer = await asyncio.open_connection("127.0.0.1", driver.dns)
    asked = bytes(DNSRecord.question("plain.example", "A").pack())
    writer.write(2 * (struct.pack("!H", len(asked)) + asked))
    assert len(await asyncio.wait_for(reader.readexactly(5), LONG)) == 5
    # Nothing more comes until the world is replaced, which drops the connection.
    await driver.world()
    assert await ended(reader)
    writer.close()


@driven
async def test_a_wrong_world_is_a_failure_and_the_old_one_stays(driver: Driver) -> None:
    await driver.world(zones=[load_zone("plain.example")])
    with pytest.raises(Failure, match="zone 1 of the world, line 2"):
        await driver.world(zones=["$ORIGIN x.example.\n@ A nowhere\n"])
    assert (await driver.ask_udp("plain.example", "MX")).rr
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=f"cannot listen on 127.0.0.2:{port}"):
            await driver.world(exchangers=[Exchanger(port=port)])


@driven
async def test_exchangers_come_and_go_with_the_world(driver: Driver) -> None:
    ports = [free_port("127.0.0.2"), free_port("127.0.0.3")]
    await driver.world(exchangers=[Exchanger(port=ports[0]), Exchanger(address="127.0.0.3", port=ports[1])])
    reader, writer = await asyncio.open_connection("127.0.0.2", ports[0])
    writer.write(b"QUIT\r\n")
    assert (
        await asyncio.wait_for(reader.read(), LONG) == b"220 mx.test.example ESMTP\r\n221 mx.test.example\r\n"
    )
    writer.close()
    (exchange,) = (await driver.do("sight"))["exchanges"]
    assert (exchange["address"], exchange["port"]) == ("127.0.0.2", ports[0])
    assert exchange["transcript"][-1][1:] == ["!", "closed"]
    await driver.world(
        exchangers=[Exchanger(address="127.0.0.3", port=ports[1], steps={"connect": "421 no; reset"})]
    )
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.2", ports[0])
    with pytest.raises(ConnectionResetError):  # noqa: PT012  it may come before the client has connected
        reader, writer = await asyncio.open_connection("127.0.0.3", ports[1])
        await asyncio.wait_for(reader.read(), LONG)
    assert [seen["address"] for seen in (await driver.do("sight"))["exchanges"]] == ["127.0.0.3"]


@driven
async def test_a_silent_exchanger_answers_no_attempt_to_connect(driver: Driver) -> None:
    port = free_port("127.0.0.2")
    for _ in range(2):  # the second time the address has been used already
        await driver.world(exchangers=[Exchanger(port=port, silent=True)])
        with socket.socket() as client:
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                client.connect(("127.0.0.2", port))
        assert (await driver.do("sight"))["exchanges"] == []
        await driver.world(exchangers=[Exchanger(port=port)])
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.2", port), LONG)
        writer.close()


def test_a_kernel_that_answers_where_silence_is_wanted_is_the_worlds_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A longer queue is what such a kernel amounts to.
    listen = socket.socket.listen
    monkeypatch.setattr(socket.socket, "listen", lambda self, backlog: listen(self, backlog + 5))
    world = World(exchangers=[Exchanger(port=free_port("127.0.0.2"), silent=True)])

    async def serve() -> None:
        servers = Servers(("127.0.0.1", free_port("127.0.0.1")))
        try:
            servers.set_world(world)
        finally:
            servers.close()

    with pytest.raises(WorldError, match="should be silent"):
        asyncio.run(serve())


@driven
async def test_a_sink_tells_what_it_took_and_ends(driver: Driver) -> None:
    wanted = {"addresses": [["127.0.0.1", 0]], "refusing": False, "stamped": False}
    [[address, port]] = await driver.do("sink", **wanted)
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
    while not (await asyncio.wait_for(reader.readline(), LONG)).startswith(b"221"):
        pass
    writer.close()
    assert (await driver.do("taken"))["envelopes"] == [["a@b.example", ["c@d.example"], 3, 1]]
    with pytest.raises(Failure, match="there is no sink"):
        await driver.do("taken")

    [[address, port]] = await driver.do("sink", **wanted)
    await driver.world()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)


@driven
async def test_a_client_that_takes_its_time_is_heard(driver: Driver) -> None:
    port = free_port("127.0.0.2")
    await driver.world(exchangers=[Exchanger(port=port)])
    reader, writer = await asyncio.open_connection("127.0.0.2", port)
    await asyncio.wait_for(reader.readline(), LONG)
    # What it says soon would be waited for before this is answered.
    [exchange] = (await driver.do("sight"))["exchanges"]
    assert [said for _, _, said in exchange["transcript"]] == ["connected", "220 mx.test.example ESMTP\r\n"]
    writer.write(b"NOOP\r\n")
    assert await asyncio.wait_for(reader.readline(), LONG) == b"250 ok\r\n"
    writer.close()


@driven
async def test_a_client_that_never_pauses_leaves_others_their_turn(driver: Driver) -> None:
    port = free_port("127.0.0.2")
    await driver.world(exchangers=[Exchanger(port=port)])
    begun, enough = threading.Event(), threading.Event()

    def talk() -> None:
        with socket.create_connection(("127.0.0.2", port), LONG) as client:
            while not enough.is_set():
                client.sendall(b"NOOP\r\n")
                assert client.recv(65536)
                begun.set()

    talking = asyncio.create_task(asyncio.to_thread(talk))
    try:
        assert await asyncio.to_thread(begun.wait, LONG)
        assert len((await driver.do("sight"))["exchanges"]) == 1
    finally:
        enough.set()
        await talking


@driven
async def test_a_connection_of_the_old_world_is_dropped(driver: Driver) -> None:
    port = free_port("127.0.0.2")
    await driver.world(exchangers=[Exchanger(port=port, steps={"connect": "stall"})])
    reader, writer = await asyncio.open_connection("127.0.0.2", port)
    while not (await driver.do("sight"))["exchanges"]:
        pass
    await driver.world(exchangers=[Exchanger(port=port)])
    assert await ended(reader)
    writer.close()
    assert (await driver.do("sight"))["exchanges"] == []


async def request_of(reader: asyncio.StreamReader) -> list[bytes]:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return unpacked(await reader.readexactly(length))


@driven
async def test_requests_to_the_target_agent(driver: Driver) -> None:
    connections = 0

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            items = await request_of(reader)
            if items[0] == b"break":
                writer.close()
                return
            if items[0] == b"silence":
                await reader.read()
                writer.close()
                return
            refused = items[0] == b"wrong"
            writer.write(packed([b"failure" if refused else b"ok", b"heard", *items]))

    request = [b"", b"with NUL \0 and \xff", b"3:abc,"]
    async with smtp_server(driver.target, target):
        for _ in range(2):
            assert await driver.do("target", request=request, limit=LONG) == [b"heard", *request]
        both = [driver.do("target", request=[word], limit=LONG) for word in (b"a", b"b")]
        assert await asyncio.gather(*both) == [[b"heard", b"a"], [b"heard", b"b"]]
        assert connections == 1
        with pytest.raises(Failure, match="the target agent failed at 'wrong': heard wrong"):
            await driver.do("target", request=[b"wrong"], limit=LONG)
        with pytest.raises(Failure, match="broke"):
            await driver.do("target", request=[b"break"], limit=LONG)
        with pytest.raises(Failure, match=r"has not answered within 0\.1 s"):
            await driver.do("target", request=[b"silence"], limit=0.1)
        assert await driver.do("target", request=[b"again"], limit=LONG) == [b"heard", b"again"]
        assert connections == 3


@driven
async def test_an_absent_target_agent_is_a_failure_at_the_limit(driver: Driver) -> None:
    with pytest.raises(Failure, match="has not answered"):
        await driver.do("target", request=[b"x"], limit=0.1)


@driven
async def test_replacing_the_world_takes_milliseconds(driver: Driver) -> None:
    ports = [free_port("127.0.0.2") for _ in range(2)]
    parts: dict[str, Any] = {"zones": [load_zone("plain.example"), load_zone("txt-heavy.example")]}
    durations = []
    for turn in range(20):
        start = time.monotonic()
        await driver.world(**parts, exchangers=[Exchanger(port=ports[turn % 2])])
        durations.append(time.monotonic() - start)
    assert sorted(durations)[10] < 0.05


def test_frames_come_whole_from_any_pieces() -> None:
    objects = [{"id": 1, "text": "\x00\xff ✓"}, [], "x" * 70000, [b"\x00\xff", (1.5, None, True)]]
    octets = b"".join(map(frames.encode, objects))
    for size in (1, 3, 4096, len(octets)):
        decoder = frames.Decoder()
        found = [o for i in range(0, len(octets), size) for o in decoder.feed(octets[i : i + size])]
        assert found == objects
    with pytest.raises(ValueError, match="not a frame"):
        frames.Decoder().feed(b"Traceback (most recent call last)")
    cut_off = (b"", b"[\x02\0\0\0N", frames.encode("x")[4:8])
    for content in (*cut_off, b"}", b"[\x01\0\0\0" + b"0"):  # the last two are of no kind that there is
        with pytest.raises(ValueError, match="not a frame"):
            frames.Decoder().feed(len(content).to_bytes(4, "big") + content)


def test_a_list_that_is_cut_off_is_an_error() -> None:
    whole = packed([b"a", b""])
    assert unpacked(whole[4:]) == [b"a", b""]
    for cut in range(5, len(whole)):
        if cut != 4 + 5:  # there an item ends
            with pytest.raises(ValueError, match="cut off"):
                unpacked(whole[4:cut])


def test_a_broken_control_channel_ends_the_agent_with_a_word() -> None:
    async def whole() -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "conformance.internet.agent", "--dns-port", str(free_port()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(b"hello\n")
        _, said = await asyncio.wait_for(process.communicate(), LONG)
        assert process.returncode is not None
        return process.returncode, said

    status, said = asyncio.run(whole())
    assert status == 3
    assert b"control channel is broken" in said
    assert b"Traceback" not in said


def test_the_agent_loads_nothing_that_it_does_not_need() -> None:
    """Its start-up is part of each pod's."""
    code = (
        "import sys, conformance.internet.agent; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )

    async def loaded() -> list[str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        return (await asyncio.wait_for(process.communicate(), LONG))[0].decode().split()

    modules = set(asyncio.run(loaded()))
    assert "dnslib" in modules
    assert not modules & {"pytest", "docker", "aiosmtplib", "requests", "smtplib"}


@driven
async def test_a_request_without_an_id_is_done_first_and_not_answered(driver: Driver) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    assert driver.process.stdin is not None
    async with smtp_server(driver.smtp, silent):
        connection = await driver.do("connect")
        for _ in range(2):  # the second fails, which nobody hears of
            driver.process.stdin.write(frames.encode({"op": "close", "connection": connection}))
        with pytest.raises(Failure, match="no connection"):
            await driver.do("receive", connection=connection, limit=LONG)


@driven
async def test_a_world_is_set_when_the_target_is_prepared(driver: Driver) -> None:
    asked: list[list[bytes]] = []

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await request_of(reader))
            refused = asked[-1][-1] == b"wrong"
            writer.write(packed([b"failure" if refused else b"ok", asked[-1][0]]))

    def first(word: bytes, zone: str) -> dict[str, Any]:
        world = World(zones=[load_zone(zone)]).to_json()
        return {"request": [b"prepare", word], "limit": LONG, "world": world}

    look = {"request": [b"look"], "limit": LONG}
    async with smtp_server(driver.target, target):
        await driver.do("prepare", **first(b"right", "plain.example"))
        assert (await driver.ask_udp("plain.example", "MX")).rr
        with pytest.raises(Failure, match="failed at 'prepare'"):
            await driver.do("prepare", **first(b"wrong", "no-mx.example"))
        assert (await driver.ask_udp("plain.example", "MX")).rr, "the old world stays"
        inside, outside = await driver.do("look", **look)
        assert inside == [b"look"]
        assert [question["name"] for question in outside["questions"]] == ["plain.example"] * 2
        assert asked[-1] == [b"look"]

        # With another request, which is done after it, or not at all.
        inside, outside = await driver.do("look", **look, first=first(b"right", "no-mx.example"))
        assert asked[-2:] == [[b"prepare", b"right"], [b"look"]]
        assert outside["questions"] == []
        assert (await driver.ask_udp("no-mx.example", "A")).rr
        assert 0 <= driver.answers[-1]["stood"] < LONG
        with pytest.raises(Failure, match="failed at 'prepare'"):
            await driver.do("look", **look, first=first(b"wrong", "plain.example"))
        assert asked[-1] == [b"prepare", b"wrong"]


@driven
async def test_a_conversation_that_went_well_ends_and_the_target_is_asked(driver: Driver) -> None:
    asked: list[list[bytes]] = []
    ended = asyncio.Event()

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await request_of(reader))
            await ended.wait()  # the connection is closed before
            writer.write(packed([b"ok", b"1"]))

    async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while line := await reader.readline():
            writer.write(b"554 no\r\n" if line == b"no\r\n" else b"250 ok\r\n")
        ended.set()
        writer.close()

    async with smtp_server(driver.smtp, smtp), smtp_server(driver.target, target):
        await driver.world(zones=[load_zone("plain.example")])
        settle = {"limit": LONG, "request": [b"settle"], "settling": LONG}
        says = [[b"a\r\n", 220], [b"b\r\n", 250]]
        number, exchanges, seen, passed = await driver.do("converse_and_settle", says=says, **settle)
        assert [pieces[0][0] for _, _, pieces in exchanges] == [b"220 mx\r\n", b"250 ok\r\n", b"250 ok\r\n"]
        inside, outside = seen
        assert (inside, outside["exchanges"]) == ([b"1"], [])
        assert asked == [[b"settle"]]
        assert passed > 0, "the exchanges took place so many seconds before"
        with pytest.raises(Failure, match="there is no connection"):
            await driver.do("send", connection=number, data=b"c\r\n")

        says = [[b"no\r\n", 220], [b"b\r\n", 250]]
        number, exchanges, seen, passed = await driver.do("converse_and_settle", says=says, **settle)
        assert [pieces[0][0] for _, _, pieces in exchanges] == [b"220 mx\r\n", b"554 no\r\n"]
        assert (seen, passed) == (None, 0.0)
        assert asked == [[b"settle"]]
        assert await driver.do("send", connection=number, data=b"c\r\n") is True
