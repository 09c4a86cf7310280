"""The host of the embedded reference, in memory: its hooks and its log, and the sessions of qmail-smtpd."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.pod.base import octets, text
from conformance.pod.configuration import Configuration
from conformance.pod.observation import HookCall, SmtpdProcess
from conformance.reference import acts
from conformance.reference.driver import WAITS, Driver
from conformance.reference.verify import ANSWER_LIMIT
from conformance.targets.virtual import Clock

RCPTCHECK = "/var/lib/conformance/rcptcheck"
_HOME = "/var/lib/qmail"
#: What a session holds: some memory, and the three descriptors that it is started with.
_HELD = acts.Leak(memory=1024, descriptors=3)


class VirtualHost:
    """Ports for what qmail-smtpd asks of its host rather than of its client.

    `passwords` maps the users that checkprogram knows, `enqueue` and `discard` are qmail-queue,
    `exists` qmail-verify.
    `hook_calls` and `lines` (of the log) grow as they come.
    """

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        passwords: Mapping[str, str],
        enqueue: Callable[[acts.Enqueue], acts.Queued],
        exists: Callable[[bytes], bool],
        discard: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._passwords = passwords
        self._exists = exists
        self.hook_calls: list[HookCall] = []
        self.lines: list[str] = []
        self.now, self.enqueue, self.log = clock.now, enqueue, self.lines.append
        self.discard = discard

    def check_recipient(self, act: acts.CheckRecipient) -> int | str:
        check = self._configuration.recipient_check
        if check is None or check.fate == "missing" or act.program != RCPTCHECK:
            return acts.MISSING
        self.hook_calls.append(HookCall("rcptcheck", [], _HOME, dict(act.environment)))
        if check.fate == "crash":
            return acts.CRASHED
        return check.exits.get(act.environment.get("RECIPIENT", ""), check.default)

    def said_to_client(self, act: acts.CheckRecipient) -> bytes:
        """What RCPTCHECK's program prints where it has the connection for its output."""
        check = self._configuration.recipient_check
        return octets(check.says) if check and act.to_client and check.fate != "missing" else b""

    def verify_recipient(self, server: str, recipient: bytes) -> str:
        if not self._configuration.verifying:
            return "Connection refused"
        if self._configuration.verifying == "mute":
            self._clock.reach(self._clock.at + ANSWER_LIMIT)
            return "timeout"
        return "valid" if self._exists(recipient) else "invalid"

    def check_password(self, act: acts.CheckPassword) -> int | str:
        check = self._configuration.password_check
        if check is None or check.fate == "missing":
            return acts.MISSING
        password = self._passwords.get(text(act.user))
        accepted = False
        if password is not None and check.fate != "crash":
            expected = octets(password)
            if act.challenge:
                expected = hmac.new(expected, act.challenge, hashlib.md5).hexdigest().encode("ascii")
            accepted = hmac.compare_digest(expected, act.password)
        shown = ("TCPREMOTEINFO", "RELAYCLIENT")
        environment = {name: act.environment[name] for name in shown if name in act.environment}
        arguments, who = [f"/bin/{check.subprogram}"], (text(act.user), text(act.challenge), accepted)
        self.hook_calls.append(HookCall("checkpassword", arguments, _HOME, environment, *who))
        if check.fate == "crash":
            return acts.CRASHED
        return 0 if accepted and check.subprogram == "true" else 1


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
        self._unread += said
        self._hear()

    def end(self) -> None:
        """The client closed the connection."""
        self.ended_by_client = True
        self._hear()

    def wake(self) -> None:
        """The time has come that the engine waited for."""
        self._sleeping = False
        self._driver.go_on(None)

    def _hear(self) -> None:
        if not self.over and not self._sleeping and (self._unread or self.ended_by_client):
            self._driver.go_on(self._take())

    def _take(self) -> bytes:
        taken, self._unread = self._unread, b""
        return taken

    # Ports: those that are not here are the host's

    def __getattr__(self, port: str) -> Any:
        return getattr(self._host, port)

    def receive(self, limit: float) -> object:
        if self._unread or self.ended_by_client:
            return self._take()
        self.wakes = self._clock.at + limit
        return WAITS

    def sleep(self, seconds: float) -> object:
        self._sleeping = True
        self.wakes = self._clock.at + seconds
        return WAITS

    def send(self, said: bytes) -> None:
        self.output += said

    def leak(self, act: acts.Leak) -> None:
        held = self._held
        self._held = acts.Leak(
            held.memory + act.memory, held.descriptors + act.descriptors, held.children + act.children
        )

    def close(self) -> None:
        """The engine's end closes it."""

    def check_recipient(self, act: acts.CheckRecipient) -> int | str:
        self.output += self._host.said_to_client(act)
        return self._host.check_recipient(act)
