"""qmail-remote: arguments HOST SENDER RECIPIENT…, the message on descriptor 0, the report on descriptor 1."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from conformance.reference import acts
from conformance.reference.control import ControlFiles
from conformance.reference.programs import place
from conformance.reference.programs.network import Connection, NameServer, own_addresses
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
    port = 53
    named = os.environ.get(place.NAMESERVER_VARIABLE, "")
    if named:
        address, _, given = named.partition(":")
        port = int(given)
    settings = RemoteSettings(
        control=control,
        patches=place.carried_patches(),
        resolver=options,
        own_addresses=own_addresses(),
        random=int(time.time()) + (os.getpid() << 16),
        number=lambda: int.from_bytes(os.urandom(2), "big"),
    )
    timeout = float(ControlFiles(control).number("timeoutremote", 1200))
    report = drive(
        delivery(settings, host, sender, recipients, message), NameServer(address, port), Connection(timeout)
    )
    write_all(1, report)
    return 0


def drive(engine: acts.Engine, nameserver: NameServer, connection: Connection) -> bytes:
    """Carry out what the engine asks for, to its end; the report that it returns."""
    result: Any = None
    try:
        while True:
            act = engine.send(result)
            result = None
            if isinstance(act, acts.Receive):
                result = connection.receive(act.limit)
            elif isinstance(act, acts.Send):
                connection.send(act.octets)
            elif isinstance(act, acts.Connect):
                result = connection.open(act)
            elif isinstance(act, acts.Close):
                connection.close()
            elif isinstance(act, acts.AskDns):
                result = nameserver.ask(act)
            elif isinstance(act, acts.AwaitDns):
                result = nameserver.wait(act.limit)
            elif isinstance(act, acts.Now):
                result = time.time()
    except StopIteration as stop:
        return bytes(stop.value)
    finally:
        connection.close()
