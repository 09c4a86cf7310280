"""One table of a TOML file that people write, read key by key: mistakes are told with file and line."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from math import inf
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from conformance.errors import UsageError
from conformance.nearest import did_you_mean
from conformance.pod.codec import shown
from conformance.tomllines import Path as Key

T = TypeVar("T")

_MOST_TABLES = 1000  #: of one name


class TomlTable:
    """`data` is what tomllib made of the table at `key`; `lines` says where each value stands."""

    def __init__(self, file: Path, lines: Mapping[Key, int], key: Key, data: Mapping[str, Any]) -> None:
        self.file = file
        self.key = key
        self.data = data
        self._lines = lines

    def line(self, *names: str | int) -> int:
        """The line of a value, or else of what it stands in."""
        path = (*self.key, *names)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def wrong(self, names: tuple[str | int, ...], message: str, hint: str) -> NoReturn:
        """Raise UsageError about the value at `names`."""
        words = [name for name in (*self.key, *names) if isinstance(name, str)]
        shown = ".".join(word if word.isprintable() else repr(word) for word in words)
        what = f"{shown}: {message}" if shown else message
        raise UsageError(f"{self.file}, line {self.line(*names)}: {what}", hint)

    def only(self, known: Iterable[str]) -> None:
        """Every key must be known; for another the nearest known one is named."""
        names = list(known)
        for key in self.data:
            if key not in names:
                hint = did_you_mean(key, names, f"known: {', '.join(names)}")
                self.wrong((key,), "there is no such key", hint)

    def make(self, wanted: type[T], *others: str, **readers: "Reader") -> T:
        """A dataclass whose fields are the keys of this table, each read as its type says.

        `readers` read the fields of which the type does not say enough; `others` are keys beside them.
        """
        made: Any = wanted
        hints = get_type_hints(wanted)
        self.only((*hints, *others))
        values = {}
        for field in fields(made):
            needed = field.default is MISSING and field.default_factory is MISSING
            if needed or field.name in self.data:
                read = readers.get(field.name) or reader_of(hints[field.name])
                values[field.name] = read(self, field.name)
        return wanted(**values)

    def _read(self, key: str, default: Any, fits: Callable[[Any], bool], wrong: str, example: str) -> Any:
        """The value of a key, which must be there unless there is a default, and fit."""
        value = self.data.get(key, default)
        if value is None:
            self.wrong((), f"{key} is missing", f"write {key} = {example}")
        if not fits(value):
            self.wrong((key,), f"{shown(value)} {wrong}", f"write {key} = {example}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        return str(self._read(key, default, lambda value: isinstance(value, str), "is no text", '"…"'))

    def wire(self, key: str, default: str | None = None) -> str:
        """A text as it crosses the seam: its octets in UTF-8, one character for each."""
        return wire(self.text(key, default))

    def argument(self, key: str, default: str | None = None) -> str:
        """A text that becomes an argument or a variable: as on the wire, without NUL."""
        value = self.wire(key, default)
        if "\0" in value:
            self.wrong((key,), "it holds a NUL, which no argument can", "leave it out")
        return value

    def flag(self, key: str) -> bool:
        wrong = "is neither true nor false"
        return bool(self._read(key, False, lambda value: isinstance(value, bool), wrong, "true"))

    def number(self, key: str, least: int, most: int) -> int:
        wrong = f"is no whole number from {least} to {most}"
        return int(self._read(key, None, lambda value: is_number(value, least, most), wrong, str(least)))

    def seconds(self, key: str, default: float | None = None) -> float:
        wrong = "is no number of seconds from 0 to 60"
        return float(
            self._read(key, default, lambda value: is_number(value, 0, 60, int | float), wrong, "1.5")
        )

    def texts(self, key: str) -> list[str]:
        """One text, or a list of texts; empty when it is not there."""
        value = self._read(key, [], _are_texts, "is no list of texts", '["…", "…"]')
        return [value] if isinstance(value, str) else list(value)

    def table(self, key: str) -> "TomlTable":
        """The table `[key]`, an empty one when it is not there."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.wrong((key,), f"{shown(value)} is no table", f"write [{key}] on a line of its own")
        return TomlTable(self.file, self._lines, (*self.key, key), value)

    def mapping(self, key: str, reader: "Reader") -> dict[str, Any]:
        """The values of the table `[key]` by name, each read by `reader`."""
        inner = self.table(key)
        return {wire(name): reader(inner, name) for name in inner.data}

    def tables(self, key: str, **defaults: Any) -> "list[TomlTable]":
        """The tables `[[key]]`, with `defaults` for what is left out; one `[key]` alone is a list of one."""
        value = self.data.get(key, [])
        if isinstance(value, dict):
            return [TomlTable(self.file, self._lines, (*self.key, key), defaults | value)]
        if isinstance(value, list) and len(value) > _MOST_TABLES:
            self.wrong((key,), f"there are more than {_MOST_TABLES}", "leave out what nothing needs")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong((key,), f"{shown(value)} is no table", f"write [[{key}]] on a line of its own")
        found = [((*self.key, key, index), defaults | item) for index, item in enumerate(value)]
        return [TomlTable(self.file, self._lines, path, item) for path, item in found]


#: Reads the value of one key of a table.
Reader = Callable[[TomlTable, str], Any]


def whole(least: int, most: int) -> Reader:
    """Reads a whole number in these bounds."""
    return lambda table, key: table.number(key, least, most)


def choice(*known: str) -> Reader:
    """Reads one of these texts."""

    def read(table: TomlTable, key: str) -> str:
        hint = f"known: {', '.join(known)}"
        if key not in table.data:
            table.wrong((), f"{key} is missing", hint)
        if (value := table.text(key)) not in known:
            table.wrong((key,), f"{shown(value)} is not known", did_you_mean(value, known, hint))
        return value

    return read


_READERS: dict[Any, Reader] = {
    str: TomlTable.wire,
    bool: TomlTable.flag,
    int: whole(0, 65535),
    float: TomlTable.seconds,
    list[str]: lambda table, key: [wire(text) for text in table.texts(key)],
}


def reader_of(kind: Any) -> Reader:
    """What reads a value of this type: of a field, as `get_type_hints` gives it."""
    if get_origin(kind) in (Union, UnionType):  # of a type and None
        return reader_of(next(each for each in get_args(kind) if each is not NoneType))
    if get_origin(kind) is Literal:
        return choice(*get_args(kind))
    if get_origin(kind) is dict:
        return lambda table, key: table.mapping(key, reader_of(get_args(kind)[1]))
    return _READERS[kind]


def is_number(value: Any, least: float = -inf, most: float = inf, kind: Any = int) -> bool:
    """Whether it is a number of this kind in these bounds; true is none."""
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def wire(text: str) -> str:
    """A text of the file as it crosses the seam: its octets in UTF-8, one character for each."""
    return text.encode("utf-8").decode("latin-1")
