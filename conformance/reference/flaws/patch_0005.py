"""Flaws of patch 0005: answers larger than 512 octets."""

from conformance.reference.dnsmessage import MX
from conformance.reference.flaws.flaw import dropped, flaw
from conformance.reference.lookup import Lookup, NameNotFound
from conformance.reference.resolver import Resolver

FLAWS = (
    flaw("0005.always-tcp", "asks again over TCP whatever the answer's size",
         Lookup, is_cut=lambda self, answer, kind: True),
    dropped("0005.dropped", "reads answers into 512 octets as stock does"),
    flaw("0005.exact-512-buffer", "reads into exactly 512 octets, and takes a full buffer for a cut one",
         Lookup, first_size=lambda self: 512),
    flaw("0005.mx-only", "asks again for MX, but not for A and ANY",
         Lookup, is_cut=lambda self, answer, kind: kind == MX and Lookup.is_cut(self, answer, kind)),
    flaw("0005.only-4096", "asks again into 4,096 octets only", Lookup, large_size=4096),
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
