"""Flaws in how qmail-smtpd starts programs: what it gives them, and what it makes of their end."""

from dataclasses import replace
from typing import Any, Callable, Dict, Union

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.client import Client
from conformance.reference.flaws.flaw import flaw
from conformance.reference.flaws.parameter import believed, named_in
from conformance.reference.queue import (
    ADDRESS_TOO_LONG,
    BAD_ENVELOPE,
    CANNOT_READ,
    CANNOT_WRITE,
    QueueInMemory,
    trouble,
)
from conformance.reference.recipients import GOOD, NOT_RUN, REFUSED, RecipientChecks
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.verify import Verifier

_CONNECTION = {0: acts.SOCKET, 1: acts.SOCKET}
_CONTROL_FILE = {3: "/var/lib/qmail/control/me"}


def _around(method: Callable[[Any], acts.Surroundings], **changed: Any) -> Callable[[Any], acts.Surroundings]:
    """How a program finds itself, with something changed; `more` are further descriptors, or others."""
    more = changed.pop("more", {})

    def around(self: Any) -> acts.Surroundings:
        found = method(self)
        return replace(found, descriptors={**found.descriptors, **more}, **changed)

    return around


def _queue_around(**changed: Any) -> Dict[str, Any]:
    return {"queue_surroundings": _around(SmtpdSession.queue_surroundings, **changed)}


def _check_around(**changed: Any) -> Dict[str, Any]:
    return {"surroundings": _around(RecipientChecks.surroundings, **changed)}


def _auth_around(**changed: Any) -> Dict[str, Any]:
    return {"surroundings": _around(Authentication.surroundings, **changed)}


def _left(count: int) -> Dict[int, str]:
    """So many pipes left open."""
    return {3 + number: acts.PIPE for number in range(count)}


def _queue_answers(*statuses: Union[int, str], error: str) -> Dict[str, Any]:
    """These exit statuses of qmail-queue come to `error`."""
    return {
        "queue_error": lambda self, queued: error if queued.status in statuses else queued.error,
    }


def _queue_variables(change: Callable[[Any, Dict[str, str]], Dict[str, str]]) -> Dict[str, Any]:
    return {"queue_environment": lambda self: change(self, SmtpdSession.queue_environment(self))}


def _without_queue_program(self: Any, found: Dict[str, str]) -> Dict[str, str]:
    return {name: value for name, value in found.items() if name != "QMAILQUEUE"}


def _queues_too_large(self: Any) -> Engine:
    around = self.queue_surroundings()
    recipients = tuple(self.recipients)
    yield acts.Enqueue(b"", b"", recipients, environment=self.queue_environment(), surroundings=around)
    yield from SmtpdSession.too_large(self)


def _completed(self: Any, written: bytes) -> Any:
    read = QueueInMemory.read(self, written)
    return QueueInMemory.read(self, written.rstrip(b"\0") + b"\0\0") if read == CANNOT_READ else read


def _without_letters(self: Any, written: bytes) -> Any:
    read = QueueInMemory.read(self, written)
    return (b"", [b"bob@here.example"]) if read == BAD_ENVELOPE else read


def _long_for_now(self: Any, written: bytes) -> Any:
    read = QueueInMemory.read(self, written)
    return CANNOT_WRITE if read == ADDRESS_TOO_LONG else read


def _auth_takes(status: object) -> Dict[str, Any]:
    return {"accepts": lambda self, seen: seen == status or Authentication.accepts(self, seen)}


def _asks_nobody(self: Any, user: bytes, password: bytes, challenge: bytes) -> acts.CheckPassword:
    asked = Authentication.question(self, user, password, challenge)
    return asked if asked.arguments else replace(asked, arguments=("nothing",))


def _named_before(self: Any, user: bytes, password: bytes, challenge: bytes) -> acts.CheckPassword:
    self.client.is_named(user)
    return Authentication.question(self, user, password, challenge)


def _named_with_password(self: Any, user: bytes) -> None:
    Client.is_named(self, user)
    self.environment["AUTHPASS"] = "it"


def _relays_without_a_word(self: Any) -> None:
    self.relay_suffix = b""


def _named_in_received(self: Any, user: bytes) -> None:
    self.info = user


def _closes_more_rcpthosts(self: Any, argument: bytes) -> Engine:
    yield from SmtpdSession.auth(self, argument)
    if self.client.attempts:
        self.policy.more_rcpthosts = []


def _variables_stay(self: Any, sender: bytes, address: bytes) -> Dict[str, str]:
    found = RecipientChecks.program_environment(self, sender, address)
    self.client.environment.update(found)
    return found


