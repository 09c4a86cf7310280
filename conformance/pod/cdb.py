"""Constant databases (cdb) as bytes: what fastforward's newaliases would have made of a table."""

import struct
from collections.abc import Iterable

_TABLES = 256


def hashed(key: bytes) -> int:
    """The hash of a key: 5381, then for each octet times 33, exclusive or the octet, in 32 bits."""
    value = 5381
    for octet in key:
        value = (value * 33 & 0xFFFFFFFF) ^ octet
    return value


def compiled(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The octets of a cdb file: 256 pointers, the records, 256 hash tables."""
    records = b""
    tables: list[list[tuple[int, int]]] = [[] for _ in range(_TABLES)]
    for key, value in entries:
        place = 8 * _TABLES + len(records)
        tables[hashed(key) % _TABLES].append((hashed(key), place))
        records += struct.pack("<II", len(key), len(value)) + key + value
    pointers = body = b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        for hash_, place in table:
            at = hash_ // _TABLES % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (hash_, place)
        pointers += struct.pack("<II", 8 * _TABLES + len(records) + len(body), len(slots))
        body += b"".join(struct.pack("<II", *slot) for slot in slots)
    return pointers + records + body


def aliases(addresses: Iterable[str]) -> bytes:
    """fastforward's aliases.cdb for these keys, each to root: `a@b.example`, `@b.example` or `a@`."""
    keys = [address.lower().encode("latin-1") for address in addresses]
    return compiled((b":" + key, b"\0root\0") for key in keys)
