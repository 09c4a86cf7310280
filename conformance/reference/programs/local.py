"""Local deliveries on a real file system: one process for each, as the user whose mail it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from typing import Callable, Optional

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.local import Failed, Homes, Local
from conformance.reference.octets import split_address
from conformance.reference.programs.accounts import Accounts, dot_qmail_files
from conformance.reference.programs.processes import become, ended, read_all, write_all


class LocalProcess(Local):
    """`deliver` forks; everything else here runs in the child."""

    def __init__(
        self, home: str, host: str, enqueue: Callable[[Enqueue], Queued], announce: Callable[[], None]
    ) -> None:
        super().__init__(Homes({}), enqueue, frozenset())
        self._qmail = home
        self._announce = announce
        self._host = host.replace("/", "_").replace(":", "_") or "unknown"
        self._stored = 0

    def deliver(self, address: bytes, sender: bytes, message: bytes) -> bytes:
        """The report of one delivery: `K`, `Z` or `D` and a text. Calls `announce` before it begins."""
        self._announce()
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self._accounts = Accounts(self._qmail)
                candidates = self._accounts.candidates(split_address(address)[0])
                self._homes = Homes({name: {} for name in candidates})
                write_all(writer, super().deliver(address, sender, message))
                os._exit(0)
            finally:
                os._exit(111)
        os.close(writer)
        report = read_all(reader)
        os.close(reader)
        status = ended(pid)
        if status == CRASHED:
            return b"Zqmail-local crashed.\n"
        return report if status == 0 and report else b"ZUnable to run qmail-local.\n"

    def _commands(self, user: str, dash: str, extension: bytes) -> Optional[bytes]:
        """Become the user, in his home directory, and only then read his files."""
        account = self._accounts.find(user)
        if account is None:
            raise Failed(111, "Unable to find the user. (#4.3.0)\n")
        try:
            become(account.user)
            os.umask(0o077)
            os.chdir(account.home)
            self._homes.dot_qmail[user] = dot_qmail_files(".")
        except OSError:
            raise Failed(111, f"Unable to switch to {account.home}. (#4.3.0)\n") from None
        return super()._commands(user, dash, extension)

    def _store(self, user: str, name: bytes, message: bytes) -> None:
        if name.endswith(b"/"):
            self._to_maildir(name, message)
        else:
            self._to_mbox(name, message)

    def _to_maildir(self, directory: bytes, message: bytes) -> None:
        """maildir(5): a whole file in tmp, then linked into new."""
        self._stored += 1
        unique = f"{int(time.time())}.{os.getpid()}_{self._stored}.{self._host}".encode("latin-1")
        temporary = directory + b"tmp/" + unique
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            raise Failed(111, "Unable to chdir to maildir. (#4.2.1)\n") from None
        try:
            with open(descriptor, "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(descriptor)
            os.link(temporary, directory + b"new/" + unique)
        except OSError:
            raise Failed(111, "Temporary error on maildir delivery. (#4.3.0)\n") from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _to_mbox(self, name: bytes, message: bytes) -> None:
        """mbox(5): at the end of the file, under a lock; what was written in vain is cut off again."""
        sender = message.partition(b"<")[2].partition(b">")[0] or b"MAILER-DAEMON"
        when = time.asctime(time.gmtime()).encode("ascii")
        quoted = re.sub(rb"(?m)^(>*From )", rb">\1", message)
        if not quoted.endswith(b"\n"):
            quoted += b"\n"
        try:
            with open(name, "ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                try:
                    file.write(b"From " + sender.replace(b" ", b"-") + b" " + when + b"\n" + quoted + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), end)
                    raise
        except OSError:
            raise Failed(111, "Unable to write mbox. (#4.3.0)\n") from None
