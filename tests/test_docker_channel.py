"""The control channel without an engine: requests and answers, losses, streams, leftovers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import Any, cast

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.errors import WorldError
from conformance.pod.base import PodFailure
from conformance.pod.codec import encode
from conformance.pod.record import Failure, Record
from conformance.targets.docker import engine
from conformance.targets.docker.attach import STDERR, STDOUT, Attachment, Demultiplexer
from conformance.targets.docker.channel import Channel
from conformance.targets.docker.pod import Containers, DockerPod
from conformance.targets.docker.sweep import is_leftover, machine, owner, started
from tests.agents import on_a_loop


class Far:
    """The other end of a channel, in the hands of the test."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.channel = Channel(self._take)

    def _take(self, octets: bytes) -> None:
        self.requests += map(json.loads, octets.splitlines())

    async def asked(self, op: str, **fields: Any) -> asyncio.Task[Any]:
        """A request that is on its way."""
        asking = asyncio.create_task(self.channel.request(op, **fields))
        await asyncio.sleep(0)
        return asking

    def answer(self, place: int, **said: Any) -> None:
        """Answer the request in that place."""
        self.channel.feed(json.dumps({"id": self.requests[place]["id"], **said}).encode() + b"\n")


@on_a_loop
async def test_answers_find_their_requests_in_any_order_and_in_any_pieces() -> None:
    for size in (1, 7, 1000):
        far = Far()
        first, second, third = [await far.asked(op, more="\xff") for op in ("hello", "cpu", "counts")]
        one, two, three = far.requests
        assert (two["op"], two["more"]) == ("cpu", "\xff")
        ids = two["id"], one["id"], three["id"]
        said = b"".join(b'{"id": %d, "result": "%d"}\n' % (number, number) for number in ids)
        for at in range(0, len(said), size):
            far.channel.feed(said[at : at + size])
        results = [await first, await second, await third]
        assert results == [str(each["id"]) for each in far.requests]


@on_a_loop
async def test_a_failure_is_a_failure_of_the_pod() -> None:
    far = Far()
    asked = await far.asked("play")
    far.answer(0, failure="nothing listens")
    with pytest.raises(PodFailure, match="nothing listens"):
        await asked
    asked = await far.asked("play")
    far.answer(1, result=None)
    assert await asked is None


@on_a_loop
async def test_a_lost_channel_fails_what_waits_and_what_comes_later() -> None:
    far = Far()
    asked = await far.asked("play")
    answered = await far.asked("cpu")
    far.answer(1, result=1.5)
    far.channel.lose("the internet container ended")
    far.channel.lose("a later reason")
    assert await answered == 1.5, "it came before"
    for later in (asked, far.channel.request("play")):
        with pytest.raises(PodFailure, match="the internet container ended"):
            await later


@pytest.mark.parametrize(
    "line", [b"Traceback (most recent call last):", b"[]", b'{"result": 1}', b'{"id": 1}', b"7"]
)
@on_a_loop
async def test_what_is_no_answer_loses_the_channel(line: bytes) -> None:
    far = Far()
    asked = await far.asked("play")
    far.channel.feed(line + b"\n")
    with pytest.raises(PodFailure) as raised:
        await asked
    assert str(raised.value) == f"the control channel is broken: {line!r} is no answer"


@on_a_loop
async def test_an_agent_that_never_answers_is_a_failure_and_its_late_answer_is_dropped() -> None:
    far = Far()
    with pytest.raises(PodFailure, match=r"has not answered 'play' within 0\.01 s"):
        await far.channel.request("play", patience=0.01)
    gone = await far.asked("play")
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    asked = await far.asked("cpu")
    for place in (0, 1, 2, 2):
        far.answer(place, result=place)
    assert await asked == 2


@on_a_loop
async def test_a_script_is_one_request_and_an_answer_that_is_no_record_a_failure() -> None:
    far = Far()
    pod = DockerPod(cast(Containers, SimpleNamespace(ids=[], channel=far.channel)))
    script = Script("m", "f", {"a": "b"}, "text", 2.0)
    played = Played(Record((Failure(at=0.5, reason="no"),)), "invalid", "no", 0.75)
    for result in (encode(played), {**encode(played), "outcome": "fine"}):
        playing = asyncio.create_task(pod.play(script))
        await asyncio.sleep(0)
        far.answer(-1, result=result)
        if result["outcome"] == "invalid":
            assert await playing == played
    assert [(each["op"], each["script"]) for each in far.requests] == [("play", encode(script))] * 2
    with pytest.raises(PodFailure, match=r"is no record: played\.outcome is 'fine', not one of met"):
        await playing


@pytest.mark.parametrize("size", [1, 7, 8, 1000])
def test_the_engines_stream_is_taken_apart_however_it_is_cut(size: int) -> None:
    pieces = [(STDOUT, b"one"), (STDERR, b"complaint"), (STDOUT, b""), (STDOUT, b"x" * 300)]
    wire = b"".join(bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for stream, text in pieces)
    demultiplexer = Demultiplexer()
    found = [piece for at in range(0, len(wire), size) for piece in demultiplexer.feed(wire[at : at + size])]
    assert found == pieces


Pieces = asyncio.Queue[tuple[int, bytes | None]]


def attached(link: Any) -> tuple[Attachment, Pieces]:
    """The streams of a container for which the engine gives this socket, and what is heard of them."""
    heard: Pieces = asyncio.Queue()
    client = SimpleNamespace(api=SimpleNamespace(attach_socket=lambda *_, **__: link))
    loop = asyncio.get_running_loop()
    return Attachment(client, "x", lambda *piece: heard.put_nowait(piece), loop), heard


@on_a_loop
async def test_a_containers_streams_are_served_both_ways_until_they_are_let_go() -> None:
    much = b"x" * 3_000_000
    ours, theirs = socket.socketpair()
    made, heard = attached(ours)
    made.send(much)
    made.send(b"end")
    reader, writer = await asyncio.open_connection(sock=theirs)
    assert await reader.readexactly(len(much) + 3) == much + b"end"
    writer.write(bytes([STDERR, 0, 0, 0, 0, 0, 0, 2]) + b"no" + bytes([STDOUT, 0, 0, 0, 0, 0, 0, 3]) + b"y")
    assert await heard.get() == (STDERR, b"no")
    writer.write(b"es")
    assert await heard.get() == (STDOUT, b"yes")
    made.close()
    assert await reader.read() == b""
    assert await heard.get() == (STDOUT, None)
    writer.close()


@on_a_loop
async def test_the_end_of_a_container_is_told() -> None:
    ours, theirs = socket.socketpair()
    made, heard = attached(ours)
    theirs.close()
    assert await heard.get() == (STDOUT, None)
    made.send(b"nobody takes it")
    made.close()


@on_a_loop
async def test_the_engines_response_can_be_collected_once_it_is_let_go() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
    response = HTTPResponse(ours)
    response.begin()
    link: Any = response.fp.raw  # as the SDK takes it, and where it keeps the response
    link._response = SimpleNamespace(raw=SimpleNamespace(_fp=response))
    made, heard = attached(link)
    made.close()
    assert await heard.get() == (STDOUT, None)
    response.close()  # as the collector does
    theirs.close()


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
