"""Replies are read strictly, however their octets arrive."""

from __future__ import annotations

import pytest

from conformance.smtp.reply import Reply, split_reply


def test_one_line() -> None:
    reply, rest = split_reply(b"250 ok 12 qp 34\r\n354 next")
    assert reply == Reply(250, ("ok 12 qp 34",))
    assert rest == b"354 next"


def test_several_lines_are_one_reply() -> None:
    reply, rest = split_reply(b"250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
    assert reply == Reply(250, ("mx", "PIPELINING", "8BITMIME"))
    assert rest == b""


@pytest.mark.parametrize("cut", range(len(b"250-mx\r\n250 end\r\n")))
def test_an_incomplete_reply_is_none_and_nothing_is_lost(cut: int) -> None:
    buffer = b"250-mx\r\n250 end\r\n"[:cut]
    assert split_reply(buffer) == (None, buffer)


def test_what_does_not_read_as_a_reply_is_garbled_and_has_no_code() -> None:
    reply, rest = split_reply(b"hello\r\n250 ok\r\n")
    assert reply is not None
    assert (reply.code, reply.why) == (0, "garbled")
    assert rest == b"250 ok\r\n"


def test_the_enhanced_code_stands_in_brackets() -> None:
    assert Reply(553, ("sorry (#5.7.1)",)).enhanced == "5.7.1"
    assert Reply(250, ("ok",)).enhanced == ""


def test_replies_are_taken_one_by_one() -> None:
    rest, codes = b"220 mx\r\nwhat\r\n250-a\r\n250 b\r\n250 c\n250-d\r\n25", []
    reply, rest = split_reply(rest)
    while reply is not None:
        codes.append((reply.code, reply.lines))
        reply, rest = split_reply(rest)
    assert codes == [(220, ("mx",)), (0, ("what\r",)), (250, ("a", "b")), (250, ("c",))]
    assert rest == b"250-d\r\n25"
