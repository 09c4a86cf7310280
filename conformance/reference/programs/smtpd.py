"""qmail-smtpd: the engine between descriptors 0 and 1, under tcpserver's environment."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import Any, Optional

from conformance.reference import acts
from conformance.reference.policy import SmtpdSettings
from conformance.reference.programs import place
from conformance.reference.programs.processes import hand_in, run_apart
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
        patches=place.carried_patches(),
        checkprogram=tuple(place.arguments(sys.argv)),
        own_addresses=own,
        pid=os.getpid(),
    )
    return Client(home).serve(session(settings))


class Client:
    """The SMTP client on descriptors 0 and 1, and what the engine needs besides."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._lost = False
        self._limit = 1200.0
        # A client that reads nothing must not hold us beyond the time limit.
        os.set_blocking(1, False)

    def serve(self, engine: acts.Engine) -> int:
        """Carry out what the engine asks for, to its end; the exit status that it returns."""
        result: Any = None
        while True:
            try:
                act = engine.send(result)
            except StopIteration as stop:
                return int(stop.value)
            result = self._result(act)

    def _result(self, act: acts.Act) -> Any:
        if isinstance(act, acts.Receive):
            self._limit = act.limit
            return self._receive(act.limit)
        if isinstance(act, acts.Send):
            self._send(act.octets)
        elif isinstance(act, acts.Log):
            os.write(2, act.line.encode("latin-1") + b"\n")
        elif isinstance(act, acts.Now):
            return time.time()
        elif isinstance(act, acts.Sleep):
            time.sleep(act.seconds)
        elif isinstance(act, acts.CheckRecipient):
            return run_apart([act.program], act.environment, self._home)
        elif isinstance(act, acts.CheckPassword):
            credentials = b"".join(part + b"\0" for part in (act.user, act.password, act.challenge))
            return run_apart(act.arguments, act.environment, self._home, credentials)
        elif isinstance(act, acts.VerifyRecipient):
            return ask(act.server, act.recipient)
        elif isinstance(act, acts.Enqueue):
            return hand_in(self._home, act.message, act.sender, act.recipients, place.environment())
        return None

    def _receive(self, limit: float) -> Optional[bytes]:
        deadline = time.monotonic() + limit
        while not self._lost:
            if not select.select([0], [], [], max(deadline - time.monotonic(), 0))[0]:
                return None
            try:
                return os.read(0, _MOST_OCTETS)
            except BlockingIOError:
                continue
            except OSError:
                break
        return b""

    def _send(self, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest and not self._lost:
            if not select.select([], [1], [], self._limit)[1]:
                self._lost = True
                return
            try:
                rest = rest[os.write(1, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                self._lost = True
