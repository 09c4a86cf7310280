"""The queue: what was accepted and is not yet delivered to everybody."""

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.octets import date

LOCAL, REMOTE = "local", "remote"

#: Exit status of a child that could not run its program, as qmail-smtpd's own children have it.
CANNOT_RUN = 120

#: Exit statuses of qmail-queue (qmail-queue(8), EXIT CODES).
ADDRESS_TOO_LONG, CANNOT_WRITE, CANNOT_READ, BAD_ENVELOPE = 11, 53, 54, 91

_LONGEST_ADDRESS = 1002
_BY = {"from network": "qmaild", "for bounce": "qmails", "by alias": "alias"}
_UIDS = {"qmaild": 64011, "qmails": 64012, "alias": 64010}


@dataclass
class Recipient:
    """One recipient of a queued message, and what became of it."""

    address: bytes
    channel: str = ""  #: LOCAL or REMOTE, once the message is taken up
    rewritten: bytes = b""  #: the address as it is delivered to, from then on
    tried: bool = False
    under_way: bool = False  #: the try has not come to an end
    done: bool = False


@dataclass
class Message:
    """One queued message. `bounce` gathers the reports of permanent failures."""

    number: int
    qp: int
    uid: int
    sender: bytes
    recipients: List[Recipient]
    octets: bytes
    bounce: bytes = b""
    taken_up: bool = False  #: qmail-send knows it, and has sorted its recipients into channels
    by: str = ""  #: the user who handed it in
    born: float = 0.0  #: when it came
    due: float = 0.0  #: since when what was not tried is due

    @property
    def pending(self) -> List[Recipient]:
        return [recipient for recipient in self.recipients if not recipient.done]

    @property
    def untried(self) -> List[Recipient]:
        return [recipient for recipient in self.pending if not recipient.tried]


class Queue(Protocol):
    """The queue that a `QmailSend` works on: in memory, or on disk (`programs/send.py`)."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def enqueue(self, wanted: Enqueue) -> Queued:
        """Have qmail-queue put a message in the queue."""

    def next_due(self) -> Optional[Message]:
        """The next message that is to be handled; None when there is none now."""

    def take_up(self, message: Message) -> None:
        """Keep what was found of the message's recipients: channels, and rewritten addresses."""

    def settle(self, message: Message, recipient: Recipient, failure: bytes) -> None:
        """Keep that a recipient is done, and what the sender must be told of it, b"" for nothing."""

    def remove(self, message: Message) -> None:
        """Forget a message that is at its end."""


@dataclass
class QueueInMemory:
    """`now` gives seconds since the epoch, `process` the next process id; `uids` are those of users."""

    now: Callable[[], float]
    process: Callable[[], int]
    uids: Mapping[str, int] = field(default_factory=dict)
    messages: List[Message] = field(default_factory=list)
    remains: List[Message] = field(default_factory=list)  #: given up in the midst of their envelopes
    _last: int = 0

    def enqueue(self, wanted: Enqueue) -> Queued:
        qp = self.process()
        user = _BY.get(wanted.by) or wanted.by.rpartition(" ")[2]
        uid = {**_UIDS, **self.uids}.get(user, 0)
        written = wanted.written
        if written is None:
            written = envelope(wanted.sender, wanted.recipients)
        read = self.read(written)
        if isinstance(read, int):
            if read in (ADDRESS_TOO_LONG, BAD_ENVELOPE):
                self._last += 1
                self.remains.append(Message(self._last, qp, uid, b"", [], copied(written), by=user))
            return Queued(qp, trouble(read), read)
        self._last += 1
        sender, addresses = read
        recipients = [Recipient(address) for address in addresses]
        by = wanted.by if wanted.by in _BY else f"by uid {uid}"
        octets = received(qp, by, self.now()) + wanted.message
        self.messages.append(
            Message(self._last, qp, uid, sender, recipients, octets, by=user, born=self.now())
        )
        return Queued(qp)

    def read(self, written: bytes) -> Union[int, Tuple[bytes, List[bytes]]]:
        """An envelope as it was handed in."""
        return read_envelope(written)

    def next_due(self) -> Optional[Message]:
        due = [message for message in self.messages if message.untried]
        # A message whose deliveries may not start keeps no new one from being taken up.
        return next((message for message in due if not message.taken_up), due[0] if due else None)

    def take_up(self, message: Message) -> None:
        """The message itself has it."""

    def settle(self, message: Message, recipient: Recipient, failure: bytes) -> None:
        """The message itself has it."""

    def remove(self, message: Message) -> None:
        self.messages.remove(message)


