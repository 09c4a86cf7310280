"""What the zones of a world answer to a name and a type, and how dnslib encodes that."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dnslib import CLASS, QTYPE, DNSBuffer, DNSLabel
from dnslib.dns import RCODE, RR

from conformance.errors import UsageError
from conformance.internet.zones import Zone, below, spelled

#: A compression pointer has 14 bits, so no name beyond this offset can be pointed at (RFC 1035 4.1.4).
_FARTHEST_POINTER = 0x3FFF

_QR, _AA, _TC = 0x8000, 0x0400, 0x0200


@dataclass(frozen=True)
class AnswerSections:
    """The sections of an answer, as dnslib `RR` records: the alias records first, then those asked for."""

    rcode: int
    owner: Any  #: dnslib name that `records` belong to: the one asked for, or where its aliases lead
    chain: list[Any] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    authority: list[Any] = field(default_factory=list)


class Records:
    """The records of all zones of a world. Names are in lower case, without the final dot."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._origins: list[str] = []
        self._nodes: dict[str, list[Any]] = {}
        for zone in zones:
            self._origins.append(zone.origin)
            for record in zone.records:
                self._add(record, zone.origin)
        self._origins.sort(key=len, reverse=True)

    def _add(self, record: Any, origin: str) -> None:
        name = spelled(record.rname).lower()
        self._nodes.setdefault(name, []).append(record)
        while name != origin:
            name = _parent(name)
            self._nodes.setdefault(name, [])  # it exists, for something stands below it (RFC 4592 2.2.2)

    def zone_of(self, name: str) -> str | None:
        """Origin of the closest zone that `name` belongs to; None when the world has none.

        The root ("") is in every world, without records unless a zone has some.
        """
        return next((origin for origin in self._origins if below(name, origin)), None if name else "")

    def answer(self, name: str, qtype: int) -> bytes:
        """What `look_up` finds as a whole message."""
        found = self.look_up(name, qtype)
        return encode(name, qtype, found.rcode, [*found.chain, *found.records], found.authority)

    def look_up(self, name: str, qtype: int) -> AnswerSections:
        """The authoritative answer to a question for a name that has a zone.

        An alias is followed through all zones, except for CNAME and ANY; an alias that leads out of the
        world, or in a circle, ends with its last CNAME record.
        """
        owner = label(name)
        chain: list[Any] = []
        seen = {name}
        while (origin := self.zone_of(name)) is not None:
            node = self._node(name, origin)
            if node is None:
                return AnswerSections(RCODE.NXDOMAIN, owner, chain, [], self._authority(origin))
            records = [record for record in node if qtype in (record.rtype, QTYPE.ANY)]
            alias = next((record for record in node if record.rtype == QTYPE.CNAME), None)
            if records or alias is None:
                records = [_owned(record, owner) for record in records]
                authority = [] if records else self._authority(origin)
                return AnswerSections(RCODE.NOERROR, owner, chain, records, authority)
            chain.append(_owned(alias, owner))
            # As the alias spells it, so that the owner of what follows can point at it.
            owner = alias.rdata.label
            name = spelled(owner).lower()
            if name in seen:
                break
            seen.add(name)
        return AnswerSections(RCODE.NOERROR, owner, chain)

    def _node(self, name: str, origin: str) -> list[Any] | None:
        """Records at `name`, a wildcard's if one covers it; [] when it exists without any, None otherwise."""
        if name in self._nodes:
            return self._nodes[name]
        encloser = name
        while encloser != origin:
            encloser = _parent(encloser)
            if encloser in self._nodes or encloser == origin:
                return self._nodes.get(f"*.{encloser}" if encloser else "*")
        return []  # the origin of a zone exists even when nothing stands at it

    def _authority(self, origin: str) -> list[Any]:
        return [record for record in self._nodes.get(origin, []) if record.rtype == QTYPE.SOA]


def qtype_of(name: str) -> int:
    """The number of a type: of `MX`, `TYPE65280`. UsageError for what is none."""
    try:
        return int(getattr(QTYPE, name.upper()))
    except Exception as error:  # dnslib raises one of its own
        raise UsageError(f"unknown record type {name!r} in a padding or fault") from error


def label(name: str) -> Any:
    """A dnslib name from text with one character per octet."""
    return DNSLabel([part.encode("latin-1") for part in name.split(".")] if name else [])


def encode(
    name: str,
    qtype: int,
    rcode: int,
    answer: Sequence[Any] = (),
    authority: Sequence[Any] = (),
    additional: Sequence[Any] = (),
    truncated: bool = False,
) -> bytes:
    """A whole response message with the id 0, RD clear, and the question's name in lower case.

    A section holds dnslib records.
    """
    sections = (answer, authority, additional)
    flags = _QR | rcode | truncated * _TC | (rcode in (RCODE.NOERROR, RCODE.NXDOMAIN)) * _AA
    buffer = _Buffer()
    buffer.append(struct.pack("!HHHHHH", 0, flags, 1, *map(len, sections)))
    buffer.encode_name(label(name))
    buffer.append(struct.pack("!HH", qtype, CLASS.IN))
    for section in sections:
        for record in section:
            record.pack(buffer)
    return bytes(buffer.data)


def _owned(record: Any, owner: Any) -> Any:
    return RR(owner, record.rtype, record.rclass, record.ttl, record.rdata)


def _parent(name: str) -> str:
    return name.partition(".")[2]


class _Buffer(DNSBuffer):  # type: ignore[misc]
    """dnslib's buffer, which by itself would point at names that no pointer reaches."""

    def encode_name(self, name: Any) -> None:
        super().encode_name(name)
        while self.names and next(reversed(self.names.values())) > _FARTHEST_POINTER:
            self.names.popitem()
