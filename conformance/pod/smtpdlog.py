"""What qmail-smtpd's log tells (patch 0001), as facts: a pure function of its lines.

Addresses and names stand here as logged: a line feed is `/`, a delimiter or an unprintable octet `_`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PREFIX = re.compile(r"qmail-smtpd: pid (\d+) from (\S+|\(not yet set\)): (.*)", re.DOTALL)

_SHAPES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in {
        "session": r"New session",
        "hello": r"Received (?P<verb>HELO|EHLO) (?P<name>[^:<>]*)",
        "sender": r"Sender <(?P<address>[^:<>]*)>",
        "recipient": r"Recipient <(?P<address>[^:<>]*)>",
        "not-allowed": r"Recipient domain not in rcpthosts <(?P<address>[^:<>]*)>",
        "bad-sender": r"Sender address in badmailfrom",
        "too-long": r"(?P<verb>MAIL|RCPT) with too long address \((?P<octets>\d+) bytes\) given",
        "relay-characters": r"Rejecting attempt to use relay characters",
        "mail-first": r"Attempted RCPT or DATA before MAIL",
        "rcpt-first": r"Attempted DATA before RCPT",
        "unknown": r"(Unimplemented|Unrecognized) command",
        "noop": r"NOOP",
        "vrfy": r"VRFY requested",
        "reset": r"Session RSET",
        "accepted": r"Message accepted, qp (?P<qp>\d+)"
        r" \((?P<recipients>\d+) recipients, (?P<octets>\d+) bytes\)",
        "rejected": r"Message rejected \((?P<code>\d{3}) (?P<text>[^:<>]*)\)",
        "too-large": r"Exceeded DATABYTES limit",
        "looping": r"Exceeded hop count",
        "unverified": r"Unverified mailbox at RCPT time",
        "unverified-at-data": r"Unverified mailbox\(es\) at DATA time",
        "not-validated": r"Recipient could not be externally validated",
        "auth": r"auth - (?P<text>[^:<>]*)",
        "end": r"(?P<text>[^:<>]*): quitting",
    }.items()
)


@dataclass(frozen=True)
class Decision:
    """One line: whose it is, its kind (a key above; `other` for none of them) and its fields."""

    pid: int
    client: str
    kind: str
    fields: dict[str, str]
    text: str  #: behind process id and address


def read_smtpd_line(line: str) -> Decision | None:
    """What one line says; None where it is none of qmail-smtpd's."""
    found = _PREFIX.fullmatch(line)
    if found is None:
        return None
    pid, client, text = int(found[1]), found[2], found[3]
    for kind, shape in _SHAPES:
        if said := shape.fullmatch(text):
            return Decision(pid, client, kind, said.groupdict(), text)
    return Decision(pid, client, "other", {}, text)


def read_smtpd_log(lines: Iterable[str]) -> list[Decision]:
    """The decisions of all sessions, in order; lines of other programs among them are passed over."""
    return [decision for line in lines if (decision := read_smtpd_line(line)) is not None]
