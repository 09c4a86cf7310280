"""The C library's stub resolver as qmail meets it: `res_query` into a buffer of fixed size (glibc 2.31).

It asks over UDP, by itself again over TCP when the answer bears the TC bit, and says of failures only
whether to try again. An answer longer than the buffer is cut to it; its true length is told.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Callable, FrozenSet, Optional, Union

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.dnsmessage import (
    FORMERR,
    HEADER_SIZE,
    NOERROR,
    NOTIMP,
    REFUSED,
    SERVFAIL,
    Header,
    Malformed,
    question,
    same_question,
)

_LEAST_EDNS, _MOST_EDNS = 512, 1200
_TRUNCATED = 0x02


@dataclass
class ResolverSettings:
    """`options` is the option line of resolv.conf. `number` gives the id of each question.

    `tcp_limit`: how long an answer over TCP may take, in seconds. The C library sets none (None).
    """

    options: str = ""
    number: Callable[[], int] = field(default=lambda: 1)
    tcp_limit: Optional[float] = None
    ignores_tc: bool = False  #: the C library's RES_IGNTC
    flaws: FrozenSet[str] = frozenset()

    def option(self, name: str, default: int) -> int:
        for word in self.options.split():
            key, _, value = word.partition(":")
            if key == name and value.isdigit():
                return int(value)
        return default


@dataclass(frozen=True)
class Answer:
    """What stands in the buffer, and how long the answer really was."""

    octets: bytes
    length: int

    @property
    def truncated(self) -> bool:
        return len(self.octets) >= HEADER_SIZE and Header.read(self.octets).truncated


@dataclass(frozen=True)
class NoAnswer:
    """A failure; `again`: it may be better later (TRY_AGAIN, connection refused)."""

    again: bool
    over_tcp: bool = False  #: it was TCP that failed


Result = Union[Answer, NoAnswer]


class Resolver:
    """Asks; keeps nothing between questions but its settings."""

    def __init__(self, settings: ResolverSettings) -> None:
        self.settings = settings
        self.timeout = min(max(settings.option("timeout", 5), 1), 30)
        self.attempts = min(max(settings.option("attempts", 2), 1), 5)
        self.edns = "edns0" in settings.options.split()

    def query(self, name: bytes, kind: int, size: int, over_tcp: bool = False) -> Engine:
        """Ask for `name`/`kind` into a buffer of `size` octets. Returns `Answer` or `NoAnswer`."""
        edns = self.edns
        while True:
            advertised = min(max(size, _LEAST_EDNS), _MOST_EDNS) if edns else None
            try:
                message = question(self.settings.number(), name, kind, advertised)
            except Malformed:
                return NoAnswer(again=False)
            found: Optional[Answer] = yield from self._send(message, size, over_tcp, edns)
            if found is None and edns and self._edns_refused:
                edns = False
                continue
            break
        if found is None:
            return NoAnswer(again=True, over_tcp=self._streamed)
        header = Header.read(found.octets)
        if header.rcode != NOERROR or header.answers == 0:
            return NoAnswer(again=header.rcode == SERVFAIL)
        return found

    def _send(self, message: bytes, size: int, over_tcp: bool, edns: bool) -> Engine:
        self._edns_refused = self._streamed = False
        if over_tcp:
            return (yield from self._stream(message, size))
        for _ in range(self.attempts):
            found: Optional[Answer] = yield from self._datagram(message, size, edns)
            if self._edns_refused:
                return None
            if found is not None and found.truncated and not self.settings.ignores_tc:
                return (yield from self._stream(message, size))
            if found is not None:
                return found
        return None

    def _datagram(self, message: bytes, size: int, edns: bool) -> Engine:
        """One attempt over UDP: an answer worth having, or None."""
        now: float = yield acts.Now()
        deadline = now + self.timeout
        came = yield acts.AskDns(message, "udp", float(self.timeout))
        while isinstance(came, bytes):
            answer = Answer(came[:size], min(len(came), size))
            if len(answer.octets) < HEADER_SIZE:
                return None
            header = Header.read(answer.octets)
            mine = header.number == Header.read(message).number
            if mine and edns and header.rcode == FORMERR:
                self._edns_refused = True
                return None
            if mine and same_question(message, answer.octets):
                empty = header.answers == 0 and header.additional == 0
                lame = empty and not header.authoritative and not header.recursion_available
                if header.rcode in (SERVFAIL, NOTIMP, REFUSED) or (header.rcode == NOERROR and lame):
                    return None
                return answer
            now = yield acts.Now()
            if now >= deadline:
                return None
            came = yield acts.AwaitDns(deadline - now)
        return None

    def _stream(self, message: bytes, size: int) -> Engine:
        """One attempt over TCP: an answer, or None."""
        self._streamed = True
        came = yield acts.AskDns(message, "tcp", self.settings.tcp_limit)
        if not isinstance(came, acts.Stream):
            return None
        rest = came.octets
        while len(rest) >= 2:
            length = struct.unpack(">H", rest[:2])[0]
            kept = min(length, size)
            octets, rest = rest[2 : 2 + length], rest[2 + length :]
            if length < HEADER_SIZE or len(octets) < kept:
                return None
            octets = octets[:kept]
            if length > size:
                octets = octets[:2] + bytes([octets[2] | _TRUNCATED]) + octets[3:]
            if octets[:2] == message[:2]:
                return Answer(octets, length)
        return None
