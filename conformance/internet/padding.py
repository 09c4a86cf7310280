"""Answers filled up to an exact number of octets, with records that do no harm."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dnslib import CLASS, QTYPE
from dnslib.dns import RR, TXT

from conformance.errors import UsageError
from conformance.internet.answers import Answer, encode, label
from conformance.pod.world import Padding

_TTL = 300

#: Owner (a pointer), type, class, TTL, length of the data.
_FIXED = 12
#: The least octets of the TXT record that closes a gap: owner is the root, data one empty string.
_LEAST_REST = 12

#: Up to this size fillers are short, so that many of them start beyond octet 512.
_SMALL = 2048


@dataclass(frozen=True)
class _Kind:
    """A kind of filler: how many octets a record can take, and how to make the `index`-th of `size`, that is
    what follows its owner.
    """

    least: int
    most: int
    make: Callable[[int, int], bytes]


def padded(padding: Padding, name: str, qtype: int, answer: Answer) -> bytes:
    """The answer to `name`/`qtype` with fillers, encoded, exactly `padding.octets` long.

    Raises UsageError when the size cannot be reached.
    """
    message = encode(name, qtype, answer.rcode, [*answer.chain, *answer.records])
    least = len(message) + _LEAST_REST
    kind = _kind(qtype, answer, padding.octets <= _SMALL)
    gap = padding.octets - len(message)
    # The own records may lose a few pointers when they stand behind many fillers, so the gap is met by steps.
    for _ in range(4):
        if len(message) == padding.octets:
            return message
        if gap < _LEAST_REST or padding.octets > 65535:
            break
        fillers, rest = _fill(gap, kind)
        place = {"first": 0, "middle": len(fillers) // 2, "last": len(fillers)}[padding.needed]
        before, behind = _Fillers(answer.owner, fillers[:place]), _Fillers(answer.owner, fillers[place:])
        records = [*answer.chain, before, *answer.records, behind]
        message = encode(name, qtype, answer.rcode, records, (), rest)
        gap += padding.octets - len(message)
    raise UsageError(
        f"padding: the answer to {padding.name} {padding.type} cannot be {padding.octets} octets long",
        f"without fillers it has {least - _LEAST_REST}; possible are {least} to 65535",
    )


def _fill(gap: int, kind: _Kind) -> tuple[list[bytes], list[Any]]:
    """Fillers, and a TXT record for the additional section if needed, of `gap` octets together."""
    count = -(-gap // kind.most)
    if count * kind.least <= gap:
        size, longer = divmod(gap, count)
        return [kind.make(index, size + (index < longer)) for index in range(count)], []
    count = (gap - _LEAST_REST) // kind.least
    rest = RR(label(""), QTYPE.TXT, CLASS.IN, _TTL, TXT(b"x" * (gap - count * kind.least - _LEAST_REST)))
    return [kind.make(index, kind.least) for index in range(count)], [rest]


def _kind(qtype: int, answer: Answer, small: bool) -> _Kind:
    if qtype == QTYPE.MX:
        return _exchangers(answer, small)
    if qtype == QTYPE.A:
        head = _head(QTYPE.A, 4)
        return _Kind(_FIXED + 4, _FIXED + 4, lambda index, _: head + _address(index))
    most = 40 if small else _FIXED + 1 + 255
    fixed = _FIXED + 1  # the length of the string

    def make(_: int, size: int) -> bytes:
        return _head(QTYPE.TXT, size - _FIXED) + bytes([size - fixed]) + b"x" * (size - fixed)

    return _Kind(fixed, most, make)


def _exchangers(answer: Answer, small: bool) -> _Kind:
    """MX records of a worse preference, whose exchanges are addresses where nothing listens.

    qmail takes an address in the place of a name as it stands. A name's address it would ask for, a question
    for each filler, which is neither what a padding is for nor cheap. Zeros before the digits fill it up.
    """
    own = [record.rdata.preference for record in answer.records if record.rtype == QTYPE.MX]
    lead = min(65535, max(own, default=0) + 1).to_bytes(2, "big")
    fixed = _FIXED + len(lead) + 4 + 1  # the preference, the lengths of four labels, the root

    def make(index: int, size: int) -> bytes:
        digits, longer = divmod(size - fixed, 4)
        labels = [
            b"%0*d" % (digits + (place < longer), number) for place, number in enumerate(_address(index))
        ]
        exchange = b"".join([bytes([len(one)]) + one for one in labels])
        return _head(QTYPE.MX, size - _FIXED) + lead + exchange + b"\0"

    return _Kind(fixed + 4 * 3, fixed + (4 * 5 if small else 4 * 60), make)


def _address(index: int) -> bytes:
    """Loopback addresses that no exchanger uses."""
    return bytes([127, 127, 1 + index // 250, 1 + index % 250])


def _head(rtype: int, length: int) -> bytes:
    """What stands between a filler's owner and its data of so many octets."""
    return struct.pack("!HHIH", rtype, CLASS.IN, _TTL, length)


class _Fillers:
    """Records that pack themselves, all at once: a thousand by way of dnslib's records take 30 ms.

    The message holds `owner` already.
    """

    def __init__(self, owner: Any, fillers: list[bytes]) -> None:
        self._owner = owner
        self._fillers = fillers
        self.count = len(fillers)

    def pack(self, buffer: Any) -> None:
        if self._fillers:
            pointer = _pointer(self._owner, buffer)
            buffer.append(b"".join([part for filler in self._fillers for part in (pointer, filler)]))


def _pointer(name: Any, buffer: Any) -> bytes:
    """What stands for a name that stands in the message already; the root needs no pointer."""
    if not name.label:
        return b"\0"
    return bytes((0xC000 | buffer.names[name.label]).to_bytes(2, "big"))
