"""Whose mail it is: users/assign before the system's accounts, and the dot-qmail files of each."""

import contextlib
import os
from typing import Dict, Optional

from conformance.reference.homes import ALIAS
from conformance.reference.programs.place import texts
from conformance.reference.programs.processes import Account, system_account


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
            accounts[name] = Account(int(rest[1]), int(rest[2]), rest[3])
    return accounts


class SystemAccounts:
    """The receivers of local mail on this host; `home` is qmail's."""

    def __init__(self, home: str) -> None:
        self._qmail = home
        try:
            with open(os.path.join(home, "users", "assign"), encoding="latin-1", newline="") as file:
                self._assigned = read_assign(file.read())
        except FileNotFoundError:
            self._assigned = {}

    def find(self, name: str) -> Optional[Account]:
        """The account of that name. Of the system's, only people (qmail-getpw(8), RULES), and alias."""
        if name in self._assigned:
            return self._assigned[name]
        account = system_account(name)
        if name == ALIAS:
            return account or Account(os.getuid(), os.getgid(), os.path.join(self._qmail, "alias"))
        with contextlib.suppress(OSError):
            if account and account.uid != 0 and account.uid == os.stat(account.home).st_uid:
                return account
        return None

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def dot_qmail(self, user: str) -> Dict[str, str]:
        """His dot-qmail files, read as whoever this process is. Raises OSError."""
        account = self.find(user)
        return {} if account is None else texts(account.home, ".qmail")
