"""The way to the target's agent: lists over one connection, in order; what is told and what is read."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from typing import Any

import pytest

from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, RecipientCheck
from conformance.pod.installation import Installation
from conformance.pod.observation import FileSeen, HookCall, QueuedMessage, SmtpdProcess
from conformance.pod.world import Exchanger, World
from conformance.targets import target_agent
from conformance.targets.sockets import SocketPod
from conformance.targets.target_agent import TargetAgent, configuration_items, packed, unpacked
from tests.agents import LONG, FakeTarget, free_port, on_a_loop, request_of, served

EVERY = bytes(range(256))


def test_a_list_is_packed_and_unpacked_and_one_that_is_cut_off_is_an_error() -> None:
    for items in ([], [b""], [b"a", b"", EVERY * 300]):
        whole = packed(items)
        assert int.from_bytes(whole[:4], "big") == len(whole) - 4
        assert unpacked(whole[4:]) == items
    whole = packed([b"a", b""])
    for cut in range(5, len(whole)):
        if cut != 4 + 5:  # there an item ends
            with pytest.raises(ValueError, match="cut off"):
                unpacked(whole[4:cut])


class Echo:
    """A target's agent that says what it heard; to "late" when the test allows it, to "break" nothing."""

    def __init__(self) -> None:
        self.connections = 0
        self.late = asyncio.Event()

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        while (heard := await request_of(reader)) != [b"break"]:
            if heard == [b"late"]:
                await self.late.wait()
            writer.write(packed([b"ok", *heard]))


@on_a_loop
async def test_requests_over_one_connection_are_answered_in_their_order() -> None:
    echo = Echo()
    async with served(echo.serve) as address:
        agent = TargetAgent(address)
        assert await agent.ask(b"", EVERY, b"3:abc,") == [b"", EVERY, b"3:abc,"]
        asked = [agent.ask(word, limit=LONG) for word in (b"a", b"b", b"c")]
        assert await asyncio.gather(*asked) == [[b"a"], [b"b"], [b"c"]]
        assert echo.connections == 1
        with pytest.raises(PodFailure, match="the connection to the target agent broke"):
            await agent.ask(b"break")
        assert await agent.ask(b"again") == [b"again"]
        assert echo.connections == 2
        agent.close()


@pytest.mark.parametrize("cancelled", [False, True])
@on_a_loop
async def test_a_late_answer_is_not_the_next_one(monkeypatch: pytest.MonkeyPatch, cancelled: bool) -> None:
    echo = Echo()
    async with served(echo.serve) as address:
        agent = TargetAgent(address)
        await agent.ask(b"first")
        if cancelled:  # as by a case that is at its limit
            asking = asyncio.create_task(agent.ask(b"late"))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
        else:
            monkeypatch.setattr(target_agent, "LATENESS", 0.05)
            with pytest.raises(PodFailure, match=r"has not answered 'late' within 0\.1 s"):
                await agent.ask(b"late", limit=0.05)
        echo.late.set()
        assert await agent.ask(b"next", limit=LONG) == [b"next"]
        agent.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (packed([b"failure", b"no", b"d\xff\n"]), "the target agent failed at 'op': no d\ufffd"),
        (packed([]), "the target agent failed at 'op': "),
        (b"", "the connection to the target agent broke: 0 bytes read"),
        (packed([b"ok", b"cut"])[:-1], "the connection to the target agent broke: 12 bytes read"),
        (b"\0\0\0\2no", "the connection to the target agent broke: a list of octet strings is cut off"),
    ],
)
@on_a_loop
async def test_what_is_no_good_answer_is_the_pods_failure(answer: bytes, said: str) -> None:
    async def once(reader: StreamReader, writer: StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)

    async with served(once) as address:
        agent = TargetAgent(address)
        with pytest.raises(PodFailure) as raised:
            await agent.ask(b"op")
        assert str(raised.value).startswith(said)
        agent.close()


@on_a_loop
async def test_an_agent_that_is_just_coming_up_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_agent, "LATENESS", 0.1)
    address = ("127.0.0.1", free_port())
    agent = TargetAgent(address)
    with pytest.raises(PodFailure, match=r"not answered 'op' within 0\.1 s"):
        await agent.ask(b"op")
    pending = asyncio.create_task(agent.ask(b"op", limit=LONG))
    await asyncio.sleep(0)
    async with served(FakeTarget().serve, address[1]):
        assert await pending == []


