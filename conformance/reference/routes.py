"""Where qmail-remote sends a message and as whom: smtproutes, and authsenders of patch 0008."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from conformance.reference.build import Build
from conformance.reference.control import ControlFiles, suffixes
from conformance.reference.octets import leading_number

SMTP_PORT = 25


@dataclass(frozen=True)
class Route:
    """`relay` None: the host's own exchangers. Without `user` and `password` nobody authenticates."""

    relay: Optional[bytes] = None
    port: int = SMTP_PORT
    user: bytes = b""
    password: bytes = b""


class Routes:
    """The control files that say how a message goes out (qmail-remote(8), CONTROL FILES)."""

    def __init__(self, build: Build, control: ControlFiles) -> None:
        self.control = control
        self.authenticates = build.carries("0008")
        self.sender_lines = (control.lines("authsenders") or []) if self.authenticates else []

    def choose(self, host: bytes, sender: bytes) -> Route:
        """The route for a message from `sender` to `host`: authsenders goes before smtproutes (0008)."""
        entry = self.sender_entry(sender) if self.sender_lines else b""
        if entry:
            return self.sender_route(entry)
        entry = self.host_entry(host)
        return self.host_route(entry) if entry else Route()

    def host_entry(self, host: bytes) -> bytes:
        """What smtproutes has for the host or, as `.domain`, for the nearest domain that it is in."""
        routes = self.control.pairs("smtproutes")
        return next((routes[key] for key in suffixes(host.lower()) if key in routes), b"")

    def host_route(self, entry: bytes) -> Route:
        """An entry `relay:port` of smtproutes (qmail-remote(8)), with 0008 `relay:port|user|password`."""
        user = password = b""
        if self.authenticates:
            entry, user, password = self.credentials(entry, "smtproutes")
        relay, colon, port = entry.partition(b":")
        to = self.relay(relay) if self.authenticates else relay
        return Route(to, port_number(port) if colon else SMTP_PORT, user, password)

    def credentials(self, entry: bytes, file: str) -> Tuple[bytes, bytes, bytes]:
        """(an entry of that file without them, user, password); b"" for what the line does not have."""
        return without_credentials(entry)

    def relay(self, name: bytes) -> Optional[bytes]:
        """A relay that is left out: the host's own exchangers (0008, qmail-remote(8))."""
        return name or None

    def sender_entry(self, sender: bytes) -> bytes:
        """What authsenders has for the sender, the most particular line (0008, qmail-remote(8)); or b""."""
        entries = self.sender_entries()
        return next((entries[key] for key in self.sender_keys(sender) if key in entries), b"")

    def sender_keys(self, sender: bytes) -> Tuple[bytes, ...]:
        """The lines for a sender: the address, `@domain`, `.subdomain`, and the empty one for everybody."""
        return suffixes(sender.lower(), b".@")

    def sender_entries(self) -> Dict[bytes, bytes]:
        """Lines `sender:relay:port|user|password` by sender, in lower case; the last of a sender's wins.

        The relay and the port with their colons may be left out (0008, qmail-remote(8)).
        """
        entries: Dict[bytes, bytes] = {}
        for line in self.sender_lines:
            route, bar, credentials = line.partition(b"|")
            name, _, relay = route.partition(b":")
            entries[name.lower()] = relay + bar + credentials
        return entries

    def sender_route(self, entry: bytes) -> Route:
        """An entry `relay:port|user|password` of authsenders (0008, qmail-remote(8))."""
        rest, user, password = self.credentials(entry, "authsenders")
        relay, colon, port = rest.partition(b":")
        return Route(self.relay(relay), self.sender_port(port) if colon else SMTP_PORT, user, password)

    def sender_port(self, port: bytes) -> int:
        """A port that is left out behind its colon is SMTP's (0008, qmail-remote(8))."""
        return port_number(port) if port else SMTP_PORT


def port_number(text: bytes) -> int:
    return (leading_number(text) or 0) % 65536


def without_credentials(entry: bytes) -> Tuple[bytes, bytes, bytes]:
    """An entry, and the user and password that follow it."""
    rest, _, credentials = entry.partition(b"|")
    user, _, password = credentials.partition(b"|")
    return rest, user, password
