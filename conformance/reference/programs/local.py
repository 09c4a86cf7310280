"""Local deliveries on a real file system: one process for each, as the user whose mail it is."""

import contextlib
import fcntl
import os
import tempfile
import time
from typing import Callable, Dict, Tuple, Union

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.build import Build
from conformance.reference.homes import Failed, ProgramRun
from conformance.reference.local import QmailLocal
from conformance.reference.programs.accounts import SystemAccounts
from conformance.reference.programs.place import environment as environment_now
from conformance.reference.programs.place import texts
from conformance.reference.programs.processes import become, output_of, spawn, write_all, write_durably
from conformance.reference.queue import Message


def deliver_in_child(
    home: str, host: str, enqueue: Callable[[Enqueue], Queued], message: Message, address: bytes
) -> bytes:
    """The report of one delivery, made in its own process; `home` is qmail's, `host` this host's name."""

    def start(writer: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                homes = SystemHomes(SystemAccounts(home), host)
                write_all(writer, QmailLocal(Build(), homes, enqueue, message, address).report())
                os._exit(0)
            finally:
                os._exit(111)
        return pid

    status, report = output_of(start)
    if status == CRASHED:
        return b"Zqmail-local crashed.\n"
    return report if status == 0 and report else b"ZUnable to run qmail-local.\n"


class SystemHomes:
    """The home directories of this host. The process becomes the user whose dot-qmail files it reads."""

    now = staticmethod(time.time)

    def __init__(self, accounts: SystemAccounts, host: str) -> None:
        self._accounts = accounts
        self._host = host.replace("/", "_").replace(":", "_") or "unknown"
        self._stored = 0
        self._environment = environment_now()  # whoever becomes another user cannot read it any more

    def has(self, name: str) -> bool:
        return self._accounts.has(name)

    def dot_qmail(self, user: str) -> Dict[str, str]:
        """Become the user, in his home directory, and only then read his files."""
        account = self._accounts.find(user)
        if account is None:
            raise Failed(111, "Unable to find the user. (#4.3.0)\n")
        try:
            become(account)
            os.umask(0o077)
            os.chdir(account.home)
            return texts(".", ".qmail")
        except OSError:
            raise Failed(111, f"Unable to switch to {account.home}. (#4.3.0)\n") from None

    def home(self, user: str) -> str:
        account = self._accounts.find(user)
        return "" if account is None else account.home

    def run(self, wanted: ProgramRun) -> Tuple[Union[int, str], bytes]:
        """`sh -c` in the home, where this process is; it reads the message from a file, as from the queue."""
        with tempfile.TemporaryFile() as message:
            message.write(wanted.octets)
            message.seek(0)
            command = ["/bin/sh", "-c", wanted.command.decode("latin-1")]
            descriptors = {0: message.fileno()}
            environment = {**self._environment, **wanted.environment}
            return output_of(
                lambda writer: spawn(command, environment, {**descriptors, 1: writer, 2: writer}, ".")
            )

    def mode(self, user: str, file: str = "") -> int:
        account = self._accounts.find(user)
        try:
            return 0 if account is None else os.stat(os.path.join(account.home, file)).st_mode & 0o7777
        except OSError:
            assert account is not None
            raise Failed(111, f"Unable to switch to {account.home}. (#4.3.0)\n") from None

    def to_maildir(self, user: str, directory: bytes, octets: bytes) -> None:
        """A whole file in tmp, then linked into new (maildir(5), HOW A MESSAGE IS DELIVERED)."""
        self._stored += 1
        again = f"_{self._stored}" if self._stored > 1 else ""
        unique = f"{int(time.time())}.{os.getpid()}{again}.{self._host}".encode("latin-1")
        temporary = directory + b"tmp/" + unique
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            raise Failed(111, "Unable to chdir to maildir. (#4.2.1)\n") from None
        try:
            write_durably(descriptor, octets)
            os.link(temporary, directory + b"new/" + unique)
        except OSError:
            raise Failed(111, "Temporary error on maildir delivery. (#4.3.0)\n") from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def to_mbox(self, user: str, file: bytes, octets: bytes) -> None:
        """At the end of the file, under a lock (mbox(5)); what was written in vain is cut off again."""
        try:
            with open(file, "ab") as mbox:
                fcntl.flock(mbox, fcntl.LOCK_EX)
                end = mbox.seek(0, os.SEEK_END)
                try:
                    mbox.write(octets)
                    mbox.flush()
                    os.fsync(mbox.fileno())
                except OSError:
                    os.ftruncate(mbox.fileno(), end)
                    raise
        except OSError:
            raise Failed(111, "Unable to write mbox. (#4.3.0)\n") from None
