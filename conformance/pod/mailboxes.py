"""The users of every pod: accounts, passwords and dot-qmail files, from `fixtures/mailboxes/users.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.places import data

_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")
_FILE = re.compile(r"\.qmail(-[a-z0-9:._-]+)?")
_KEYS = {"password", "repeat", "dot-qmail"}
_LONGEST_PASSWORD = 255


@dataclass(frozen=True)
class User:
    """One account. `password` has one character per octet (Latin-1); None: it cannot authenticate."""

    name: str
    password: str | None = None
    dot_qmail: dict[str, str] = field(default_factory=dict)  #: file name -> its text


def load_users(path: Path | None = None) -> dict[str, User]:
    """The users by name; `alias`, qmail's own account, is always among them.

    Raises UsageError, naming the file and what is wrong with it.
    """
    path = path or data("fixtures", "mailboxes", "users.toml")
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if set(read) != {"users"} or not isinstance(read["users"], dict):
        raise UsageError(f"{path}: it must hold tables [users.NAME] and nothing else")
    users = {name: _user(path, name, value) for name, value in read["users"].items()}
    users.setdefault("alias", User("alias"))
    return users


def passwords(users: dict[str, User]) -> dict[str, str]:
    """User name -> password, of those who can authenticate."""
    return {user.name: user.password for user in users.values() if user.password is not None}


def _user(path: Path, name: str, value: Any) -> User:
    where = f"{path}: [users.{name}]"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: a user name is lower-case letters and digits")
    if not isinstance(value, dict):
        raise UsageError(f"{where}: it must be a table")
    for key in value:
        if key not in _KEYS:
            raise UsageError(f"{where}: there is no key {key!r}", f"known: {', '.join(sorted(_KEYS))}")
    return User(name, _password(where, value), _dot_qmail(where, value.get("dot-qmail", {})))


def _password(where: str, value: dict[str, Any]) -> str | None:
    repeat = value.get("repeat", 1)
    if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1:
        raise UsageError(f"{where}: repeat must be a whole number of at least 1")
    if "password" not in value:
        return None
    password = value["password"]
    if not isinstance(password, str) or not password:
        raise UsageError(f"{where}: password must be a text that is not empty")
    if any(ord(character) > 255 or character in "\0\n" for character in password):
        raise UsageError(f"{where}: password must be Latin-1 without NUL and line feed")
    if len(password * repeat) > _LONGEST_PASSWORD:
        raise UsageError(f"{where}: password is longer than {_LONGEST_PASSWORD} octets")
    return password * repeat


def _dot_qmail(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: dot-qmail must be a table of file names and texts")
    for file, text in value.items():
        if not _FILE.fullmatch(file):
            raise UsageError(f"{where}: {file!r} is no dot-qmail file name (.qmail or .qmail-extension)")
        if not isinstance(text, str):
            raise UsageError(f"{where}: {file} must be a text")
    return dict(value)
