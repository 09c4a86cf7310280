"""A pod in namespaces of this machine: one process, which takes its target along when it ends."""

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Self

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.targets.channel import PATIENCE, Channel
from conformance.targets.namespaces.forking import PodProcess, forked
from conformance.targets.namespaces.limits import Limits

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

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

    def __init__(self, process: PodProcess, streams: list[Streams], limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._writers = [writer for _, writer in streams]
        self._requests = self._writers[0]
        _, (self._answers, _), (self._complaints, _) = streams
        self._complaint = b""  #: the end of what it wrote as errors
        self._let_go = False
        self.channel = Channel(self._requests.write)
        self._reading = [asyncio.create_task(self._hear()), asyncio.create_task(self._complain())]

    @classmethod
    async def start(cls, root: Path, program: str = "") -> Self:
        """A fresh pod of a tree, with another `program` than the usual for its internet.

        WorldError when no process can be had, PodFailure when the pod fails.
        """
        limits = Limits.made()
        try:
            pairs = [socket.socketpair() for _ in range(3)]  # its standard input, output and error
            with pairs[0][1], pairs[1][1], pairs[2][1]:
                words = [str(root), program or AGENT, limits.groups]
                process = await forked(words, *(its.fileno() for _, its in pairs))
        except BaseException:
            limits.remove()
            raise
        pod = cls(process, [await asyncio.open_connection(sock=ours) for ours, _ in pairs], limits)
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
        with contextlib.suppress(OSError):  # it has ended
            self._requests.write_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _ENDING)
        self._process.kill()
        await asyncio.gather(self._process.wait(), *self._reading, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        self._limits.remove()

    async def _hear(self) -> None:
        while octets := await self._answers.read(_READ):
            self.channel.feed(octets)
        await self._reading[1]
        said = self._complaint.decode("utf-8", "replace").strip()
        ended = "the pod is taken down" if self._let_go else "the pod's process ended"
        self.channel.lose(": ".join(filter(None, [ended, said])))

    async def _complain(self) -> None:
        while octets := await self._complaints.read(_READ):  # a line of the target's may have no end
            self._complaint = (self._complaint + octets)[-_COMPLAINT:]
