"""qmail's own reading of DNS answers: aliases, addresses and mail exchangers (patches 0004 and 0005)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import FrozenSet, List, Optional, Tuple

from conformance.reference.acts import AwaitDns, Engine
from conformance.reference.dnsmessage import ANY, CNAME, HEADER_SIZE, MX, A, Header, Malformed, expand_name
from conformance.reference.octets import bracketed, dotted
from conformance.reference.resolver import Answer, NoAnswer, Resolver

_STOCK_BUFFER = 512
_LARGE_BUFFER = 65536
_MOST_ALIASES = 10
_WRAP = 2**64


class Soft(Exception):
    """It cannot be known now."""


class Hard(Exception):
    """There is no such thing."""


@dataclass(frozen=True)
class Exchange:
    """One address to try."""

    address: str
    preference: int


class Reply:
    """The answer section of one reply, read record by record, with qmail's own idea of what is malformed."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._end = len(octets)
        self._at = HEADER_SIZE
        header = Header.read(octets)
        for _ in range(header.questions):
            self._skip_name()
            if self._end - self._at < 4:
                raise Soft
            self._at += 4
        self.remaining = header.answers

    def _skip_name(self) -> None:
        self._at += self._name(self._at)[1]

    def _name(self, at: int) -> Tuple[bytes, int]:
        try:
            return expand_name(self._octets, self._end, at)
        except Malformed as malformed:
            raise Soft from malformed

    def _record(self, wanted: int) -> Optional[Tuple[int, int]]:
        """Move past one record; where its data stands and how long it is, when it is of the wanted type."""
        self.remaining -= 1
        if self._at == self._end:
            raise Soft
        self._skip_name()
        if self._end - self._at < 10:
            raise Soft
        kind = int.from_bytes(self._octets[self._at : self._at + 2], "big")
        size = int.from_bytes(self._octets[self._at + 8 : self._at + 10], "big")
        data = self._at + 10
        self._at = data + size
        return (data, size) if kind == wanted else None

    def aliases(self) -> List[bytes]:
        """The first alias, as a list of at most one. Raises Soft."""
        while self.remaining > 0:
            found = self._record(CNAME)
            if found is not None:
                return [self._name(found[0])[0]]
        return []

    def addresses(self) -> List[str]:
        """All A records. Raises Soft."""
        addresses: List[str] = []
        while self.remaining > 0:
            found = self._record(A)
            if found is not None:
                if found[1] < 4:
                    raise Soft
                octets = self._octets[found[0] : found[0] + 4].ljust(4, b"\0")
                addresses.append(".".join(str(octet) for octet in octets))
        return addresses

    def exchangers(self) -> List[Tuple[int, bytes]]:
        """All MX records: preference and name. Raises Soft."""
        exchangers: List[Tuple[int, bytes]] = []
        while self.remaining > 0:
            found = self._record(MX)
            if found is not None:
                if found[1] < 3:
                    raise Soft
                preference = int.from_bytes(self._octets[found[0] : found[0] + 2], "big")
                exchangers.append((preference, self._name(found[0] + 2)[0]))
        return exchangers


