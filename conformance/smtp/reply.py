"""SMTP replies (RFC 5321 4.2), read strictly from octets as they come."""

import re
from collections import deque
from dataclasses import dataclass, field

#: Octets that a reply may hold. A server that says more without an end is no SMTP server, and must not fill
#: the memory of who listens.
LONGEST_REPLY = 131_072

_LINE = re.compile(rb"(\d{3})([ -]?)([^\r\n]*)\r?")


@dataclass(frozen=True)
class Reply:
    """One reply. `code` is 0 when there was none: `why` is then "closed", "silent" or "garbled".

    `after` is what the client had said last, and `seconds` for how long the server was silent: words for
    people, which make no two replies different.
    """

    code: int
    lines: tuple[str, ...] = ()
    why: str = ""
    after: str = field(default="", compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def text(self) -> str:
        """All lines, without their codes."""
        return "\n".join(self.lines)

    @property
    def enhanced(self) -> str:
        """The enhanced status code that qmail writes in brackets, `5.5.2`; "" when there is none."""
        found = re.search(r"\(#(\d\.\d+\.\d+)\)", self.text)
        return found[1] if found else ""

    @property
    def missing(self) -> str:
        """Why there was no reply, in words."""
        waited = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.why}{waited}{f' after {self.after}' if self.after else ''}"

    def __repr__(self) -> str:
        return f"<reply {self.code} {self.text!r}>" if self.code else f"<no reply: {self.missing}>"


CLOSED = Reply(0, why="closed")
SILENT = Reply(0, why="silent")
ENDLESS = Reply(0, ("a reply without an end",), "garbled")


class ReplyReader:
    """Reads replies from octets as they come; each line is read once, in however many pieces they come."""

    def __init__(self) -> None:
        self._lines: list[str] = []  #: of the reply that is not whole yet
        self._octets = 0  #: of these lines
        self._unread: deque[bytes] = deque()  #: whole lines
        self._begun = b""  #: a line without its end

    def feed(self, data: bytes) -> None:
        """Take octets of the server."""
        *whole, self._begun = (self._begun + data).split(b"\n")
        self._unread += whole

    @property
    def pending(self) -> int:
        """Octets of the reply that is not whole yet, once there is no other to take."""
        return self._octets + len(self._begun)

    def take(self) -> Reply | None:
        """The next whole reply; None while it is incomplete.

        A line that does not read as a reply line makes a reply with code 0 and why "garbled".
        """
        while self._unread:
            line = self._unread.popleft()
            read = _LINE.fullmatch(line)
            self._octets += len(line) + 1
            self._lines.append((read[3] if read else line).decode("latin-1"))
            if read is None or read[2] != b"-":
                lines, self._lines, self._octets = self._lines, [], 0
                return Reply(int(read[1]), tuple(lines)) if read else Reply(0, (lines[-1],), "garbled")
        return None
