"""A container's standard streams over the Docker API: no port, no bind mount, no exec, near or far."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

STDOUT = 1
STDERR = 2

#: Told what a container wrote: STDOUT or STDERR, and the octets; then once `None` at the end. On the loop.
Heard = Callable[[int, bytes | None], None]

_READ_AT_ONCE = 1 << 16


class Demultiplexer:
    """Takes the engine's stream of a container without a terminal apart: 8 octets of header, then content."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, octets: bytes) -> list[tuple[int, bytes]]:
        """The pieces that `octets` complete, in order."""
        self._unread += octets
        pieces = []
        start = 0
        while len(self._unread) >= start + 8:
            end = start + 8 + int.from_bytes(self._unread[start + 4 : start + 8], "big")
            if len(self._unread) < end:
                break
            pieces.append((self._unread[start], bytes(self._unread[start + 8 : end])))
            start = end
        del self._unread[:start]
        return pieces


class Attachment:
    """The standard streams of one container, attached before it starts so that nothing is missed.

    A thread reads, one writes: an engine over TLS or SSH has no socket that a loop could watch. Made in
    any thread; `heard` is called on the loop, and `send` may be.
    """

    def __init__(self, client: Any, container: str, heard: Heard, loop: asyncio.AbstractEventLoop) -> None:
        self._attached = client.api.attach_socket(
            container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        self._socket = getattr(self._attached, "_sock", self._attached)
        self._socket.settimeout(None)
        self._heard = heard
        self._loop = loop
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"{work.__name__} {container[:12]}", daemon=True).start()

    def send(self, octets: bytes) -> None:
        """Octets for the container's standard input; returns at once."""
        self._outgoing.put(octets)

    def close(self) -> None:
        """Let go: the container's standard input ends. From any thread."""
        self._outgoing.put(None)
        with contextlib.suppress(Exception):
            self._socket.shutdown(socket.SHUT_RDWR)
        # The response ends before its socket, or it complains when it is collected (Python 3.13).
        with contextlib.suppress(Exception):
            self._attached._response.raw._fp.close()
        with contextlib.suppress(Exception):
            self._attached.close()

    def _read(self) -> None:
        pieces = Demultiplexer()
        with contextlib.suppress(Exception):  # whatever ends the stream, the end is what is told
            while octets := self._socket.recv(_READ_AT_ONCE):
                for stream, content in pieces.feed(octets):
                    self._tell(stream, content)
        self._outgoing.put(None)
        self._tell(STDOUT, None)

    def _tell(self, stream: int, content: bytes | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._heard, stream, content)

    def _write(self) -> None:
        with contextlib.suppress(Exception):  # the reader sees the same end
            while (octets := self._outgoing.get()) is not None:
                self._socket.sendall(octets)
