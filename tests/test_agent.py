"""The internet's agent as the host drives it: a process on loopback, JSON on its standard streams."""

import asyncio
import importlib
import itertools
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from conformance import __version__
from conformance.bench.inside.driver import Load, LoadStep
from conformance.cases.attempt import Played
from conformance.cases.credentials import plain
from conformance.cases.script import Script, script_of
from conformance.internet.zones import load_zone
from conformance.pod.codec import decode, encode
from conformance.pod.configuration import Configuration
from conformance.pod.record import Receive, Send
from conformance.pod.world import World
from conformance.targets.target_agent import packed
from tests.agents import Driver, Failure, FakeTarget, agent, driven, measured, on_a_loop, request_of, served

GREETED = """
async def case(qmail):
    async with await qmail.connect() as session:
        assert session.greeting.code == 220, session.greeting
"""
ENDLESS = """
import asyncio

async def case(qmail):
    await qmail.observe()
    await asyncio.Event().wait()
"""


def script(source: str, **more: Any) -> Any:
    return encode(Script("elsewhere", "case", source=source, **more))


async def play(driver: Driver, wanted: Any) -> Played:
    """What comes of a script, with a target's agent and a qmail that only greets."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.here.example ESMTP\r\n")
        await reader.read()

    async with served(FakeTarget().serve, driver.target), served(greet, driver.smtp):
        return decode(Played, await driver.do("play", script=wanted))


@on_a_loop
async def test_hello_and_what_it_does_not_know() -> None:
    async with agent() as driver:
        target = FakeTarget()
        async with served(target.serve, driver.target):
            assert await driver.do("hello") == {"suite": __version__}
            assert target.asked[0][:4] == [b"users", b"user", b"alice", b""]
            with pytest.raises(Failure, match="no operation 'nonsense'"):
                await driver.do("nonsense")
            with pytest.raises(Failure, match="play: TypeError"):
                await driver.do("play", scripts=1)
            with pytest.raises(Failure, match=r"play: ValueError: script\.limit is 'x'"):
                await driver.do("play", script={**script(""), "limit": "x"})
            assert await driver.do("hello") == {"suite": __version__}
        status, errors = await driver.end()
    assert status == 0
    assert "TypeError" in errors, "a mistake of ours is shown with where it was made"


@driven
async def test_a_case_of_the_package_is_played_and_its_record_comes_back(driver: Driver) -> None:
    named = Script("conformance.cases.test_base_session", "test_greeting_falls_back_to_me")
    played = await play(driver, encode(named))
    assert (played.outcome, played.seen) == ("met", "")
    assert [act.act for act in played.record.acts] == [*("prepare", "connect", "receive", "close", "observe")]
    [said] = [act.data for act in played.record.acts if isinstance(act, Receive)]
    assert said == "220 mx.here.example ESMTP\r\n"
    times = [act.at for act in played.record.acts]
    assert 0 < times[0] <= times[-1] <= played.seconds


@on_a_loop
async def test_a_case_from_elsewhere_brings_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GREETED.replace("220", "int(wanted)").replace("(qmail)", "(qmail, wanted)")
    (tmp_path / "somewhere_else.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    case = importlib.import_module("somewhere_else").case

    async with agent() as driver:
        played = await play(driver, encode(script_of(case, wanted="220")))
        assert (played.outcome, played.seen) == ("met", "")
        played = await play(driver, encode(script_of(case, wanted="221")))
        assert played.outcome == "unmet"
        assert "reply 220" in played.seen


@driven
async def test_what_the_target_complains_of_in_the_end_says_nothing_about_qmail(driver: Driver) -> None:
    looks = itertools.count()

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await request_of(reader):
            answer = [b"ok", b"0", b"0"] if asked == [b"still"] else [b"ok"]
            if asked == [b"still"] and next(looks):  # at the second look, when all has been played
                answer = [b"failure", b"no room"]
            writer.write(packed(answer))

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.here.example ESMTP\r\n")
        await reader.read()

    async with served(target, driver.target), served(greet, driver.smtp):
        played = decode(Played, await driver.do("play", script=script(GREETED)))
    assert (played.outcome, played.record.acts[0].act) == ("invalid", "failure")
    assert "no room" in played.seen


@driven
async def test_what_is_no_script_or_does_not_end_is_invalid_and_the_next_is_played(driver: Driver) -> None:
    for source, why in (("import missing", "ModuleNotFound"), ("x = 1", "AttributeError"), ("?", "Syntax")):
        played = await play(driver, script(source))
        assert played.outcome == "invalid"
        assert played.seen.startswith(f"elsewhere cannot be imported: {why}")
        assert [act.act for act in played.record.acts] == ["failure"]
    played = await play(driver, script(ENDLESS, limit=0.1))
    assert (played.outcome, played.seen) == ("invalid", "the case did not end within 0.1 s")
    assert [act.act for act in played.record.acts] == ["prepare", "observe", "failure"]
    assert (await play(driver, script(GREETED))).outcome == "met"


@on_a_loop
async def test_a_script_that_blocks_the_agent_ends_it_and_where_is_told() -> None:
    async with agent() as driver:
        blocking = script("async def case(qmail):\n    while True: pass\n", limit=0.2)
        playing = asyncio.create_task(play(driver, blocking))
        status, errors = await driver.ended()
        playing.cancel()
    assert status == 1
    assert 'File "elsewhere.py", line 2 in case' in errors


@driven
async def test_long_scripts_and_long_records_pass_and_no_password_does(driver: Driver) -> None:
    long = (plain("alice").encode(), 1_000_000 * b"x")
    sends = [f"        await session.send({octets!r})" for octets in long]
    played = await play(driver, script(GREETED + "\n".join(sends)))
    assert played.outcome == "met", played.seen
    credentials, much = [act.data for act in played.record.acts if isinstance(act, Send)]
    assert credentials == "<plain of alice>"
    assert len(much) == 1_000_000


@pytest.mark.parametrize("told", [True, False])
@on_a_loop
async def test_an_agent_ends_with_its_input_or_when_it_is_told_to_whatever_it_plays(told: bool) -> None:
    async with agent() as driver:
        target = FakeTarget()
        async with served(target.serve, driver.target):
            playing = asyncio.create_task(driver.do("play", script=script(ENDLESS)))
            await target.heard.wait()
            if told:
                driver.process.send_signal(signal.SIGTERM)
            assert await (driver.ended() if told else driver.end()) == (0, "")
            playing.cancel()


@pytest.mark.parametrize("line", [b"Traceback (most recent call last)\n", b'{"id": 1,\n', b"\xff\n"])
@on_a_loop
async def test_a_broken_control_channel_ends_the_agent_with_a_word(line: bytes) -> None:
    async with agent() as driver:
        driver.write(line)
        status, errors = await driver.ended()
    assert status == 3
    assert "the control channel is broken" in errors
    assert "Traceback" not in errors


def test_the_agent_loads_nothing_that_it_does_not_need() -> None:
    """Its start-up is part of each pod's."""
    code = "import sys, conformance.targets.agent; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = ran.stdout.split()
    assert "dnslib" in modules
    assert not {"pytest", "docker", "aiosmtplib", "requests", "ctypes", "conformance.bench"} & set(modules)


