"""The C library's stub resolver as qmail meets it: `res_query` into a buffer of fixed size (glibc 2.31).

It asks over UDP, by itself again over TCP when the answer bears the TC bit, and says of failures only
whether to try again. An answer longer than the buffer is cut to it; its true length is told.
"""

import struct
from dataclasses import dataclass
from typing import Callable, Optional

from conformance.reference import acts, dnsmessage
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.dnsmessage import HEADER_SIZE, Malformed, MessageHeader, question, same_question

_LEAST_EDNS, _MOST_EDNS = 512, 1200
_TRUNCATED = 0x02
_LONGEST = 65536  #: octets of the largest buffer


@dataclass(frozen=True)
class ResolverAnswer:
    """What stands in the buffer, and how long the answer really was."""

    octets: bytes
    length: int
    behind: bytes = b""  #: what stands in the buffer behind it, of answers before this one

    @property
    def truncated(self) -> bool:
        return len(self.octets) >= HEADER_SIZE and MessageHeader.read(self.octets).truncated


@dataclass(frozen=True)
class NoAnswer:
    """A failure; `again`: it may be better later (TRY_AGAIN, connection refused)."""

    again: bool
    over_tcp: bool = False  #: it was TCP that failed


class Resolver:
    """Asks; `options` is the option line of resolv.conf(5), `number` gives the id of each question."""

    def __init__(self, build: Build, options: str, number: Callable[[], int]) -> None:
        self.build = build
        self._number = number
        words = options.split()
        given = {
            name: int(value)
            for name, _, value in (w.partition(":") for w in reversed(words))
            if value.isdigit()
        }
        self.timeout = min(max(given.get("timeout", 5), 1), 30)
        self.attempts = min(max(given.get("attempts", 2), 1), 5)
        self.edns = "edns0" in words
        self._buffer = bytearray(_LONGEST)

    def _read(self, octets: bytes, length: int, size: int) -> ResolverAnswer:
        """What has come, of which the buffer of `size` octets holds `octets`; behind it stays what was there.

        The C library reads a question on to the end of the buffer, and qmail an address past the answer's.
        """
        self._buffer[: len(octets)] = octets
        return ResolverAnswer(octets, length, bytes(self._buffer[len(octets) : size]))

    def ignores_tc(self) -> bool:
        """The C library's RES_IGNTC, which nobody sets: a cut answer is asked for again (RFC 7766 5)."""
        return False

    def tcp_limit(self) -> Optional[float]:
        """Seconds that an answer over TCP may take; the C library sets no limit (None), 0005 its own."""
        return float(self.timeout * self.attempts) if self.build.carries("0005") else None

    def query(self, name: bytes, kind: int, size: int, over_tcp: bool = False) -> Engine:
        """Ask for `name`/`kind` into a buffer of `size` octets. Returns `ResolverAnswer` or `NoAnswer`."""
        found: Optional[ResolverAnswer] = None
        for edns in (True, False) if self.edns else (False,):
            advertised = min(max(size, _LEAST_EDNS), _MOST_EDNS) if edns else None
            try:
                message = question(self._number(), name, kind, advertised)
            except Malformed:
                return NoAnswer(again=False)
            found = yield from self._send(message, size, over_tcp, edns)
            if not self._edns_refused:
                break
        if found is None:
            return NoAnswer(again=True, over_tcp=self._streamed)
        header = MessageHeader.read(found.octets)
        if header.rcode != dnsmessage.NOERROR or header.answers == 0:
            return NoAnswer(again=header.rcode == dnsmessage.SERVFAIL)
        return found

    def _send(self, message: bytes, size: int, over_tcp: bool, edns: bool) -> Engine:
        self._edns_refused = self._streamed = False
        if over_tcp:
            return (yield from self.stream(message, size))
        for _ in range(self.attempts):
            found: Optional[ResolverAnswer] = yield from self._datagram(message, size, edns)
            if self._edns_refused:
                return None
            if found is not None and found.truncated and not self.ignores_tc():
                return (yield from self.stream(message, size))
            if found is not None:
                return found
        return None

    def _datagram(self, message: bytes, size: int, edns: bool) -> Engine:
        """One attempt over UDP: an answer worth having, or None."""
        now: float = yield acts.Now()
        deadline = now + self.timeout
        came = yield acts.AskDns(message, "udp", float(self.timeout))
        while isinstance(came, bytes):
            answer = self._read(came[:size], min(len(came), size), size)
            if len(answer.octets) < HEADER_SIZE:
                return None
            header = MessageHeader.read(answer.octets)
            mine = header.number == MessageHeader.read(message).number
            if mine and edns and header.rcode == dnsmessage.FORMERR:
                self._edns_refused = True
                return None
            if mine and same_question(message, answer.octets + answer.behind):
                empty = header.answers == 0 and header.additional == 0
                lame = empty and not header.authoritative and not header.recursion_available
                if header.rcode in (dnsmessage.SERVFAIL, dnsmessage.NOTIMP, dnsmessage.REFUSED) or (
                    header.rcode == dnsmessage.NOERROR and lame
                ):
                    return None
                return answer
            now = yield acts.Now()
            if now >= deadline:
                return None
            came = yield acts.AwaitDns(deadline - now)
        return None

    def stream(self, message: bytes, size: int) -> Engine:
        """One attempt over TCP: an answer, or None."""
        self._streamed = True
        came = yield acts.AskDns(message, "tcp", self.tcp_limit())
        if not isinstance(came, acts.Stream):
            return None
        rest = came.octets
        while len(rest) >= 2:
            length = struct.unpack(">H", rest[:2])[0]
            kept = min(length, size)
            octets, rest = rest[2 : 2 + length], rest[2 + length :]
            if length < HEADER_SIZE:
                return None
            octets = octets[:kept]
            if length > size and len(octets) == kept:
                octets = octets[:2] + bytes([octets[2] | _TRUNCATED]) + octets[3:]
            answer = self._read(octets, length, size)
            if len(octets) < kept:
                return None
            if octets[:2] == message[:2]:
                return answer
        if came.end == "whole":  # an answer to another question: that to this one may still come
            yield acts.AwaitDns(self.tcp_limit())
        return None
