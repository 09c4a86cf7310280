"""Where in a TOML file each value stands, so that an error can name the line; tomllib does not say.

The text must have been read by tomllib before: nothing is checked here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str | int, ...]

_KEY = re.compile(
    r"""\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'))*"""
)
_HEADER = re.compile(r"[ \t]*(\[\[?)([^\n]*?)\]\]?[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?!")|' + r"'''.*?'''(?!')" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'", re.DOTALL
)


@dataclass(frozen=True)
class Entry:
    """A table's header or a key with its value: lines `first` to `last`, and where its text begins."""

    path: Path
    first: int
    last: int
    text: int
    header: bool = False


def entries(text: str) -> Iterator[Entry]:
    """Every header, key and string in an array, in the file's order; lines count from 1."""
    table: Path = ()
    counts: dict[Path, int] = {}
    position = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end].strip()
        number = text.count("\n", 0, position) + 1
        header = _HEADER.match(text, position)
        if not line or line.startswith("#"):
            position = end + 1
        elif header:
            table = ()
            names = _names(header[2])
            for name in names[:-1]:
                table = (*table, name)
                table = (*table, counts[table]) if table in counts else table
            table = (*table, names[-1])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield Entry(table, number, number, number, header=True)
            position = end + 1
        else:
            key = _KEY.match(text, position)
            assert key is not None, "tomllib has read this text"
            start = text.index("=", key.end()) + 1
            path = (*table, *_names(key[0]))
            end, strings = _value(text, start)
            last = number + text.count("\n", position, end)
            yield Entry(path, number, last, _begins(text, strings[0]) if strings else number)
            if text[start:end].lstrip().startswith("["):
                for index, string in enumerate(strings):
                    yield Entry((*path, index), number, last, _begins(text, string))
            position = end + 1


def lines(text: str) -> dict[Path, int]:
    """The line where the text of each value begins, by path: `("zones", "big.example")`."""
    return {entry.path: entry.text for entry in entries(text)}


def _names(key: str) -> Path:
    """`zones."big.example"` as ("zones", "big.example")."""
    data = tomllib.loads(f"{key} = 0")
    names: list[str] = []
    while isinstance(data, dict):
        name = next(iter(data))
        names.append(name)
        data = data[name]
    return tuple(names)


def _value(text: str, position: int) -> tuple[int, list[re.Match[str]]]:
    """Where a value ends (at its line's end), and the strings in it."""
    depth = 0
    strings = []
    while position < len(text):
        string = _STRING.match(text, position)
        if string:
            strings.append(string)
            position = string.end()
            continue
        sign = text[position]
        if sign == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        if sign == "\n" and not depth:
            break
        depth += (sign in "[{") - (sign in "]}")
        position += 1
    return position, strings


def _begins(text: str, string: re.Match[str]) -> int:
    number = text.count("\n", 0, string.start()) + 1
    return number + 1 if string[0][:4] in ('"""\n', "'''\n") else number
