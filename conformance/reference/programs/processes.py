"""Other programs, run with chosen descriptors, and what became of them."""

import fcntl
import os
import pwd
import signal
import time
from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from conformance.reference.acts import CRASHED, HUNG, Enqueue, Queued
from conformance.reference.queue import CANNOT_READ, CANNOT_RUN, envelope, trouble

#: Seconds between looks at whether a process has ended.
_TURN = 0.002


class Account(NamedTuple):
    """Whom a process runs as, and the home of whoever receives mail."""

    uid: int
    gid: int
    home: str


def system_account(name: str) -> Optional[Account]:
    """An account of the system; None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_dir)


def become(account: Optional[Account]) -> None:
    """Go on as that user; who is not root, or is given nobody, stays who he is."""
    if account is not None and os.geteuid() == 0:
        os.setgroups([account.gid])
        os.setgid(account.gid)
        os.setuid(account.uid)


def spawn(
    command: Sequence[str],
    environment: Dict[str, str],
    descriptors: Dict[int, int],
    directory: str,
    account: Optional[Account] = None,
) -> int:
    """Start a program; its process id. `descriptors` maps the child's to ours; 2 is inherited.

    Words and variables have one character an octet. A program that cannot be run exits with CANNOT_RUN.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        # Out of the way first: a target may be another one's source.
        kept = [fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 10) for ours in descriptors.values()]
        for wanted, ours in zip(descriptors, kept):
            os.dup2(ours, wanted)
        become(account)
        os.chdir(directory)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
            signal.signal(ignored, signal.SIG_DFL)
        words = [word.encode("latin-1") for word in command]
        variables = {name.encode("latin-1"): value.encode("latin-1") for name, value in environment.items()}
        os.execvpe(words[0], words, variables)
    finally:
        os._exit(CANNOT_RUN)


def ended(pid: int) -> Union[int, str]:
    """Wait for a process: its exit status, or CRASHED."""
    return _fate(os.waitpid(pid, 0)[1])


def ended_within(pid: int, limit: Optional[float]) -> Union[int, str]:
    """As `ended`; a process that is still there after `limit` seconds is ended: HUNG."""
    if limit is None:
        return ended(pid)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return _fate(status)
        time.sleep(_TURN)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


def _fate(status: int) -> Union[int, str]:
    return CRASHED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def output_of(start: Callable[[int], int]) -> Tuple[Union[int, str], bytes]:
    """Exit status, or CRASHED, and output of the child that `start` makes to write to a given descriptor."""
    reader, writer = os.pipe()
    pid = start(writer)
    os.close(writer)
    output = read_all(reader)
    os.close(reader)
    return ended(pid), output


def run_apart(
    command: Sequence[str],
    environment: Dict[str, str],
    home: str,
    limit: Optional[float],
    credentials: bytes = b"",
) -> Union[int, str]:
    """Run a program that the SMTP client must not hear. Result as for `ended_within`.

    Its standard input is empty, its output goes nowhere, and it reads `credentials` on descriptor 3, if there
    are any.
    """
    null = os.open(os.devnull, os.O_RDWR)
    descriptors = {0: null, 1: null}
    writer = -1
    if credentials:
        descriptors[3], writer = os.pipe()
    pid = spawn(command, environment, descriptors, home)
    for ours in set(descriptors.values()):
        os.close(ours)
    if credentials:
        write_all(writer, credentials)
        os.close(writer)
    return ended_within(pid, limit)


def hand_in(
    home: str, wanted: Enqueue, environment: Dict[str, str], account: Optional[Account] = None
) -> Queued:
    """Give a message to qmail-queue, or to the program that QMAILQUEUE names, over its two pipes."""
    if wanted.environment is not None:
        environment = wanted.environment
    program = environment.get("QMAILQUEUE", os.path.join(home, "bin", "qmail-queue"))
    readers, writers = zip(os.pipe(), os.pipe())
    pid = spawn([program], environment, {0: readers[0], 1: readers[1]}, home, account)
    for reader in readers:
        os.close(reader)
    whole = True
    for writer, octets in zip(writers, (wanted.message, envelope(wanted.sender, wanted.recipients))):
        whole = write_all(writer, octets) and whole
        os.close(writer)
    status = ended(pid)
    return Queued(pid, trouble(status if whole or status else CANNOT_READ), status)


def write_all(descriptor: int, octets: bytes) -> bool:
    """Write to a descriptor that blocks; False when nobody reads any more."""
    rest = memoryview(octets)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError:
        return False
    return True


def write_durably(descriptor: int, octets: bytes) -> None:
    """Write to a file, have it on the disk, close. Raises OSError."""
    try:
        write_all(descriptor, octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    """Everything up to the end. Raises OSError."""
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()
