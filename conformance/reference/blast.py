"""The message as it comes after DATA: its end, dots, stray line feeds, hops and size, line by line."""

from __future__ import annotations

from typing import FrozenSet

_MOST_HOPS = 100


class StrayNewline(Exception):
    """A line feed without a carriage return before it."""


class Blast:
    """Takes the lines of one message, each without its line feed.

    `message` is what is stored: line feeds for CR LF, dots unstuffed. A message that loops or is too large
    is read to its end all the same.
    """

    def __init__(self, databytes: int, flaws: FrozenSet[str]) -> None:
        self.message = bytearray()
        self.hops = 0
        self._in_header = True
        self._databytes = databytes
        self._flaws = flaws

    @property
    def looping(self) -> bool:
        most = _MOST_HOPS + 1 if "smtpd.hops-off-by-one" in self._flaws else _MOST_HOPS
        return self.hops >= most and "smtpd.hops-ignored" not in self._flaws

    @property
    def too_large(self) -> bool:
        if not self._databytes or "smtpd.databytes-ignored" in self._flaws:
            return False
        size = len(self.message) + (1 if "smtpd.databytes-off-by-one" in self._flaws else 0)
        return size > self._databytes

    def line(self, line: bytes) -> bool:
        """Take one line; True when it was the final dot. Raises StrayNewline."""
        if "smtpd.nuls-dropped" in self._flaws:
            line = line.replace(b"\0", b"")
        if not line.endswith(b"\r"):
            if "smtpd.bare-lf-accepted" not in self._flaws:
                raise StrayNewline
            line += b"\r"
        self._count(line)
        if line == b".\r" or (line.rstrip(b"\r") == b"." and "smtpd.extra-cr-ends" in self._flaws):
            return True
        if line.startswith(b".") and line[1:2] != b"\r" and "smtpd.dots-kept" not in self._flaws:
            line = line[1:]
        stored = line[:-1] + b"\n"
        if "smtpd.carriage-returns-lost" in self._flaws:
            stored = stored.replace(b"\r", b"")
        if "smtpd.seven-bit" in self._flaws:
            stored = bytes(octet & 0x7F for octet in stored)
        if "smtpd.long-lines-cut" in self._flaws:
            stored = stored[:998].rstrip(b"\n") + b"\n"
        self.message += stored
        return False

    def _count(self, line: bytes) -> None:
        if not self._in_header and "smtpd.hops-in-body" not in self._flaws:
            return
        if line[:9].lower() == b"delivered" and "smtpd.delivered-not-counted" not in self._flaws:
            self.hops += 1
        if line[:8].lower() == b"received":
            self.hops += 1
        if line == b"\r":
            self._in_header = False
