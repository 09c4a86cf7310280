"""Flaws of qmail-rspawn: as whom it runs qmail-remote, and what it makes of one that fails."""

from conformance.reference.flaws.flaw import flaw
from conformance.reference.rspawn import QmailRspawn


def _believes(self: QmailRspawn, status: int, output: bytes) -> bytes:
    return QmailRspawn.report(self, 0 if output else status, output)


def _unended_too(self: QmailRspawn, status: int, output: bytes) -> bytes:
    return QmailRspawn.report(self, status, output + b"\0")


def _exit_ignored(self: QmailRspawn, status: int, output: bytes) -> bytes:
    return QmailRspawn.report(self, 0 if output and status > 0 else status, output)


def _accepted_is_delivered(self: QmailRspawn, letter: bytes, of_message: int) -> int:
    return 1 if letter == b"r" else QmailRspawn.rank(self, letter, of_message)


def _message_first(self: QmailRspawn, letter: bytes, of_message: int) -> int:
    return of_message if letter == b"s" and of_message < 0 else QmailRspawn.rank(self, letter, of_message)


def _needs_acceptance(self: QmailRspawn, status: int, output: bytes) -> bytes:
    return QmailRspawn.report(self, status, b"s\0" + output if output[:1] == b"K" else output)


def _swapped(self: QmailRspawn, status: int, output: bytes) -> bytes:
    if output[:1] == b"h":
        output = b"r" + output[1:]
    return QmailRspawn.report(self, status, output)


FLAWS = (
    flaw("rspawn.as-root", "runs qmail-remote as root", QmailRspawn, account="root"),
    flaw("rspawn.crash-permanent", "takes a crash of qmail-remote for a permanent failure",
         QmailRspawn, crashed=b"Dqmail-remote crashed.\n"),
    flaw("rspawn.crash-believed", "believes the report of a qmail-remote that crashed",
         QmailRspawn, report=_believes),
    flaw("rspawn.cut-off-believed", "believes a report that no 0 byte ends",
         QmailRspawn, report=_unended_too),
    flaw("rspawn.exit-1-permanent", "takes every exit status but 0 and 111 for a permanent failure",
         QmailRspawn, permanent=(*range(1, 111), *range(112, 256))),
    flaw("rspawn.exit-100-temporary", "takes exit status 100 of qmail-remote for a temporary failure",
         QmailRspawn, permanent=()),
    flaw("rspawn.exit-ignored", "does not look at the exit status of a qmail-remote that has reported",
         QmailRspawn, report=_exit_ignored),
    flaw("rspawn.no-report-permanent", "takes a run without a report of the message for a permanent failure",
         QmailRspawn, without_report=-1),
    flaw("rspawn.no-report-delivered", "takes a run without a report of the message for a delivery",
         QmailRspawn, without_report=1),
    flaw("rspawn.recipient-report-needed", "takes no report of the message without one of the recipient",
         QmailRspawn, report=_needs_acceptance),
    flaw("rspawn.acceptance-is-delivery", "takes a recipient that was accepted for delivered",
         QmailRspawn, rank=_accepted_is_delivered),
    flaw("rspawn.message-first", "takes the message report for that of a recipient who is put off",
         QmailRspawn, rank=_message_first),
    flaw("rspawn.exit-111-permanent", "takes exit status 111 of qmail-remote for a permanent failure",
         QmailRspawn, unable=b"DUnable to run qmail-remote.\n"),
    flaw("rspawn.missing-permanent", "takes a qmail-remote that is not there for a permanent failure",
         QmailRspawn, cannot_run=100),
    flaw("rspawn.refusal-delivered", "takes a recipient that was refused for delivered",
         QmailRspawn, report=_swapped),
    flaw("rspawn.silence-is-success", "takes a qmail-remote that says nothing for a delivery",
         QmailRspawn, no_output=b"Kqmail-remote produced no output.\n"),
)  # fmt: skip
