"""What can be seen in a pod. Octets are text with one character each (Latin-1), so that all survives JSON."""

from dataclasses import dataclass, field
from typing import Literal

from conformance.pod.configuration import HostTimeouts


@dataclass(frozen=True)
class Question:
    """One DNS question that the target asked."""

    name: str  #: as asked, without the final dot, letters as on the wire
    type: str  #: "MX", "A", "ANY", …; "TYPE65" when unnamed
    over: Literal["udp", "tcp"]
    rcode: str  #: of the answer; "" when none was sent
    size: int  #: octets of the answer as sent, without TCP's length prefix; 0 when none was sent
    truncated: bool  #: the answer bore the TC bit
    at: float  #: seconds since the world was set


@dataclass(frozen=True)
class TranscriptEntry:
    """What one side of an SMTP session said, or what happened to it, `at` seconds since the world was set.

    Consecutive octets of one side make one entry. Events: "connected", "client closed", "client reset",
    "closed", "reset", "stalled", "deaf", "flooded" (the client said more than the exchanger keeps, and is
    reset).
    """

    at: float
    source: Literal["client", "exchanger", "event"]
    text: str


@dataclass(frozen=True)
class AcceptedMessage:
    """A message that an exchanger accepted. `sender` is None outside of a transaction."""

    sender: str | None
    recipients: list[str]
    octets: str  #: dots unstuffed, CRLF kept


@dataclass(frozen=True)
class MxSession:
    """One session at a mail exchanger."""

    address: str
    port: int
    transcript: list[TranscriptEntry] = field(default_factory=list)
    helo: str = ""  #: the verb and name, `EHLO here.example`; "" when never said
    user: str = ""  #: authenticated as; "" when not
    credentials: int = 0  #: lines the client sent as credentials, of whatever method
    sender: str | None = None  #: of the last MAIL that was accepted, without the brackets
    recipients: list[str] = field(default_factory=list)  #: accepted ones of that transaction
    messages: list[AcceptedMessage] = field(default_factory=list)
    quit: bool = False  #: the client said QUIT
    ended: Literal["", "client closed", "client reset", "closed", "reset"] = ""
    """What ended the connection; "closed" and "reset" are the exchanger's doing, "" while it is open."""


@dataclass(frozen=True)
class QueuedMessage:
    """One message in the queue: accepted and not yet delivered."""

    sender: str
    recipients: list[str]
    octets: str  #: as stored, with the Received lines


@dataclass(frozen=True)
class FileSeen:
    """A file of a message in the queue, or one in a user's home that is no dot-qmail file.

    `octets`: what it holds; "" where the message itself is told elsewhere (mess, a Maildir's new).
    """

    path: str  #: `queue/todo/123`, `queue/local/4/123`, `homes/alice/Maildir/new/TIME.PID.HOST`
    mode: str  #: its permissions in octal, four digits
    user: str  #: the owner's name
    group: str  #: the group's name, or its number where it has none
    octets: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.mode} {self.user} {self.group}"


@dataclass(frozen=True)
class HookCall:
    """One run of a program of ours that qmail started, as it found itself when it began.

    `program`: "rcptcheck"; "checkpassword", the checkprogram, with "subprogram", what that runs;
    "qmail-queue", what QMAILQUEUE names; "qmail-remote", what stands in its place.
    """

    program: str
    arguments: list[str]
    directory: str  #: working directory, as the kernel says it
    environment: dict[str, str]
    user: str = ""  #: checkpassword: the user on descriptor 3; "" otherwise
    challenge: str = ""  #: checkpassword: the CRAM-MD5 challenge on descriptor 3; "" otherwise
    accepted: bool = False  #: checkpassword: whether the credentials were right
    account: str = ""  #: whom it runs as
    group: str = ""
    groups: list[str] = field(default_factory=list)  #: the supplementary ones
    umask: str = ""  #: in octal digits, `0022`
    ignores: list[str] = field(default_factory=list)  #: signals, `PIPE`
    siblings: int = 0  #: other children that its parent had then, those too that nobody has waited for
    descriptors: dict[str, str] = field(default_factory=dict)
    """Number -> what it is: `socket`, `pipe`, `log` (where qmail-smtpd's goes), or the path of a file."""
    input: str = ""  #: what it read on descriptor 0
    envelope: str = ""  #: qmail-queue: what it read on descriptor 1
    ends: int = 0  #: checkpassword: how many 0 bytes stood on descriptor 3

    def facts(self) -> list[str]:
        """How it was run, one fact a text: arguments, place, account, descriptors, and each variable."""
        told = {"directory": self.directory, "account": self.account, "group": self.group}
        many = {"argument": self.arguments, "in group": self.groups, "ignores": self.ignores}
        descriptors = [f"descriptor {number} {kind}" for number, kind in self.descriptors.items()]
        return [
            *(f"{name} {value}" for name, value in told.items()),
            f"umask {self.umask}",
            *(f"{name} {value}" for name, values in many.items() for value in values),
            *descriptors,
            *([f"other children {self.siblings}"] if self.siblings else []),
            *(f"{name}={value}" for name, value in self.environment.items()),
            *([f"envelope {self.envelope}"] if self.envelope else []),
            *([f"input {self.input}"] if self.input else []),
        ]


@dataclass(frozen=True)
class SmtpdProcess:
    """One process of qmail-smtpd: how it ended, or what it holds while it runs."""

    connection: int  #: that it serves, as the record numbers them
    pid: int = 0  #: as its lines of the log have it
    status: int | None = None  #: exit status, minus the signal that ended it; None while it runs
    reset: bool = False  #: the client saw its connection reset and not closed
    memory: int = 0  #: KiB of its own, not of its program's file, while it runs
    descriptors: int = 0  #: that are open, while it runs
    children: int = 0  #: of its own, those that it has not waited for too, while it runs


@dataclass(frozen=True)
class Observation:
    """What stands in the world at one moment, since the last `prepare`."""

    questions: list[Question] = field(default_factory=list)  #: in order of arrival
    mx_sessions: list[MxSession] = field(default_factory=list)  #: in order of their start
    queue: list[QueuedMessage] = field(default_factory=list)
    mailboxes: dict[str, list[str]] = field(default_factory=dict)
    """Maildir owner -> messages of new/, in order of arrival."""
    hook_calls: list[HookCall] = field(default_factory=list)
    log: list[str] = field(default_factory=list)  #: what qmail-smtpd and qmail-send wrote, line by line
    stray: list[str] = field(default_factory=list)  #: questions that no zone knows: "name TYPE"
    files: list[FileSeen] = field(default_factory=list)  #: of the queue, then of homes, by path
    sessions: list[SmtpdProcess] = field(default_factory=list)  #: in order of their connections
    timeouts: list[HostTimeouts] = field(default_factory=list)  #: what qmail-remote remembers
    home: str = "/var/lib/qmail"  #: the directory that qmail was built for


@dataclass(frozen=True)
class RemoteResult:
    """One run of qmail-remote."""

    report: str  #: its standard output, NULs and all
    status: int  #: exit status; minus the signal number when it crashed
    ended: bool  #: False: it was still running at the limit and was ended
    seconds: float
