"""DNS messages as the C library writes and reads them: just enough for a stub resolver (RFC 1035 4)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple

A, CNAME, MX, OPT, ANY = 1, 5, 15, 41, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
HEADER_SIZE = 12
_QUESTION_SIZE = 4
_LONGEST_NAME = 255
_SPECIAL = re.compile(rb'[".;\\()@$]')
_INVISIBLE = re.compile(rb"[^!-~]")
#: A dot between labels, an octet of one (by number, escaped, as it is), or a backslash that escapes nothing.
_PRESENTED = re.compile(rb"(\.)|\\([0-9]{3})|\\([^0-9])|([^\\])|(\\)", re.DOTALL)


class Malformed(Exception):
    """Octets that cannot be read as what they should be."""


def encode_name(name: bytes) -> bytes:
    """A name in presentation form as labels (RFC 1035 3.1). Raises Malformed for what is too long (2.3.4)."""
    labels: List[bytearray] = [bytearray()]
    for dot, number, escaped, octet, wrong in _PRESENTED.findall(name):
        if wrong or int(number or 0) > 0xFF:
            raise Malformed("escape")
        if dot:
            labels.append(bytearray())
        else:
            labels[-1] += bytes([int(number)]) if number else escaped or octet
    if not labels[-1]:
        labels.pop()
    if name == b".":  # the root
        labels = []
    if any(not label or len(label) > 63 for label in labels):
        raise Malformed("label")
    wire = b"".join(bytes([len(label)]) + bytes(label) for label in labels) + b"\0"
    if len(wire) > _LONGEST_NAME:
        raise Malformed("name")
    return wire


def expand_name(message: bytes, end: int, start: int) -> Tuple[bytes, int]:
    """The name at `start` in presentation form, and the octets it takes there. Raises Malformed.

    Nothing at or beyond `end` is read; compression pointers (RFC 1035 4.1.4) may point anywhere before it.
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
    """A label in presentation form: `\\` before what means something in a zone file (RFC 1035 5.1)."""
    escaped = _SPECIAL.sub(rb"\\\g<0>", label)
    return _INVISIBLE.sub(lambda found: b"\\%03d" % ord(found.group()), escaped)


def question(number: int, name: bytes, kind: int, edns_size: Optional[int] = None) -> bytes:
    """A recursive question; `edns_size` is advertised by an OPT record (RFC 6891 6.1). Raises Malformed."""
    message = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0 if edns_size is None else 1)
    message += encode_name(name) + struct.pack(">HH", kind, 1)
    if edns_size is not None:
        message += b"\0" + struct.pack(">HHIH", OPT, edns_size, 0, 0)
    return message


@dataclass(frozen=True)
class MessageHeader:
    """The twelve octets that every message starts with (RFC 1035 4.1.1)."""

    number: int
    authoritative: bool
    truncated: bool
    recursion_available: bool
    rcode: int
    questions: int
    answers: int
    additional: int

    @classmethod
    def read(cls, message: bytes) -> MessageHeader:
        """Of at least twelve octets."""
        number, flags, questions, answers, _, additional = struct.unpack(">HHHHHH", message[:HEADER_SIZE])
        authoritative, truncated, available = (bool(flags & bit) for bit in (0x0400, 0x0200, 0x0080))
        return cls(number, authoritative, truncated, available, flags & 15, questions, answers, additional)


def same_question(asked: bytes, answer: bytes) -> bool:
    """Whether `answer` repeats the question of `asked`; a name that cannot be read passes, as in glibc.

    `answer` is the whole buffer that it was read into: glibc reads on to the end of that.
    """
    if MessageHeader.read(answer).questions != 1:
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