_TROUBLE: Dict[Union[int, str], str] = {
    CRASHED: "Zqq crashed (#4.3.0)",
    11: "Denvelope address too long for qq (#5.1.3)",
    31: "Dmail server permanently rejected message (#5.3.0)",
    51: "Zqq out of memory (#4.3.0)",
    52: "Zqq timeout (#4.3.0)",
    53: "Zqq write error or disk full (#4.3.0)",
    54: "Zqq read error (#4.3.0)",
    55: "Zqq unable to read configuration (#4.3.0)",
    56: "Zqq trouble making network connection (#4.3.0)",
    61: "Zqq trouble in home directory (#4.3.0)",
    **dict.fromkeys((62, 63, 64, 65, 66), "Zqq trouble creating files in queue (#4.3.0)"),
    71: "Zmail server temporarily rejected message (#4.3.0)",
    72: "Zconnection to mail server timed out (#4.4.1)",
    73: "Zconnection to mail server rejected (#4.4.1)",
    74: "Zcommunication with mail server failed (#4.4.2)",
    81: "Zqq internal bug (#4.3.0)",
    91: "Zqq internal bug (#4.3.0)",
    CANNOT_RUN: "Zunable to exec qq (#4.3.0)",
}


def trouble(status: Union[int, str]) -> str:
    """What an exit status of qmail-queue means, after Z or D (qmail-queue(8), EXIT CODES); "" for success."""
    if status == 0:
        return ""
    permanent = isinstance(status, int) and 11 <= status <= 40
    other = "Dqq permanent problem (#5.3.0)" if permanent else "Zqq temporary problem (#4.3.0)"
    return _TROUBLE.get(status, other)


def envelope(sender: bytes, recipients: Sequence[bytes]) -> bytes:
    """An envelope as qmail-queue reads it (qmail-queue(8))."""
    return b"F" + sender + b"\0" + b"".join(b"T" + recipient + b"\0" for recipient in recipients) + b"\0"


def read_envelope(written: bytes) -> Union[int, Tuple[bytes, List[bytes]]]:
    """(sender, recipients) of an envelope (qmail-queue(8)), or the exit status for one that is none.

    `F…` NUL, `T…` NUL for each recipient, and a NUL; what stands behind that counts for nothing.
    """
    *fields, cut = written.split(b"\0")
    if cut:
        fields.append(cut)
    end = next((place for place, field in enumerate(fields) if place and not field), None)
    addresses = fields[:end]
    kinds = [b"F"] + [b"T"] * len(addresses)
    if any(field[:1] != kind for field, kind in zip(addresses, kinds)):
        return BAD_ENVELOPE
    if end is None:
        return CANNOT_READ
    sender, *recipients = (field[1:] for field in addresses)
    return (sender, recipients) if not has_long_address(sender, recipients) else ADDRESS_TOO_LONG


def copied(written: bytes) -> bytes:
    """What qmail-queue has copied of an envelope when it finds it malformed, or an address too long."""
    done, kind = b"", b"F"
    for part in written.split(b"\0"):
        if part[:1] != kind:
            break
        done += part[: _LONGEST_ADDRESS + 2] + b"\0"
        if len(part) > _LONGEST_ADDRESS + 1:
            return done[:-1]
        kind = b"T"
    return done


def has_long_address(sender: bytes, recipients: Sequence[bytes]) -> bool:
    """Whether qmail-queue refuses the envelope, as status 11 says (qmail-queue(8), EXIT CODES)."""
    return any(len(address) > _LONGEST_ADDRESS for address in (sender, *recipients))


def received(qp: int, by: str, when: float) -> bytes:
    """The Received field that qmail-queue puts before a message, without the envelope (qmail-queue(8))."""
    return f"Received: (qmail {qp} invoked {by}); {date(when)}\n".encode("ascii")
