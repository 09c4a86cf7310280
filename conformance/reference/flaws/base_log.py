"""Flaws of qmail-smtpd's log (0001): lines that are missing, not true, or not harmless."""

import re
from typing import Any, Callable, Dict, List

from conformance.reference.acts import Engine, Log
from conformance.reference.flaws.flaw import at_once, flaw
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.wire import Wire


def _logs(change: Callable[[str], List[str]]) -> Callable[..., Engine]:
    """A log in which other lines stand for each."""

    def log(self: Any, line: str) -> Engine:
        for instead in change(line):
            yield from Wire.log(self, instead)

    return log


def _silent_about(start: str) -> Callable[..., Engine]:
    return _logs(lambda line: [] if line.startswith(start) else [line])


def _as_another_process(self: Any, line: str) -> Engine:
    yield Log(f"qmail-smtpd: pid 1 from 127.0.0.1: {line}")


def _without_address(self: Any, line: str) -> Engine:
    yield Log(f"qmail-smtpd: {self._place.replace('127.0.0.1', 'unknown')}: {line}")


def _in_pieces(self: Any, line: str) -> Engine:
    before, space, rest = line.rpartition(" ")
    yield Log(f"qmail-smtpd: {self._place}: {before}{space}")
    yield Log(rest)


def _recipient_first(self: Any, argument: bytes) -> Engine:
    yield from self.wire.log(f"Recipient <{self.cleaned(self.reader.address(argument))}>")
    yield from SmtpdSession.rcpt(self, argument)


def _with_what_was_said(self: Any, argument: bytes) -> Engine:
    yield from SmtpdSession.unknown(self, argument)
    yield from self.wire.log("Unimplemented command")


def _command_line(self: Any) -> Engine:
    line: bytes = yield from SmtpdSession.command_line(self)
    if b" " not in line:
        yield from self.wire.log(f"Said {self.cleaned(line)}")
    return line


def _answer_logged(self: Any, prompt: bytes) -> Engine:
    response: bytes = yield from Authentication.ask(self, prompt)
    yield from self.wire.log(f"auth - {response.decode('latin-1')}")
    return response


def _credentials_logged(self: Any, method: bytes, initial: bytes) -> Engine:
    yield from self.wire.log(f"auth - {initial.decode('latin-1')}")
    yield from Authentication._exchange(self, method, initial)


def _counts(recipients: int, size: int) -> Callable[..., Engine]:
    def queued(self: Any, queued: Any, some: int, octets: int) -> Engine:
        yield from SmtpdSession._queued(self, queued, some + recipients, octets + size)

    return queued


def _counts_on(self: Any, queued: Any, recipients: int, size: int) -> Engine:
    self.counted = getattr(self, "counted", 0) + recipients
    yield from SmtpdSession._queued(self, queued, self.counted, size)


def _with_delimiters(self: Any, octets: bytes) -> str:
    return "".join(
        chr(octet) if octet in b":<>" else SmtpdSession.cleaned(self, bytes([octet])) for octet in octets
    )


#: What a line starts with, and the name of the flaw that does not write it.
_MISSING: Dict[str, str] = {
    "smtpd.log-hello-missing": "Received ",
    "smtpd.log-session-missing": "New session",
    "smtpd.log-sender-missing": "Sender <",
    "smtpd.log-recipient-missing": "Recipient <",
    "smtpd.log-accepted-missing": "Message accepted",
    "smtpd.log-not-allowed-missing": "Recipient domain not in rcpthosts",
    "smtpd.log-bad-sender-missing": "Sender address in badmailfrom",
    "smtpd.log-mail-first-missing": "Attempted RCPT or DATA before MAIL",
    "smtpd.log-rcpt-first-missing": "Attempted DATA before RCPT",
    "smtpd.log-too-long-missing": "RCPT with too long address",
    "smtpd.log-too-large-missing": "Exceeded DATABYTES",
    "smtpd.log-looping-missing": "Exceeded hop count",
    "smtpd.log-unverified-missing": "Unverified mailbox at",
    "smtpd.log-unverified-at-data-missing": "Unverified mailbox(es)",
    "smtpd.log-reset-missing": "Session RSET",
    "smtpd.log-quit-missing": "Remote end QUIT",
    "smtpd.log-lost-missing": "Read error",
    "smtpd.log-timeout-missing": "Connection timed out",
    "smtpd.log-stray-newline-missing": "Stray newline",
    "0007.log-missing": "Rejecting attempt",
    "0008.log-failed-missing": "auth - authentication failed",
    "0008.log-cancelled-missing": "auth - exchange cancelled",
    "0009.log-refused-missing": "Recipient could not be",
    "0009.log-quits-missing": "Unable to verify recipient",
}

FLAWS = (
    *(flaw(name, f"does not log `{start.strip()}`", Wire, log=_silent_about(start))
      for name, start in _MISSING.items()),
    flaw("smtpd.log-another-process", "logs another process id than its own", Wire, log=_as_another_process),
    flaw("smtpd.log-no-address", "does not log the client's address", Wire, log=_without_address),
    flaw("smtpd.log-twice", "logs each decision twice", Wire, log=_logs(lambda line: [line, line])),
    flaw("smtpd.log-in-pieces", "ends a line of the log within a decision", Wire,
        log=_in_pieces),
    flaw("smtpd.log-recipient-first", "logs a recipient before it is decided whether to accept it",
        SmtpdSession, rcpt=_recipient_first),
    flaw("smtpd.log-one-more-recipient", "counts one recipient too many in the log",
        SmtpdSession, _queued=_counts(1, 0)),
    flaw("smtpd.log-received-counted", "counts the Received line among the octets that it logs",
        SmtpdSession, _queued=_counts(0, 100)),
    flaw("smtpd.log-counts-on", "counts the recipients of all messages of a session in the log",
        SmtpdSession, _queued=_counts_on),
    flaw("smtpd.log-another-number", "logs another number for a message than it tells the client",
        Wire, log=_logs(lambda line: [re.sub(r"qp \d+", "qp 1", line)])),
    flaw("smtpd.log-raw", "logs unprintable octets as they are", SmtpdSession,
        cleaned=lambda self, octets: octets.decode("latin-1")),
    flaw("smtpd.log-delimiters", "lets a client write the delimiters of the log",
        SmtpdSession, cleaned=_with_delimiters),
    flaw("smtpd.log-what-was-said", "logs commands without an argument as they were said",
        SmtpdSession, command_line=_command_line),
    flaw("0006.log-unimplemented", "logs an unknown command twice, as not implemented, too",
        SmtpdSession, unknown=_with_what_was_said),
    flaw("0008.log-success-missing", "does not log who has authenticated", Authentication,
        succeeded=at_once(lambda self, reply: self.wire.say(reply.encode("latin-1") + b"\r\n"))),
    flaw("0008.log-answers", "logs what a client answers in an AUTH exchange",
        Authentication, ask=_answer_logged),
    flaw("0008.log-credentials", "logs the initial response of AUTH",
        Authentication, _exchange=_credentials_logged),
)  # fmt: skip
