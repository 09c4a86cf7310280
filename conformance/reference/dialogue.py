"""qmail-remote's commands to one exchanger, the replies to them, and the report that they end in."""

from typing import NoReturn, Optional

from conformance.reference import acts
from conformance.reference.acts import Engine


class Ended(Exception):
    """The message report is made."""


class Report:
    """What qmail-remote prints (qmail-remote(8), RESULTS): recipient reports, then one for the message."""

    def __init__(self) -> None:
        self.octets = bytearray()

    def add(self, report: bytes) -> None:
        """One report, its kind first; a NUL ends it."""
        self.octets += report + b"\0"

    def end(self, report: bytes) -> NoReturn:
        """The report for the message. Raises Ended."""
        self.add(report)
        raise Ended


class Dialogue:
    """The open connection to an exchanger. `text` is its last reply, without carriage returns."""

    #: How much of a reply is kept for a report.
    longest_text = 5000
    #: A lost connection is a failure for now (RFC 5321 3.8), with a warning once the message was sent.
    lost_kind = b"Z"
    duplicate_warning = b"Possible duplicate! "
    #: The octets of a reply that are left out of its text.
    left_out = b"\r"

    def __init__(self, report: Report, address: str, timeout: float) -> None:
        self.report = report
        self.address = address.encode("ascii")
        self.text = bytearray()
        self.message_sent = False  #: to its end, and not answered yet
        self.timeout = timeout
        self.said = b""  #: the last command; what AUTH sends counts as one
        self._arrived = bytearray()

    def say(self, command: bytes) -> Engine:
        self.said = command
        yield acts.Send(command + b"\r\n")

    def reply(self) -> Engine:
        """Read one reply, of however many lines; returns the code of its first line (RFC 5321 4.2.1)."""
        self.text = bytearray()
        code = 0
        for _ in range(3):
            octet: int = yield from self._octet()
            code = code * 10 + octet - 48
        octet = yield from self._octet()
        while self.goes_on(octet):
            yield from self._rest_of_line(octet)
            for _ in range(4):
                octet = yield from self._octet()
        yield from self._rest_of_line(octet)
        return code % 2**64  # what is no digit counts as qmail's unsigned arithmetic has it

    def goes_on(self, octet: int) -> bool:
        """Whether the octet after a code says that more lines follow: a hyphen (RFC 5321 4.2.1)."""
        return octet == ord("-")

    def _rest_of_line(self, octet: int) -> Engine:
        while octet != ord("\n"):
            self._take(max(0, self._arrived.find(b"\n")))
            octet = yield from self._octet()

    def _take(self, count: int) -> None:
        """Keep so many octets that have come, as far as a report has room for them."""
        kept = bytes(self._arrived[:count]).translate(None, self.left_out)
        del self._arrived[:count]
        self.text += kept[: max(0, self.longest_text - len(self.text))]

    def _octet(self) -> Engine:
        while not self._arrived:
            limit: float = yield from self.patience()
            octets: Optional[bytes] = yield acts.Receive(limit)
            if not octets:
                yield from self.lost()
            self._arrived += octets or b""
        octet = self._arrived.pop(0)
        if octet not in self.left_out and len(self.text) < self.longest_text:
            self.text.append(octet)
        return octet

    def patience(self) -> Engine:
        """Seconds that the next octets of a reply may take (qmail-remote(8), timeoutremote)."""
        yield from ()
        return self.timeout

    def lost(self) -> Engine:
        """The connection was closed, or nothing came within timeoutremote (qmail-remote(8))."""
        yield acts.Close()
        warning = self.duplicate_warning if self.message_sent else b""
        report = self.lost_kind + b"Connected to " + self.address + b" but connection died. "
        self.report.end(report + warning + b"(#4.4.2)\n")

    def give_up(self, kind: bytes, why: str) -> Engine:
        """Report `kind`, "Connected to ADDRESS", `why`, and end."""
        yield from self.finish(kind + b"Connected to ", why)

    def finish(self, before: bytes, after: str) -> Engine:
        """QUIT, and a report that has the address in its midst."""
        yield from self.leave()
        yield acts.Close()
        self.report.end(before + self.address + after.encode("ascii") + b".\n" + self.quoted_reply())

    def leave(self) -> Engine:
        """QUIT (RFC 5321 4.1.1.10), whose reply nobody waits for."""
        yield from self.say(b"QUIT")

    def quoted_reply(self) -> bytes:
        """The last reply for a report; it is told once."""
        text, self.text = self.shown(bytes(self.text)), bytearray()
        return b"Remote host said: " + text if text else b""

    def shown(self, text: bytes) -> bytes:
        """A reply as a report can hold it: NULs would end it (qmail-remote(8), RESULTS)."""
        return text.replace(b"\0", b"?")
