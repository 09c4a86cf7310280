"""The users of every pod: accounts, passwords and dot-qmail files, from `fixtures/mailboxes/users.toml`."""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.inputs import read_toml
from conformance.places import data
from conformance.pod.codec import decode

_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
_FILE = re.compile(r"\.qmail(-[a-z0-9:._-]+)?")
_LONGEST = 255  #: octets of a password
_PASSWORD = re.compile(rf"[\x01-\x09\x0b-\xff]{{1,{_LONGEST}}}")


@dataclass(frozen=True)
class User:
    """A table of the file; the password is written `repeat` times over."""

    password: str | None = None
    repeat: int = 1
    dot_qmail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MailboxUser:
    """One account. `password` has one character per octet (Latin-1); None: it cannot authenticate."""

    name: str
    password: str | None = None
    dot_qmail: dict[str, str] = field(default_factory=dict)  #: file name -> its text


def load_users(path: Path | None = None) -> dict[str, MailboxUser]:
    """The users by name; `alias`, qmail's own account, is always among them.

    Raises UsageError, naming the file and what is wrong with it.
    """
    path = path or data("fixtures", "mailboxes", "users.toml")
    read = read_toml(path, "Its form is TOML, with tables [users.NAME].")
    if set(read) != {"users"} or not isinstance(read["users"], dict):
        raise UsageError(f"{path}: it must hold tables [users.NAME] and nothing else")
    users = {name: _user(path, name, value) for name, value in read["users"].items()}
    users.setdefault("alias", MailboxUser("alias"))
    return users


def passwords(users: dict[str, MailboxUser]) -> dict[str, str]:
    """User name -> password, of those who can authenticate."""
    return {user.name: user.password for user in users.values() if user.password is not None}


def password_forms(user: str, password: bytes) -> list[tuple[str, bytes]]:
    """A password as such, and as AUTH LOGIN and PLAIN send it, each with the word for its form."""
    name = user.encode("utf-8")
    return [
        ("password", password),
        ("login", base64.b64encode(password)),
        ("plain", base64.b64encode(b"\0" + name + b"\0" + password)),
        ("plain", base64.b64encode(name + b"\0" + name + b"\0" + password)),
    ]


def _user(path: Path, name: str, value: Any) -> MailboxUser:
    where = f"{path}: [users.{name}]"
    try:
        user = decode(User, {key.replace("-", "_"): item for key, item in value.items()})
    except (AttributeError, ValueError) as error:
        raise UsageError(f"{where}: {error}", "known: dot-qmail, password, repeat") from error
    if not 1 <= user.repeat <= _LONGEST:
        raise UsageError(f"{where}: repeat is a number from 1 to {_LONGEST}")
    password = None if user.password is None else user.password * user.repeat
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a user name is lower-case letters and digits")
    if password is not None and not _PASSWORD.fullmatch(password):
        raise UsageError(f"{where}: password must be 1 to {_LONGEST} octets of Latin-1, no NUL, no line feed")
    for file in user.dot_qmail:
        if not _FILE.fullmatch(file):
            raise UsageError(f"{where}: {file!r} is no dot-qmail file name (.qmail or .qmail-extension)")
    return MailboxUser(name, password, user.dot_qmail)