def _first_sender(self: Any, sender: bytes, address: bytes) -> Dict[str, str]:
    found = RecipientChecks.program_environment(self, sender, address)
    self.first_sender = getattr(self, "first_sender", found["SENDER"])
    return {**found, "SENDER": self.first_sender}


def _twice(self: Any, sender: bytes, address: bytes) -> Engine:
    good: bool = yield from RecipientChecks.rcptcheck(self, sender, address)
    if good and self.program() is not None and self.build.carries("0009"):
        yield self.run(self.program(), self.program_environment(sender, address))
    return good


def _remembers(self: Any, sender: bytes, address: bytes) -> Engine:
    known: Dict[bytes, bool] = self.__dict__.setdefault("answers", {})
    if address not in known:
        known[address] = yield from RecipientChecks.rcptcheck(self, sender, address)
    return known[address]


def _refuses_the_rest(self: Any, sender: bytes, address: bytes) -> Engine:
    good: bool = yield from RecipientChecks.rcptcheck(self, sender, address)
    self.has_refused = getattr(self, "has_refused", False) or not good
    if good and self.has_refused:
        yield from self.wire.answer("553 sorry, no mailbox here by that name. (#5.1.1)", "Refused before")
    return not self.has_refused


def _drops_pipelined(self: Any, sender: bytes, address: bytes) -> Engine:
    good: bool = yield from RecipientChecks.rcptcheck(self, sender, address)
    if self.program() is not None:
        self.wire.arrived.clear()
    return good


def _runs_for_every_rcpt(self: Any, argument: bytes) -> Engine:
    if self.lacks_mail() or len(argument) > self.longest_address:
        yield from self.checks.rcptcheck(b"", argument)
    yield from SmtpdSession.rcpt(self, argument)


def _verify_first(self: Any) -> Any:
    return SmtpdSession.recipient_checks(self)[::-1]


def _either(self: Any) -> Any:
    checks = SmtpdSession.recipient_checks(self)
    return checks[:1] if self.checks.program() is not None else checks


