"""The control channel without an engine: requests and answers, losses, streams, leftovers."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.pod.base import PodFailure
from conformance.pod.codec import encode
from conformance.pod.record import Failure, Record
from conformance.targets import channel
from conformance.targets.channel import Channel
from conformance.targets.docker import engine
from conformance.targets.docker.attach import STDERR, STDOUT, Attachment
from conformance.targets.docker.pod import DockerPod
from conformance.targets.docker.sweep import (
    FORGOTTEN,
    OWNER_LABEL,
    is_leftover,
    leftovers,
    machine,
    owner,
    started,
)
from tests.agents import on_a_loop
from tests.processes import python


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


@pytest.mark.parametrize("size", [1, 7, 1000])
@on_a_loop
async def test_answers_find_their_requests_in_any_order_and_in_any_pieces(size: int) -> None:
    far = Far()
    asked = [await far.asked(op, more="\xff") for op in ("hello", "cpu", "counts")]
    assert [(request["op"], request["more"]) for request in far.requests][1] == ("cpu", "\xff")
    ids = [request["id"] for request in far.requests]
    said = b"".join(b'{"id": %d, "result": "%d"}\n' % (ids[at], ids[at]) for at in (1, 0, 2))
    for at in range(0, len(said), size):
        far.channel.feed(said[at : at + size])
    assert await asyncio.gather(*asked) == [str(number) for number in ids]


@on_a_loop
async def test_a_failure_is_the_pods_and_a_lost_channel_fails_what_waits_and_comes_later() -> None:
    far = Far()
    failed, answered, waiting = [await far.asked("play") for _ in range(3)]
    far.answer(0, failure="nothing listens")
    far.answer(1, result=None)
    far.channel.lose("the internet container ended")
    far.channel.lose("a later reason")
    assert await answered is None, "it came before"
    for asked, told in (
        (failed, "nothing listens"),
        (waiting, "container ended"),
        (far.channel.request("play"), "container ended"),
    ):
        with pytest.raises(PodFailure, match=told):
            await asked


@pytest.mark.parametrize("line", [b"Traceback (most recent", b"[]", b'{"result": 1}', b'{"id": 1}', b"7"])
@on_a_loop
async def test_what_is_no_answer_loses_the_channel(line: bytes) -> None:
    far = Far()
    asked = await far.asked("play")
    far.channel.feed(line + b"\n")
    with pytest.raises(PodFailure) as raised:
        await asked
    assert str(raised.value) == f"the control channel is broken: {line!r} is no answer"


@on_a_loop
async def test_an_answer_without_an_end_loses_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LONGEST_ANSWER", 1000)
    far = Far()
    asked = await far.asked("play")
    for _ in range(3):
        far.channel.feed(b"x" * 400)
    with pytest.raises(PodFailure, match="an answer of more than 1000 octets"):
        await asked
    far.channel.feed(b"nobody takes it\n")


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
    pod = DockerPod()
    pod.channel = far.channel
    script = Script("m", "f", {"a": "b"}, "text", 2.0)
    played = Played(Record((Failure(at=0.5, reason="no"),)), "invalid", "no", 0.75)
    good, bad = asyncio.create_task(pod.play(script)), asyncio.create_task(pod.play(script))
    await asyncio.sleep(0)
    far.answer(0, result=encode(played))
    far.answer(1, result={**encode(played), "outcome": "fine"})
    assert await good == played
    assert [(request["op"], request["script"]) for request in far.requests] == [("play", encode(script))] * 2
    with pytest.raises(PodFailure, match=r"is no record: played\.outcome is 'fine', not one of met"):
        await bad


# A container's streams, with the SDK and a server in the place of the engine


Heard = asyncio.Queue[tuple[int, bytes | None]]


@asynccontextmanager
async def attached(
    path: Path,
) -> AsyncIterator[tuple[Attachment, Heard, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Our end of a container's streams, what is heard there, and the engine's end in both directions."""
    heard: Heard = asyncio.Queue()
    ends: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        ends.put_nowait((reader, writer))

    server = await asyncio.start_unix_server(upgrade, path)
    client = engine.sdk().DockerClient(base_url=f"unix://{path}", version="1.40")
    loop = asyncio.get_running_loop()
    ours = await asyncio.to_thread(Attachment, client, "x", lambda *piece: heard.put_nowait(piece), loop)
    reader, writer = await ends.get()
    yield ours, heard, reader, writer
    ours.close()
    writer.close()
    client.close()
    server.close()


