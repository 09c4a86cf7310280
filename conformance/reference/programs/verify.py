"""qmail-verify: answers over UDP whether a recipient exists; and the question that qmail-smtpd asks it."""

import os
import socket
import struct
from typing import NoReturn, Set

from conformance.reference.control import ControlFiles
from conformance.reference.programs import place
from conformance.reference.programs.accounts import SystemAccounts
from conformance.reference.verify import ANSWER_LIMIT, Verifier, server_of

_LONGEST = 900
_VALID, _INVALID = b"\0", b"\1"


def main(home: str) -> NoReturn:
    """Serve until killed. LISTEN may name another address and port."""
    os.chdir(home)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(server_of(place.environment().get("LISTEN", "")))
        serve(home, service)


def serve(home: str, service: socket.socket) -> NoReturn:
    """Answer what comes in at a bound socket, until the process ends."""
    control = ControlFiles(place.control_files(home))
    table = place.environment().get("VERIFY_FASTFORWARDCDB")
    aliases = keys_of(table) if table is not None and "0003" in place.carried_patches() else None
    while True:
        recipient, asker = service.recvfrom(_LONGEST)
        exists = Verifier(control, SystemAccounts(home), aliases).knows(recipient.partition(b"\0")[0])
        service.sendto(_VALID if exists else _INVALID, asker)


def keys_of(path: str) -> Set[bytes]:
    """The keys of a constant database (cdb): its records stand between the pointers and the first table."""
    with open(path, "rb") as file:
        octets = file.read()
    end = min(struct.unpack_from("<512I", octets)[::2])
    at, keys = 2048, set()
    while at < end:
        key, value = struct.unpack_from("<2I", octets, at)
        keys.add(octets[at + 8 : at + 8 + key])
        at += 8 + key + value
    return keys


def ask(server: str, recipient: bytes) -> str:
    """The result of a `VerifyRecipient` for the value of VERIFY."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(ANSWER_LIMIT)
            asking.connect(server_of(server))
            asking.send(recipient + b"\0")
            return "valid" if asking.recv(_LONGEST)[:1] == _VALID else "invalid"
    except socket.timeout:
        return "timeout"
    except OSError as error:
        return (error.strerror or "trouble").lower()  # as error_str.c has it
