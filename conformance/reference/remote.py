"""qmail-remote: one message to one host, in the order in which qmail does things.

`delivery(…)` yields acts (see `acts`) and returns the report octets as qmail-remote prints them. Stock, with
patches 0004, 0005 and 0008 as switches.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.conversation import Conversation
from conformance.reference.dialogue import Dialogue, Ended, Report
from conformance.reference.lookup import Lookup, LookupFailed, MxAddress, NameNotFound
from conformance.reference.octets import VISIBLE, quote_box, showing, split_address
from conformance.reference.routes import Route, Routes
from conformance.reference.tcpto import TimeoutTable

_VISIBLE = showing(VISIBLE, b"?")


@dataclass
class RemoteSettings:
    """One qmail-remote. `random` orders exchangers of equal preference; `number` gives ids to questions.

    `timeouts` are the hosts that timed out for this one and others; `process` is its number.
    """

    control: Dict[str, str] = field(default_factory=dict)
    build: Build = field(default_factory=Build)
    resolver: str = ""  #: the option line of resolv.conf
    own_addresses: Tuple[str, ...] = ("0.0.0.0", "127.0.0.1")
    random: int = 0
    number: Callable[[], int] = field(default=lambda: 1)
    timeouts: TimeoutTable = field(default_factory=TimeoutTable)
    process: int = 0


def delivery(
    settings: RemoteSettings, host: str, sender: str, recipients: Sequence[str], message: bytes
) -> Engine:
    """Returns the report: recipient reports `r…`, `h…`, `s…`, then `K…`, `Z…` or `D…`, each ended by NUL."""
    remote = settings.build.of(QmailRemote)(settings)
    with contextlib.suppress(Ended):
        yield from remote.run(
            host.encode("latin-1"),
            sender.encode("latin-1"),
            [recipient.encode("latin-1") for recipient in recipients],
            message,
        )
    return bytes(remote.report.octets)


class QmailRemote:
    """Finds the host's exchangers and hands the first one that answers to a `Conversation`."""

    # Reports of what cannot be known or done now (qmail-remote(8), RESULTS).
    name_unknown_now = b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n"
    nobody_answers = b"ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"

    def __init__(self, settings: RemoteSettings) -> None:
        self.settings = settings
        self.build = settings.build
        self.report = Report()
        self.control = self.build.of(ControlFiles)(settings.control)
        self.lookup = self.build.of(Lookup)(self.build, settings.resolver, settings.number)

    def helo_host(self) -> Optional[bytes]:
        """The name to say hello with: helohost, by default me (qmail-remote(8), CONTROL FILES)."""
        return self.control.line("helohost", self.control.me)

    def connect_timeout(self) -> int:
        """Seconds to wait for a connection (qmail-remote(8), timeoutconnect)."""
        return self.control.number("timeoutconnect", 60)

    def run(self, host: bytes, sender: bytes, recipients: List[bytes], message: bytes) -> Engine:
        if self.is_misused(recipients):
            self.report.end(b"DI (qmail-remote) was invoked improperly. (#5.3.5)\n")
        helo_host = self.helo_host()
        if helo_host is None:
            self.report.end(b"ZUnable to read control files. (#4.3.0)\n")
        sender = self.sender_path(sender)
        route = self.build.of(Routes)(self.build, self.control).choose(host, sender)
        if route.relay is not None:
            host = route.relay
        paths: List[bytes] = []
        aliased = True
        for recipient in recipients:
            path, alias = yield from self._recipient(recipient, route)
            paths.append(path)
            aliased = aliased and alias
        addresses: List[MxAddress] = yield from self._addresses(host, route)
        # With a relay, or with aliases alone, qmail does not look for itself among the exchangers.
        if self.looks_for_itself(route, aliased):
            addresses = self.better_than_this_host(addresses)
        timeout = float(self.control.number("timeoutremote", 1200))
        left = self.attempts(addresses)
        while True:
            found: MxAddress = yield from self.connected(left, route)
            left = left[left.index(found) + 1 :]
            dialogue = self.build.of(Dialogue)(self.report, found.address, timeout)
            conversation = self.build.of(Conversation)(self.build, dialogue, helo_host)
            try:
                yield from conversation.run(sender, paths, message, route)
            except Ended:
                if not left or conversation.greeted or not self.goes_on():
                    raise
                self.report.octets.clear()

    def is_misused(self, recipients: List[bytes]) -> bool:
        """Whether arguments are missing (qmail-remote(8), SYNOPSIS)."""
        return not recipients

    def sender_path(self, sender: bytes) -> bytes:
        """The sender as MAIL says it."""
        box, host = split_address(sender)
        return sender if host is None else quote_box(box) + b"@" + host

    def _recipient(self, address: bytes, route: Route) -> Engine:
        """(a recipient as RCPT says it, whether its domain is an alias)."""
        asks = route.relay is None
        box, host = split_address(address)
        if host is None:
            return address, asks
        alias = False
        if asks:
            try:
                host, alias = yield from self.lookup.canonical(host)
            except LookupFailed:
                self.report.end(b"ZCNAME lookup failed temporarily. (#4.4.3)\n")
        return self.local_part(box) + b"@" + host, alias

    def local_part(self, box: bytes) -> bytes:
        """The local part of a recipient, quoted where it must be (RFC 5321 4.1.2)."""
        return quote_box(box)

    def _addresses(self, host: bytes, route: Route) -> Engine:
        """What to try, in order; at least one."""
        unknown = False
        addresses: List[MxAddress] = []
        try:
            if route.relay is None:
                addresses, unknown = yield from self.lookup.exchangers(host, self.settings.random)
            else:
                addresses = yield from self.relay_addresses(host)
        except LookupFailed:
            unknown = True
        except NameNotFound:
            self.report.end(
                b"DSorry, I couldn't find any host named " + self.harmless(host) + b". (#5.1.2)\n"
            )
        if not addresses and unknown:
            self.report.end(self.name_unknown_now)
        if not addresses:
            self.report.end(b"DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n")
        return addresses

    def looks_for_itself(self, route: Route, aliased: bool) -> bool:
        """Whether this host may stand among the exchangers."""
        return route.relay is None and not aliased

    def relay_addresses(self, relay: bytes) -> Engine:
        """Where a relay is: it is its own only exchanger (qmail-remote(8), smtproutes)."""
        return (yield from self.lookup.addresses(relay))

    def harmless(self, host: bytes) -> bytes:
        """A host's name for a report, with ? for what does not print."""
        return host.translate(_VISIBLE)

    def better_than_this_host(self, addresses: List[MxAddress]) -> List[MxAddress]:
        """Those of better preference than this host's own; mail would loop else (RFC 5321 5.1)."""
        own = [found.preference for found in addresses if found.address in self.settings.own_addresses]
        better = [found for found in addresses if not own or found.preference < min(own)]
        if not better:
            self.report.end(
                b"DSorry. Although I'm listed as a best-preference MX or A for that host,\n"
                b"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
            )
        return better

    def attempts(self, addresses: List[MxAddress]) -> List[MxAddress]:
        """Which addresses are tried until one takes a connection: all of them (RFC 5321 5.1)."""
        return addresses

    def leaves_alone(self, address: str) -> Engine:
        """Whether an address has timed out too often to be tried again now (qmail-tcpto(8))."""
        now: float = yield acts.Now()
        return self.settings.timeouts.leaves_alone(address, now, self.settings.process)

    def remember(self, address: str, failure: str, now: float) -> None:
        """What came of an attempt to connect; time-outs alone count (qmail-tcpto(8))."""
        if failure == "timeout":
            self.settings.timeouts.timed_out(address, now)
        else:
            self.settings.timeouts.answered(address)

    def goes_on(self) -> bool:
        """Whether the next address is tried after a host that takes no mail (RFC 5321 5.1)."""
        return True

    def connected(self, addresses: List[MxAddress], route: Route) -> Engine:
        """The first address that takes a connection, a `MxAddress`."""
        for found in addresses:
            if (yield from self.leaves_alone(found.address)):
                continue
            failure: str = yield acts.Connect(found.address, route.port, float(self.connect_timeout()))
            now: float = yield acts.Now()
            self.remember(found.address, failure, now)
            if not failure:
                return found
        self.report.end(self.nobody_answers)
