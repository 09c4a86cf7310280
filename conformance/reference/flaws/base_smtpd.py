"""Flaws of qmail-smtpd as the distribution has it."""

from dataclasses import replace
from typing import Any

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.blast import Blast
from conformance.reference.client import Client
from conformance.reference.envelope import AddressReader
from conformance.reference.flaws.flaw import at_once, flaw, nothing, then
from conformance.reference.octets import split_address
from conformance.reference.policy import Policy
from conformance.reference.recipients import RecipientChecks
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.wire import Gone, Wire, without_carriage_return


def _put_back(self: Any, octets: bytes) -> None:
    """Have octets read before whatever else has arrived."""
    self.wire.arrived[:0] = octets


def _up_to_carriage_return(self: Any) -> Engine:
    line: bytes = yield from self.wire.line()
    first, end, rest = line.partition(b"\r")
    if rest:
        _put_back(self, rest + b"\n")
    return first + end


def _short_command(self: Any) -> Engine:
    line: bytes = yield from self.wire.line()
    if len(line) > 4096:
        raise Gone
    return without_carriage_return(line)


def _line_up_to_cr_dot_cr(self: Any) -> Engine:
    line: bytes = yield from self.wire.line()
    if b"\r.\r" in line[:-1]:
        line, _, behind = line.partition(b"\r.\r")
        _put_back(self, b".\r\n" + behind + b"\n")
        line += b"\r"
    return line


def _queues_what_came(self: Any) -> Engine:
    yield from SmtpdSession.connection_lost(self)
    if self.recipients:
        yield acts.Enqueue(b"", self.sender or b"", tuple(self.recipients))


def _with_recipients_before(self: Any, sender: bytes) -> None:
    before = self.recipients
    SmtpdSession.start_transaction(self, sender)
    self.recipients = before


def _noop_that_resets(self: Any, argument: bytes) -> Engine:
    self.reset()
    yield from SmtpdSession.noop(self, argument)


def _helo_keeps(self: Any, argument: bytes) -> Engine:
    yield from self.wire.log(f"Received HELO {self.cleaned(argument)}")
    self.wire.say(b"250 " + self.greeting + b"\r\n")
    self.client.greets(argument)


