"""qmail-start and qmail-send: one process that takes mail from the queue to its recipients.

The decisions are those of `conformance.reference.send`; here stand the files, processes and waiting.
Deliveries are made one after the other. Every recipient is tried once when the message comes, and again at
SIGALRM or at the next start: there is no schedule. A line of the log is written when what it says stands on
the disk, so who reads it can rely on the queue.
"""

import fcntl
import os
import select
import signal
import sys
import time
from functools import partial
from typing import Callable, Dict, List, Optional, Tuple

from conformance.reference.acts import Enqueue, Queued
from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.programs import place
from conformance.reference.programs.local import deliver_in_child
from conformance.reference.programs.processes import hand_in, output_of, spawn, system_account, write_all
from conformance.reference.programs.queuefiles import QueueFiles
from conformance.reference.queue import CANNOT_RUN, Message
from conformance.reference.rspawn import QmailRspawn
from conformance.reference.send import QmailSend


class QueueOnDisk:
    """The messages that qmail-send knows, and their files; `enqueue` has a bounce queued."""

    now = staticmethod(time.time)

    def __init__(self, files: QueueFiles, enqueue: Callable[[Enqueue], Queued]) -> None:
        self.enqueue = enqueue
        self.take_up, self.settle = files.take_up, files.settle
        self.ending = False
        self._again = True  #: all that is kept is due: so it is at the start, too
        self._files = files
        self._messages = [files.kept_message(number) for number in files.kept()]
        self._due: List[Message] = []

    def end(self, *_: object) -> None:
        """A signal's handler: from now on nothing is due."""
        self.ending = True

    def try_again(self, *_: object) -> None:
        """A signal's handler: everything is due again."""
        self._again = True

    def next_due(self) -> Optional[Message]:
        if self._again:
            self._again = False
            self._due = list(self._messages)
            for message in self._messages:
                message.due = self.now()
                for recipient in message.pending:
                    recipient.tried = False
        known = {message.number for message in self._messages}
        new = [self._files.new_message(number) for number in self._files.todo() if number not in known]
        self._messages += new
        self._due += new
        return self._due.pop(0) if self._due and not self.ending else None

    def remove(self, message: Message) -> None:
        self._messages.remove(message)
        self._files.remove(message.number)


def run_remote(
    home: str, variables: Dict[str, str], files: QueueFiles, message: Message, host: bytes, recipient: bytes
) -> Tuple[int, bytes]:
    """Run qmail-remote as qmail-rspawn does; it reads the message from the queue."""
    stored = os.open(files.path("mess", message.number), os.O_RDONLY)
    program = os.path.join(home, "bin", "qmail-remote")
    words = [program, *(word.decode("latin-1") for word in (host, message.sender, recipient))]
    directory = os.path.join(home, "queue", "mess")
    account = system_account("qmailr")
    status, output = output_of(
        lambda writer: spawn(words, variables, {0: stored, 1: writer}, directory, account)
    )
    os.close(stored)
    if status == CANNOT_RUN:
        return QmailRspawn.cannot_run, b""
    return (-1 if isinstance(status, str) else status), output


def log(line: str) -> None:
    """One line of qmail-log(5)."""
    write_all(1, line.encode("latin-1") + b"\n")


def serve(home: str, control: Dict[str, str]) -> int:
    """Deliver what is in the queue and what comes, until SIGTERM; the exit status."""
    files = QueueFiles(os.path.join(home, "queue"))
    variables = place.environment()
    forward = partial(hand_in, home, environment=variables)
    queue = QueueOnDisk(files, partial(forward, account=system_account("qmails")))
    local = partial(deliver_in_child, home, control["me"].partition("\n")[0], forward)
    remote = partial(run_remote, home, variables, files)
    qmail_send = QmailSend(Build(), ControlFiles(control), queue, local, remote, log)
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGTERM, queue.end)
    signal.signal(signal.SIGALRM, queue.try_again)
    signal.signal(signal.SIGHUP, lambda *_: qmail_send.reread(ControlFiles(place.control_files(home))))
    # Open for writing too: without that, the fifo is at its end whenever nobody writes.
    trigger = os.open(files.trigger, os.O_RDWR | os.O_NONBLOCK)
    while True:
        qmail_send.run()
        if queue.ending:
            log("status: exiting")
            return 0
        for ready in select.select([trigger, waking], [], [])[0]:
            os.read(ready, 4096)


def main(home: str) -> int:
    """`qmail-start ./Maildir/`; its exit status."""
    if sys.argv[1:] not in ([], ["./Maildir/"]):
        write_all(2, b"qmail-start: usage: qmail-start ./Maildir/ (the reference knows no other delivery)\n")
        return 100
    control = place.control_files(home)
    if "me" not in control:
        log("alert: cannot start: unable to read controls")
        return 111
    mutex = os.open(os.path.join(home, "queue", "lock", "sendmutex"), os.O_WRONLY)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        log("alert: cannot start: qmail-send is already running")
        return 111
    return serve(home, control)
