"""Flaws in how commands, control files and what lies between transactions are read."""

from typing import Any, List

from conformance.reference.acts import Engine
from conformance.reference.client import Client
from conformance.reference.control import ControlFiles
from conformance.reference.envelope import AddressReader
from conformance.reference.flaws.flaw import flaw, nothing, then
from conformance.reference.homes import DotQmail
from conformance.reference.octets import bracketed, leading_number, split_address
from conformance.reference.policy import Policy
from conformance.reference.recipients import RecipientChecks
from conformance.reference.rewriting import Rewriting
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.verify import Verifier
from conformance.reference.wire import Quit, Wire


def _refuses_arguments(name: str) -> Any:
    command = getattr(SmtpdSession, name)

    def refuses(self: Any, argument: bytes) -> Engine:
        if argument:
            yield from self.wire.answer("501 syntax error (#5.5.4)", "Argument given")
        else:
            yield from command(self, argument)

    return refuses


def _needs_a_name(self: Any, argument: bytes) -> Engine:
    if argument:
        yield from SmtpdSession.helo(self, argument)
    else:
        yield from self.wire.answer("501 syntax error (#5.5.4)", "HELO without a name")


def _only_crlf(self: Any) -> Engine:
    line: bytes = yield from self.wire.line()
    return line[:-1] if line.endswith(b"\r") else b"\0"


def _to_the_end(self: Any, argument: bytes) -> bytes:
    if b"<" not in argument:
        argument = b"<" + argument.partition(b":")[2].lstrip(b" ") + b">"
    return AddressReader.address(self, argument)


def _postmaster(self: Any, argument: bytes) -> bytes:
    return AddressReader.address(self, argument) or (b"" if b"<" in argument else b"postmaster")


def _first_name_stays(self: Any, name: bytes) -> None:
    if self.helo is None:
        Client.greets(self, name)


def _shows(more: bytes) -> Any:
    return lambda self, octets: b"".join(
        bytes([octet]) if octet in more else Client.shown(self, bytes([octet])) for octet in octets
    )


def _own_somewhere(self: Any, address: bytes) -> bytes:
    box, host = split_address(address)
    ours = host is not None and any(own.encode() in host for own in self._own_addresses)
    return box + b"@" + self._local_ip_host if ours and self._local_ip_host else address


def _own_out_of_range(self: Any, host: bytes) -> Any:
    return AddressReader.literal(self, host) or (bracketed(host) and self._own_addresses[-1])


def _first_at_decides(self: Any, address: bytes) -> bool:
    box, at, host = address.partition(b"@")
    host = b"here.example" if host.startswith(b"[127.0.0.1]") else host
    return Policy.allowed(self, box + at + host)


def _nameless_quit(self: Any, argument: bytes) -> Engine:
    yield from ()
    raise Quit(0, "Remote end QUIT: quitting", b"221 goodbye\r\n")


def _ends_transaction(self: Any, argument: bytes) -> Engine:
    before = list(self.recipients)
    yield from SmtpdSession.rcpt(self, argument)
    if self.recipients == before:
        self.reset()


def _resets_at_refusal(self: Any) -> Any:
    refusal = SmtpdSession.refuses_data(self)
    if refusal is not None:
        self.reset()
    return refusal


def _too_long_resets(self: Any, argument: bytes, command: str) -> Engine:
    address = yield from SmtpdSession._address(self, argument, command)
    if address is None:
        self.reset()
    return address


def _bad_sticks(self: Any, sender: bytes) -> bool:
    return SmtpdSession.is_bad_sender(self, sender) or self._sender_is_bad


def _databytes_of_session(self: Any, queued: Any, recipients: int, size: int) -> Engine:
    yield from SmtpdSession._queued(self, queued, recipients, size)
    self.policy.databytes = max(self.policy.databytes - size, 1) if self.policy.databytes else 0


def _nowhere(self: Any, line: str) -> str:
    place = Wire.place(self, line)
    unset = line.startswith("Unable to read controls")
    return place.partition(" from ")[0] + " from (not yet set)" if unset else place


