"""The pod as a case's handles see it: a handful of acts, each with what was seen.

Three kinds implement it: a Docker pod, an embedded reference pod, and a record played again.
Acts raise `PodFailure` when the world fails; they never raise because of what qmail does.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, TypedDict

from conformance.pod.configuration import Configuration
from conformance.pod.world import World


class PodFailure(Exception):
    """The pod, not qmail, misbehaved: the case is invalid and a fresh pod is needed."""


def text(octets: bytes) -> str:
    """Octets as JSON text, one character each."""
    return octets.decode("latin-1")


def octets(text: str) -> bytes:
    """The inverse of `text`."""
    return text.encode("latin-1")


class Question(TypedDict):
    """One DNS question that the target asked, in order of arrival."""

    name: str  #: as asked, without the final dot, letters as on the wire
    type: str  #: "MX", "A", "ANY", …; "TYPE65" when unnamed
    over: str  #: "udp" or "tcp"
    rcode: str  #: of the answer; "" when none was sent
    size: int  #: octets of the answer as sent, without TCP's length prefix; 0 when none was sent
    truncated: bool  #: the answer bore the TC bit
    at: float  #: seconds since `prepare`


class Exchange(TypedDict):
    """One session at a mail exchanger."""

    address: str
    port: int
    #: [seconds since `prepare`, ">" (the client said) or "<" (the exchanger said) or "!" (an event:
    #: "connected", "client closed", "closed", "reset", "stalled"), text]
    transcript: list[list[Any]]
    helo: str  #: the verb and name, `EHLO here.example`; "" when never said
    user: str  #: authenticated as; "" when not
    credentials: int  #: lines the client sent as credentials, of whatever method
    sender: str | None  #: of the last MAIL that was accepted, without the brackets
    recipients: list[str]  #: accepted ones of that transaction
    messages: list[
        dict[str, Any]
    ]  #: accepted: {"sender", "recipients", "octets" (dots unstuffed, CRLF kept)}


class QueuedMessage(TypedDict):
    """One message in the queue: accepted and not yet delivered."""

    sender: str
    recipients: list[str]
    octets: str  #: as stored, with the Received lines


class ProgramRun(TypedDict):
    """One run of the RCPTCHECK program or of the checkprogram."""

    program: str  #: "rcptcheck" or "checkpassword"
    arguments: list[str]
    directory: str  #: working directory, as the program's own `pwd -P` says
    environment: dict[str, str]  #: all of it for rcptcheck; TCPREMOTEINFO and RELAYCLIENT for checkpassword
    user: str  #: checkpassword: the user on descriptor 3; "" for rcptcheck
    challenge: str  #: checkpassword: the CRAM-MD5 challenge on descriptor 3; "" otherwise
    accepted: bool  #: checkpassword: whether the credentials were right


class Sight(TypedDict):
    """What stands in the world at one moment, since the last `prepare`."""

    questions: list[Question]
    exchanges: list[Exchange]
    queue: list[QueuedMessage]
    mailboxes: dict[str, list[str]]  #: Maildir owner -> messages of new/, in order of arrival
    runs: list[ProgramRun]
    log: list[str]  #: what qmail-smtpd and qmail-send wrote, line by line
    stray: list[str]  #: questions that no zone knows: "name TYPE"


class RemoteResult(TypedDict):
    """One run of qmail-remote."""

    report: str  #: its standard output, NULs and all
    status: int  #: exit status; minus the signal number when it crashed
    ended: bool  #: False: it was still running at the limit and was ended
    seconds: float


class Pod(Protocol):
    """One running target together with its internet."""

    async def prepare(self, world: World, configuration: Configuration) -> None:
        """Make the pod stand as described; nothing of earlier cases is left. Milliseconds."""

    async def connect(self) -> int:
        """A TCP connection to qmail-smtpd; its number, unique within the pod's life."""

    async def send(self, connection: int, data: bytes) -> bool:
        """Send octets; False when the server no longer takes any."""

    async def receive(self, connection: int, limit: float) -> bytes | None:
        """The next octets from the server: b"" when it closed, None after `limit` seconds of silence."""

    async def shut(self, connection: int) -> None:
        """Half close: no more octets from the client."""

    async def close(self, connection: int) -> None:
        """Close the connection."""

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        """Run qmail-remote as qmail-rspawn does, with `message` on its standard input."""

    async def settle(self, limit: float) -> bool:
        """Wait until qmail-send rests: all that is left has been put off. False at the limit."""

    async def look(self) -> Sight:
        """What can be seen now."""

    async def dispose(self) -> None:
        """Take the pod down; never raises."""


