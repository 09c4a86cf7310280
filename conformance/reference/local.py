"""Local delivery as qmail-lspawn, qmail-getpw and qmail-local do it: Maildirs and dot-qmail files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

from conformance.reference.acts import Enqueue, Queued
from conformance.reference.octets import quote_address, split_address

_ALIAS = "alias"
_DEFAULT_DELIVERY = b"./Maildir/\n"
_EXIT = re.compile(rb"\s*exit\s+([0-9]{1,3})\s*")
_PERMANENT = (100, 64, 65, 70, 76, 77, 78, 112)


class Failed(Exception):
    """The delivery ends with this exit status of qmail-local (100 permanent, 111 for now) and text."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass
class Homes:
    """The home directories: dot-qmail files by user, and the Maildirs' messages, in order of arrival."""

    dot_qmail: Dict[str, Dict[str, str]]
    mailboxes: Dict[str, List[bytes]] = field(default_factory=dict)


def _account(local: bytes, homes: Homes) -> Tuple[str, str, bytes]:
    """(user, dash, extension) for the local part of an address."""
    cuts = [len(local)] + [at for at in range(len(local) - 1, -1, -1) if local[at] == ord("-")]
    for cut in cuts:
        name = local[:cut].lower().decode("latin-1")
        if name in homes.dot_qmail:
            return name, "-" if cut < len(local) else "", local[cut + 1 :]
    return _ALIAS, "-", local


class Local:
    """Delivers one message to one local address at a time; `enqueue` takes what is forwarded."""

    def __init__(self, homes: Homes, enqueue: Callable[[Enqueue], Queued], flaws: FrozenSet[str]) -> None:
        self._homes = homes
        self._enqueue = enqueue
        self._flaws = flaws

    def deliver(self, address: bytes, sender: bytes, message: bytes) -> bytes:
        """The report as qmail-lspawn gives it on: `K`, `Z` or `D` and a text."""
        try:
            return b"K" + self._deliver(address, sender, message).encode("ascii")
        except Failed as failed:
            kind = b"D" if failed.status == 100 else b"Z"
            return kind + failed.text.encode("latin-1")

    def _deliver(self, address: bytes, sender: bytes, message: bytes) -> str:
        box, _ = split_address(address)
        if not box:
            return ""
        user, dash, extension = _account(box, self._homes)
        delivered_to = b"Delivered-To: " + address.replace(b"\n", b"_") + b"\n"
        header = message.partition(b"\n\n")[0] + b"\n"
        looping = b"\n" + delivered_to in b"\n" + header
        if looping and "send.loop-unseen" not in self._flaws:
            raise Failed(100, "This message is looping: it already has my Delivered-To line. (#5.4.6)\n")
        commands = self._commands(user, dash, extension)
        if commands is None and dash and "send.unknown-user-dropped" in self._flaws:
            return "did 0+0+0\n"
        if commands is None and dash:
            raise Failed(100, "Sorry, no mailbox here by that name. (#5.1.1)\n")
        return_path = b"Return-Path: <" + quote_address(sender).replace(b"\n", b"_") + b">\n"
        if "send.no-return-path" in self._flaws:
            return_path = b""
        if "send.no-delivered-to" in self._flaws:
            delivered_to = b""
        return self._obey(commands or _DEFAULT_DELIVERY, user, sender, return_path, delivered_to, message)

    def exists(self, box: bytes) -> bool:
        """Whether somebody here receives mail for this local part; nothing is delivered."""
        user, dash, extension = _account(box, self._homes)
        return not dash or self._commands(user, dash, extension) is not None

    def _commands(self, user: str, dash: str, extension: bytes) -> Optional[bytes]:
        """The text of the dot-qmail file for this address, or None when there is none."""
        files = self._homes.dot_qmail.get(user, {})
        safe = extension.lower().replace(b".", b":").decode("latin-1")
        names = [f".qmail{dash}{safe}"]
        cuts = [at for at in range(len(safe), -1, -1) if at == 0 or safe[at - 1] == "-"]
        if "send.no-default" not in self._flaws:
            names += [f".qmail{dash}{safe[:at]}default" for at in cuts]
        for name in names:
            if name in files:
                return files[name].encode("latin-1")
        return None

    def _obey(
        self,
        commands: bytes,
        user: str,
        sender: bytes,
        return_path: bytes,
        delivered_to: bytes,
        message: bytes,
    ) -> str:
        """Follow the lines of a dot-qmail file; the counts that qmail-local prints."""
        files = programs = 0
        forwards: List[bytes] = []
        lines = commands.rstrip(b"\n").split(b"\n")
        for index, line in enumerate(lines):
            line = line.rstrip(b" \t")
            if not line:
                if index == 0:
                    raise Failed(111, "Uh-oh: first line of .qmail file is blank. (#4.2.1)\n")
            elif line[:1] in (b".", b"/"):
                files += 1
                self._store(user, line, return_path + delivered_to + message)
            elif line[:1] == b"|":
                programs += 1
                if _program(line[1:]):
                    break
            elif line[:1] not in (b"#", b"+"):
                forwards.append(line[1:] if line[:1] == b"&" else line)
        text = f"did {files}+{len(forwards)}+{programs}\n"
        if forwards and "send.forward-lost" not in self._flaws:
            by = "by alias" if user == _ALIAS else f"by uid {user}"
            queued = self._enqueue(Enqueue(delivered_to + message, sender, tuple(forwards), by))
            if queued.error:
                status = 100 if queued.error[0] == "D" else 111
                raise Failed(status, f"Unable to forward message: {queued.error[1:]}.\n")
            text += f"qp {queued.number}\n"
        return text

    def _store(self, user: str, name: bytes, message: bytes) -> None:
        if not name.endswith(b"/"):
            return  # an mbox file: no Maildir, so nothing that is looked at
        if name not in (b"./Maildir/", b"Maildir/"):
            raise Failed(111, "Unable to chdir to maildir. (#4.2.1)\n")
        copies = 2 if "send.delivered-twice" in self._flaws else 1
        self._homes.mailboxes.setdefault(user, []).extend([message] * copies)


def _program(command: bytes) -> bool:
    """What follows from a program line; True: the lines below are ignored. Only `exit N` is understood."""
    found = _EXIT.fullmatch(command)
    if not found:
        raise Failed(111, "The reference runs no programs.\n")
    status = int(found.group(1))
    if status in _PERMANENT:
        raise Failed(100)
    if status not in (0, 99):
        raise Failed(111)
    return status == 99
