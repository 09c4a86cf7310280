"""How the target is set up for one case, as data: control files, environment, programs, mailboxes."""

from dataclasses import dataclass, field
from typing import Literal

from conformance.pod.ordinary import RESOLVER


@dataclass(frozen=True)
class Program:
    """A program with behaviour: it notes how it was run, and then does as told, in the order of the fields.

    `reads`: it reads its standard input to the end, for a second at most. `says` goes to its standard output,
    `complains` to its standard error. `fate`: "exit" as said below; "crash": it dies by a signal; "hang": it
    never ends; "missing": there is no such file.
    `statuses` are the exit statuses of its first runs; for later ones `exits` maps $RECIPIENT to the status,
    and `default` is for the others.
    """

    exits: dict[str, int] = field(default_factory=dict)
    default: int = 0
    says: str = ""
    fate: Literal["exit", "crash", "hang", "missing"] = "exit"
    complains: str = ""
    reads: bool = False
    statuses: list[int] = field(default_factory=list)

    def status(self, run: int, recipient: str) -> int:
        """The exit status of the `run`th run, counted from 1."""
        return (
            self.statuses[run - 1] if run <= len(self.statuses) else self.exits.get(recipient, self.default)
        )


@dataclass(frozen=True)
class RecipientCheck(Program):
    """The program that RCPTCHECK names; `exits` are by the recipient that it is asked about."""


@dataclass(frozen=True)
class QueueProgram(Program):
    """The program that QMAILQUEUE names. It reads message and envelope first unless `reads` is False.

    `queues`: exiting 0, it gives them to qmail-queue, and exits with the status of that. `gives`: an envelope
    in the place of the one that it read.
    """

    reads: bool = True
    queues: bool = True
    gives: str = ""


#: In the arguments of qmail-smtpd these stand for the paths of the two programs.
CHECKPROGRAM, SUBPROGRAM = "{checkprogram}", "{subprogram}"


@dataclass(frozen=True)
class PasswordCheck:
    """checkprogram and subprogram of `qmail-smtpd checkprogram subprogram`.

    The checkprogram knows the users of `fixtures/mailboxes/`, with their passwords and, given a
    challenge, their CRAM-MD5 digests. `fate`: "check" as said; "crash": the checkprogram dies by a signal;
    "missing": no such file. `checkprogram`: a program in its place, which does as told whatever the
    credentials are. `subprogram`: what follows a good password: "true" (exit 0), "false" (exit 1), or another
    program.
    `arguments` are those of qmail-smtpd, CHECKPROGRAM and SUBPROGRAM among them; by default just these two.
    """

    fate: Literal["check", "crash", "missing"] = "check"
    subprogram: Literal["true", "false"] | Program = "true"
    checkprogram: Program | None = None
    arguments: list[str] = field(default_factory=lambda: [CHECKPROGRAM, SUBPROGRAM])


@dataclass(frozen=True)
class HostTimeouts:
    """A host that qmail-remote remembers for connections that timed out (qmail-tcpto(8))."""

    address: str
    timeouts: int = 1
    age: int = 0  #: seconds since the last of them


@dataclass
class Configuration:
    """Everything about the target that a case may choose; a reset leaves nothing of the case before.

    `control` is the complete set of control files (name without directory -> content); a file that is
    not named does not exist. `environment` is what qmail-smtpd finds beside tcpserver's variables.
    `dot_qmail` maps `alice/.qmail-list` or `alias/.qmail-postmaster` to contents beside the fixtures'.
    `delivering`: qmail-send runs (mail leaves the queue); otherwise accepted mail stays in the queue.
    `aliases` are the keys of fastforward's aliases.cdb, which qmail-verify is told of where there are any:
    `a@b.example`, `@b.example` for a domain, `a@` for any.
    `queue_program` is run in the place of qmail-queue by qmail-smtpd, which finds it in QMAILQUEUE.
    `remote_program` stands in the place of qmail-remote for qmail-rspawn.
    `resolver` is the option line of resolv.conf.
    `verifying`: qmail-verify runs, which qmail-smtpd asks about recipients when VERIFY says so; "mute": in
    its place something takes the questions and answers none.
    `timeouts`: hosts that have timed out before.
    `delivery_programs` are those that dot-qmail files run as `|/var/lib/conformance/NAME`.
    `modes` maps a home (`alice`) or what stands there (`alice/.qmail-list`, `alice/Maildir`) to permissions
    in octal, or to "gone": there is no such directory.
    """

    control: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    recipient_check: RecipientCheck | None = None
    password_check: PasswordCheck | None = None
    dot_qmail: dict[str, str] = field(default_factory=dict)
    delivering: bool = False
    resolver: str = RESOLVER
    verifying: bool | Literal["mute"] = False
    timeouts: list[HostTimeouts] = field(default_factory=list)
    queue_program: QueueProgram | None = None
    aliases: list[str] = field(default_factory=list)
    delivery_programs: dict[str, Program] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    remote_program: Program | None = None

    def programs(self) -> dict[str, Program]:
        """The programs with behaviour by the names of their files."""
        password = self.password_check or PasswordCheck()
        named = {
            "rcptcheck": self.recipient_check,
            "qmail-queue": self.queue_program,
            "checkprogram": password.checkprogram,
            "subprogram": password.subprogram,
            "qmail-remote": self.remote_program,
        }
        smtpd = {name: program for name, program in named.items() if isinstance(program, Program)}
        return smtpd | self.delivery_programs
