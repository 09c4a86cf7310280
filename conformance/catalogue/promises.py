"""Promises: the sentences that the requirements decide, from a file that people edit (`promises.toml`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.catalogue.patches import PATCHES
from conformance.errors import UsageError

FILE = Path(__file__).with_name("promises.toml")

_TEXTS = ("id", "section", "text")
_KEYS = (*_TEXTS, "requirements", "uncovered")
_ID = re.compile(r"(base|\d{4})\.[a-z0-9]+(-[a-z0-9]+)*")


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


def load_promises(path: Path = FILE) -> list[Promise]:
    """Every promise, in the file's order. Raises UsageError that names the promise and what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}", "Mend the file; its form is TOML.") from error
    entries = data.get("promise", [])
    if set(data) != {"promise"} or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: only [[promise]] tables stand here", "Write [[promise]], two brackets.")
    found: list[Promise] = []
    for number, entry in enumerate(entries, 1):
        promise = _checked(f"{path}, promise {number} ({entry.get('id', 'no id')})", entry)
        if any(promise.id == other.id for other in found):
            raise UsageError(f"{path}: two promises are called {promise.id!r}", "Give each its own id.")
        found.append(promise)
    return found


def unnamed(promises: Iterable[Promise], names: Iterable[str]) -> list[str]:
    """The requirements that no promise names."""
    given = list(names)
    named = {name for promise in promises for name in promise.requirements(given)}
    return [name for name in given if name not in named]


def complaints(promises: Iterable[Promise], names: Iterable[str]) -> list[str]:
    """Patterns that name no requirement, a sentence each.

    A requirement that no promise names is no mistake: its own docstring is its promise, so that a new case
    is one function and nothing else.
    """
    known = list(names)
    return [
        f"{promise.id}: no requirement is named {pattern!r}"
        for promise in promises
        for pattern in promise.patterns
        if not any(fnmatchcase(name, pattern) for name in known)
    ]


def _checked(place: str, entry: dict[str, Any]) -> Promise:
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise UsageError(f"{place}: unknown key: {', '.join(unknown)}", f"Known are {', '.join(_KEYS)}.")
    for key in _TEXTS:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise UsageError(f"{place}: {key} is missing or no text", f'Write {key} = "…".')
    name, section = entry["id"], entry["section"]
    if section not in PATCHES:
        raise UsageError(f"{place}: there is no section {section!r}", f"Known are {', '.join(PATCHES)}.")
    if not _ID.fullmatch(name) or not name.startswith(section + "."):
        raise UsageError(f"{place}: an id reads {section}.some-words", "It begins with its section.")
    patterns = entry.get("requirements", [])
    if not isinstance(patterns, list) or not all(isinstance(one, str) and one for one in patterns):
        raise UsageError(f"{place}: requirements is no list of names", 'Write requirements = ["0005.tcp.*"].')
    uncovered = entry.get("uncovered", "")
    if not isinstance(uncovered, str) or bool(uncovered.strip()) == bool(patterns):
        raise UsageError(
            f"{place}: it needs either requirements or a text why it is uncovered",
            'Write requirements = ["0005.tcp.*"], or uncovered = "why no case decides it".',
        )
    text = " ".join(entry["text"].split())
    return Promise(name, section, text, tuple(patterns), " ".join(uncovered.split()))
