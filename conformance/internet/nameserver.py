"""The DNS server of a world, pure: a message in, what is to be sent out, and a log of every question.

It is authoritative for the zones of its world. Its answers carry no OPT record, so that their sizes are
exactly those of the zones and paddings; a question's OPT record only raises the size that fits into UDP.
"""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from dnslib import CLASS, RCODE

from conformance.errors import UsageError
from conformance.internet import faults
from conformance.internet.answers import Records, encode, qtype_of
from conformance.internet.padding import padded
from conformance.internet.query import Query, with_query_header
from conformance.internet.zones import parse_zone
from conformance.pod.observation import Question
from conformance.pod.world import Padding, Transport, World

#: Octets that a datagram over IPv4 can hold (RFC 768, RFC 791): a longer answer cannot be sent.
_LARGEST_DATAGRAM = 65507


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


class NameServer:
    """Answers the questions of one world and keeps a log of them.

    `questions` are those so far, in order of arrival; `stray` names those that no zone knows, as "name TYPE".
    Raises UsageError when a zone, padding or fault of the world is wrong.
    """

    def __init__(self, world: World) -> None:
        self.questions: list[Question] = []
        self.stray: list[str] = []
        #: A name of this server alone; a question for it is answered and not logged.
        self.probe = f"{secrets.token_hex(8)}.probe.invalid"
        self._latency = world.latency
        self._records = _records(tuple(world.zones))
        for fault in world.faults:
            faults.check(fault)
        self._faults = list(world.faults)
        self._used = [0] * len(world.faults)
        # Built before they are asked for: a server that needs time causes failures of its own.
        self._answers = dict(_filled_up(tuple(world.zones), padding) for padding in world.paddings)

    def answer(self, message: bytes, over: Transport, at: float) -> Response:
        """What is to be done about `message`, which came over `over` at `at` seconds."""
        if len(message) < 12 or message[2] & 0x80:
            return Response(None)  # no DNS message, or itself an answer
        try:
            query = Query.of(message)
        except ValueError:
            refusal = with_query_header(Query(message), bytes([0, 0, 0x80, RCODE.FORMERR]) + bytes(8))
            self._log("", "", over, refusal, at)
            return Response(refusal, self._latency)
        if query.name == self.probe:
            return Response(with_query_header(query, encode(query.name, query.qtype, RCODE.NOERROR)))
        number = None
        if self._records.zone_of(query.name.lower()) is None:
            self.stray.append(f"{query.name} {query.type}")
        else:
            number = faults.first_match(self._faults, query.name.lower(), query.type, over, self._used)
        if number is None:
            response = Response(self._right(query, over), self._latency)
        else:
            self._used[number] += 1
            response = self._struck(number, query, over)
        sent = response.octets
        if sent is not None and response.limit is not None:
            sent = sent[: max(0, response.limit - 2)]
        self._log(query.name, query.type, over, sent, at)
        return response

    def _struck(self, number: int, query: Query, over: Transport) -> Response:
        """The response that a fault makes of the right one."""
        fault = self._faults[number]
        room: Transport = "tcp" if fault.action == "untruncated" else over
        sent = faults.apply_fault(fault, query, self._right(query, room))
        if over == "udp" and sent is not None and len(sent) > _LARGEST_DATAGRAM:
            sent = None
        delay = self._latency + fault.seconds
        if fault.action == "close" or fault.action == "stall":
            return Response(sent, delay, fault.length, fault.action)
        return Response(sent, delay)

    def _right(self, query: Query, over: Transport) -> bytes:
        """The answer that the zones give, as far as it fits."""
        key = query.name.lower(), query.qtype
        if query.opcode:
            whole = encode(*key, RCODE.NOTIMP)
        elif query.qclass != CLASS.IN or self._records.zone_of(key[0]) is None:
            whole = encode(*key, RCODE.REFUSED)
        else:
            whole = self._answers.get(key) or self._answers.setdefault(key, self._records.answer(*key))
        if len(whole) > (65535 if over == "tcp" else query.udp_size):
            whole = encode(*key, whole[3] & 15, truncated=True)
        return with_query_header(query, whole)

    def _log(self, name: str, type: str, over: Transport, sent: bytes | None, at: float) -> None:
        """What was asked, and what of the answer tells by its first octets."""
        rcode, truncated = "", False
        if sent is not None and len(sent) >= 4:
            rcode, truncated = str(RCODE.get(sent[3] & 15)), bool(sent[2] & 2)
        self.questions.append(Question(name, type, over, rcode, len(sent or b""), truncated, at))


@lru_cache(maxsize=256)  # nearly every world has zones that another one has had
def _records(zones: tuple[str, ...]) -> Records:
    return Records(parse_zone(text, f"zone {number} of the world") for number, text in enumerate(zones, 1))


@lru_cache(maxsize=64)  # and many have the same answer filled up
def _filled_up(zones: tuple[str, ...], padding: Padding) -> tuple[tuple[str, int], bytes]:
    """A padding's name and type, and the whole answer to them."""
    records, name, qtype = _records(zones), padding.name.rstrip(".").lower(), qtype_of(padding.type)
    found = records.look_up(name, qtype)
    if records.zone_of(name) is None or found.rcode != RCODE.NOERROR:
        raise UsageError(f"padding: no zone of the world has the name {padding.name!r}")
    return (name, qtype), padded(padding, name, qtype, found)
