"""Flaws of patch 0006: unknown commands are unrecognized."""

from typing import Any

from conformance.reference.acts import Engine
from conformance.reference.flaws.flaw import dropped, flaw
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.wire import Quit


def _closes(self: Any, argument: bytes) -> Engine:
    yield from ()
    raise Quit(1, "Unrecognized command", self.unrecognized.encode("ascii") + b"\r\n")


def _resets(self: Any, argument: bytes) -> Engine:
    self.reset()
    yield from SmtpdSession.unknown(self, argument)


FLAWS = (
    flaw("0006.closes", "closes the connection after an unknown command", SmtpdSession, unknown=_closes),
    dropped("0006.dropped", "answers 502 as stock does"),
    flaw("0006.enhanced-status", "answers 500 with the old enhanced status 5.5.1",
        SmtpdSession, unrecognized="500 unrecognised (#5.5.1)"),
    flaw("0006.known-verbs", "answers 500 to NOOP, too",
        SmtpdSession, noop=lambda self, argument: self.unknown(argument)),
    flaw("0006.resets", "an unknown command ends the transaction", SmtpdSession, unknown=_resets),
)  # fmt: skip
