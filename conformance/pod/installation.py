"""What stands of qmail's packages on a system: what dpkg says, and what it may have done to the rest."""

from dataclasses import dataclass, field
from typing import Literal

from conformance.pod.observation import FileSeen

#: What is done to the packages.
#:   begin    the ones of before are installed where there are such, and qmail-send runs
#:   upgrade  those of the build are installed over them, where a supervisor has qmail-send (`update-service`)
#:   upgrade-unsupervised  the same where there is no such program
#:   remove, purge  as dpkg does it
PackageStep = Literal["begin", "upgrade", "upgrade-unsupervised", "remove", "purge"]


@dataclass(frozen=True)
class Installation:
    """What stands after a step; `unsupported` is why the pod has nothing to do it with, "" where it has."""

    unsupported: str = ""
    status: int = 0  #: exit status of dpkg
    ended: bool = True  #: False: it was still at work at its limit, and was ended
    said: str = ""  #: what dpkg and the maintainer scripts wrote
    packages: dict[str, str] = field(default_factory=dict)
    """Name -> `1.06-6.2 install ok installed`: version and status."""
    control: dict[str, str] = field(default_factory=dict)  #: control files, those that are there
    files: list[FileSeen] = field(default_factory=list)
    """The programs (`bin/qmail-queue`) and the directories of the queue (`queue/mess`)."""
    users: list[str] = field(default_factory=list)  #: qmail's own accounts: `qmailq 64014 64010`
    sender: Literal["new", "old", "none"] = "none"
    """The qmail-send that runs: of the program that is installed, of one that is so no more, or none."""
