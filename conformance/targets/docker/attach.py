"""A container's standard streams over the Docker API: no port, no bind mount, no exec, near or far."""

import asyncio
import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

STDOUT = 1
STDERR = 2

#: Told what a container wrote: STDOUT or STDERR, and the octets; then once `None` at the end. On the loop.
Heard = Callable[[int, bytes | None], None]


class Attachment:
    """The standard streams of one container, attached before it starts so that nothing is missed.

    A thread reads, one writes: an engine over TLS or SSH has no socket that a loop could watch. Made in
    any thread; `heard` is called on the loop, and `send` may be.
    """

    def __init__(self, client: Any, container: str, heard: Heard, loop: asyncio.AbstractEventLoop) -> None:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached = client.api.attach_socket(container, params=streams)
        if isinstance(attached, socket.SocketIO):  # of a plain socket the SDK gives the file, and keeps it
            attached = socket.socket(fileno=os.dup(attached.fileno()))
        self._socket = attached
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

    def _read(self) -> None:
        """Without a terminal each piece follows 8 octets: the stream, three zeros, the piece's length."""
        with contextlib.suppress(Exception), self._socket.makefile("rb") as pieces:  # any end is the end
            while len(header := pieces.read(8)) == 8:
                self._tell(header[0], pieces.read(int.from_bytes(header[4:], "big")))
        self._outgoing.put(None)
        self._tell(STDOUT, None)
        with contextlib.suppress(Exception):
            self._socket.close()

    def _tell(self, stream: int, content: bytes | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._heard, stream, content)

    def _write(self) -> None:
        with contextlib.suppress(Exception):  # the reader sees the same end
            while (octets := self._outgoing.get()) is not None:
                self._socket.sendall(octets)
