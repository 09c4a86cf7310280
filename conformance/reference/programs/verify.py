"""qmail-verify: answers over UDP whether a recipient exists; and the question that qmail-smtpd asks it."""

from __future__ import annotations

import os
import re
import socket
from typing import NoReturn, Tuple

from conformance.reference.control import ControlFiles
from conformance.reference.local import Homes
from conformance.reference.programs import place
from conformance.reference.programs.accounts import Accounts, dot_qmail_files
from conformance.reference.verify import verified

_ADDRESS, _PORT = "127.0.0.1", 11113
_LONGEST = 900
_LIMIT = 5.0  #: seconds that qmail-smtpd waits for an answer
_VALID, _INVALID = b"\0", b"\1"


def main(home: str) -> NoReturn:
    """Serve until killed. LISTEN may name another address and port."""
    os.chdir(home)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(_server(place.environment().get("LISTEN", "")))
        serve(home, service)


def serve(home: str, service: socket.socket) -> NoReturn:
    """Answer what comes in at a bound socket, until the process ends."""
    control = ControlFiles(place.control_files(home))

    def homes(box: bytes) -> Homes:
        accounts = Accounts(home)
        found = ((name, accounts.find(name)) for name in accounts.candidates(box))
        return Homes({name: dot_qmail_files(account.home) for name, account in found if account})

    while True:
        recipient, asker = service.recvfrom(_LONGEST)
        exists = verified(control, homes, recipient.partition(b"\0")[0])
        service.sendto(_VALID if exists else _INVALID, asker)


def ask(server: str, recipient: bytes) -> str:
    """The result of a `VerifyRecipient` for the value of VERIFY."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(_LIMIT)
            asking.connect(_server(server))
            asking.send(recipient + b"\0")
            return "valid" if asking.recv(_LONGEST)[:1] == _VALID else "invalid"
    except socket.timeout:
        return "timeout"
    except OSError as error:
        return error.strerror or "trouble"


def _server(text: str) -> Tuple[str, int]:
    """ADDRESS and port in a text such as `DEFER,127.0.0.1:11113`; either may be missing."""
    found = re.search(r"(\d+\.\d+\.\d+\.\d+)?(?::(\d+))?$", text)
    address, port = found.groups() if found else (None, None)
    return address or _ADDRESS, int(port or _PORT)
