"""The server's two buffers: lines out of what arrives, replies held back until the next blocking read."""

from __future__ import annotations

from typing import Optional

from conformance.reference.acts import Engine, Receive, Send


class Gone(Exception):
    """The client closed the connection."""


class Silence(Exception):
    """The client said nothing for the whole limit."""


class Wire:
    """Octets of one session. What `say` gathers leaves at `flush`, or before a read that waits."""

    def __init__(self, limit: float, joins: bool = True) -> None:
        self.limit = limit
        self._joins = joins  #: False is a flaw: of a line in pieces only the last one is kept
        self._arrived = bytearray()
        self._searched = 0
        self._waiting = bytearray()

    def say(self, reply: bytes) -> None:
        self._waiting += reply

    def flush(self) -> Engine:
        if self._waiting:
            octets, self._waiting = bytes(self._waiting), bytearray()
            yield Send(octets)

    def put_back(self, octets: bytes) -> None:
        """Have `octets` read before whatever else has arrived."""
        self._arrived[:0] = octets
        self._searched = 0

    def break_at_cr(self, line: bytes) -> bytes:
        """A flaw: `line` up to its first carriage return; what follows is read as the next line."""
        first, end, rest = line.partition(b"\r")
        if rest:
            self.put_back(rest + b"\n")
        return first + end

    def line(self) -> Engine:
        """The next octets up to and without a line feed. Raises Gone, Silence."""
        while True:
            end = self._arrived.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._arrived[:end])
                del self._arrived[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._arrived)
            yield from self.flush()
            octets: Optional[bytes] = yield Receive(self.limit)
            if octets is None:
                raise Silence
            if not octets:
                raise Gone
            if not self._joins:
                self._arrived.clear()
                self._searched = 0
            self._arrived += octets
