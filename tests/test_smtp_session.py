"""Sessions: the raw one sends what it is told, the ordinary one is aiosmtplib through the same pod."""

from __future__ import annotations

import asyncio
from typing import cast

import aiosmtplib
import pytest

from conformance.pod.base import PodFailure
from conformance.smtp.ordinary import ordinary_client
from conformance.smtp.reply import CLOSED, SILENT
from conformance.smtp.session import Session
from tests.pods import CombiningPod, ScriptedPod


def test_a_reply_may_come_in_pieces_and_two_in_one() -> None:
    pod = ScriptedPod(b"220 mx ES", b"MTP\r\n25", b"0 one\r\n250 two\r\n")

    async def talk() -> None:
        async with Session(pod, 1) as session:
            assert session.greeting.text == "mx ESMTP"
            assert (await session.command("A")).text == "one"
            assert (await session.command("B")).text == "two"

    asyncio.run(talk())
    assert pod.sent == b"A\r\nB\r\n"
    assert pod.acts == ["close"]


def test_silence_and_an_end_are_no_reply() -> None:
    async def talk() -> None:
        async with Session(ScriptedPod(b"220 mx\r\n", None), 1) as session:
            assert await session.reply() == SILENT
            assert await session.reply() == CLOSED
            assert await session.closed()

    asyncio.run(talk())


def test_a_message_goes_out_with_its_dots_stuffed_and_one_final_dot() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"354 go\r\n", b"250 ok\r\n")

    async def talk() -> None:
        async with Session(pod, 1) as session:
            assert (await session.data(b".a\r\n..b\r\nc")).code == 250

    asyncio.run(talk())
    assert pod.sent == b"DATA\r\n..a\r\n...b\r\nc\r\n.\r\n"


def test_a_refused_data_command_is_followed_by_no_message() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"503 no\r\n")

    async def talk() -> None:
        async with Session(pod, 1) as session:
            assert (await session.data(b"x\r\n")).code == 503

    asyncio.run(talk())
    assert pod.sent == b"DATA\r\n"


@pytest.mark.parametrize("kind", [ScriptedPod, CombiningPod])
def test_aiosmtplib_speaks_through_the_pod(kind: type[ScriptedPod]) -> None:
    replies = (
        b"220 mx\r\n",
        b"250-mx\r\n250 SIZE\r\n",
        b"250 ok\r\n",
        b"250 ok\r\n",
        b"354 go\r\n",
        b"250 ok\r\n",
    )
    pod = kind(*replies)

    async def talk() -> None:
        async with ordinary_client(pod) as client:
            await client.sendmail("a@b.example", ["c@d.example"], b"Subject: x\r\n\r\n.x\r\n")

    asyncio.run(talk())
    assert pod.sent.startswith(b"EHLO ")
    assert b"\r\nRCPT TO:<c@d.example>\r\n" in pod.sent
    assert pod.sent.count(b"EHLO ") == 1
    assert pod.sent.endswith(b"DATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n")
    if isinstance(pod, CombiningPod):
        assert pod.several == [2, 1, 1, 1, 1], "the greeting and the reply to EHLO are one act"


def test_what_is_said_in_place_of_ehlo_is_no_ordinary_client() -> None:
    async def talk() -> None:
        async with ordinary_client(CombiningPod(b"220 mx\r\n", b"250 mx\r\n", b"250 ok\r\n")) as client:
            await client.execute_command(b"NOOP")

    with pytest.raises(RuntimeError, match="begins with b'EHLO"):
        asyncio.run(talk())


def test_a_pipeline_and_all_its_replies_are_one_act() -> None:
    pod = CombiningPod(b"220 mx\r\n", b"250 mx\r\n", b"250 one\r\n250 t", b"wo\r\n")

    async def talk() -> None:
        async with Session(pod, hello=True) as session:
            assert [reply.text for reply in await session.pipeline(["A", "B"])] == ["one", "two"]

    asyncio.run(talk())
    assert pod.several == [4]


class _Fails(ScriptedPod):
    """The container goes as the client says MAIL."""

    async def send(self, connection: int, data: bytes) -> bool:
        if data.startswith(b"MAIL"):
            raise PodFailure("the container has gone")
        return await super().send(connection, data)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (_Fails(b"220 mx\r\n", b"250 mx\r\n"), PodFailure),
        (ScriptedPod(None), aiosmtplib.SMTPException),
        (ScriptedPod(b"220 mx\r\n", b"250 mx\r\n", None), aiosmtplib.SMTPException),
        (ScriptedPod(b"220 mx\r\n", b"250 mx\r\n", b"250-", None), aiosmtplib.SMTPException),
    ],
)
def test_an_ordinary_client_is_told_of_any_end(pod: ScriptedPod, expected: type[Exception]) -> None:
    async def talk() -> None:
        async with ordinary_client(pod) as client:
            await client.sendmail("a@b.example", ["c@d.example"], b"Subject: x\r\n\r\nx\r\n")

    async def at_once() -> None:
        async with asyncio.timeout(5):
            await talk()

    with pytest.raises(expected):
        asyncio.run(at_once())


