"""Flaws of qmail-remote as the distribution has it."""

import sys
from dataclasses import replace
from operator import itemgetter
from typing import Callable, List, NoReturn, Tuple

from conformance.reference.acts import Engine
from conformance.reference.conversation import Conversation
from conformance.reference.dialogue import Dialogue
from conformance.reference.flaws.flaw import at_once, flaw
from conformance.reference.lookup import Lookup, LookupFailed, NameNotFound
from conformance.reference.remote import QmailRemote
from conformance.reference.routes import SMTP_PORT, Route, Routes

_PERMANENT_NOBODY_ANSWERS = b"D" + QmailRemote.nobody_answers[1:]
_PERMANENT_NAME_UNKNOWN = b"D" + QmailRemote.name_unknown_now[1:]


def _keeps_alias(self: Lookup, name: bytes) -> Engine:
    _, aliased = yield from Lookup.behind_aliases(self, name)
    return name, aliased


def _data_whatever_the_reply(self: Conversation) -> Engine:
    yield from self.dialogue.say(b"DATA")
    yield from self.dialogue.reply()


def _accepting(*codes: int) -> Callable[..., Engine]:
    def not_accepted(self: Conversation, code: int) -> Engine:
        if code not in codes:
            yield from Conversation.not_accepted(self, code)

    return not_accepted


def _lost_is_success(self: Dialogue) -> Engine:
    if self.message_sent:
        self.report.end(b"K" + self.address + b" accepted message.\n")
    yield from Dialogue.lost(self)


def _mx_or_nothing(self: Lookup) -> NoReturn:
    raise NameNotFound


def _reads_too_far(self: Lookup, records: List[Tuple[int, bytes]], random: int) -> List[Tuple[int, bytes]]:
    records = [(preference, exchanger + b"\xb5") for preference, exchanger in records]
    return Lookup.in_order(self, records, random)


def _worst_first(self: Lookup, records: List[Tuple[int, bytes]], random: int) -> List[Tuple[int, bytes]]:
    records = [(65535 - preference, exchanger) for preference, exchanger in records]
    return Lookup.in_order(self, records, random)


