"""qmail-remote: one message to one host, in the order in which qmail does things.

`delivery(…)` yields acts (see `acts`) and returns the report octets as qmail-remote prints them. Stock, with
patches 0004, 0005 and 0008 as switches.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Callable, Dict, FrozenSet, List, Optional, Sequence, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.control import ControlFiles
from conformance.reference.envelope import xtext
from conformance.reference.flaws import checked
from conformance.reference.lookup import Exchange, Hard, Lookup, Soft
from conformance.reference.octets import quote_box, split_address
from conformance.reference.remote_auth import authenticate, choose_method
from conformance.reference.resolver import Resolver, ResolverSettings
from conformance.reference.routes import Route, choose

_LONGEST_TEXT = 5000
_OUTPUT_BUFFER = 1024
_BEFORE_ALL = 100000  #: no preference reaches it


@dataclass
class RemoteSettings:
    """One qmail-remote. `random` orders exchangers of equal preference; `number` gives ids to questions.

    Raises ValueError when a flaw is named that does not exist.
    """

    control: Dict[str, str] = field(default_factory=dict)
    patches: FrozenSet[str] = frozenset()
    flaws: FrozenSet[str] = frozenset()
    resolver: str = ""  #: the option line of resolv.conf
    own_addresses: Tuple[str, ...] = ("0.0.0.0", "127.0.0.1")
    random: int = 0
    number: Callable[[], int] = field(default=lambda: 1)

    def __post_init__(self) -> None:
        self.flaws = checked(self.flaws)


class Ended(Exception):
    """The message report is made."""


def delivery(
    settings: RemoteSettings, host: str, sender: str, recipients: Sequence[str], message: bytes
) -> Engine:
    """Returns the report: recipient reports `r…`, `h…`, `s…`, then `K…`, `Z…` or `D…`, each ended by NUL."""
    remote = Delivery(settings)
    with contextlib.suppress(Ended):
        yield from remote.run(
            host.encode("latin-1"),
            sender.encode("latin-1"),
            [recipient.encode("latin-1") for recipient in recipients],
            message,
        )
    return bytes(remote.report)


class Delivery:
    """Finds the host's exchangers and hands the first one that answers to a `Conversation`."""

    def __init__(self, settings: RemoteSettings) -> None:
        self.settings = settings
        self.flaws = settings.flaws
        self.report = bytearray()
        control = ControlFiles(settings.control)
        self.control = control
        self.helo_host: Optional[bytes] = control.line("helohost", control.me)
        if "remote.helohost-ignored" in self.flaws:
            self.helo_host = control.me
        self.timeout = control.number("timeoutremote", 1200)
        self.connect_timeout = control.number("timeoutconnect", 60)
        if "remote.connect-timeout-ignored" in self.flaws:
            self.connect_timeout = 1200
        options = ResolverSettings(settings.resolver, settings.number, flaws=settings.flaws)
        resolver = Resolver(options)
        if "0005" in settings.patches and "0005.tcp-hangs" not in self.flaws:
            options.tcp_limit = float(resolver.timeout * resolver.attempts)
        options.ignores_tc = "0005" in settings.patches and "0005.tc-ignored" in self.flaws
        self.lookup = Lookup(resolver, settings.patches, settings.flaws)

    def end(self, octets: bytes) -> None:
        self.report += octets + b"\0"
        raise Ended

    def run(self, host: bytes, sender: bytes, recipients: List[bytes], message: bytes) -> Engine:
        if self.helo_host is None:
            self.end(b"ZUnable to read control files. (#4.3.0)\n")
        box, sender_host = split_address(sender)
        quoted_sender = sender if sender_host is None else quote_box(box) + b"@" + sender_host
        if "remote.null-sender" in self.flaws:
            quoted_sender = b""
        route = choose(self.control, host, quoted_sender, self.settings.patches, self.flaws)
        if route.relay is not None:
            host = route.relay
        aliased = True
        addressed: List[bytes] = []
        for recipient in recipients:
            written, alias = yield from self._written(recipient, route)
            addressed.append(written)
            aliased = aliased and alias
        exchanges: List[Exchange] = yield from self._exchanges(host, route)
        exchange: Optional[Exchange] = yield from self._connected(exchanges, route, aliased)
        if exchange is None:
            kind = b"D" if "remote.no-connection-permanent" in self.flaws else b"Z"
            self.end(kind + b"Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n")
            return
        conversation = Conversation(self, exchange.address)
        yield from conversation.run(quoted_sender, addressed, message, route)

    def _written(self, address: bytes, route: Route) -> Engine:
        """(a recipient as it goes out, whether its domain is an alias)."""
        asks = route.relay is None
        box, host = split_address(address)
        if host is None:
            return address, asks
        alias = False
        if asks:
            try:
                host, alias = yield from self.lookup.canonical(host)
            except Soft:
                self.end(b"ZCNAME lookup failed temporarily. (#4.4.3)\n")
        return (box if "remote.unquoted" in self.flaws else quote_box(box)) + b"@" + host, alias

    def _exchanges(self, host: bytes, route: Route) -> Engine:
        """What to try, in order; at least one."""
        soft = False
        exchanges: List[Exchange] = []
        no_host = b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n"
        if "remote.soft-is-hard" in self.flaws:
            no_host = b"D" + no_host[1:]
        try:
            if route.relay is None:
                exchanges, soft = yield from self.lookup.exchangers(host, self.settings.random)
            else:
                exchanges = yield from self.lookup.addresses(host)
        except Soft:
            self.end(no_host)
        except Hard:
            self.end(b"DSorry, I couldn't find any host named " + visible(host) + b". (#5.1.2)\n")
        if not exchanges:
            if soft:
                self.end(no_host)
            self.end(b"DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n")
        return exchanges

    def _connected(self, exchanges: List[Exchange], route: Route, aliased: bool) -> Engine:
        """The first exchange that takes a connection, of those better than this host; None when none does."""
        own = [each.preference for each in exchanges if each.address in self.settings.own_addresses]
        below = min(own, default=_BEFORE_ALL)
        if route.relay is not None or aliased or "remote.own-address-tried" in self.flaws:
            below = _BEFORE_ALL
        tried = [each for each in exchanges if each.preference < below]
        if not tried:
            self.end(
                b"DSorry. Although I'm listed as a best-preference MX or A for that host,\n"
                b"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
            )
        if "remote.no-second-try" in self.flaws:
            tried = tried[:1]
        for exchange in tried:
            failure: str = yield acts.Connect(exchange.address, route.port, float(self.connect_timeout))
            if not failure:
                return exchange
        return None


