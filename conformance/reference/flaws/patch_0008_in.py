"""Flaws of patch 0008 in qmail-smtpd: AUTH offered, SIZE."""

import base64
import re
from dataclasses import replace
from typing import Any, Callable

from conformance.reference.acts import CRASHED, MISSING, CheckPassword, Engine, Signalled
from conformance.reference.client import Client
from conformance.reference.flaws.flaw import at_once, flaw, nothing, then
from conformance.reference.remote_auth import RemoteAuthentication
from conformance.reference.smtpd import SmtpdSession
from conformance.reference.smtpd_auth import BASE64, Abandoned, Authentication
from conformance.reference.wire import Gone

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _crashes_at_padding(read: Callable[[Any, bytes], bytes]) -> Callable[[Any, bytes], bytes]:
    def reads(self: Authentication, line: bytes) -> bytes:
        padding = len(line) - len(line.rstrip(b"="))
        if line != b"=" and len(line) // 4 * 3 < padding:
            raise Signalled(11)
        return read(self, line)

    return reads


def _login_crashes_late(self: Authentication, initial: bytes) -> Engine:
    """As LOGIN, but that what cannot be read is an error only where user and password are used."""
    crashes = False
    try:
        user: bytes = self.initial_response(initial) if initial else (yield from self.ask(b"VXNlcm5hbWU6"))
    except Signalled:
        user, crashes = b"-", True
    try:
        password: bytes = yield from self.ask(b"UGFzc3dvcmQ6")
    except Signalled:
        password, crashes = b"-", True
    if crashes and user and password:
        raise Signalled(11)
    return user, password, b""


def _announces_after_helo(self: Any, argument: bytes) -> Engine:
    yield from SmtpdSession.helo(self, argument)
    if self.authentication.methods:
        self.wire.say(b"250 AUTH " + b" ".join(self.authentication.methods) + b"\r\n")


def _rset_that_forgets(self: Any) -> None:
    SmtpdSession.flush_transaction(self)
    self.authentication.user = b""


def _named_by_a_try(self: Any, user: bytes) -> None:
    """The name in Received is where a try puts its user, and is marked as empty by a Z (stralloc(3))."""
    if self.client.protocol == b"ESMTPA":  # somebody has authenticated
        self.client.info = user or b"Z" + (self.client.info or b"")[1:]


def _rset_that_ends_esmtpa(self: Any) -> None:
    SmtpdSession.flush_transaction(self)
    self.client.protocol = b"SMTP"


def _rset_that_ends_relaying(self: Any) -> None:
    SmtpdSession.flush_transaction(self)
    if self.authentication.user:
        self.client.relay_suffix = None


def _required_always(self: Any, value: Any) -> Any:
    methods, _ = Authentication.mode(self, value)
    return methods, bool(methods)


def _plain_with_initial_response(self: Any, initial: bytes) -> Engine:
    if not initial:
        raise Abandoned(*self.malformed)
    return (yield from Authentication.plain(self, initial))


def _relays_after_failure(self: Any) -> Engine:
    yield from Authentication.after_failure(self)
    self.client.relay_suffix = b""


def _crashes_on_padding(self: Any, line: bytes) -> bytes:
    if not line.strip(b"="):
        raise Gone
    return Authentication.decoded(self, line)


