"""Flaws of qmail-remote that its report does not show: what it says to a host, and how it leaves."""

import re
from typing import Callable, List

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.conversation import Conversation
from conformance.reference.dialogue import Dialogue
from conformance.reference.flaws.flaw import at_once, flaw, nothing
from conformance.reference.lookup import MxAddress
from conformance.reference.octets import quote_box
from conformance.reference.remote import QmailRemote
from conformance.reference.routes import Route

_BUFFER = 1024
_LONGEST_LINE = 1000


def _quit_after_success(self: Dialogue, before: bytes, after: str) -> Engine:
    if not before.startswith(b"K"):
        yield acts.Close()
        self.report.end(before + self.address + after.encode("ascii") + b".\n" + self.quoted_reply())
    yield from Dialogue.finish(self, before, after)


def _waits_after_quit(self: Dialogue) -> Engine:
    yield from Dialogue.leave(self)
    text, self.text = self.text, bytearray()
    yield from self.reply()
    self.text = text


def _quit_twice(self: Dialogue) -> Engine:
    yield acts.Send(b"QUIT\r\nQUIT\r\n")


def _quit_with_lf(self: Dialogue) -> Engine:
    yield acts.Send(b"QUIT\n")


def _pipelined(self: Conversation, recipients: List[bytes]) -> Engine:
    for recipient in recipients[1:]:
        yield from self.dialogue.say(b"RCPT TO:<" + recipient + b">")
    yield from Conversation.recipients(self, recipients[:1])
    for _ in recipients[1:]:
        code: int = yield from self.dialogue.reply()
        self.report.add(self.refusal(code) if code >= 400 else b"r")


def _data_for_nobody(self: Conversation, recipients: List[bytes]) -> Engine:
    for recipient in recipients:
        yield from self.dialogue.say(b"RCPT TO:<" + recipient + b">")
        code: int = yield from self.dialogue.reply()
        self.report.add(self.refusal(code) if code >= 400 else b"r")


def _quit_with_the_dot(self: Conversation, message: bytes) -> Engine:
    yield from Conversation.send_message(self, message)
    yield acts.Send(b"QUIT\r\n")


def _each_recipient_once(self: Conversation, recipients: List[bytes]) -> Engine:
    return Conversation.recipients(self, sorted(set(recipients)))


def _looks_first(self: QmailRemote, addresses: List[MxAddress], route: Route) -> Engine:
    for found in addresses[:1]:
        yield acts.Connect(found.address, route.port, float(self.connect_timeout()))
        yield acts.Close()
    return (yield from QmailRemote.connected(self, addresses, route))


#: A carriage return that ends no line of what is sent, and the end of the line or the octet behind it.
_BARE = re.compile(rb"\r(?!\n)(?:\r\n|(.))", re.DOTALL)


def _ended_by_carriage_returns(self: Conversation, lines: List[bytes]) -> bytes:
    return _BARE.sub(rb"\r\n\1", Conversation.encoded(self, lines))


def _without(octet: bytes) -> Callable[[Conversation, List[bytes]], bytes]:
    def encoded(self: Conversation, lines: List[bytes]) -> bytes:
        return Conversation.encoded(self, [line.replace(octet, b"") for line in lines])

    return encoded


def _folded(self: Conversation, lines: List[bytes]) -> bytes:
    cut = [line[at : at + _LONGEST_LINE] for line in lines for at in range(0, len(line) or 1, _LONGEST_LINE)]
    return Conversation.encoded(self, cut)


def _dot_at_the_edge(self: Conversation, lines: List[bytes]) -> bytes:
    """The dot that is to be doubled is lost where it would be the last in the buffer."""
    octets = bytearray()
    for line in lines:
        edge = len(octets) % _BUFFER == _BUFFER - 1
        octets += (line if edge else self.stuffing * line.startswith(b".") + line) + b"\r\n"
    return bytes(octets)


FLAWS = (
    flaw("remote.connects-twice", "opens a connection that it does not use before the one that it uses",
         QmailRemote, connected=_looks_first),
    flaw("remote.beyond-ascii-bare", "puts no quotes around a local part with octets beyond ASCII",
         QmailRemote, local_part=lambda self, box: box if max(box, default=0) > 127 else quote_box(box)),
    flaw("remote.quotes-every-box", "puts quotes around every local part",
         QmailRemote, local_part=lambda self, box: b'"' + box + b'"'),
    flaw("remote.quotes-without-backslashes", "quotes local parts without backslashes",
         QmailRemote, local_part=lambda self, box: quote_box(box).replace(b"\\", b"")),
    flaw("remote.sender-unquoted", "sends the sender as it is, whatever signs its local part has",
         QmailRemote, sender_path=lambda self, sender: sender),
    flaw("remote.carriage-returns-dropped", "leaves the carriage returns of a message out",
         Conversation,
         encoded=_without(b"\r")),
    flaw("remote.carriage-return-ends-line", "takes a carriage return for a line's end, as notqmail does",
         Conversation, encoded=_ended_by_carriage_returns),
    flaw("remote.data-for-nobody", "asks for DATA although every recipient was refused",
         Conversation, recipients=_data_for_nobody),
    flaw("remote.dot-at-the-edge", "does not stuff a dot at the edge of its buffer",
         Conversation, encoded=_dot_at_the_edge),
    flaw("remote.empty-message-filled", "sends an empty line for a message without any",
         Conversation, encoded=lambda self, lines: Conversation.encoded(self, lines or [b""])),
    flaw("remote.lines-folded", "breaks lines after 1,000 octets", Conversation, encoded=_folded),
    flaw("remote.no-quit", "closes the connection without QUIT", Dialogue, leave=at_once(nothing)),
    flaw("remote.null-sender-filled", "puts an address in the place of the null sender",
         QmailRemote, sender_path=lambda self, sender: QmailRemote.sender_path(self, sender or b"MAILER")),
    flaw("remote.nuls-dropped", "leaves the NULs of a message out",
         Conversation,
         encoded=_without(b"\0")),
    flaw("remote.pipelines-unasked", "sends all recipients at once to a host that did not announce it",
         Conversation, recipients=_pipelined),
    flaw("remote.quit-after-success-only", "says QUIT only to a host that has accepted the message",
         Dialogue, finish=_quit_after_success),
    flaw("remote.quit-with-the-dot", "says QUIT before the message is answered",
         Conversation, send_message=_quit_with_the_dot),
    flaw("remote.quit-awaited", "waits for the reply to QUIT", Dialogue, leave=_waits_after_quit),
    flaw("remote.quit-twice", "says QUIT twice", Dialogue, leave=_quit_twice),
    flaw("remote.quit-with-lf", "ends QUIT with LF alone", Dialogue, leave=_quit_with_lf),
    flaw("remote.recipients-sorted", "sorts the recipients, and names each once",
         Conversation, recipients=_each_recipient_once),
)  # fmt: skip