class Conversation:
    """The SMTP session with one exchanger; `text` is its last reply, without carriage returns."""

    def __init__(self, delivery: Delivery, address: str) -> None:
        self.delivery = delivery
        self.flaws = delivery.flaws
        self.address = address.encode("ascii")
        self.text = bytearray()
        self.code = 0
        self._arrived = bytearray()
        self._critical = False
        self._authenticates = "0008" in delivery.settings.patches

    # Replies and reports

    def _octet(self) -> Engine:
        while not self._arrived:
            octets: Optional[bytes] = yield acts.Receive(float(self.delivery.timeout))
            if not octets:
                yield from self._dropped()
            self._arrived += octets or b""
        octet = self._arrived.pop(0)
        if octet != 13 and (len(self.text) < _LONGEST_TEXT or "remote.text-unlimited" in self.flaws):
            self.text.append(octet)
        return octet

    def _dropped(self) -> Engine:
        duplicate = b"Possible duplicate! " if self._critical else b""
        if self._critical and "remote.drop-after-message-success" in self.flaws:
            self.delivery.end(b"K" + self.address + b" accepted message.\n")
        if "remote.no-duplicate-warning" in self.flaws:
            duplicate = b""
        yield acts.Close()
        kind = b"D" if "remote.drop-permanent" in self.flaws else b"Z"
        self.delivery.end(
            kind + b"Connected to " + self.address + b" but connection died. " + duplicate + b"(#4.4.2)\n"
        )

    def reply(self) -> Engine:
        """Read one reply, of however many lines; returns the code of its first line."""
        self.text = bytearray()
        code = 0
        for _ in range(3):
            octet: int = yield from self._octet()
            code = code * 10 + octet - 48
        octet = yield from self._octet()
        while octet == 45 and "remote.single-line-replies" not in self.flaws:
            while octet != 10:
                octet = yield from self._octet()
            for _ in range(4):
                octet = yield from self._octet()
        while octet != 10:
            octet = yield from self._octet()
        self.code = code % 2**64
        return self.code

    def say(self, line: bytes) -> Engine:
        yield acts.Send(line + b"\r\n")

    def _quoted_reply(self) -> bytes:
        """The last reply for a report; it is told once."""
        if not self.text or "remote.reply-not-quoted" in self.flaws:
            return b""
        text, self.text = bytes(self.text), bytearray()
        if "remote.nul-kept" in self.flaws:
            return b"Remote host said: " + text
        return b"Remote host said: " + text.replace(b"\0", b"?")

    def _finish(self, before: bytes, after: str) -> Engine:
        yield from self.say(b"QUIT")
        yield acts.Close()
        self.delivery.end(before + self.address + after.encode("ascii") + b".\n" + self._quoted_reply())

    def give_up(self, kind: bytes, why: str) -> Engine:
        """Report `kind`, "Connected to ADDRESS", `why`, and end."""
        yield from self._finish(kind + b"Connected to ", why)

    # The session

    def run(self, sender: bytes, recipients: List[bytes], message: bytes, route: Route) -> Engine:
        if (yield from self.reply()) != 220:
            permanent = self.code >= 500 and "remote.greeting-5xx-permanent" in self.flaws
            permanent = permanent or "remote.greeting-permanent" in self.flaws
            yield from self.give_up(b"D" if permanent else b"Z", " but greeting failed")
        extensions = yield from self._hello()
        parameter, note = yield from self._authenticated(route, extensions)
        yield from self.say(b"MAIL FROM:<" + sender + b">" + parameter)
        code: int = yield from self.reply()
        if code >= 500:
            kind = b"Z" if "remote.mail-5xx-temporary" in self.flaws else b"D"
            yield from self.give_up(kind, " but sender was rejected")
        if code >= 400:
            kind = b"D" if "remote.mail-4xx-permanent" in self.flaws else b"Z"
            yield from self.give_up(kind, " but sender was rejected")
        yield from self._recipients(recipients)
        yield from self.say(b"DATA")
        code = yield from self.reply()
        if code >= 400 and "remote.data-reply-ignored" not in self.flaws:
            kind = b"D" if code >= 500 else b"Z"
            yield from self._finish(kind, " failed on DATA command")
        yield from self._message(message)
        code = 250 if "remote.message-reply-unread" in self.flaws else (yield from self.reply())
        self._critical = False
        accepted = 200 <= code < 300
        if 300 <= code < 400 and "remote.message-3xx-accepted" in self.flaws:
            accepted = True
        if 400 <= code < 500 and "remote.message-4xx-accepted" in self.flaws:
            accepted = True
        if not accepted:
            kind = b"D" if code >= 500 and "remote.message-5xx-temporary" not in self.flaws else b"Z"
            yield from self._finish(kind, " failed after I sent the message")
        yield from self._finish(b"K" + note, " accepted message")

    def _hello(self) -> Engine:
        """EHLO (0008) or HELO; the reply to EHLO, b"" when the host only knows HELO."""
        name = self.delivery.helo_host or b""
        if self._authenticates and "0008.remote-helo-only" not in self.flaws:
            yield from self.say(b"EHLO " + name)
            if (yield from self.reply()) == 250:
                return bytes(self.text)
            if "0008.no-helo-fallback" in self.flaws:
                yield from self.give_up(b"Z", " but my name was rejected")
        yield from self.say(b"HELO " + name)
        if (yield from self.reply()) != 250:
            kind = b"D" if "remote.hello-permanent" in self.flaws else b"Z"
            yield from self.give_up(kind, " but my name was rejected")
        return b""

    def _authenticated(self, route: Route, extensions: bytes) -> Engine:
        """(parameter of MAIL, words before the success report), after AUTH where there are credentials.

        A host that announces no method gets the mail without authentication, which the report of success
        says first: the report K must not come before the host accepted the message.
        """
        if not self._authenticates or not route.credentials:
            return b"", b""
        method = choose_method(extensions, self.flaws)
        if method is None:
            note = b"no supported AUTH method found, continuing without authentication.\n"
            if "0008.no-auth-gives-up" in self.flaws:
                yield from self.give_up(b"Z", " but no supported AUTH method found")
            if "0008.early-success" in self.flaws:
                self.delivery.report += b"K" + note + b"\0"
            return b"", note
        yield from authenticate(self, method, route.user, route.password)
        return (b"" if "0008.no-mail-parameter" in self.flaws else b" AUTH=" + xtext(route.user)), b""

    def _recipients(self, recipients: List[bytes]) -> Engine:
        wanted = False
        for recipient in recipients:
            yield from self.say(b"RCPT TO:<" + recipient + b">")
            code: int = yield from self.reply()
            if code >= 400:
                kind = b"h" if code >= 500 else b"s"
                if "remote.recipient-kinds-swapped" in self.flaws:
                    kind = b"s" if code >= 500 else b"h"
                if "remote.refused-recipient-accepted" in self.flaws:
                    self.delivery.report += b"r\0"
                    wanted = True
                    continue
                refusal = self.address + b" does not like recipient.\n" + self._quoted_reply()
                self.delivery.report += kind + refusal + b"\0"
            else:
                self.delivery.report += b"r\0"
                wanted = True
        if not wanted:
            yield from self._finish(b"DGiving up on ", "")

    def _message(self, message: bytes) -> Engine:
        """The message with CR LF and stuffed dots, and the final dot."""
        lines = message.split(b"\n")
        partial = lines.pop()
        stuffed = [
            b"." + line if line.startswith(b".") and "remote.dots-not-stuffed" not in self.flaws else line
            for line in lines
        ]
        octets = b"".join(line + b"\r\n" for line in stuffed)
        if partial and "remote.partial-line-sent" not in self.flaws:
            octets += partial
            if len(octets) >= _OUTPUT_BUFFER:
                yield acts.Send(octets[: len(octets) // _OUTPUT_BUFFER * _OUTPUT_BUFFER])
            yield acts.Close()
            self.delivery.end(b"DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n")
        if partial:
            octets += partial + b"\r\n"
        if "remote.eighth-bit-cleared" in self.flaws:
            octets = bytes(octet & 0x7F for octet in octets)
        self._critical = True
        yield acts.Send(octets + b".\r\n")


def visible(octets: bytes) -> bytes:
    """Octets for a report: what is not visible is a question mark."""
    return bytes(octet if 33 <= octet <= 126 else 0x3F for octet in octets)
