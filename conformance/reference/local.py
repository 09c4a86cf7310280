"""Local delivery as qmail-lspawn and qmail-local do it: what a dot-qmail file says is obeyed."""

import re
import stat
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Tuple, Union

from conformance.reference.acts import CRASHED, Enqueue, Queued
from conformance.reference.build import Build
from conformance.reference.homes import ALIAS, DotQmail, Failed, Homes, ProgramRun
from conformance.reference.lspawn import kept_report
from conformance.reference.octets import quote_address, split_address
from conformance.reference.queue import Message

_ENOUGH = 99


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
