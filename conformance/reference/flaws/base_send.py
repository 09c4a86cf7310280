"""Flaws of qmail-send, qmail-rspawn and qmail-local."""

from typing import Tuple

from conformance.reference.flaws.flaw import flaw
from conformance.reference.homes import DotQmail
from conformance.reference.local import QmailLocal
from conformance.reference.queue import Message, Recipient
from conformance.reference.rewriting import Rewriting
from conformance.reference.rspawn import QmailRspawn
from conformance.reference.send import QmailSend


def _with_sender(self: QmailSend, sender: bytes) -> Tuple[bytes, bytes]:
    return self.double_bounce_to, QmailSend.bounce_envelope(self, sender)[1]


def _failure_for_deferral(self: QmailSend, message: Message, recipient: Recipient) -> bytes:
    report = QmailSend.report(self, message, recipient)
    return b"D" + report[1:] if report[:1] == b"Z" else report


def _stores_twice(self: QmailLocal, name: bytes) -> None:
    QmailLocal.store(self, name)
    QmailLocal.store(self, name)


FLAWS = (
    flaw("send.bounce-with-sender", "sends bounces with a sender", QmailSend, bounce_envelope=_with_sender),
    flaw("send.deferral-fails", "gives a message up at the first temporary failure",
         QmailSend, report=_failure_for_deferral),
    flaw("send.deferred-dropped", "forgets a message after a temporary failure",
         QmailSend, is_finished=lambda self, message: True),
    flaw("send.delivered-twice", "delivers into a Maildir twice", QmailLocal, store=_stores_twice),
    flaw("send.forward-lost", "drops what a dot-qmail file forwards",
         QmailLocal, forward=lambda self, addresses: ""),
    flaw("send.loop-unseen", "delivers a message that has its own Delivered-To line already",
         QmailLocal, is_looping=lambda self: False),
    flaw("send.no-bounce", "drops a failed message without a bounce",
         QmailSend, bounce=lambda self, message: True),
    flaw("send.no-default", "does not look for .qmail-default files",
         DotQmail, names=lambda self: DotQmail.names(self)[:1]),
    flaw("send.no-delivered-to", "writes no Delivered-To line", QmailLocal, delivered_to=lambda self: b""),
    flaw("send.no-double-bounce", "drops a bounce that failed",
         QmailSend, bounce=lambda self, message: not message.sender or QmailSend.bounce(self, message)),
    flaw("send.no-return-path", "writes no Return-Path line", QmailLocal, return_path=lambda self: b""),
    flaw("send.no-virtualdomains", "does not obey virtualdomains",
         Rewriting, virtual_prefix=lambda self, address, host: None),
    flaw("send.recipient-report-ignored", "takes the message report for a refused recipient's",
         QmailRspawn, rank=lambda self, letter, of_message: of_message),
    flaw("send.unknown-user-dropped", "takes mail for unknown users and drops it",
         QmailLocal, no_mailbox=lambda self: "did 0+0+0\n"),
)  # fmt: skip
