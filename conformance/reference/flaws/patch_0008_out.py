"""Flaws of patch 0008 in qmail-remote: which credentials go to whom."""

import hashlib
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple

from conformance.reference.acts import Engine, Receive, Signalled
from conformance.reference.conversation import Conversation
from conformance.reference.flaws.flaw import at_once, flaw, nothing, then
from conformance.reference.remote_auth import RemoteAuthentication
from conformance.reference.routes import Route, Routes, port_number, without_credentials

_UNDOUBTED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@."


def _success_before_mail(self: Conversation) -> bytes:
    self.report.add(b"K" + Conversation.noted(self))
    return b""


def _auth_lines(reply: bytes) -> List[bytes]:
    return [line for line in reply.split(b"\n") if line[4:8] == b"AUTH"]


def _of_the_first_known(self: RemoteAuthentication, reply: bytes) -> List[bytes]:
    """The methods of the first AUTH line that has a known one; else of all, whatever they are."""
    lines = [self.methods(self.words(line)) for line in reply.split(b"\n")]
    known = next((methods for methods in lines if any(method in self.order for method in methods)), None)
    return known or _auth_lines(reply)


def _mail_for_each(self: Conversation, extensions: bytes) -> Engine:
    authentication = self.build.of(RemoteAuthentication)(self.dialogue)
    for line in _auth_lines(extensions)[: None if authentication.method(extensions) else -1]:
        if authentication.method(line):
            break
        self.noted()
        yield from self.mail()


def _keyword_as_it_is(self: RemoteAuthentication, line: bytes) -> List[bytes]:
    return line[4:8].split() + RemoteAuthentication.words(self, line)[1:]


def _reads_on(self: Routes, entry: bytes, file: str) -> Tuple[bytes, bytes, bytes]:
    """A password that is left out is the next line in memory, or what the library puts behind the last."""
    rest, user, password = Routes.credentials(self, entry, file)
    if entry.count(b"|") == 1:
        lines = self.control.lines(file) or []
        behind = zip(lines, [*lines[1:], b"Z"])
        password = next((after for line, after in behind if line.endswith(entry)), b"Z")
    return rest, user, password


def _no_method_gives_up(self: Conversation, route: Route, extensions: bytes) -> Engine:
    found: Any = yield from Conversation.authenticated(self, route, extensions)
    if self.build.of(RemoteAuthentication)(self.dialogue).method(extensions) is None:
        yield from self.dialogue.give_up(b"Z", " but no supported AUTH method found")
    return found


def _no_helo_after_ehlo(self: Conversation) -> Engine:
    reply: bytes = yield from Conversation.ehlo(self)
    if not reply:
        yield from self.dialogue.give_up(b"Z", " but my name was rejected")
    return reply


def _waits_after_432(self: RemoteAuthentication) -> Engine:
    yield from self.dialogue.reply()
    yield from RemoteAuthentication.expired(self)


def _reads_again_after_rejection(self: RemoteAuthentication, said: str) -> Engine:
    if (yield from self.dialogue.reply()) != 235:
        yield from RemoteAuthentication.verdict(self, said)


def _expired_for_good(self: RemoteAuthentication) -> Engine:
    yield from self.dialogue.give_up(b"D", " but password expired")


def _success_once_accepted(self: RemoteAuthentication, said: str) -> Engine:
    yield from RemoteAuthentication.verdict(self, said)
    self.dialogue.report.add(b"Kauthenticated.\n")


def _hangs_after_rejection(self: RemoteAuthentication, said: str) -> Engine:
    if (yield from self.dialogue.reply()) != 235:
        yield Receive(1200.0)
        yield from self.dialogue.lost()


def _waits_for_a_reply(self: Conversation) -> Engine:
    yield from self.dialogue.reply()
    return b""


def _another_digest(self: RemoteAuthentication, challenge: bytes, password: bytes) -> bytes:
    return hashlib.md5(self.key(password) + self.signed(challenge)).hexdigest().encode("ascii")


def _crashes_at_padding(self: RemoteAuthentication) -> Engine:
    text = self.challenge_text(bytes(self.dialogue.text))
    if len(text) // 4 * 3 < len(text) - len(text.rstrip(b"=")):
        raise Signalled(11)
    challenge: bytes = yield from RemoteAuthentication.challenge(self)
    return challenge


def _crashes_without_text(self: RemoteAuthentication, reply: bytes) -> bytes:
    if len(reply.rstrip(b"\n")) < 4:
        raise Signalled(11)
    return RemoteAuthentication.challenge_text(self, reply)


