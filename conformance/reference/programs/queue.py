"""qmail-queue: a message on descriptor 0 and its envelope on descriptor 1, put in the queue.

Not setuid, which scripts cannot be: the package leaves the queue open to every local user. That is fit for
tests and for nothing else.
"""

import os
import pwd
import time

from conformance.reference.programs.processes import read_all
from conformance.reference.programs.queuefiles import QueueFiles
from conformance.reference.queue import CANNOT_READ, CANNOT_WRITE, read_envelope, received


def main(home: str) -> int:
    """Queue one message; qmail-queue's exit statuses."""
    os.umask(0o022)
    try:
        message = read_all(0)
        written = read_all(1)
    except OSError:
        return CANNOT_READ
    read = read_envelope(written)
    if isinstance(read, int):
        return read
    uid, qp = os.getuid(), os.getpid()
    files = QueueFiles(os.path.join(home, "queue"))
    try:
        files.store(received(qp, _invoked(uid), time.time()) + message, uid, qp, *read)
    except OSError:
        return CANNOT_WRITE
    files.pull_trigger()
    return 0


def _invoked(uid: int) -> str:
    """How the Received line says who called: qmail-smtpd, a forwarding alias, qmail-send, or anybody."""
    callers = {"qmaild": "from network", "alias": "by alias", "qmails": "for bounce"}
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    return callers.get(name, f"by uid {uid}")
