"""One table of a scenario file, read key by key: each mistake is told with file, line and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from conformance.errors import UsageError
from conformance.scenario.places import Path as Key


class Table:
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
        raise UsageError(f"{self.file}, line {self.line(*names)}: {self._shown(names)}{message}", hint)

    def _shown(self, names: tuple[str | int, ...]) -> str:
        words = [
            one if one.isprintable() else repr(one) for one in (*self.key, *names) if isinstance(one, str)
        ]
        return f"{'.'.join(words)}: " if words else ""

    def only(self, known: Iterable[str]) -> None:
        """Every key must be known; for another the nearest known one is named."""
        names = list(known)
        for key in self.data:
            if key not in names:
                near = difflib.get_close_matches(key, names, 1, 0.5)
                meant = f"did you mean {near[0]!r}? " if near else ""
                self.wrong((key,), "there is no such key", f"{meant}known: {', '.join(names)}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        value = self.data.get(key, default)
        if value is None:
            self.wrong((), f"{key} is missing", f'write {key} = "…"')
        if not isinstance(value, str):
            self.wrong((key,), f"{value!r} is no text", f'write {key} = "…"')
        return value

    def argument(self, key: str, default: str | None = None) -> str:
        """A text that becomes an argument or a variable: as on the wire, without NUL."""
        value = wire(self.text(key, default))
        if "\0" in value:
            self.wrong((key,), "it holds a NUL, which no argument can", "leave it out")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:
        value = self.text(key, default)
        if value not in choices:
            self.wrong((key,), f"{value!r} is not known", f"known: {', '.join(choices)}")
        return value

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.wrong((key,), f"{value!r} is neither true nor false", f"write {key} = true")
        return value

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self.data.get(key, default)
        if value is None:
            self.wrong((), f"{key} is missing", f"write {key} = {least}")
        if not is_number(value) or not least <= value <= most:
            self.wrong(
                (key,), f"{value!r} is no whole number from {least} to {most}", f"write {key} = {least}"
            )
        return int(value)

    def seconds(self, key: str, default: float) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 60:
            self.wrong((key,), f"{value!r} is no number of seconds from 0 to 60", f"write {key} = 1.5")
        return float(value)

    def texts(self, key: str) -> list[str]:
        """One text, or a list of texts; empty when it is not there."""
        value = self.data.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            self.wrong((key,), f"{value!r} is no list of texts", f'write {key} = ["…", "…"]')
        return list(found)

    def table(self, key: str) -> Table | None:
        """The table `[key]`, None when it is not there."""
        if key not in self.data:
            return None
        if not isinstance(self.data[key], dict):
            self.wrong((key,), f"{self.data[key]!r} is no table", f"write [{key}] on a line of its own")
        return Table(self.file, self._lines, (*self.key, key), self.data[key])

    def tables(self, key: str) -> list[Table]:
        """The tables `[[key]]`; one `[key]` alone is a list of one."""
        value = self.data.get(key, [])
        if isinstance(value, dict):
            return [Table(self.file, self._lines, (*self.key, key), value)]
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong((key,), f"{value!r} is no table", f"write [[{key}]] on a line of its own")
        found = enumerate(value)
        return [Table(self.file, self._lines, (*self.key, key, number), one) for number, one in found]


def is_number(value: Any) -> bool:
    """Whether it is a whole number; true is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def wire(text: str) -> str:
    """A text of the file as it crosses the seam: its octets in UTF-8, one character for each."""
    return text.encode("utf-8").decode("latin-1")
