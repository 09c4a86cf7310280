"""Files of deviations as text: an entry written, changed in one key or taken out; all else stays as it is.

What a change comes to is read again before anybody sees it: it must be the entry that was meant.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.inputs import parse_toml, read_text
from conformance.judge.deviations import Deviation
from conformance.scenario.pieces import toml
from conformance.tomllines import Statement, statements

_HINT = "Its form is TOML, with tables [[deviation]]."

#: The order in which an entry is written.
_ORDER = (
    *("target", "patches", "requirement", "verdict", "seen", "severity", "flaw", "hides"),
    *("reason", "source", "since", "shows"),
)

_ONE_OR_MORE = ("target", "requirement", "seen")

#: A list that would be longer than this stands on lines of its own.
_LINE = 100


def place_of(deviation: Deviation) -> tuple[Path, int]:
    """The file that a deviation stands in, and the number of its entry there, from 1."""
    path, _, number = deviation.place.rpartition(", deviation ")
    return Path(path), int(number)


def entry_text(entry: Mapping[str, Any]) -> str:
    """A table [[deviation]]; what is seen by requirement stands in a table below it."""
    lines = ["[[deviation]]"]
    lines += [
        f"{key} = {_value(key, entry[key])}" for key in _ORDER if not isinstance(entry.get(key, {}), dict)
    ]
    if isinstance(seen := entry.get("seen"), dict):
        lines += ["", "[deviation.seen]", *(f"{toml(name)} = {_value('seen', seen[name])}" for name in seen)]
    return "\n".join(lines) + "\n"


def _value(key: str, value: Any) -> str:
    if isinstance(value, (list, tuple)):
        listed = list(value)
        if len(listed) == 1 and key in _ONE_OR_MORE:
            return toml(listed[0])
        if len(line := toml(listed)) <= _LINE:
            return line
        return "[\n" + "".join(f"    {toml(each)},\n" for each in listed) + "]"
    return toml(value) if isinstance(value, str) else str(value)


class DeviationFile:
    """One file, to be changed: `text` is what it comes to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = read_text(path, _HINT) if path.exists() else ""

    @property
    def entries(self) -> list[dict[str, Any]]:
        found = parse_toml(self.text, self.path, _HINT)
        listed = found.get("deviation", [])
        if found.keys() > {"deviation"} or not isinstance(listed, list):
            raise UsageError(f"{self.path}: something else than deviations stands there", _HINT)
        return listed

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write an entry at the end."""
        before = self.entries
        self.text = "\n\n".join(filter(None, (self.text.rstrip("\n"), entry_text(entry))))
        self._check([*before, _plain(entry)])

    def set(self, number: int, key: str, value: list[str]) -> None:
        """Another value for a key of an entry that has it."""
        after = self.entries
        after[number - 1] = {**after[number - 1], key: value}
        found = [each for each in self._of(number) if each.path[2:] == (key,)]
        if len(found) != 1 or found[0].header:
            raise UsageError(
                f"{self.path}, deviation {number}: {key} cannot be changed here", "Change it by hand."
            )
        lines = self.text.split("\n")
        lines[found[0].first - 1 : found[0].last] = f"{key} = {_value(key, value)}".split("\n")
        self.text = "\n".join(lines)
        self._check(after)

    def remove(self, number: int) -> None:
        """Take an entry out, with the comment right above it."""
        after = self.entries
        del after[number - 1]
        own = list(self._of(number))
        first, last = own[0].first - 1, max(each.last for each in own)
        lines = self.text.split("\n")
        while first and lines[first - 1].startswith("#") and "" in lines[: first - 1]:
            first -= 1
        self.text = re.sub(r"\n{3,}", "\n\n", "\n".join([*lines[:first], *lines[last:]])).strip("\n") + "\n"
        self._check(after)

    def _of(self, number: int) -> Iterator[Statement]:
        return (each for each in statements(self.text) if each.path[:2] == ("deviation", number - 1))

    def _check(self, wanted: list[dict[str, Any]]) -> None:
        try:
            right = list(map(_plain, self.entries)) == list(map(_plain, wanted))
        except ValueError:
            right = False
        if not right:
            raise UsageError(
                f"{self.path}: it is written in a way that is not changed here", "Change it by hand."
            )


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in one form: a text and a list of it alone are the same."""
    return {key: _plain(value) if isinstance(value, dict) else _listed(value) for key, value in entry.items()}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
