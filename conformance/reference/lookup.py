"""qmail's own reading of DNS answers: aliases, addresses and mail exchangers (patches 0004 and 0005)."""

from dataclasses import dataclass
from itertools import islice
from typing import Callable, Iterator, List, Sequence, Tuple

from conformance.reference import dnsmessage
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.dnsmessage import HEADER_SIZE, Malformed, MessageHeader, expand_name
from conformance.reference.octets import bracketed, dotted
from conformance.reference.resolver import NoAnswer, Resolver, ResolverAnswer

_STOCK_BUFFER = 512  # RFC 1035 4.2.1
_MOST_ALIASES = 10


class LookupFailed(Exception):
    """It cannot be known now. `addresses` are those that were read before it failed."""

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        super().__init__()
        self.addresses = addresses


class NameNotFound(Exception):
    """The name does not exist, or has no such records."""


@dataclass(frozen=True)
class MxAddress:
    """One address to try."""

    address: str
    preference: int


class AnswerSection:
    """The answer section of one answer, read record by record, with qmail's own idea of what is malformed.

    Every reading of it raises LookupFailed at what is malformed.
    """

    def __init__(self, answer: ResolverAnswer) -> None:
        self._octets = answer.octets + answer.behind
        self._end = len(answer.octets)
        self._start = HEADER_SIZE
        header = MessageHeader.read(answer.octets)
        for _ in range(header.questions):
            self._start += self._name(self._start)[1]
            if self._end - self._start < 4:
                raise LookupFailed
            self._start += 4
        self._records = header.answers

    def _name(self, at: int) -> Tuple[bytes, int]:
        try:
            return expand_name(self._octets, self._end, at)
        except Malformed as malformed:
            raise LookupFailed from malformed

    def _number(self, at: int) -> int:
        return int.from_bytes(self._octets[at : at + 2], "big")

    def _data(self, kind: int, least: int = 0) -> Iterator[int]:
        """Where the data of each record of a kind stands (RFC 1035 4.1.3), `least` octets or more."""
        at = self._start
        for _ in range(self._records):
            if at == self._end:
                raise LookupFailed
            at += self._name(at)[1]
            if self._end - at < 10:
                raise LookupFailed
            size = self._number(at + 8)
            if self._number(at) == kind:
                if size < least:
                    raise LookupFailed
                yield at + 10
            at += 10 + size

    def aliases(self) -> List[bytes]:
        """The first alias, as a list of at most one; what follows it is not read."""
        return [self._name(at)[0] for at in islice(self._data(dnsmessage.CNAME), 1)]

    def addresses(self) -> List[str]:
        """All A records (RFC 1035 3.4.1)."""
        found: List[str] = []
        try:
            for at in self._data(dnsmessage.A, 4):
                found.append(".".join(map(str, self._octets[at : at + 4].ljust(4, b"\0"))))
        except LookupFailed:
            raise LookupFailed(found) from None
        return found

    def exchangers(self) -> List[Tuple[int, bytes]]:
        """All MX records: preference and name (RFC 1035 3.3.9)."""
        return [(self._number(at), self._name(at + 2)[0]) for at in self._data(dnsmessage.MX, 3)]


