"""Where files of the queue and of Maildirs stand, whose they are, and with which mode (qmail's INTERNALS)."""

from dataclasses import dataclass
from typing import Dict, Iterator, List

from conformance.reference.homes import ALIAS
from conformance.reference.queue import LOCAL, REMOTE, Message

_SPLIT = 23
_BUFFER = 256  # octets, of qmail-queue's output
#: The groups of users, and of those who have no files of their own: qmail-smtpd and the alias user.
USERS, NOBODYS = "2000", "nofiles"


@dataclass(frozen=True)
class File:
    """One file as `ls -l` tells it. `octets` is "" for a message, which is told elsewhere."""

    path: str
    mode: int
    user: str
    group: str
    octets: bytes = b""


class Filing:
    """The files of a message in the queue: qmail-queue's under umask 033, qmail-send's under 077."""

    queue_umask = 0o033
    send_umask = 0o077
    queue_owner = "qmailq"  #: qmail-queue is setuid
    send_owner = "qmails"

    def __init__(self) -> None:
        self.left: List[File] = []  #: what a message that was given up has left behind: nothing

    def discard(self, why: str) -> None:
        """A message is given up, "refused" or "lost": qmail-queue removes what it has made of it."""

    def files(self, message: Message) -> Iterator[File]:
        """All of them, by path."""
        yield from sorted(self._files(message), key=lambda file: file.path)

    def remains(self, message: Message) -> Iterator[File]:
        """What stays of a message that was given up in its envelope, until qmail-clean comes (INTERNALS)."""
        written = b"u%d\0p%d\0" % (message.uid, message.qp) + message.octets
        yield self.by_queue(message, "intd", written[: (len(written) - 1) // _BUFFER * _BUFFER])
        yield self.by_queue(message, "mess")

    def _files(self, message: Message) -> Iterator[File]:
        yield self.by_queue(message, "mess")
        if not message.taken_up:
            fields = [b"u%d" % message.uid, b"p%d" % message.qp, b"F" + message.sender]
            fields += [b"T" + recipient.address for recipient in message.recipients]
            envelope = b"".join(field + b"\0" for field in fields)
            yield self.by_queue(message, "intd", envelope)
            yield self.by_queue(message, "todo", envelope)
            return
        yield self.by_send(message, "info", b"F" + message.sender + b"\0")
        for channel in (LOCAL, REMOTE):
            marks = [
                (b"D" if recipient.done else b"T") + recipient.rewritten + b"\0"
                for recipient in message.recipients
                if recipient.channel == channel
            ]
            if not all(mark.startswith(b"D") for mark in marks):
                yield self.by_send(message, channel, b"".join(marks))
        if message.bounce:
            yield self.by_send(message, "bounce", message.bounce)

    def by_queue(self, message: Message, kind: str, octets: bytes = b"") -> File:
        """A file that qmail-queue makes. Its group is that of whoever runs it."""
        place, mode = _place(kind, message.number), 0o666 & ~self.queue_umask
        return File(place, mode, self.queue_owner, group_of(message.by), octets)

    def by_send(self, message: Message, kind: str, octets: bytes) -> File:
        """A file that qmail-send makes."""
        return File(_place(kind, message.number), 0o666 & ~self.send_umask, self.send_owner, "qmail", octets)


def group_of(user: str) -> str:
    """The group of a user, or of one of qmail's."""
    return {"qmaild": NOBODYS, ALIAS: NOBODYS, "qmails": "qmail"}.get(user, USERS)


def _place(kind: str, number: int) -> str:
    spread = f"{number % _SPLIT}/" if kind in ("mess", "info", LOCAL, REMOTE) else ""
    return f"queue/{kind}/{spread}{number}"


@dataclass
class MaildirNames:
    """Names and modes of files in Maildirs; `host` is this host's name."""

    host: str

    umask = 0o077

    def unique(self, when: float, pid: int) -> str:
        """TIME.PID.HOST (maildir(5), UNIQUE NAMES)."""
        return f"{int(when)}.{pid}.{self.host}"

    def files(self, home: Dict[str, bytes], user: str) -> Iterator[File]:
        """Files of a home by their paths there; what they hold only of those outside of Maildirs."""
        for path, octets in sorted(home.items()):
            told = b"" if path.startswith("Maildir/new/") else octets
            yield File(f"homes/{user}/{path}", 0o666 & ~self.umask, user, group_of(user), told)
