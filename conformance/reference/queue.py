"""The queue, in memory: what was accepted and is not yet delivered to everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, List, Tuple

from conformance.reference.acts import Enqueue, Queued
from conformance.reference.octets import date

_LONGEST_ADDRESS = 1003
_QMAILD, _QMAILS, _ALIAS = 64011, 64012, 64010
_UIDS = {"from network": _QMAILD, "for bounce": _QMAILS, "by alias": _ALIAS}


@dataclass
class Recipient:
    """One recipient of a queued message, and what became of it."""

    address: bytes
    tried: bool = False
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
    announced: bool = False

    @property
    def pending(self) -> List[Recipient]:
        return [recipient for recipient in self.recipients if not recipient.done]


@dataclass
class Queue:
    """`clock` gives seconds since the epoch; `process` the next process id."""

    clock: Callable[[], float]
    process: Callable[[], int]
    messages: List[Message] = field(default_factory=list)
    _last: int = 0

    def enqueue(self, wanted: Enqueue) -> Queued:
        """What qmail-queue does: put the message in the queue, under a Received line of its own."""
        qp = self.process()
        addresses: Tuple[bytes, ...] = (wanted.sender, *wanted.recipients)
        if any(len(address) + 2 >= _LONGEST_ADDRESS for address in addresses):
            return Queued(qp, "Denvelope address too long for qq (#5.1.3)")
        self._last += 1
        received = f"Received: (qmail {qp} invoked {wanted.by}); {date(self.clock())}\n".encode("ascii")
        self.messages.append(
            Message(
                self._last,
                qp,
                _UIDS.get(wanted.by, 0),
                wanted.sender,
                [Recipient(address) for address in wanted.recipients],
                received + wanted.message,
            )
        )
        return Queued(qp)

    def remove(self, message: Message) -> None:
        self.messages.remove(message)
