"""qmail-smtpd: one session, in the order in which qmail does things.

`session(settings)` yields acts (see `acts`) and returns the exit status. Stock, with patches 0006 to 0009 as
switches: where a patched qmail departs from its patch's documentation, this keeps the documentation.
"""

from typing import Callable, Dict, List, Optional, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.client import Client
from conformance.reference.envelope import AddressReader, Parameter, parse_parameters
from conformance.reference.octets import leading_number
from conformance.reference.policy import Policy, SmtpdSettings
from conformance.reference.recipients import RecipientChecks
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.smtpd_data import DataCommand
from conformance.reference.wire import Gone, Quit, Silence, Stuck, Wire, without_carriage_return

__all__ = ["SmtpdSettings", "session"]

#: Verb -> the method of `SmtpdSession`, and whether its reply leaves at once (RFC 2920 3.2).
_COMMANDS: Dict[bytes, Tuple[str, bool]] = {
    b"RCPT": ("rcpt", False),
    b"MAIL": ("mail", False),
    b"DATA": ("data", True),
    b"AUTH": ("auth", True),
    b"QUIT": ("quit", True),
    b"HELO": ("helo", True),
    b"EHLO": ("ehlo", True),
    b"RSET": ("rset", False),
    b"HELP": ("help", True),
    b"NOOP": ("noop", True),
    b"VRFY": ("vrfy", True),
}


def session(settings: SmtpdSettings) -> Engine:
    """One session from the greeting on; returns the exit status of the process."""
    smtpd: SmtpdSession = settings.build.of(SmtpdSession)(settings)
    return smtpd.run()