FLAWS = (
    flaw("smtpd.accepts-without-queueing", "says 250 to a message that it never gave to qmail-queue",
        SmtpdSession, enqueue=at_once(lambda *_: acts.Queued(1))),
    flaw("smtpd.any-line-end", "takes a carriage return or a line feed alone for the end of a line",
        SmtpdSession, message_line=then(_up_to_carriage_return, lambda line: line.rstrip(b"\r") + b"\r")),
    flaw("smtpd.badmailfrom-ignored", "takes recipients from a sender in badmailfrom",
        Policy, bad_sender=lambda self, address: False),
    flaw("smtpd.badmailfrom-no-hosts", "does not know @host lines in badmailfrom",
        Policy, bad_sender=lambda self, address: address.lower() in self.bad_senders),
    flaw("smtpd.bare-cr-ends-command", "takes a carriage return alone for the end of a command",
        SmtpdSession, command_line=then(_up_to_carriage_return, without_carriage_return)),
    flaw("smtpd.bare-cr-ends-line", "takes CR . CR for the end of a message",
        SmtpdSession, message_line=_line_up_to_cr_dot_cr),
    flaw("smtpd.bare-lf-accepted", "takes a bare line feed for the end of a line",
        Blast, without_carriage_return=lambda self, line: line + b"\r"),
    flaw("smtpd.carriage-returns-lost", "drops carriage returns within a line of the message",
        Blast, stored=lambda self, line: Blast.stored(self, line).replace(b"\r", b"")),
    flaw("smtpd.data-keeps-sender", "goes on with the same transaction after a message",
        SmtpdSession, begin_message=lambda self: self.sender),
    flaw("smtpd.data-without-mail", "takes DATA before MAIL and RCPT", SmtpdSession,
        refuses_data=lambda self: (SmtpdSession.refuses_data(self) if self.sender is not None and
        self.recipients else None)),
    flaw("smtpd.databytes-452", "answers 452 to a message over databytes", SmtpdSession, too_large_code=452),
    flaw("smtpd.databytes-ignored", "has no limit on a message's size", Blast, too_large=lambda self: False),
    flaw("smtpd.databytes-off-by-one", "refuses a message of exactly databytes octets",
        Blast, too_large=lambda self: 0 < self.databytes <= len(self.message)),
    flaw("smtpd.databytes-variable-ignored", "does not let DATABYTES override databytes",
        Policy, most_octets=lambda self, variable: Policy.most_octets(self, None)),
    flaw("smtpd.delivered-not-counted", "counts Received fields as hops, but not Delivered-To",
        Blast, hop_fields=(b"received",)),
    flaw("smtpd.dots-kept", "does not unstuff dots", Blast, unstuffed=lambda self, line: line),
    flaw("smtpd.end-not-counted", "does not count the end of an address among its 900 octets",
        SmtpdSession, longest_address=900),
    flaw("smtpd.extra-cr-ends", "takes a dot and several carriage returns for the end of a message",
        Blast, ends_message=lambda self, line: line.rstrip(b"\r") == b"."),
    flaw("smtpd.greeting-file-ignored", "greets with me, whatever smtpgreeting says",
        Policy, greeting_text=lambda self: self.control.me),
    flaw("smtpd.greeting-without-me", "greets as `unknown` where there is no smtpgreeting",
        Policy, greeting_text=lambda self: self.control.line("smtpgreeting", b"unknown")),
    flaw("smtpd.helo-keeps", "goes on with a transaction after HELO", SmtpdSession, helo=_helo_keeps),
    flaw("smtpd.helo-as-ehlo", "answers HELO as EHLO, with extensions",
        SmtpdSession, helo=lambda self, argument: self.ehlo(argument)),
    flaw("smtpd.helo-keeps-transaction", "HELO and EHLO leave the transaction as it is",
        SmtpdSession, greeted=lambda self, name: self.client.greets(name)),
    flaw("smtpd.help-unknown", "does not know HELP",
        SmtpdSession, help=lambda self, argument: self.unknown(argument)),
    flaw("smtpd.hops-ignored", "accepts a message that loops", Blast, most_hops=1 << 30),
    flaw("smtpd.hops-in-body", "counts hops in the body, too", Blast, ends_header=lambda self, line: False),
    flaw("smtpd.hops-off-by-one", "accepts a message of exactly 100 hops", Blast, most_hops=101),
    flaw("smtpd.last-recipient-lost", "forgets the last of several recipients after accepting it",
        SmtpdSession, all_recipients=lambda self: tuple(self.recipients[:-1] or self.recipients)),
    flaw("smtpd.localiphost-ignored", "does not replace its own address in brackets",
        AddressReader, here=lambda self, address: address),
    flaw("smtpd.long-command-closes", "closes the connection after a command of more than 4,096 octets",
        SmtpdSession, command_line=_short_command),
    flaw("smtpd.long-lines-cut", "cuts lines at 998 octets",
        Blast, stored=lambda self, line: Blast.stored(self, line)[:998].rstrip(b"\n") + b"\n"),
    flaw("smtpd.longer-addresses", "takes addresses of more than 900 octets",
        SmtpdSession, longest_address=1200),
    flaw("smtpd.lost-connection-queues", "queues a message for its recipients when the connection is lost",
        SmtpdSession, connection_lost=_queues_what_came),
    flaw("smtpd.mail-keeps-recipients", "a second MAIL keeps the recipients of the first",
        SmtpdSession, start_transaction=_with_recipients_before),
    flaw("smtpd.no-8bitmime", "does not announce 8BITMIME", SmtpdSession,
        extensions=lambda self: [line for line in SmtpdSession.extensions(self) if line != b"8BITMIME"]),
    flaw("smtpd.no-host-refused", "refuses a recipient without an @", Policy,
        allowed=lambda self, address: ((self.rcpthosts is None or split_address(address)[1] is not None)
        and Policy.allowed(self, address))),
    flaw("smtpd.no-morercpthosts", "does not read morercpthosts",
        Policy, listed=lambda self, key: key in self.rcpthosts),
    flaw("smtpd.no-received", "writes no Received field",
        SmtpdSession, received_field=lambda self, when: b""),
    flaw("smtpd.no-wildcards", "does not know .domain lines in rcpthosts",
        Policy, rcpthosts_keys=lambda self, host: [host.lower()]),
    flaw("smtpd.noop-resets", "NOOP ends the transaction", SmtpdSession, noop=_noop_that_resets),
    flaw("smtpd.nuls-dropped", "drops NULs from the message",
        SmtpdSession, message_line=then(SmtpdSession.message_line, lambda line: line.replace(b"\0", b""))),
    flaw("smtpd.one-recipient", "keeps the last recipient only",
        SmtpdSession, add_recipient=lambda self, address: setattr(self, "recipients", [address])),
    flaw("smtpd.open-relay", "takes recipients in any domain", Policy, listed=lambda self, key: True),
    flaw("smtpd.pieces-lost", "keeps only the last piece of a line that arrives in pieces",
        Wire, take_in=lambda self, octets: setattr(self, "arrived", bytearray(octets))),
    flaw("smtpd.queue-trouble-accepted", "says 250 although qmail-queue failed",
        SmtpdSession, enqueue=then(SmtpdSession.enqueue, lambda queued: replace(queued, error=""))),
    flaw("smtpd.quit-stays", "does not close the connection after QUIT",
        SmtpdSession, quit=at_once(lambda self, _: self.wire.say(b"221 " + self.greeting + b"\r\n"))),
    flaw("smtpd.quotes-kept", "leaves the quotes in a quoted local part", AddressReader, quotes=b""),
    flaw("smtpd.rcpt-without-mail", "takes RCPT before MAIL", SmtpdSession, lacks_mail=lambda self: False),
    flaw("smtpd.rcpthosts-550", "answers 550 for a domain that is not in rcpthosts",
        SmtpdSession, not_allowed_code=550),
    flaw("smtpd.rcpthosts-case", "compares domains with rcpthosts by case", Policy,
        rcpthosts_keys=lambda self, host: [host[-len(key) :] for key in Policy.rcpthosts_keys(self,
        host)]),
    flaw("smtpd.relayclient-empty-ignored", "takes an empty RELAYCLIENT for none",
        Client, given_relay_suffix=lambda self: self.variable("RELAYCLIENT") or None),
    flaw("smtpd.relayclient-no-suffix", "does not append the value of RELAYCLIENT",
        SmtpdSession, relayed=lambda self, address, suffix: address),
    flaw("smtpd.relayclient-verified", "verifies the recipients of a client that may relay", SmtpdSession,
        recipient_checks=lambda self: SmtpdSession.recipient_checks(self) or [self.checks.verify]),
    flaw("smtpd.rset-keeps-sender", "RSET leaves the transaction as it is",
        SmtpdSession, flush_transaction=lambda self: setattr(self.checks, "unverified", False)),
    flaw("smtpd.rset-keeps-unverified", "RSET does not forget a recipient that could not be verified",
        SmtpdSession, flush_transaction=lambda self: self.reset(), start_checks=nothing),
    flaw("smtpd.seven-bit", "clears the eighth bit of every octet",
        Blast, stored=lambda self, line: bytes(octet & 0x7F for octet in Blast.stored(self, line))),
    flaw("smtpd.source-route-kept", "does not strip a source route",
        AddressReader, without_route=lambda self, path: path),
    flaw("smtpd.timeout-silent", "closes after timeoutsmtpd without a reply",
        SmtpdSession, timed_out=nothing),
    flaw("smtpd.verb-case", "knows verbs in upper case only",
        SmtpdSession, verb=lambda self, written: written if written == written.upper() else b""),
    flaw("smtpd.verify-empty-on", "takes an empty VERIFY for immediate verification", RecipientChecks,
        verify_server=lambda self: (":" if self.client.environment.get("VERIFY") == "" else
        RecipientChecks.verify_server(self))),
    flaw("smtpd.verify-ignored", "does not verify recipients",
        RecipientChecks, verify_server=lambda self: ""),
    flaw("smtpd.verify-silence-accepts", "accepts a recipient when qmail-verify does not answer",
        RecipientChecks, not_answered=lambda self, found: True),
    flaw("smtpd.vrfy-250", "answers VRFY with 250", SmtpdSession, vrfy_code=250),
    flaw("smtpd.vrfy-unknown", "does not know VRFY",
        SmtpdSession, vrfy=lambda self, argument: self.unknown(argument)),
)  # fmt: skip
