"""Flaws of qmail-rspawn: as whom it runs qmail-remote, and what it makes of one that fails."""

from conformance.reference.flaws.flaw import flaw
from conformance.reference.rspawn import QmailRspawn


def _believes(self: QmailRspawn, status: int, output: bytes) -> bytes:
    return QmailRspawn.report(self, 0 if output else status, output)


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
    flaw("rspawn.exit-111-permanent", "takes exit status 111 of qmail-remote for a permanent failure",
         QmailRspawn, unable=b"DUnable to run qmail-remote.\n"),
    flaw("rspawn.missing-permanent", "takes a qmail-remote that is not there for a permanent failure",
         QmailRspawn, cannot_run=100),
    flaw("rspawn.refusal-delivered", "takes a recipient that was refused for delivered",
         QmailRspawn, report=_swapped),
    flaw("rspawn.silence-is-success", "takes a qmail-remote that says nothing for a delivery",
         QmailRspawn, no_output=b"Kqmail-remote produced no output.\n"),
)  # fmt: skip
