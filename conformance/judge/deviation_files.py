"""Files of deviations as text: an entry written, changed in one key or taken out; all else stays as it is.

What a change comes to is read again before anybody sees it: it must be the entry that was meant.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.inputs import TOML_TOKEN, parse_toml, read_octets, read_text
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
    """One file, to be changed: `text` is what it comes to, `written` the same with the line ends it had."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text, self._line_end = "", "\n"
        if path.exists():
            self.text = read_text(path, _HINT)
            self._line_end = "\r\n" if b"\r\n" in read_octets(path, _HINT) else "\n"

    @property
    def written(self) -> str:
        return self.text.replace("\n", self._line_end)

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
        """Another value for a key of an entry that has it: of a list with some more, or without some."""
        after = self.entries
        after[number - 1] = {**after[number - 1], key: value}
        found = [each for each in self._of(number) if each.path[2:] == (key,)]
        if len(found) != 1 or found[0].header:
            raise UsageError(
                f"{self.path}, deviation {number}: {key} cannot be changed here", "Change it by hand."
            )
        lines = self.text.split("\n")
        first, last = found[0].first - 1, found[0].last
        lines[first:last] = _changed(key, value, "\n".join(lines[first:last])).split("\n")
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


def _changed(key: str, value: list[str], written: str) -> str:
    """A statement with another value: comments, and the lines of what stays, are kept.

    As it was where that cannot be done.
    """
    tokens = list(TOML_TOKEN.finditer(written))
    strings = [token for token in tokens if token["string"]]
    brackets = [token for token in tokens if token["sign"] in ("[", "]")]
    begin, end = (brackets[0].start(), brackets[-1].end()) if brackets else strings[-1].span()
    if "\n" not in written[begin:end]:
        return written[:begin] + _value(key, value) + written[end:]
    items = [token for token in strings if begin < token.start() < end]
    texts = [tomllib.loads(f"text = {token[0]}")["text"] for token in items]
    places = [written.count("\n", 0, token.start()) for token in items]
    lines = written.split("\n")
    if not set(range(1, len(lines) - 1)).issuperset(places) or len(set(places)) < len(places):
        return written  # the items do not stand on lines of their own
    last = items[-1]
    if not written[last.end() :].lstrip().startswith(","):
        lines[places[-1]] = lines[places[-1]].replace(last[0], f"{last[0]},", 1)
    indent = lines[places[-1]].partition(last[0])[0]
    added = [f"{indent}{toml(each)}," for each in value if each not in texts]
    lines[places[-1] + 1 : places[-1] + 1] = added
    gone = [place for place, text in zip(places, texts, strict=True) if text not in value]
    return "\n".join(line for place, line in enumerate(lines) if place not in gone)


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in one form: a text and a list of it alone are the same."""
    return {key: _plain(value) if isinstance(value, dict) else _listed(value) for key, value in entry.items()}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
