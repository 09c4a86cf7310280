"""qmail-lspawn: what it keeps of a report of qmail-local that is too long."""

from typing import Iterable

#: Octets that it reads at a time, octets of a report that it keeps, and what it says of a longer one.
_READ, _LONGEST, _TOO_LONG = 128, 3000, b"\nError report too long, sorry.\n"


def kept_report(written: Iterable[bytes]) -> bytes:
    """The report made of what was written, each part at a time of its own.

    It is cut after every read: up to three octets that come by themselves still have room behind the cut.
    """
    report = b""
    for part in written:
        for at in range(0, len(part), _READ):
            report += part[at : at + _READ]
            if len(report) > _LONGEST:
                report = report[: _LONGEST - len(_TOO_LONG) - 3] + _TOO_LONG
    return report