class SmtpdSession(DataCommand):
    """What qmail-smtpd knows of the transaction, and its commands."""

    #: The most octets of an address: qmail counts its end besides. RFC 5321 4.5.3.1.3 wants 256 at least.
    longest_address = 899
    #: The domain of a recipient is not in rcpthosts (qmail-smtpd(8)).
    not_allowed_code = 553
    #: An address holds relay characters (0007).
    relay_code = 553
    #: VRFY neither confirms nor denies (RFC 5321 3.5.3).
    vrfy_code = 252
    #: SMTPUTF8 is not announced, so it is no parameter of MAIL (RFC 5321 4.1.1.11).
    takes_smtputf8 = False
    #: An unknown command is one that is not recognised (0006; RFC 5321 4.2.4).
    unrecognized = "500 unrecognised (#5.5.2)"

    def __init__(self, settings: SmtpdSettings) -> None:
        build = settings.build
        self.build = build
        self.policy = build.of(Policy)(settings)
        self.client = build.of(Client)(settings.environment)
        place = f"pid {settings.pid} from {self.client.address.decode('latin-1')}"
        self.wire = build.of(Wire)(self.policy.timeout, place, logs=build.carries("0001"))
        self.authentication = build.of(Authentication)(
            build, self.client, self.wire, settings.checkprogram, settings.pid, self.policy.timeout
        )
        self.checks = build.of(RecipientChecks)(build, self.client, self.wire, self.policy.timeout)
        self.reader = build.of(AddressReader)(self.policy.local_ip_host, settings.own_addresses)
        self.greeting = self.policy.greeting or b""
        self.sender: Optional[bytes] = None
        self.recipients: List[bytes] = []
        self._sender_is_bad = False
        self.messages = 0  #: given to qmail-queue, in this session

    # The session

    def run(self) -> Engine:
        try:
            yield from self._converse()
        except Quit as quit:
            status, logged, reply = quit.args
            yield from self.wire.log(logged)
            self.wire.say(reply)
            yield from self.wire.flush()
            yield acts.Close()
            return status
        except Gone:
            yield from self.connection_lost()
        except Stuck:
            yield from self.wire.log("Write error (disconnect?): quitting")
        except Silence:
            yield from self.wire.log("Connection timed out: quitting")
            self.timed_out()
            yield from self.wire.flush()
        yield acts.Close()
        return 1

    def connection_lost(self) -> Engine:
        """A transaction without its end is dropped (RFC 5321 4.1.1.10)."""
        yield from self.wire.log("Read error (disconnect?): quitting")

    def timed_out(self) -> None:
        """A client that is silent for timeoutsmtpd seconds is told so (qmail-smtpd(8), timeoutsmtpd)."""
        self.wire.say(b"451 timeout (#4.4.2)\r\n")

    def _converse(self) -> Engine:
        if self.policy.greeting is None:
            reply = b"421 unable to read controls (#4.3.0)\r\n"
            raise Quit(1, "Unable to read controls: quitting", reply)
        if self.checks.verify_value() == "":
            yield from self.wire.log("Note recipient verification explicitly disabled.")
        yield from self.wire.log("New session")
        self.wire.say(b"220 " + self.greeting + b" ESMTP\r\n")
        while True:
            line: bytes = yield from self.command_line()
            verb, _, argument = line.partition(b"\0")[0].partition(b" ")
            name, flushes = _COMMANDS.get(self.verb(verb), ("unknown", True))
            command: Callable[[bytes], Engine] = getattr(self, name)
            yield from command(self.without_blanks(argument))
            if flushes:
                yield from self.wire.flush()

    def command_line(self) -> Engine:
        """The next command, without its line end."""
        return without_carriage_return((yield from self.wire.line()))

    def without_blanks(self, argument: bytes) -> bytes:
        """An argument without the blanks before it."""
        return argument.lstrip(b" ")

    def verb(self, written: bytes) -> bytes:
        """A verb as the table of commands has it: verbs have no case (RFC 5321 2.4)."""
        return written.upper()

    # Commands that change nothing

    def unknown(self, argument: bytes) -> Engine:
        """A verb that is not in the table: recognised nowhere (0006), or not implemented (stock)."""
        if self.build.carries("0006"):
            yield from self.wire.answer(self.unrecognized, "Unrecognized command")
        else:
            yield from self.wire.answer("502 unimplemented (#5.5.1)", "Unimplemented command")

    def noop(self, argument: bytes) -> Engine:
        """NOOP has no effect (RFC 5321 4.1.1.9)."""
        yield from self.wire.answer("250 ok", "NOOP")

    def vrfy(self, argument: bytes) -> Engine:
        yield from self.wire.answer(f"{self.vrfy_code} send some mail, i'll try my best", "VRFY requested")

    def help(self, argument: bytes) -> Engine:
        self.wire.say(b"214 netqmail home page: http://qmail.org/netqmail\r\n")
        yield from ()

    def quit(self, argument: bytes) -> Engine:
        """QUIT: a reply, and the connection is closed (RFC 5321 4.1.1.10)."""
        yield from ()
        raise Quit(0, "Remote end QUIT: quitting", b"221 " + self.greeting + b"\r\n")

    # Greetings and RSET

    def greeted(self, name: bytes) -> None:
        """HELO and EHLO end a transaction as RSET does (RFC 5321 4.1.4)."""
        self.reset()
        self.checks.hello()
        self.client.greets(name)

    def helo(self, argument: bytes) -> Engine:
        """HELO: one line, no extensions (RFC 5321 4.1.1.1)."""
        yield from self.wire.log(f"Received HELO {self.cleaned(argument)}")
        self.wire.say(b"250 " + self.greeting + b"\r\n")
        self.greeted(argument)

    def ehlo(self, argument: bytes) -> Engine:
        yield from self.wire.log(f"Received EHLO {self.cleaned(argument)}")
        *lines, last = [self.greeting, *self.extensions()]
        for line in lines:
            self.wire.say(b"250-" + line + b"\r\n")
        self.wire.say(b"250 " + last + b"\r\n")
        self.greeted(argument)

    def extensions(self) -> List[bytes]:
        """PIPELINING (RFC 2920), 8BITMIME (RFC 6152), and with 0008 AUTH (RFC 4954 3), SIZE (RFC 1870 3)."""
        lines = [b"PIPELINING", b"8BITMIME"]
        if self.build.carries("0008"):
            if self.authentication.methods:
                lines.append(b"AUTH " + b" ".join(self.authentication.methods))
            lines.append(b"SIZE %d" % self.policy.databytes)
        return lines

    def rset(self, argument: bytes) -> Engine:
        self.flush_transaction()
        yield from self.wire.answer("250 flushed", "Session RSET")

    def flush_transaction(self) -> None:
        """RSET forgets sender and recipients, also what was found out about them (RFC 5321 4.1.1.5)."""
        self.reset()
        self.checks.unverified = False

    def auth(self, argument: bytes) -> Engine:
        """AUTH, which only 0008 knows."""
        if self.build.carries("0008"):
            yield from self.authentication.command(argument, self.sender is not None)
        else:
            yield from self.unknown(argument)

    # The envelope

    def _address(self, argument: bytes, command: str) -> Engine:
        """The address in `argument`, or None when it was refused."""
        address = self.reader.address(argument)
        lacks = self.lacks_recipient(address) if command == "RCPT" else self.lacks_sender(argument, address)
        if lacks:
            yield from self.wire.answer("501 syntax error (#5.5.4)", f"{command} without an address given")
            return None
        if len(address) > self.longest_address:
            logged = f"{command} with too long address ({len(address) + 1} bytes) given"
            yield from self.wire.answer("555 syntax error (#5.5.4)", logged)
            return None
        return address

    def lacks_recipient(self, address: bytes) -> bool:
        """A forward path is never null (RFC 5321 4.1.1.3)."""
        return not address

    def lacks_sender(self, argument: bytes, address: bytes) -> bool:
        """The null sender is written <> (RFC 5321 4.1.1.2)."""
        return not address and b"<" not in argument

    def relays(self, address: bytes, command: str) -> bool:
        """Whether MAIL or RCPT is refused for relay characters, whoever the client is (0007)."""
        return self.build.carries("0007") and self.reader.relays(address)

    def refuse_relaying(self, address: bytes, command: str) -> Engine:
        """An address with relay characters is no sender and no recipient (0007)."""
        reply = f"{self.relay_code} we don't relay (#5.7.1)"
        yield from self.wire.answer(reply, "Rejecting attempt to use relay characters")

    def mail(self, argument: bytes) -> Engine:
        if self.authentication.lacking():
            reply = "530 Authorization required (#5.7.1) "
            yield from self.wire.answer(reply, "auth - authorization required")
            return
        address: Optional[bytes] = yield from self._address(argument, "MAIL")
        if address is None:
            return
        if not (yield from self._obeys_parameters(argument)):
            return
        if self.relays(address, "MAIL"):
            yield from self.refuse_relaying(address, "MAIL")
            return
        self.start_transaction(address)
        yield from self.wire.answer("250 ok", f"Sender <{self.cleaned(address)}>")

    def start_transaction(self, sender: bytes) -> None:
        """MAIL starts anew: no recipient of a transaction before stays (RFC 5321 4.1.1.2)."""
        self._sender_is_bad = self.is_bad_sender(sender)
        self.sender = sender
        self.recipients = []
        self.start_checks()

    def is_bad_sender(self, sender: bytes) -> bool:
        """Whether no recipient is taken from it; each transaction by itself (qmail-smtpd(8), badmailfrom)."""
        return self.policy.bad_sender(sender)

    def start_checks(self) -> None:
        """What was found out about recipients before is forgotten (RFC 5321 4.1.1.2)."""
        self.checks.begin()

    def parameters(self, argument: bytes) -> List[Parameter]:
        """The parameters of MAIL: what follows its address (RFC 5321 4.1.1.11)."""
        return parse_parameters(argument)

    def _obeys_parameters(self, argument: bytes) -> Engine:
        """Read the parameters of MAIL; False when it is refused for one."""
        for name, value in self.parameters(argument):
            if name == b"SMTPUTF8" and not self.takes_smtputf8:
                yield from self.wire.answer(
                    "555 parameters not recognized (#5.5.4)", "MAIL with SMTPUTF8 given"
                )
                return False
            if not self.build.carries("0008"):
                continue
            if value is None:
                continue
            if name == b"SIZE" and self.is_over_size(self.size(value)):
                yield from self.too_large()
                return False
            if name == b"AUTH":
                self.client.is_said_to_be(value)
        return True

    def size(self, value: bytes) -> int:
        """The octets that SIZE announces, in up to twenty digits (RFC 1870 3)."""
        return leading_number(value) or 0

    def is_over_size(self, announced: int) -> bool:
        """Whether a message of that size would be over databytes, if that is a limit (RFC 1870 6.1)."""
        return 0 < self.policy.databytes < announced

    def rcpt(self, argument: bytes) -> Engine:
        if self.lacks_mail():
            yield from self.wire.answer("503 MAIL first (#5.5.1)", "Attempted RCPT or DATA before MAIL")
            return
        address: Optional[bytes] = yield from self._address(argument, "RCPT")
        if address is None:
            return
        if self.relays(address, "RCPT"):
            yield from self.refuse_relaying(address, "RCPT")
            return
        if self._sender_is_bad:
            reply = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
            yield from self.wire.answer(reply, "Sender address in badmailfrom")
            return
        if self.client.relay_suffix is not None:
            address = self.relayed(address, self.client.relay_suffix)
        elif not self.policy.allowed(address):
            reply = (
                f"{self.not_allowed_code} sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
            )
            yield from self.wire.answer(reply, f"Recipient domain not in rcpthosts <{self.cleaned(address)}>")
            return
        for check in self.recipient_checks():
            good: bool = yield from self.passes(check, address)
            if not good:
                return
        self.add_recipient(address)
        yield from self.wire.answer("250 ok", f"Recipient <{self.cleaned(address)}>")

    def lacks_mail(self) -> bool:
        """RCPT needs MAIL before it (RFC 5321 4.1.4)."""
        return self.sender is None

    def relayed(self, address: bytes, suffix: bytes) -> bytes:
        """A recipient of a client that may relay: RELAYCLIENT's value is appended (qmail-smtpd(8))."""
        return address + suffix

    def recipient_checks(self) -> List[Callable[[bytes, bytes], Engine]]:
        """Who is asked about a recipient: nobody when the client may relay (0009; qmail-smtpd(8), VERIFY)."""
        if self.client.relay_suffix is not None:
            return []
        return [self.checks.rcptcheck, self.checks.verify]

    def passes(self, check: Callable[[bytes, bytes], Engine], address: bytes) -> Engine:
        """Whether a check lets the recipient pass; what is refused is not added."""
        return check(self.sender or b"", address)
