"""The sessions of the embedded reference's qmail-smtpd, in memory, on a clock that jumps."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from conformance.pod.base import octets
from conformance.pod.configuration import Configuration, Program
from conformance.pod.observation import SmtpdProcess
from conformance.reference import acts
from conformance.reference.build import Build
from conformance.reference.driver import WAITS, Driver
from conformance.reference.policy import SmtpdSettings
from conformance.reference.smtpd import session
from conformance.reference.verify import ANSWER_LIMIT
from conformance.targets.docker.scripts import PROGRAMS, STATE, smtpd_command, variables
from conformance.targets.virtual import Clock
from conformance.targets.virtual_host import VirtualHost

#: Octets of replies that two hosts keep for a client that does not read.
_MOST_UNREAD = 8 << 20
#: What a session holds: some memory, and the three descriptors that it is started with.
_HELD = acts.Leak(memory=1024, descriptors=3)

#: Octets that qmail-smtpd reads at once: what it has not read is there for a program to read.
_AT_ONCE = 1024

#: Seconds for which a program reads what does not end.
_READS = 1.0

_FIRST_PORT = 40000

#: What tcpserver adds to the environment, but for the client's port.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PROTO": "TCP",
    "TCPLOCALIP": "127.0.0.1",
    "TCPLOCALPORT": "25",
    "TCPLOCALHOST": "0",
    "TCPREMOTEIP": "127.0.0.1",
}


class SmtpdConnection:
    """One session of qmail-smtpd: the ports of its engine, and what waits on either side."""

    def __init__(self, clock: Clock, host: VirtualHost, engine: acts.Engine, pid: int) -> None:
        self._clock = clock
        self._pid = pid
        self._held = _HELD
        self.reset = False  #: the connection ends with a reset
        self._host = host
        self._driver = Driver(engine, self)
        self._unread = b""
        self._sleeping = False
        self._later: object = None  #: what the engine is given when it wakes
        self._eaten = False  #: a program reads what the client says
        self._stuck = False  #: the client does not take what was sent last
        self._limit = 0.0  #: of the engine's patience
        self.ended_by_client = False
        self.output = bytearray()
        self.wakes = 0.0  #: when the engine stops waiting by itself
        self._driver.go_on()

    @property
    def over(self) -> bool:
        """Whether qmail-smtpd has ended."""
        return self._driver.ended

    def process(self, connection: int) -> SmtpdProcess:
        """How it ended, or what it holds."""
        seen = SmtpdProcess(connection, self._pid, reset=self.reset)
        if self.over:
            return replace(seen, status=int(self._driver.result))
        held = self._held
        return replace(seen, memory=held.memory, descriptors=held.descriptors, children=held.children)

    def take_in(self, said: bytes) -> None:
        """The client said something; the engine hears of it, unless it sleeps."""
        if not self._eaten:
            self._unread += said
        self._hear()

    def end(self) -> None:
        """The client closed the connection."""
        self.ended_by_client = True
        self._hear()

    def wake(self) -> None:
        """The time has come that the engine waited for."""
        self._sleeping = self._eaten = self._stuck = False
        result, self._later = self._later, None
        self._driver.go_on(result)

    def taken(self) -> bytes:
        """What the client takes of the output: all."""
        said, self.output = bytes(self.output), bytearray()
        if self._stuck:
            self._sleeping = self._stuck = False
            self._driver.go_on(True)
        return said

    def _hear(self) -> None:
        if not self.over and not self._sleeping and (self._unread or self.ended_by_client):
            self._driver.go_on(self._take())

    def _take(self) -> bytes:
        taken, self._unread = self._unread[:_AT_ONCE], self._unread[_AT_ONCE:]
        return taken

    # Ports: those that are not here are the host's

    def __getattr__(self, port: str) -> Any:
        return getattr(self._host, port)

    def receive(self, limit: float) -> object:
        self._limit = limit
        if self._unread or self.ended_by_client:
            return self._take()
        self.wakes = self._clock.at + limit
        return WAITS

    def sleep(self, seconds: float, then: object = None) -> object:
        self._sleeping, self._later = True, then
        self.wakes = self._clock.at + seconds
        return WAITS

    def send(self, said: bytes) -> object:
        self.output += said
        if len(self.output) <= _MOST_UNREAD:
            return True
        self._stuck = True
        return self.sleep(self._limit, False)

    def reset_connection(self) -> None:
        self.reset = True

    def leak(self, act: acts.Leak) -> None:
        held = self._held
        self._held = acts.Leak(
            held.memory + act.memory, held.descriptors + act.descriptors, held.children + act.children
        )

    def close(self) -> None:
        """The engine's end closes it."""

    def check_recipient(self, act: acts.CheckRecipient) -> object:
        outcome = self._host.check_recipient(act)
        return self._with_behaviour(self._host.program("rcptcheck"), act, outcome)

    def verify_recipient(self, server: str, recipient: bytes) -> object:
        outcome = self._host.verify_recipient(server, recipient)
        return self.sleep(ANSWER_LIMIT, outcome) if outcome == "timeout" else outcome

    def check_password(self, act: acts.CheckPassword) -> object:
        before = len(self._host.hook_calls)
        outcome: object = self._host.check_password(act)
        for call in self._host.hook_calls[before:]:
            outcome = self._with_behaviour(self._host.program(call.program), act, outcome)
        return outcome

    def enqueue(self, act: acts.Enqueue) -> object:
        queued = self._host.enqueue(act)
        program = self._host.program("qmail-queue")
        if program is not None and act.surroundings.descriptors.get(2) == acts.SOCKET:
            self.output += octets(program.complains)
        else:
            self._host.complain(program)
        return self.sleep(inf) if queued.status == acts.HUNG else queued

    def _with_behaviour(
        self, program: Program | None, act: acts.CheckRecipient | acts.CheckPassword, outcome: object
    ) -> object:
        """What the client notices of a program; its outcome, or WAITS while it takes its time."""
        if program is None or outcome == acts.MISSING:
            return outcome
        descriptors = act.surroundings.descriptors
        for number, said in ((1, program.says), (2, program.complains)):
            if descriptors.get(number) == acts.SOCKET:
                self.output += octets(said)
        if descriptors.get(2) == acts.LOG:
            self._host.complain(program)
        if outcome == acts.HUNG:
            return self.sleep(inf if act.limit is None else act.limit, acts.HUNG)
        if program.reads and descriptors.get(0) == acts.SOCKET:
            self._unread, self._eaten = b"", True
            return self.sleep(_READS, outcome)
        return outcome


