"""Flaws of bounces and of senders that are other ones for each recipient."""

from typing import Any, Callable, Tuple

from conformance.reference.flaws.flaw import flaw
from conformance.reference.local import QmailLocal
from conformance.reference.queue import Message
from conformance.reference.rewriting import Rewriting
from conformance.reference.send import QmailSend

_TRIPLE = b"#@[]"


def _without(name: bytes) -> Callable[[QmailSend, bytes], Any]:
    return lambda self, recipient: [
        field for field in QmailSend.bounce_header(self, recipient) if not field.startswith(name)
    ]


def _single(self: QmailSend, message: Message) -> bytes:
    return QmailSend.says(self, Message(0, 0, 0, b"a@b.example", [], b""))


def _bounces_on(self: QmailSend, message: Message) -> bool:
    if message.sender == _TRIPLE:
        message.sender = b"alice@here.example"
    return QmailSend.bounce(self, message)


def _to_root(self: QmailSend, sender: bytes) -> Tuple[bytes, bytes]:
    return (b"", sender) if sender else (_TRIPLE, b"root@here.example")


FLAWS = (
    flaw("bounce.copy-cut", "puts the beginning of a message alone into its bounce",
        QmailSend, copy=lambda self, message: QmailSend.copy(self, message)[:50_000]),
    flaw("bounce.copy-header", "puts a message's header alone into its bounce",
        QmailSend, copy=lambda self, message: QmailSend.copy(self, message).partition(b"\n\n")[0]),
    flaw("bounce.copy-no-path", "does not tell the sender of the message in a bounce",
        QmailSend, copy=lambda self, message: message.octets),
    flaw("bounce.double-as-single", "says of a double bounce what it says of a bounce",
        QmailSend, says=_single),
    flaw("bounce.double-to-root", "sends double bounces to root", QmailSend, bounce_envelope=_to_root),
    flaw("bounce.first-only", "names the first failure only",
        QmailSend, failures=lambda self, message: message.bounce.partition(b"\n\n")[0] + b"\n\n"),
    flaw("bounce.from-fixed", "does not obey bouncefrom", QmailSend, bounce_header=lambda self, recipient: [
        b"From: MAILER-DAEMON@mx.here.example" if field.startswith(b"From") else field
        for field in QmailSend.bounce_header(self, recipient)]),
    flaw("bounce.no-date", "writes no Date into a bounce", QmailSend, bounce_header=_without(b"Date")),
    flaw("bounce.no-reports", "names the addresses that failed without their reports", QmailSend,
        failure=lambda self, address, report: QmailSend.failure(self, address, b"")),
    flaw("bounce.paragraphs", "lets a host write paragraphs of a bounce",
        QmailSend, one_paragraph=lambda self, text: text),
    flaw("bounce.prefixed", "names an address of a virtual domain as it is delivered to",
        Rewriting, unprefixed=lambda self, address: address),
    flaw("bounce.triple", "sends a bounce of a double bounce", QmailSend, bounce=_bounces_on),
    flaw("owner.ignored", "does not look for .qmail-ext-owner",
        QmailLocal, new_sender=lambda self, owners: self.message.sender),
    flaw("owner.of-bounces", "puts the owner in the place of the null sender", QmailLocal,
        new_sender=lambda self, owners: (QmailLocal.new_sender(self, owners)
        if self.message.sender else b"owner@here.example")),
    flaw("owner.without-owner", "makes a sender variable without .qmail-ext-owner", QmailLocal,
        new_sender=lambda self, owners: QmailLocal.new_sender(self, (owners[0] or owners[1], owners[1]))),
    flaw("verp.bounced", "sends bounces to a variable sender with its mark",
        QmailSend, returned_to=lambda self, sender: sender),
    flaw("verp.ignored", "delivers from a variable sender as it is",
        QmailSend, sender_for=lambda self, sender, recipient: sender),
)  # fmt: skip
