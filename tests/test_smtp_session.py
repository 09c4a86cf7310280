"""Sessions: the raw one sends what it is told, the ordinary one is aiosmtplib through the same pod."""

import asyncio
from typing import cast

import pytest

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.base import PodFailure
from conformance.smtp.ordinary import ordinary_client
from conformance.smtp.reply import CLOSED, ENDLESS, LONGEST_REPLY, SILENT
from conformance.smtp.session import Session
from tests.agents import on_a_loop
from tests.pods import ScriptedPod

OK = b"250 ok\r\n"
GREETING = b"220 mx\r\n"


@on_a_loop
async def test_a_reply_may_come_in_pieces_and_two_in_one() -> None:
    pod = ScriptedPod(b"220 mx ES", b"MTP\r\n25", b"0 one\r\n250 two\r\n")
    async with Session(pod, 1) as session:
        assert session.greeting.text == "mx ESMTP"
        assert (await session.command("A")).text == "one"
        assert (await session.command(b"\xff")).text == "two"
    assert pod.sent == b"A\r\n\xff\r\n"
    assert pod.acts == ["close"]


@on_a_loop
async def test_silence_and_an_end_are_no_reply_and_what_follows_is_sent_all_the_same() -> None:
    pod = ScriptedPod(GREETING, None, b"421 bye\r\n", b"")
    async with Session(pod, 1) as session:
        assert await session.reply() == SILENT
        assert [reply.code for reply in await session.commands("A", "B", "C")] == [421, 0, 0]
        assert await session.reply() == CLOSED
        assert await session.closed()
    assert pod.sent == b"A\r\nB\r\nC\r\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"RCPT TO:<a@b.example>\r\n", "RCPT TO:<a@b.example>"),
        (b"NOOP\r\nQUIT\r\n", "QUIT"),
        (b"RCPT TO:<" + 99 * b"a", "RCPT TO:<" + 51 * "a"),
        # What may be credentials goes into no report.
        (b"AUTH PLAIN AGEAc2VjcmV0\r\n", "AUTH"),
        (b"c2VjcmV0\r\n", "what the client said"),
        (b"", "connecting"),
    ],
)
@on_a_loop
async def test_a_reply_that_did_not_come_says_why_and_after_what(said: bytes, words: str) -> None:
    session = Session(ScriptedPod(None, b""), 1)
    await session.send(said)
    assert repr(await session.reply(3)) == f"<no reply: silent for 3 s after {words}>"
    assert repr(await session.reply(3)) == f"<no reply: closed after {words}>"