def _lines(change: Any) -> Any:
    """Control files of which other lines are read."""

    def lines(self: Any, name: str) -> Any:
        return None if name not in self._files else change(self._files[name])

    return lines


def _read(text: bytes, blanks: bytes = b"\n \t") -> Any:
    stripped = [line.rstrip(blanks) for line in text.split(b"\n")]
    return [line for line in stripped if line and not line.startswith(b"#")]


def _lines_that_fit(self: Any, name: str) -> Any:
    lines = ControlFiles.lines(self, name)
    return None if lines is None else [line for line in lines if len(line) <= 255]


def _whole_number(self: Any, name: str, default: int) -> int:
    text = (self.line(name) or b"").strip()
    return int(text) if text.isdigit() else default


def _without_comment(self: Any, name: str, *defaults: Any) -> Any:
    line = ControlFiles.line(self, name, *defaults)
    return line.partition(b"#")[0].rstrip() if line else line


def _not_empty(self: Any, name: str, *defaults: Any) -> Any:
    return ControlFiles.line(self, name) or next((each for each in defaults if each), None)


def _blanks_kept(self: Any, name: str, *defaults: Any) -> Any:
    if name in self._files:
        return self._files[name].partition(b"\n")[0]
    return ControlFiles.line(self, name, *defaults)


def _lower_of_both(self: Any, variable: Any) -> int:
    both = [self.control.number("databytes", 0), leading_number((variable or "").encode()) or 0]
    return min((limit for limit in both if limit), default=0)


class _DotsKept(DotQmail):
    def names(self) -> List[str]:
        return [name.replace(":", ".") for name in super().names()]


class _UpperCaseKept(DotQmail):
    def names(self) -> List[str]:
        return super().names() if self.extension == self.extension.lower() else []


class _NoDefault(DotQmail):
    def names(self) -> List[str]:
        return super().names()[:1]


class _MeUnread(Rewriting):
    def missing_host(self) -> bytes:
        return self.control.line("envnoathost", b"envnoathost") or b""


class _EnvnoathostUnread(Rewriting):
    def missing_host(self) -> bytes:
        return self.control.me or b""


class _LeadsOut(DotQmail):
    def exists(self) -> bool:
        return b"/" in self.extension or super().exists()


def _percenthack_excepted(self: Any, address: bytes, command: str) -> bool:
    host = split_address(address)[1] or b""
    excepted = host.lower() in (self.policy.control.keys("percenthack") or [])
    return not excepted and SmtpdSession.relays(self, address, command)


