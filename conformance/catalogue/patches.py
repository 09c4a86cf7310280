"""The patches that the package carries, by their numbers in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patch:
    """One change carried by the package; `base` stands for unpatched qmail."""

    number: str
    title: str
    source: str


PATCHES: dict[str, Patch] = {
    patch.number: patch
    for patch in (
        Patch("base", "netqmail 1.06 as Ubuntu ships it", "qmail-smtpd(8), qmail-remote(8), RFC 5321"),
        Patch("0004", "no CNAME lookup before delivery", "remove-cname-lookup"),
        Patch("0005", "DNS answers larger than 512 octets", "oversize DNS packet patch, 1998"),
        Patch("0006", "unknown commands are unrecognized (500)", "smtpd-502-to-500; RFC 5321 4.2.4"),
        Patch("0007", "relay characters are refused", "smtpd-relay-reject"),
        Patch("0008", "SMTP AUTH, inbound and outbound", "qmail authentication 0.8.2; RFC 4954"),
        Patch("0009", "RCPTCHECK", "smtpd-rcptcheck"),
    )
}

#: What the PPA adds to stock.
PPA_PATCHES: tuple[str, ...] = tuple(number for number in PATCHES if number != "base")
