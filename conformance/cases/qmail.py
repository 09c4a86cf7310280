"""qmail as a case sets it up, drives it and reads it. A case never knows which kind of target it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal

from conformance.cases.internet import Internet
from conformance.pod.base import Pod, PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.delivery import Delivery, read_reports
from conformance.pod.observation import HookCall, Observation, QueuedMessage
from conformance.smtp.session import Session

if TYPE_CHECKING:
    import aiosmtplib

#: A message as qmail stores it.
MESSAGE = b"From: a@here.example\nSubject: hello\n\nhello\n"

#: Seconds a delivery may take: more than the time limits below and the resolver's patience together.
DELIVERY_LIMIT = 25.0

#: The control files of an ordinary host with low limits, so that what hangs is seen soon.
CONTROL = {
    "me": "mx.here.example\n",
    "rcpthosts": "here.example\n",
    "locals": "here.example\n",
    "defaultdomain": "here.example\n",
    "plusdomain": "here.example\n",
    "timeoutsmtpd": "30\n",
    "timeoutremote": "5\n",
    "timeoutconnect": "3\n",
}


class Qmail:
    """One qmail in its pod: set it up, then act on it; what is set takes effect at the next act."""

    def __init__(self, pod: Pod, internet: Internet) -> None:
        self._pod = pod
        self._internet = internet
        self._applied: Configuration | None = None
        self.control = dict(CONTROL)
        self.environment: dict[str, str] = {}
        self.dot_qmail: dict[str, str] = {}
        self.resolver = "timeout:1 attempts:2"
        self.delivering = False
        self.verifying: bool | Literal["mute"] = False
        self._recipient_check: RecipientCheck | None = None
        self._password_check: PasswordCheck | None = None

    def check_recipients(
        self,
        exits: dict[str, int] | None = None,
        *,
        default: int = 0,
        says: str = "",
        fate: Literal["exit", "crash", "missing"] = "exit",
    ) -> None:
        """Set RCPTCHECK to a program that exits as told."""
        self._recipient_check = RecipientCheck(exits or {}, default, says, fate)

    def authenticate(
        self,
        mode: str | None,
        *,
        fate: Literal["check", "crash", "missing"] = "check",
        subprogram: Literal["true", "false"] = "true",
    ) -> None:
        """Run `qmail-smtpd checkprogram subprogram` with SMTPAUTH set to `mode` (None: unset)."""
        self._password_check = PasswordCheck(fate, subprogram)
        self.environment.pop("SMTPAUTH", None)
        if mode is not None:
            self.environment["SMTPAUTH"] = mode

    def _configuration(self) -> Configuration:
        return Configuration(
            control=dict(self.control),
            environment=dict(self.environment),
            recipient_check=self._recipient_check,
            password_check=self._password_check,
            dot_qmail=dict(self.dot_qmail),
            delivering=self.delivering,
            resolver=self.resolver,
            verifying=self.verifying,
        )

    async def _ready(self) -> None:
        configuration = self._configuration()
        if self._internet.changed or configuration != self._applied:
            await self._pod.prepare(self._internet.world(), configuration)
            self._applied = configuration
            self._internet.changed = False

    async def observe(self) -> Observation:
        """What stands in the world now. A question that no zone knows makes the case invalid."""
        await self._ready()
        seen = await self._pod.observe()
        if seen.stray:
            raise PodFailure(f"qmail asked for a name outside the world: {', '.join(seen.stray)}")
        self._internet.seen = seen
        return seen

    async def connect(self) -> Session:
        """A raw session before the greeting has come."""
        await self._ready()
        return Session(self._pod, await self._pod.connect())

    @contextlib.asynccontextmanager
    async def session(self, *, hello: bool = True) -> AsyncIterator[Session]:
        """A raw session, greeted and, unless told otherwise, with EHLO said before anything else."""
        async with await self.connect() as session:
            assert session.greeting.code == 220, session.greeting
            if hello:
                said = await session.hello()
                assert said.code == 250, said
            yield session

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """An ordinary client, connected."""
        # Only to run cases needs it, and with asyncio it takes a fifth of the time of listing them.
        from conformance.smtp.ordinary import ordinary_client

        await self._ready()
        async with ordinary_client(self._pod) as client:
            yield client

    async def remote(
        self,
        host: str,
        sender: str,
        recipients: list[str],
        message: bytes = MESSAGE,
        limit: float = DELIVERY_LIMIT,
    ) -> Delivery:
        """Run qmail-remote, for `limit` seconds at most; then the internet tells what was asked and said.

        Whatever the case is about: a message that is reported delivered was accepted by some host.
        """
        await self._ready()
        delivery = read_reports(await self._pod.remote(host, sender, recipients, message, limit))
        await self.observe()
        if delivery.message.letter == "K":
            assert self._internet.messages(), f"no host has accepted a message: {delivery}"
        return delivery

    async def queue(self) -> list[QueuedMessage]:
        """The messages in the queue."""
        return list((await self.observe()).queue)

    async def submit(
        self, sender: str, recipients: list[str], message: bytes = b"Subject: hello\r\n\r\nhello\r\n"
    ) -> None:
        """Hand a message in over SMTP; it must be accepted."""
        async with self.session() as session:
            for reply in await session.submit(sender, recipients, message):
                assert reply.code in (250, 354, 221), reply

    async def submit_with_aiosmtplib(
        self, sender: str, recipients: list[str], message: bytes = b"Subject: hello\r\n\r\nhello\r\n"
    ) -> None:
        """The same by an ordinary client."""
        async with self.client() as client:
            await client.sendmail(sender, recipients, message)

    async def deliver(
        self, sender: str, recipients: list[str], message: bytes = b"Subject: hello\r\n\r\nhello\r\n"
    ) -> Observation:
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

    async def hook_calls(self, program: str = "rcptcheck") -> list[HookCall]:
        """How RCPTCHECK's program or the checkprogram was run."""
        return [call for call in (await self.observe()).hook_calls if call.program == program]
