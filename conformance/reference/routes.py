"""Where qmail-remote sends a message and as whom: smtproutes and authsenders (patch 0008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Optional, Tuple

from conformance.reference.control import ControlFiles, suffixes
from conformance.reference.octets import leading_number

_SMTP_PORT = 25


@dataclass(frozen=True)
class Route:
    """`relay` None: the host's own exchangers. Without `user` and `password` nobody authenticates."""

    relay: Optional[bytes] = None
    port: int = _SMTP_PORT
    user: bytes = b""
    password: bytes = b""

    @property
    def credentials(self) -> bool:
        return bool(self.user) and bool(self.password)


def choose(
    control: ControlFiles, host: bytes, sender: bytes, patches: FrozenSet[str], flaws: FrozenSet[str]
) -> Route:
    """The route for a message from `sender` to `host`; a line of authsenders goes before smtproutes."""
    authenticates = "0008" in patches
    if authenticates and "0008.authsenders-ignored" not in flaws:
        entry = _sender_entry(control, sender, flaws)
        if entry and not ("0008.smtproutes-first" in flaws and _host_entry(control, host)):
            return _sender_route(entry)
    entry = _host_entry(control, host)
    if not entry or "remote.smtproutes-ignored" in flaws:
        return Route()
    user = password = b""
    if authenticates:
        entry, user, password = _without_credentials(entry)
        if not entry and not (user and password):
            return Route()
        if "0008.smtproutes-credentials-ignored" in flaws:
            user = password = b""
        if "0008.leaks-to-other-line" in flaws and not user:
            user, password = _any_credentials(control)
    relay, colon, port = entry.partition(b":")
    number = _port(port) if colon and "remote.route-port-ignored" not in flaws else _SMTP_PORT
    if authenticates and not relay:
        return Route(None, number, user, password)
    return Route(relay, number, user, password)


def _port(text: bytes) -> int:
    return (leading_number(text) or 0) % 65536


def _without_credentials(entry: bytes) -> Tuple[bytes, bytes, bytes]:
    """An entry, and the user and password that follow it."""
    rest, _, credentials = entry.partition(b"|")
    user, _, password = credentials.partition(b"|")
    return rest, user, password


def _host_entry(control: ControlFiles, host: bytes) -> bytes:
    routes = control.pairs("smtproutes")
    for suffix in suffixes(host.lower()):
        if suffix in routes:
            return routes[suffix]
    return b""


def _sender_entry(control: ControlFiles, sender: bytes, flaws: FrozenSet[str]) -> bytes:
    """What follows the sender in the line of authsenders that is for this sender; b"" when none is.

    A line is `sender:relay:port|user|password`; the relay and the port with their colons may be left out.
    """
    entries: Dict[bytes, bytes] = {}
    for line in control.lines("authsenders") or []:
        route, bar, credentials = line.partition(b"|")
        name, colon, relay = route.partition(b":")
        if not colon and "0008.short-form-ignored" in flaws:
            continue
        entries[name.lower()] = relay + bar + credentials
    tried = suffixes(sender.lower(), b".@")
    if "0008.authsenders-exact-only" in flaws:
        tried = (sender.lower(), b"")
    if "0008.authsenders-first-line" in flaws and entries:
        return next(iter(entries.values()))
    for suffix in tried:
        if suffix in entries:
            return entries[suffix]
    return b""


def _sender_route(entry: bytes) -> Route:
    rest, user, password = _without_credentials(entry)
    relay, _, port = rest.partition(b":")
    return Route(relay or None, _port(port) if port else _SMTP_PORT, user, password)


def _any_credentials(control: ControlFiles) -> Tuple[bytes, bytes]:
    for name in ("authsenders", "smtproutes"):
        for line in control.lines(name) or []:
            _, user, password = _without_credentials(line)
            if user and password:
                return user, password
    return b"", b""
