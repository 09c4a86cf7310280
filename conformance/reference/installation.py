"""What dpkg and the maintainer scripts of a package leave as it is, and what they take away."""

from typing import Dict, List, Optional

from conformance.reference.queue import Message

#: The programs that are looked at, and what `ls -l` tells of each that is not `0711 root qmail`.
PROGRAMS = ("clean", "local", "lspawn", "queue", "remote", "rspawn", "send", "smtpd", "start")

_USERS = (
    *("alias 64010 101", "qmaild 64011 101", "qmaill 64015 101", "qmailp 64016 101"),
    *("qmailq 64014 64010", "qmailr 64013 64010", "qmails 64012 64010"),
)
_GONE = {"remove": "deinstall ok config-files", "purge": None}


class Packages:
    """A package in order. `step` is what is done, as `PackageStep` has it."""

    def status(self, step: str) -> int:
        """The exit status of dpkg."""
        return 0

    def ends(self, step: str) -> bool:
        """Whether dpkg comes to its end without a person."""
        return True

    def said_of(self, step: str) -> Optional[str]:
        """What dpkg says of the package (dpkg(1), PACKAGE STATES); None where it knows none."""
        return _GONE.get(step, "install ok installed")

    def control(self, step: str, files: Dict[str, str]) -> Dict[str, str]:
        """The control files that are left (Debian Policy 10.7.3)."""
        return {} if step == "purge" else files

    def queue(self, step: str, messages: List[Message]) -> List[Message]:
        """The messages that are left in the queue."""
        return messages

    def keeps_mail(self, step: str, user: str) -> bool:
        """Whether what is in a user's Maildir stays there."""
        return True

    def programs(self, step: str) -> Dict[str, str]:
        """Mode and owner of each program that is there; qmail-queue is set-user-id (INSTALL)."""
        return {} if step in ("remove", "purge") else {name: self.program(step, name) for name in PROGRAMS}

    def program(self, step: str, name: str) -> str:
        """Mode, owner and group of one program."""
        return "4711 qmailq qmail" if name == "queue" else "0711 root qmail"

    def queue_owner(self, step: str) -> str:
        """Whose the directory of the messages is."""
        return "qmailq"

    def users(self, step: str) -> List[str]:
        """qmail's accounts with their numbers: what is in the queue belongs to these."""
        return list(_USERS)

    def restarts(self, step: str) -> bool:
        """Whether the supervisor, where there is one, is told to run the qmail-send that is installed now."""
        return step in ("begin", "upgrade")

    def runs(self, step: str) -> bool:
        """Whether a qmail-send runs afterwards."""
        return True

    def keeps_trigger(self, step: str) -> bool:
        """Whether the trigger stays that a qmail-send has opened that runs through: by it mail is told of."""
        return True
