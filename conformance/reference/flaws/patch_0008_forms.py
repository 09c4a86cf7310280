"""Flaws of 0008: parameters of MAIL, forms of AUTH, and what lies between transactions."""

from typing import Any, List

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.client import Client
from conformance.reference.envelope import Parameter, parameter, parse_parameters
from conformance.reference.flaws.flaw import flaw
from conformance.reference.recipients import REFUSED, RecipientChecks
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.smtpd_auth import Authentication
from conformance.reference.wire import Quit


def _renames(self: Any, word: bytes) -> None:
    if self.info is not None:
        self.is_named(word)


def _anywhere(self: Any, argument: bytes) -> List[Parameter]:
    return [parameter(word) for word in argument[1:].split(b" ")] if argument.find(b">") > 4 else []


def _upper_case_alone(self: Any, argument: bytes) -> List[Parameter]:
    return [each for each in parse_parameters(argument) if each[0] + b"=" in argument]


def _size_sticks(self: Any, announced: int) -> bool:
    self.over = getattr(self, "over", False) or SmtpdSession.is_over_size(self, announced)
    return bool(self.over)


def _begins_after_all(self: Any, argument: bytes) -> Engine:
    good: bool = yield from SmtpdSession._obeys_parameters(self, argument)
    if not good:
        self.flush_transaction = lambda: self.start_transaction(self.reader.address(argument))
    return good


def _lends(self: Any, argument: bytes) -> Engine:
    good: bool = yield from SmtpdSession._obeys_parameters(self, argument)
    if not good and self.sender is not None:
        self.sender = self.reader.address(argument)
    return good


def _forgets_after_message(self: Any) -> bytes:
    self.authentication.user = b""
    return SmtpdSession.begin_message(self)


def _auth_after_recipients(self: Any, argument: bytes) -> Engine:
    yield from self.authentication.command(argument, bool(self.recipients))


def _no_second_try(self: Any) -> Engine:
    self.methods = ()
    yield from Authentication.after_failure(self)


def _esmtpa_after_failure(self: Any) -> Engine:
    yield from Authentication.after_failure(self)
    self.client.speaks_esmtpa()


def _refusal_sticks(self: Any, status: Any) -> str:
    meaning = RecipientChecks.meaning(self, status)
    self.refused = getattr(self, "refused", False) or meaning == REFUSED
    return REFUSED if self.refused else meaning


def _dies_without_method(self: Any, method: bytes) -> bool:
    if not method:
        raise acts.Signalled(11)
    return Authentication.offers(self, method)


def _quits_at_unknown(self: Any, method: bytes) -> bool:
    if not Authentication.offers(self, method):
        raise Quit(1, "auth - type unimplemented", b"504 auth type unimplemented (#5.5.1)\r\n")
    return True


def _begins(self: Any, address: bytes, command: str) -> Engine:
    yield from SmtpdSession.refuse_relaying(self, address, command)
    self.sender = address


FLAWS = (
    flaw("0007.refused-begins", "begins a transaction with a sender that it refused",
        SmtpdSession, refuse_relaying=_begins),
    flaw("0008.auth-parameter-renames", "names whom AUTH= names in the place of who has authenticated",
        Client, is_said_to_be=_renames),
    flaw("0008.size-anywhere", "takes SIZE= in an address for a parameter",
        SmtpdSession, parameters=_anywhere),
    flaw("0008.size-upper-case", "knows SIZE in upper case alone",
        SmtpdSession, parameters=_upper_case_alone),
    flaw("0008.size-wraps", "counts SIZE modulo 2^64",
        SmtpdSession, size=lambda self, value: SmtpdSession.size(self, value) % (1 << 64)),
    flaw("0008.size-sticks", "refuses every MAIL after one that was too large",
        SmtpdSession, is_over_size=_size_sticks),
    flaw("0008.size-begins", "RSET begins the transaction of a MAIL that was refused for its size",
        SmtpdSession, _obeys_parameters=_begins_after_all),
    flaw("0008.size-lends-recipients", "a MAIL that is refused for its size takes the recipients over",
        SmtpdSession, _obeys_parameters=_lends),
    flaw("0008.size-of-file", "announces the size in the file where DATABYTES is set", SmtpdSession,
        extensions=lambda self: [b"SIZE %d" % self.policy.control.number("databytes", 0)
        if line.startswith(b"SIZE") else line for line in SmtpdSession.extensions(self)]),
    flaw("0008.one-message", "forgets authentication after a message",
        SmtpdSession, begin_message=_forgets_after_message),
    flaw("0008.auth-after-recipients", "refuses AUTH once there was a recipient",
        SmtpdSession, auth=_auth_after_recipients),
    flaw("0008.no-second-try", "takes no AUTH after one that failed",
        Authentication, after_failure=_no_second_try),
    flaw("0008.failed-esmtpa", "says ESMTPA in the Received line after an AUTH that failed",
        Authentication, after_failure=_esmtpa_after_failure),
    flaw("0009.refusal-sticks", "refuses every recipient of a session after one that the program refused",
        RecipientChecks, meaning=_refusal_sticks),
    flaw("0008.dies-without-method", "dies of AUTH without a method",
        Authentication, offers=_dies_without_method),
    flaw("0008.quits-at-unknown", "ends the session at an unknown method",
        Authentication, offers=_quits_at_unknown),
)  # fmt: skip
