"""Flaws of the process behind a session: how it ends, what it holds, how long it waits."""

from typing import Any, Callable

from conformance.reference import acts
from conformance.reference.acts import Engine, Leak
from conformance.reference.flaws.flaw import flaw, then
from conformance.reference.policy import Policy
from conformance.reference.recipients import RecipientChecks
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.wire import Quit, Wire

#: Seconds for which a flawed build waits: longer than any case.
_LONG = 1200.0


def _leaving(step: Callable[..., Engine], leak: Leak) -> Callable[..., Engine]:
    """A step that leaves something behind each time."""

    def leaves(self: Any, *arguments: Any) -> Engine:
        yield leak
        return (yield from step(self, *arguments))

    return leaves


def _dies_after_quit(self: Any) -> Engine:
    status: int = yield from SmtpdSession.run(self)
    if status == 0:
        raise acts.Signalled(11)
    return status


def _dies_when_lost(self: Any) -> Engine:
    yield from SmtpdSession.connection_lost(self)
    raise acts.Signalled(6)


def _resets_at_quit(self: Any, argument: bytes) -> Engine:
    yield acts.Reset()
    yield from SmtpdSession.quit(self, argument)


def _fails_at_quit(self: Any, argument: bytes) -> Engine:
    try:
        yield from SmtpdSession.quit(self, argument)
    except Quit as quit:
        raise Quit(1, *quit.args[1:]) from None


def _waiting(step: Callable[..., Engine], needed: Callable[[Any], bool]) -> Callable[..., Engine]:
    """A step of a session that has no time limit in some state."""

    def waits(self: Any, *arguments: Any) -> Engine:
        kept = self.wire.limit
        self.wire.limit = _LONG if needed(self) else kept
        try:
            return (yield from step(self, *arguments))
        finally:
            self.wire.limit = kept

    return waits


def _counting_from_the_start(self: Any) -> Engine:
    now: float = yield acts.Now()
    self.started = getattr(self, "started", now)
    kept = self.limit
    self.limit = max(0.0, kept - (now - self.started))
    try:
        return (yield from Wire.line(self))
    finally:
        self.limit = kept


def _waits_to_write(self: Any) -> Engine:
    octets, self._waiting = bytes(self._waiting), bytearray()
    while octets and (yield acts.Send(octets)) is False:
        octets = b" "


FLAWS = (
    flaw("smtpd.dies-after-quit", "is ended by a signal after QUIT", SmtpdSession, run=_dies_after_quit),
    flaw("smtpd.dies-when-lost", "is ended by a signal when its client goes",
        SmtpdSession, connection_lost=_dies_when_lost),
    flaw("smtpd.quit-fails", "exits with 1 after QUIT", SmtpdSession, quit=_fails_at_quit),
    flaw("smtpd.quit-resets", "resets the connection after QUIT", SmtpdSession, quit=_resets_at_quit),
    flaw("smtpd.lost-is-success", "exits with 0 when its client goes",
        SmtpdSession, run=then(SmtpdSession.run, lambda status: 0)),
    flaw("smtpd.noop-leaks", "keeps the argument of each NOOP",
        SmtpdSession, noop=_leaving(SmtpdSession.noop, Leak(memory=2))),
    flaw("smtpd.unknown-leaks", "keeps each unknown command",
        SmtpdSession, unknown=_leaving(SmtpdSession.unknown, Leak(memory=1))),
    flaw("smtpd.mail-leaks", "keeps the sender of each transaction",
        SmtpdSession, mail=_leaving(SmtpdSession.mail, Leak(memory=1))),
    flaw("smtpd.rset-opens", "opens a descriptor with each RSET and never closes it",
        SmtpdSession, rset=_leaving(SmtpdSession.rset, Leak(descriptors=1))),
    flaw("smtpd.rcpt-leaks", "keeps each recipient three times, refused ones too",
        SmtpdSession, rcpt=_leaving(SmtpdSession.rcpt, Leak(memory=2))),
    flaw("smtpd.queue-pipe-left", "leaves a pipe to qmail-queue open after each message",
        SmtpdSession, data=_leaving(SmtpdSession.data, Leak(descriptors=1))),
    flaw("smtpd.queue-not-waited-for", "does not wait for the qmail-queue of a message",
        SmtpdSession, data=_leaving(SmtpdSession.data, Leak(children=1))),
    flaw("smtpd.verify-socket-left", "leaves the socket of each verification open",
        RecipientChecks, verify=_leaving(RecipientChecks.verify, Leak(descriptors=1))),
    flaw("0009.program-not-waited-for", "does not wait for each run of RCPTCHECK's program",
        RecipientChecks, rcptcheck=_leaving(RecipientChecks.rcptcheck, Leak(children=1))),
    flaw("0008.pipe-left", "leaves the pipe to the checkprogram open",
        Authentication, _exchange=_leaving(Authentication._exchange, Leak(descriptors=1))),
    flaw("smtpd.timeout-twice", "waits twice as long as timeoutsmtpd",
        Wire, patience=lambda self: 2 * self.limit),
    flaw("smtpd.timeout-short", "waits for half of timeoutsmtpd", Wire, patience=lambda self: self.limit / 2),
    flaw("smtpd.timeout-421", "says 421 after timeoutsmtpd", SmtpdSession,
        timed_out=lambda self: self.wire.say(b"421 timeout (#4.4.2)\r\n")),
    flaw("smtpd.timeout-not-before-hello", "waits for ever for HELO", SmtpdSession,
        command_line=_waiting(SmtpdSession.command_line, lambda self: self.client.helo is None)),
    flaw("smtpd.timeout-not-in-transaction", "waits for ever for a command of a transaction", SmtpdSession,
        command_line=_waiting(SmtpdSession.command_line, lambda self: self.sender is not None)),
    flaw("smtpd.timeout-not-in-command", "waits for ever for the rest of a command",
        Wire, patience=lambda self: _LONG if self.arrived else self.limit),
    flaw("smtpd.timeout-not-in-data", "waits for ever for the rest of a message", SmtpdSession,
        message_line=_waiting(SmtpdSession.message_line, lambda self: True)),
    flaw("smtpd.timeout-of-session", "counts timeoutsmtpd from the start of the session",
        Wire, line=_counting_from_the_start),
    flaw("smtpd.timeout-not-for-writing", "waits for ever for a client that takes no replies",
        Wire, flush=_waits_to_write),
    flaw("smtpd.timeout-zero-default", "takes a timeoutsmtpd of 0 for the default",
        Policy, at_least_a_second=lambda self, seconds: seconds or 1200),
    flaw("0008.timeout-not-in-auth", "waits for ever for an answer in AUTH",
        Authentication, ask=_waiting(Authentication.ask, lambda self: True)),
)  # fmt: skip
