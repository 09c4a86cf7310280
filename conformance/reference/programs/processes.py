"""Other programs, run with chosen descriptors, and what became of them."""

import fcntl
import os
import pwd
import signal
from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from conformance.reference.acts import CRASHED, Enqueue, Queued

#: Exit status of a child that could not run its program, as qmail-smtpd's own children have it.
CANNOT_RUN = 120

_QUEUE_TROUBLE: Dict[Union[int, str], str] = {
    CRASHED: "Zqq crashed (#4.3.0)",
    11: "Denvelope address too long for qq (#5.1.3)",
    31: "Dmail server permanently rejected message (#5.3.0)",
    51: "Zqq out of memory (#4.3.0)",
    52: "Zqq timeout (#4.3.0)",
    53: "Zqq write error or disk full (#4.3.0)",
    54: "Zqq read error (#4.3.0)",
    61: "Zqq trouble in home directory (#4.3.0)",
    62: "Zqq trouble creating files in queue (#4.3.0)",
    71: "Zmail server temporarily rejected message (#4.3.0)",
    91: "Zqq internal bug (#4.3.0)",
    CANNOT_RUN: "Zunable to exec qq (#4.3.0)",
}


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
        os.setgroups([])
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
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        words = [word.encode("latin-1") for word in command]
        variables = {name.encode("latin-1"): value.encode("latin-1") for name, value in environment.items()}
        os.execvpe(words[0], words, variables)
    finally:
        os._exit(CANNOT_RUN)


def ended(pid: int) -> Union[int, str]:
    """Wait for a process: its exit status, or CRASHED."""
    _, status = os.waitpid(pid, 0)
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
    command: Sequence[str], environment: Dict[str, str], home: str, credentials: bytes = b""
) -> Union[int, str]:
    """Run a program that the SMTP client must not hear: its exit status, or CRASHED.

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
    return ended(pid)


def hand_in(
    home: str, wanted: Enqueue, environment: Dict[str, str], account: Optional[Account] = None
) -> Queued:
    """Give a message to qmail-queue, or to the program that QMAILQUEUE names, over its two pipes."""
    program = environment.get("QMAILQUEUE") or os.path.join(home, "bin", "qmail-queue")
    readers, writers = zip(os.pipe(), os.pipe())
    pid = spawn([program], environment, {0: readers[0], 1: readers[1]}, home, account)
    for reader in readers:
        os.close(reader)
    addresses = b"".join(b"T" + recipient + b"\0" for recipient in wanted.recipients)
    whole = True
    for writer, octets in zip(writers, (wanted.message, b"F" + wanted.sender + b"\0" + addresses + b"\0")):
        whole = write_all(writer, octets) and whole
        os.close(writer)
    status = ended(pid)
    return Queued(pid, "" if status == 0 and whole else _trouble(status))


def _trouble(status: Union[int, str]) -> str:
    """What qmail-smtpd says of an exit status of qmail-queue, after Z or D (qmail-queue(8), EXIT CODES)."""
    permanent = isinstance(status, int) and 11 <= status <= 40
    other = "Dqq permanent problem (#5.3.0)" if permanent else "Zqq temporary problem (#4.3.0)"
    return _QUEUE_TROUBLE.get(status, other)


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
