"""Who has mail here, and where: homes, their Maildirs, and dot-qmail files as qmail-getpw finds them."""

import posixpath
import re
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Protocol, Tuple, Union

from conformance.reference.acts import CRASHED

ALIAS = "alias"
#: In the place of a mode: the directory is not there.
GONE = "gone"

_EXIT = re.compile(rb"\s*exit\s+([0-9]{1,3})\s*")
_KILL = re.compile(rb"kill -[A-Z0-9]+ \$\$")


class Failed(Exception):
    """The delivery ends with this exit status of qmail-local (100 permanent, 111 for now) and text."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Accounts(Protocol):
    """Who has mail on this host, in memory or in the system; methods raise Failed."""

    def has(self, name: str) -> bool:
        """Whether there is an account of that name."""

    def dot_qmail(self, user: str) -> Dict[str, str]:
        """His dot-qmail files: name -> text, one character an octet."""


@dataclass(frozen=True)
class ProgramRun:
    """A program that a dot-qmail file names: `sh -c command` as that user (qmail-command(8))."""

    user: str
    command: bytes
    environment: Dict[str, str]
    octets: bytes  #: on its standard input
    umask: int = 0o077
    directory: str = ""  #: "" for the user's home
    account: str = ""  #: "" for the user
    ignores: Tuple[str, ...] = ()
    leaks: Tuple[int, ...] = ()  #: descriptors beside 0, 1 and 2


class Homes(Accounts, Protocol):
    """Home directories that can be delivered into, once the user's dot-qmail files have been read."""

    def to_maildir(self, user: str, directory: bytes, octets: bytes) -> None:
        """Store a message in a maildir(5), named as seen from his home."""

    def to_mbox(self, user: str, file: bytes, octets: bytes) -> None:
        """Append one entry to an mbox(5)."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def home(self, user: str) -> str:
        """Where his home is."""

    def run(self, wanted: ProgramRun) -> Tuple[Union[int, str], bytes]:
        """Run a program: its exit status, or CRASHED, and what it printed."""

    def mode(self, user: str, file: str = "") -> int:
        """The permissions of a home, or of a file there. Raises Failed for a home that is not there."""


@dataclass
class HomesInMemory:
    """Dot-qmail files by user, and what stands in the homes: path from there -> octets, in order of arrival.

    `unique` gives a name for a file of a Maildir, `now` seconds since the epoch.
    """

    files: Dict[str, Dict[str, str]]
    unique: Callable[[], str] = lambda: "1.1.localhost"
    now: Callable[[], float] = lambda: 0.0
    contents: Dict[str, Dict[str, bytes]] = field(default_factory=dict)
    modes: Dict[str, str] = field(default_factory=dict)
    """`alice` or `alice/.qmail-list` -> its mode in octal, or GONE."""
    runner: Optional[Callable[[ProgramRun], Tuple[Union[int, str], bytes]]] = None
    uids: Dict[str, int] = field(default_factory=dict)

    def home(self, user: str) -> str:
        return "/var/lib/qmail/alias" if user == ALIAS else f"/var/lib/conformance/homes/{user}"

    def run(self, wanted: ProgramRun) -> Tuple[Union[int, str], bytes]:
        found = _EXIT.fullmatch(wanted.command)
        if found:
            return int(found.group(1)), b""
        if _KILL.fullmatch(wanted.command):
            return CRASHED, b""
        if self.runner is None:
            raise Failed(111, "The reference runs no programs.\n")
        return self.runner(wanted)

    @property
    def mailboxes(self) -> Dict[str, List[bytes]]:
        """The messages in new of each user's Maildir."""
        found = {
            user: [octets for path, octets in home.items() if path.startswith("Maildir/new/")]
            for user, home in self.contents.items()
        }
        return {user: messages for user, messages in found.items() if messages}

    def has(self, name: str) -> bool:
        return name in self.files

    def mode(self, user: str, file: str = "") -> int:
        said = self.modes.get(f"{user}/{file}" if file else user, "0644" if file else "0755")
        if said == GONE:
            raise Failed(111, f"Unable to switch to {self.home(user)}: file does not exist. (#4.3.0)\n")
        return int(said, 8)

    def dot_qmail(self, user: str) -> Dict[str, str]:
        return self.files.get(user, {})

    def to_maildir(self, user: str, directory: bytes, octets: bytes) -> None:
        gone = self.modes.get(f"{user}/Maildir") == GONE
        if gone or directory not in (b"./Maildir/", b"Maildir/"):
            raise Failed(111, "Unable to chdir to maildir. (#4.2.1)\n")
        self.contents.setdefault(user, {})["Maildir/new/" + self.unique()] = octets

    def to_mbox(self, user: str, file: bytes, octets: bytes) -> None:
        home, path = self.contents.setdefault(user, {}), posixpath.normpath(file.decode("latin-1"))
        home[path] = home.get(path, b"") + octets


class DotQmail:
    """Whose a local part is, `dash` and `extension` behind his name, and what his dot-qmail file says."""

    def __init__(self, accounts: Accounts, box: bytes) -> None:
        self._accounts = accounts
        self.user, self.dash, self.extension = self.controller(box)
        self.chosen = ""  #: the name of the file, once it has been read

    def controller(self, box: bytes) -> Tuple[str, str, bytes]:
        """The longest name before a dash that is an account's, in any case; else alias (qmail-getpw(8))."""
        cuts = [len(box)] + [at for at in range(len(box) - 1, -1, -1) if box[at] == ord("-")]
        for cut in cuts:
            name = box[:cut].lower().decode("latin-1")
            if self._accounts.has(name):
                return name, "-" if cut < len(box) else "", box[cut + 1 :]
        return ALIAS, "-", box

    def names(self) -> List[str]:
        """The dot-qmail files that may be meant, best first (dot-qmail(5), EXTENSION ADDRESSES)."""
        safe = self.extension.lower().replace(b".", b":").decode("latin-1")
        cuts = [at for at in range(len(safe), -1, -1) if at == 0 or safe[at - 1] == "-"]
        return [f".qmail{self.dash}{name}" for name in (safe, *(safe[:at] + "default" for at in cuts))]

    def instructions(self) -> Optional[bytes]:
        """The text of the dot-qmail file, or None when there is none."""
        files = self._accounts.dot_qmail(self.user)
        self.chosen = next((name for name in self.names() if name in files), "")
        return files[self.chosen].encode("latin-1") if self.chosen else None

    def owner_files(self) -> Tuple[bool, bool]:
        """Whether there are .qmail-ext-owner and .qmail-ext-owner-default."""
        files, owner = self._accounts.dot_qmail(self.user), self.names()[0] + "-owner"
        return owner in files, owner + "-default" in files

    def default_part(self) -> Optional[bytes]:
        """What `default` in the file's name stands for (qmail-command(8)); None without it."""
        if not self.chosen.endswith("default"):
            return None
        at = len(self.chosen) - len("default") - len(f".qmail{self.dash}")
        return self.extension[at:]

    def exists(self) -> bool:
        """Whether somebody here receives mail for this local part."""
        return not self.dash or self.instructions() is not None
