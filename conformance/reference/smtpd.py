"""qmail-smtpd: one session, in the order in which qmail does things.

`session(settings)` yields acts (see `acts`) and returns the exit status. Stock, with patches 0006 to 0009 as
switches: where a patched qmail departs from its patch's documentation, this keeps the documentation.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.blast import Blast, StrayNewline
from conformance.reference.envelope import parse_address, parse_parameters, relays, xtext_decoded
from conformance.reference.octets import date, leading_number
from conformance.reference.policy import Policy, SmtpdSettings, clean
from conformance.reference.recipients import Quit, check_recipient, verify_recipient
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.wire import Gone, Silence, Wire

__all__ = ["SmtpdSettings", "session"]


def session(settings: SmtpdSettings) -> Engine:
    """One session from the greeting on; returns the exit status of the process."""
    return Session(settings).run()


class Session:
    """What qmail-smtpd knows of the other side, and its commands."""

    def __init__(self, settings: SmtpdSettings) -> None:
        self.settings = settings
        self.flaws = settings.flaws
        self.patches = settings.patches
        self.policy = Policy(settings)
        self.environment = dict(settings.environment)
        self.wire = Wire(self.policy.timeout, joins="smtpd.pieces-lost" not in self.flaws)
        self.authentication = Authentication(self)
        self.relay_suffix: Optional[bytes] = self._variable("RELAYCLIENT")
        if "smtpd.relayclient-empty-ignored" in self.flaws and not self.relay_suffix:
            self.relay_suffix = None
        self.remote_host = self._variable("TCPREMOTEHOST") or b"unknown"
        self.remote_info = self._variable("TCPREMOTEINFO")
        self.remote_address = self._variable("TCPREMOTEIP") or b"unknown"
        self.local = self._variable("TCPLOCALHOST") or self._variable("TCPLOCALIP") or b"unknown"
        self.helo: Optional[bytes] = None
        self.protocol = b"SMTP"
        self.sender: Optional[bytes] = None
        self.recipients: List[bytes] = []
        self.sender_is_bad = False
        self.unverified = False

    def _variable(self, name: str) -> Optional[bytes]:
        value = self.environment.get(name)
        return None if value is None else value.encode("latin-1")

    def log(self, line: str) -> Engine:
        place = f"pid {self.settings.pid} from {self.remote_address.decode('latin-1')}"
        yield acts.Log(f"qmail-smtpd: {place}: {line}")

    def answer(self, reply: str, logged: str) -> Engine:
        """Log one line and hold a reply back for the next flush."""
        yield from self.log(logged)
        self.wire.say(reply.encode("latin-1") + b"\r\n")

    # The session

    def run(self) -> Engine:
        try:
            yield from self._converse()
        except Quit as quit:
            if quit.logged:
                yield from self.log(quit.logged)
            self.wire.say(quit.reply)
            yield from self.wire.flush()
            yield acts.Close()
            return quit.status
        except Gone:
            yield from self.log("Read error (disconnect?): quitting")
            if "smtpd.lost-connection-queues" in self.flaws and self.recipients:
                yield acts.Enqueue(b"", self.sender or b"", tuple(self.recipients))
        except Silence:
            yield from self.log("Connection timed out: quitting")
            if "smtpd.timeout-silent" not in self.flaws:
                self.wire.say(b"451 timeout (#4.4.2)\r\n")
            yield from self.wire.flush()
        yield acts.Close()
        return 1

    def _converse(self) -> Engine:
        if self.policy.greeting is None:
            reply = b"421 unable to read controls (#4.3.0)\r\n"
            raise Quit(1, "Unable to read controls: quitting", reply)
        verify = self.environment.get("VERIFY")
        if verify == "":
            yield from self.log("Note recipient verification explicitly disabled.")
        yield from self.log("New session")
        self.wire.say(b"220 " + self.policy.greeting + b" ESMTP\r\n")
        while True:
            line: bytes = yield from self.wire.line()
            if "smtpd.bare-cr-ends-command" in self.flaws:
                line = self.wire.break_at_cr(line)
            if "smtpd.long-command-closes" in self.flaws and len(line) > 4096:
                raise Gone
            if line.endswith(b"\r"):
                line = line[:-1]
            verb, _, argument = line.partition(b"\0")[0].partition(b" ")
            if "smtpd.verb-case" in self.flaws:
                known = verb if verb == verb.upper() else b"?"
            else:
                known = verb.upper()
            command, flushes = self._commands().get(known, (self.unknown, True))
            yield from command(argument.lstrip(b" "))
            if flushes:
                yield from self.wire.flush()

    def _commands(self) -> Dict[bytes, Tuple[Callable[[bytes], Engine], bool]]:
        commands: Dict[bytes, Tuple[Callable[[bytes], Engine], bool]] = {
            b"RCPT": (self.rcpt, False),
            b"MAIL": (self.mail, False),
            b"DATA": (self.data, True),
            b"QUIT": (self.quit, True),
            b"HELO": (self.hello, True),
            b"EHLO": (self.ehlo, True),
            b"RSET": (self.rset, False),
            b"HELP": (self.help, True),
            b"NOOP": (self.noop, True),
            b"VRFY": (self.vrfy, True),
        }
        if "0008" in self.patches:
            commands[b"AUTH"] = (self.authentication.command, True)
        for verb in (b"HELP", b"VRFY"):
            if f"smtpd.{verb.decode('ascii').lower()}-unknown" in self.flaws:
                del commands[verb]
        return commands

    # Commands that change nothing

    def unknown(self, argument: bytes) -> Engine:
        if "0006" not in self.patches or "0006.dropped" in self.flaws:
            yield from self.answer("502 unimplemented (#5.5.1)", "Unimplemented command")
        elif "0006.closes" in self.flaws:
            raise Quit(1, "Unrecognized command", b"500 unrecognised (#5.5.2)\r\n")
        else:
            status = "#5.5.1" if "0006.enhanced-status" in self.flaws else "#5.5.2"
            if "0006.resets" in self.flaws:
                self.sender = None
            yield from self.answer(f"500 unrecognised ({status})", "Unrecognized command")

    def noop(self, argument: bytes) -> Engine:
        if "0006.known-verbs" in self.flaws and "0006" in self.patches:
            yield from self.answer("500 unrecognised (#5.5.2)", "Unrecognized command")
            return
        if "smtpd.noop-resets" in self.flaws:
            self.sender = None
        yield from self.answer("250 ok", "NOOP")

    def vrfy(self, argument: bytes) -> Engine:
        code = "250" if "smtpd.vrfy-250" in self.flaws else "252"
        yield from self.answer(f"{code} send some mail, i'll try my best", "VRFY requested")

    def help(self, argument: bytes) -> Engine:
        self.wire.say(b"214 netqmail home page: http://qmail.org/netqmail\r\n")
        yield from ()

    def quit(self, argument: bytes) -> Engine:
        reply = b"221 " + (self.policy.greeting or b"") + b"\r\n"
        if "smtpd.quit-stays" not in self.flaws:
            raise Quit(0, "Remote end QUIT: quitting", reply)
        self.wire.say(reply)
        yield from ()

    # Greetings and RSET

    def _greeted(self, argument: bytes) -> None:
        if "smtpd.helo-keeps-transaction" not in self.flaws:
            self.sender = None
        same = argument.lower() == self.remote_host.lower()
        self.helo = None if same else argument

    def hello(self, argument: bytes) -> Engine:
        if "smtpd.helo-as-ehlo" in self.flaws:
            yield from self.ehlo(argument)
            return
        yield from self.log(f"Received HELO {clean(argument)}")
        self.wire.say(b"250 " + (self.policy.greeting or b"") + b"\r\n")
        if "0008.helo-announces" in self.flaws and self.authentication.methods:
            self.wire.say(b"250 AUTH " + b" ".join(self.authentication.methods) + b"\r\n")
        self._greeted(argument)

    def ehlo(self, argument: bytes) -> Engine:
        yield from self.log(f"Received EHLO {clean(argument)}")
        lines = [self.policy.greeting or b"", b"PIPELINING", b"8BITMIME"]
        if "smtpd.no-8bitmime" in self.flaws:
            lines.remove(b"8BITMIME")
        if "0008" in self.patches:
            if self.authentication.methods and "0008.not-announced" not in self.flaws:
                lines.append(b"AUTH " + b" ".join(self.authentication.methods))
            if "0008.size-not-announced" not in self.flaws:
                lines.append(b"SIZE %d" % self.policy.databytes)
        for line in lines[:-1]:
            self.wire.say(b"250-" + line + b"\r\n")
        self.wire.say(b"250 " + lines[-1] + b"\r\n")
        self._greeted(argument)

    def rset(self, argument: bytes) -> Engine:
        if "smtpd.rset-keeps-unverified" not in self.flaws:
            self.unverified = False
        if "smtpd.rset-keeps-sender" not in self.flaws:
            self.sender = None
        if "0008.rset-forgets" in self.flaws:
            self.authentication.user = b""
        yield from self.answer("250 flushed", "Session RSET")

    # The envelope

    def _address(self, argument: bytes, command: str) -> Engine:
        """The address in `argument`, or None when it was refused as too long."""
        address = parse_address(argument, self.policy.local_ip_host, self.settings.own_addresses, self.flaws)
        longest = 1200 if "smtpd.longer-addresses" in self.flaws else 900
        if len(address) + ("smtpd.end-counted" in self.flaws) > longest:
            logged = f"{command} with too long address ({len(address) + 1} bytes) given"
            yield from self.answer("555 syntax error (#5.5.4)", logged)
            return None
        return address

    def _relay_characters(self, address: bytes) -> bool:
        if "0007" not in self.patches or "0007.dropped" in self.flaws:
            return False
        return relays(address, self.flaws)

    def _refuse_relay(self) -> Engine:
        code = "550" if "0007.550" in self.flaws else "553"
        yield from self.answer(f"{code} we don't relay (#5.7.1)", "Rejecting attempt to use relay characters")

    def mail(self, argument: bytes) -> Engine:
        if self.authentication.lacking and "0008.not-required" not in self.flaws:
            reply = "530 Authorization required (#5.7.1) "
            yield from self.answer(reply, "auth - authorization required")
            return
        address: Optional[bytes] = yield from self._address(argument, "MAIL")
        if address is None:
            return
        if "0008" in self.patches:
            refused: bool = yield from self._parameters(argument)
            if refused:
                return
        if "0007.recipients-only" not in self.flaws and self._relay_characters(address):
            yield from self._refuse_relay()
            return
        self.sender_is_bad = self.policy.bad_sender(address)
        self.sender = address
        if "smtpd.mail-keeps-recipients" not in self.flaws:
            self.recipients = []
        yield from self.answer("250 ok", f"Sender <{clean(address)}>")

    def _parameters(self, argument: bytes) -> Engine:
        """Obey SIZE and AUTH on MAIL; True when the message is refused for its size."""
        for name, value in parse_parameters(argument):
            if name == b"SIZE" and "0008.size-ignored" not in self.flaws:
                announced = leading_number(value) or 0
                limit = self.policy.databytes
                over = announced >= limit if "0008.size-off-by-one" in self.flaws else announced > limit
                if limit and over:
                    yield from self._too_large()
                    return True
            if name == b"AUTH" and self.remote_info is None:
                self.remote_info = b"unknown" if value == b"<>" else xtext_decoded(value)
                self.environment["TCPREMOTEINFO"] = self.remote_info.decode("latin-1")
        return False

    def rcpt(self, argument: bytes) -> Engine:
        if self.sender is None and "smtpd.rcpt-without-mail" not in self.flaws:
            yield from self.answer("503 MAIL first (#5.5.1)", "Attempted RCPT or DATA before MAIL")
            return
        address: Optional[bytes] = yield from self._address(argument, "RCPT")
        if address is None:
            return
        exempt = "0007.relayclient-exempt" in self.flaws and self.relay_suffix is not None
        if "0007.sender-only" not in self.flaws and not exempt and self._relay_characters(address):
            if "0007.adds-recipient" in self.flaws:
                self.recipients.append(address)
            yield from self._refuse_relay()
            return
        if self.sender_is_bad and "smtpd.badmailfrom-ignored" not in self.flaws:
            reply = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
            yield from self.answer(reply, "Sender address in badmailfrom")
            return
        checked = self.relay_suffix is None
        if self.relay_suffix is not None:
            address += b"" if "smtpd.relayclient-no-suffix" in self.flaws else self.relay_suffix
        elif not self.policy.allowed(address):
            code = "550" if "smtpd.rcpthosts-550" in self.flaws else "553"
            reply = f"{code} sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
            yield from self.answer(reply, f"Recipient domain not in rcpthosts <{clean(address)}>")
            return
        if checked or "0009.relayclient-checked" in self.flaws:
            good: bool = yield from check_recipient(self, address)
            if not good:
                return
        if checked or "smtpd.relayclient-verified" in self.flaws:
            good = yield from verify_recipient(self, address)
            if not good:
                return
        if "smtpd.one-recipient" in self.flaws:
            self.recipients = []
        self.recipients.append(address)
        yield from self.answer("250 ok", f"Recipient <{clean(address)}>")

    # The message

    def data(self, argument: bytes) -> Engine:
        unordered = "smtpd.data-without-mail" in self.flaws
        if self.sender is None and not unordered:
            yield from self.answer("503 MAIL first (#5.5.1)", "Attempted RCPT or DATA before MAIL")
            return
        if not self.recipients and not unordered:
            yield from self.answer("503 RCPT first (#5.5.1)", "Attempted DATA before RCPT")
            return
        if self.unverified and self.environment.get("VERIFY", "")[:1] in ("D", "d"):
            reply = "554 sorry, invalid mailbox name(s). (#5.1.1)"
            yield from self.answer(reply, "Unverified mailbox(es) at DATA time")
            return
        sender = self.sender or b""
        if "smtpd.data-keeps-sender" not in self.flaws:
            self.sender = None
        self.wire.say(b"354 go ahead\r\n")
        when: float = yield acts.Now()
        blast = Blast(self.policy.databytes, self.flaws)
        ended = False
        while not ended:
            line: bytes = yield from self.wire.line()
            if "smtpd.bare-cr-ends-line" in self.flaws and b"\r.\r" in line[:-1]:
                line, _, behind = line.partition(b"\r.\r")
                self.wire.put_back(b".\r\n" + behind + b"\n")
                line += b"\r"
            if "smtpd.any-line-end" in self.flaws:
                line = self.wire.break_at_cr(line).rstrip(b"\r") + b"\r"
            try:
                ended = blast.line(line)
            except StrayNewline:
                last = b"451 See http://pobox.com/~djb/docs/smtplf.html.\r\n"
                raise Quit(1, "Stray newline: quitting", last) from None
        if blast.looping:
            reply = "554 too many hops, this message is looping (#5.4.6)"
            yield from self.answer(reply, "Exceeded hop count")
            return
        if blast.too_large:
            yield from self._too_large()
            return
        message = self._received(when) + bytes(blast.message)
        recipients = tuple(self.recipients)
        if "smtpd.last-recipient-lost" in self.flaws and len(recipients) > 1:
            recipients = recipients[:-1]
        if "smtpd.accepts-without-queueing" in self.flaws:
            queued = acts.Queued(1)
        else:
            queued = yield acts.Enqueue(message, sender, recipients)
        yield from self._queued(queued, len(recipients), len(blast.message))

    def _too_large(self) -> Engine:
        code = "452" if "smtpd.databytes-452" in self.flaws else "552"
        reply = f"{code} sorry, that message size exceeds my databytes limit (#5.3.4)"
        yield from self.answer(reply, "Exceeded DATABYTES limit")

    def _queued(self, queued: acts.Queued, recipients: int, size: int) -> Engine:
        if queued.error and "smtpd.queue-trouble-accepted" not in self.flaws:
            code = "554" if queued.error[0] == "D" else "451"
            rejected = clean(queued.error[1:].encode("latin-1"))
            self.wire.say(f"{code} {queued.error[1:]}\r\n".encode("latin-1"))
            yield from self.log(f"Message rejected ({code} {rejected})")
            return
        now: float = yield acts.Now()
        logged = f"Message accepted, qp {queued.number} ({recipients} recipients, {size} bytes)"
        yield from self.answer(f"250 ok {int(now)} qp {queued.number}", logged)

    def _received(self, when: float) -> bytes:
        """The Received field, folded as qmail does."""
        if "smtpd.no-received" in self.flaws:
            return b""
        helo = b"" if self.helo is None else b" (HELO " + safe(self.helo) + b")"
        info = b"" if self.remote_info is None else safe(self.remote_info) + b"@"
        return b"Received: from %s%s (%s%s)\n  by %s with %s; %s\n" % (
            safe(self.remote_host),
            helo,
            info,
            safe(self.remote_address),
            safe(self.local),
            self.protocol,
            date(when).encode("ascii"),
        )


_SAFE = frozenset(b".@%+/=:-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def safe(octets: bytes) -> bytes:
    """What a Received field may hold; anything else is a question mark."""
    return bytes(octet if octet in _SAFE else 0x3F for octet in octets)
