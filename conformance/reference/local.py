"""Local delivery as qmail-lspawn, qmail-getpw and qmail-local do it: Maildirs and dot-qmail files."""

import posixpath
import re
import stat
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Protocol, Tuple, Union

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.build import Build
from conformance.reference.lspawn import kept_report
from conformance.reference.octets import quote_address, split_address
from conformance.reference.queue import Message

ALIAS = "alias"
#: In the place of a mode: the directory is not there.
GONE = "gone"

_EXIT = re.compile(rb"\s*exit\s+([0-9]{1,3})\s*")
_KILL = re.compile(rb"kill -[A-Z0-9]+ \$\$")
_ENOUGH = 99


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


@dataclass
class QmailLocal:
    """One delivery to one address; `enqueue` takes what is forwarded."""

    build: Build
    homes: Homes
    enqueue: Callable[[Enqueue], Queued]
    message: Message
    address: bytes
    user: str = ALIAS  #: whose mail it is
    sender: bytes = b""  #: of what is forwarded
    said: List[bytes] = field(default_factory=list)  #: what each program has printed

    list_line_counts = True  #: whether +list forbids all but forward lines below it

    #: Whether a blank first line is an error (dot-qmail(5)).
    first_must_say_something = True

    crash_fails = True  #: whether a program that dies by a signal has not succeeded

    #: Exit statuses of a program that mean a permanent failure (qmail-command(8), EXIT CODES).
    hard_errors = (100, 64, 65, 70, 76, 77, 78, 112)

    #: What a user without a dot-qmail file, or with an empty one, gets (dot-qmail(5)).
    default_delivery = b"./Maildir/\n"

    def report(self) -> bytes:
        """Deliver; qmail-lspawn's report of it: `K`, `Z` or `D` and a text, which ends at a NUL."""
        try:
            kind, text = b"K", self.run()
        except Failed as failed:
            kind, text = b"D" if failed.status == 100 else b"Z", failed.text
        return kind + kept_report([*self.printed(), text.encode("latin-1")]).partition(b"\0")[0]

    def run(self) -> str:
        """Deliver; what is printed at the end. Raises Failed. An empty box is trash (qmail-lspawn(8))."""
        box, _ = split_address(self.address)
        if not box:
            return ""
        self.dot_qmail = dot_qmail = self.build.of(DotQmail)(self.homes, box)
        self.user = dot_qmail.user
        self.check_home(self.homes.mode(self.user))
        if self.is_looping():
            raise Failed(100, "This message is looping: it already has my Delivered-To line. (#5.4.6)\n")
        instructions = dot_qmail.instructions()
        if instructions is None and dot_qmail.dash:
            return self.no_mailbox()
        self.sender = self.new_sender(dot_qmail.owner_files())
        mode = 0 if instructions is None else self.homes.mode(self.user, dot_qmail.chosen)
        if self.is_unsafe(mode):
            raise Failed(111, "Uh-oh: .qmail file is writable. (#4.7.0)\n")
        return self.obey(instructions or self.default_delivery, bool(instructions) and bool(mode & 0o100))

    def check_home(self, mode: int) -> None:
        """A home that others may write to, or that is sticky, puts the delivery off (dot-qmail(5))."""
        if self.is_unsafe(mode):
            raise Failed(111, "Uh-oh: home directory is writable. (#4.7.0)\n")
        if mode & stat.S_ISVTX:
            raise Failed(111, "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n")

    def is_unsafe(self, mode: int) -> bool:
        """Whether anybody may write there (dot-qmail(5))."""
        return bool(mode & 0o002)

    def new_sender(self, owners: Tuple[bool, bool]) -> bytes:
        """The sender of what is forwarded: the list's owner, if it has one (dot-qmail(5))."""
        sender, (owner, verp) = self.message.sender, owners
        if sender in (b"", b"#@[]") or not owner:
            return sender
        box, host = split_address(self.address)
        return box + (b"-owner-@%s-@[]" if verp else b"-owner@%s") % (host or b"")

    def is_looping(self) -> bool:
        """Whether the header has this address's Delivered-To line already (qmail-local(8))."""
        header = self.message.octets.partition(b"\n\n")[0] + b"\n"
        return b"\n" + _delivered_to(self.address) in b"\n" + header

    def no_mailbox(self) -> str:
        """An extension without a dot-qmail file bounces (dot-qmail(5), EXTENSION ADDRESSES)."""
        raise Failed(100, "Sorry, no mailbox here by that name. (#5.1.1)\n")

    def return_path(self) -> bytes:
        """The envelope sender, as the line before a stored message tells it (qmail-local(8))."""
        return b"Return-Path: <" + quote_address(self.message.sender).replace(b"\n", b"_") + b">\n"

    def delivered_to(self) -> bytes:
        """The line that is put before a stored or forwarded message (qmail-local(8))."""
        return _delivered_to(self.address)

    def obey(self, instructions: bytes, only_forwards: bool = False) -> str:
        """Follow each line (dot-qmail(5), THE QMAIL FILE); the counts of files, forwards and programs.

        A file with the execute bit may hold forward lines alone.
        """
        files = programs = 0
        forwards: List[bytes] = []
        for index, line in enumerate(self.lines(instructions)):
            if not line:
                if index == 0 and self.first_must_say_something:
                    raise Failed(111, "Uh-oh: first line of .qmail file is blank. (#4.2.1)\n")
            elif only_forwards and line[:1] in (b".", b"/", b"|"):
                what = "prog" if line[:1] == b"|" else "file"
                raise Failed(111, f"Uh-oh: .qmail has {what} delivery but has x bit set. (#4.7.0)\n")
            elif line[:1] in (b".", b"/"):
                files += 1
                self.store(line)
            elif line[:1] == b"|":
                programs += 1
                if self.run_program(line[1:]) == _ENOUGH:
                    break
            elif line == b"+list":
                only_forwards = self.list_line_counts
            elif line[:1] not in (b"#", b"+"):
                forwards.append(line[1:] if line[:1] == b"&" else line)
        did = f"did {files}+{len(forwards)}+{programs}\n"
        return did + self.forward(forwards) if forwards else did

    def lines(self, instructions: bytes) -> List[bytes]:
        """The lines without blanks at their ends (dot-qmail(5))."""
        return [line.rstrip(b" \t") for line in instructions.rstrip(b"\n").split(b"\n")]

    def store(self, name: bytes) -> None:
        """Into a Maildir when the name ends with a slash, else into an mbox (dot-qmail(5))."""
        if name.endswith(b"/"):
            self.homes.to_maildir(self.user, name, self.lines_above() + self.octets())
        else:
            self.homes.to_mbox(self.user, name, self.mbox_entry())

    def lines_above(self) -> bytes:
        """What stands above a stored message."""
        return self.return_path() + self.delivered_to()

    def octets(self) -> bytes:
        """The message as it is in the queue."""
        return self.message.octets

    def mbox_entry(self) -> bytes:
        """A message in an mbox: a line From before it, each From line in it quoted, a blank line after it."""
        octets = self.lines_above() + self.quoted(self.octets())
        return self.from_line() + octets + (b"\n" if octets.endswith(b"\n") else b"\n\n")

    def quoted(self, octets: bytes) -> bytes:
        """`>` before each line that an mbox reader would take for the beginning of a message (mbox(5))."""
        return re.sub(rb"(?m)^(>*From )", rb">\1", octets)

    def from_line(self) -> bytes:
        """UFLINE: the sender without blanks, and the time (qmail-command(8))."""
        sender = re.sub(rb"[ \t\n]", b"-", self.message.sender) or b"MAILER-DAEMON"
        return b"From %s %s\n" % (sender, time.asctime(time.gmtime(self.homes.now())).encode("ascii"))

    def run_program(self, command: bytes) -> int:
        """0 to go on, 99 to ignore the lines below (qmail-command(8), EXIT CODES)."""
        status, said = self.forward_program(command) or self.homes.run(self.program(command))
        self.said.append(said)
        if status == CRASHED and self.crash_fails:
            raise Failed(111, "Aack, child crashed. (#4.3.0)\n")
        if status in self.hard_errors:
            raise Failed(100)
        if status not in (0, _ENOUGH, CRASHED):
            raise Failed(111)
        return 0 if status == CRASHED else int(status)

    def forward_program(self, command: bytes) -> Optional[Tuple[Union[int, str], bytes]]:
        """What forward(1) does with addresses, where that is the program: it looks at no header."""
        name, _, addresses = command.partition(b" ")
        if name != b"forward":
            return None
        return 0, b"forward: " + self.forward(addresses.split()).encode("ascii")

    def printed(self) -> List[bytes]:
        """What each program has printed so far: the report begins with it."""
        return self.said

    def program(self, command: bytes) -> ProgramRun:
        """A program line as it is run; its message has no lines above it (qmail-command(8))."""
        return ProgramRun(self.user, command, self.environment(), self.octets())

    def environment(self) -> Dict[str, str]:
        """The variables of qmail-command(8), ENVIRONMENT VARIABLES."""
        box, host = split_address(self.address)
        extension, host = self.dot_qmail.extension, host or b""
        hosts, extensions = [host], [extension]
        for _ in range(3):
            hosts.append(hosts[-1].rpartition(b".")[0] if b"." in hosts[-1] else hosts[-1])
            extensions.append(extensions[-1].partition(b"-")[2])
        found = {
            "SENDER": self.message.sender, "NEWSENDER": self.sender, "RECIPIENT": self.address,
            "USER": self.user.encode("ascii"), "HOME": self.homes.home(self.user).encode("latin-1"),
            "HOST": host, "LOCAL": box, "EXT": extension, "DTLINE": self.delivered_to(),
            "RPLINE": self.return_path(), "UFLINE": self.from_line(),
        }  # fmt: skip
        for number in (2, 3, 4):
            found[f"HOST{number}"], found[f"EXT{number}"] = hosts[number - 1], extensions[number - 1]
        default = self.dot_qmail.default_part()
        if default is not None:
            found["DEFAULT"] = default
        return {name: value.decode("latin-1") for name, value in found.items()}

    def forward(self, addresses: List[bytes]) -> str:
        """Queue the message anew, without its Return-Path line (dot-qmail(5)); the line that names its qp."""
        by = "by alias" if self.user == ALIAS else f"by uid {self.user}"
        wanted = Enqueue(self.delivered_to() + self.message.octets, self.sender, tuple(addresses), by)
        queued = self.enqueue(wanted)
        if queued.error:
            status = 100 if queued.error[0] == "D" else 111
            raise Failed(status, f"Unable to forward message: {queued.error[1:]}.\n")
        return f"qp {queued.number}\n"


def _delivered_to(address: bytes) -> bytes:
    return b"Delivered-To: " + address.replace(b"\n", b"_") + b"\n"
