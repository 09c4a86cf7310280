"""qmail-start and qmail-send: one process that takes mail from the queue to its recipients.

The decisions are those of `conformance.reference.send`; here stand the files, processes and waiting. Every
recipient is tried once when the message comes, and again at SIGALRM or at the next start: there is no schedule.
A line of the log is written when what it says stands on the disk, so who reads it can rely on the queue.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
from typing import Dict, List, Tuple

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.local import Homes
from conformance.reference.programs import place
from conformance.reference.programs.accounts import Accounts, BadTable
from conformance.reference.programs.local import LocalProcess
from conformance.reference.programs.processes import User, ended, hand_in, read_all, spawn, write_all
from conformance.reference.programs.queuefiles import QueueFiles
from conformance.reference.queue import Message, Queue, Recipient
from conformance.reference.send import Send

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
        super().__init__(clock=_now, process=os.getpid)
        self.files = files
        self._home = home
        self._variables = variables

    def enqueue(self, wanted: Enqueue) -> Queued:
        """Queue a bounce. Raises Trouble, so that the message that bounced is not removed."""
        queued = self.hand_in(wanted, _user("qmails"))
        if queued.error:
            raise Trouble
        return queued

    def hand_in(self, wanted: Enqueue, user: User) -> Queued:
        """Queue a message as that user, or as oneself."""
        return hand_in(self._home, wanted.message, wanted.sender, wanted.recipients, self._variables, user)

    def remove(self, message: Message) -> None:
        super().remove(message)
        self.files.remove(message.number)
