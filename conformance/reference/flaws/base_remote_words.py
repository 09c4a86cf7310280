"""Flaws of qmail-remote in the words of its reports, and in how long it waits."""

from typing import Callable, List

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.conversation import Conversation
from conformance.reference.dialogue import Dialogue
from conformance.reference.flaws.flaw import at_once, flaw
from conformance.reference.remote import QmailRemote

_LONG = 1200.0


def _first_line(self: Dialogue, text: bytes) -> bytes:
    return Dialogue.shown(self, text.partition(b"\n")[0] + b"\n" * bool(text))


def _host_as_it_is(self: QmailRemote, host: bytes) -> bytes:
    return host


def _two_reports(self: Conversation, recipients: List[bytes]) -> Engine:
    """Those of the recipients say already what the message comes to."""
    for recipient in recipients:
        yield from self.dialogue.say(b"RCPT TO:<" + recipient + b">")
        code: int = yield from self.dialogue.reply()
        self.report.add(self.refusal(code) if code >= 400 else b"r")
    if all(each[:1] != b"r" for each in bytes(self.report.octets).split(b"\0")[:-1]):
        self.report.add(b"DNobody wanted it.\n")
        yield from self.dialogue.finish(b"DGiving up on ", "")


def _for_the_whole(self: Dialogue) -> Engine:
    now: float = yield acts.Now()
    begun = vars(self).setdefault("begun", now) if self.text else now
    vars(self)["begun"] = begun
    return max(begun + self.timeout - now, 0.001)


def _for_ever_after(*verbs: bytes) -> Callable[[Dialogue], Engine]:
    """No limit for the reply to some commands, b"" for the greeting; "." is the message."""

    def patience(self: Dialogue) -> float:
        said = b"." if self.message_sent else self.said[:4]
        return _LONG if said in verbs else self.timeout

    return at_once(patience)


FLAWS = (
    flaw("remote.carriage-returns-told", "leaves the carriage returns of a reply in its report",
         Dialogue, left_out=b""),
    flaw("remote.host-told-as-it-is", "names a host in its report with whatever octets it has",
         QmailRemote, harmless=_host_as_it_is),
    flaw("remote.first-line-told", "tells the first line of a reply only", Dialogue, shown=_first_line),
    flaw("remote.limit-for-whole-replies", "gives a reply as a whole the time that each part of it has",
         Dialogue, patience=_for_the_whole),
    flaw("remote.misuse-unnoticed", "goes on without a recipient",
         QmailRemote, is_misused=lambda self, recipients: False),
    flaw("remote.nameless", "runs without a name of its own",
         QmailRemote, helo_host=lambda self: self.control.line("helohost", self.control.me, b"localhost")),
    flaw("remote.no-limit-after-data", "waits for ever for the reply to DATA",
         Dialogue, patience=_for_ever_after(b"DATA")),
    flaw("remote.no-limit-after-mail", "waits for ever for the reply to MAIL",
         Dialogue, patience=_for_ever_after(b"MAIL")),
    flaw("remote.no-limit-after-message", "waits for ever for the reply to the message, and for its way",
         Dialogue, patience=_for_ever_after(b".")),
    flaw("remote.no-limit-after-rcpt", "waits for ever for the reply to RCPT",
         Dialogue, patience=_for_ever_after(b"RCPT")),
    flaw("remote.no-limit-at-the-start", "waits for ever for the greeting and for the reply to the hello",
         Dialogue, patience=_for_ever_after(b"", b"HELO", b"EHLO")),
    flaw("remote.nobody-twice", "reports twice of a message that nobody wanted",
         Conversation, recipients=_two_reports),
)  # fmt: skip
