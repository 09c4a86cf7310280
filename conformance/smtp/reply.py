"""SMTP replies (RFC 5321 4.2), read strictly from octets as they come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

#: Octets that a reply may hold. A server that says more without an end is no SMTP server, and must not fill
#: the memory of who listens.
LONGEST_REPLY = 131_072

#: Lines up to so many octets are remembered: most come again and again.
_SHORT = 128

_LINE = re.compile(rb"(\d{3})([ -]?)([^\r\n]*)\r?\n")


@dataclass(frozen=True)
class Reply:
    """One reply. `code` is 0 when there was none: `why` is then "closed", "silent" or "garbled"."""

    code: int
    lines: tuple[str, ...] = ()
    why: str = ""

    @property
    def text(self) -> str:
        """All lines, without their codes."""
        return "\n".join(self.lines)

    @property
    def enhanced(self) -> str:
        """The enhanced status code that qmail writes in brackets, `5.5.2`; "" when there is none."""
        found = re.search(r"\(#(\d\.\d+\.\d+)\)", self.text)
        return found[1] if found else ""

    def __repr__(self) -> str:
        return f"<reply {self.code} {self.text!r}>" if self.code else f"<no reply: {self.why}>"


CLOSED = Reply(0, why="closed")
SILENT = Reply(0, why="silent")
ENDLESS = Reply(0, ("a reply without an end",), "garbled")


def split_reply(buffer: bytes) -> tuple[Reply | None, bytes]:
    """The first whole reply in `buffer` and what follows it; None while it is incomplete.

    A line that does not read as a reply line makes a reply with code 0 and why "garbled".
    """
    reply, end = _reply_at(buffer, 0)
    return reply, buffer[end:]


def split_replies(buffer: bytes) -> tuple[list[Reply], bytes]:
    """All whole replies in `buffer` and what follows them. Linear, where one after the other is quadratic."""
    replies: list[Reply] = []
    reply, end = _reply_at(buffer, 0)
    while reply is not None:
        replies.append(reply)
        reply, end = _reply_at(buffer, end)
    return replies, buffer[end:]


def _reply_at(buffer: bytes, start: int) -> tuple[Reply | None, int]:
    """The whole reply that begins at `start`, and where it ends; None and `start` while it is incomplete."""
    lines: tuple[str, ...] = ()
    position = start
    while True:
        end = buffer.find(b"\n", position) + 1
        if not end:
            return None, start
        read = _read_short_line if end - position <= _SHORT else _read_line
        reply, last = read(buffer[position:end])
        if last:
            return (Reply(reply.code, lines + reply.lines) if lines and reply.code else reply), end
        lines += reply.lines
        position = end


def _read_line(line: bytes) -> tuple[Reply, bool]:
    """A line, with its end, as a reply of its own, and whether it is the last line of one."""
    read = _LINE.fullmatch(line)
    if read is None:
        return Reply(0, (line[:-1].decode("latin-1"),), "garbled"), True
    return Reply(int(read[1]), (read[3].decode("latin-1"),)), read[2] != b"-"


_read_short_line = lru_cache(maxsize=1024)(_read_line)