FLAWS = (
    flaw("remote.alias-kept", "follows aliases but leaves the recipient as written",
         Lookup, behind_aliases=_keeps_alias),
    flaw("remote.connect-timeout-ignored",
         "waits for a connection for as long as it takes, whatever timeoutconnect says",
         QmailRemote, connect_timeout=lambda self: 1200),
    flaw("remote.data-2xx-sent", "sends the message after whatever code below 400 to DATA",
         Conversation, wants_message=lambda self, code: code < 400),
    flaw("remote.data-reply-ignored", "sends the message although DATA was refused",
         Conversation, data=_data_whatever_the_reply),
    flaw("remote.dots-not-stuffed", "does not stuff dots", Conversation, stuffing=b""),
    flaw("remote.drop-after-message-success", "reports success when the connection dies after the final dot",
         Dialogue, lost=_lost_is_success),
    flaw("remote.drop-permanent", "reports a lost connection as a permanent failure",
         Dialogue, lost_kind=b"D"),
    flaw("remote.eighth-bit-cleared", "clears the eighth bit of what it sends",
         Conversation,
         encoded=lambda self, lines: bytes(octet & 0x7F for octet in Conversation.encoded(self, lines))),
    flaw("remote.exchanger-read-too-far", "reads the names of exchangers an octet too far",
         Lookup, in_order=_reads_too_far),
    flaw("remote.first-mx-only", "looks up the best exchanger only",
         Lookup, in_order=lambda self, records, random: [min(records, key=itemgetter(0))]),
    flaw("remote.greeting-5xx-permanent", "reports a 5xx greeting as a permanent failure",
         Conversation, greeting_kind=lambda self, code: b"D" if code >= 500 else b"Z"),
    flaw("remote.greeting-permanent", "reports a refused greeting as a permanent failure",
         Conversation, greeting_kind=lambda self, code: b"D"),
    flaw("remote.hello-permanent", "reports a refused hello as a permanent failure",
         Conversation, hello_kind=lambda self, code: b"D"),
    flaw("remote.hello-5xx-permanent", "reports a hello that was refused with 5xx as a permanent failure",
         Conversation, hello_kind=lambda self, code: b"D" if code >= 500 else b"Z"),
    flaw("remote.helohost-ignored", "says HELO with me, whatever helohost says",
         QmailRemote, helo_host=lambda self: self.control.me),
    flaw("remote.mail-4xx-permanent", "reports a deferred sender as a permanent failure",
         Conversation, mail_kind=lambda self, code: b"D"),
    flaw("remote.mail-5xx-temporary", "reports a refused sender as a temporary failure",
         Conversation, mail_kind=lambda self, code: b"Z"),
    flaw("remote.message-3xx-accepted", "takes a 3xx after the message for acceptance",
         Conversation, not_accepted=_accepting(*range(300, 400))),
    flaw("remote.message-1xx-accepted", "takes every code below 400 after the message for acceptance",
         Conversation, not_accepted=_accepting(*range(200), *range(300, 400))),
    flaw("remote.message-4xx-accepted", "takes a 4xx after the message for acceptance",
         Conversation, not_accepted=_accepting(*range(400, 500))),
    flaw("remote.message-5xx-temporary", "reports a 5xx after the message as a temporary failure",
         Conversation, message_kind=lambda self, code: b"Z"),
    flaw("remote.message-reply-unread", "reports success without reading the reply to the message",
         Conversation, message_reply=at_once(lambda self: 250)),
    flaw("remote.no-a-fallback", "does not fall back to the A record of a host without MX",
         Lookup, without_mx=_mx_or_nothing),
    flaw("remote.no-connection-permanent", "reports refused connections as a permanent failure",
         QmailRemote, nobody_answers=_PERMANENT_NOBODY_ANSWERS),
    flaw("remote.no-duplicate-warning", "does not warn of a possible duplicate",
         Dialogue, duplicate_warning=b""),
    flaw("remote.no-host-soft", "reports a host that does not exist as a temporary failure",
         Lookup, failure=lambda self, found: LookupFailed()),
    flaw("remote.no-literals", "looks up host literals in the DNS",
         Lookup, exchangers=lambda self, name, random: self.by_mx(name, random)),
    flaw("remote.no-second-try", "does not try the next exchanger when the best one refuses connections",
         QmailRemote, attempts=lambda self, addresses: addresses[:1]),
    flaw("remote.nul-kept", "leaves the NULs of a reply in its report",
         Dialogue, shown=lambda self, text: text),
    flaw("remote.null-sender", "sends every message from the null sender",
         QmailRemote, sender_path=lambda self, sender: b""),
    flaw("remote.own-address-tried", "delivers to itself as the best exchanger",
         QmailRemote, better_than_this_host=lambda self, addresses: addresses),
    flaw("remote.partial-line-sent", "completes a partial final line and sends it",
         Conversation, with_partial_line=at_once(lambda self, octets, partial: octets + partial + b"\r\n")),
    flaw("remote.recipient-kinds-swapped", "reports 4xx at RCPT as permanent and 5xx as temporary",
         Conversation, recipient_kind=lambda self, code: b"s" if code >= 500 else b"h"),
    flaw("remote.refused-recipient-accepted", "reports a refused recipient as accepted",
         Conversation, refusal=lambda self, code: b"r"),
    flaw("remote.reply-not-quoted", "leaves the remote host's words out of the report",
         Dialogue, quoted_reply=lambda self: b""),
    flaw("remote.route-port-ignored", "does not obey the port in smtproutes",
         Routes, host_route=lambda self, entry: replace(Routes.host_route(self, entry), port=SMTP_PORT)),
    flaw("remote.servfail-hard", "takes SERVFAIL for a host that does not exist",
         Lookup, failure=lambda self, found: NameNotFound()),
    flaw("remote.single-line-replies", "takes each line of a reply for a reply",
         Dialogue, goes_on=lambda self, octet: False),
    flaw("remote.smtproutes-ignored", "does not obey smtproutes",
         Routes, host_route=lambda self, entry: Route()),
    flaw("remote.soft-is-hard", "reports a failed lookup as a permanent failure",
         QmailRemote, name_unknown_now=_PERMANENT_NAME_UNKNOWN),
    flaw("remote.text-unlimited", "quotes replies in its report whatever their length",
         Dialogue, longest_text=sys.maxsize),
    flaw("remote.unquoted", "does not quote local parts that need it",
         QmailRemote, local_part=lambda self, box: box),
    flaw("remote.worst-first", "tries the exchanger of the worst preference first",
         Lookup, in_order=_worst_first),
)  # fmt: skip
