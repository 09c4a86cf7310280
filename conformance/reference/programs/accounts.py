"""Whose mail it is: users/assign before the system's accounts, and the dot-qmail files of each."""

from __future__ import annotations

import os
import pwd
from typing import Dict, List, NamedTuple, Optional

from conformance.reference.programs.processes import User

_ALIAS = "alias"


class Account(NamedTuple):
    """One receiver of local mail."""

    user: User
    home: str


class BadTable(Exception):
    """users/assign is not as qmail-newu wants it."""


def read_assign(text: str) -> Dict[str, Account]:
    """The accounts of users/assign by the name in their `=` line. Raises BadTable.

    The reference knows a user's extensions by the dash alone, so a `+` line is checked and says nothing new.
    """
    accounts: Dict[str, Account] = {}
    lines = text.split("\n")
    if "." not in lines:
        raise BadTable("there is no line with a dot, which ends the file")
    for number, line in enumerate(lines[: lines.index(".")], 1):
        name, *rest = line[1:].split(":")
        if line[:1] not in ("=", "+") or len(rest) != 7 or not (rest[1].isdigit() and rest[2].isdigit()):
            raise BadTable(f"line {number} is not =NAME:USER:UID:GID:HOME:DASH:EXT: nor +NAME…")
        if line[0] == "=":
            accounts[name] = Account(User(int(rest[1]), int(rest[2])), rest[3])
    return accounts


class Accounts:
    """The receivers of local mail on this host; `home` is qmail's."""

    def __init__(self, home: str) -> None:
        self._qmail = home
        try:
            with open(os.path.join(home, "users", "assign"), encoding="latin-1", newline="") as file:
                self._assigned = read_assign(file.read())
        except FileNotFoundError:
            self._assigned = {}

    def find(self, name: str) -> Optional[Account]:
        """The account of that name. Of the system's, only people: not root, with a home of their own."""
        if name in self._assigned:
            return self._assigned[name]
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            if name == _ALIAS:
                return Account(User(os.getuid(), os.getgid()), os.path.join(self._qmail, "alias"))
            return None
        account = Account(User(entry.pw_uid, entry.pw_gid), entry.pw_dir)
        if name == _ALIAS:
            return account
        try:
            owned = os.stat(entry.pw_dir).st_uid == entry.pw_uid
        except OSError:
            return None
        return account if owned and entry.pw_uid != 0 else None

    def candidates(self, box: bytes) -> List[str]:
        """The names of accounts that mail for this local part may be for, alias among them."""
        name = box.lower().decode("latin-1")
        cuts = [len(name)] + [at for at in range(len(name)) if name[at] == "-"]
        return [_ALIAS] + [name[:cut] for cut in cuts if self.find(name[:cut]) is not None]


def dot_qmail_files(home: str) -> Dict[str, str]:
    """The dot-qmail files in a home directory: name -> text, one character an octet. Raises OSError."""
    found = {}
    for entry in os.scandir(home):
        if entry.name.startswith(".qmail") and entry.is_file():
            with open(entry.path, encoding="latin-1", newline="") as file:
                found[entry.name] = file.read()
    return found
