"""SMTP replies (RFC 5321 4.2), read strictly from octets as they come."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Octets that a reply may hold. A server that says more without an end is no SMTP server, and must not fill
#: the memory of who listens.
LONGEST_REPLY = 131_072

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
    lines: list[str] = []
    position = 0
    while end := buffer.find(b"\n", position) + 1:
        line = buffer[position:end]
        read = _LINE.fullmatch(line)
        if read is None:
            return Reply(0, (line[:-1].decode("latin-1"),), "garbled"), buffer[end:]
        lines.append(read[3].decode("latin-1"))
        if read[2] != b"-":
            return Reply(int(read[1]), tuple(lines)), buffer[end:]
        position = end
    return None, buffer
