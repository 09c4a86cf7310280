"""The way to the program that pods are forked from (`nursery`), and to each pod's process."""

import asyncio
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from conformance.errors import WorldError
from conformance.targets.namespaces.users import as_root

_NURSERY = ["-P", "-m", "conformance.targets.namespaces.nursery"]

_turn = threading.Lock()
_nursery: tuple["subprocess.Popen[bytes]", socket.socket] | None = None


class PodProcess:
    """A process that is nobody's child here; `link` is its descriptor (pidfd_open(2))."""

    def __init__(self, link: int) -> None:
        self._link = link
        self._ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(link, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._link)
        os.close(self._link)
        self._ended.set_result(None)

    async def wait(self) -> None:
        """Return when it has ended."""
        await asyncio.shield(self._ended)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._link, signal.SIGKILL)


async def forked(words: list[Any], *descriptors: int) -> PodProcess:
    """The process of a new pod, which is given these words and descriptors, as `nursery` says.

    Raises WorldError when there can be none.
    """
    return PodProcess(await asyncio.to_thread(_fork, json.dumps(words).encode(), descriptors))


def _fork(words: bytes, descriptors: tuple[int, ...]) -> int:
    global _nursery
    with _turn:
        try:
            process, asked = _nursery = _nursery or _started()
            with contextlib.suppress(ConnectionError):
                socket.send_fds(asked, [words], descriptors)
                _, links, _, _ = socket.recv_fds(asked, 1, 1)
                if links:
                    return links[0]
            _nursery = None
            asked.close()
            said = process.communicate()[1].decode("utf-8", "replace").strip()
        except OSError as error:
            said = f"a pod cannot have a process: {error.strerror}"
        raise WorldError(said or "no pod can be started", "fewer pods (--pods) need fewer processes")


def _started() -> tuple["subprocess.Popen[bytes]", socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [*as_root(), sys.executable, *_NURSERY]
        process = subprocess.Popen(command, stdin=theirs.fileno(), stderr=subprocess.PIPE)
    atexit.register(ours.close)
    return process, ours