# What is told, and what is read


def test_a_configuration_is_told_whole_and_nothing_that_it_lacks() -> None:
    def told(**configured: Any) -> dict[tuple[bytes, bytes], bytes]:
        items = configuration_items(Configuration(**configured))
        return {(items[at], items[at + 1]): items[at + 2] for at in range(0, len(items), 3)}

    always = {(b"program", b"session"), (b"resolver", b"")}
    assert set(told()) == always
    assert set(told(recipient_check=RecipientCheck(fate="missing"))) == always
    assert set(told(recipient_check=RecipientCheck())) == always | {(b"program", b"rcptcheck")}
    assert (b"delivering", b"") in told(delivering=True)
    for configured, item in (
        ({"control": {"me": "mx.h\xe9re\n"}}, (b"control", b"me", b"mx.h\xe9re\n")),
        ({"dot_qmail": {"alice/.qmail-x": "#\n"}}, (b"dot-qmail", b"alice/.qmail-x", b"#\n")),
        ({"resolver": "timeout:3"}, (b"resolver", b"", b"timeout:3")),
        ({"verifying": True}, (b"verifying", b"", b"")),
        ({"verifying": "mute"}, (b"verifying", b"", b"mute")),
    ):
        assert told(**configured)[item[:2]] == item[2]


SEEN = [
    b"ok",
    b"queued", b"", b"a@x.example\0b\xe9@x.example\0", b"Subject: \xff\n",
    b"mail", b"alice", b"first", b"",
    b"mail", b"alice", b"second", b"",
    b"hook", b"rcptcheck\0" b"1\0x\0/var/lib/qmail\0qmaild\0nofiles\0nofiles mail\0"
    b"0022\0PIPE HUP\0" b"2\0" b"0 socket\n"
    b"1 /a b\0\0\0" b"0\0" b"0\0A=b=c\0B=\0", b"in\0\xff", b"F\0\0",
    b"hook", b"checkpassword\0" b"2\0t\0u\0/\0\0\0\0\0\0" b"0\0\0bob\0<c>\0" b"1\0" b"3\0", b"", b"",
    b"home", b"/var/qmail", b"", b"",
    b"log", b"one\ntwo\n", b"", b"",
]  # fmt: skip


@on_a_loop
async def test_an_observation_is_read_from_the_target_and_the_servers() -> None:
    port = free_port("127.0.0.2")
    target = FakeTarget({b"observe": SEEN})
    async with served(target.serve) as address:
        pod = SocketPod(TargetAgent(address), address, ("127.0.0.1", free_port()))
        await pod.prepare(World(exchangers=[Exchanger(port=port)]), Configuration())
        target.heard.clear()
        with socket.socket() as client:
            observing = asyncio.create_task(pod.observe())
            await target.heard.wait()
            client.connect(("127.0.0.2", port))  # what comes before the target's answer is seen
            seen = await observing
        await pod.dispose()
    recipients = ["a@x.example", "b\xe9@x.example"]
    assert seen.queue == [QueuedMessage("", recipients, "Subject: \xff\n")]
    assert seen.mailboxes == {"alice": ["first", "second"]}
    assert seen.hook_calls == [
        HookCall(
            "rcptcheck",
            ["x"],
            "/var/lib/qmail",
            {"A": "b=c", "B": ""},
            "",
            "",
            False,
            "qmaild",
            "nofiles",
            ["nofiles", "mail"],
            "0022",
            ["PIPE", "HUP"],
            2,
            {"0": "socket", "1": "/a b"},
            "in\0\xff",
            "F\0\0",
        ),
        HookCall("checkpassword", ["t", "u"], "/", {}, "bob", "<c>", True, ends=3),
    ]
    assert (seen.log, seen.home) == (["one", "two"], "/var/qmail")
    assert (seen.questions, seen.stray) == ([], [])
    assert [session.port for session in seen.mx_sessions] == [port]


