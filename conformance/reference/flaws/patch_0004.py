"""Flaws of patch 0004: no CNAME lookup before delivery."""

import contextlib
from typing import Any, Callable

from conformance.reference.acts import AwaitDns, Engine
from conformance.reference.dnsmessage import ANY, CNAME, MX, A
from conformance.reference.flaws.flaw import at_once, dropped, flaw
from conformance.reference.lookup import AnswerSection, Lookup, LookupFailed, NameNotFound


def _asking(kind: int) -> Callable[..., Engine]:
    """Asks a question about the recipient's domain, whatever the answer is."""

    def as_written(self: Lookup, name: bytes) -> Engine:
        with contextlib.suppress(LookupFailed, NameNotFound):
            yield from self.resolve(name, kind)
        return name

    return as_written


def _follows(self: Lookup, name: bytes) -> Engine:
    """A second for each alias, however many they are."""
    written = name
    with contextlib.suppress(NameNotFound, LookupFailed):
        section: AnswerSection = yield from self.resolve(name, CNAME)
        while aliases := section.aliases():
            name = aliases[0]
            yield AwaitDns(1.0)
            section = yield from self.resolve(name, CNAME)
    return written


def _any_for_mx(self: Lookup, name: bytes, kind: int) -> Engine:
    return Lookup.resolve(self, name, ANY if kind == MX else kind)


def _aliases_unread(self: Lookup, name: bytes, kind: int) -> Engine:
    section: Any = yield from Lookup.resolve(self, name, kind)
    if kind in (A, MX) and section.aliases():
        raise LookupFailed
    return section


FLAWS = (
    flaw("0004.aliases-unread", "fails for now when an answer goes through an alias",
         Lookup, resolve=_aliases_unread),
    flaw("0004.any-for-mx", "asks ANY in the place of MX", Lookup, resolve=_any_for_mx),
    flaw("0004.asks-and-ignores", "still asks ANY, and ignores the answer", Lookup, as_written=_asking(ANY)),
    flaw("0004.asks-cname", "asks CNAME where stock asks ANY", Lookup, as_written=_asking(CNAME)),
    dropped("0004.dropped", "asks ANY and rewrites recipients as stock does"),
    flaw("0004.loop-followed", "follows aliases by itself, without end", Lookup, as_written=_follows),
    flaw("0004.lower-case", "lowers the case of the recipient's domain",
         Lookup, as_written=at_once(lambda self, name: name.lower())),
)  # fmt: skip
