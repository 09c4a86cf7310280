"""How the target is set up for one case, as data: control files, environment, programs, mailboxes."""

from dataclasses import dataclass, field
from typing import Literal

from conformance.pod.ordinary import RESOLVER


@dataclass(frozen=True)
class RecipientCheck:
    """The program that RCPTCHECK names. It notes how it was run, prints `says`, and exits.

    `exits` maps a recipient to the program's exit status, `default` is for the others.
    `fate`: "exit" as said; "crash": it dies by a signal; "missing": RCPTCHECK names no file.
    """

    exits: dict[str, int] = field(default_factory=dict)
    default: int = 0
    says: str = ""
    fate: Literal["exit", "crash", "missing"] = "exit"


@dataclass(frozen=True)
class PasswordCheck:
    """checkprogram and subprogram of `qmail-smtpd checkprogram subprogram`.

    The checkprogram knows the users of `fixtures/mailboxes/`, with their passwords and, given a
    challenge, their CRAM-MD5 digests. `fate`: "check" as said; "crash": the checkprogram dies by a signal;
    "missing": no such file. `subprogram`: what follows a good password: "true" (exit 0) or "false" (exit 1).
    """

    fate: Literal["check", "crash", "missing"] = "check"
    subprogram: Literal["true", "false"] = "true"


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
    `resolver` is the option line of resolv.conf.
    `verifying`: qmail-verify runs, which qmail-smtpd asks about recipients when VERIFY says so; "mute": in
    its place something takes the questions and answers none.
    `timeouts`: hosts that have timed out before.
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
