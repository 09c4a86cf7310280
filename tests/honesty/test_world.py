"""A target that stands still, dies, or is asked by nobody: never a verdict about qmail."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

import pytest

from conformance.cases.attempt import Played, record
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.requirements import Case
from conformance.pod.secrets import fixture_secrets
from conformance.targets.sockets import SocketPod
from conformance.targets.target_agent import TargetAgent, packed
from tests.agents import FakeTarget, free_port, on_a_loop, request_of, served


async def greets(internet: Internet, qmail: Qmail) -> None:
    """A case about the greeting."""
    internet.refuse_smtp()  # port 25 is for one at a time
    async with qmail.session(hello=False) as smtp:
        assert smtp.greeting.code == 220


async def is_silent(internet: Internet, qmail: Qmail) -> None:
    """A case that waits for a reply in vain."""
    internet.refuse_smtp()  # port 25 is for one at a time
    smtp = await qmail.connect()
    assert (await smtp.reply(limit=0.05)).code == 220, "silence"


async def sends_data(internet: Internet, qmail: Qmail) -> None:
    """A case about the reply to a message."""
    internet.refuse_smtp()  # port 25 is for one at a time
    async with qmail.session(hello=False) as smtp:
        assert (await smtp.data(b"x\r\n")).code == 250


async def delivers(internet: Internet, qmail: Qmail) -> None:
    """A case about a delivery."""
    internet.refuse_smtp()
    internet.load("plain.example")
    assert (await qmail.remote("plain.example", "a@here.example", ["b@plain.example"])).accepted


Serve = Callable[[StreamReader, StreamWriter], Awaitable[None]]


async def played(case: Case, smtpd: Serve, target: Serve) -> Played:
    async with served(smtpd) as smtp, served(target) as agent:
        pod = SocketPod(TargetAgent(agent), smtp, ("127.0.0.1", free_port()))
        try:
            return await record(case, pod, fixture_secrets())
        finally:
            await pod.dispose()


def smtpd(*replies: bytes) -> Serve:
    """qmail-smtpd that says these, one a line it hears, and hangs up."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        for number, reply in enumerate(replies):
            if number:
                await reader.readline()
            writer.write(reply)

    return serve


async def silent(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()


def dying(*answers: list[bytes]) -> Serve:
    """A target's agent that gives so many answers and is gone."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        for answer in answers:
            await request_of(reader)
            writer.write(packed(answer))

    return serve


OK, RUNS = [b"ok"], [b"ok", b"0", b"0"]


@pytest.mark.parametrize(
    ("case", "smtpd", "target"),
    [
        (greets, smtpd(), dying()),
        (greets, smtpd(), dying(OK, RUNS)),
        (sends_data, smtpd(b"220 mx\r\n", b"354 go\r\n"), dying(OK, RUNS)),
        (is_silent, silent, dying(OK, RUNS)),
        (delivers, silent, dying(OK, RUNS)),
    ],
    ids=["between cases", "at the greeting", "in DATA", "in a silence", "in a delivery"],
)
@on_a_loop
async def test_a_target_that_dies_says_nothing_about_qmail(case: Case, smtpd: Serve, target: Serve) -> None:
    came = await played(case, smtpd, target)
    assert (came.outcome, came.record.acts[-1].act) == ("invalid", "failure"), came
    assert "the connection to the target agent broke" in came.seen


@on_a_loop
async def test_a_qmail_smtpd_that_hangs_up_is_qmails_doing() -> None:
    came = await played(sends_data, smtpd(b"220 mx\r\n", b"354 go\r\n"), FakeTarget().serve)
    assert came.outcome == "unmet", came


@pytest.mark.parametrize("case", [greets, is_silent])
@pytest.mark.parametrize(
    ("paused", "total", "outcome"),
    [("3.5", "3.5", "invalid"), ("0", "3.5", "invalid"), ("0", "0.3", "unmet")],
)
@on_a_loop
async def test_a_target_that_stood_still_says_nothing_about_qmail(
    case: Case, paused: str, total: str, outcome: str
) -> None:
    target = dying(OK, [b"ok", b"0", b"7.25"], [b"ok", paused.encode(), str(7.25 + float(total)).encode()])
    came = await played(case, silent if case is is_silent else smtpd(), target)
    assert came.outcome == outcome, came
    assert ("stood still for 3.5 s" in came.seen) is (outcome == "invalid")


@on_a_loop
async def test_where_our_own_limit_decided_less_may_be_lost() -> None:
    async def is_silent_for_long(internet: Internet, qmail: Qmail) -> None:
        internet.refuse_smtp()
        smtp = await qmail.connect()
        assert (await smtp.reply(limit=1.2)).code == 220, "silence"

    target = dying(OK, [b"ok", b"0", b"7"], [b"ok", b"0", b"7.45"])  # less than half of the time
    came = await played(is_silent_for_long, silent, target)
    assert came.outcome == "invalid", came
    assert "stood still for 0.5 s" in came.seen or "stood still for 0.4 s" in came.seen


@on_a_loop
async def test_a_listener_that_is_gone_says_nothing_about_qmail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.internet.smtpclient._PATIENCE", 0.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with served(FakeTarget().serve) as agent:
            pod = SocketPod(TargetAgent(agent), taken.getsockname(), ("127.0.0.1", free_port()))
            came = await record(greets, pod, fixture_secrets())
            await pod.dispose()
    assert came.outcome == "invalid"
    assert "nothing listens on 127.0.0.1" in came.seen


@on_a_loop
async def test_a_name_server_that_is_gone_says_nothing_about_qmail() -> None:
    report = [b"ok", b"r\0Zno\n\0", b"0", b"1", b"0.1"]

    class Deafened(FakeTarget):
        async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
            while (asked := await request_of(reader))[0] != b"remote":
                writer.write(packed(self.says.get(asked[0], OK)))
            pod.servers._datagrams.close()
            await asyncio.sleep(0)
            writer.write(packed(report))
            await super().serve(reader, writer)

    async with served(Deafened().serve) as agent:
        pod = SocketPod(TargetAgent(agent), ("127.0.0.1", free_port()), ("127.0.0.1", free_port()))
        came = await record(delivers, pod, fixture_secrets())
        await pod.dispose()
    assert came.outcome == "invalid"
    assert "our own name server" in came.seen
