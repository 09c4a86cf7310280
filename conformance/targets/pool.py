"""A worker's pods: started while the first scripts are played, kept warm, replaced when they fail."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.errors import EngineGone, WorldError
from conformance.pod.base import PodFailure
from conformance.targets.channel import Channel
from conformance.targets.plan import Plan
from conformance.targets.target import Target

#: Seconds for which an engine may be gone before all that is still to be played fails; one that is started
#: anew is gone for less.
GONE = 60.0

#: Seconds between attempts to reach it.
AGAIN = 1.0


class Player(Protocol):
    """A running target with its internet, on which scripts are played."""

    async def play(self, script: Script) -> Played:
        """What came of a script. PodFailure when the pod does not say."""

    async def dispose(self) -> None:
        """Take it down; never raises."""


async def start(target: Target, plan: Plan) -> Player:
    """A fresh pod of the target's kind; `PodFailure` or `WorldError` when it cannot be had."""
    if target.kind == "reference":
        from conformance.targets.embedded import ReferencePod

        return ReferencePod(target.patches, frozenset(target.flaws))
    return await start_real(target, plan)


class RealPod(Player, Protocol):
    """A pod of real qmail; its internet's agent answers on `channel`."""

    channel: Channel


async def start_real(target: Target, plan: Plan, program: str = "") -> RealPod:
    """A fresh pod of real qmail, its internet run by another `program` than the usual; raises as `start`."""
    if target.kind == "root":
        from conformance.targets.namespaces.pod import NamespacePod

        return await NamespacePod.start(Path(target.location), program)
    from conformance.targets.docker.pod import DockerPod

    return await DockerPod.start(target, plan.internet_image, program)


@dataclass(eq=False)
class Job:
    """A script that is to be played on a target, and the pod where it was."""

    target: Target
    script: Script
    played: asyncio.Future[Played]
    pod: Player | None = None

    def fail(self, error: Exception) -> None:
        """It could not be played."""
        if not self.played.done():  # whoever waited may have given up
            self.played.set_exception(error)
            self.played.exception()


class PodPool:
    """Plays scripts on up to `size` pods of each target at a time. Lives on one event loop."""

    def __init__(self, plan: Plan, size: int = 1) -> None:
        self._plan = plan
        self.size = size
        self._jobs: dict[str, deque[Job]] = defaultdict(deque)
        self._idle: dict[str, list[Player]] = defaultdict(list)
        self._servers: dict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._retired: set[Player] = set()
        self._disposed = False
        # One after the other: started all at once, all of them would be up as late as the last.
        self._starting = asyncio.Lock()
        self._silent_since: float | None = None  #: when the engine was first found gone, on the loop's clock
        self._gone: WorldError | None = None  #: once it has been gone for too long

    def submit(self, target: Target, script: Script) -> Job:
        """Have a script played. Those that wait long are to be handed over first.

        PodFailure or ConformanceError is what comes of it when the pod fails or cannot be had. While the
        engine is gone it waits, and once that has been so for GONE seconds it and all others fail.
        """
        job = Job(target, script, asyncio.get_running_loop().create_future())
        self._jobs[target.label].append(job)
        self._see_to_servers(target)
        return job

    def _see_to_servers(self, target: Target) -> None:
        """One more server for what is to be played, unless there are as many as may be."""
        servers = self._servers[target.label]

        def ended(server: asyncio.Task[None]) -> None:
            servers.discard(server)
            if not self._disposed:  # a job may have come just as it ended
                self._see_to_servers(target)

        if self._jobs[target.label] and len(servers) < self.size:
            # One begins with the last, so that quick scripts are played while the others wait for qmail.
            server = asyncio.create_task(self._serve(target, last_first=not servers))
            servers.add(server)
            server.add_done_callback(ended)

    async def played(self, job: Job, again: bool = False) -> Played:
        """What came of a job; `again`: of the same in a pod of its own, and that of the job plays no more."""
        if not again:
            return await job.played
        await self._retire(job)
        return await self.played_alone(job.target, job.script)

    async def played_alone(self, target: Target, script: Script) -> Played:
        """What came of a script in a pod of its own."""
        pod = await self._started(target)
        try:
            return await pod.play(script)
        finally:
            await pod.dispose()

    async def _started(self, target: Target) -> Player:
        """A fresh pod, as soon as there is an engine."""
        loop = asyncio.get_running_loop()
        while self._gone is None:
            try:
                pod = await start(target, self._plan)
            except EngineGone as error:
                now = loop.time()
                self._silent_since = self._silent_since or now
                if now - self._silent_since >= GONE:
                    self._gone = WorldError(f"{error.message}; it has been gone for {GONE:g} s", error.hint)
                else:
                    await asyncio.sleep(AGAIN)
            else:
                self._silent_since = None
                return pod
        raise self._gone

    async def _retire(self, job: Job) -> None:
        if job.pod is not None:
            self._retired.add(job.pod)
            for idle in self._idle.values():
                if job.pod in idle:
                    idle.remove(job.pod)
                    await job.pod.dispose()

    async def dispose(self) -> None:
        """Take all of them down; what is still to be played is not."""
        self._disposed = True
        servers = [server for each in self._servers.values() for server in each]
        for server in servers:
            server.cancel()
        await asyncio.gather(*servers, return_exceptions=True)
        await asyncio.gather(*(pod.dispose() for pods in self._idle.values() for pod in pods))

    async def _serve(self, target: Target, *, last_first: bool) -> None:
        """Play the jobs of a target on one pod after the other, until none is left."""
        jobs, idle = self._jobs[target.label], self._idle[target.label]
        take = jobs.pop if last_first else jobs.popleft
        while jobs:
            async with self._starting:
                if not jobs:  # others have done it all meanwhile
                    return
                try:
                    pod = idle.pop() if idle else await self._started(target)
                except Exception as error:  # whatever it is, nobody must wait for ever
                    take().fail(error)
                    continue
            good = True
            try:
                while jobs and good:
                    good = await self._play(take(), pod)
                    await asyncio.sleep(0)  # the embedded reference never waits, and who judges has work too
                    good = good and pod not in self._retired
            finally:
                if good:
                    idle.append(pod)
                else:
                    await pod.dispose()

    async def _play(self, job: Job, pod: Player) -> bool:
        """Play a job; whether the pod may go on."""
        job.pod = pod
        try:
            played = await pod.play(job.script)
        except Exception as error:
            job.fail(error)
            return False
        except BaseException:  # this pool is taken down
            job.fail(PodFailure("it was given up"))
            raise
        if not job.played.done():
            job.played.set_result(played)
        return played.outcome != "invalid" and not played.record.uses_up
