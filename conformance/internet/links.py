"""TCP connections that are read in the kernel for a moment, and by the event loop what takes longer to come.

What is about to come is waited for by a read that blocks: a turn of the event loop costs as much again as
what is done then. Nothing else is served meanwhile, so the moment is short.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from abc import ABC, abstractmethod

#: Seconds for which a read blocks: qmail answers sooner, unless it has a program to run or waits on purpose,
#: and asks no question meanwhile.
_SOON = 0.004
_MOMENT = struct.pack("@ll", 0, round(_SOON * 1e6))

#: A larger buffer the C library would take from the kernel and return to it for each read.
_READ_AT_ONCE = 65536


def block_for_a_moment(link: socket.socket) -> None:
    """Have reads and attempts to connect of a socket that blocks end after a moment; of a listener's
    connections too, which inherit that and need no call of their own.
    """
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _MOMENT)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _MOMENT)


class Listener(socket.socket):
    """A TCP socket over IPv4 that accepts at half the cost: `accept` asks for these, which by themselves are
    turned from numbers into members of enumerations each time.
    """

    family = socket.AF_INET
    type = socket.SOCK_STREAM


class Link(ABC):
    """A connected socket that blocks for a moment; calls that must not wait say so themselves."""

    def __init__(self, link: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._number = link.fileno()  #: for the loop, which is slow to find out what a socket is
        self._loop = loop
        self._reading = False  #: the loop watches it

    @abstractmethod
    def _readable(self) -> None:
        """Called by the loop."""

    def _received(self, flags: int = 0) -> bytes | None:
        """What has come; None where nothing has, b"" at the end."""
        try:
            return self._link.recv(_READ_AT_ONCE, flags)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _read_on(self) -> None:
        if not self._reading:
            self._loop.add_reader(self._number, self._readable)
            self._reading = True

    def _read_no_more(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._number)
            self._reading = False
