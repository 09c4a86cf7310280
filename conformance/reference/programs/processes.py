"""Other programs, run with chosen descriptors, and what became of them."""

from __future__ import annotations

import fcntl
import os
import signal
from typing import Dict, List, NamedTuple, Optional, Sequence, Union

from conformance.reference.acts import CRASHED, Queued

#: Exit status of a child that could not run its program, as qmail-smtpd's own children have it.
CANNOT_RUN = 120

_QUEUE_TROUBLE = {
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


class User(NamedTuple):
    """Whom a process runs as."""

    uid: int
    gid: int


def become(user: Optional[User]) -> None:
    """Go on as that user; who is not root stays who he is."""
    if user is not None and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(user.gid)
        os.setuid(user.uid)


def spawn(
    command: Sequence[str],
    environment: Dict[str, str],
    descriptors: Dict[int, int],
    directory: str,
    user: Optional[User] = None,
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
        become(user)
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
    home: str,
    message: bytes,
    sender: bytes,
    recipients: Sequence[bytes],
    environment: Dict[str, str],
    user: Optional[User] = None,
) -> Queued:
    """Give a message to qmail-queue, or to the program that QMAILQUEUE names, over its two pipes."""
    program = environment.get("QMAILQUEUE") or os.path.join(home, "bin", "qmail-queue")
    readers, writers = zip(os.pipe(), os.pipe())
    pid = spawn([program], environment, {0: readers[0], 1: readers[1]}, home, user)
    for reader in readers:
        os.close(reader)
    addresses = b"".join(b"T" + recipient + b"\0" for recipient in recipients)
    whole = True
    for writer, octets in zip(writers, (message, b"F" + sender + b"\0" + addresses + b"\0")):
        whole = write_all(writer, octets) and whole
        os.close(writer)
    status = ended(pid)
    return Queued(pid, "" if status == 0 and whole else _trouble(status))


def _trouble(status: Union[int, str]) -> str:
    if status == CRASHED:
        return "Zqq crashed (#4.3.0)"
    if isinstance(status, int):
        if status in _QUEUE_TROUBLE:
            return _QUEUE_TROUBLE[status]
        if 11 <= status <= 40:
            return "Dqq permanent problem (#5.3.0)"
    return "Zqq temporary problem (#4.3.0)"


def write_all(descriptor: int, octets: bytes) -> bool:
    """Write to a descriptor that blocks; False when nobody reads any more."""
    rest = memoryview(octets)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError:
        return False
    return True


def read_all(descriptor: int) -> bytes:
    """Everything up to the end. Raises OSError."""
    pieces: List[bytes] = []
    while True:
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
