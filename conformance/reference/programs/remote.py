"""qmail-remote: arguments HOST SENDER RECIPIENT…, the message on descriptor 0, the report on descriptor 1."""

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
    settings = RemoteSettings(
        control=control,
        build=Build(place.carried_patches()),
        resolver=options,
        own_addresses=own_addresses(),
        random=int(time.time()) + (os.getpid() << 16),
        number=lambda: int.from_bytes(os.urandom(2), "big"),
    )
    connection = MxConnection(float(ControlFiles(control).number("timeoutremote", 1200)))
    network = Network(ResolverSocket(address, int(port)), connection)
    try:
        report = drive(delivery(settings, host, sender, recipients, message), network)
    finally:
        connection.close()
    write_all(1, report)
    return 0
