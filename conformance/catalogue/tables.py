"""Files of `[[name]]` tables in TOML, which people edit; what is wrong is told with its place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.inputs import read_toml


def read_tables(path: Path, name: str) -> list[tuple[str, dict[str, Any]]]:
    """The `[[name]]` tables of a file, each after its place (`FILE, deviation 2`). Raises UsageError."""
    data = read_toml(path, f"Its form is TOML, with tables [[{name}]].")
    if stray := sorted(set(data) - {name}):
        raise UsageError(f"{path}: unknown: {', '.join(stray)}", f"Only [[{name}]] tables stand here.")
    entries = data.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: `{name}` is no list of tables", f"Write [[{name}]], with two brackets.")
    return [(f"{path}, {name} {number}", entry) for number, entry in enumerate(entries, 1)]


def check_table(place: str, entry: dict[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """Raise UsageError unless a table has these keys alone, and a text in each that is required."""
    known = (*required, *optional)
    if unknown := sorted(set(entry) - set(known)):
        raise UsageError(f"{place}: unknown key: {', '.join(unknown)}", f"Known are {', '.join(known)}.")
    if missing := [key for key in required if key not in entry]:
        raise UsageError(f"{place}: missing: {', '.join(missing)}", f"Needed are {', '.join(required)}.")
    if len(empty := [key for key in required if isinstance(entry[key], str) and not entry[key].strip()]) > 1:
        hint = " and ".join(f'{key} = "…"' for key in empty)
        raise UsageError(f"{place}: {' and '.join(empty)} are empty", f"Write {hint}.")
    for key in required:
        if not isinstance(entry[key], str):
            raise UsageError(f"{place}: {key} is no text", f'Write {key} = "…".')
        if not entry[key].strip():
            raise UsageError(f"{place}: {key} is empty", f'Write {key} = "…".')
