"""The reference as a pod: in process, without sockets, on a clock that jumps instead of waiting."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import itertools
import struct
from typing import Any

from conformance.cases.attempt import Played, play
from conformance.cases.script import Script
from conformance.internet.nameserver import NameServer
from conformance.pod.base import PodFailure, octets, text
from conformance.pod.configuration import Configuration
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import HookCall, Observation, QueuedMessage, RemoteResult
from conformance.pod.secrets import fixture_secrets
from conformance.pod.world import World
from conformance.reference import acts
from conformance.reference.control import ControlFiles
from conformance.reference.flaws import checked
from conformance.reference.local import Homes
from conformance.reference.policy import SmtpdSettings
from conformance.reference.queue import Queue
from conformance.reference.remote import RemoteSettings, delivery
from conformance.reference.send import Send
from conformance.reference.smtpd import session
from conformance.reference.verify import verified
from conformance.targets.virtual import Clock, Connection, DeadlineReached, ExchangerConnection

_FIRST_PROCESS = 1000
_FIRST_PORT = 40000
_HOME = "/var/lib/qmail"
_RCPTCHECK = "/var/lib/conformance/rcptcheck"
_CHECKPROGRAM = ("checkpassword",)
_KILLED = -9
_VERIFY_LIMIT = 5.0  #: seconds that qmail-smtpd waits for qmail-verify's answer
_TCPSERVER = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PROTO": "TCP",
    "TCPLOCALIP": "127.0.0.1",
    "TCPLOCALPORT": "25",
    "TCPLOCALHOST": "0",
    "TCPREMOTEIP": "127.0.0.1",
}


class ReferencePod:
    """Implements `conformance.pod.base.Pod` with the reference, carrying `patches` and built with `flaws`.

    `users` maps names to passwords in place of `fixtures/mailboxes/`. Raises ValueError for an unknown flaw.
    """

    def __init__(
        self,
        patches: tuple[str, ...],
        flaws: frozenset[str] = frozenset(),
        users: dict[str, str] | None = None,
    ) -> None:
        self._patches = frozenset(patches)
        self._flaws = checked(flaws)
        known = load_users()
        self._passwords = passwords(known) if users is None else dict(users)
        self._dot_qmail = {name: user.dot_qmail for name, user in known.items()}
        if users is not None:
            self._dot_qmail = {name: {} for name in users} | {"alias": known["alias"].dot_qmail}
        self._numbers = itertools.count(1)
        self._connections: dict[int, Connection] = {}
        self._reset(World(), Configuration())

    def _reset(self, world: World, configuration: Configuration) -> None:
        self.clock = Clock()
        self._world = world
        self._configuration = configuration
        self._processes = itertools.count(_FIRST_PROCESS)
        self._ports = itertools.count(_FIRST_PORT)
        self._question_ids = itertools.count(1)
        self._dns = NameServer(world)
        self._mx_connections: list[ExchangerConnection] = []
        self._hook_calls: list[HookCall] = []
        self._log: list[str] = []
        self._connections.clear()
        dot_qmail = {user: dict(files) for user, files in self._dot_qmail.items()}
        for name, content in configuration.dot_qmail.items():
            user, _, file = name.partition("/")
            dot_qmail.setdefault(user, {})[file] = content
        self._homes = Homes(dot_qmail)
        self._queue = Queue(self.clock.now, lambda: next(self._processes))
        self._send = Send(
            configuration.control, self._queue, self._homes, self._run_remote, self._log.append, self._flaws
        )
        self._deadline = float("inf")

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self._reset(world, configuration)

    # qmail-smtpd

    async def connect(self) -> int:
        number = next(self._numbers)
        pid = next(self._processes)
        environment = dict(_TCPSERVER)
        environment["TCPREMOTEPORT"] = str(next(self._ports))
        environment.update(self._configuration.environment)
        if self._configuration.recipient_check is not None:
            environment["RCPTCHECK"] = _RCPTCHECK
        check = self._configuration.password_check
        settings = SmtpdSettings(
            control=self._configuration.control,
            environment=environment,
            patches=self._patches,
            flaws=self._flaws,
            checkprogram=() if check is None else (*_CHECKPROGRAM, check.subprogram),
            pid=pid,
        )
        self._connections[number] = Connection(
            self.clock, functools.partial(self._serve, number), session(settings)
        )
        return number

    async def send(self, connection: int, data: bytes) -> bool:
        found = self._connection(connection)
        if found.over or found.ended_by_client:
            return False
        if data:
            found.unread.append(data)
            found.hear()
        return True

    async def receive(self, connection: int, limit: float) -> bytes | None:
        found = self._connection(connection)
        until = self.clock.at + limit
        if not found.output and not found.over:
            await asyncio.sleep(0)  # what other tasks have to say is said before the clock jumps
        while not found.output and not found.over:
            waiting = [each for each in self._connections.values() if not each.over and each.wakes <= until]
            if not waiting:
                self.clock.reach(until)
                return None
            first = min(waiting, key=lambda each: each.wakes)
            self.clock.reach(first.wakes)
            first.wake()
        said, found.output = bytes(found.output), bytearray()
        return said

    async def shut(self, connection: int) -> None:
        found = self._connection(connection)
        found.ended_by_client = True
        found.hear()

    async def close(self, connection: int) -> None:
        if connection in self._connections:
            await self.shut(connection)
            # A session that sleeps notices afterwards; nobody waits for it.
            if self._connections[connection].over:
                del self._connections[connection]

    def _connection(self, number: int) -> Connection:
        if number not in self._connections:
            raise PodFailure(f"there is no connection {number}")
        return self._connections[number]

    def _serve(self, number: int, act: acts.Act) -> Any:
        """The result of an act of qmail-smtpd that needs no waiting."""
        match act:
            case acts.Now():
                return self.clock.now()
            case acts.Log(line):
                self._log.append(line)
            case acts.CheckRecipient():
                return self._check_recipient(number, act)
            case acts.CheckPassword():
                return self._check_password(act)
            case acts.VerifyRecipient(_, recipient):
                return self._verify_recipient(recipient)
            case acts.Enqueue():
                return self._queue.enqueue(act)
        return None

    def _check_recipient(self, number: int, act: acts.CheckRecipient) -> int | str:
        check = self._configuration.recipient_check
        if check is None or check.fate == "missing" or act.program != _RCPTCHECK:
            return acts.MISSING
        self._hook_calls.append(HookCall("rcptcheck", [], _HOME, dict(act.environment)))
        if act.to_client:
            self._connection(number).output += octets(check.says)
        if check.fate == "crash":
            return acts.CRASHED
        return check.exits.get(act.environment.get("RECIPIENT", ""), check.default)

    def _verify_recipient(self, recipient: bytes) -> str:
        if not self._configuration.verifying:
            return "Connection refused"
        if self._configuration.verifying == "mute":
            self.clock.reach(self.clock.at + _VERIFY_LIMIT)
            return "timeout"
        found = verified(ControlFiles(self._configuration.control), lambda box: self._homes, recipient)
        return "valid" if found else "invalid"

    def _check_password(self, act: acts.CheckPassword) -> int | str:
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
        self._hook_calls.append(HookCall("checkpassword", arguments, _HOME, environment, *who))
        if check.fate == "crash":
            return acts.CRASHED
        return 0 if accepted and check.subprogram == "true" else 1

    # qmail-remote and qmail-send

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        began = self.clock.at
        self._deadline = began + limit
        try:
            report = self._deliver(host, sender, recipients, message)
        except DeadlineReached:
            return RemoteResult("", _KILLED, False, self.clock.at - began)
        return RemoteResult(text(report), 0, True, self.clock.at - began)

    async def wait_until_idle(self, limit: float) -> bool:
        self._deadline = self.clock.at + limit
        if self._configuration.delivering:
            try:
                self._send.run()
            except DeadlineReached:
                return False
        return self.clock.at <= self._deadline

    def _run_remote(self, host: bytes, sender: bytes, recipient: bytes, message: bytes) -> tuple[int, bytes]:
        return 0, self._deliver(text(host), text(sender), [text(recipient)], message)

    def _deliver(self, host: str, sender: str, recipients: list[str], message: bytes) -> bytes:
        process = next(self._processes)
        settings = RemoteSettings(
            control=self._configuration.control,
            patches=self._patches,
            flaws=self._flaws,
            resolver=self._configuration.resolver,
            random=int(self.clock.now()) + (process << 16),
            number=lambda: next(self._question_ids) & 0xFFFF,
        )
        engine = delivery(settings, host, sender, recipients, message)
        exchanger: ExchangerConnection | None = None
        result: Any = None
        try:
            while True:
                act = engine.send(result)
                result = None
                match act:
                    case acts.Now():
                        result = self.clock.now()
                    case acts.AskDns():
                        result = self._ask(act)
                    case acts.AwaitDns(limit):
                        self._wait(limit)
                    case acts.Connect(address, port, limit):
                        exchanger = None
                        if self._silent(address, port):
                            self._wait(limit)
                            result = "timeout"
                        else:
                            exchanger = self._meet(address, port)
                            result = "" if exchanger is not None else "refused"
                    case acts.Send(said):
                        if exchanger is not None:
                            exchanger.tell(said, self.clock.at)
                    case acts.Receive(limit):
                        result = b"" if exchanger is None else exchanger.hear()
                        if result is None:
                            self._wait(limit)
                    case acts.Close():
                        if exchanger is not None:
                            exchanger.session.closed(self.clock.at)
                            exchanger = None
        except StopIteration as stop:
            report: bytes = stop.value
            return report
        finally:
            if exchanger is not None:
                exchanger.session.closed(self.clock.at)

    def _wait(self, seconds: float | None) -> None:
        """Let time pass; None is for ever. Raises DeadlineReached at the limit of the act under way."""
        if seconds is None or self.clock.at + seconds > self._deadline:
            self.clock.reach(self._deadline)
            raise DeadlineReached
        self.clock.reach(self.clock.at + seconds)

    def _silent(self, address: str, port: int) -> bool:
        return any(
            each.silent and (each.address, each.port) == (address, port) for each in self._world.exchangers
        )

    def _meet(self, address: str, port: int) -> ExchangerConnection | None:
        for exchanger in self._world.exchangers:
            if (exchanger.address, exchanger.port) == (address, port):
                connection = ExchangerConnection(exchanger, self.clock.at)
                self._mx_connections.append(connection)
                return connection
        return None

    def _ask(self, act: acts.AskDns) -> bytes | acts.Stream | str | None:
        if act.over == "udp":
            answer = self._dns.answer(act.message, "udp", self.clock.at)
            late = act.limit is not None and answer.delay >= act.limit
            if answer.octets is None or late:
                self._wait(act.limit)
                return None
            self._wait(answer.delay)
            return answer.octets
        if self._world.tcp == "refuse":
            return "refused"
        answer = self._dns.answer(act.message, "tcp", self.clock.at)
        silent = answer.octets is None and answer.end != "close"
        if silent or (act.limit is not None and answer.delay >= act.limit):
            self._wait(act.limit)
            return acts.Stream(b"", "stalled")
        self._wait(answer.delay)
        framed = b"" if answer.octets is None else struct.pack(">H", len(answer.octets)) + answer.octets
        sent = framed if answer.limit is None else framed[: answer.limit]
        if answer.end == "stall" and len(sent) < len(framed):
            self._wait(None if act.limit is None else act.limit - answer.delay)
            return acts.Stream(b"", "stalled")
        return acts.Stream(sent, "closed" if answer.end == "close" else "whole")

    # What can be seen

    async def observe(self) -> Observation:
        queue = [
            QueuedMessage(
                text(message.sender),
                [text(recipient.address) for recipient in message.pending],
                text(message.octets),
            )
            for message in self._queue.messages
        ]
        mailboxes = {user: list(map(text, messages)) for user, messages in self._homes.mailboxes.items()}
        return Observation(
            questions=list(self._dns.questions),
            mx_sessions=[each.session.seen for each in self._mx_connections],
            queue=queue,
            mailboxes=mailboxes,
            hook_calls=list(self._hook_calls),
            log=list(self._log),
            stray=list(self._dns.stray),
        )

    async def play(self, script: Script) -> Played:
        """What came of a script: see `conformance.targets.pool.Player`."""
        return await play(script, self, fixture_secrets())

    async def dispose(self) -> None:
        self._connections.clear()
