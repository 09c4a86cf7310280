"""What can be taken out of a scenario's text: tables, values, exchanges of a chat, single lines, items."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from conformance.tomllines import Statement, statements

#: Line numbers, from 1, that are taken out together.
Piece = frozenset[int]

#: In a chat: what follows is said so often.
_REPEAT = re.compile(r"\\\{(\d+)\*")

#: What says what the scenario is about stays.
KEPT = ("title", "text")


def blocks(text: str) -> list[Piece]:
    """Tables with all their keys, values of several lines as a whole, and the exchanges of a chat."""
    found, rows = list(statements(text)), _rows(text)
    pieces: list[Piece] = []
    for index, statement in enumerate(found):
        if statement.path[0] in KEPT:
            continue
        if statement.header:
            rest = found[index + 1 :]
            last = next((other.first - 1 for other in rest if other.header), len(rows))
            pieces.append(_piece(rows, statement.first, last))
        elif statement.path[0] == "session":
            pieces += _exchanges(rows, statement)
        elif statement.last > statement.first:
            pieces.append(_piece(rows, statement.first, statement.last))
    return list(dict.fromkeys(pieces))


def single_lines(text: str) -> list[Piece]:
    """Every line that says something."""
    fixed = {
        line
        for statement in statements(text)
        if statement.path[0] in KEPT
        for line in range(statement.first, statement.last + 1)
    }
    rows = _rows(text)
    said = [number for number, row in enumerate(rows, 1) if says(row) and number not in fixed]
    return [_piece(rows, number, number) for number in said]


def answered_lines(text: str) -> list[Piece]:
    """Where a client says several lines at once: each line with the reply that answers it."""
    pieces: list[Piece] = []
    said: list[int] = []
    replied: list[int] = []
    for number, row in enumerate([*_rows(text), ""], 1):
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
    rows = _rows(text)
    blank = {number for number, row in enumerate(rows, 1) if not row.strip()}
    between = {number for number in blank if {number - 1, number + 1} <= removed}
    rows = [row for number, row in enumerate(rows, 1) if number not in removed | between]
    return tidy("\n".join(rows) + "\n")


def tidy(text: str) -> str:
    """No two blank lines in a row, none at the start, one line end at the end."""
    return re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n")).strip("\n") + "\n"


def shorter_values(text: str) -> Iterator[str]:
    """The text with one item less in a list or a table that stands on one line."""
    rows = _rows(text)
    for each in statements(text):
        if each.header or each.first != each.last or each.path[0] in KEPT or isinstance(each.path[-1], int):
            continue
        key, _, written = rows[each.first - 1].partition("=")
        try:
            value = tomllib.loads(f"value ={written}")["value"]
        except tomllib.TOMLDecodeError:  # the key itself holds the sign
            continue
        for shorter in _shorter(value):
            row = f"{key}= {toml(shorter)}"
            yield "\n".join([*rows[: each.first - 1], row, *rows[each.first :]]) + "\n"


def fewer_repeats(text: str) -> Iterator[str]:
    """The text with something in a chat said less often: once, half as often, a tenth less often."""
    rows = _rows(text)
    for number, row in enumerate(rows):
        for found in _REPEAT.finditer(row) if row.lstrip()[:1] in (">", "|") else ():
            often = int(found[1])
            for fewer in dict.fromkeys((1, often // 2, often - often // 10)):
                if 0 < fewer < often:
                    shorter = f"{row[: found.start(1)]}{fewer}{row[found.end(1) :]}"
                    yield "\n".join([*rows[:number], shorter, *rows[number + 1 :]]) + "\n"


def toml(value: Any) -> str:
    """A value as TOML on one line: texts, numbers, truths, lists and tables of them."""
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(name)} = {toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shorter(value: Any) -> Iterator[Any]:
    if isinstance(value, list) and len(value) > 1:
        yield from (value[:index] + value[index + 1 :] for index in range(len(value)))
    if isinstance(value, dict) and len(value) > 1:
        yield from ({name: item for name, item in value.items() if name != gone} for gone in value)


def says(row: str) -> bool:
    return bool(row.strip()) and not row.lstrip().startswith("#")


def _rows(text: str) -> list[str]:
    """The lines, ended by LF alone, as TOML and editors count them."""
    return text.removesuffix("\n").split("\n")


def _piece(rows: list[str], first: int, last: int) -> Piece:
    """Lines `first` to `last`, with the comment directly above them."""
    while first > 1 and rows[first - 2].lstrip().startswith("#"):
        first -= 1
    return frozenset(range(first, last + 1))


def _exchanges(rows: list[str], statement: Statement) -> Iterator[Piece]:
    """Of a chat: what the client says up to the last reply to it, for each time that the client speaks."""
    first, replied = 0, False
    for number in range(statement.text, statement.last + 1):
        sign = rows[number - 1].lstrip()[:1]
        if sign in (">", "|", "!") and (replied or not first):
            if first:
                yield _piece(rows, first, number - 1)
            first, replied = number, False
        replied = replied or sign == "<"
        if sign not in (">", "|", "!", "<", "#", ""):
            break
    else:
        number = statement.last + 1
    if first:
        yield _piece(rows, first, number - 1)