class Lookup:
    """What one qmail-remote process asks of the DNS. The buffer grows once and stays grown (0005)."""

    def __init__(self, resolver: Resolver, patches: FrozenSet[str], flaws: FrozenSet[str]) -> None:
        self._resolver = resolver
        self._patches = patches
        self._flaws = flaws
        self._large = "0005" in patches and "0005.dropped" not in flaws
        self._size = _STOCK_BUFFER
        if self._large and "0005.exact-512-buffer" not in flaws:
            self._size += 1

    def _resolve(self, name: bytes, kind: int) -> Engine:
        """One question; returns a `Reply`. Raises Soft, Hard."""
        found = yield from self._resolver.query(name, kind, self._size)
        if self._large and isinstance(found, Answer) and self._asks_again(found, kind):
            self._size = 4096 if "0005.only-4096" in self._flaws else _LARGE_BUFFER
            over_tcp = "0005.udp-again" not in self._flaws
            found = yield from self._resolver.query(name, kind, self._size, over_tcp=over_tcp)
        if isinstance(found, NoAnswer):
            if self._large and found.over_tcp and "0005.tcp-failure-hard" in self._flaws:
                raise Hard
            again = found.again and "remote.servfail-hard" not in self._flaws
            raise Soft if again or "remote.no-host-soft" in self._flaws else Hard
        unread = "0004" in self._patches and "0004.aliases-unread" in self._flaws and kind in (A, MX)
        if unread and Reply(found.octets).aliases():
            raise Soft
        return Reply(found.octets)

    def _asks_again(self, found: Answer, kind: int) -> bool:
        if "0005.mx-only" in self._flaws and kind != MX:
            return False
        if "0005.always-tcp" in self._flaws:
            return True
        if "0005.tc-ignored" in self._flaws:
            return found.length >= self._size
        if "0005.tc-only" in self._flaws:
            return found.truncated and found.length <= self._size
        return found.length >= self._size or found.truncated

    def canonical(self, name: bytes) -> Engine:
        """(the name behind a chain of aliases, whether there was one), as stock asks for it. Raises Soft.

        With 0004 nothing is asked, and the name is what it is.
        """
        if "0004" in self._patches and "0004.dropped" not in self._flaws:
            if "0004.asks-cname" in self._flaws:
                yield from self._resolve_quietly(name, CNAME)
            if "0004.loop-followed" in self._flaws:
                yield from self._follow(name)
            if "0004.asks-and-ignores" in self._flaws:
                yield from self._resolve_quietly(name, ANY)
            return (name.lower() if "0004.lower-case" in self._flaws else name), False
        original = name
        for steps in range(_MOST_ALIASES):
            if not name or name.endswith(b"]"):
                return name, steps > 0
            if name.endswith(b"."):
                name = name[:-1]
                continue
            try:
                reply: Reply = yield from self._resolve(name, ANY)
            except Hard:
                return name, steps > 0
            aliases = reply.aliases()
            if not aliases:
                return (original if "remote.alias-kept" in self._flaws else name), steps > 0
            name = aliases[0]
        return name, True

    def _follow(self, name: bytes) -> Engine:
        """A flaw: follow aliases one by one, a second for each, however many they are."""
        while True:
            try:
                reply: Reply = yield from self._resolve(name, CNAME)
            except (Soft, Hard):
                return
            aliases = reply.aliases()
            if not aliases:
                return
            name = aliases[0]
            yield AwaitDns(1.0)

    def _resolve_quietly(self, name: bytes, kind: int) -> Engine:
        with contextlib.suppress(Soft, Hard):
            yield from self._resolve(name, kind)

    def addresses(self, name: bytes, preference: int = 0) -> Engine:
        """The addresses of a host, or of a literal. Returns a list of `Exchange`. Raises Soft, Hard."""
        literal = dotted(name) or bracketed(name)
        if literal is not None:
            return [Exchange(literal, 0)]
        reply: Reply = yield from self._resolve(name, A)
        return [Exchange(address, preference) for address in reply.addresses()]

    def exchangers(self, name: bytes, random: int) -> Engine:
        """(exchanges in the order to try, whether some could not be looked up). Raises Soft, Hard."""
        literal = dotted(name) or bracketed(name)
        if literal is not None and "remote.no-literals" not in self._flaws:
            return [Exchange(literal, 0)], False
        asks_any = "0004" in self._patches and "0004.any-for-mx" in self._flaws
        try:
            reply: Reply = yield from self._resolve(name, ANY if asks_any else MX)
        except Hard:
            if "remote.no-a-fallback" in self._flaws:
                raise
            return (yield from self.addresses(name)), False
        remaining = reply.exchangers()
        if not remaining:
            return (yield from self.addresses(name)), False
        if "remote.worst-first" in self._flaws:
            remaining = [(65535 - preference, exchange) for preference, exchange in remaining]
        if "remote.first-mx-only" in self._flaws:
            remaining = [min(remaining, key=lambda exchanger: exchanger[0])]
        exchanges: List[Exchange] = []
        soft = False
        while remaining:
            best, same = 0, 1
            for other in range(1, len(remaining)):
                if remaining[other][0] < remaining[best][0]:
                    best, same = other, 1
                elif remaining[other][0] == remaining[best][0]:
                    same += 1
                    random = (random * 69069 + 1) % _WRAP
                    if random // 2 < 2147483647 // same:
                        best = other
            preference, exchange = remaining[best]
            try:
                exchanges += yield from self.addresses(exchange, preference)
            except Soft:
                soft = True
            except Hard:
                pass
            remaining[best] = remaining[-1]
            remaining.pop()
        return exchanges, soft