class Heard(TypedDict):
    """One exchange of a conversation: octets to the server, and what it said then."""

    taken: bool  #: the server took the octets (True for a greeting, before which none are sent)
    sent: float  #: when they were sent or the connection was made, as `time.monotonic` tells time
    received: list[tuple[bytes | None, float]]  #: as `Pod.receive` gives it, and when


#: What a client says in lock-step: octets, and the code that the reply before them must have (0: any reply;
#: AT_ONCE: none is waited for, and they leave straight after the octets before).
Says = Sequence[tuple[bytes, int]]
AT_ONCE = -1


class Combining(ABC):
    """What a pod may offer besides: acts that follow each other, in one request.

    A request to a container costs more than all that is done there, and nearly every act of a case is
    followed by one that is known before. What comes of them together is what would come of one after the
    other; where `prepare` is put off until the next act, its failure is told there.
    """

    #: When the world stood, as `time.monotonic` tells time, where it did so after `prepare` had returned.
    stood: float | None = None

    @abstractmethod
    async def converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> tuple[int, list[Heard]]:
        """Exchange by exchange on a connection, or on a new one, whose greeting is the first: its number, and
        what was heard in each exchange that took place, one at least.

        Each is `send` and then, unless the next is said AT_ONCE, `receive`, again while the reply is not
        whole, `limit` seconds for all of them together. What is said last is answered by so many `replies`,
        for which it goes on to receive. A conversation ends early, so that who reads it goes on by single
        acts, where an exchange before the last did not bring one whole reply and nothing else, or the next
        needs another code. `says` may be empty for a new connection only.
        """

    @abstractmethod
    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        """`remote`, then `look`."""

    @abstractmethod
    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        """`settle`, then `look`."""

    @abstractmethod
    async def converse_and_settle(
        self, says: Says, limit: float, settling: float
    ) -> tuple[int, list[Heard], tuple[bool, Sight] | None]:
        """`converse` on a new connection; where all was said and answered, `close`, `settle` and `look`.

        The connection's number, what was heard, and what came of the rest, None where it was left undone.
        """


class Apart(Combining):
    """`Combining` for a pod that does not offer it: act by act, and of a conversation the first exchange."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod

    async def converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> tuple[int, list[Heard]]:
        taken = True
        if connection is None:
            connection = await self._pod.connect()
            sent = time.monotonic()
        else:
            sent = time.monotonic()
            taken = await self._pod.send(connection, says[0][0])
            if len(says) > 1 and says[1][1] == AT_ONCE:
                return connection, [{"taken": taken, "sent": sent, "received": []}]
        received = await self._pod.receive(connection, limit)
        return connection, [{"taken": taken, "sent": sent, "received": [(received, time.monotonic())]}]

    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        result = await self._pod.remote(host, sender, recipients, message, limit)
        return result, await self._pod.look()

    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        rests = await self._pod.settle(limit)
        return rests, await self._pod.look()

    async def converse_and_settle(
        self, says: Says, limit: float, settling: float
    ) -> tuple[int, list[Heard], tuple[bool, Sight] | None]:
        return *await self.converse(None, says, limit), None


def combining(pod: Pod) -> Combining:
    """The pod itself where it does several acts at once, else each act by itself."""
    return pod if isinstance(pod, Combining) else Apart(pod)
