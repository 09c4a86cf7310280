"""Answers filled up to an exact number of octets, with records that do no harm."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dnslib import CLASS, QTYPE
from dnslib.dns import RD, RR

from conformance.errors import UsageError
from conformance.internet.answers import AnswerSections, encode, label
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
    """A kind of filler: its type, how many octets its data can take, and the `index`-th data of `size`."""

    qtype: int
    least: int
    most: int
    data: Callable[[int, int], bytes]


def padded(padding: Padding, name: str, qtype: int, found: AnswerSections) -> bytes:
    """The answer to `name`/`qtype` with fillers, encoded, exactly `padding.octets` long.

    Raises UsageError when the size cannot be reached.
    """
    message = encode(name, qtype, found.rcode, [*found.chain, *found.records])
    least = len(message) + _LEAST_REST
    kind = _kind(qtype, found, padding.octets <= _SMALL)
    gap = padding.octets - len(message)
    # The own records may lose a few pointers when they stand behind many fillers, so the gap is met by steps.
    for _ in range(4):
        if len(message) == padding.octets:
            return message
        if gap < _LEAST_REST or padding.octets > 65535:
            break
        sizes, rest = _sizes(gap, kind)
        fillers = [
            RR(found.owner, kind.qtype, CLASS.IN, _TTL, RD(kind.data(index, size)))
            for index, size in enumerate(sizes)
        ]
        place = {"first": 0, "middle": len(fillers) // 2, "last": len(fillers)}[padding.needed]
        records = [*found.chain, *fillers[:place], *found.records, *fillers[place:]]
        message = encode(name, qtype, found.rcode, records, (), rest)
        gap += padding.octets - len(message)
    raise UsageError(
        f"padding: the answer to {padding.name} {padding.type} cannot be {padding.octets} octets long",
        f"without fillers it has {least - _LEAST_REST}; possible are {least} to 65535",
    )


def _sizes(gap: int, kind: _Kind) -> tuple[list[int], list[Any]]:
    """Sizes of the fillers' data, and a record for the additional section if needed: `gap` octets in all."""
    least = _FIXED + kind.least
    count = -(-gap // (_FIXED + kind.most))
    if count * least <= gap:
        size, longer = divmod(gap, count)
        return [size + (index < longer) - _FIXED for index in range(count)], []
    count = (gap - _LEAST_REST) // least
    rest = _text(gap - count * least - _LEAST_REST)
    return [kind.least] * count, [RR(label(""), QTYPE.TXT, CLASS.IN, _TTL, RD(rest))]


def _kind(qtype: int, found: AnswerSections, small: bool) -> _Kind:
    if qtype == QTYPE.MX:
        return _exchangers(found, small)
    if qtype == QTYPE.A:
        return _Kind(QTYPE.A, 4, 4, lambda index, _: _address(index))
    return _Kind(QTYPE.TXT, 1, 28 if small else 256, lambda _, size: _text(size - 1))


def _exchangers(found: AnswerSections, small: bool) -> _Kind:
    """MX records of a worse preference, whose exchanges are addresses where nothing listens.

    qmail takes an address in the place of a name as it stands. A name's address it would ask for, a question
    for each filler, which is neither what a padding is for nor cheap. Zeros before the digits fill it up.
    """
    own = [record.rdata.preference for record in found.records if record.rtype == QTYPE.MX]
    preference = min(65535, max(own, default=0) + 1).to_bytes(2, "big")
    fixed = len(preference) + 4 + 1  # the lengths of four labels, the root

    def data(index: int, size: int) -> bytes:
        digits, longer = divmod(size - fixed, 4)
        numbers = enumerate(_address(index))
        labels = [b"%0*d" % (digits + (place < longer), number) for place, number in numbers]
        return preference + b"".join(bytes([len(label)]) + label for label in labels) + b"\0"

    return _Kind(QTYPE.MX, fixed + 4 * 3, fixed + (4 * 5 if small else 4 * 60), data)


def _address(index: int) -> bytes:
    """Loopback addresses that no exchanger uses."""
    return bytes([127, 127, 1 + index // 250, 1 + index % 250])


def _text(length: int) -> bytes:
    """The data of a TXT record: one string of so many octets."""
    return bytes([length]) + b"x" * length
