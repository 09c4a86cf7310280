"""The DNS server of a world, pure: a message in, what is to be sent out, and a log of every question.

It is authoritative for the zones of its world. Its answers carry no OPT record, so that their sizes are
exactly those of the zones and paddings; a question's OPT record only raises the size that fits into UDP.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from dnslib import CLASS, QTYPE, RCODE
from dnslib.dns import RD, RR

from conformance.errors import UsageError
from conformance.internet.answers import Records, encode, label
from conformance.internet.padding import padded
from conformance.internet.zones import parse_zone
from conformance.pod.base import octets
from conformance.pod.observation import Question
from conformance.pod.world import Fault, Padding, Transport, World

_HEADER = struct.Struct("!HHHHHH")
#: dnslib's names for numbers are looked up in code that takes 40 us after a pause.
_IN = int(CLASS.IN)
_TC = 0x0200
_RD = 0x0100
_OPCODE = 0x7800

#: What fits into UDP unless the question says otherwise (RFC 1035 4.2.1), and what ever fits.
_UDP_DEFAULT = 512
_UDP_MOST = 65507

#: Questions remembered octet by octet; no case asks in more spellings than this.
_READY_MOST = 4096


@dataclass(frozen=True, slots=True)
class Response:
    """What is to be done about one question.

    `octets`: the message without TCP's length prefix; None: nothing is sent. `delay`: seconds before it
    is sent. `limit` (TCP only): only so many octets of prefix and message are sent. `end` (TCP only): what
    follows, the connection stays open, is closed, or stays open while nothing more is ever said on it.
    """

    octets: bytes | None
    delay: float = 0.0
    limit: int | None = None
    end: Literal["open", "close", "stall"] = "open"


@dataclass
class _Rule:
    """A fault, and how often it may still strike."""

    fault: Fault
    name: str
    qtype: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that is known about a question before it is asked again: octets after the id, log entry, faults."""

    tail: bytes
    question: Question  #: without its time
    rules: tuple[_Rule, ...] = ()
    stray: bool = False


class NameServer:
    """Answers the questions of one world and keeps a log of them.

    `questions` are those so far, in order of arrival; `stray` names those that no zone knows, as "name TYPE".
    Raises UsageError when a zone, padding or fault of the world is wrong.
    """

    def __init__(self, world: World) -> None:
        self.questions: list[Question] = []
        self.stray: list[str] = []
        self._latency = world.latency
        self._records = _records(tuple(world.zones))
        self._rules = [_rule(fault) for fault in world.faults]
        #: padded answers by name and type, whatever transport and spelling is used
        self._padded: dict[tuple[str, int], bytes] = {}
        self._ready: dict[Transport, dict[bytes, _Ready]] = {"udp": {}, "tcp": {}}
        for padding in world.paddings:
            # Built now and not when asked for: a server that needs time to answer causes failures of its own.
            question, message = _filled_up(tuple(world.zones), padding)
            self._padded[question] = message

    def answer(self, message: bytes, over: Transport, at: float) -> Response:
        """What is to be done about `message`, which came over `over` at `at` seconds."""
        known, asked = self._ready[over], message[2:]
        ready = known.get(asked)
        if ready is None:
            if len(message) < _HEADER.size or message[2] & 0x80:
                return Response(None)  # no DNS message, or itself an answer
            ready = self._prepare(message, over)
            if len(known) >= _READY_MOST:
                known.clear()
            known[asked] = ready
        if ready.stray:
            self.stray.append(f"{ready.question.name} {ready.question.type}")
        for rule in ready.rules:
            if rule.left != 0:
                if rule.left is not None:
                    rule.left -= 1
                return self._strike(rule.fault, message, ready, at)
        self._log(ready.question, at)
        return Response(message[:2] + ready.tail, self._latency)

    # The slow path: once for each spelling of a question.

    def _prepare(self, message: bytes, over: Transport) -> _Ready:
        _, flags, count, _, _, additional = _HEADER.unpack_from(message)
        try:
            if count != 1:
                raise ValueError("not one question")
            name, end = _name(message)
            qtype, qclass = struct.unpack_from("!HH", message, end)
        except (ValueError, IndexError, struct.error):
            tail = struct.pack("!HHHHH", 0x8000 | (flags & (_OPCODE | _RD)) | RCODE.FORMERR, 0, 0, 0, 0)
            return _Ready(tail, Question("", "", over, "FORMERR", 2 + len(tail), False, 0.0))
        end += 4
        key = name.lower()
        stray = self._records.zone_of(key) is None
        if flags & _OPCODE:
            whole = encode(key, qtype, RCODE.NOTIMP)
        elif stray or qclass != _IN:
            whole = encode(key, qtype, RCODE.REFUSED)
        else:
            whole = self._padded.get((key, qtype)) or self._records.answer(key, qtype)
        if len(whole) > (65535 if over == "tcp" else _udp_size(message, end, additional)):
            whole = _HEADER.pack(0, int.from_bytes(whole[2:4], "big") | _TC, 1, 0, 0, 0) + message[12:end]
        # The question is sent back as it came; the compressed names of the answer point at its letters.
        status = int.from_bytes(whole[2:4], "big") | flags & (_OPCODE | _RD)
        tail = status.to_bytes(2, "big") + whole[4:12] + message[12:end] + whole[end:]
        rules = () if stray else tuple(rule for rule in self._rules if _matches(rule, key, qtype, over))
        rcode, truncated = _status(whole)
        question = Question(name, QTYPE[qtype], over, rcode, 2 + len(tail), truncated, 0.0)
        return _Ready(tail, question, rules, stray)

    def _log(self, question: Question, at: float) -> None:
        self.questions.append(replace(question, at=at))

    def _strike(self, fault: Fault, message: bytes, ready: _Ready, at: float) -> Response:
        """The response that `fault` makes of the question, logged as it is sent."""
        right = message[:2] + ready.tail
        response = apply_fault(fault, right, ready.question)
        delay = self._latency + fault.seconds
        if response is None:
            self._log(replace(ready.question, rcode="", size=0, truncated=False), at)
            return Response(None, delay)
        if fault.action in ("close", "stall"):
            self._log(_sent(ready.question, response[: max(0, fault.length - 2)]), at)
            return Response(response, delay, fault.length, "close" if fault.action == "close" else "stall")
        self._log(_sent(ready.question, response), at)
        return Response(response, delay)


