"""Hosts whose connections timed out (qmail-tcpto(8)): a table of 64 addresses that qmail-remotes share."""

import struct
from dataclasses import dataclass
from typing import List, Optional

#: Of a record: four octets of address, the count, three unused ones, when (little-endian), four unused ones.
_RECORD = struct.Struct("<4sB3xL4x")
_ENTRIES = 64
#: Seconds within which a further time-out is the same one.
_SAME = 120
_MOST = 10


@dataclass
class TimedOut:
    """One address, how often it timed out, and when last."""

    address: str = "0.0.0.0"
    count: int = 0
    when: int = 0


class TimeoutTable:
    """The table. An address with two time-outs is left alone for an hour and more (qmail-tcpto(8))."""

    #: So many time-outs make a host that is left alone.
    limit = 2

    def __init__(self, entries: Optional[List[TimedOut]] = None) -> None:
        given = list(entries or [])[:_ENTRIES]
        self.entries = given + [TimedOut() for _ in range(_ENTRIES - len(given))]

    @classmethod
    def read(cls, octets: bytes) -> "TimeoutTable":
        """The table of a file `queue/lock/tcpto`."""
        found = []
        for address, count, when in _RECORD.iter_unpack(octets[: len(octets) // 16 * 16]):
            found.append(TimedOut(".".join(map(str, address)), count, when))
        return cls(found)

    def octets(self) -> bytes:
        """The file."""
        rows = ((bytes(map(int, each.address.split("."))), each.count, each.when) for each in self.entries)
        return b"".join(_RECORD.pack(*row) for row in rows)

    def known(self) -> List[TimedOut]:
        """Those that have timed out."""
        return [each for each in self.entries if each.count]

    def _find(self, address: str) -> Optional[TimedOut]:
        return next((each for each in self.entries if each.address == address), None)

    def leaves_alone(self, address: str, now: float, process: int) -> bool:
        """Whether it is not to be tried; for how long differs a little from process to process."""
        found = self._find(address)
        if found is None or found.count < self.limit:
            return False
        return now - found.when < self.rest(process)

    def rest(self, process: int) -> int:
        """Seconds for which a host is left alone."""
        return (60 + process % 32) * 64

    def answered(self, address: str) -> None:
        """It took or refused a connection: it is no longer counted."""
        if found := self._find(address):
            found.count = 0

    def timed_out(self, address: str, now: float) -> None:
        """A connection to it timed out."""
        found = self._find(address)
        if found is None:
            found = next((each for each in self.entries if not each.count), None)
            found = found or min(self.entries, key=lambda each: each.when + (each.count << 10))
            found.address, found.count, found.when = address, 1, int(now)
        elif not found.count or now >= found.when + _SAME:
            found.count, found.when = min(found.count + 1, _MOST), int(now)
