"""qmail-send: takes mail from the queue to its recipients, and tells senders of failures."""

from dataclasses import replace
from typing import Callable, Dict, Iterable, List, Optional, Tuple

from conformance.reference.acts import Enqueue
from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.octets import VISIBLE, date, quote_address, quote_box, showing, split_address
from conformance.reference.queue import LOCAL, REMOTE, Message, Queue, Recipient
from conformance.reference.rewriting import Rewriting
from conformance.reference.rspawn import QmailRspawn, RunRemote

#: Makes one local delivery: (message, address) -> the report of qmail-lspawn, `K`, `Z` or `D` and a text.
DeliverLocally = Callable[[Message, bytes], bytes]

#: The sender of a double bounce, whose own failure nobody is told (envelopes(5)).
_DOUBLE_BOUNCE = b"#@[]"
#: The end of a sender that is another one for each recipient (addresses(5)).
_VERP = b"-@[]"

#: As many deliveries as qmail-lspawn and qmail-rspawn run at once (qmail-send(8); conf-spawn).
_SPAWN = 120

_WORDS = {b"K": "success", b"Z": "deferral", b"D": "failure"}


_TOO_LONG = b"I'm not going to try again; this message has been in the queue too long.\n"


class UnderWay(Exception):
    """A delivery that has not come to an end when its world stops looking."""


