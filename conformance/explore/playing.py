"""Plays generated scenarios: on the reference in this process, on packages in their pods."""

import asyncio
from typing import Any, Protocol

from conformance.cases.script import LIMIT, script_of
from conformance.errors import WorldError
from conformance.explore.acting import act, act_text
from conformance.explore.document import PATH, Made, text_of
from conformance.explore.driving import Done
from conformance.pod.base import PodFailure
from conformance.pod.observation import Observation
from conformance.pod.record import Record
from conformance.pod.recording import Recorder
from conformance.pod.secrets import Secrets
from conformance.targets.embedded import ReferencePod
from conformance.targets.pool import PodPool
from conformance.targets.target import Target


class Side(Protocol):
    """A qmail that scenarios are played on; an instant one never waits."""

    target: Target
    is_instant: bool

    async def play(self, made: Made, *, fresh: bool = False) -> Record:
        """What was seen of it; `fresh`: in a pod of its own. WorldError when the world fails."""

    async def dispose(self) -> None:
        """Take the pods down."""


class _Open(Secrets):
    """Hides nothing: a record that nobody is shown needs no time for that."""

    def hide(self, value: Any) -> Any:
        return value


class _Notes(Recorder):
    """What is done to the embedded reference; times are those of its clock, on which waits are seen."""

    def __init__(self, pod: ReferencePod) -> None:
        super().__init__(pod, _Open({}), LIMIT)
        self._reference = pod

    def _now(self) -> float:
        return self._reference.clock.at

    async def observe(self) -> Observation:
        return await self.seen()


class ReferenceSide:
    """The embedded reference."""

    is_instant = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self._turn = asyncio.Lock()  # one pod plays one scenario at a time, though packages play several
        self._pod = self._started()

    def _started(self) -> ReferencePod:
        return ReferencePod(self.target.patches, frozenset(self.target.flaws))

    async def play(self, made: Made, *, fresh: bool = False) -> Record:
        return (await self.traced(made, fresh=fresh))[0]

    async def traced(self, made: Made, *, fresh: bool = False) -> tuple[Record, list[Done]]:
        """The record, and what was done in each chat. WorldError when the reference itself fails."""
        async with self._turn:
            notes = _Notes(self._started() if fresh else self._pod)
            try:
                done = await act(made.scenario, notes)
            except Exception as error:
                self._pod = self._started()
                raise WorldError(f"{self.target.name} failed: {type(error).__name__}: {error}") from error
            return notes.record, done

    async def dispose(self) -> None:
        await self._pod.dispose()


class PackageSide:
    """Real qmail, in pods."""

    is_instant = False

    def __init__(self, target: Target, pool: PodPool) -> None:
        self.target = target
        self._pool = pool

    async def play(self, made: Made, *, fresh: bool = False) -> Record:
        script = script_of(act_text, text=text_of(made.document), path=str(PATH))
        try:
            if fresh:
                played = await self._pool.played_alone(self.target, script)
            else:
                played = await self._pool.played(self._pool.submit(self.target, script))
        except PodFailure as error:
            raise WorldError(f"{self.target.name}: {error}") from error
        if played.outcome == "invalid":
            raise WorldError(f"{self.target.name}: {played.seen}")
        return played.record

    async def dispose(self) -> None:
        """The pool belongs to all of its targets."""


def side_of(target: Target, pool: PodPool) -> Side:
    """The side for a target of any kind."""
    return ReferenceSide(target) if target.kind == "reference" else PackageSide(target, pool)
