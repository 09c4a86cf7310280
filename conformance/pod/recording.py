"""Records made and played: a case that runs against its own record concludes the same, without a container.

`Recorder` stands between a case and a live pod and writes the record; `Replay` is a pod that answers each act
with what was seen then. A case sees nothing that is not in the record: passwords are hidden on the way.
"""

import copy
import time
from dataclasses import replace
from math import inf
from typing import Any, Literal, TypeVar

from conformance.pod import record as acts
from conformance.pod.base import Pod, PodFailure, octets, text
from conformance.pod.configuration import Configuration
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.record import Act, Failure, Record
from conformance.pod.secrets import Secrets
from conformance.pod.world import World

A = TypeVar("A", bound=Act)


class Recorder:
    """A pod that keeps, in order, every act and its result, for `limit` seconds at most."""

    def __init__(self, pod: Pod, secrets: Secrets, limit: float = inf) -> None:
        self._pod = pod
        self._limit = limit
        self._hide = secrets.hide
        self._start = time.monotonic()
        # Numbered anew for each case, so that a record does not depend on what the pod did before.
        self._numbers: list[int] = []
        self._acts: list[Act] = []

    @property
    def record(self) -> Record:
        """What was done so far."""
        return Record(tuple(self._acts))

    def fail(self, reason: str) -> None:
        """Note that the world failed."""
        self._note(Failure(at=self._now(), reason=reason))

    def _now(self) -> float:
        return round(time.monotonic() - self._start, 4)

    def _note(self, act: A) -> A:
        # A pod without sockets never waits, so no timer of the event loop would end who asks it for ever.
        if act.at > self._limit and not isinstance(act, Failure):
            raise PodFailure(f"the case did not end within {self._limit:g} s")
        hidden: A = self._hide(act)
        self._acts.append(hidden)
        return hidden

    async def prepare(self, world: World, configuration: Configuration) -> None:
        await self._pod.prepare(world, configuration)
        self._note(acts.Prepare(at=self._now(), world=world, configuration=configuration))

    async def connect(self) -> int:
        self._numbers.append(await self._pod.connect())
        return self._note(acts.Connect(at=self._now(), connection=len(self._numbers) - 1)).connection

    async def send(self, connection: int, data: bytes) -> bool:
        at = self._now()  # before the server can answer
        taken = await self._pod.send(self._numbers[connection], data)
        return self._note(acts.Send(at=at, connection=connection, data=text(data), taken=taken)).taken

    async def receive(self, connection: int, limit: float) -> bytes | None:
        data = await self._pod.receive(self._numbers[connection], limit)
        said = None if data is None else text(data)
        act = self._note(acts.Receive(at=self._now(), connection=connection, data=said))
        return None if act.data is None else octets(act.data)

    async def pause(self, connection: int, seconds: float) -> None:
        await self._pod.pause(self._numbers[connection], seconds)
        self._note(acts.Pause(at=self._now(), connection=connection, seconds=seconds))

    async def shut(self, connection: int) -> None:
        await self._pod.shut(self._numbers[connection])
        self._note(acts.Shut(at=self._now(), connection=connection))

    async def close(self, connection: int) -> None:
        await self._pod.close(self._numbers[connection])
        self._note(acts.Close(at=self._now(), connection=connection))

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        result = await self._pod.remote(host, sender, recipients, message, limit)
        words = _words(host, sender, recipients, message)
        return self._note(acts.Remote(at=self._now(), result=result, **words)).result

    async def wait_until_idle(self, limit: float) -> bool:
        idle = await self._pod.wait_until_idle(limit)
        return self._note(acts.WaitUntilIdle(at=self._now(), idle=idle)).idle

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        await self._pod.signal(name, control)
        self._note(acts.Signal(at=self._now(), name=name, control=dict(control)))

    async def packages(self, step: PackageStep) -> Installation:
        seen = await self._pod.packages(step)
        return self._note(acts.Packages(at=self._now(), step=step, seen=seen)).seen

    async def observe(self) -> Observation:
        return copy.deepcopy(await self.seen())  # a case must not change what was recorded

    async def seen(self) -> Observation:
        """What is observed, as it is in the record."""
        seen = await self._pod.observe()
        sessions = [
            replace(session, connection=self._numbers.index(session.connection)) for session in seen.sessions
        ]
        return self._note(acts.Observe(at=self._now(), seen=replace(seen, sessions=sessions))).seen


class Replay:
    """A pod made of a record. An act that was not recorded, or was recorded otherwise, is a `PodFailure`."""

    def __init__(self, record: Record, secrets: Secrets) -> None:
        self._acts = record.acts
        self._hide = secrets.hide
        self._next = 0

    @property
    def left(self) -> int:
        """How many acts nobody has asked for yet."""
        return len(self._acts) - self._next

    @property
    def may_observe(self) -> bool:
        """Whether an observation comes next: a record of an older version may lack one that is made now."""
        return isinstance(self._acts[self._next] if self.left else None, acts.Observe)

    def _take(self, kind: type[A], **details: Any) -> A:
        if self._next >= len(self._acts):
            raise PodFailure(
                f"the record ends before {kind.act}: it was made by another version of this case"
            )
        recorded = self._acts[self._next]
        self._next += 1
        if isinstance(recorded, Failure):
            raise PodFailure(recorded.reason)
        if not isinstance(recorded, kind):
            raise PodFailure(f"the record has {recorded.act} where the case now does {kind.act}")
        if any(getattr(recorded, name) != self._hide(value) for name, value in details.items()):
            raise PodFailure(f"the case now does {kind.act} with other values than were recorded")
        return recorded

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self._take(acts.Prepare, world=world, configuration=configuration)

    async def connect(self) -> int:
        return self._take(acts.Connect).connection

    async def send(self, connection: int, data: bytes) -> bool:
        return self._take(acts.Send, connection=connection, data=text(data)).taken

    async def receive(self, connection: int, limit: float) -> bytes | None:
        data = self._take(acts.Receive, connection=connection).data
        return None if data is None else octets(data)

    async def pause(self, connection: int, seconds: float) -> None:
        self._take(acts.Pause, connection=connection, seconds=seconds)

    async def shut(self, connection: int) -> None:
        self._take(acts.Shut, connection=connection)

    async def close(self, connection: int) -> None:
        if self.left > self.may_observe:  # one at the end says nothing of qmail
            self._take(acts.Close, connection=connection)

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        return self._take(acts.Remote, **_words(host, sender, recipients, message)).result

    async def wait_until_idle(self, limit: float) -> bool:
        return self._take(acts.WaitUntilIdle).idle

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        self._take(acts.Signal, name=name, control=control)

    async def packages(self, step: PackageStep) -> Installation:
        return self._take(acts.Packages, step=step).seen

    async def observe(self) -> Observation:
        return copy.deepcopy(self._take(acts.Observe).seen)


def _words(host: str, sender: str, recipients: list[str], message: bytes) -> dict[str, Any]:
    """What qmail-remote is given, as a record has it."""
    return {"host": host, "sender": sender, "recipients": tuple(recipients), "message": text(message)}
