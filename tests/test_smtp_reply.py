"""Replies are read strictly, however their octets arrive."""

import re

import pytest

from conformance.smtp import reply as module
from conformance.smtp.reply import LONGEST_REPLY, Reply, ReplyReader

OCTETS = b"220 mx\r\nwhat\r\n250-mx\r\n250-SIZE\r\n250 ok 12 (#2.0.0)\r\n250 c\n250-d\r\n25"
REPLIES = [
    Reply(220, ("mx",)), Reply(0, ("what\r",), "garbled"), Reply(250, ("mx", "SIZE", "ok 12 (#2.0.0)")),
    Reply(250, ("c",)),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, len(OCTETS)])
def test_replies_are_taken_one_by_one_in_whatever_pieces_they_come(size: int) -> None:
    reader, taken = ReplyReader(), []
    for start in range(0, len(OCTETS), size):
        reader.feed(OCTETS[start : start + size])
        while (reply := reader.take()) is not None:
            taken.append(reply)
    assert taken == REPLIES
    assert reader.pending == len(b"250-d\r\n25")
    assert [reply.enhanced for reply in taken] == ["", "", "2.0.0", ""]


def test_each_line_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    class Counting:
        def fullmatch(self, line: bytes, form: re.Pattern[bytes] = module._LINE) -> object:
            read.append(line)
            return form.fullmatch(line)

    monkeypatch.setattr(module, "_LINE", Counting())
    reader, flood = ReplyReader(), b"250-more of it\r\n" * (LONGEST_REPLY // 16)
    for start in range(0, len(flood), 486):
        reader.feed(flood[start : start + 486])
        assert reader.take() is None
    assert len(read) == flood.count(b"\n")
