"""qmail-smtpd: the engine between descriptors 0 and 1, under tcpserver's environment."""

import os
import select
import sys
import time
from typing import Optional, Union

from conformance.reference.acts import CheckPassword, CheckRecipient, Discard, Enqueue, Queued
from conformance.reference.build import Build
from conformance.reference.driver import drive
from conformance.reference.policy import SmtpdSettings
from conformance.reference.programs import place
from conformance.reference.programs.processes import hand_in, run_apart, write_all
from conformance.reference.programs.verify import ask
from conformance.reference.smtpd import session

_MOST_OCTETS = 1 << 16


def main(home: str) -> int:
    """One session; the exit status."""
    os.chdir(home)
    os.umask(0o022)
    variables = place.environment()
    own = ("0.0.0.0", "127.0.0.1", variables.get("TCPLOCALIP", "127.0.0.1"))
    settings = SmtpdSettings(
        control=place.control_files(home),
        environment=variables,
        build=Build(place.carried_patches()),
        checkprogram=tuple(place.arguments(sys.argv)),
        own_addresses=own,
        pid=os.getpid(),
    )
    return int(drive(session(settings), SmtpdPorts(home)))


class SmtpdPorts:
    """The SMTP client on descriptors 0 and 1, and what the engine needs besides; `home` is qmail's."""

    now, sleep, verify_recipient = staticmethod(time.time), staticmethod(time.sleep), staticmethod(ask)

    def __init__(self, home: str) -> None:
        self._home = home
        self._lost = False
        self._limit = 1200.0
        # A client that reads nothing must not hold us beyond the time limit.
        os.set_blocking(1, False)

    def log(self, line: str) -> None:
        write_all(2, line.encode("latin-1") + b"\n")

    def check_recipient(self, act: CheckRecipient) -> Union[int, str]:
        return run_apart([act.program], act.environment, self._home, act.limit)

    def check_password(self, act: CheckPassword) -> Union[int, str]:
        said = (act.user, act.password, act.challenge)[: 3 if act.final else 2]
        credentials = b"".join(part + b"\0" for part in said)
        return run_apart(act.arguments, act.environment, self._home, act.limit, credentials)

    def enqueue(self, wanted: Enqueue) -> Queued:
        return hand_in(self._home, wanted, place.environment())

    def receive(self, limit: float) -> Optional[bytes]:
        self._limit = limit
        if self._lost:
            return b""
        if not select.select([0], [], [], limit)[0]:
            return None
        try:
            return os.read(0, _MOST_OCTETS)
        except OSError:
            return b""

    def send(self, octets: bytes) -> bool:
        rest = memoryview(octets)
        while rest and not self._lost:
            try:
                if not select.select([], [1], [], self._limit)[1]:
                    return False
                rest = rest[os.write(1, rest) :]
            except OSError:
                self._lost = True
        return True

    def discard(self, given_up: Discard) -> None:
        """qmail-queue is run with whole messages only."""

    def close(self) -> None:
        """The end of the process closes the connection."""
