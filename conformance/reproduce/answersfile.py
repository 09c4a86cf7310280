"""The answers of a world's name server as a text file that a small script replays, octet by octet.

Every name of the zones is asked for the types that qmail asks for, over UDP and TCP, and so is every question
of the record; what the name server sends is written down as it is.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dnslib import RCODE

from conformance.internet.answers import qtype_of
from conformance.internet.faults import matches
from conformance.internet.nameserver import NameServer, Response
from conformance.internet.zones import parse_zone, spelled
from conformance.pod.observation import Question
from conformance.pod.world import Transport, World
from conformance.reproduce.wording import escaped

#: What qmail asks for; ANY only without patch 0004.
TYPES = ("MX", "A", "ANY")
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")

#: A name with a space or an octet that does not print would break the line into wrong fields.
_SPACE = str.maketrans({" ": "\\x20", "*": "\\x2a"})


@dataclass(frozen=True)
class AnswerLine:
    """One answer: to whom it is given, which fault makes it (None: none), and what is sent."""

    name: str
    type: str
    over: Transport
    fault: int | None
    response: Response

    def __str__(self) -> str:
        words = [escaped(self.name).translate(_SPACE), self.type, self.over]
        if self.fault is not None:
            words.append(f"fault={self.fault}")
        if self.response.delay:
            words.append(f"delay={self.response.delay:g}")
        if self.response.limit is not None:
            words.append(f"first={self.response.limit}")
        if self.response.end != "open":
            words.append(f"then={self.response.end}")
        octets = self.response.octets
        return " ".join([*words, "drop" if octets is None else octets[2:].hex()])


def answers(world: World, questions: Iterable[Question] = (), edns: int | None = None) -> str:
    """The file. `edns`: the size that the resolver offers with EDNS, None without it.

    Faults that strike a limited number of times come first, and the answer without them follows.
    """
    lines = [
        "# NAME TYPE udp|tcp [options] ANSWER: what dns.pl sends; see its first lines.",
        "# HEX is the message after its id, to a question with RD set"
        + ("." if edns is None else f" and EDNS of {edns} octets."),
    ]
    if world.tcp == "refuse":
        lines.append("tcp refuse")
    lines += [
        f"fault {number} times {fault.times}"
        for number, fault in enumerate(world.faults)
        if fault.times is not None
    ]
    lines += [str(line) for line in answer_lines(world, questions, edns)]
    lines += _everything_else(world)
    return "\n".join(lines) + "\n"


def answer_lines(
    world: World, questions: Iterable[Question] = (), edns: int | None = None
) -> Iterator[AnswerLine]:
    """An answer to each name of the zones and each question of the record."""
    plain = NameServer(replace(world, faults=[]))
    # A fault is tried alone and without its count, so that it strikes whatever was asked before.
    struck = [NameServer(replace(world, faults=[replace(fault, times=None)])) for fault in world.faults]
    for name, type, over in _asked(world, questions):
        message = question(name, type, edns)
        for number, fault in enumerate(world.faults):
            if matches(fault, name, type, over):
                response = struck[number].answer(message, over, 0.0)
                yield AnswerLine(name, type, over, None if fault.times is None else number, response)
                if fault.times is None:
                    break
        else:
            yield AnswerLine(name, type, over, None, plain.answer(message, over, 0.0))


def question(name: str, type: str, edns: int | None = None, number: int = 0) -> bytes:
    """A question as a resolver asks it, with RD and this id; with an OPT record when `edns` says a size."""
    labels = [part.encode("latin-1") for part in name.split(".")] if name else []
    owner = b"".join(bytes([len(part)]) + part for part in labels) + b"\0"
    header = struct.pack("!6H", number, 0x0100, 1, 0, 0, int(edns is not None))
    opt = b"" if edns is None else b"\0\0\x29" + edns.to_bytes(2, "big") + b"\0" * 6
    return header + owner + qtype_of(type).to_bytes(2, "big") + b"\0\x01" + opt


def _asked(world: World, questions: Iterable[Question]) -> list[tuple[str, str, Transport]]:
    names: dict[str, None] = {}
    for number, text in enumerate(world.zones, 1):
        zone = parse_zone(text, f"zone {number} of the world")
        names |= dict.fromkeys([zone.origin, *(spelled(record.rname).lower() for record in zone.records)])
    asked: dict[tuple[str, str, Transport], None] = {
        (name, type, over): None for name in names for type in TYPES for over in TRANSPORTS
    }
    for recorded in questions:
        for over in TRANSPORTS:
            asked[recorded.name.lower(), recorded.type, over] = None
    return list(asked)


def _everything_else(world: World) -> list[str]:
    """Names of the zones that do not exist, fillers of a padding among them; and names of no zone."""
    origins = sorted((parse_zone(text, "zone").origin for text in world.zones), key=len, reverse=True)
    late = f"delay={world.latency:g} " if world.latency else ""
    lines = []
    for origin in origins:
        for fault in world.faults:
            if fault.name == "*" and fault.times is None and fault.action in ("drop", "rcode"):
                what = "drop" if fault.action == "drop" else f"{late}rcode={getattr(RCODE, fault.rcode)}"
                lines.append(f"*.{origin} {fault.type} {fault.over} {what}")
        lines.append(f"*.{origin} * * {late}rcode={RCODE.NXDOMAIN}")
    return [*lines, f"* * * {late}rcode={RCODE.REFUSED}"]
