"""Small readings that many parts share: numbers, addresses in dotted form, dates, safe text."""

import re
import time
from typing import Optional, Tuple

_NUMBER = re.compile(rb"[0-9]+")
_DOTTED = re.compile(rb"([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)")


def leading_number(octets: bytes) -> Optional[int]:
    """The decimal number at the start, or None."""
    found = _NUMBER.match(octets)
    return int(found.group()) if found else None


def dotted(octets: bytes) -> Optional[str]:
    """`d.d.d.d` as an address, or None; each number counts modulo 256, as ever."""
    found = _DOTTED.fullmatch(octets)
    return ".".join(str(int(number) % 256) for number in found.groups()) if found else None


def bracketed(octets: bytes) -> Optional[str]:
    """`[d.d.d.d]` as an address, or None."""
    return dotted(octets[1:-1]) if octets[:1] == b"[" and octets[-1:] == b"]" else None


def date(when: float) -> str:
    """`26 Sep 1995 04:46:53 -0000`."""
    parts = time.gmtime(when)
    return f"{parts.tm_mday} {time.strftime('%b %Y %H:%M:%S', parts)} -0000"


def showing(octets: bytes, other: bytes) -> bytes:
    """A table for `bytes.translate` that keeps these octets, and has `other` in the place of all others."""
    return bytes(octet if octet in octets else other[0] for octet in range(256))


def split_address(address: bytes) -> Tuple[bytes, Optional[bytes]]:
    """The box and the host around the last `@`; host None without one."""
    box, at, host = address.rpartition(b"@")
    return (box, host) if at else (address, None)


#: The octets of printable ASCII that leave a mark on paper.
VISIBLE = bytes(range(33, 127))
_PLAIN = frozenset(b"!#$%&'*+-./0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~")


def quote_box(box: bytes) -> bytes:
    """The local part as RFC 821 writes it, quoted only where it must be."""
    plain = box and all(octet in _PLAIN for octet in box)
    if plain and box[:1] != b"." and box[-1:] != b"." and b".." not in box:
        return box
    return b'"' + re.sub(rb'([\r\n"\\])', rb"\\\1", box) + b'"'


def quote_address(address: bytes) -> bytes:
    """An address with its local part quoted where it must be; the empty one stays empty."""
    box, host = split_address(address)
    if not address:
        return b""
    return quote_box(box) if host is None else quote_box(box) + b"@" + host