FLAWS = (
    flaw("send.no-percenthack", "does not know percenthack",
        Rewriting, is_percent_hack=lambda self, box, host: False),
    flaw("send.percenthack-everywhere", "takes every % for a percent hack",
        Rewriting, is_percent_hack=lambda self, box, host: b"%" in box),
    flaw("0007.percenthack-excepted", "takes relay characters where percenthack lists the domain",
        SmtpdSession, relays=_percenthack_excepted),
    flaw("verify.dots-kept", "looks for a dot in an extension as a dot, where delivery takes a colon",
        Verifier, box=_DotsKept),
    flaw("verify.upper-case-kept", "looks for an extension as written, where delivery takes lower case",
        Verifier, box=_UpperCaseKept),
    flaw("verify.no-default", "does not know the dot-qmail files for default", Verifier, box=_NoDefault),
    flaw("verify.me-unread", "does not read me: an address without @ is at envnoathost",
        Verifier, rewriting=_MeUnread),
    flaw("verify.envnoathost-unread", "does not read envnoathost",
        Verifier, rewriting=_EnvnoathostUnread),
    flaw("verify.without-host-refused", "knows no address without @", Verifier,
        knows=lambda self, address: b"@" in address and Verifier.knows(self, address)),
    flaw("smtpd.nul-dropped", "drops NULs from commands", SmtpdSession,
        command_line=then(SmtpdSession.command_line, lambda line: line.replace(b"\0", b""))),
    flaw("verify.leads-out", "takes slashes in an extension for a path", Verifier, box=_LeadsOut),
    flaw("smtpd.rcpt-empty", "takes RCPT without an address",
        SmtpdSession, lacks_recipient=lambda self, address: False),
    flaw("smtpd.mail-empty", "takes MAIL without an address for the null sender",
        SmtpdSession, lacks_sender=lambda self, argument, address: False),
    flaw("smtpd.mail-empty-postmaster", "takes MAIL without an address for postmaster's",
        AddressReader, address=_postmaster),
    flaw("smtpd.helo-needs-name", "refuses HELO without a name", SmtpdSession, helo=_needs_a_name),
    flaw("smtpd.rset-argument", "refuses RSET with an argument",
        SmtpdSession, rset=_refuses_arguments("rset")),
    flaw("smtpd.no-brackets-to-the-end", "takes all of MAIL without brackets for the address",
        AddressReader, address=_to_the_end),
    flaw("smtpd.one-blank", "knows no command with further blanks behind its verb", SmtpdSession,
        command_line=then(SmtpdSession.command_line,
        lambda line: b"\0" if b"  " in line.partition(b":")[0] else line)),
    flaw("smtpd.blank-before-verb", "passes over blanks before a verb",
        SmtpdSession, command_line=then(SmtpdSession.command_line, lambda line: line.lstrip(b" "))),
    flaw("smtpd.commands-need-cr", "knows no command that a line feed alone ends",
        SmtpdSession, command_line=_only_crlf),
    flaw("smtpd.bdat-taken", "takes BDAT for DATA", SmtpdSession,
        verb=lambda self, written: b"DATA" if written.upper() == b"BDAT" else written.upper()),
    flaw("smtpd.smtputf8-announced", "announces SMTPUTF8", SmtpdSession,
        extensions=lambda self: [b"SMTPUTF8", *SmtpdSession.extensions(self)]),
    flaw("smtpd.smtputf8-taken", "takes SMTPUTF8 that it did not announce",
        SmtpdSession, takes_smtputf8=True),
    flaw("smtpd.seven-bit-addresses", "clears the eighth bit of addresses", AddressReader,
        address=lambda self, argument: AddressReader.address(self, bytes(o & 0x7F for o in argument))),
    flaw("smtpd.odd-ehlo-line", "has a line after EHLO that is none", SmtpdSession,
        extensions=lambda self: [b"X=ODD", *SmtpdSession.extensions(self)]),
    flaw("smtpd.ehlo-line-twice", "announces PIPELINING twice", SmtpdSession,
        extensions=lambda self: [b"PIPELINING", *SmtpdSession.extensions(self)]),
    flaw("0008.auth-equals-line", "announces AUTH=LOGIN for old clients", SmtpdSession,
        extensions=lambda self: [*SmtpdSession.extensions(self), b"AUTH=LOGIN PLAIN"]),
    flaw("smtpd.quit-nameless", "does not name itself after QUIT", SmtpdSession, quit=_nameless_quit),
    flaw("smtpd.first-hello-stays", "shows the first name that a client gave",
        Client, greets=_first_name_stays),
    flaw("smtpd.received-brackets", "shows brackets in the Received line", Client, shown=_shows(b"[]")),
    flaw("smtpd.received-as-said", "shows a client's name as it said it in the Received line",
        Client, shown=_shows(bytes(range(256)))),
    flaw("smtpd.received-cr", "shows carriage returns in the Received line", Client, shown=_shows(b"\r\x0b")),
    flaw("smtpd.received-fewer", "shows `%` and `+` as `?` in the Received line", Client,
        shown=lambda self, octets: Client.shown(self, octets).replace(b"%", b"?").replace(b"+", b"?")),
    flaw("smtpd.literal-allowed", "takes recipients at any literal", Policy,
        allowed=lambda self, address: b"@[" in address or Policy.allowed(self, address)),
    flaw("smtpd.literal-wraps", "counts the numbers of a literal modulo 256",
        AddressReader, literal=lambda self, host: bracketed(host)),
    flaw("smtpd.literal-out-of-range", "takes a literal of numbers that are too large for its own",
        AddressReader, literal=_own_out_of_range),
    flaw("smtpd.localiphost-needed", "does not take me where there is no localiphost",
        Policy, local_host=lambda self: self.control.line("localiphost")),
    flaw("smtpd.literal-anywhere", "takes what holds its own address for its literal",
        AddressReader, here=_own_somewhere),
    flaw("smtpd.first-at-decides", "looks for its literal behind the first @",
        Policy, allowed=_first_at_decides),
    flaw("smtpd.bad-sender-sticks", "refuses recipients of a session that has named a bad sender",
        SmtpdSession, is_bad_sender=_bad_sticks),
    flaw("smtpd.refusal-ends-transaction", "ends the transaction when a recipient is refused",
        SmtpdSession, rcpt=_ends_transaction),
    flaw("smtpd.early-data-resets", "ends the transaction when DATA is refused",
        SmtpdSession, refuses_data=_resets_at_refusal),
    flaw("smtpd.too-long-resets", "ends the transaction when an address is too long",
        SmtpdSession, _address=_too_long_resets),
    flaw("smtpd.unverified-at-data", "refuses DATA after a recipient that RCPT refused",
        RecipientChecks, refuses_data=lambda self: self.unverified),
    flaw("smtpd.keeps-unverified", "forgets a recipient that could not be verified at RSET alone",
        RecipientChecks, begin=nothing, hello=nothing),
    flaw("smtpd.databytes-of-session", "counts databytes over all messages of a session",
        SmtpdSession, _queued=_databytes_of_session),
    flaw("smtpd.databytes-lower-of-both", "takes the lower of databytes and DATABYTES",
        Policy, most_octets=_lower_of_both),
    flaw("smtpd.log-no-controls-nowhere", "does not log the address where it cannot read its controls",
        Wire, place=_nowhere),
    flaw("smtpd.null-sender-bad", "takes an empty line of badmailfrom for the null sender", Policy,
        bad_sender=lambda self, address: Policy.bad_sender(self, address) or
        (not address and "badmailfrom" in self.control._files)),
    flaw("smtpd.control-comments", "takes comments in control files for lines", ControlFiles,
        lines=_lines(lambda text: _read(text.replace(b"#", b"")))),
    flaw("smtpd.control-blanks", "keeps blanks at the ends of lines",
        ControlFiles, lines=_lines(lambda text: _read(text, b"\n"))),
    flaw("smtpd.control-crlf", "drops carriage returns at the ends of lines",
        ControlFiles, lines=_lines(lambda text: _read(text, b"\n \t\r"))),
    flaw("smtpd.control-last-line", "does not read a last line without a line feed",
        ControlFiles, lines=_lines(lambda text: _read(text[: text.rfind(b"\n") + 1]))),
    flaw("smtpd.control-first-line", "reads the first line of a control file alone",
        ControlFiles, lines=_lines(lambda text: _read(text)[:1])),
    flaw("smtpd.control-case", "compares control files by case",
        ControlFiles, keys=lambda self, name: self.lines(name)),
    flaw("smtpd.control-empty", "takes a control file without lines for none",
        ControlFiles, lines=_lines(lambda text: _read(text) or None)),
    flaw("smtpd.control-long-line", "passes over lines of more than 255 octets",
        ControlFiles, lines=_lines_that_fit),
    flaw("smtpd.control-line-comment", "takes what follows a # in a line for a comment",
        ControlFiles, line=_without_comment),
    flaw("smtpd.control-line-empty", "takes the default for an empty line", ControlFiles, line=_not_empty),
    flaw("smtpd.control-line-blanks", "keeps blanks at the end of the one line",
        ControlFiles, line=_blanks_kept),
    flaw("smtpd.control-number", "reads numbers only where they are the whole line",
        ControlFiles, number=_whole_number),
)  # fmt: skip