class Lookup:
    """What one qmail-remote process asks of the DNS. The buffer grows once and stays grown (0005)."""

    #: What an answer is read into when it did not fit, and how it is asked for again (0005; RFC 1035 4.2.2).
    large_size = 65536
    large_over_tcp = True
    #: The numbers of the generator that orders exchangers of equal preference are below this one.
    random_wrap = 2**32

    def __init__(self, build: Build, options: str, number: Callable[[], int]) -> None:
        self.build = build
        self.resolver = build.of(Resolver)(build, options, number)
        self.size = self.first_size()

    def first_size(self) -> int:
        """Octets of the buffer: with 0005 one more, so that an answer of 512 octets does not fill it."""
        return _STOCK_BUFFER + 1 if self.build.carries("0005") else _STOCK_BUFFER

    def resolve(self, name: bytes, kind: int) -> Engine:
        """One question; returns an `AnswerSection`. Raises LookupFailed, NameNotFound."""
        answer = yield from self.resolver.query(name, kind, self.size)
        cut = self.build.carries("0005") and isinstance(answer, ResolverAnswer) and self.is_cut(answer, kind)
        if cut:
            self.size = self.large_size
            answer = yield from self.resolver.query(name, kind, self.size, over_tcp=self.large_over_tcp)
        if isinstance(answer, NoAnswer):
            raise self.failure(answer)
        return AnswerSection(answer)

    def is_cut(self, answer: ResolverAnswer, kind: int) -> bool:
        """Whether an answer fills the buffer, or the server cut it (RFC 1035 4.1.1, TC), of whatever kind."""
        return answer.length >= self.size or answer.truncated

    def failure(self, found: NoAnswer) -> Exception:
        """What to raise: a failure is final only when the resolver says so."""
        return LookupFailed() if found.again else NameNotFound()

    def canonical(self, name: bytes) -> Engine:
        """(a recipient's domain as it goes out, whether it was an alias). Raises LookupFailed."""
        if self.build.carries("0004"):
            return (yield from self.as_written(name)), False
        return (yield from self.behind_aliases(name))

    def as_written(self, name: bytes) -> Engine:
        """The domain of a recipient with 0004: nothing is asked, and it is what it is (RFC 5321 2.3.5)."""
        yield from ()
        return name

    def behind_aliases(self, name: bytes) -> Engine:
        """(the name behind a chain of aliases, whether there was one), by ANY questions (RFC 1123 5.2.2)."""
        for steps in range(_MOST_ALIASES):
            if not name or name.endswith(b"]"):
                return name, steps > 0
            try:
                ends = name.endswith(b".")
                aliases = [name[:-1]] if ends else (yield from self.resolve(name, dnsmessage.ANY)).aliases()
            except NameNotFound:
                aliases = []
            if not aliases:
                return name, steps > 0
            name = aliases[0]
        return name, True

    def addresses(self, name: bytes, preference: int = 0) -> Engine:
        """The addresses of a host, or of a literal. Returns a list of `MxAddress`.

        Raises LookupFailed, NameNotFound.
        """
        literal = dotted(name) or bracketed(name)
        if literal is not None:
            return [MxAddress(literal, 0)]
        section: AnswerSection = yield from self.resolve(name, dnsmessage.A)
        return [MxAddress(address, preference) for address in section.addresses()]

    def exchangers(self, name: bytes, random: int) -> Engine:
        """(addresses in the order to try, whether some could not be looked up).

        Literals count (qmail-remote(8); RFC 5321 4.1.3). Raises LookupFailed, NameNotFound.
        """
        literal = dotted(name) or bracketed(name)
        if literal is not None:
            return [MxAddress(literal, 0)], False
        return (yield from self.by_mx(name, random))

    def by_mx(self, name: bytes, random: int) -> Engine:
        """As `exchangers`, of a name; without MX it is its own exchanger (RFC 5321 5.1)."""
        try:
            records: List[Tuple[int, bytes]] = (yield from self.resolve(name, dnsmessage.MX)).exchangers()
        except NameNotFound:
            records = self.without_mx()
        if not records:
            return (yield from self.addresses(name)), False
        addresses: List[MxAddress] = []
        failed = False
        for preference, exchanger in self.in_order(records, random):
            try:
                addresses += yield from self.addresses(exchanger, preference)
            except LookupFailed as error:
                addresses += [MxAddress(address, preference) for address in error.addresses]
                failed = True
            except NameNotFound:
                pass
        return addresses, failed

    def without_mx(self) -> List[Tuple[int, bytes]]:
        """The MX records of a name that has none: that alone does not fail (RFC 5321 5.1)."""
        return []

    def in_order(self, records: List[Tuple[int, bytes]], random: int) -> List[Tuple[int, bytes]]:
        """MX records with the lowest preference first, and at random among equals (RFC 5321 5.1)."""
        remaining = list(records)
        ordered: List[Tuple[int, bytes]] = []
        while remaining:
            best, same = 0, 1
            for other in range(1, len(remaining)):
                if remaining[other][0] < remaining[best][0]:
                    best, same = other, 1
                elif remaining[other][0] == remaining[best][0]:
                    same += 1
                    # qmail's own generator: each of the equals is as likely as the others.
                    random = (random * 69069 + 1) % self.random_wrap
                    if random // 2 < 2147483647 // same:
                        best = other
            ordered.append(remaining[best])
            remaining[best] = remaining[-1]
            remaining.pop()
        return ordered
