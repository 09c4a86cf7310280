"""Where in a TOML file each value stands, so that an error can name the line; tomllib does not say.

The text must have been read by tomllib before: nothing is checked here.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.inputs import TOML_TOKEN

Path = tuple[str | int, ...]

_DEPTHS = {"[": 1, "{": 1, "]": -1, "}": -1}


@dataclass(frozen=True)
class Statement:
    """A table's header or a key with its value: lines `first` to `last`, and where its text begins."""

    path: Path
    first: int
    last: int
    text: int
    header: bool = False


def statements(text: str) -> Iterator[Statement]:
    """Every header, key and string in an array, in the file's order; lines count from 1."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for first, last, written in _cut(text):
        data = tomllib.loads(written)
        names, value = _names(data)
        if written.lstrip().startswith("["):
            table = ()
            for depth, name in enumerate(names, 1):
                table = (*table, name)
                if depth < len(names) and table in counts:
                    table = (*table, counts[table])
            if isinstance(value, list):
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield Statement(table, first, last, last, header=True)
        elif data:
            strings = [found for found in TOML_TOKEN.finditer(written) if found["string"]]
            texts = value if isinstance(value, list) else [value]
            texts = [text for text in texts if isinstance(text, str)]
            # Those of the value are the last ones: the key may be one too.
            begins = [
                first + _line_of_text(written, string) for string in strings[len(strings) - len(texts) :]
            ]
            path = (*table, *names)
            yield Statement(path, first, last, begins[0] if begins else first)
            if isinstance(value, list):
                yield from (Statement((*path, index), first, last, line) for index, line in enumerate(begins))


def _cut(text: str) -> Iterator[tuple[int, int, str]]:
    """The first line, the last line and the text of each statement, a blank line or comment among them."""
    first = last = 1
    start = depth = 0
    for token in TOML_TOKEN.finditer(text):
        if token["sign"] == "\n" and not depth:
            yield first, last, text[start : token.start()]
            first, start = last + 1, token.end()
        depth += _DEPTHS.get(token["sign"], 0)
        last += token[0].count("\n")
    yield first, last, text[start:]


def lines(text: str) -> dict[Path, int]:
    """The line where the text of each value begins, by path: `("zones", "big.example")`."""
    found: dict[Path, int] = {}
    for each in statements(text):
        for length in range(1, len(each.path) + 1):  # `a.b = 1` and `a = { b = 1 }` have a place for a too
            found.setdefault(each.path[:length], each.text)
    return found


def _names(data: Any) -> tuple[Path, Any]:
    names: list[str] = []
    while isinstance(data, dict) and len(data) == 1:
        [(name, data)] = data.items()
        names.append(name)
    return tuple(names), data


def _line_of_text(written: str, string: re.Match[str]) -> int:
    """In which line of a statement, from 0, the text of a string begins."""
    return written.count("\n", 0, string.start()) + (string[0][:4] in ('"""\n', "'''\n"))