@on_a_loop
async def test_a_reply_without_an_end_is_garbled_and_nothing_more_is_read() -> None:
    line = b"250-" + b"x" * (LONGEST_REPLY // 2) + b"\r\n"
    async with Session(ScriptedPod(GREETING, line, line, OK), 1) as session:
        assert await session.command("A") == ENDLESS
        assert await session.reply() == ENDLESS


@on_a_loop
async def test_a_message_goes_out_stuffed_and_octets_as_they_are() -> None:
    pod = ScriptedPod(GREETING, b"354 go\r\n", OK, OK, OK, b"354 go\r\n", OK)
    async with Session(pod, 1) as session:
        assert (await session.data(b".a\r\n..b\r\nc")).code == 250
        assert pod.sent == b"DATA\r\n..a\r\n...b\r\nc\r\n.\r\n"
        said = await session.transaction("", ["c@d.example"], b".\n.\r\n")
        assert [reply.code for reply in said] == [250, 250, 354, 250]
    assert pod.writes[-1] == b".\n.\r\n"


@pytest.mark.parametrize(
    "codes",
    [[250, 550, 250, 354, 250, 221], [250, 250, 250, 503], [250, 250, 250, 354, 451]],
    ids=["whole", "no message follows a refused DATA", "no QUIT follows a refused message"],
)
@on_a_loop
async def test_a_submission_is_said_one_by_one_as_far_as_it_comes(codes: list[int]) -> None:
    pod = ScriptedPod(GREETING, *(b"%d x\r\n" % code for code in codes))
    async with Session(pod, 1) as session:
        said = await session.submit("a@b.example", ["c@d.example", "e@d.example"], b".x\r\n")
        assert [reply.code for reply in said] == codes
    envelope = [b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"RCPT TO:<e@d.example>\r\n"]
    whole = [*envelope, b"DATA\r\n", b"..x\r\n.\r\n", b"QUIT\r\n"]
    assert pod.writes == whole[: len(codes)]


@on_a_loop
async def test_a_pipeline_leaves_in_one_write_and_other_writes_apart() -> None:
    pod = ScriptedPod(GREETING, b"250 one\r\n250 t", b"wo\r\n", b"250 three\r\n")
    async with Session(pod, 1) as session:
        assert [reply.text for reply in await session.pipeline(["A", "B"])] == ["one", "two"]
        assert (await session.say(b"NO", b"O", b"P\r\n")).text == "three"
        await session.half_close()
    assert pod.writes == [b"A\r\nB\r\n", b"NO", b"O", b"P\r\n"]
    assert pod.acts == ["shut", "close"]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([b"554 no\r\n"], b""), ([b"no\r\n"], b""), ([None], b""), ([b""], b""),
        ([GREETING, b"502 no\r\n"], b"EHLO client.test.example\r\n"),
    ],
)  # fmt: skip
@on_a_loop
async def test_no_command_follows_a_refused_greeting_or_hello(said: list[bytes | None], sent: bytes) -> None:
    pod = ScriptedPod(*said)
    with pytest.raises(AssertionError, match="reply"):
        async with Qmail(pod, Internet()).session():
            pytest.fail("it is not entered")
    assert pod.sent == sent


@on_a_loop
async def test_silence_at_the_greeting_is_waited_for_once_and_a_failure_closes_nothing() -> None:
    pod = ScriptedPod(None, b"220 late\r\n")
    with pytest.raises(AssertionError, match="not as expected"):  # noqa: PT012
        async with await Qmail(pod, Internet()).connect() as session:
            assert session.greeting == SILENT
            assert (await session.reply()).text == "late"
            raise AssertionError("not as expected")
    assert pod.acts == ["prepare", "connect"]


@on_a_loop
async def test_aiosmtplib_speaks_through_the_pod() -> None:
    pod = ScriptedPod(GREETING, b"250-mx\r\n250 SIZE\r\n", OK, OK, b"354 go\r\n", OK)
    async with ordinary_client(pod) as client:
        await client.sendmail("a@b.example", ["c@d.example"], b"Subject: x\r\n\r\n.x\r\n")
    assert pod.sent.startswith(b"EHLO client.test.example\r\n")
    assert b"\r\nRCPT TO:<c@d.example>\r\n" in pod.sent
    assert pod.sent.count(b"EHLO ") == 1
    assert pod.sent.endswith(b"DATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n")


class Fails(ScriptedPod):
    """The container goes as the client says MAIL."""

    async def send(self, connection: int, data: bytes) -> bool:
        if data.startswith(b"MAIL"):
            raise PodFailure("the container has gone")
        return await super().send(connection, data)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (Fails(GREETING, OK), PodFailure),
        (ScriptedPod(None), AssertionError),
        (ScriptedPod(GREETING, OK, None), AssertionError),
        (ScriptedPod(GREETING, OK, b"250-", None), AssertionError),
    ],
)
@on_a_loop
async def test_an_ordinary_client_is_told_of_any_end(pod: ScriptedPod, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        async with ordinary_client(pod) as client:
            await client.sendmail("a@b.example", ["c@d.example"], b"Subject: x\r\n\r\nx\r\n")


@on_a_loop
async def test_an_ordinary_client_may_leave_before_the_reply() -> None:
    pod = ScriptedPod(GREETING, OK)
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    async with ordinary_client(pod) as client:
        transport = cast(asyncio.Transport, client.transport)
        transport.write(b"NOOP\r\n")
        transport.abort()
        async with asyncio.timeout(5):
            while "close" not in pod.acts:
                await loop.run_in_executor(None, lambda: None)
    assert faults == []