class Tcpserver:
    """Port 25: starts a session of `build`'s qmail-smtpd for whoever connects.

    `control` gives the control files as they stand when a session begins, `process` a free number.
    """

    def __init__(
        self,
        clock: Clock,
        host: VirtualHost,
        build: Build,
        configuration: Configuration,
        control: Callable[[], dict[str, str]],
        process: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._host = host
        self._build = build
        self._environment = _ENVIRONMENT | variables(configuration, STATE)
        self._checkprogram = tuple(smtpd_command(configuration, PROGRAMS, STATE)[1:])
        self._control = control
        self._process = process
        self._ports = itertools.count(_FIRST_PORT)
        self._sessions: list[SmtpdConnection] = []

    def connect(self) -> SmtpdConnection:
        pid = self._process()
        settings = SmtpdSettings(
            control=self._control(),
            environment={**self._environment, "TCPREMOTEPORT": str(next(self._ports))},
            build=self._build,
            checkprogram=self._checkprogram,
            pid=pid,
        )
        made = SmtpdConnection(self._clock, self._host, session(settings), pid)
        self._sessions = [each for each in self._sessions if not each.over] + [made]
        return made

    def sleepers(self, until: float) -> list[SmtpdConnection]:
        """The sessions that stop waiting by then, the earliest first."""
        sleeping = [each for each in self._sessions if not each.over and each.wakes <= until]
        return sorted(sleeping, key=lambda each: each.wakes)