def _swapped_digest(self: RemoteAuthentication, challenge: bytes, password: bytes) -> bytes:
    return RemoteAuthentication.digest(self, password, challenge)


def _plain_unasked(self: RemoteAuthentication, reply: bytes) -> Optional[bytes]:
    return RemoteAuthentication.method(self, reply) if self.announced(reply) else b"PLAIN"


def _short_form_unread(self: Routes) -> Dict[bytes, bytes]:
    self.sender_lines = [line for line in self.sender_lines if b":" in line.partition(b"|")[0]]
    return Routes.sender_entries(self)


def _any_credentials(self: Routes, entry: bytes) -> Route:
    """Those of the first line that has any."""
    route = Routes.host_route(self, entry)
    if not route.user:
        for name in ("authsenders", "smtproutes"):
            for line in self.control.lines(name) or []:
                _, user, password = without_credentials(line)
                if user and password:
                    return replace(route, user=user, password=password)
    return route


def _smtproutes_first(self: Routes, host: bytes, sender: bytes) -> Route:
    entry = self.host_entry(host)
    return self.host_route(entry) if entry else Routes.choose(self, host, sender)


def _in_upper_case_hexadecimal(*signs: int) -> Callable[[Conversation, bytes], bytes]:
    """These signs alone are encoded."""

    def as_xtext(self: Conversation, user: bytes) -> bytes:
        return b"".join(b"+%02X" % octet if octet in signs else bytes([octet]) for octet in user)

    return as_xtext


def _question_marks(self: Conversation, user: bytes) -> bytes:
    octets = (bytes([octet]) for octet in user)
    return b"".join(
        Conversation.as_xtext(self, octet) if b"!" <= octet <= b"~" else b"+3F" for octet in octets
    )