# What a measurement needs besides


@measured
async def test_a_sink_tells_what_it_took_and_ends(driver: Driver) -> None:
    wanted = {"addresses": [["127.0.0.1", 0]], "refusing": False, "stamped": False}
    [[address, port]] = await driver.do("sink", **wanted)
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
    while not (await reader.readline()).startswith(b"221"):
        pass
    writer.close()
    assert (await driver.do("taken"))["envelopes"] == [["a@b.example", ["c@d.example"], 3, 1]]
    with pytest.raises(Failure, match="there is no sink"):
        await driver.do("taken")

    [[address, port]] = await driver.do("sink", **wanted)
    async with served(FakeTarget().serve, driver.target):
        await driver.do("prepare", world=encode(World()), configuration=encode(Configuration()))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)


@measured
async def test_questions_are_counted_and_what_cannot_be_set_up_is_a_failure(driver: Driver) -> None:
    world, configuration = World(zones=[load_zone("plain.example")]), encode(Configuration())
    async with served(FakeTarget().serve, driver.target):
        async with served(FakeTarget().serve, driver.dns):
            with pytest.raises(Failure, match=f"cannot listen on .*:{driver.dns} over tcp"):
                await driver.do("prepare", world=encode(world), configuration=configuration)
        await driver.do("prepare", world=encode(world), configuration=configuration)
    for name in ("plain.example", "other.example", "plain.example"):
        asked = DNSRecord.question(name, "MX")
        await asyncio.to_thread(asked.send, "127.0.0.1", driver.dns)
    assert await driver.do("counts") == {"questions": 3, "stray": 1}


@measured
async def test_a_load_is_driven_and_the_target_is_asked_for_what_it_takes(driver: Driver) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while await reader.readline():
            writer.write(b"250 ok\r\n")

    unit, closing = LoadStep(b"NOOP\r\n", b"2"), LoadStep(b"QUIT\r\n", b"2")
    load = Load("127.0.0.1", driver.smtp, 1, 3, (), (unit,), (closing,))
    target = FakeTarget({b"cpu": [b"ok", b"1.5"], b"wait_until_idle": [b"ok", b"1"]})
    async with served(answer, driver.smtp), served(target.serve, driver.target):
        result = await driver.do("load", driver="driver", load=encode(load), limit=20.0)
        assert result["units"] == 3
        assert await driver.do("cpu") == 1.5
        assert await driver.do("remotes", arguments=["h", "s\xe9"]) is None
        assert await driver.do("wait_until_idle", limit=2.0) is True
    assert target.asked == [[b"cpu"], [b"remotes", b"h", b"s\xe9"], [b"wait_until_idle", b"2000"]]