@on_a_loop
async def test_what_stands_of_packages_is_read_and_none_is_unsupported() -> None:
    told = [
        (b"dpkg", b"1", b"0", b"Setting up qmail"), (b"package", b"qmail", b"1.06 install ok unpacked", b""),
        (b"control", b"me", b"mx\n", b""), (b"status", b"bin/qmail-queue", b"4711 qmailq qmail", b""),
        (b"user", b"qmailq 64014 64010", b"", b""), (b"sender", b"old", b"", b""),
    ]  # fmt: skip
    fake = FakeTarget({b"packages": [b"ok", *(word for item in told for word in item)]})
    async with served(fake.serve) as address:
        agent = TargetAgent(address)
        assert await agent.packages("upgrade") == Installation(
            status=1,
            ended=False,
            said="Setting up qmail",
            packages={"qmail": "1.06 install ok unpacked"},
            control={"me": "mx\n"},
            files=[FileSeen("bin/qmail-queue", "4711", "qmailq", "qmail")],
            users=["qmailq 64014 64010"],
            sender="old",
        )
        assert fake.asked[-1] == [b"packages", b"upgrade", b"30000"]
        fake.says[b"packages"] = [b"ok", b"unsupported", b"", b"", b""]
        assert "not at hand" in (await agent.packages("upgrade")).unsupported
        fake.says[b"packages"] = [b"ok", b"unsupported", b"cannot", b"said by dpkg", b""]
        tried = await agent.packages("begin")
        assert (tried.unsupported, tried.said) == ("cannot: said by dpkg", "said by dpkg")
        agent.close()


@on_a_loop
async def test_sessions_are_told_by_their_connections_and_how_these_ended() -> None:
    linger = struct.pack("ii", 1, 0)  # a close is a reset
    ports: list[int] = []

    async def greet(reader: StreamReader, writer: StreamWriter) -> None:
        ports.append(writer.get_extra_info("peername")[1])
        writer.write(b"220 mx\r\n")
        if await reader.read(1) == b"r":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    target = FakeTarget()
    async with served(greet) as smtp, served(target.serve) as address:
        pod = SocketPod(TargetAgent(address), smtp, ("127.0.0.1", free_port()))
        await pod.prepare(World(), Configuration())
        numbers = [await pod.connect() for _ in range(3)]
        for number in numbers:
            await pod.receive(number, LONG)
        for number, said in zip(numbers, (b"r", b"c"), strict=False):
            await pod.send(number, said)
            assert await pod.receive(number, LONG) == b""
        await pod.close(numbers[0])
        sessions = [(ports[2], b"7 ", b"900 3 1"), (ports[1], b"6 256", b""), (ports[0], b"5 11", b"")]
        told = [part for port, *told in [*sessions, (1, b"9 0", b"")] for part in (str(port).encode(), *told)]
        items = [part for at in range(0, len(told), 3) for part in (b"session", *told[at : at + 3])]
        target.says[b"observe"] = [b"ok", *items]
        seen = await pod.observe()
        await pod.dispose()
    assert target.asked[-1] == [b"observe", str(ports[2]).encode()], "whose connections are still open"
    first, second, third = numbers
    assert seen.sessions == [
        SmtpdProcess(first, 5, -11, reset=True),
        SmtpdProcess(second, 6, 1),
        SmtpdProcess(third, 7, None, memory=900, descriptors=3, children=1),
    ]


# The pod of which it is a part


@on_a_loop
async def test_connections_of_a_pod_end_with_a_new_world_and_their_numbers_are_not_used_again() -> None:
    async def greet(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        writer.write(await reader.read())

    target = FakeTarget()
    async with served(greet) as smtp, served(target.serve) as address:
        pod = SocketPod(TargetAgent(address), smtp, ("127.0.0.1", free_port()))
        first, second = await pod.connect(), await pod.connect()
        assert await pod.receive(second, LONG) == b"220 mx\r\n"
        assert await pod.send(second, b"more")
        await pod.shut(second)
        assert await pod.receive(second, LONG) == b"more"
        await pod.close(second)
        assert await pod.receive(first, LONG) == b"220 mx\r\n"
        pending = asyncio.create_task(pod.receive(first, LONG))
        await asyncio.sleep(0)
        await pod.prepare(World(), Configuration())
        assert await pending == b""
        for gone in (first, second):
            with pytest.raises(PodFailure, match=f"there is no connection {gone}"):
                await pod.send(gone, b"x")
        assert await pod.connect() not in (first, second)
        before = pod.servers.nameserver
        target.says[b"prepare"] = [b"failure", b"no"]
        with pytest.raises(PodFailure, match="failed at 'prepare': no"):
            await pod.prepare(World(), Configuration())
        assert pod.servers.nameserver is before, "the old world stands until the target is prepared"
        await pod.dispose()
