"""A container's standard streams over the Docker API: no port, no bind mount, no exec, near or far.

A plain socket (an engine on this machine, or over TCP) is watched by the event loop: threads that hand each
message over cost more than all else that a request takes. TLS and SSH have sockets that no loop can watch, so
threads serve these.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

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

    Made in a thread other than the loop's; `heard` and `send` are called on the loop.
    """

    def __init__(self, client: Any, container: str, heard: Heard, loop: asyncio.AbstractEventLoop) -> None:
        attached = client.api.attach_socket(
            container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        self._keep = attached  # closing it would close the socket inside
        self._streams = streams(getattr(attached, "_sock", attached), heard, loop, container[:12])

    def send(self, octets: bytes) -> None:
        """Octets for the container's standard input; returns at once."""
        self._streams.send(octets)

    def close(self) -> None:
        """Let go: the container's standard input ends. From any thread."""
        self._streams.close()
        # The response ends before its socket, or it complains when it is collected (Python 3.13).
        with contextlib.suppress(Exception):
            self._keep._response.raw._fp.close()
        with contextlib.suppress(Exception):
            self._keep.close()


def streams(link: Any, heard: Heard, loop: asyncio.AbstractEventLoop, name: str) -> Watched | Threads:
    """Serve a connected socket to the engine, by the loop where it can. Not from the loop's thread."""
    if type(link) is not socket.socket:
        return Threads(link, heard, loop, name)
    return asyncio.run_coroutine_threadsafe(_watched(link, heard, loop), loop).result()


async def _watched(link: socket.socket, heard: Heard, loop: asyncio.AbstractEventLoop) -> Watched:
    link.setblocking(False)
    # A protocol asks for the kind of socket only to reject what is no stream.
    connect = loop.create_unix_connection if link.family == socket.AF_UNIX else loop.create_connection
    _, watched = await connect(lambda: Watched(heard, loop), sock=link)
    return watched


class Watched(asyncio.BufferedProtocol):
    """A socket that the loop watches."""

    _transport: asyncio.Transport

    def __init__(self, heard: Heard, loop: asyncio.AbstractEventLoop) -> None:
        self._heard = heard
        self._loop = loop
        self._pieces = Demultiplexer()
        # One buffer for all reads: asyncio's own would be allocated anew, and be large, each time.
        self._buffer = memoryview(bytearray(_READ_AT_ONCE))

    def send(self, octets: bytes) -> None:
        self._transport.write(octets)

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the socket
            self._loop.call_soon_threadsafe(self._transport.abort)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        for stream, content in self._pieces.feed(bytes(self._buffer[:nbytes])):
            self._heard(stream, content)

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard(STDOUT, None)


class Threads:
    """A socket that only blocks: one thread reads, one writes."""

    def __init__(self, link: Any, heard: Heard, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._socket = link
        self._socket.settimeout(None)
        self._heard = heard
        self._loop = loop
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"{work.__name__} {name}", daemon=True).start()

    def send(self, octets: bytes) -> None:
        self._outgoing.put(octets)

    def close(self) -> None:
        self._outgoing.put(None)
        with contextlib.suppress(Exception):
            self._socket.shutdown(socket.SHUT_RDWR)

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
