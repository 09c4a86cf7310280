"""Datagrams received and sent many at a time: `recvmmsg` and `sendmmsg` of Linux, by way of ctypes.

Python's socket takes two system calls for each answer and turns the client's address into text and back.
With those the name server spent 1.45 times nsd's CPU on a small answer, and with these 1.1 times; with
answers of one size to one client handed over as segments of one message (`UDP_SEGMENT`), 0.95 times.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

Address = tuple[str, int]

#: Datagrams that are received at once.
_MOST = 64
#: Room for each. A question is far shorter, and what stands beyond decides nothing about its answer; an
#: answer that is longer goes out by itself.
_ROOM = 4096
_NAME = 16  #: octets of a sockaddr_in
_SOL_UDP, _UDP_SEGMENT = 17, 103  #: <linux/udp.h>
_BEGINS = tuple(range(0, _MOST * _ROOM, _ROOM))


class _Vector(ctypes.Structure):
    """struct iovec"""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr"""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("vectors", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr"""

    _fields_ = (("header", _Header), ("size", ctypes.c_uint))


class Datagrams:
    """The datagrams of a UDP socket over IPv4 that does not block."""

    def __init__(self, udp: socket.socket) -> None:
        libc = ctypes.CDLL(None)
        self._recvmmsg, self._sendmmsg = libc.recvmmsg, libc.sendmmsg
        self._udp = udp
        self._segments = _knows_segments(udp)
        self._number = udp.fileno()
        # Anonymous memory, whose slices are bytes at once: from a view they take another object.
        self._octets = mmap.mmap(-1, _MOST * _ROOM)
        octets, names = ctypes.c_char.from_buffer(self._octets), (ctypes.c_char * (_MOST * _NAME))()
        vectors, messages = (_Vector * _MOST)(), (_Message * _MOST)()
        for i in range(_MOST):
            vectors[i] = _Vector(ctypes.addressof(octets) + i * _ROOM, _ROOM)
            header = messages[i].header
            header.name, header.name_size = ctypes.addressof(names) + i * _NAME, _NAME
            header.vectors, header.count = ctypes.addressof(vectors) + i * ctypes.sizeof(_Vector), 1
        # Pointers made once, for a call whose arguments ctypes must convert takes twice as long.
        step = ctypes.sizeof(_Message)
        self._places = [ctypes.c_void_p(ctypes.addressof(messages) + i * step) for i in range(_MOST)]
        # Views, for an attribute of a structure costs five times as much as an item of a view.
        self._names = memoryview(names).cast("B")
        self._vectors, self._headers = memoryview(vectors).cast("B"), memoryview(messages).cast("B")
        self._rooms, self._sizes = self._vectors.cast("L"), self._headers.cast("I")
        # The kernel writes into these, and so does `send`; a copy of the beginning makes them ready again.
        self._fresh = bytes(self._vectors), bytes(self._headers)

    def receive(self) -> list[bytes]:
        """The datagrams that wait, at most 64 of them; each is cut at 4,096 octets."""
        self._vectors[:], self._headers[:] = self._fresh
        count = self._recvmmsg(self._number, self._places[0], _MOST, 0, None)
        if count <= 0:
            return []
        octets, sizes = self._octets, self._sizes[_SIZE_AT : _SIZE_AT + count * _SIZE_STEP : _SIZE_STEP]
        return [octets[begin : begin + size] for begin, size in zip(_BEGINS, sizes, strict=False)]

    def client(self, number: int) -> Address:
        """Who sent the datagram that was so many places behind the first when last received."""
        name = self._names[number * _NAME : (number + 1) * _NAME]
        return socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4], "big")

    def send(self, answers: Sequence[bytes | None]) -> None:
        """Send to the client of each datagram last received its answer; None: nothing.

        What the kernel does not take is lost, as datagrams are.
        """
        if self._segments and len(answers) > 1 and self._send_segments(answers):
            return
        octets, rooms, place, first = self._octets, self._rooms, 1, 0
        for begin, answer in zip(_BEGINS, answers, strict=False):
            if answer is None or len(answer) > _ROOM:
                i = place // 2
                self._send(first, i)
                first = i + 1
                if answer is not None:
                    self.send_to(answer, self.client(i))
            else:
                rooms[place] = size = len(answer)
                octets[begin : begin + size] = answer
            place += 2
        self._send(first, len(answers))

    def send_to(self, answer: bytes, client: Address) -> None:
        """Send one datagram."""
        with suppress(OSError):  # lost, as datagrams are
            self._udp.sendto(answer, client)

    def _send_segments(self, answers: Sequence[bytes | None]) -> bool:
        """Send all as one message that the kernel divides, where client and size are the same, or nothing.

        So the network's layers are gone through once: 0.8 of the CPU of a small answer, 1.3 times the rate.
        """
        count, answer = len(answers), answers[0]
        names = self._names[: count * _NAME].tobytes()
        if not answer or names != names[:_NAME] * count:
            return False
        size = len(answer)
        same = [one for one in answers if one is not None and len(one) == size]
        if len(same) < count:
            return False
        control = [(_SOL_UDP, _UDP_SEGMENT, size.to_bytes(2, sys.byteorder))]
        try:
            self._udp.sendmsg(same, control, 0, self.client(0))
        except OSError:
            return False  # such as too much for one message
        return True

    def _send(self, first: int, end: int) -> None:
        while first < end:
            sent = self._sendmmsg(self._number, self._places[first], end - first, 0)
            # The first of those that are left failed: the others are still to be sent.
            first += sent if sent > 0 else 1


def _knows_segments(udp: socket.socket) -> bool:
    """Whether the kernel divides messages (Linux 4.18); one that does not would send them whole."""
    try:
        udp.getsockopt(_SOL_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True


#: Where the sizes of what was received stand among the messages, in units of four octets.
_SIZE_AT, _SIZE_STEP = _Message.size.offset // 4, ctypes.sizeof(_Message) // 4
