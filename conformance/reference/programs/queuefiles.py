"""The queue on disk, in qmail's own form: mess, intd, todo, info, local, remote, bounce, and the trigger."""

import contextlib
import os
from itertools import takewhile
from typing import List, Sequence

from conformance.reference.programs.processes import system_account, write_all, write_durably
from conformance.reference.queue import LOCAL, REMOTE, Message, Recipient

#: Directories that the files of mess, info, local and remote are spread over.
SPLIT = 23
_SPREAD = ("mess", "info", LOCAL, REMOTE)
_DONE, _NOT_DONE = b"D", b"T"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_WHOLE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class QueueFiles:
    """`directory` is the queue; a message's number is the inode of its file in mess."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.trigger = os.path.join(directory, "lock", "trigger")  #: the fifo that qmail-send waits at

    def path(self, kind: str, number: int) -> str:
        """Where the file of that kind for a message stands."""
        parts = (kind, str(number % SPLIT)) if kind in _SPREAD else (kind,)
        return os.path.join(self._directory, *parts, str(number))

    # What qmail-queue does

    def store(self, octets: bytes, uid: int, qp: int, sender: bytes, recipients: Sequence[bytes]) -> int:
        """Put a message in the queue, all or nothing; its number. Raises OSError."""
        first = os.path.join(self._directory, "pid", f"{qp}.{os.urandom(4).hex()}")
        descriptor = os.open(first, _NEW, 0o644)
        number = os.fstat(descriptor).st_ino
        made = [first]
        try:
            os.link(first, self.path("mess", number))
            made.append(self.path("mess", number))
            os.unlink(first)
            write_durably(descriptor, octets)
            descriptor = os.open(self.path("intd", number), _NEW, 0o644)
            made.append(self.path("intd", number))
            fields = [b"u%d" % uid, b"p%d" % qp, b"F" + sender, *(b"T" + address for address in recipients)]
            write_durably(descriptor, b"".join(field + b"\0" for field in fields))
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
                write_all(descriptor, b"\0")
            finally:
                os.close(descriptor)

    # What qmail-send does

    def todo(self) -> List[int]:
        """Messages that have come and were not taken up yet, in the order of their coming."""
        files = [file for file in os.scandir(os.path.join(self._directory, "todo")) if file.name.isdigit()]
        came = sorted((file.stat().st_mtime_ns, int(file.name)) for file in files)
        return [number for _, number in came]

    def kept(self) -> List[int]:
        """Messages that were taken up and are not at their end."""
        waiting = self.todo()
        return sorted(
            int(name)
            for part in range(SPLIT)
            for name in os.listdir(os.path.join(self._directory, "info", str(part)))
            if name.isdigit() and int(name) not in waiting
        )

    def new_message(self, number: int) -> Message:
        """A message as todo has it. Raises OSError."""
        fields = self._fields("todo", number)
        values = {field[:1]: field[1:] for field in fields}
        recipients = [Recipient(field[1:]) for field in fields if field[:1] == b"T"]
        uid, qp = int(values.get(b"u", b"0")), int(values.get(b"p", b"0"))
        sender, octets = values.get(b"F", b""), self._octets("mess", number)
        return Message(number, qp, uid, sender, recipients, octets, born=self._came("todo", number))

    def kept_message(self, number: int) -> Message:
        """A message as info, local, remote and bounce have it. Raises OSError."""
        recipients: List[Recipient] = []
        bounce = b""
        for channel in (LOCAL, REMOTE):
            with contextlib.suppress(FileNotFoundError):
                recipients += [
                    Recipient(field[1:], channel, field[1:], done=field[:1] == _DONE)
                    for field in self._fields(channel, number)
                ]
        with contextlib.suppress(FileNotFoundError):
            bounce = self._octets("bounce", number)
        sender = b"".join(field[1:] for field in self._fields("info", number) if field[:1] == b"F")
        octets = self._octets("mess", number)
        born = self._came("info", number)
        return Message(number, 0, 0, sender, recipients, octets, bounce, taken_up=True, born=born)

    def take_up(self, message: Message) -> None:
        """Move a message from todo to info and its channels."""
        for channel in (LOCAL, REMOTE):
            fields = [
                _NOT_DONE + recipient.rewritten + b"\0"
                for recipient in message.recipients
                if recipient.channel == channel
            ]
            _unlink(self.path(channel, message.number))
            if fields:
                self._write(channel, message.number, b"".join(fields), _WHOLE)
        self._write("info", message.number, b"F" + message.sender + b"\0", _WHOLE)
        _unlink(self.path("intd", message.number))
        _unlink(self.path("todo", message.number))

    def settle(self, message: Message, recipient: Recipient, failure: bytes) -> None:
        """Note that a recipient needs no more tries, once the sender is sure to be told of a failure."""
        if failure:
            self._write("bounce", message.number, failure, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        before = takewhile(lambda other: other is not recipient, message.recipients)
        at = sum(len(other.rewritten) + 2 for other in before if other.channel == recipient.channel)
        descriptor = os.open(self.path(recipient.channel, message.number), os.O_WRONLY)
        try:
            os.pwrite(descriptor, _DONE, at)
        finally:
            os.close(descriptor)
        channel = [other for other in message.recipients if other.channel == recipient.channel]
        if all(other.done or other is recipient for other in channel):
            _unlink(self.path(recipient.channel, message.number))

    def remove(self, number: int) -> None:
        """Everything of a message; mess at last, so that its number is not given again before."""
        for kind in ("intd", "todo", "bounce", LOCAL, REMOTE, "info", "mess"):
            _unlink(self.path(kind, number))

    def _came(self, kind: str, number: int) -> float:
        return os.stat(self.path(kind, number)).st_mtime

    def _octets(self, kind: str, number: int) -> bytes:
        with open(self.path(kind, number), "rb") as file:
            return file.read()

    def _fields(self, kind: str, number: int) -> List[bytes]:
        return self._octets(kind, number).split(b"\0")[:-1]

    def _write(self, kind: str, number: int, octets: bytes, flags: int) -> None:
        descriptor = os.open(self.path(kind, number), flags, 0o600)
        account = system_account("qmails") if os.geteuid() == 0 else None
        if account is not None:  # this qmail-send goes on as root, and its files are qmails' all the same
            os.fchown(descriptor, account.uid, account.gid)
        write_durably(descriptor, octets)


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