def test_an_ordinary_client_may_leave_before_the_reply() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"250 mx\r\n")
    faults: list[object] = []

    async def talk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with ordinary_client(pod) as client:
            transport = cast(asyncio.Transport, client.transport)
            transport.write(b"NOOP\r\n")
            transport.abort()
            async with asyncio.timeout(5):
                while "close" not in pod.acts:
                    await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    asyncio.run(talk())
    assert faults == []


def test_what_is_said_with_a_reply_at_hand_receives_nothing() -> None:
    pod = CombiningPod(b"220 mx\r\n", b"250 one\r\n250 two\r\n250 three\r\n", b"250 four\r\n", b"")

    async def talk() -> None:
        async with Session(pod) as session:
            assert [(await session.command(line)).text for line in "ABCD"] == ["one", "two", "three", "four"]
            assert await session.command("E") == CLOSED
            assert await session.command("F") == CLOSED

    asyncio.run(talk())
    assert pod.sent == b"A\r\nB\r\nC\r\nD\r\nE\r\nF\r\n", "what follows the end is sent all the same"
    assert pod.several == [2, 1, 1]


def test_what_is_known_before_is_said_in_one_act() -> None:
    replies = [b"220 mx\r\n", b"250 mx\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 in\r\n"]
    pod = CombiningPod(*replies, b"221 bye\r\n", b"503 no\r\n", b"250 one\r\n250 two\r\n", b"250 three\r\n")

    async def talk() -> None:
        async with Session(pod, hello=True) as session:
            assert pod.several == [], "nothing has been said"
            said = await session.hand_in("a@b.example", ["c@d.example"], b".x\r\n")
            assert [reply.code for reply in said] == [250, 250, 354, 250, 221]
            assert session.greeting.text == "mx"
            assert (await session.data(b"y\r\n")).code == 503
            said = await session.commands("NOOP", "RSET", "VRFY x")
            assert [reply.text for reply in said] == ["one", "two", "three"]

    asyncio.run(talk())
    sent = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n"
    assert pod.sent.partition(b"\r\n")[2] == sent + b"DATA\r\nNOOP\r\nRSET\r\nVRFY x\r\n"
    assert pod.several == [7, 1, 1, 1], "after two replies to one command it goes on one by one"


def test_writes_leave_apart_and_one_reply_is_read() -> None:
    pod = CombiningPod(b"220 mx\r\n", b"250 mx\r\n", b"250 ok\r\n")

    async def talk() -> None:
        async with Session(pod, hello=True) as session:
            assert (await session.say(b"NO", b"O", b"P\r\n")).text == "ok"

    asyncio.run(talk())
    assert pod.writes[1:] == [b"NO", b"O", b"P\r\n"]
    assert pod.several == [3]


def test_writes_leave_apart_where_the_pod_does_one_act_at_a_time() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"250 ok\r\n")

    async def talk() -> None:
        async with Session(pod) as session:
            assert (await session.say(b"NO", b"O", b"P\r\n")).text == "ok"

    asyncio.run(talk())
    assert pod.writes == [b"NO", b"O", b"P\r\n"]


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"no\r\n", None, b""])
def test_no_command_follows_a_greeting_that_refuses(greeting: bytes | None) -> None:
    pod = CombiningPod(greeting)

    async def talk() -> None:
        async with Session(pod, hello=True) as session:
            await session.command("NOOP")

    with pytest.raises(AssertionError, match="reply"):
        asyncio.run(talk())
    assert pod.sent == b""


def test_no_command_follows_a_refused_hello() -> None:
    pod = CombiningPod(b"220 mx\r\n", b"502 no\r\n")

    async def talk() -> None:
        async with Session(pod, hello=True) as session:
            await session.command("NOOP")

    with pytest.raises(AssertionError, match="reply 502"):
        asyncio.run(talk())
    assert b"NOOP" not in pod.sent


def test_a_session_on_which_nothing_is_said_is_greeted_all_the_same() -> None:
    pod = CombiningPod(b"554 no\r\n")

    async def talk() -> None:
        async with Session(pod):
            pass

    with pytest.raises(AssertionError, match="reply 554"):
        asyncio.run(talk())


def test_silence_at_the_greeting_is_waited_for_once() -> None:
    pod = CombiningPod(None, b"220 late\r\n")

    async def talk() -> None:
        async with await Session.connected(pod) as session:
            assert session.greeting == SILENT
            assert (await session.reply()).text == "late"

    asyncio.run(talk())
