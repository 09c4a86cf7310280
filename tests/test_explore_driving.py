"""A chat that names no reply is driven by what is due: a reply for each line, a message after 354 alone."""

import asyncio

from conformance.catalogue.builtin import STOCK_PATCHES
from conformance.explore.document import Document, made
from conformance.explore.driving import Driver
from conformance.scenario.chat import HalfClose, Pause
from conformance.smtp.reply import Reply
from conformance.smtp.session import Session
from conformance.targets.embedded import ReferencePod

MAIL = "> MAIL FROM:<a@b.example>\n> RCPT TO:<alice@here.example>\n> DATA\n"


def heard(session: str, **more: Document | int) -> list[int | str]:
    """The codes of the replies, in order, or why there was none; `shut` and `pause` where they happened."""
    return asyncio.run(_heard(made({"session": session, **more}).scenario))


async def _heard(scenario: "object") -> list[int | str]:
    pod = ReferencePod(STOCK_PATCHES)
    await pod.prepare(scenario.world, scenario.configuration)  # type: ignore[attr-defined]
    driver = Driver(Session(pod, await pod.connect()))
    await driver.drive(scenario.sessions[0])  # type: ignore[attr-defined]
    await driver.end()
    words = {HalfClose: "shut", Pause: "pause"}
    return [
        (each.code or each.why) if isinstance(each, Reply) else words[type(each)]
        for each in driver.done
        if isinstance(each, Reply | HalfClose | Pause)
    ]


def test_each_line_has_its_reply_however_many_go_out_at_once() -> None:
    assert heard("> NOOP\n> FROBNICATE\n> VRFY\n< *\n") == [220, 250, 502, 252, "shut", "closed"]
    assert heard(r"> \{3*NOOP\r\n}\c") == [220, 250, 250, 250, "shut", "closed"]


def test_a_line_in_pieces_has_one_reply() -> None:
    assert heard("> NO\\c\n! cut\n> OP\n< *\n") == [220, 250, "shut", "closed"]
    assert heard("> NOOP\\c\n< *\n") == [220, "shut", "closed"]


def test_a_message_is_answered_once() -> None:
    replies = [220, 250, 250, 354, 250, "shut", "closed"]
    assert heard(f"{MAIL}< *\n| Subject: x\n|\n| ..\n< *\n") == replies
    assert heard(f"{MAIL}> Subject: x\n> \n> .\n< *\n") == replies
    assert heard(f"{MAIL}> QUIT\n") == [220, 250, 250, 354, "shut", "closed"]


def test_a_message_that_is_not_asked_for_is_left_out_and_the_chat_goes_on() -> None:
    assert heard("> DATA\n< *\n| Subject: x\n< *\n> NOOP\n") == [220, 503, 250, "shut", "closed"]


def test_the_greeting_answers_nothing_that_was_said_before_it() -> None:
    assert heard("! early\n> NOOP\n> VRFY\n< *\n> RSET\n") == [220, 250, 252, 250, "shut", "closed"]


def test_what_qmail_says_unasked_is_heard() -> None:
    limit: Document = {"timeoutsmtpd": 2}
    assert heard("> NOOP\n< *\n! pause 2.8\n> NOOP\n", control=limit) == [220, 250, "pause", 451, "closed"]
    assert heard("> NOOP\n< *\n! pause 1.4\n> NOOP\n", control=limit) == [
        220, 250, "pause", 250, "shut", "closed",
    ]  # fmt: skip


def test_nothing_is_said_to_one_that_has_gone() -> None:
    assert heard("> QUIT\n< *\n> NOOP\n< *\n> NOOP\n")[:2] == [220, 221]
    assert heard("! half-close\n> NOOP\n") == [220, "shut", "closed"]
