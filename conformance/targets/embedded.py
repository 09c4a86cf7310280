"""The reference as a pod: in process, without sockets, on a clock that jumps instead of waiting."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeVar

from conformance.cases.attempt import Played, play
from conformance.cases.qmail import DELIVERY_LIMIT
from conformance.cases.script import Script
from conformance.pod.base import PodFailure, octets, text
from conformance.pod.configuration import Configuration, HostTimeouts
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import FileSeen, Observation, QueuedMessage, RemoteResult
from conformance.pod.ordinary import HOST
from conformance.pod.secrets import fixture_secrets
from conformance.pod.world import World
from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.driver import drive
from conformance.reference.filing import File, Filing, MaildirNames
from conformance.reference.flaws import build_with
from conformance.reference.homes import ALIAS, HomesInMemory
from conformance.reference.installation import Packages
from conformance.reference.local import QmailLocal
from conformance.reference.queue import Message, QueueInMemory
from conformance.reference.remote import RemoteSettings, delivery
from conformance.reference.rspawn import QmailRspawn
from conformance.reference.send import QmailSend, UnderWay
from conformance.reference.tcpto import TimedOut, TimeoutTable
from conformance.reference.verify import Verifier
from conformance.targets.virtual import Clock
from conformance.targets.virtual_host import VirtualHost
from conformance.targets.virtual_installation import installed
from conformance.targets.virtual_network import DeadlineReached, VirtualNetwork
from conformance.targets.virtual_smtpd import SmtpdConnection, Tcpserver

_FIRST_PROCESS = 1000
_FIRST_QUESTION = 0x9E37  #: an id as most are: read as a name, or with an octet of it changed, it is none
_FIRST_UID = 2001
_KILLED = -9
_MESSAGES_A_SECOND = 10  #: what qmail-send is taken to handle at most: mail may beget mail for ever
_MESSAGES_AT_ONCE = 200  #: the same while somebody waits for something else, however short

_Report = TypeVar("_Report")


class ReferencePod:
    """Implements `conformance.pod.base.Pod` with the reference, carrying `patches` and built with `flaws`.

    `users` maps names to passwords in place of `fixtures/mailboxes/`; a `build` goes before patches and
    flaws. Raises ValueError for an unknown flaw.
    """

    def __init__(
        self,
        patches: tuple[str, ...],
        flaws: frozenset[str] = frozenset(),
        users: dict[str, str] | None = None,
        build: Build | None = None,
    ) -> None:
        self._build = build_with(patches, flaws) if build is None else build
        known = load_users()
        self._passwords = passwords(known) if users is None else dict(users)
        self._dot_qmail = {name: user.dot_qmail for name, user in known.items()}
        if users is not None:
            self._dot_qmail = {name: {} for name in users} | {"alias": known["alias"].dot_qmail}
        self._numbers = itertools.count(1)
        self._connections: dict[int, SmtpdConnection] = {}
        self._sessions: dict[int, SmtpdConnection] = {}  #: since the last set-up, ended ones too
        self._reset(World(), Configuration())

    def _reset(self, world: World, configuration: Configuration) -> None:
        self.clock = Clock()
        self._configuration = configuration
        self._control = dict(configuration.control)
        self._processes = itertools.count(_FIRST_PROCESS)
        self._question_ids = itertools.count(_FIRST_QUESTION)
        self._network = VirtualNetwork(world, self.clock, lambda: self._tcpserver.connect())
        now = int(self.clock.now())
        hosts = [TimedOut(host.address, host.timeouts, now - host.age) for host in configuration.timeouts]
        self._timeouts = self._build.of(TimeoutTable)(hosts)
        self._connections.clear()
        self._sessions.clear()
        dot_qmail = {user: dict(files) for user, files in self._dot_qmail.items()}
        for name, content in configuration.dot_qmail.items():
            user, _, file = name.partition("/")
            dot_qmail.setdefault(user, {})[file] = content
        users = [name for name in self._dot_qmail if name != ALIAS]
        uids = {name: _FIRST_UID + place for place, name in enumerate(users)}
        self._maildirs = self._build.of(MaildirNames)(HOST)
        self._homes = HomesInMemory(
            dot_qmail,
            lambda: self._maildirs.unique(self.clock.now(), next(self._processes)),
            self.clock.now,
            modes=configuration.modes,
            runner=lambda run: self._host.deliver(run),
            uids=uids,
        )
        self._queue = self._build.of(QueueInMemory)(self.clock.now, lambda: next(self._processes), uids)
        self._filing = self._build.of(Filing)()
        self._packages = self._build.of(Packages)()
        self._is_told = True
        self._busy_until = 0.0  #: when the last of what qmail-send has begun ends
        self._host = VirtualHost(
            self.clock,
            configuration,
            self._passwords,
            self._queue.enqueue,
            self._exists,
            self._filing.discard,
            uids,
        )
        build = self._build
        self._tcpserver = Tcpserver(
            self.clock,
            self._host,
            build,
            configuration,
            lambda: self._control,
            lambda: next(self._processes),
        )
        local = partial(build.of(QmailLocal), build, self._homes, self._queue.enqueue)
        self._send = build.of(QmailSend)(
            build,
            build.of(ControlFiles)(self._control),
            self._queue,
            lambda message, address: self._unless_under_way(local(message, address).report),
            lambda *given: self._unless_under_way(partial(self._run_remote, *given)),
            self._host.lines.append,
        )

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self._reset(world, configuration)

    # qmail-smtpd

    async def connect(self) -> int:
        number = next(self._numbers)
        made = self._tcpserver.connect()
        self._connections[number] = self._sessions[number] = made
        return number

    async def send(self, connection: int, data: bytes) -> bool:
        found = self._connection(connection)
        if found.over or found.ended_by_client:
            return False
        if data:
            found.take_in(data)
        return True

    async def receive(self, connection: int, limit: float) -> bytes | None:
        found = self._connection(connection)
        until = self.clock.at + limit
        if not found.output and not found.over:
            await asyncio.sleep(0)  # what other tasks have to say is said before the clock jumps
        while not found.output and not found.over:
            if not self._woken(until):
                return None
        return found.taken()

    def _woken(self, until: float) -> bool:
        """Wake the session that waits for the earliest moment; False, at `until`, where none does."""
        if self._configuration.delivering and self._is_told and until > self.clock.at:
            # Meanwhile qmail-send delivers what is there; what that takes keeps nobody waiting.
            self._network.deadline = until + DELIVERY_LIMIT
            self._send.run(most=_MESSAGES_AT_ONCE)
        first = next(iter(self._tcpserver.sleepers(until)), None)
        self.clock.reach(first.wakes if first else until)
        if first:
            first.wake()
        return first is not None

    async def pause(self, connection: int, seconds: float) -> None:
        self._connection(connection)
        until = self.clock.at + seconds
        while self._woken(until):
            pass

    async def shut(self, connection: int) -> None:
        self._connection(connection).end()

    async def close(self, connection: int) -> None:
        if connection in self._connections:
            await self.shut(connection)
            # A session that sleeps notices afterwards; nobody waits for it.
            if self._connections[connection].over:
                del self._connections[connection]

    def _connection(self, number: int) -> SmtpdConnection:
        if number not in self._connections:
            raise PodFailure(f"there is no connection {number}")
        return self._connections[number]

    def _exists(self, recipient: bytes) -> bool:
        configuration = self._configuration
        named = configuration.aliases if self._build.carries("0003") else None
        keys = {octets(f":{key.lower()}") for key in named} if named else None
        control = self._build.of(ControlFiles)(configuration.control)
        return self._build.of(Verifier)(control, self._homes, keys).knows(recipient)

    # qmail-remote and qmail-send

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        began = self.clock.at
        self._network.deadline = began + limit
        try:
            status, report = self._deliver(host, sender, recipients, message)
        except DeadlineReached:
            self._network.close()  # it is killed; one of qmail-send's goes on waiting
            return RemoteResult("", _KILLED, False, self.clock.at - began)
        return RemoteResult(text(report), status, True, self.clock.at - began)

    async def wait_until_idle(self, limit: float) -> bool:
        self._network.deadline = self.clock.at + limit
        if not self._is_told and any(message.untried for message in self._queue.messages):
            return False
        if self._configuration.delivering:
            if not self._send.run(most=int(limit * _MESSAGES_A_SECOND)):
                return False
            self.clock.reach(self._busy_until)
            if self._send.is_busy:
                self.clock.reach(self._network.deadline)
                return False
        return self.clock.at <= self._network.deadline

    def _unless_under_way(self, deliver: Callable[[], _Report]) -> _Report:
        """What came of a delivery, which begins when others do; they know nothing of it while it lasts."""
        began = self.clock.at
        try:
            report = deliver()
            self._busy_until = max(self._busy_until, self.clock.at)
            return report
        except DeadlineReached:
            self._network.leave_open()
            raise UnderWay from None
        finally:
            self.clock.at = began

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        self._control.update(control)
        if name == "ALRM":
            self._send.try_again(self._queue.messages)
        else:
            self._send.reread(self._build.of(ControlFiles)(self._control))

    def _run_remote(self, message: Message, host: bytes, recipient: bytes) -> tuple[int, bytes]:
        rspawn = self._build.of(QmailRspawn)(self._run_remote)
        words = (text(host), text(message.sender), text(recipient))
        ran = self._host.run_remote(words, text(message.octets), rspawn.account, rspawn.cannot_run)
        return ran or self._deliver(words[0], words[1], [words[2]], message.octets)

    def _deliver(self, host: str, sender: str, recipients: list[str], message: bytes) -> tuple[int, bytes]:
        """How qmail-remote ended, as a status or minus a signal, and what it printed."""
        process = next(self._processes)
        settings = RemoteSettings(
            control=self._control,
            build=self._build,
            resolver=self._configuration.resolver,
            random=int(self.clock.now()) + (process << 16),
            number=lambda: next(self._question_ids) & 0xFFFF,
            timeouts=self._timeouts,
            process=process,
        )
        engine = delivery(settings, host, sender, recipients, message)
        report = drive(engine, self._network)
        self._network.close()
        return (report, b"") if isinstance(report, int) else (0, bytes(report))

    async def packages(self, step: PackageStep) -> Installation:
        does = self._packages
        self._control = does.control(step, self._control)
        self._queue.messages[:] = does.queue(step, self._queue.messages)
        for user in [user for user in self._homes.contents if not does.keeps_mail(step, user)]:
            del self._homes.contents[user]
        self._is_told = does.runs(step) and (does.restarts(step) or does.keeps_trigger(step))
        return installed(does, step, self._control)

    # What can be seen

    async def observe(self) -> Observation:
        queue = [
            QueuedMessage(
                text(message.sender),
                [
                    text(recipient.rewritten if message.taken_up else recipient.address)
                    for recipient in message.pending
                ],
                text(message.octets),
            )
            for message in self._queue.messages
        ]
        mailboxes = {user: list(map(text, messages)) for user, messages in self._homes.mailboxes.items()}
        return Observation(
            questions=list(self._network.nameserver.questions),
            mx_sessions=[each.session.seen for each in self._network.connections],
            queue=queue,
            mailboxes=mailboxes,
            hook_calls=list(self._host.hook_calls),
            log=list(self._host.lines),
            stray=list(self._network.nameserver.stray),
            timeouts=[
                HostTimeouts(host.address, host.count, int(self.clock.now()) - host.when)
                for host in self._timeouts.known()
            ],
            files=[
                FileSeen(file.path, f"{file.mode:04o}", file.user, file.group, text(file.octets))
                for file in self._files()
            ],
            sessions=[each.process(number) for number, each in self._sessions.items()],
        )

    def _files(self) -> Iterator[File]:
        """The files of the queue, kind by kind, and those of homes."""
        of_messages = [file for message in self._queue.messages for file in self._filing.files(message)]
        of_messages += [file for message in self._queue.remains for file in self._filing.remains(message)]
        yield from sorted(of_messages + self._filing.left, key=lambda file: file.path.split("/")[1])
        for user, home in sorted(self._homes.contents.items()):
            yield from self._maildirs.files(home, user)

    async def play(self, script: Script) -> Played:
        """What came of a script: see `conformance.targets.pool.Player`."""
        return await play(script, self, fixture_secrets())

    async def dispose(self) -> None:
        self._connections.clear()
