"""qmail as a case sets it up, drives it and reads it. A case never knows which kind of target it is."""

import contextlib
import copy
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from conformance.cases.internet import Internet
from conformance.cases.told import Told
from conformance.pod.base import Pod, PodFailure, Unsupported, text
from conformance.pod.configuration import (
    Configuration,
    HostTimeouts,
    PasswordCheck,
    QueueProgram,
    RecipientCheck,
)
from conformance.pod.delivery import DeliveryReport, read_reports
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import HookCall, Observation, QueuedMessage, SmtpdProcess
from conformance.pod.ordinary import CONTROL
from conformance.pod.smtpdlog import Decision, read_smtpd_log
from conformance.pod.world import World
from conformance.smtp.reply import Reply
from conformance.smtp.session import Session

if TYPE_CHECKING:
    import aiosmtplib

T = TypeVar("T", World, Configuration)
U = TypeVar("U")

#: A message as qmail stores it.
MESSAGE = b"From: a@here.example\nSubject: hello\n\nhello\n"

#: Seconds a delivery may take: more than the time limits below and the resolver's patience together.
DELIVERY_LIMIT = 25.0

#: What a client hands in.
SUBMITTED = b"Subject: hello\r\n\r\nhello\r\n"


#: What stands in a record for a password of the fixtures.
_PASSWORD = re.compile(r"<(password|login|plain) of [a-z0-9]+>")


