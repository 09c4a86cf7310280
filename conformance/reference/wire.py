"""The server's side of a session: lines from what arrives, replies held back until a read that waits."""

from typing import Optional

from conformance.reference.acts import Engine, Log, Receive, Send


class Gone(Exception):
    """The client closed the connection."""


class Silence(Exception):
    """The client said nothing for the whole limit."""


class Stuck(Exception):
    """The client takes nothing for the whole limit."""


class Quit(Exception):
    """The process ends with (status, line of the log, last reply): what was said before goes out first."""


def without_carriage_return(line: bytes) -> bytes:
    """A line without the carriage return before its line feed, which is no part of it (RFC 5321 2.3.8)."""
    return line[:-1] if line.endswith(b"\r") else line


class Wire:
    """Octets of one session. What `say` gathers leaves at `flush`, or before a read that waits.

    `limit` is how long the client may be silent, in seconds; `place` tells the session in the log, which
    a build without 0001 does not write.
    """

    def __init__(self, limit: float, place: str, *, logs: bool = True) -> None:
        self.limit = limit
        self.arrived = bytearray()
        self._place = place
        self._logs = logs
        self._waiting = bytearray()

    def say(self, reply: bytes) -> None:
        """Hold a reply back for the next flush."""
        self._waiting += reply

    def place(self, line: str) -> str:
        """Process id and address, which each line bears (0001)."""
        return self._place

    def log(self, line: str) -> Engine:
        if self._logs:
            yield Log(f"qmail-smtpd: {self.place(line)}: {line}")

    def answer(self, reply: str, logged: str) -> Engine:
        """Log one line and say a reply."""
        yield from self.log(logged)
        self.say(reply.encode("latin-1") + b"\r\n")

    def patience(self) -> float:
        """Seconds that the client may be silent now (qmail-smtpd(8), timeoutsmtpd)."""
        return self.limit

    def flush(self) -> Engine:
        """Send what waits. Raises Stuck."""
        if self._waiting:
            octets, self._waiting = bytes(self._waiting), bytearray()
            if (yield Send(octets)) is False:
                raise Stuck

    def take_in(self, octets: bytes) -> None:
        """Add what came to what came before: a line may arrive in pieces."""
        self.arrived += octets

    def line(self) -> Engine:
        """The next octets up to and without a line feed. Raises Gone, Silence, Stuck."""
        while True:
            end = self.arrived.find(b"\n")
            if end >= 0:
                line = bytes(self.arrived[:end])
                del self.arrived[: end + 1]
                return line
            yield from self.flush()
            octets: Optional[bytes] = yield Receive(self.patience())
            if octets is None:
                raise Silence
            if not octets:
                raise Gone
            self.take_in(octets)