FLAWS = (
    # What becomes of qmail-queue's exit status
    flaw("smtpd.queue-31-temporary", "answers 451 to qmail-queue's permanent errors",
        SmtpdSession, **_queue_answers(11, 31, 12, 40, error="Zqq temporary problem (#4.3.0)")),
    flaw("smtpd.queue-53-permanent", "answers 554 to a full disk",
        SmtpdSession, **_queue_answers(53, error="Dqq write error or disk full (#4.3.0)")),
    flaw("smtpd.queue-63-permanent", "answers 554 to trouble in the queue's directories",
        SmtpdSession, **_queue_answers(63, 64, 65, 66, error="Dqq trouble creating files in queue (#4.3.0)")),
    flaw("smtpd.queue-71-permanent", "answers 554 to a mail server that refuses for now",
        SmtpdSession, **_queue_answers(71, error="Dmail server temporarily rejected message (#4.3.0)")),
    flaw("smtpd.queue-91-accepts", "says 250 when qmail-queue could not read the envelope",
        SmtpdSession, **_queue_answers(91, error="")),
    flaw("smtpd.queue-100-permanent", "answers 554 to exit status 100, as delivery programs use it",
        SmtpdSession, **_queue_answers(100, error="Dqq permanent problem (#5.3.0)")),
    flaw("smtpd.queue-crash-accepts", "says 250 when qmail-queue has crashed",
        SmtpdSession, **_queue_answers(acts.CRASHED, error="")),
    flaw("smtpd.queue-120-accepts", "says 250 when qmail-queue could not be run",
        SmtpdSession, **_queue_answers(120, error="")),
    flaw("smtpd.queue-54-accepts", "says 250 when qmail-queue has not read all of the message",
        SmtpdSession, **_queue_answers(54, error="")),
    flaw("smtpd.queue-words-lost", "does not say which trouble qmail-queue had", SmtpdSession,
        queue_error=lambda self, queued: queued.error[:1] and trouble({"D": 40, "Z": 1}[queued.error[0]])),
    # What qmail-queue finds
    flaw("smtpd.queue-program-ignored", "runs qmail-queue whatever QMAILQUEUE says",
        SmtpdSession, **_queue_variables(_without_queue_program)),
    flaw("smtpd.queue-program-empty", "takes an empty QMAILQUEUE for none", SmtpdSession,
        **_queue_variables(lambda self, found: found if found.get("QMAILQUEUE") else
        _without_queue_program(self, found))),
    flaw("smtpd.queue-variables", "tells qmail-queue the last recipient in its environment",
        SmtpdSession, **_queue_variables(lambda self, found: {**found,
        "RECIPIENT": self.recipients[-1].decode("latin-1")})),
    flaw("smtpd.queue-in-root", "runs qmail-queue in /", SmtpdSession, **_queue_around(directory="/")),
    flaw("smtpd.queue-umask", "runs qmail-queue with another umask",
        SmtpdSession, **_queue_around(umask="0077")),
    flaw("smtpd.queue-given-control-file", "leaves a control file open to qmail-queue",
        SmtpdSession, **_queue_around(more=_CONTROL_FILE)),
    flaw("smtpd.queue-given-pipe", "gives qmail-queue a pipe on descriptor 6, as notqmail does for its words",
        SmtpdSession, **_queue_around(more={6: acts.PIPE})),
    flaw("smtpd.queue-log-closed", "gives the connection to the client to qmail-queue for its errors",
        SmtpdSession, **_queue_around(more={2: acts.SOCKET})),
    flaw("smtpd.queue-pipes-left", "leaves the pipes of each message open", SmtpdSession,
        queue_surroundings=lambda self: _around(SmtpdSession.queue_surroundings,
        more=_left(2 * self.messages))(self)),
    flaw("smtpd.queue-child-left", "does not wait for the qmail-queue of a message that it refuses",
        SmtpdSession, queue_surroundings=lambda self: _around(SmtpdSession.queue_surroundings,
        siblings=self.messages)(self)),
    flaw("smtpd.queue-envelope-of-refused", "gives qmail-queue the envelope of a message over databytes",
        SmtpdSession, too_large=_queues_too_large),
    # What qmail-queue makes of an envelope
    flaw("queue.cut-off-taken", "takes an envelope that breaks off for a whole one",
        QueueInMemory, read=_completed),
    flaw("queue.letters-ignored", "does not look at the letters before addresses",
        QueueInMemory, read=_without_letters),
    flaw("queue.long-temporary", "takes an address that is too long for a write error",
        QueueInMemory, read=_long_for_now),
    # qmail-verify and fastforward's aliases
    flaw("verify.aliases-ignored", "does not look at aliases.cdb",
        Verifier, is_alias=lambda self, address: True),
    flaw("verify.aliases-needed", "takes nobody in for .qmail-default where there is no aliases.cdb",
        Verifier, is_alias=lambda self, address: bool(self.aliases) and Verifier.is_alias(self, address)),
    flaw("verify.aliases-case", "looks aliases up as they are written",
        Verifier, keys=lambda self, address: [b":" + address, *Verifier.keys(self, address)[1:]]),
    flaw("verify.aliases-whole", "knows no aliases for domains and local parts",
        Verifier, keys=lambda self, address: Verifier.keys(self, address)[:1]),
    flaw("verify.aliases-for-all", "looks at aliases.cdb for every local address", Verifier,
        knows=lambda self, address: Verifier.knows(self, address) and self.is_alias(address)),
    # The checkprogram
    *(flaw(f"0008.exit-{status}-accepts", f"takes exit status {status} of the checkprogram for acceptance",
        Authentication, **_auth_takes(status)) for status in (2, 100, 111, 255)),
    flaw("0008.exit-0-refuses", "takes no exit status of the checkprogram for acceptance",
        Authentication, accepts=lambda self, status: Authentication.accepts(self, status) and False),
    flaw("0008.program-never-ends", "waits for a checkprogram for ever",
        Authentication, program_limit=lambda self: None),
    flaw("0008.hang-accepts", "lets in whom the checkprogram has not refused in time",
        Authentication, **_auth_takes(acts.HUNG)),
    flaw("0008.no-program-accepts", "lets anybody in who says AUTH where there is no checkprogram",
        Authentication, is_available=lambda self: bool(self.methods), question=_asks_nobody,
        accepts=lambda self, status: status == acts.MISSING or Authentication.accepts(self, status)),
    flaw("0008.program-in-root", "runs the checkprogram in /", Authentication, **_auth_around(directory="/")),
    flaw("0008.program-umask", "runs checkprogram and subprogram with another umask",
        Authentication, **_auth_around(umask="0077")),
    flaw("0008.program-given-control-file", "leaves a control file open to the checkprogram",
        Authentication, **_auth_around(more={4: "/var/lib/qmail/control/me"})),
    flaw("0008.program-without-sigpipe", "runs the checkprogram with SIGPIPE ignored",
        Authentication, **_auth_around(ignores=("PIPE",))),
    flaw("0008.program-log-closed", "closes descriptor 2 of the checkprogram to the log",
        Authentication, **_auth_around(more={2: acts.NOTHING})),
    flaw("0008.program-has-connection", "leaves the connection to the client to the checkprogram",
        Authentication, **_auth_around(more=_CONNECTION)),
    flaw("0008.closes-morercpthosts", "closes morercpthosts.cdb with descriptor 3",
        SmtpdSession, auth=_closes_more_rcpthosts),
    flaw("0008.pipes-left", "leaves a pipe open after each attempt to authenticate", SmtpdSession,
        queue_surroundings=lambda self: _around(SmtpdSession.queue_surroundings,
        more=_left(self.client.attempts))(self)).also(RecipientChecks,
        surroundings=lambda self: _around(RecipientChecks.surroundings,
        more=_left(self.client.attempts))(self)),
    flaw("0008.relayclient-not-set", "lets a client relay that has authenticated, and tells no program",
        Client, may_relay=_relays_without_a_word),
    flaw("0008.user-not-set", "names the user in Received, and tells no program",
        Client, is_named=_named_in_received),
    flaw("0008.password-left", "leaves the password in the environment",
        Client, is_named=_named_with_password),
    flaw("0008.named-before", "names the user before the checkprogram has said yes",
        Authentication, question=_named_before),
    flaw("0008.parameter-believed", "tells programs who a stranger says he is in AUTH= on MAIL",
        Client, is_said_to_be=believed),
    flaw("0008.parameter-replaces", "lets AUTH= on MAIL replace what is known of the client",
        Client, is_said_to_be=lambda self, word: self.is_named(named_in(word))),
    # RCPTCHECK's program
    flaw("0009.101-refuses", "takes every exit status from 100 to 119 but 111 for a refusal", RecipientChecks,
        meaning=lambda self, status: REFUSED if status in (101, 110, 112, 119) else
        RecipientChecks.meaning(self, status)),
    flaw("0009.255-not-run", "takes exit status 255 for a program that could not be run", RecipientChecks,
        meaning=lambda self, status: NOT_RUN if status == 255 else RecipientChecks.meaning(self, status)),
    flaw("0009.refuses-the-rest", "refuses every recipient after one that was refused",
        RecipientChecks, rcptcheck=_refuses_the_rest),
    flaw("0009.remembers-answers", "asks about a recipient once a session",
        RecipientChecks, rcptcheck=_remembers),
    flaw("0009.twice", "runs the program twice for each recipient that it accepts",
        RecipientChecks, rcptcheck=_twice),
    flaw("0009.empty-off", "takes an empty RCPTCHECK for none",
        RecipientChecks, program=lambda self: RecipientChecks.program(self) or None),
    flaw("0009.never-ends", "waits for the program for ever", RecipientChecks, limit=lambda self: None),
    flaw("0009.hang-accepts", "accepts a recipient when the program does not end in time", RecipientChecks,
        meaning=lambda self, status: GOOD if status == acts.HUNG else RecipientChecks.meaning(self, status)),
    flaw("0009.umask", "runs the program with another umask", RecipientChecks, **_check_around(umask="0077")),
    flaw("0009.given-control-file", "leaves a control file open to the program",
        RecipientChecks, **_check_around(more=_CONTROL_FILE)),
    flaw("0009.log-closed", "closes descriptor 2 of the program to the log",
        RecipientChecks, **_check_around(more={2: acts.NOTHING})),
    flaw("0009.errors-shown", "gives the connection to the client to the program for its errors",
        RecipientChecks, **_check_around(more={2: acts.SOCKET})),
    flaw("0009.has-connection", "leaves the connection to the client to the program as input and output",
        RecipientChecks, **_check_around(more=_CONNECTION)),
    flaw("0009.child-left", "does not wait for the program of the recipient before", RecipientChecks,
        surroundings=lambda self: _around(RecipientChecks.surroundings, siblings=self.runs - 1)(self)),
    flaw("0009.variables-stay", "leaves SENDER and RECIPIENT in its own environment",
        RecipientChecks, program_environment=_variables_stay),
    flaw("0009.variables-kept", "keeps a SENDER and a RECIPIENT that it was started with",
        RecipientChecks, program_environment=lambda self, sender, address: {
        **RecipientChecks.program_environment(self, sender, address), **self.client.environment}),
    flaw("0009.first-sender", "tells the program the sender of the session's first transaction",
        RecipientChecks, program_environment=_first_sender),
    flaw("0009.drops-pipelined", "throws away the commands that came with a RCPT",
        RecipientChecks, rcptcheck=_drops_pipelined),
    flaw("0009.runs-for-every-rcpt", "runs the program before it looks at the RCPT",
        SmtpdSession, rcpt=_runs_for_every_rcpt),
    flaw("0009.verify-first", "asks qmail-verify before the program",
        SmtpdSession, recipient_checks=_verify_first),
    flaw("0009.in-place-of-verify", "does not ask qmail-verify where there is a program",
        SmtpdSession, recipient_checks=_either),
)  # fmt: skip
