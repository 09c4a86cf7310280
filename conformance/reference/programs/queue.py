"""qmail-queue: a message on descriptor 0 and its envelope on descriptor 1, put in the queue.

Not setuid, which scripts cannot be: the package leaves the queue open to every local user. That is fit for
tests and for nothing else.
"""

import os
import pwd
import time
from typing import List, Optional, Tuple

from conformance.reference.programs.processes import read_all
from conformance.reference.programs.queuefiles import QueueFiles
from conformance.reference.queue import has_long_address, received

_ADDRESS_TOO_LONG, _CANNOT_READ, _CANNOT_WRITE, _BAD_ENVELOPE = 11, 54, 53, 91


def main(home: str) -> int:
    """Queue one message; qmail-queue's exit statuses."""
    os.umask(0o022)
    try:
        message = read_all(0)
        written = read_all(1)
    except OSError:
        return _CANNOT_READ
    if not written.endswith(b"\0"):
        return _CANNOT_READ
    read = read_envelope(written)
    if read is None:
        return _BAD_ENVELOPE
    if has_long_address(*read):
        return _ADDRESS_TOO_LONG
    uid, qp = os.getuid(), os.getpid()
    files = QueueFiles(os.path.join(home, "queue"))
    try:
        files.store(received(qp, _invoked(uid), time.time()) + message, uid, qp, *read)
    except OSError:
        return _CANNOT_WRITE
    files.pull_trigger()
    return 0


def read_envelope(written: bytes) -> Optional[Tuple[bytes, List[bytes]]]:
    """(sender, recipients) from `F…` NUL, `T…` NUL for each recipient, and a NUL; None when it is none."""
    fields = written.split(b"\0")
    if fields[0][:1] != b"F" or b"" not in fields[1:-1]:
        return None
    recipients = fields[1 : fields.index(b"", 1)]
    if any(field[:1] != b"T" for field in recipients):
        return None
    return fields[0][1:], [field[1:] for field in recipients]


def _invoked(uid: int) -> str:
    """How the Received line says who called: qmail-smtpd, a forwarding alias, qmail-send, or anybody."""
    callers = {"qmaild": "from network", "alias": "by alias", "qmails": "for bounce"}
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    return callers.get(name, f"by uid {uid}")