class Qmail(Configuration):
    """One qmail in its pod: set it up, then act on it; what is set takes effect at the next act."""

    def __init__(self, pod: Pod, internet: Internet) -> None:
        super().__init__(control=dict(CONTROL))
        self._pod = pod
        self._told = Told(pod)
        self._internet = internet
        self._applied: tuple[World, Configuration] | None = None

    def __repr__(self) -> str:  # in a failed assertion
        return "qmail"

    def configure(self, configuration: Configuration) -> None:
        """Take a whole configuration over."""
        vars(self).update(vars(copy.deepcopy(configuration)))

    def check_recipients(self, exits: dict[str, int] | None = None, **details: Any) -> None:
        """Set RCPTCHECK to a program that exits as told; see `RecipientCheck`."""
        self.recipient_check = RecipientCheck(exits or {}, **details)

    def queue_with(self, **details: Any) -> None:
        """Set QMAILQUEUE to a program that reads the message and does as told; see `QueueProgram`."""
        self.queue_program = QueueProgram(**details)

    def authenticate(self, mode: str | None, **details: Any) -> None:
        """Run `qmail-smtpd checkprogram subprogram` with SMTPAUTH set to `mode` (None: unset).

        `details`: see `PasswordCheck`.
        """
        self.password_check = PasswordCheck(**details)
        self.environment.pop("SMTPAUTH", None)
        if mode is not None:
            self.environment["SMTPAUTH"] = mode

    def relay(self) -> None:
        """Take mail for any domain, and deliver it."""
        self.delivering = True
        self.environment["RELAYCLIENT"] = ""

    async def _ready(self) -> None:
        wanted = _values(World, self._internet), _values(Configuration, self)
        if wanted != self._applied:
            await self.check_ends()
            wanted = copy.deepcopy(wanted)  # what the case changes later is another set-up
            await self._pod.prepare(*wanted)
            self._applied = wanted

    async def observe(self) -> Observation:
        """What stands in the world now.

        A question that no zone knows is an AssertionError. In a scenario it makes the run invalid where
        somebody gave qmail that name: the file lacks a zone.
        """
        await self._ready()
        seen = await self._told.observe()
        self._internet.seen = seen
        stray = list(dict.fromkeys(seen.stray))
        named = [asked for asked in stray if self._is_told(asked.rpartition(" ")[0])]
        if named and self._internet.is_of_a_file:
            raise PodFailure(f"qmail asked for a name outside the world: {_some(named)}")
        if made_up := [asked for asked in stray if asked not in named]:
            raise AssertionError(f"qmail asked the DNS for a name that nobody gave it: {_some(made_up)}")
        assert not named, f"qmail asked the DNS for a name that it has no business with here: {_some(named)}"
        return seen

    def _is_told(self, name: str) -> bool:
        """Whether anything that qmail was given holds this name."""
        assert self._applied is not None
        world, configuration = self._applied
        values = (configuration.control, configuration.dot_qmail, configuration.environment)
        given = [*world.zones, *(text for texts in values for text in texts.values()), *self._told.words]
        whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?!\.?[\w-])", re.IGNORECASE | re.ASCII)
        return name != "" and any(map(whole.search, given))

    async def connect(self) -> Session:
        """A raw session before the greeting has come."""
        await self._ready()
        return Session(cast(Pod, self._told), await self._told.connect())

    async def check_ends(self) -> None:
        """Whatever a case is about: no session was ended by a signal, and no password is in the log.

        Looks if nobody has looked since a session went on.

        A record of an older version may not hold the look.
        """
        if self._told.unobserved and getattr(self._pod, "may_observe", True):
            await self._told.observe()
        if died := self.ended_by_signal():
            raise AssertionError(died)
        for line in self._told.seen.log:
            assert not _PASSWORD.search(line), f"a password is in the log: {line}"

    def ended_by_signal(self) -> str:
        """What to say of the sessions that were ended by a signal, as far as was observed; "" without any."""
        seen = self._told.seen.sessions
        died = [session for session in seen if session.status is not None and session.status < 0]
        return "\n".join(
            f"qmail-smtpd was ended by signal {-(session.status or 0)} (connection {session.connection})"
            for session in died
        )

    async def smtpd_log(self) -> list[Decision]:
        """What qmail-smtpd logged, of all sessions, in order."""
        return read_smtpd_log((await self.observe()).log)

    @property
    def home(self) -> str:
        """The directory that qmail was built for: `/var/lib/qmail` on Debian, `/var/qmail` on most hosts.

        As the last `observe` saw it.
        """
        return self._told.seen.home

    async def last_logged(self) -> str:
        """The text of the last line that qmail-smtpd logged; "" without any."""
        return "".join(line.text for line in (await self.smtpd_log())[-1:])

    async def session_ends(self) -> list[SmtpdProcess]:
        """How the process of each session ended, or what it holds, in order of their connections."""
        return list((await self.observe()).sessions)

    @contextlib.asynccontextmanager
    async def session(self, *, hello: bool = True) -> AsyncIterator[Session]:
        """A raw session, greeted and, unless told otherwise, with EHLO said before anything else."""
        async with await self.connect() as session:
            assert session.greeting.code == 220, session.greeting
            if hello:
                said = await session.hello()
                assert said.code == 250, said
            yield session

    async def reply_to(self, line: str | bytes, *, hello: bool = True) -> Reply:
        """The reply to one line in a session of its own."""
        async with self.session(hello=hello) as session:
            return await session.command(line)

    async def envelope(self, sender: str, recipients: list[str], message: bytes | None = None) -> list[Reply]:
        """The replies to `Session.envelope` in a session of its own."""
        async with self.session() as session:
            return await session.envelope(sender, recipients, message)

    async def recipient(self, address: str, sender: str = "a@b.example") -> Reply:
        """The reply to one RCPT."""
        return (await self.envelope(sender, [address]))[-1]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator["aiosmtplib.SMTP"]:
        """An ordinary client, connected."""
        # Only to run cases needs it, and with asyncio it takes a fifth of the time of listing them.
        from conformance.smtp.ordinary import ordinary_client

        await self._ready()
        async with ordinary_client(cast(Pod, self._told)) as client:
            yield client

    async def remote(
        self,
        host: str,
        sender: str,
        recipients: list[str],
        message: bytes = MESSAGE,
        limit: float = DELIVERY_LIMIT,
    ) -> DeliveryReport:
        """Run qmail-remote, for `limit` seconds at most; then the internet tells what was asked and said.

        Whatever the case is about: a message that is reported delivered was accepted by some host. Where that
        is this one, it is in the queue, if no other program and no qmail-send has taken it.
        """
        await self._ready()
        delivery = read_reports(await self._told.remote(host, sender, recipients, message, limit))
        seen = await self.observe()
        if delivery.message.letter == "K":
            here = delivery.names_this_host and self._has_taken(delivery, message, seen)
            assert here or self._internet.messages(), f"no host has accepted a message: {delivery}"
        return delivery

    def _has_taken(self, delivery: DeliveryReport, message: bytes, seen: Observation) -> bool:
        """Whether this host has a message, for so many as it was accepted for; true where nobody can tell."""
        if self.delivering or self.queue_program or "QMAILQUEUE" in self.environment:
            return True
        octets, accepted = text(message).rstrip("\n"), delivery.letters.count("r")
        return any(octets in each.octets and len(each.recipients) >= accepted for each in seen.queue)

    def remember(self, address: str, timeouts: int, age: int = 0) -> None:
        """qmail-remote remembers so many time-outs of a host, the last of them `age` seconds ago."""
        self.timeouts.append(HostTimeouts(address, timeouts, age))

    async def remembered(self) -> dict[str, int]:
        """How many time-outs of which host qmail-remote remembers."""
        return {host.address: host.timeouts for host in (await self.observe()).timeouts}

    async def queue(self) -> list[QueuedMessage]:
        """The messages in the queue."""
        return list((await self.observe()).queue)

    async def queued_recipients(self) -> list[list[str]]:
        """The recipients of each message in the queue."""
        return [message.recipients for message in await self.queue()]

    async def queued(self) -> QueuedMessage:
        """The one message in the queue."""
        queue = await self.queue()
        assert len(queue) == 1, f"{len(queue)} messages are queued"
        return queue[0]

    async def stored(self) -> str:
        """The one message in the queue as it was sent, without the Received lines above it."""
        return without_received((await self.queued()).octets)

    async def announced(self, mode: str | None) -> set[str]:
        """The methods that EHLO lists under SMTPAUTH=`mode`."""
        self.authenticate(mode)
        async with self.session(hello=False) as smtp:
            reply = await smtp.hello()
            return {word for line in reply.lines[1:] if line.startswith("AUTH") for word in line.split()[1:]}

    async def submit(self, sender: str, recipients: list[str], message: bytes = SUBMITTED) -> None:
        """Hand a message in over SMTP; it must be accepted."""
        async with self.session() as session:
            for reply in await session.submit(sender, recipients, message):
                assert reply.code in (250, 354, 221), reply

    async def submit_with_aiosmtplib(
        self, sender: str, recipients: list[str], message: bytes = SUBMITTED
    ) -> None:
        """The same by an ordinary client."""
        async with self.client() as client:
            await client.sendmail(sender, recipients, message)

    async def deliver(self, sender: str, recipients: list[str], message: bytes = SUBMITTED) -> Observation:
        """`submit`, then `delivered`."""
        await self.submit(sender, recipients, message)
        return await self.delivered()

    async def delivered(self, limit: float = DELIVERY_LIMIT) -> Observation:
        """Wait until qmail-send rests, for `limit` seconds at most; then observe."""
        await self._ready()
        idle = await self._pod.wait_until_idle(limit)
        seen = await self.observe()
        assert idle, "qmail-send is still at work"
        return seen

    async def try_again(self) -> Observation:
        """Have everything in the queue delivered now (qmail-send(8), ALRM); then `delivered`."""
        await self.signal("ALRM", {})
        return await self.delivered()

    async def reread(self, **control: str) -> None:
        """Change control files while qmail-send runs, and have it read them again (qmail-send(8), HUP)."""
        await self.signal("HUP", control)

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        """Send qmail-send a signal, once these control files stand."""
        await self._ready()
        await self._told.signal(name, control)

    async def packages(self, step: PackageStep) -> Installation:
        """Do something to qmail's packages (see `PackageStep`); nothing can be set up afterwards.

        On a target whose packages are not at hand the case is unsupported.
        """
        await self._ready()
        seen = await self._pod.packages(step)
        if seen.unsupported:
            raise Unsupported(seen.unsupported)
        return seen

    async def hook_calls(self, program: str = "rcptcheck") -> list[HookCall]:
        """How RCPTCHECK's program or the checkprogram was run."""
        return [call for call in (await self.observe()).hook_calls if call.program == program]


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _values(kind: type[T], handle: T) -> T:
    """What a handle says of its world or configuration, without the handle."""
    return kind(**{field.name: getattr(handle, field.name) for field in fields(kind)})


def only(things: Sequence[U], what: str) -> U:
    """The one of its kind; `what` says which, in plural."""
    assert len(things) == 1, f"{len(things)} {what}: {things}"[:500]
    return things[0]


def mail_of(seen: Observation, user: str) -> str:
    """The one message in a user's Maildir."""
    return only(seen.mailboxes.get(user, []), f"messages for {user}")


def without_received(octets: str) -> str:
    """A stored message without the Received lines above it."""
    return re.sub(r"\A(Received: .*\n(?:[ \t].*\n)*)+", "", octets)
