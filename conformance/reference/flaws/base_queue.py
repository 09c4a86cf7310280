"""Flaws of the queue, of Maildirs and of qmail-send's log."""

from dataclasses import replace
from typing import Any, Callable, Iterator

from conformance.reference.filing import File, Filing, MaildirNames
from conformance.reference.flaws.flaw import flaw
from conformance.reference.local import QmailLocal
from conformance.reference.queue import Message, Recipient
from conformance.reference.send import QmailSend


def _left(why: str) -> Callable[[Filing, str], None]:
    def discard(self: Filing, given: str) -> None:
        if given == why:
            self.left.append(File("queue/mess/1/1", 0o644, self.queue_owner, "nofiles"))

    return discard


def _without_last(self: Filing, message: Message, kind: str, octets: bytes = b"") -> File:
    return Filing.by_queue(self, message, kind, octets.rpartition(b"T")[0] if kind == "todo" else octets)


def _from_root(self: Filing, message: Message, kind: str, octets: bytes = b"") -> File:
    return Filing.by_queue(self, message, kind, b"u0\0" + octets.partition(b"\0")[2])


def _all_marked(self: Filing, message: Message, kind: str, octets: bytes) -> File:
    return Filing.by_send(self, message, kind, octets.replace(b"\0T", b"\0D"))


def _in_tmp(self: MaildirNames, home: Any, user: str) -> Iterator[File]:
    for file in MaildirNames.files(self, home, user):
        yield file
        yield File(file.path.replace("/new/", "/tmp/"), file.mode, user, file.group)


def _bounces_at_once(self: QmailSend, message: Message, recipient: Recipient, *more: Any) -> None:
    QmailSend.finish(self, message, recipient, *more)
    if message.bounce:
        self.bounce(message)
        message.bounce = b""


def _lacking(begin: str) -> Callable[[QmailSend, str], None]:
    def log(self: QmailSend, line: str) -> None:
        if not line.startswith(begin):
            QmailSend.log(self, line)

    return log


def _changed(begin: str, old: str, new: str) -> Callable[[QmailSend, str], None]:
    def log(self: QmailSend, line: str) -> None:
        QmailSend.log(self, line.replace(old, new, 1) if line.startswith(begin) else line)

    return log


def _of_qmail(method: Callable[..., File]) -> Callable[..., File]:
    return lambda *arguments: replace(method(*arguments), group="qmail")


def _of_nofiles(method: Callable[..., File]) -> Callable[..., File]:
    return lambda *arguments: replace(method(*arguments), group="nofiles")


def _in_group_qmail(self: MaildirNames, home: Any, user: str) -> Iterator[File]:
    for file in MaildirNames.files(self, home, user):
        yield replace(file, group="qmail")


FLAWS = (
    flaw("log.bounce-qp", "names another qp number for a bounce",
        QmailSend, log=_changed("bounce msg", " qp ", " qp 1")),
    flaw("log.deferral-text", "logs a deferral without its text", QmailSend,
        log=lambda self, line: QmailSend.log(self, line.partition("deferral:")[0] + "deferral: "
        if ": deferral:" in line else line)),
    flaw("log.end-missing", "logs no end of a message", QmailSend, log=_lacking("end msg")),
    flaw("log.in-lines", "lets a host write lines of the log",
        QmailSend, shown=lambda self, octets: octets.decode("latin-1").strip("\n").replace(" ", "_")),
    flaw("log.limit-ignored", "starts more deliveries than concurrencylocal allows",
        QmailSend, startable=lambda self, recipients: list(recipients)),
    flaw("log.result-missing", "logs no success", QmailSend, log=lambda self, line: (
        QmailSend.log(self, line) if ": success:" not in line else None)),
    flaw("log.sender-lost", "logs every message as from the null sender",
        QmailSend, info=lambda self, message: "bytes 1 from <> qp 1 uid 1"),
    flaw("log.status-missing", "starts without a status line", QmailSend, log=_lacking("status: local 1/")),
    flaw("log.uid-of-the-queue", "logs qmailq's user id for whoever queued a message", QmailSend,
        info=lambda self, message: QmailSend.info(self, message).rpartition(" ")[0] + " 64015"),
    flaw("maildir.8bit-lost", "stores the low seven bits of each octet", QmailLocal,
        octets=lambda self: bytes(octet & 127 for octet in self.message.octets)),
    flaw("maildir.delivered-to-first", "writes Delivered-To above Return-Path", QmailLocal,
        lines_above=lambda self: self.delivered_to() + self.return_path()),
    flaw("maildir.group", "stores a message in a Maildir in group qmail",
        MaildirNames, files=_in_group_qmail),
    flaw("queue.group", "has the files of the queue in group qmail",
        Filing, by_queue=_of_qmail(Filing.by_queue)),
    flaw("queue.kept-group", "has what qmail-send writes in another group",
        Filing, by_send=_of_nofiles(Filing.by_send)),
    flaw("maildir.name", "names a file in a Maildir by the process alone",
        MaildirNames, unique=lambda self, when, pid: f"{pid}.{self.host}"),
    flaw("maildir.readable", "lets everybody read a message in a Maildir", MaildirNames, umask=0o022),
    flaw("maildir.tmp-left", "leaves its file in tmp", MaildirNames, files=_in_tmp),
    flaw("queue.kept-readable", "lets everybody read whom waiting mail is for", Filing, send_umask=0o022),
    flaw("queue.last-recipient", "does not write the last recipient into the envelope",
        Filing, by_queue=_without_last),
    flaw("queue.left-lost", "leaves a message whose client went away in mess", Filing, discard=_left("lost")),
    flaw("queue.left-refused", "leaves a message that was refused in mess", Filing, discard=_left("refused")),
    flaw("queue.marks", "marks a recipient done that was put off", Filing, by_send=_all_marked),
    flaw("queue.root-owned", "has the files of the queue as root", Filing, queue_owner="root"),
    flaw("queue.uid-lost", "notes every message as handed in by root", Filing, by_queue=_from_root),
    flaw("queue.writable", "lets everybody write to a message in the queue", Filing, queue_umask=0),
    flaw("send.bounce-at-once", "tells of a failure before the other recipients are done",
        QmailSend, finish=_bounces_at_once),
    flaw("send.stays", "leaves a message that is done in the queue",
        QmailSend, end=lambda self, message: self.log(f"end msg {message.number}")),
)  # fmt: skip