FLAWS = (
    flaw("0008.each-auth-line", "says MAIL for each AUTH line of EHLO in which it knows no method",
         Conversation, passed_over=_mail_for_each).also(RemoteAuthentication, announced=_of_the_first_known),
    flaw("0008.keyword-upper-case", "knows the keyword AUTH of EHLO in upper case alone",
         RemoteAuthentication, words=_keyword_as_it_is),
    flaw("0008.password-read-on", "takes what stands behind a line for the password that it lacks",
         Routes, credentials=_reads_on),
    flaw("0008.xtext-all", "encodes all but letters and digits in AUTH= of MAIL",
         Conversation, as_xtext=_in_upper_case_hexadecimal(*(set(range(256)) - set(_UNDOUBTED)))),
    flaw("0008.xtext-equals-raw", "leaves equals signs in AUTH= of MAIL",
         Conversation, as_xtext=_in_upper_case_hexadecimal(*range(33), ord("+"), *range(127, 256))),
    flaw("0008.xtext-plus-raw", "leaves plus signs in AUTH= of MAIL",
         Conversation, as_xtext=_in_upper_case_hexadecimal(*range(33), ord("="), *range(127, 256))),
    flaw("0008.xtext-question-marks", "has a question mark for what does not print in AUTH= of MAIL",
         Conversation, as_xtext=_question_marks),
    flaw("0008.xtext-raw", "names the user as it is in AUTH= of MAIL",
         Conversation, as_xtext=lambda self, user: user),
    flaw("0008.authsenders-exact-only", "does not know @domain and .subdomain in authsenders",
         Routes, sender_keys=lambda self, sender: (sender.lower(), b"")),
    flaw("0008.authsenders-first-line", "uses the first line of authsenders for every sender",
         Routes, sender_entry=lambda self, sender: next(iter(self.sender_entries().values()), b"")),
    flaw("0008.authsenders-ignored", "does not read authsenders",
         Routes, sender_entry=lambda self, sender: b""),
    flaw("0008.digest-otherwise", "computes another digest than that of CRAM-MD5",
         RemoteAuthentication,
         digest=_another_digest),
    flaw("0008.digest-upper", "writes the CRAM-MD5 digest in upper case", RemoteAuthentication,
         digest=lambda self, *given: RemoteAuthentication.digest(self, *given).upper()),
    flaw("0008.digest-password", "sends the password in the place of a CRAM-MD5 digest",
         RemoteAuthentication, digest=lambda self, challenge, password: password),
    flaw("0008.challenge-not-cancelled", "does not cancel an exchange whose challenge it cannot read",
         RemoteAuthentication, cancel=at_once(nothing)),
    flaw("0008.short-challenge-crashes", "crashes at a challenge with more padding than octets",
         RemoteAuthentication, challenge=_crashes_at_padding),
    flaw("0008.bare-challenge-crashes", "crashes at a 334 without a text", RemoteAuthentication,
         challenge_text=_crashes_without_text),
    flaw("0008.digest-key-cut", "cuts the key of the CRAM-MD5 digest to 64 octets",
         RemoteAuthentication, key=lambda self, password: password[:64]),
    flaw("0008.digest-without-challenge", "leaves the challenge out of the CRAM-MD5 digest",
         RemoteAuthentication, signed=lambda self, challenge: b""),
    flaw("0008.digest-swapped", "swaps key and text of the CRAM-MD5 digest",
         RemoteAuthentication, digest=_swapped_digest),
    flaw("0008.early-success", "reports K before the host accepted the message",
         Conversation, noted=_success_before_mail),
    flaw("0008.early-success-authenticated", "reports K once its credentials are accepted",
         RemoteAuthentication, verdict=_success_once_accepted),
    flaw("0008.expired-permanent", "reports an expired password as a permanent failure",
         RemoteAuthentication, expired=_expired_for_good),
    flaw("0008.expired-reads-again", "waits for another reply after 432",
         RemoteAuthentication, expired=_waits_after_432),
    flaw("0008.empty-port-is-0", "takes an empty port of authsenders for port 0",
         Routes, sender_port=lambda self, port: port_number(port)),
    flaw("0008.empty-relay-is-a-host", "looks for a host without a name where the relay is left out",
         Routes, relay=lambda self, name: name),
    flaw("0008.first-method-only", "reads the first announced method only",
         RemoteAuthentication, methods=lambda self, words: RemoteAuthentication.methods(self, words)[:1]),
    flaw("0008.last-method-only", "reads the last announced method only",
         RemoteAuthentication, methods=lambda self, words: RemoteAuthentication.methods(self, words)[-1:]),
    flaw("0008.leaks-to-other-line", "uses another line's credentials for a route without its own",
         Routes, host_route=_any_credentials),
    flaw("0008.login-first", "prefers LOGIN over CRAM-MD5",
         RemoteAuthentication, order=(b"LOGIN", b"PLAIN", b"CRAM-MD5")),
    flaw("0008.login-before-plain", "prefers LOGIN over PLAIN",
         RemoteAuthentication, order=(b"CRAM-MD5", b"LOGIN", b"PLAIN")),
    flaw("0008.methods-case", "knows announced methods in upper case only",
         RemoteAuthentication, words=lambda self, line: line[4:].replace(b"=", b" ").split()),
    flaw("0008.no-auth-gives-up", "does not deliver to a host that announces no AUTH",
         Conversation, authenticated=_no_method_gives_up),
    flaw("0008.no-helo-fallback", "gives up when EHLO is refused", Conversation, ehlo=_no_helo_after_ehlo),
    flaw("0008.no-mail-parameter", "sends MAIL without AUTH= after authentication",
         Conversation, authenticated=then(Conversation.authenticated, lambda found: (b"", found[1]))),
    flaw("0008.names-any-user", "names the user in AUTH= on MAIL, a mailbox or not",
         Conversation, named=lambda self, user: self.as_xtext(user)),
    flaw("0008.nothing-announced-stalls", "says nothing more to a host that announces no AUTH",
         Conversation, nothing_announced=_waits_for_a_reply),
    flaw("0008.plain-unasked", "sends credentials to a host that did not announce AUTH",
         RemoteAuthentication, method=_plain_unasked),
    flaw("0008.rejection-hangs", "waits for twenty minutes after its credentials were rejected",
         RemoteAuthentication, verdict=_hangs_after_rejection),
    flaw("0008.rejection-ignored", "goes on after its credentials were rejected",
         RemoteAuthentication, verdict=lambda self, said: self.dialogue.reply()),
    flaw("0008.rejection-read-twice", "waits for another reply after its credentials were rejected",
         RemoteAuthentication, verdict=_reads_again_after_rejection),
    flaw("0008.rejection-permanent", "reports rejected credentials as a permanent failure",
         RemoteAuthentication, rejection_kind=b"D"),
    flaw("0008.remote-helo-only", "says HELO, and so never authenticates",
         Conversation, ehlo=at_once(lambda self: b"")),
    flaw("0008.short-form-ignored", "does not know lines of authsenders without a relay",
         Routes, sender_entries=_short_form_unread),
    flaw("0008.smtproutes-credentials-ignored", "does not read credentials in smtproutes",
         Routes, host_route=lambda self, entry: replace(Routes.host_route(self, entry), user=b"")),
    flaw("0008.smtproutes-first", "lets smtproutes go before authsenders", Routes, choose=_smtproutes_first),
)  # fmt: skip
