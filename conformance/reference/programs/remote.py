"""qmail-remote: arguments HOST SENDER RECIPIENT…, the message on descriptor 0, the report on descriptor 1."""

import contextlib
import os
import sys
import time

from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.driver import drive
from conformance.reference.programs import place
from conformance.reference.programs.network import MxConnection, Network, ResolverSocket, own_addresses
from conformance.reference.programs.processes import read_all, write_all
from conformance.reference.remote import RemoteSettings, delivery
from conformance.reference.tcpto import TimeoutTable

_TIMEOUTS = "queue/lock/tcpto"


def read_timeouts(home: str) -> TimeoutTable:
    """The hosts that timed out; nothing where they cannot be read."""
    try:
        with open(os.path.join(home, _TIMEOUTS), "rb") as file:
            return TimeoutTable.read(file.read())
    except OSError:
        return TimeoutTable()


def write_timeouts(home: str, timeouts: TimeoutTable) -> None:
    """Keep them; that this fails harms no delivery."""
    with contextlib.suppress(OSError), open(os.path.join(home, _TIMEOUTS), "r+b") as file:
        file.write(timeouts.octets())


def main(home: str) -> int:
    """One delivery; the exit status is 0 whatever became of it."""
    words = place.arguments(sys.argv)
    if len(words) < 3:
        write_all(1, b"DI (qmail-remote) was invoked improperly. (#5.3.5)\n\0")
        return 0
    host, sender, *recipients = words
    try:
        message = read_all(0)
    except OSError:
        write_all(1, b"ZUnable to read message. (#4.3.0)\n\0")
        return 0
    control = place.control_files(home)
    address, options = place.resolver()
    address, _, port = os.environ.get(place.NAMESERVER_VARIABLE, f"{address}:53").partition(":")
    timeouts = read_timeouts(home)
    settings = RemoteSettings(
        control=control,
        build=Build(place.carried_patches()),
        resolver=options,
        own_addresses=own_addresses(),
        random=int(time.time()) + (os.getpid() << 16),
        number=lambda: int.from_bytes(os.urandom(2), "big"),
        timeouts=timeouts,
        process=os.getpid(),
    )
    connection = MxConnection(float(ControlFiles(control).number("timeoutremote", 1200)))
    network = Network(ResolverSocket(address, int(port)), connection)
    before = timeouts.octets()
    try:
        report = drive(delivery(settings, host, sender, recipients, message), network)
    finally:
        connection.close()
    if timeouts.octets() != before:
        write_timeouts(home, timeouts)
    write_all(1, report)
    return 0
