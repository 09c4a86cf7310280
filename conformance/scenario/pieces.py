"""What can be taken out of a scenario's text: tables, values, exchanges of a chat, single lines, items."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from conformance.scenario.places import Entry, entries

#: Line numbers, from 1, that are taken out together.
Piece = frozenset[int]

#: What says what the scenario is about stays.
KEPT = ("title", "text")


def blocks(text: str) -> list[Piece]:
    """Tables with all their keys, values of several lines as a whole, and the exchanges of a chat."""
    found = list(entries(text))
    pieces: list[Piece] = []
    for index, entry in enumerate(found):
        if entry.path[0] in KEPT:
            continue
        if entry.header:
            rest = found[index + 1 :]
            last = next((one.first - 1 for one in rest if one.header), len(text.splitlines()))
            pieces.append(_piece(text, entry.first, last))
        elif entry.path[0] == "session":
            pieces += _exchanges(text, entry)
        elif entry.last > entry.first:
            pieces.append(_piece(text, entry.first, entry.last))
    return _once(pieces)


def single_lines(text: str) -> list[Piece]:
    """Every line that says something."""
    fixed = {
        line
        for entry in entries(text)
        if entry.path[0] in KEPT
        for line in range(entry.first, entry.last + 1)
    }
    rows = text.splitlines()
    said = [number for number, row in enumerate(rows, 1) if _says(row) and number not in fixed]
    return [_piece(text, number, number) for number in said]


def answered_lines(text: str) -> list[Piece]:
    """Where a client says several lines at once: each line with the reply that answers it."""
    pieces: list[Piece] = []
    said: list[int] = []
    replied: list[int] = []
    for number, row in enumerate([*text.splitlines(), ""], 1):
        sign = row.lstrip()[:1]
        if sign == "<":
            replied.append(number)
        elif sign != "#" and replied:
            if len(said) > 1:
                pieces += [frozenset(pair) for pair in zip(said, replied, strict=False)]
            said, replied = [], []
        if sign == ">":
            said.append(number)
    return pieces


def without(text: str, removed: set[int]) -> str:
    """The text without these lines, and without the blank lines between them."""
    rows = text.splitlines()
    blank = {number for number, row in enumerate(rows, 1) if not row.strip()}
    between = {number for number in blank if {number - 1, number + 1} <= removed}
    rows = [row for number, row in enumerate(rows, 1) if number not in removed | between]
    return tidy("\n".join(rows) + "\n")


def tidy(text: str) -> str:
    """No two blank lines in a row, none at the start, one line end at the end."""
    return re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n")).strip("\n") + "\n"


def shorter_values(text: str) -> Iterator[str]:
    """The text with one item less in a list or a table that stands on one line."""
    rows = text.splitlines()
    for entry in entries(text):
        in_list = isinstance(entry.path[-1], int)
        if entry.header or in_list or entry.first != entry.last or entry.path[0] in KEPT:
            continue
        row = rows[entry.first - 1]
        try:
            value = tomllib.loads(row)
        except tomllib.TOMLDecodeError:
            continue
        while isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), dict):
            value = next(iter(value.values()))
            if "{" in row and len(value) > 1:
                break
        for shorter in _shorter(value if "{" in row else next(iter(value.values()))):
            key = row[: row.index("=") + 1]
            yield "\n".join([*rows[: entry.first - 1], f"{key} {toml(shorter)}", *rows[entry.first :]]) + "\n"


def toml(value: Any) -> str:
    """A value as TOML on one line: texts, numbers, truths, lists and tables of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_character(one) for one in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(name)} = {toml(one)}" for name, one in value.items()) + " }"
    return str(value)


def _character(one: str) -> str:
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return known.get(one) or (one if one.isprintable() else f"\\U{ord(one):08x}")


def _shorter(value: Any) -> Iterator[Any]:
    if isinstance(value, list) and len(value) > 1:
        yield from (value[:index] + value[index + 1 :] for index in range(len(value)))
    if isinstance(value, dict) and len(value) > 1:
        yield from ({name: one for name, one in value.items() if name != gone} for gone in value)


def _says(row: str) -> bool:
    return bool(row.strip()) and not row.lstrip().startswith("#")


def _piece(text: str, first: int, last: int) -> Piece:
    """Lines `first` to `last`, with the comment directly above them."""
    rows = text.splitlines()
    while first > 1 and rows[first - 2].lstrip().startswith("#"):
        first -= 1
    return frozenset(range(first, last + 1))


def _exchanges(text: str, entry: Entry) -> Iterator[Piece]:
    """Of a chat: what the client says up to the last reply to it, for each time that the client speaks."""
    rows = text.splitlines()
    first, replied = 0, False
    for number in range(entry.text, entry.last + 1):
        sign = rows[number - 1].lstrip()[:1]
        if sign in (">", "|", "!") and (replied or not first):
            if first:
                yield _piece(text, first, number - 1)
            first, replied = number, False
        replied = replied or sign == "<"
        if sign not in (">", "|", "!", "<", "#", ""):
            break
    else:
        number = entry.last + 1
    if first:
        yield _piece(text, first, number - 1)


def _once(pieces: list[Piece]) -> list[Piece]:
    return [piece for index, piece in enumerate(pieces) if piece not in pieces[:index]]
