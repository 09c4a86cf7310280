"""The control channel without an engine: requests and answers, losses, streams, sights, leftovers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.errors import WorldError
from conformance.internet.frames import Decoder
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, RecipientCheck
from conformance.pod.mailboxes import User
from conformance.pod.world import World
from conformance.targets.docker import engine
from conformance.targets.docker.acts import AgentPod, configuration_items, read_sight, user_items
from conformance.targets.docker.attach import (
    STDERR,
    STDOUT,
    Attachment,
    Demultiplexer,
    Threads,
    Watched,
    streams,
)
from conformance.targets.docker.channel import Channel
from conformance.targets.docker.sweep import is_leftover, machine, owner, started


class Far:
    """The other end of a channel, in the hands of the test."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._decoder = Decoder()
        self.channel = Channel(lambda octets: self.requests.extend(self._decoder.feed(octets)))


def run(test: Callable[[Far], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(20):
            await test(Far())

    asyncio.run(within())


def test_answers_find_their_requests_in_any_order() -> None:
    async def test(far: Far) -> None:
        first = asyncio.create_task(far.channel.request("connect"))
        second = asyncio.create_task(far.channel.request("receive", connection=1, limit=2.0))
        await asyncio.sleep(0)
        one, two = far.requests
        assert (two["op"], two["connection"], two["limit"]) == ("receive", 1, 2.0)
        far.channel.deliver([{"id": two["id"], "result": "b"}, {"id": one["id"], "result": 7}])
        assert (await first, await second) == (7, "b")

    run(test)


def test_a_failure_is_a_failure_of_the_pod() -> None:
    async def test(far: Far) -> None:
        asked = asyncio.create_task(far.channel.request("connect"))
        await asyncio.sleep(0)
        far.channel.deliver([{"id": far.requests[0]["id"], "failure": "nothing listens"}])
        with pytest.raises(PodFailure, match="nothing listens"):
            await asked

    run(test)


def test_a_lost_channel_fails_what_waits_and_what_comes_later() -> None:
    async def test(far: Far) -> None:
        asked = asyncio.create_task(far.channel.request("sight"))
        await asyncio.sleep(0)
        far.channel.lose("the internet container ended")
        far.channel.lose("a later reason")
        for later in (asked, far.channel.request("sight")):
            with pytest.raises(PodFailure, match="the internet container ended"):
                await later

    run(test)


def test_an_agent_that_never_answers_is_a_failure_and_its_late_answer_is_dropped() -> None:
    async def test(far: Far) -> None:
        with pytest.raises(PodFailure, match=r"has not answered 'sight' within 0\.01 s"):
            await far.channel.request("sight", patience=0.01)
        far.channel.deliver([{"id": far.requests[0]["id"], "result": 1}])

    run(test)


def test_octets_pass_to_the_target_agent_and_back_unchanged() -> None:
    every = bytes(range(256))

    async def test(far: Far) -> None:
        asked = asyncio.create_task(far.channel.target(b"remote", every))
        await asyncio.sleep(0)
        (request,) = far.requests
        assert request["request"] == [b"remote", every]
        far.channel.deliver([{"id": request["id"], "result": [every]}])
        assert await asked == [every]

    run(test)


@pytest.mark.parametrize("size", [1, 7, 8, 1000])
def test_the_engines_stream_is_taken_apart_however_it_is_cut(size: int) -> None:
    pieces = [(STDOUT, b"one"), (STDERR, b"complaint"), (STDOUT, b""), (STDOUT, b"x" * 300)]
    wire = b"".join(bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for stream, text in pieces)
    demultiplexer = Demultiplexer()
    found = [piece for at in range(0, len(wire), size) for piece in demultiplexer.feed(wire[at : at + size])]
    assert found == pieces


class Opaque:
    """A socket as TLS or SSH have them: it blocks, and no loop can watch it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


async def served_streams(
    kind: Callable[[Any], Any],
) -> tuple[Watched | Threads, socket.socket, asyncio.Queue[tuple[int, bytes | None]]]:
    """A socket to the engine as it is served, its other end, and what is heard over it."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[tuple[int, bytes | None]] = asyncio.Queue()
    made = await asyncio.to_thread(streams, kind(ours), lambda *piece: heard.put_nowait(piece), loop, "test")
    return made, theirs, heard


@pytest.mark.parametrize(("kind", "served"), [(lambda link: link, Watched), (Opaque, Threads)])
def test_a_socket_to_the_engine_is_served_both_ways(kind: Callable[[Any], Any], served: type) -> None:
    much = b"x" * 3_000_000

    async def test() -> None:
        made, theirs, heard = await served_streams(kind)
        assert isinstance(made, served)
        made.send(much)
        made.send(b"end")
        reader, writer = await asyncio.open_connection(sock=theirs)
        assert await reader.readexactly(len(much) + 3) == much + b"end"
        writer.write(
            bytes([STDERR, 0, 0, 0, 0, 0, 0, 2]) + b"no" + bytes([STDOUT, 0, 0, 0, 0, 0, 0, 3]) + b"y"
        )
        assert await heard.get() == (STDERR, b"no")
        writer.write(b"es")
        assert await heard.get() == (STDOUT, b"yes")
        writer.close()
        assert await heard.get() == (STDOUT, None)
        made.close()

    asyncio.run(asyncio.wait_for(test(), 20))


@pytest.mark.parametrize("kind", [lambda link: link, Opaque])
def test_letting_go_ends_the_containers_input(kind: Callable[[Any], Any]) -> None:
    async def test() -> None:
        made, theirs, heard = await served_streams(kind)
        await asyncio.to_thread(made.close)
        reader, _ = await asyncio.open_connection(sock=theirs)
        assert await reader.read() == b""
        assert await heard.get() == (STDOUT, None)

    asyncio.run(asyncio.wait_for(test(), 20))


def test_the_engines_response_can_be_collected_once_it_is_let_go() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
    response = HTTPResponse(ours)
    response.begin()
    attached = response.fp.raw  # as the SDK takes it, and where it keeps the response
    attached._response = SimpleNamespace(raw=SimpleNamespace(_fp=response))
    client = SimpleNamespace(api=SimpleNamespace(attach_socket=lambda *_, **__: attached))

    async def test() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        attachment = await asyncio.to_thread(Attachment, client, "x", lambda *_: ended.set(), loop)
        attachment.close()
        await ended.wait()

    asyncio.run(asyncio.wait_for(test(), 20))
    response.close()  # as the collector does
    theirs.close()


def test_acts_are_one_request_each() -> None:
    async def test(far: Far) -> None:
        pod = AgentPod(far.channel)

        async def done(act: Coroutine[Any, Any, Any], result: Any, **more: Any) -> Any:
            task = asyncio.create_task(act)
            await asyncio.sleep(0)
            far.channel.deliver([{"id": far.requests[-1]["id"], "result": result, **more}])
            return await task

        outside: dict[str, Any] = {"questions": [], "exchanges": [], "stray": []}
        sight = [b"log", b"one\n", b"", b""]
        heard = [[True, 0.5, [[b"220 \xff", 0.4], [b"", 0.3]]], [False, 0.2, [[None, 0.1]]]]
        number, [greeting, exchange] = await done(pod.converse(None, [(b"\xfe", 220)], 2.0, 3), [7, heard])
        assert [far.requests[-1][name] for name in ("says", "limit", "replies")] == [[(b"\xfe", 220)], 2.0, 3]
        assert (number, greeting["taken"], exchange["taken"]) == (7, True, False)
        assert [received for received, _ in greeting["received"]] == [b"220 \xff", b""]
        assert exchange["received"][0][0] is None
        times = [greeting["sent"], greeting["received"][0][1], greeting["received"][1][1], exchange["sent"]]
        assert times == sorted(times)
        ran = [b"r\0Kok\n\0", b"0", b"1", b"0.25", *sight]
        result, seen = await done(pod.remote_and_look("h", "s", ["r"], b"m", 1.0), [ran, outside])
        assert far.requests[-1]["request"] == [b"then_look", b"remote", b"1000", b"m", b"h", b"s", b"r"]
        assert result == {"report": "r\0Kok\n\0", "status": 0, "ended": True, "seconds": 0.25}
        assert seen["log"] == ["one"]
        rests, seen = await done(pod.settle_and_look(1.0), [[b"0", *sight], outside])
        assert (rests, seen["log"]) == (False, ["one"])
        assert [request["op"] for request in far.requests] == ["converse", "look", "look"]

    run(test)


def test_what_needs_no_answer_goes_out_with_the_next_act() -> None:
    async def test(far: Far) -> None:
        pod = AgentPod(far.channel)
        await pod.close(7)
        await pod.prepare(World(), Configuration())
        assert far.requests == []
        assert pod.stood is None
        before = time.monotonic()
        looking = asyncio.create_task(pod.look())
        await asyncio.sleep(0)
        close, look = far.requests
        assert close == {"op": "close", "connection": 7}
        assert look["first"]["request"][0] == b"prepare"
        seen = [[b"log", b"", b"", b""], {"questions": [], "exchanges": [], "stray": []}]
        far.channel.deliver([{"id": look["id"], "result": seen, "stood": 2.0}])
        await looking
        assert pod.stood is not None
        assert before - 2.0 <= pod.stood <= time.monotonic() - 2.0
        again = asyncio.create_task(pod.look())
        await asyncio.sleep(0)
        assert "first" not in far.requests[-1], "it has been done"
        again.cancel()
        far.channel.lose("the internet container ended")
        with pytest.raises(PodFailure, match="ended"):
            await pod.close(7)
        with pytest.raises(PodFailure, match="ended"):
            await pod.prepare(World(), Configuration())

    run(test)


def test_a_configuration_is_told_whole() -> None:
    configuration = Configuration(
        control={"me": "mx.here.example\n"},
        recipient_check=RecipientCheck(),
        dot_qmail={"alice/.qmail-list": "./Maildir/\n"},
        delivering=True,
        resolver="timeout:3",
    )
    items = configuration_items(configuration)
    told = {(items[at], items[at + 1]): items[at + 2] for at in range(0, len(items), 3)}
    assert told[b"control", b"me"] == b"mx.here.example\n"
    assert told[b"dot-qmail", b"alice/.qmail-list"] == b"./Maildir/\n"
    assert told[b"resolver", b""] == b"timeout:3"
    assert {(b"program", b"session"), (b"program", b"rcptcheck"), (b"delivering", b"")} <= set(told)
    assert b"delivering" not in configuration_items(Configuration())


def test_users_are_told_with_octets_as_passwords() -> None:
    users = [User("alias", None, {".qmail-root": "&a@here.example"}), User("bob", "p\xe9")]
    assert user_items(users) == [
        b"dot-qmail", b"alias/.qmail-root", b"&a@here.example",
        b"user", b"bob", b"",
        b"password", b"bob", b"p\xe9",
    ]  # fmt: skip


def test_a_sight_is_read_from_both_agents() -> None:
    inside = [
        b"queued", b"", b"a@x.example\0b\xe9@x.example\0", b"Subject: \xff\n",
        b"mail", b"alice", b"first", b"",
        b"mail", b"alice", b"second", b"",
        b"run", b"rcptcheck\0/var/lib/qmail\0" b"1\0x\0\0\0" b"0\0A=b=c\0B=\0", b"", b"",
        b"log", b"one\ntwo\n", b"", b"",
    ]  # fmt: skip
    sight = read_sight({"questions": [], "exchanges": [], "stray": ["x. A"]}, inside)
    assert sight["queue"] == [
        {"sender": "", "recipients": ["a@x.example", "b\xe9@x.example"], "octets": "Subject: \xff\n"}
    ]
    assert sight["mailboxes"] == {"alice": ["first", "second"]}
    assert sight["runs"][0]["arguments"] == ["x"]
    assert sight["runs"][0]["environment"] == {"A": "b=c", "B": ""}
    assert sight["log"] == ["one", "two"]
    assert sight["stray"] == ["x. A"]


# Leftovers


def test_only_a_dead_owner_of_this_machine_leaves_leftovers() -> None:
    alive = {10: "500"}
    assert not is_leftover("here|10|500", "here", alive.get)
    assert is_leftover("here|10|499", "here", alive.get), "another process has its number now"
    assert is_leftover("here|11|500", "here", alive.get)
    assert not is_leftover("elsewhere|11|500", "here", alive.get)
    assert not is_leftover("", "here", alive.get)
    assert not is_leftover("here|x|", "here", alive.get)


def test_this_process_owns_what_it_starts_and_a_dead_one_does_not() -> None:
    assert not is_leftover(owner(), machine(), started)
    code = "from conformance.targets.docker.sweep import owner; print(owner())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_leftover(ran.stdout.strip(), machine(), started)


def test_a_zombie_is_not_alive() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert started(pid) in (None, "")  # "" where the system tells no start time
    finally:
        os.waitpid(pid, 0)


def test_no_engine_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(WorldError, match="no Docker engine answers") as raised:
        engine.connect()
    assert "DOCKER_HOST" in raised.value.hint
    assert "no Docker engine answers" in engine.available()
