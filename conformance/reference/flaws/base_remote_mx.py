"""Flaws of qmail-remote in its choice of hosts: which exchangers count, which of them is this host."""

import contextlib
from typing import List

from conformance.reference.acts import Engine
from conformance.reference.dnsmessage import A
from conformance.reference.flaws.flaw import flaw, then
from conformance.reference.lookup import Lookup, LookupFailed, MxAddress, NameNotFound
from conformance.reference.remote import QmailRemote


def _own_address_last(self: Lookup, name: bytes, random: int) -> Engine:
    found, failed = yield from Lookup.by_mx(self, name, random)
    with contextlib.suppress(LookupFailed, NameNotFound):
        found += yield from self.addresses(name, 65535)
    return found, failed


def _root_fails(self: Lookup, name: bytes, preference: int = 0) -> Engine:
    if not name:
        raise LookupFailed
    return (yield from Lookup.addresses(self, name, preference))


def _no_aliases(self: Lookup, name: bytes, preference: int = 0) -> Engine:
    if b"[" not in name and (yield from self.resolve(name, A)).aliases():
        raise NameNotFound
    return (yield from Lookup.addresses(self, name, preference))


def _but_zero(self: QmailRemote, addresses: List[MxAddress]) -> List[MxAddress]:
    own = [address for address in self.settings.own_addresses if address != "0.0.0.0"]
    known = any(found.address in own for found in addresses)
    return QmailRemote.better_than_this_host(self, addresses) if known else addresses


def _equals_too(self: QmailRemote, addresses: List[MxAddress]) -> List[MxAddress]:
    own = self.settings.own_addresses
    best = min([found.preference for found in addresses if found.address in own], default=65536)
    better = [found for found in addresses if found.preference <= best and found.address not in own]
    return better or QmailRemote.better_than_this_host(self, addresses)


def _all_others(self: QmailRemote, addresses: List[MxAddress]) -> List[MxAddress]:
    others = [found for found in addresses if found.address not in self.settings.own_addresses]
    return others or QmailRemote.better_than_this_host(self, addresses)


def _first_alone(self: QmailRemote, addresses: List[MxAddress]) -> List[MxAddress]:
    first_is_own = addresses[0].address in self.settings.own_addresses
    return QmailRemote.better_than_this_host(self, addresses) if first_is_own else addresses


FLAWS = (
    flaw("remote.address-beside-mx", "uses the address of a domain that has exchangers when they fail",
         Lookup, by_mx=_own_address_last),
    flaw("remote.addresses-reversed", "tries the addresses of an exchanger from the last to the first",
         Lookup, addresses=then(Lookup.addresses, lambda found: found[::-1])),
    flaw("remote.equals-never-random", "always tries the first of exchangers of equal preference first",
         Lookup, random_wrap=2**64),
    flaw("remote.exchanger-alias-unknown", "does not find an exchanger that is an alias",
         Lookup, addresses=_no_aliases),
    flaw("remote.failed-lookup-forgotten", "forgets that an exchanger could not be looked up",
         Lookup, by_mx=then(Lookup.by_mx, lambda found: (found[0], False))),
    flaw("remote.first-address-only", "knows one address of each exchanger",
         Lookup, addresses=then(Lookup.addresses, lambda found: found[:1])),
    flaw("remote.greeting-ends-all", "does not try the next exchanger after one that takes no mail",
         QmailRemote, goes_on=lambda self: False),
    flaw("remote.null-mx-temporary", "takes the root of the DNS for a name that cannot be looked up now",
         Lookup, addresses=_root_fails),
    flaw("remote.own-equal-tried", "hands mail to an exchanger no better than itself",
         QmailRemote, better_than_this_host=_equals_too),
    flaw("remote.own-only-first", "knows itself as the first of the exchangers only",
         QmailRemote, better_than_this_host=_first_alone),
    flaw("remote.unspecified-address-tried", "does not know itself at 0.0.0.0",
         QmailRemote, better_than_this_host=_but_zero),
    flaw("remote.worse-than-own-tried", "hands mail to exchangers worse than itself",
         QmailRemote, better_than_this_host=_all_others),
)  # fmt: skip
