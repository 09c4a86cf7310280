"""qmail-start and qmail-send: one process that takes mail from the queue to its recipients.

The decisions are those of `conformance.reference.send`; here stand the files, processes and waiting.
Deliveries are made one after the other. Every recipient is tried once when the message comes, and again at
SIGALRM or at the next start: there is no schedule. A line of the log is written when what it says stands on
the disk, so who reads it can rely on the queue.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import select
import signal
import sys
import time
from typing import Dict, List, Optional, Tuple

from conformance.reference.acts import Enqueue, Queued
from conformance.reference.local import Homes
from conformance.reference.programs import place
from conformance.reference.programs.local import LocalProcess
from conformance.reference.programs.processes import User, ended, hand_in, read_all, spawn, write_all
from conformance.reference.programs.queuefiles import QueueFiles
from conformance.reference.queue import Message, Queue, Recipient
from conformance.reference.send import Delivery, Send

_CHANNELS = ("local", "remote")


class Trouble(Exception):
    """A bounce cannot be queued now."""


class Filed(bytes):
    """An address as it stands in the queue's file of a channel."""

    channel: str
    at: int  #: where in the file

    @classmethod
    def standing(cls, address: bytes, channel: str, at: int) -> Filed:
        filed = cls(address)
        filed.channel, filed.at = channel, at
        return filed


class DiskQueue(Queue):
    """The messages under way; what goes in goes through qmail-queue."""

    def __init__(self, files: QueueFiles, home: str, variables: Dict[str, str]) -> None:
        super().__init__(clock=time.time, process=os.getpid)
        self.files = files
        self._home = home
        self._variables = variables

    def enqueue(self, wanted: Enqueue) -> Queued:
        """Queue a bounce. Raises Trouble, so that the message that bounced is not removed."""
        queued = self.hand_in(wanted, user("qmails"))
        if queued.error:
            raise Trouble
        return queued

    def hand_in(self, wanted: Enqueue, caller: Optional[User] = None) -> Queued:
        """Queue a message as that user, or as oneself."""
        return hand_in(self._home, wanted.message, wanted.sender, wanted.recipients, self._variables, caller)

    def remove(self, message: Message) -> None:
        super().remove(message)
        self.files.remove(message.number)


