"""The patches that the package carries, by their numbers in it."""

from collections.abc import Collection
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
        Patch("base", "netqmail 1.06", "qmail-smtpd(8), qmail-remote(8), RFC 5321"),
        Patch("0001", "qmail-smtpd logs every decision", "qmail-errmsg 1.2, debian/diff/0001"),
        Patch("0002", "VERIFY, recipients are verified", "qmail-verify 1.32, debian/diff/0002"),
        Patch("0003", "VERIFY knows fastforward's aliases", "debian/diff/0003"),
        Patch("0004", "no CNAME lookup before delivery", "remove-cname-lookup"),
        Patch("0005", "DNS answers larger than 512 octets", "oversize DNS packet patch, 1998"),
        Patch("0006", "unknown commands are unrecognized (500)", "smtpd-502-to-500; RFC 5321 4.2.4"),
        Patch("0007", "relay characters are refused", "smtpd-relay-reject"),
        Patch("0008", "SMTP AUTH, inbound and outbound", "qmail authentication 0.8.2; RFC 4954"),
        Patch("0009", "RCPTCHECK", "smtpd-rcptcheck"),
    )
}

BASE = "base"  #: what unpatched qmail is called among the patches

#: What Debian and Ubuntu put on netqmail: stock qmail is `base` with these.
STOCK_PATCHES: tuple[str, ...] = ("0001", "0002", "0003")

#: All that the PPA's package carries: stock's patches and six of its own.
PPA_PATCHES: tuple[str, ...] = tuple(number for number in PATCHES if number != BASE)


def claimed(listed: Collection[str]) -> tuple[str, ...]:
    """The patches that a list claims, in order. Unknown ones are left out: who reads a list refuses them.

    Stock's patches come besides, so that `0004` is stock with 0004, and nothing is stock; a list that names
    `base` or one of stock's is the whole list: `base` is netqmail itself, and `base,0004` that with 0004.
    """
    whole = not {BASE, *STOCK_PATCHES}.isdisjoint(listed)
    wanted = {*listed} if whole else {*listed, *STOCK_PATCHES}
    return tuple(number for number in PPA_PATCHES if number in wanted)


def claim_words(patches: Collection[str]) -> str:
    """The shortest list that `claimed` reads as these patches: `0004,0005`; "" for stock, `base` for none."""
    carried = [number for number in PPA_PATCHES if number in patches]
    if set(STOCK_PATCHES) <= set(carried):
        return ",".join(number for number in carried if number not in STOCK_PATCHES)
    return ",".join([BASE, *carried])
