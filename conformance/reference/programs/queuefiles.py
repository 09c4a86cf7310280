"""The queue on disk, in qmail's own form: mess, intd, todo, info, local, remote, bounce, and the trigger."""

from __future__ import annotations

import contextlib
import os
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

#: Directories that the files of mess, info, local and remote are spread over.
SPLIT = 23
_SPREAD = ("mess", "info", "local", "remote")
_DONE, _NOT_DONE = b"D", b"T"


class Envelope(NamedTuple):
    """What todo says of a message: who handed it in, its sender and recipients."""

    uid: int
    qp: int
    sender: bytes
    recipients: List[bytes]


class Entry(NamedTuple):
    """One recipient in local or remote: its address, where in the file it stands, whether it is done."""

    address: bytes
    at: int
    done: bool


class QueueFiles:
    """`directory` is the queue; a message's number is the inode of its file in mess."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def path(self, kind: str, number: int) -> str:
        """Where the file of that kind for a message stands."""
        parts = (kind, str(number % SPLIT)) if kind in _SPREAD else (kind,)
        return os.path.join(self._directory, *parts, str(number))

    @property
    def trigger(self) -> str:
        """The fifo that qmail-send waits at."""
        return os.path.join(self._directory, "lock", "trigger")

    # What qmail-queue does

    def store(self, octets: bytes, envelope: Envelope) -> int:
        """Put a message in the queue, all or nothing; its number. Raises OSError."""
        first = os.path.join(self._directory, "pid", f"{envelope.qp}.{os.urandom(4).hex()}")
        descriptor = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        number = os.fstat(descriptor).st_ino
        made = [first]
        try:
            os.link(first, self.path("mess", number))
            made.append(self.path("mess", number))
            os.unlink(first)
            _finish(descriptor, octets)
            descriptor = os.open(self.path("intd", number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            made.append(self.path("intd", number))
            fields = [b"u%d" % envelope.uid, b"p%d" % envelope.qp, b"F" + envelope.sender]
            fields += [b"T" + recipient for recipient in envelope.recipients]
            _finish(descriptor, b"".join(field + b"\0" for field in fields))
            os.link(self.path("intd", number), self.path("todo", number))
        except OSError:
            for path in made:
                _unlink(path)
            raise
        return number

    def pull_trigger(self) -> None:
        """Tell qmail-send, if it runs, that todo holds something."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.trigger, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(descriptor, b"\0")
            finally:
                os.close(descriptor)

    # What qmail-send does

    def todo(self) -> List[int]:
        """Messages that have come and were not taken up yet, in the order of their coming."""
        directory = os.path.join(self._directory, "todo")
        came: List[Tuple[int, int]] = []
        for name in os.listdir(directory):
            if name.isdigit():
                came.append((os.stat(os.path.join(directory, name)).st_mtime_ns, int(name)))
        return [number for _, number in sorted(came)]

    def kept(self) -> List[int]:
        """Messages that were taken up and are not at their end."""
        return sorted(
            int(name)
            for part in range(SPLIT)
            for name in os.listdir(os.path.join(self._directory, "info", str(part)))
            if name.isdigit()
        )

    def envelope(self, number: int) -> Envelope:
        """What todo says of a message. Raises OSError."""
        uid, qp, sender, recipients = 0, 0, b"", []
        for field in self._fields("todo", number):
            kind, value = field[:1], field[1:]
            if kind == b"u":
                uid = int(value)
            elif kind == b"p":
                qp = int(value)
            elif kind == b"F":
                sender = value
            elif kind == b"T":
                recipients.append(value)
        return Envelope(uid, qp, sender, recipients)

    def take_up(self, number: int, sender: bytes, channels: Dict[str, List[bytes]]) -> None:
        """Write what delivery needs: the sender, and the recipients of each channel."""
        for channel, addresses in channels.items():
            _unlink(self.path(channel, number))
            if addresses:
                self._write(channel, number, b"".join(_NOT_DONE + address + b"\0" for address in addresses))
        self._write("info", number, b"F" + sender + b"\0")

    def leave_todo(self, number: int) -> None:
        """Take a message out of todo, once it stands in info and its channels."""
        _unlink(self.path("intd", number))
        _unlink(self.path("todo", number))

    def sender(self, number: int) -> bytes:
        """The sender of a message that was taken up."""
        return b"".join(field[1:] for field in self._fields("info", number) if field[:1] == b"F")

    def recipients(self, channel: str, number: int) -> Iterator[Entry]:
        """The recipients of one channel; none when it has no file."""
        at = 0
        with contextlib.suppress(FileNotFoundError):
            for field in self._fields(channel, number):
                yield Entry(field[1:], at, field[:1] == _DONE)
                at += len(field) + 1

    def octets(self, number: int) -> bytes:
        """The message as it is stored."""
        with open(self.path("mess", number), "rb") as file:
            return file.read()

    def mark_done(self, channel: str, number: int, at: int) -> None:
        """Note that a recipient needs no more tries."""
        descriptor = os.open(self.path(channel, number), os.O_WRONLY)
        try:
            os.pwrite(descriptor, _DONE, at)
        finally:
            os.close(descriptor)

    def bounce(self, number: int) -> bytes:
        """The failures that the sender has to be told."""
        try:
            with open(self.path("bounce", number), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def set_bounce(self, number: int, text: bytes) -> None:
        """Keep the failures until the sender has been told."""
        self._write("bounce", number, text)

    def remove(self, number: int) -> None:
        """Everything of a message; mess at last, so that its number is not given again before."""
        for kind in ("intd", "todo", "bounce", "local", "remote", "info", "mess"):
            _unlink(self.path(kind, number))

    def _fields(self, kind: str, number: int) -> Iterable[bytes]:
        with open(self.path(kind, number), "rb") as file:
            return file.read().split(b"\0")[:-1]

    def _write(self, kind: str, number: int, octets: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        _finish(os.open(self.path(kind, number), flags, 0o600), octets)


def _finish(descriptor: int, octets: bytes) -> None:
    """Write, make it last, close. Raises OSError."""
    try:
        rest: Optional[memoryview] = memoryview(octets)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