class Daemon(Send):
    """qmail-send over the queue on disk; `home` is qmail's."""

    def __init__(self, home: str, control: Dict[str, str], variables: Dict[str, str]) -> None:
        self._home = home
        self._variables = variables
        self._lines: List[str] = []
        self._ready: List[Message] = []
        self._ending = self._again = False
        self._files = QueueFiles(os.path.join(home, "queue"))
        queue = DiskQueue(self._files, home, variables)
        super().__init__(control, queue, Homes({}), self._run_remote, self._lines.append)
        host = control.get("me", "").partition("\n")[0]
        self._local = LocalProcess(home, host, queue.hand_in, self._flush)

    def serve(self) -> int:
        """Deliver what is in the queue and what comes, until SIGTERM; the exit status."""
        waking, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGALRM, self._try_again)
        # Open for writing too: without that, the fifo is at its end whenever nobody writes.
        trigger = os.open(self._files.trigger, os.O_RDWR | os.O_NONBLOCK)
        self._status()
        self._load()
        while True:
            self._work()
            if self._ending:
                self._log("status: exiting")
                self._flush()
                return 0
            for ready in select.select([trigger, waking], [], [])[0]:
                os.read(ready, 4096)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _try_again(self, *_: object) -> None:
        self._again = True

    def _flush(self) -> None:
        if self._lines:
            write_all(1, "".join(line + "\n" for line in self._lines).encode("latin-1"))
            self._lines.clear()

    # Which messages are under way

    def _work(self) -> None:
        """Go on until nothing is left that has not been tried."""
        self._flush()
        while not self._ending:
            if self._again:
                self._again = False
                self._ready = list(self._queue.messages)
                for message in self._ready:
                    for recipient in message.pending:
                        recipient.tried = False
            known = {message.number for message in self._queue.messages}
            for number in self._files.todo():
                if number not in known:
                    self._take_up(number)
            if not self._ready:
                return
            self._handle(self._ready.pop(0))

    def _take_up(self, number: int) -> None:
        """A message that has come: sort its recipients into the channels."""
        envelope = self._files.envelope(number)
        filed: List[Filed] = []
        channels: Dict[str, List[bytes]] = {channel: [] for channel in _CHANNELS}
        for recipient in envelope.recipients:
            is_local, address = self._rewrite(recipient)
            channel = _CHANNELS[0] if is_local else _CHANNELS[1]
            at = sum(len(other) + 2 for other in channels[channel])
            channels[channel].append(address)
            filed.append(Filed.standing(address, channel, at))
        self._files.take_up(number, envelope.sender, channels)
        recipients = [Recipient(address) for address in filed]
        self._add(
            Message(
                number, envelope.qp, envelope.uid, envelope.sender, recipients, self._files.octets(number)
            )
        )

    def _load(self) -> None:
        """The messages that were under way when qmail-send ended last."""
        waiting = set(self._files.todo())
        for number in self._files.kept():
            if number in waiting:
                continue  # it is taken up anew
            recipients = [
                Recipient(Filed.standing(entry.address, channel, entry.at), done=entry.done)
                for channel in _CHANNELS
                for entry in self._files.recipients(channel, number)
            ]
            sender, octets = self._files.sender(number), self._files.octets(number)
            bounce = self._files.bounce(number)
            self._add(Message(number, 0, 0, sender, recipients, octets, bounce, announced=True))

    def _add(self, message: Message) -> None:
        self._queue.messages.append(message)
        self._ready.append(message)

    # One message

    def _handle(self, message: Message) -> None:
        try:
            super()._handle(message)
        except Trouble:
            self._log("warning: trouble injecting bounce message, will try later")
        self._flush()

    def _finish(self, message: Message, delivery: Delivery) -> None:
        self._under_way = message.number
        failures = message.bounce
        super()._finish(message, delivery)
        # Not before: who reads the log to its end and finds todo empty must have read "new msg".
        self._files.leave_todo(message.number)
        if message.bounce != failures:
            self._files.set_bounce(message.number, message.bounce)
        address = delivery.recipient.address
        if delivery.recipient.done and isinstance(address, Filed):
            self._files.mark_done(address.channel, message.number, address.at)

    def _rewrite(self, address: bytes) -> Tuple[bool, bytes]:
        if isinstance(address, Filed):
            return address.channel == _CHANNELS[0], address
        return super()._rewrite(address)

    def _run_remote(self, host: bytes, sender: bytes, recipient: bytes, message: bytes) -> Tuple[int, bytes]:
        """Run qmail-remote as qmail-rspawn does; `message` is read by it from the queue."""
        self._flush()
        path = self._files.path("mess", self._under_way)
        program = os.path.join(self._home, "bin", "qmail-remote")
        words = [program, *(word.decode("latin-1") for word in (host, sender, recipient))]
        stored = os.open(path, os.O_RDONLY)
        reader, writer = os.pipe()
        directory = os.path.join(self._home, "queue", "mess")
        pid = spawn(words, self._variables, {0: stored, 1: writer}, directory, user("qmailr"))
        os.close(stored)
        os.close(writer)
        output = read_all(reader)
        os.close(reader)
        status = ended(pid)
        return (-1 if isinstance(status, str) else status), output


def user(name: str) -> Optional[User]:
    """An account of the system; None when there is none (and one stays who one is)."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(entry.pw_uid, entry.pw_gid)


def main(home: str) -> int:
    """`qmail-start ./Maildir/`; its exit status."""
    if sys.argv[1:] not in ([], ["./Maildir/"]):
        write_all(2, b"qmail-start: usage: qmail-start ./Maildir/ (the reference knows no other delivery)\n")
        return 100
    control = place.control_files(home)
    if "me" not in control:
        write_all(1, b"alert: cannot start: unable to read controls\n")
        return 111
    mutex = os.open(os.path.join(home, "queue", "lock", "sendmutex"), os.O_WRONLY)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        write_all(1, b"alert: cannot start: qmail-send is already running\n")
        return 111
    return Daemon(home, control, place.environment()).serve()
