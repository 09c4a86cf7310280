"""Promises: the sentences that the requirements decide, from a file that people edit (`promises.toml`)."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.catalogue.builtin import PATCHES
from conformance.catalogue.patches import BASE, STOCK_PATCHES
from conformance.catalogue.tables import check_table, read_tables
from conformance.errors import UsageError

FILE = Path(__file__).with_name("promises.toml")

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Promise:
    """One sentence or clause. `patterns` name the requirements that decide it, as fnmatch reads them.

    `uncovered` says why no case decides it, "" when one does.
    """

    id: str
    section: str
    text: str
    patterns: tuple[str, ...]
    uncovered: str = ""

    def requirements(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that decide it."""
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in self.patterns)]


def load_promises(path: Path = FILE, patches: Collection[str] = PATCHES) -> list[Promise]:
    """Every promise, in the file's order; `patches` are those that there are.

    Raises UsageError that names the promise and what is wrong.
    """
    found: dict[str, Promise] = {}
    for place, entry in read_tables(path, "promise"):
        promise = _checked(f"{place} ({entry.get('id', 'no id')})", entry, patches)
        if found.setdefault(promise.id, promise) is not promise:
            raise UsageError(f"{path}: two promises are called {promise.id!r}", "Give each its own id.")
    return list(found.values())


def unnamed(promises: Iterable[Promise], names: Iterable[str]) -> list[str]:
    """The requirements that no promise names."""
    given = list(names)
    named = {name for promise in promises for name in promise.requirements(given)}
    return [name for name in given if name not in named]


def _checked(place: str, entry: dict[str, Any], patches: Collection[str]) -> Promise:
    check_table(place, entry, ("id", "section", "text"), ("requirements", "uncovered"))
    name, section = entry["id"], entry["section"]
    if section not in patches:
        raise UsageError(f"{place}: there is no section {section!r}", f"Known are {', '.join(patches)}.")
    starts = BASE if section in STOCK_PATCHES else section
    if not _ID.fullmatch(name) or not name.startswith((section + ".", starts + ".")):
        raise UsageError(f"{place}: an id reads {section}.some-words", "It begins with its section.")
    patterns = entry.get("requirements", [])
    if not isinstance(patterns, list) or not all(
        isinstance(pattern, str) and pattern for pattern in patterns
    ):
        raise UsageError(f"{place}: requirements is no list of names", 'Write requirements = ["0005.tcp.*"].')
    uncovered = entry.get("uncovered", "")
    if not isinstance(uncovered, str) or bool(uncovered.strip()) == bool(patterns):
        raise UsageError(
            f"{place}: it needs either requirements or a text why it is uncovered",
            'Write requirements = ["0005.tcp.*"], or uncovered = "why no case decides it".',
        )
    text = " ".join(entry["text"].split())
    return Promise(name, section, text, tuple(patterns), " ".join(uncovered.split()))