def _any_base64(line: bytes) -> bytes:
    """What the package's decoder makes of octets: any other than base64's stands for nothing."""
    padding = len(line) - len(line.rstrip(b"="))
    groups = [line[at : at + 4] for at in range(0, len(line) // 4 * 4, 4)]
    octets = b"".join(_group(group) for group in groups)
    return octets[: len(octets) - padding]


def _base64_in(line: bytes) -> bytes:
    """What the octets of base64 in a line say, without the others."""
    octets = bytes(octet for octet in line if octet in _ALPHABET)
    if len(octets) % 4 == 1:
        octets = octets[:-1]
    return base64.b64decode(octets + b"=" * (-len(octets) % 4))


def _group(group: bytes) -> bytes:
    bits = 0
    for octet in group:
        if octet in _ALPHABET:
            bits = bits << 6 | _ALPHABET.index(octet)
        elif octet == ord("="):
            bits <<= 6
    return bits.to_bytes(3, "big")


def _any_base64_but_padding(self: Any, line: bytes) -> bytes:
    if not line.strip(b"="):
        raise Signalled(11)
    return _any_base64(line)


def _word_as_a_whole(self: Any, value: Any) -> Any:
    """`-` and `!` alone mean something, and `!` before the words with cram."""
    word = (value or "").lower()
    if word[:1] in ("-", "!") and word not in ("-", "!") and not word.startswith(("!cram", "!+cram")):
        value = ""
    return Authentication.mode(self, value)


def _without(word: bytes) -> Any:
    return lambda self: [line for line in SmtpdSession.extensions(self) if not line.startswith(word)]


def _without_challenge(self: Any, user: bytes, password: bytes, challenge: bytes) -> CheckPassword:
    offered = b"CRAM-MD5" in self.methods
    asked = Authentication.question(self, user, password, challenge if offered else b"")
    return replace(asked, final=offered)


FLAWS = (
    flaw("0008.any-base64", "takes whatever octets for base64, and crashes at padding alone",
        Authentication, decoded=_any_base64_but_padding, is_empty=lambda self, line: False).also(
        RemoteAuthentication, decoded=lambda self, text: _any_base64(text)),
    flaw("0008.any-password", "accepts whatever password",
        Authentication, accepts=lambda self, status: Authentication.accepts(self, status) or True),
    flaw("0008.bad-base64", "takes bad base64 for credentials", Authentication,
        decoded=lambda self, line: Authentication.decoded(self, line) if BASE64.fullmatch(line) else line),
    flaw("0008.blank-in-response", "takes a blank behind an initial response for a part of it",
        Authentication, without_blanks=lambda self, initial: initial.lstrip(b" ")),
    flaw("0008.challenge-constant", "gives every session the same CRAM-MD5 challenge",
        Authentication, unique=lambda self, now: b"1.0"),
    flaw("0008.challenge-without-pid", "gives sessions within a second the same CRAM-MD5 challenges",
        Authentication, unique=lambda self, now: b"%d%06d" % (now, self.attempt())),
    flaw("0008.challenge-without-time", "gives a session one CRAM-MD5 challenge, whenever it asks",
        Authentication, unique=lambda self, now: b"%d" % self.pid),
    flaw("0008.cram-accepts-plain", "takes PLAIN and whatever password where only CRAM-MD5 is offered",
        Authentication, offers=lambda self, method: method in (b"LOGIN", b"PLAIN", b"CRAM-MD5"),
        accepts=lambda self, status: status == 0 or self.methods == (b"CRAM-MD5",)),
    flaw("0008.cram-adds", "SMTPAUTH=cram adds CRAM-MD5 and leaves LOGIN and PLAIN", Authentication,
        mode=lambda self, value: Authentication.mode(self, value and re.sub("(?i)^(!?)cram", r"\1+cram",
        value))),
    flaw("0008.cram-initial-ignored", "ignores an initial response of CRAM-MD5",
        Authentication, must_begin=lambda self: False),
    flaw("0008.crash-accepts", "takes a crashed checkprogram for acceptance",
        Authentication, accepts=lambda self, status: status in (0, CRASHED)),
    flaw("0008.dash-accepts", "takes whatever password where SMTPAUTH starts with a dash", Authentication,
        mode=lambda self, value: Authentication.mode(self, "" if value and value[0] == "-" else value),
        accepts=lambda self, status: status == 0 or self.client.environment["SMTPAUTH"][:1] == "-"),
    flaw("0008.dash-announces", "SMTPAUTH=- announces and accepts AUTH", Authentication,
        mode=lambda self, value: Authentication.mode(self, "" if value and value[0] == "-" else value)),
    flaw("0008.empty-password", "asks the checkprogram about empty passwords",
        Authentication, complete=lambda self, user, password: True),
    flaw("0008.esmtpa-forgotten", "says SMTP in Received after authentication",
        Client, speaks_esmtpa=nothing),
    flaw("0008.failure-454", "answers a wrong password with 454",
        Authentication, failed=("454 authentication failed (#5.7.1)", "auth - authentication failed")),
    flaw("0008.failure-relays", "lets a client relay after a failed authentication",
        Authentication, after_failure=_relays_after_failure),
    flaw("0008.helo-announces", "announces AUTH after HELO", SmtpdSession, helo=_announces_after_helo),
    flaw("0008.identity-ignored", "does not look at the authorization identity",
        Authentication, may_act_as=lambda self, identity, user: True),
    flaw("0008.in-transaction", "takes AUTH inside a mail transaction",
        Authentication, must_not_begin=lambda self, in_transaction: False),
    flaw("0008.login-initial-ignored", "ignores an initial response of LOGIN",
        Authentication, login=lambda self, initial: Authentication.login(self, b"")),
    flaw("0008.login-prompts-swapped", "takes LOGIN's answers for password and user, in this order",
        Authentication, login=then(Authentication.login, lambda said: (said[1], said[0], said[2]))),
    flaw("0008.malformed-535", "answers credentials that cannot be read with 535",
        Authentication, malformed=("535 malformed auth input (#5.5.4)", "auth - malformed input")),
    flaw("0008.mode-whole-words", "compares the whole of SMTPAUTH with - and !, and not its start",
        Authentication, mode=_word_as_a_whole),
    flaw("0008.missing-accepts", "takes a missing checkprogram for acceptance", Authentication,
        accepts=lambda self, status: status == MISSING or Authentication.accepts(self, status)),
    flaw("0008.no-cancel", "does not let a client cancel with *", Authentication,
        response=lambda self, line: line if line == b"*" else Authentication.response(self, line)),
    flaw("0008.no-delay", "does not wait after a failed authentication",
        Authentication, after_failure=at_once(nothing)),
    flaw("0008.no-final-byte", "leaves out the 0 byte that ends what the checkprogram reads", Authentication,
        question=lambda self, *said: replace(Authentication.question(self, *said), final=False)),
    flaw("0008.final-byte-with-cram-only", "ends what the checkprogram reads, and tells it the challenge, "
        "only where CRAM-MD5 is offered", Authentication, question=_without_challenge),
    flaw("0008.no-relaying", "does not let an authenticated client relay", Client, may_relay=nothing),
    flaw("0008.no-remote-info", "does not name the user in Received", Client, is_named=nothing),
    flaw("0008.not-announced", "does not announce AUTH", SmtpdSession, extensions=_without(b"AUTH")),
    flaw("0008.not-required", "does not require authentication before MAIL",
        Authentication, lacking=lambda self: False),
    flaw("0008.padding-crashes", "ends without a reply when credentials are padding alone",
        Authentication, decoded=_crashes_on_padding, is_empty=lambda self, line: False),
    flaw("0008.password-cut", "cuts passwords to 127 octets", Authentication,
        question=lambda self, user, password, challenge: Authentication.question(self, user,
        password[:127], challenge)),
    flaw("0008.plain-identity", "checks the authorization identity instead of the user",
        Authentication, plain_user=lambda self, identity, user: identity or user,
        may_act_as=lambda self, identity, user: True),
    flaw("0008.plain-initial-ignored", "ignores an initial response of PLAIN",
        Authentication, plain=lambda self, initial: Authentication.plain(self, b"")),
    flaw("0008.plain-initial-only", "refuses PLAIN without an initial response",
        Authentication, plain=_plain_with_initial_response),
    flaw("0008.plus-cram-lost", "SMTPAUTH=+cram offers LOGIN and PLAIN only", Authentication,
        mode=lambda self, value: Authentication.mode(self, value and re.sub(r"(?i)^(!?)\+cram", r"\1",
        value))),
    flaw("0008.required-always", "requires authentication wherever it offers any",
        Authentication, mode=_required_always),
    flaw("0008.rset-ends-esmtpa", "RSET lets Received forget that a client has authenticated",
        SmtpdSession, flush_transaction=_rset_that_ends_esmtpa),
    flaw("0008.rset-ends-relaying", "RSET takes relaying from a client that has authenticated",
        SmtpdSession, flush_transaction=_rset_that_ends_relaying),
    flaw("0008.rset-forgets", "RSET undoes authentication; whom the next try names stands in Received",
        SmtpdSession, flush_transaction=_rset_that_forgets).also(
        Authentication, tries=_named_by_a_try),
    flaw("0008.size-ignored", "does not read SIZE on MAIL",
        SmtpdSession, is_over_size=lambda self, announced: False),
    flaw("0008.size-not-announced", "does not announce SIZE", SmtpdSession, extensions=_without(b"SIZE")),
    flaw("0008.size-off-by-one", "refuses SIZE of exactly databytes",
        SmtpdSession, is_over_size=lambda self, announced: 0 < self.policy.databytes <= announced),
    flaw("0008.skips-in-base64", "passes over what is no base64 in credentials", Authentication,
        decoded=lambda self, line: _base64_in(line)),
    flaw("0008.stale-challenge", "gives the same CRAM-MD5 challenge again",
        Authentication, attempt=lambda self: 0),
    flaw("0008.twice", "takes a second AUTH after success", Authentication, is_done=lambda self: False),
    flaw("0008.unknown-method-501", "answers an unknown method with 501",
        Authentication, unknown_method=("501 auth type unimplemented (#5.5.1)", "auth - type unimplemented")),
    flaw("0008.unoffered-methods", "takes methods that were not announced",
        Authentication, offers=lambda self, method: method in (b"LOGIN", b"PLAIN", b"CRAM-MD5")),
    flaw("0008.nul-asked", "gives the checkprogram user and password with the NULs in them",
        Authentication, is_whole=lambda self, user, password: True,
        user_and_digest=lambda self, response: Authentication.user_and_digest(
        self, response.partition(b"\0")[0])),
    flaw("0008.short-answer-crashes", "crashes at an answer with more padding than octets", Authentication,
        response=_crashes_at_padding(Authentication.response),
        initial_response=_crashes_at_padding(Authentication.initial_response), login=_login_crashes_late),
    flaw("0008.unset-enables", "takes SMTPAUTH unset for SMTPAUTH empty",
        Authentication, mode=lambda self, value: Authentication.mode(self, value or "")),
)  # fmt: skip
