"""Flaws of qmail-remote's memory of hosts that timed out."""

from conformance.reference.flaws.flaw import flaw, nothing
from conformance.reference.remote import QmailRemote
from conformance.reference.tcpto import TimeoutTable


def _in_place_of_the_first(self: TimeoutTable, address: str, now: float) -> None:
    if all(each.count for each in self.entries) and address not in {each.address for each in self.entries}:
        self.entries[0].address = address
    TimeoutTable.timed_out(self, address, now)


def _all_failures(self: QmailRemote, address: str, failure: str, now: float) -> None:
    QmailRemote.remember(self, address, "timeout" if failure else "", now)


def _each_time(self: TimeoutTable, address: str, now: float) -> None:
    for each in self.entries:
        if each.address == address:
            each.when = 0
    TimeoutTable.timed_out(self, address, now)


def _any_host(self: TimeoutTable, address: str, now: float, process: int) -> bool:
    return any(TimeoutTable.leaves_alone(self, each.address, now, process) for each in self.known())


def _also_after_greeting(self: QmailRemote, address: str, failure: str, now: float) -> None:
    """Before it is known how the host greets."""
    self.settings.timeouts.timed_out(address, now)


FLAWS = (
    flaw("tcpto.all-hosts", "leaves all hosts alone when one has timed out twice",
         TimeoutTable, leaves_alone=_any_host),
    flaw("tcpto.connections-recorded", "remembers hosts that took the connection as well",
         QmailRemote, remember=_also_after_greeting),
    flaw("tcpto.for-ever", "leaves a host that timed out twice alone for ever",
         TimeoutTable, rest=lambda self, process: 10**9),
    flaw("tcpto.half-an-hour", "leaves a host that timed out twice alone for half an hour",
         TimeoutTable, rest=lambda self, process: 1800),
    flaw("tcpto.ignored", "does not remember hosts that timed out", TimeoutTable, timed_out=nothing),
    flaw("tcpto.never-cleared", "does not forget a time-out when the host takes a connection",
         TimeoutTable, answered=nothing),
    flaw("tcpto.not-consulted", "tries hosts that timed out twice", TimeoutTable, limit=255),
    flaw("tcpto.once", "leaves a host alone after one time-out", TimeoutTable, limit=1),
    flaw("tcpto.full-first", "overwrites the first record of a full table",
         TimeoutTable, timed_out=_in_place_of_the_first),
    flaw("tcpto.refusals-recorded", "remembers hosts that refused the connection as well",
         QmailRemote, remember=_all_failures),
    flaw("tcpto.two-minutes-ignored", "counts each time-out, however soon after the last",
         TimeoutTable, timed_out=_each_time),
)  # fmt: skip
