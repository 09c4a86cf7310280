"""Flaws of patch 0005: answers larger than 512 octets."""

from conformance.reference.acts import Engine
from conformance.reference.dnsmessage import MX
from conformance.reference.flaws.flaw import dropped, flaw
from conformance.reference.lookup import AnswerSection, Lookup, NameNotFound
from conformance.reference.resolver import NoAnswer, Resolver


def _stays_with_tcp(self: Lookup, name: bytes, kind: int) -> Engine:
    if self.size == self.large_size:
        answer = yield from self.resolver.query(name, kind, self.size, over_tcp=True)
        if isinstance(answer, NoAnswer):
            raise self.failure(answer)
        return AnswerSection(answer)
    return (yield from Lookup.resolve(self, name, kind))


def _never_cut(self: Resolver, message: bytes, size: int) -> Engine:
    """An answer over TCP that bears the TC bit is none."""
    found = yield from Resolver.stream(self, message, size)
    return None if found is not None and found.truncated and found.length <= size else found


FLAWS = (
    flaw("0005.always-tcp", "asks again over TCP whatever the answer's size",
         Lookup, is_cut=lambda self, answer, kind: True),
    dropped("0005.dropped", "reads answers into 512 octets as stock does"),
    flaw("0005.exact-512-buffer", "reads into exactly 512 octets, and takes a full buffer for a cut one",
         Lookup, first_size=lambda self: 512),
    flaw("0005.mx-only", "asks again for MX, but not for A and ANY",
         Lookup, is_cut=lambda self, answer, kind: kind == MX and Lookup.is_cut(self, answer, kind)),
    flaw("0005.only-4096", "asks again into 4,096 octets only", Lookup, large_size=4096),
    flaw("0005.stays-with-tcp", "asks everything over TCP after one large answer",
         Lookup, resolve=_stays_with_tcp),
    flaw("0005.tc-over-tcp-fails", "takes the TC bit of an answer over TCP for a failure",
         Resolver, stream=_never_cut),
    flaw("0005.tc-ignored", "asks again only when the buffer is full, whatever the TC bit says",
         Lookup, is_cut=lambda self, answer, kind: answer.length >= self.size
         ).also(Resolver, ignores_tc=lambda self: True),
    flaw("0005.tc-only", "asks again only when the answer came with TC and fitted the buffer",
         Lookup, is_cut=lambda self, answer, kind: answer.truncated and answer.length <= self.size),
    flaw("0005.tcp-failure-hard", "a failure over TCP is permanent",
         Lookup, failure=lambda self, said: NameNotFound() if said.over_tcp else Lookup.failure(self, said)),
    flaw("0005.tcp-hangs", "waits for ever for a stalled answer over TCP",
         Resolver, tcp_limit=lambda self: None),
    flaw("0005.udp-again", "asks again over UDP", Lookup, large_over_tcp=False),
)  # fmt: skip
