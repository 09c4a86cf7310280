"""DNS messages as the C library writes and reads them: just enough for a stub resolver (RFC 1035 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple

A, CNAME, MX, OPT, ANY = 1, 5, 15, 41, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
HEADER_SIZE = 12
_QUESTION_SIZE = 4
_LONGEST_NAME = 255
_SPECIAL = b'".;\\()@$'


class Malformed(Exception):
    """Octets that cannot be read as what they should be."""


def encode_name(name: bytes) -> bytes:
    """A name in presentation form as labels. Raises Malformed for a label or a name that is too long."""
    labels: List[bytearray] = [bytearray()]
    at = 0
    while at < len(name):
        octet = name[at : at + 1]
        if octet == b"\\" and name[at + 1 : at + 4].isdigit() and len(name[at + 1 : at + 4]) == 3:
            labels[-1].append(int(name[at + 1 : at + 4]) & 0xFF)
            at += 4
            continue
        if octet == b"\\" and at + 1 < len(name):
            labels[-1] += name[at + 1 : at + 2]
            at += 2
            continue
        if octet == b".":
            labels.append(bytearray())
        else:
            labels[-1] += octet
        at += 1
    if labels and not labels[-1]:
        labels.pop()
    if any(not label or len(label) > 63 for label in labels):
        raise Malformed("label")
    wire = b"".join(bytes([len(label)]) + bytes(label) for label in labels) + b"\0"
    if len(wire) > _LONGEST_NAME:
        raise Malformed("name")
    return wire


def expand_name(message: bytes, end: int, start: int) -> Tuple[bytes, int]:
    """The name at `start` in presentation form, and the octets it takes there. Raises Malformed.

    Nothing at or beyond `end` is read; compression pointers may point anywhere before it.
    """
    if not 0 <= start < end:
        raise Malformed("beyond the end")
    labels: List[bytes] = []
    length = 1
    taken: Optional[int] = None
    checked = 0
    at = start
    while True:
        if at >= end:
            raise Malformed("runs beyond the end")
        size = message[at]
        if size == 0:
            at += 1
            break
        if size & 0xC0 == 0xC0:
            if at + 1 >= end:
                raise Malformed("half a pointer")
            if taken is None:
                taken = at + 2 - start
            at = (size & 0x3F) << 8 | message[at + 1]
            checked += 2
            if at >= end or checked >= end:
                raise Malformed("pointer")
            continue
        if size & 0xC0:
            raise Malformed("label type")
        length += size + 1
        checked += size + 1
        if length > _LONGEST_NAME or at + 1 + size >= end:
            raise Malformed("label")
        labels.append(_presented(message[at + 1 : at + 1 + size]))
        at += 1 + size
    return b".".join(labels), at - start if taken is None else taken


def _presented(label: bytes) -> bytes:
    shown = bytearray()
    for octet in label:
        if octet in _SPECIAL:
            shown += b"\\" + bytes([octet])
        elif 32 < octet < 127:
            shown.append(octet)
        else:
            shown += b"\\%03d" % octet
    return bytes(shown)


def question(number: int, name: bytes, kind: int, edns_size: Optional[int] = None) -> bytes:
    """A recursive question; `edns_size` is advertised by an OPT record. Raises Malformed."""
    message = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0 if edns_size is None else 1)
    message += encode_name(name) + struct.pack(">HH", kind, 1)
    if edns_size is not None:
        message += b"\0" + struct.pack(">HHIH", OPT, edns_size, 0, 0)
    return message


@dataclass(frozen=True)
class Header:
    """The twelve octets that every message starts with."""

    number: int
    authoritative: bool
    truncated: bool
    recursion_available: bool
    rcode: int
    questions: int
    answers: int
    additional: int

    @classmethod
    def read(cls, message: bytes) -> Header:
        """Of at least twelve octets."""
        number, flags, questions, answers, _, additional = struct.unpack(">HHHHHH", message[:HEADER_SIZE])
        return cls(
            number,
            bool(flags & 0x0400),
            bool(flags & 0x0200),
            bool(flags & 0x0080),
            flags & 15,
            questions,
            answers,
            additional,
        )


def same_question(asked: bytes, answer: bytes) -> bool:
    """Whether `answer` repeats the question of `asked`; a name that cannot be read passes, as in glibc."""
    if Header.read(answer).questions != 1:
        return False
    try:
        asked_name, taken = expand_name(asked, len(asked), HEADER_SIZE)
        name, taken_there = expand_name(answer, len(answer), HEADER_SIZE)
    except Malformed:
        return True
    after, after_there = HEADER_SIZE + taken, HEADER_SIZE + taken_there
    if asked_name.lower() != name.lower():
        return False
    return asked[after : after + _QUESTION_SIZE] == answer[after_there : after_there + _QUESTION_SIZE]