@lru_cache(maxsize=256)  # nearly every world has zones that another one has had
def _records(zones: tuple[str, ...]) -> Records:
    return Records(parse_zone(text, f"zone {number} of the world") for number, text in enumerate(zones, 1))


@lru_cache(maxsize=64)  # and many have the same answer filled up
def _filled_up(zones: tuple[str, ...], padding: Padding) -> tuple[tuple[str, int], bytes]:
    """A padding's name and type, and the whole answer to them."""
    records, name, qtype = _records(zones), padding.name.rstrip(".").lower(), _qtype(padding.type)
    answer = records.look_up(name, qtype)
    if records.zone_of(name) is None or answer.rcode != RCODE.NOERROR:
        raise UsageError(f"padding: no zone of the world has the name {padding.name!r}")
    return (name, qtype), padded(padding, name, qtype, answer)


def apply_fault(fault: Fault, right: bytes, asked: Question) -> bytes | None:
    """The message that is sent in the place of the `right` one."""
    name = asked.name.lower()
    match fault.action:
        case "drop":
            return None
        case "rcode":
            empty = encode(name, _qtype(asked.type), getattr(RCODE, fault.rcode))
            return with_query_header(right, asked, empty)
        case "truncate":
            empty = encode(name, _qtype(asked.type), RCODE.NOERROR, truncated=True)
            return with_query_header(right, asked, empty)
        case "hinfo":
            record = RR(label(name), QTYPE.HINFO, CLASS.IN, 3600, RD(b"\x07RFC8482\x00"))
            return with_query_header(right, asked, encode(name, QTYPE.ANY, RCODE.NOERROR, [record]))
        case "cut":
            return right[: fault.length]
        case "patch":
            written = octets(fault.octets)
            return right[: fault.offset] + written + right[fault.offset + len(written) :]
        case "raw":
            return right[:2] + octets(fault.octets)
        case "delay" | "close" | "stall":
            return right


def with_query_header(right: bytes, asked: Question, message: bytes) -> bytes:
    """`message` with the id, the opcode, RD and the question's spelling of `right`."""
    end = 12 + len(asked.name) + 2 + 4 if asked.name else 12 + 1 + 4
    status = int.from_bytes(message[2:4], "big") | int.from_bytes(right[2:4], "big") & (_OPCODE | _RD)
    return right[:2] + status.to_bytes(2, "big") + message[4:12] + right[12:end] + message[end:]


def _rule(fault: Fault) -> _Rule:
    if fault.action == "rcode" and fault.rcode not in RCODE.reverse:
        known = ", ".join(RCODE.reverse)
        raise UsageError(f"fault for {fault.name}: unknown rcode {fault.rcode!r}", f"known: {known}")
    if fault.times is not None and fault.times < 0:
        raise UsageError(f"fault for {fault.name}: times is {fault.times}")
    qtype = None if fault.type == "*" else _qtype(fault.type)
    return _Rule(fault, fault.name.rstrip(".").lower(), qtype, fault.times)


def _matches(rule: _Rule, name: str, qtype: int, over: Transport) -> bool:
    fault = rule.fault
    if fault.action in ("close", "stall") and over != "tcp":
        return False
    if fault.action == "hinfo" and qtype != QTYPE.ANY:
        return False
    return rule.name in ("*", name) and rule.qtype in (None, qtype) and fault.over in ("*", over)


def _qtype(name: str) -> int:
    try:
        return int(getattr(QTYPE, name.upper()))
    except Exception as error:
        raise UsageError(f"unknown record type {name!r} in a padding or fault") from error


def _name(message: bytes) -> tuple[str, int]:
    """The name asked for, letters as they came, and the offset after it."""
    labels: list[bytes] = []
    position = _HEADER.size
    while length := message[position]:
        if length > 63:
            raise ValueError("a compressed name in a question")
        labels.append(message[position + 1 : position + 1 + length])
        position += 1 + length
    if position >= _HEADER.size + 255:
        raise ValueError("a name longer than 255 octets")
    return b".".join(labels).decode("latin-1"), position + 1


def _udp_size(message: bytes, end: int, additional: int) -> int:
    """Octets of an answer that fit into UDP: 512, or more if the OPT record of `message` says so."""
    if additional and len(message) >= end + 11 and message[end : end + 3] == b"\x00\x00\x29":
        (size,) = struct.unpack_from("!H", message, end + 3)
        return min(max(int(size), _UDP_DEFAULT), _UDP_MOST)
    return _UDP_DEFAULT


def _status(message: bytes) -> tuple[str, bool]:
    """The rcode's name and the TC bit; as good as nothing when the message ends before them."""
    if len(message) < 4:
        return "", False
    return str(RCODE.get(message[3] & 15)), bool(message[2] & (_TC >> 8))


def _sent(asked: Question, message: bytes) -> Question:
    """The log entry of a question to which `message` was sent."""
    rcode, truncated = _status(message)
    return replace(asked, rcode=rcode, size=len(message), truncated=truncated)