class QmailSend:
    """qmail-send(8) over a queue. Every recipient is tried once; nothing here is tried again by itself.

    `local` and `run_remote` make the deliveries, `log` takes a line of qmail-log(5) once what it says holds.
    Deliveries that raise UnderWay keep no other one waiting.
    """

    def __init__(
        self,
        build: Build,
        control: ControlFiles,
        queue: Queue,
        local: DeliverLocally,
        run_remote: RunRemote,
        log: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._write = log
        self._reports = {LOCAL: local, REMOTE: build.of(QmailRspawn)(run_remote).deliver}
        self._deliveries = 0
        self._begun = False
        self._running: Dict[str, int] = {LOCAL: 0, REMOTE: 0}  #: deliveries under way
        self._rewriting = build.of(Rewriting)(control)
        me = control.me
        self._can_start = me is not None or control.keys("locals") is not None
        self._bounce_from = control.line("bouncefrom", b"MAILER-DAEMON") or b""
        self._bounce_host = control.line("bouncehost", me, b"bouncehost") or b""
        double_host = control.line("doublebouncehost", me, b"doublebouncehost") or b""
        double_bounce_to = (control.line("doublebounceto", b"postmaster") or b"") + b"@" + double_host
        self.double_bounce_to = double_bounce_to.partition(b"\0")[0]  # a string of C ends there
        self._lifetime = control.number("queuelifetime", 604800)
        wanted = control.number("concurrencylocal", 10), control.number("concurrencyremote", 20)
        self._most = min(wanted[0] % 2**32, _SPAWN), min(wanted[1] % 2**32, _SPAWN)
        self._is_held = False  #: whether the only job there is belongs to a message for a channel on hold

    def log(self, line: str) -> None:
        """One line of the log (qmail-log(5))."""
        self._write(line)

    @property
    def is_busy(self) -> bool:
        """Whether deliveries are under way."""
        return any(self._running.values())

    def try_again(self, messages: Iterable[Message]) -> None:
        """SIGALRM: everything that waits is due now (qmail-send(8))."""
        for message in messages:
            if not any(recipient.under_way for recipient in message.recipients):
                message.due = self._queue.now()
                for recipient in message.pending:
                    recipient.tried = False

    def reread(self, control: ControlFiles) -> None:
        """SIGHUP: locals and virtualdomains are read again (qmail-send(8))."""
        self._rewriting.reread(control)

    def run(self, most: Optional[int] = None) -> bool:
        """Handle every message that is due, `most` of them at most; whether none is left.

        Mail that begets mail without end, as bounces that bounce, is never done.
        """
        if not self._begun:
            self._begun = True
            if self._can_start:
                self._status()
            else:
                self.log("alert: cannot start: unable to read controls")
        if not self._can_start:
            return True
        handled = 0
        while (message := self._queue.next_due()) is not None:
            if handled == most:
                return False
            self.handle(message)
            handled += 1
        return True

    def handle(self, message: Message) -> None:
        """Try the recipients that were not tried, side by side, as many as the limits allow."""
        if not message.taken_up:
            self.take_up(message)
        dying = self.is_dying(message)
        while together := self.startable(message.untried):
            started = [(self.start(message, recipient), recipient) for recipient in together]
            for number, recipient in started:
                self.finish(message, recipient, number, dying)
        if self.is_finished(message) and (not message.bounce or self.bounce(message)):
            self.end(message)

    def end(self, message: Message) -> None:
        """Nobody is left to be told anything: the message leaves the queue."""
        self._queue.remove(message)
        self.log(f"end msg {message.number}")

    def startable(self, recipients: List[Recipient]) -> List[Recipient]:
        """Those that concurrencylocal and concurrencyremote allow at once (qmail-send(8))."""
        local = [recipient for recipient in recipients if recipient.channel == LOCAL][: self._most[0]]
        remote = [recipient for recipient in recipients if recipient.channel == REMOTE][: self._most[1]]
        if sum(self._most) == 1 and self._takes_the_job(recipients, local + remote):
            return []
        return local + remote

    def _takes_the_job(self, recipients: List[Recipient], startable: List[Recipient]) -> bool:
        """Whether the only job is with a channel on hold, which never gives it back.

        There are as many jobs as both limits allow together, a message has one for each channel, and local is
        looked at first (qmail-send.c: job_avail, pass_dochan).
        """
        on_hold = LOCAL if not self._most[0] else REMOTE
        if any(recipient.channel == on_hold for recipient in recipients):
            self._is_held = self._is_held or on_hold == LOCAL or not startable
        return self._is_held

    def take_up(self, message: Message) -> None:
        """Sort the recipients of a message that has come into channels (qmail-log(5), MESSAGES)."""
        for recipient in message.recipients:
            is_local, recipient.rewritten = self._rewriting.rewrite(recipient.address)
            recipient.channel = LOCAL if is_local else REMOTE
        message.taken_up = True
        message.due = message.born
        self.log(f"new msg {message.number}")
        self.log(f"info msg {message.number}: {self.info(message)}")
        self._queue.take_up(message)

    def info(self, message: Message) -> str:
        """What is logged of a message that has come (qmail-log(5), MESSAGES)."""
        sender = self.shown(message.sender)
        return f"bytes {len(message.octets)} from <{sender}> qp {message.qp} uid {message.uid}"

    def shown(self, octets: bytes) -> str:
        """Octets as the log shows them: within one line."""
        return logged(octets)

    def start(self, message: Message, recipient: Recipient) -> int:
        """Start one delivery; its number (qmail-log(5), DELIVERIES)."""
        self._deliveries += 1
        place = f"msg {message.number} to {recipient.channel} {self.shown(recipient.rewritten)}"
        self.log(f"starting delivery {self._deliveries}: {place}")
        self._running[recipient.channel] += 1
        self._status()
        return self._deliveries

    def is_dying(self, message: Message) -> bool:
        """Whether a message is tried for the last time (qmail-send(8), queuelifetime).

        All that is due at once is begun at once: what others take does not make it older.
        """
        return int(message.due) > int(message.born) + self._lifetime

    def finish(self, message: Message, recipient: Recipient, number: int, dying: bool = False) -> None:
        """What came of a delivery: the recipient is done, unless the failure is temporary."""
        recipient.tried = True
        try:
            report = self.report(message, recipient)
        except UnderWay:
            recipient.under_way = True
            return
        if report[:1] == b"Z" and dying:
            report = b"D" + report[1:] + _TOO_LONG
        kind, text = report[:1], report[1:]
        recipient.done = kind != b"Z"
        if recipient.done:
            failure = self.failure(recipient.rewritten, text) if kind == b"D" else b""
            message.bounce += failure
            self._queue.settle(message, recipient, failure)
        self._running[recipient.channel] -= 1
        self.log(f"delivery {number}: {_WORDS[kind]}: {self.shown(text)}")
        self._status()

    def report(self, message: Message, recipient: Recipient) -> bytes:
        """How one delivery went: `K`, `Z` or `D` and a text."""
        addressed = replace(message, sender=self.sender_for(message.sender, recipient.rewritten))
        return self._reports[recipient.channel](addressed, recipient.rewritten)

    def sender_for(self, sender: bytes, recipient: bytes) -> bytes:
        """`pre@host-@[]` is `prebox=domain@host` for box@domain (addresses(5), QMAIL EXTENSIONS)."""
        pre, at, host = sender[: -len(_VERP)].rpartition(b"@")
        box, domain = split_address(recipient)
        if not sender.endswith(_VERP) or not at or domain is None:
            return sender
        return pre + box + b"=" + domain + b"@" + host

    def is_finished(self, message: Message) -> bool:
        """Whether no recipient is left who must be tried again (qmail-send(8))."""
        return not message.pending

    def _status(self) -> None:
        local, remote = self._running[LOCAL], self._running[REMOTE]
        self.log(f"status: local {local}/{self._most[0]} remote {remote}/{self._most[1]}")

    # Bounces

    def failure(self, address: bytes, report: bytes) -> bytes:
        """One paragraph of a bounce, ended by its only empty line."""
        name = self._rewriting.unprefixed(address).replace(b"\n", b"_")
        octets = b"<%s>:\n%s" % (name, report)
        if report and not report.endswith(b"\n"):
            octets += b"\n"
        return self.one_paragraph(octets) + b"\n"

    def one_paragraph(self, text: bytes) -> bytes:
        """Without an empty line, whatever a host or a program has said."""
        octets = bytearray(text)
        for at in range(len(octets) - 2, 0, -1):
            if octets[at] == octets[at - 1] == ord("\n"):
                octets[at] = ord("/")
        return bytes(octets)

    def bounce(self, message: Message) -> bool:
        """Tell of the failures whom they concern; False when that cannot be queued now."""
        failed = self.returned_to(message.sender)
        if failed == _DOUBLE_BOUNCE:
            self.log(f"triple bounce: discarding bounce/{message.number}")
            return True
        sender, recipient = self.bounce_envelope(failed)
        text = self.bounce_text(replace(message, sender=failed), recipient)
        queued = self._queue.enqueue(Enqueue(text, sender, (recipient,), "for bounce"))
        if queued.error:
            self.log("warning: trouble injecting bounce message, will try later")
            return False
        self.log(f"bounce msg {message.number} qp {queued.number}")
        return True

    def returned_to(self, sender: bytes) -> bytes:
        """`pre@host-@[]` gets its bounces at `pre@host` (addresses(5), QMAIL EXTENSIONS)."""
        return sender[: -len(_VERP)] if sender.endswith(_VERP) else sender

    def bounce_envelope(self, sender: bytes) -> Tuple[bytes, bytes]:
        """(sender, recipient) of a notice: to the sender, else to doublebounceto (qmail-send(8))."""
        return (b"", sender) if sender else (_DOUBLE_BOUNCE, self.double_bounce_to)

    def bounce_text(self, message: Message, recipient: bytes) -> bytes:
        """The notice From bouncefrom at bouncehost (qmail-send(8), CONTROL FILES), with the message in it.

        The sender of `message` is who gets it.
        """
        header = b"".join(field + b"\n" for field in self.bounce_header(recipient))
        says = b"Hi. This is the qmail-send program at %s.\n%s" % (self._bounce_host, self.says(message))
        what = b"a copy of the message" if message.sender else b"the original bounce"
        below = b"--- Below this line is %s.\n\n" % what
        return header + b"\n" + says + self.failures(message) + below + self.copy(message)

    def bounce_header(self, recipient: bytes) -> List[bytes]:
        """The fields of a notice."""
        return [
            b"Date: " + date(self._queue.now()).encode("ascii"),
            b"From: %s@%s" % (quote_box(self._bounce_from), self._bounce_host),
            b"To: " + quote_address(recipient),
            b"Subject: failure notice",
        ]

    def says(self, message: Message) -> bytes:
        """What a notice says before it comes to the addresses."""
        if not message.sender:
            return b"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
        return (
            b"I'm afraid I wasn't able to deliver your message to the following addresses.\n"
            b"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        )

    def failures(self, message: Message) -> bytes:
        """A paragraph for each address that failed."""
        return message.bounce

    def copy(self, message: Message) -> bytes:
        """The message that failed, whole, its sender above it."""
        return b"Return-Path: <%s>\n%s" % (quote_address(message.sender), message.octets)


_LOGGED = showing(VISIBLE.replace(b"%", b""), b"_")


def logged(octets: bytes) -> str:
    """Octets as qmail-send's log shows them, a line feed as `/`."""
    return octets.replace(b"\n", b"/").translate(_LOGGED).decode("ascii")
