"""A world's zones as files that named or nsd load, with paddings written out; and its faults in words."""

import re
from dataclasses import replace
from typing import Any

from dnslib import QTYPE, DNSRecord

from conformance.internet.nameserver import NameServer
from conformance.internet.zones import Zone, below, parse_zone, spelled
from conformance.pod.world import Fault, Padding, World
from conformance.reproduce.answersfile import question


def zone_files(world: World) -> dict[str, str]:
    """File name -> text, one for each zone of the world; the file is named after the zone that it makes.

    No name server takes an alias beside SOA and NS. A zone whose own name is an alias becomes part of a file
    for the zone above it, which all such zones share.
    """
    zones = [parse_zone(text, f"zone {number} of the world") for number, text in enumerate(world.zones, 1)]
    blocks: dict[str, list[str]] = {}
    for zone, original in zip(zones, world.zones, strict=True):
        origin = zone.origin.partition(".")[2] if _is_alias(zone) else zone.origin
        block = blocks.setdefault(origin, [])
        if not block:
            dotted = f"{origin}." if origin else "."
            lines = [f"$ORIGIN {dotted}", "$TTL 300"]
            if missing := _apex(origin, zone):
                lines += ["; What a name server wants beside the records:", *missing]
            block.append("\n".join(lines))
        block.append(original.strip("\n"))
        for padding in world.paddings:
            block += _written_out(world, padding, zone, zones)
    return {
        re.sub(r"[^A-Za-z0-9._-]", "-", f"{origin or 'root'}.zone"): "\n\n".join(block) + "\n"
        for origin, block in blocks.items()
    }


def _is_alias(zone: Zone) -> bool:
    return any(record.rtype == QTYPE.CNAME for record in _at_apex(zone))


def _at_apex(zone: Zone) -> list[Any]:
    return [record for record in zone.records if spelled(record.rname).lower() == zone.origin]


def _apex(origin: str, zone: Zone) -> list[str]:
    """The SOA and NS records that a zone of this name lacks, written so that they can stand anywhere."""
    types = {record.rtype for record in _at_apex(zone)} if origin == zone.origin else set()
    dotted = f"{origin}." if origin else "."
    below_it = f".{origin}." if origin else "."
    lines = []
    if QTYPE.SOA not in types:
        names = f"ns-of-zone{below_it} hostmaster{below_it}"
        lines.append(f"{dotted} 300 IN SOA {names} 1 3600 600 86400 60")
    if QTYPE.NS not in types:
        lines += [f"{dotted} 300 IN NS ns-of-zone{below_it}", f"ns-of-zone{below_it} 300 IN A 127.0.0.1"]
    return lines


def _written_out(world: World, padding: Padding, zone: Zone, zones: list[Zone]) -> list[str]:
    """The fillers of a padding whose owner stands in this zone."""
    plain = NameServer(replace(world, faults=[], latency=0.0))
    octets = plain.answer(question(padding.name, padding.type), "tcp", 0.0).octets
    assert octets is not None
    found = DNSRecord.parse(octets)
    known = {(record.rtype, str(record.rdata)) for each in zones for record in each.records}
    records: list[Any] = [
        record
        for record in found.rr
        if (record.rtype, str(record.rdata)) not in known
        and below(spelled(record.rname).lower(), zone.origin)
    ]
    above = [
        each.origin for each in zones if records and below(spelled(records[0].rname).lower(), each.origin)
    ]
    if zone.origin != max(above, key=len, default=None):
        return []
    what = f"{padding.name} {padding.type}"
    head = f"; {len(records)} fillers: the answer to {what} has {padding.octets} octets"
    if found.ar:
        head += ",\n; of which a TXT record in the additional section that no zone can say makes up the rest"
    return [head + "\n" + "\n".join(record.toZone() for record in records)]


def fault_words(fault: Fault) -> str:
    """One fault in words, as one sentence without its full stop."""
    about = "any name" if fault.name == "*" else fault.name
    kind = "any question" if fault.type == "*" else f"a question for {fault.type}"
    over = "" if fault.over == "*" else f" over {fault.over.upper()}"
    often = "" if fault.times is None else f", the first {fault.times} times"
    does = {
        "drop": "gets no answer at all",
        "delay": f"is answered {fault.seconds:g} s late",
        "rcode": f"gets an empty answer with {fault.rcode}",
        "truncate": "gets an empty answer with the TC bit",
        "untruncated": "gets the whole answer over UDP, without the TC bit",
        "hinfo": "gets one synthetic HINFO record (RFC 8482)",
        "cut": f"gets the first {fault.length} octets of the right answer",
        "patch": f"gets the right answer with {len(fault.octets)} octets written over offset {fault.offset}",
        "raw": f"gets {len(fault.octets)} octets of something else after the id",
        "close": f"over TCP sees the connection closed after {fault.length} octets",
        "stall": f"over TCP gets {fault.length} octets and then silence",
    }[fault.action]
    return f"{kind} about {about}{over} {does}{often}"
