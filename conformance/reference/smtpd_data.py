"""qmail-smtpd: DATA, from what may refuse it to what qmail-queue says of the message."""

from typing import Dict, List, Optional, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.blast import Blast, StrayNewline
from conformance.reference.build import Build
from conformance.reference.client import Client
from conformance.reference.policy import Policy, clean
from conformance.reference.recipients import RecipientChecks
from conformance.reference.wire import Gone, Quit, Silence, Wire


class DataCommand:
    """What a session needs to take a message, and the command that takes it."""

    build: Build
    policy: Policy
    client: Client
    wire: Wire
    checks: RecipientChecks
    sender: Optional[bytes]
    recipients: List[bytes]
    messages: int

    #: A message is over databytes (RFC 1870 6.1).
    too_large_code = 552

    def cleaned(self, octets: bytes) -> str:
        """What a client says, as the log shows it: on one line, and harmless (0001)."""
        return clean(octets)

    def reset(self) -> None:
        """There is no transaction any more."""
        self.sender = None

    def data(self, argument: bytes) -> Engine:
        refusal = self.refuses_data()
        if refusal is not None:
            yield from self.wire.answer(*refusal)
            return
        sender = self.begin_message()
        self.wire.say(b"354 go ahead\r\n")
        when: float = yield acts.Now()
        blast = self.build.of(Blast)(self.policy.databytes)
        try:
            while not blast.line((yield from self.message_line())):
                pass
        except StrayNewline:
            yield self.given_up("refused", when, blast)
            last = b"451 See http://pobox.com/~djb/docs/smtplf.html.\r\n"
            raise Quit(1, "Stray newline: quitting", last) from None
        except (Gone, Silence):
            yield self.given_up("lost", when, blast)
            raise
        if blast.looping or blast.too_large():
            yield self.given_up("refused", when, blast)
        if blast.looping:
            reply = "554 too many hops, this message is looping (#5.4.6)"
            yield from self.wire.answer(reply, "Exceeded hop count")
        elif blast.too_large():
            yield from self.too_large()
        else:
            recipients = self.all_recipients()
            message = self.received_field(when) + bytes(blast.message)
            queued: acts.Queued = yield from self.enqueue(message, sender, recipients)
            yield from self._queued(queued, len(recipients), len(blast.message))

    def refuses_data(self) -> Optional[Tuple[str, str]]:
        """The reply, and its line of the log, when DATA may not come now (RFC 5321 4.1.4); else None."""
        if self.sender is None:
            return "503 MAIL first (#5.5.1)", "Attempted RCPT or DATA before MAIL"
        if not self.recipients:
            return "503 RCPT first (#5.5.1)", "Attempted DATA before RCPT"
        if self.checks.refuses_data():
            return "554 sorry, invalid mailbox name(s). (#5.1.1)", "Unverified mailbox(es) at DATA time"
        return None

    def begin_message(self) -> bytes:
        """The sender; whatever becomes of the message, the transaction is over (RFC 5321 4.1.1.4)."""
        sender = self.sender or b""
        self.reset()
        return sender

    def message_line(self) -> Engine:
        """The next line of the message, up to a line feed and nothing else."""
        return self.wire.line()

    def add_recipient(self, address: bytes) -> None:
        """One more recipient (RFC 5321 4.1.1.3)."""
        self.recipients.append(address)

    def all_recipients(self) -> Tuple[bytes, ...]:
        """Whom the message goes to: everybody who was accepted (RFC 5321 4.1.1.3)."""
        return tuple(self.recipients)

    def received_field(self, when: float) -> bytes:
        """What is put before the message (RFC 5321 4.4)."""
        return self.client.received(when)

    def given_up(self, why: str, when: float, blast: Blast) -> acts.Discard:
        """What was begun with DATA comes to nothing."""
        message = self.received_field(when) + bytes(blast.message)
        return acts.Discard(why, message, self.queue_environment(), self.queue_surroundings())

    def enqueue(self, message: bytes, sender: bytes, recipients: Tuple[bytes, ...]) -> Engine:
        """Give the message to qmail-queue; the `Queued` that comes of it."""
        environment, around = self.queue_environment(), self.queue_surroundings()
        self.messages += 1
        return (yield acts.Enqueue(message, sender, recipients, environment=environment, surroundings=around))

    def queue_surroundings(self) -> acts.Surroundings:
        """How qmail-queue finds itself: it reads two pipes, and has nothing of the session."""
        return acts.Surroundings({0: acts.PIPE, 1: acts.PIPE, 2: acts.LOG}, ignores=("PIPE",))

    def queue_environment(self) -> Dict[str, str]:
        """qmail-queue's environment is qmail-smtpd's own."""
        return dict(self.client.environment)

    def queue_error(self, queued: acts.Queued) -> str:
        """What became of the message when it is not queued, after Z or D (qmail-queue(8), EXIT CODES)."""
        return queued.error

    def too_large(self) -> Engine:
        """A message is refused for its size, and nothing of it stays (qmail-smtpd(8), databytes)."""
        reply = f"{self.too_large_code} sorry, that message size exceeds my databytes limit (#5.3.4)"
        yield from self.wire.answer(reply, "Exceeded DATABYTES limit")

    def _queued(self, queued: acts.Queued, recipients: int, size: int) -> Engine:
        """Accepted means queued: 250 comes after qmail-queue's success alone (qmail-queue(8))."""
        error = self.queue_error(queued)
        if error:
            code = "554" if error[0] == "D" else "451"
            rejected = self.cleaned(error[1:].encode("latin-1"))
            self.wire.say(f"{code} {error[1:]}\r\n".encode("latin-1"))
            yield from self.wire.log(f"Message rejected ({code} {rejected})")
            return
        now: float = yield acts.Now()
        logged = f"Message accepted, qp {queued.number} ({recipients} recipients, {size} bytes)"
        yield from self.wire.answer(f"250 ok {int(now)} qp {queued.number}", logged)