def piece(stream: int, content: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


@on_a_loop
async def test_a_containers_streams_are_served_both_ways_until_they_are_let_go(tmp_path: Path) -> None:
    much = b"x" * 3_000_000
    async with attached(tmp_path / "engine") as (ours, heard, reader, writer):
        ours.send(much)
        ours.send(b"end")
        assert await reader.readexactly(len(much) + 3) == much + b"end"
        pieces = [(STDERR, b"no"), (STDOUT, b""), (STDOUT, much)]
        wire = b"".join(piece(*said) for said in pieces)
        for cut in (wire[:3], wire[3:9], wire[9:-1], wire[-1:]):
            writer.write(cut)
            await writer.drain()
            await asyncio.sleep(0.001)
        assert [await heard.get() for _ in pieces] == pieces
        ours.close()
        assert await reader.read() == b""
        assert await heard.get() == (STDOUT, None)


@on_a_loop
async def test_the_end_of_a_container_is_told(tmp_path: Path) -> None:
    async with attached(tmp_path / "engine") as (ours, heard, _, writer):
        writer.write(piece(STDOUT, b"cut off")[:3])
        writer.close()
        assert await heard.get() == (STDOUT, None)
        ours.send(b"nobody takes it")


# Leftovers


@pytest.mark.parametrize(
    ("label", "left"),
    [
        ("here|10|500", False),
        ("here|10|499", True),  # another process has its number now
        ("here|11|500", True),
        ("elsewhere|11|500", False),
        ("", False),
        ("here|x|", False),
        ("here", False),
        ("here|\u00b2|500", False),  # a digit to Python, and no number
        ("here|" + "9" * 5000 + "|500", False),
        ("here|11|yesterday", False),
        ("he|re|10|499", False),
    ],
)
def test_only_a_dead_owner_of_this_machine_leaves_leftovers(label: str, left: bool) -> None:
    assert is_leftover(label, "here", {10: "500"}.get) is left


@pytest.mark.parametrize(
    ("state", "age", "label", "left"),
    [
        ("created", FORGOTTEN + 60, "before the last start|1|1", True),
        ("exited", FORGOTTEN + 60, "\u00b2", True),
        ("created", 60, "before the last start|1|1", False),
        ("running", FORGOTTEN + 60, "before the last start|1|1", False),
        ("running", 60, "a dead owner", True),
        ("created", FORGOTTEN - 60, "ourselves", False),
    ],
)
def test_what_does_not_run_for_an_hour_is_left_over_whoever_owns_it(
    state: str, age: int, label: str, left: bool
) -> None:
    label = {"ourselves": owner(), "a dead owner": f"{machine()}|{os.getpid()}|0"}.get(label, label)
    container = {"Id": "x" * 64, "State": state, "Created": time.time() - age, "Labels": {OWNER_LABEL: label}}
    client = SimpleNamespace(api=SimpleNamespace(containers=lambda **_: [container | {"Names": ["/name"]}]))
    assert leftovers(client) == ({"x" * 64: "name"} if left else {})


def test_this_process_owns_what_it_starts_and_a_dead_one_does_not() -> None:
    assert not is_leftover(owner(), machine(), started)
    ran = python("-c", "from conformance.targets.docker.sweep import owner; print(owner())")
    assert is_leftover(ran.stdout.strip(), machine(), started)


def test_a_zombie_is_not_alive() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert started(pid) in (None, "")  # "" where the system tells no start time
    finally:
        os.waitpid(pid, 0)
