"""A pod in namespaces of this machine: one process, which takes its target along when it ends."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Self

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.errors import WorldError
from conformance.targets.channel import PATIENCE, Channel
from conformance.targets.namespaces.limits import Limits
from conformance.targets.namespaces.users import as_root

_ENTERING = [*as_root(), sys.executable, "-m", "conformance.targets.namespaces.entering"]

#: The program of a pod's internet.
AGENT = "conformance.targets.agent"

#: Octets that are read at a time of what the pod says.
_READ = 1 << 18

#: Octets that are kept of what it says as errors.
_COMPLAINT = 1 << 14

#: Seconds for a pod to end when its input has; then it is killed, and the kernel ends all that it has.
_ENDING = 2.0


class NamespacePod:
    """Real qmail out of a directory and its internet, on this machine. `start` makes one that is up."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        assert process.stdin is not None
        self._process = process
        self._limits = limits
        self._complaint = b""  #: the end of what it wrote as errors
        self._let_go = False
        self.channel = Channel(process.stdin.write)
        self._reading = [asyncio.create_task(self._hear()), asyncio.create_task(self._complain())]

    @classmethod
    async def start(cls, root: Path, program: str = "") -> Self:
        """A fresh pod of a tree, with another `program` than the usual for its internet.

        WorldError when no process can be had, PodFailure when the pod fails.
        """
        limits = Limits.made()
        try:
            process = await asyncio.create_subprocess_exec(
                *_ENTERING, str(root), program or AGENT, json.dumps(limits.groups),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            limits.remove()
            what = f"a pod cannot have a process: {error.strerror}"
            raise WorldError(what, "fewer pods (--pods) need fewer of them") from error
        pod = cls(process, limits)
        try:
            await pod.channel.request("hello", patience=PATIENCE)
        except BaseException:
            await asyncio.shield(pod.dispose())
            raise
        return pod

    async def play(self, script: Script) -> Played:
        """Play a script in the pod: one request. PodFailure when there is no answer."""
        return await self.channel.play(script)

    async def dispose(self) -> None:
        """Take the pod down; never raises."""
        self._let_go = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _ENDING)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.gather(self._process.wait(), *self._reading, return_exceptions=True)
        self._limits.remove()

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        while octets := await self._process.stdout.read(_READ):
            self.channel.feed(octets)
        await self._reading[1]
        said = self._complaint.decode("utf-8", "replace").strip()
        ended = "the pod is taken down" if self._let_go else "the pod's process ended"
        self.channel.lose(": ".join(filter(None, [ended, said])))

    async def _complain(self) -> None:
        assert self._process.stderr is not None
        while octets := await self._process.stderr.read(_READ):  # a line of the target's may have no end
            self._complaint = (self._complaint + octets)[-_COMPLAINT:]
