"""Addresses and parameters of MAIL and RCPT, as qmail-smtpd reads them."""

from __future__ import annotations

import re
from typing import FrozenSet, List, Optional, Sequence, Tuple

from conformance.reference.octets import bracketed, split_address


def parse_address(
    argument: bytes, local_ip_host: Optional[bytes], own_addresses: Sequence[str], flaws: FrozenSet[str]
) -> bytes:
    """The address in `FROM:<…>` or `TO:<…>`: without quotes, source route and what follows it.

    `box@[own address]` becomes `box@local_ip_host`. Never fails: rubbish gives a rubbish address.
    """
    start = argument.find(b"<")
    end = b">"
    if start >= 0:
        argument = argument[start + 1 :]
    else:
        end = b" "
        argument = argument.partition(b":")[2].lstrip(b" ")
    if argument.startswith(b"@") and "smtpd.source-route-kept" not in flaws:
        argument = argument.partition(b":")[2]
    address = bytearray()
    escaped = quoted = False
    for octet in argument:
        if escaped:
            address.append(octet)
            escaped = False
        elif not quoted and octet == end[0]:
            break
        elif octet == ord("\\"):
            escaped = True
        elif octet == ord('"') and "smtpd.quotes-kept" not in flaws:
            quoted = not quoted
        else:
            address.append(octet)
    box, host = split_address(bytes(address))
    if local_ip_host is None or host is None or "smtpd.localiphost-ignored" in flaws:
        return bytes(address)
    return box + b"@" + local_ip_host if bracketed(host) in own_addresses else bytes(address)


def relays(address: bytes, flaws: FrozenSet[str]) -> bool:
    """Whether the local part holds a relay character: `%`, `!` or a further `@` (patch 0007)."""
    if "0007.null-refused" in flaws and not address:
        return True
    box, host = split_address(address)
    if "0007.domain-screened" in flaws:
        box += (host or b"").replace(b"@", b"")
    characters = b"%!@"
    if "0007.bang-forgotten" in flaws:
        characters = b"%@"
    if "0007.at-forgotten" in flaws:
        characters = b"%!"
    if "0007.percent-forgotten" in flaws:
        characters = b"!@"
    if "0007.plus-refused" in flaws:
        characters = b"%!@+"
    if "0007.first-octet" in flaws:
        box = box[1:]
    return any(octet in characters for octet in box)


def parse_parameters(argument: bytes) -> List[Tuple[bytes, bytes]]:
    """What follows the address of MAIL: `(NAME, value)`, names in upper case."""
    after = argument.rpartition(b">")[2] if b">" in argument else b""
    pairs = [word.partition(b"=") for word in after.split()]
    return [(name.upper(), value) for name, _, value in pairs]


def xtext_decoded(value: bytes) -> bytes:
    """xtext (RFC 3461 4) as the octets that it stands for."""
    return re.sub(rb"\+([0-9A-F]{2})", lambda found: bytes([int(found.group(1), 16)]), value)


def xtext(value: bytes) -> bytes:
    """Octets as xtext: `+`, `=` and what is not a visible character as `+` and two hexadecimal digits."""
    plain = (octet for octet in range(33, 127) if octet not in b"+=")
    table = {octet: bytes([octet]) for octet in plain}
    return b"".join(table.get(octet, b"+%02X" % octet) for octet in value)
