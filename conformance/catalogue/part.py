"""What one file brings to a catalogue: this suite's own (`builtin.toml`), or the project file of a package.

Paths in it are relative to the file. Each mistake is a UsageError with file, line and what to write.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conformance.catalogue.patches import BASE, Patch
from conformance.inputs import parse_toml, read_text
from conformance.tomllines import lines
from conformance.tomltable import TomlTable

#: The keys of a part; a project file has others besides.
KEYS = ("patch", "cases", "scenarios", "promises", "deviations")

_NUMBER = re.compile(r"[0-9]{4}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

#: What a target's name says of itself in the place of a patch.
_TAKEN = ("base", "stock", "ppa", "all", "only", "without")


@dataclass(frozen=True)
class Part:
    """`cases`, `scenarios` and `deviations` are directories, `promises` files."""

    patches: tuple[Patch, ...] = ()
    cases: tuple[Path, ...] = ()
    scenarios: tuple[Path, ...] = ()
    promises: tuple[Path, ...] = ()
    deviations: tuple[Path, ...] = ()


def open_table(path: Path) -> TomlTable:
    """The file as a table that knows its lines. Raises UsageError."""
    text = read_text(path, "A project file is TOML: see docs/project.md.")
    data = parse_toml(text, path, "A project file is TOML: see docs/project.md.")
    return TomlTable(path, lines(text.replace("\r\n", "\n")), (), data)


def read_part(top: TomlTable, patches: tuple[Patch, ...] | None = None) -> Part:
    """What a table brings; `patches` stand in the place of its own. Raises UsageError."""
    return Part(
        patches if patches is not None else tuple(read_patch(table) for table in top.tables("patch")),
        cases=_places(top, "cases", Path.is_dir, "directory"),
        scenarios=_places(top, "scenarios", Path.is_dir, "directory"),
        promises=_places(top, "promises", Path.is_file, "file"),
        deviations=_places(top, "deviations", Path.is_dir, "directory"),
    )


def read_patch(table: TomlTable) -> Patch:
    """One `[[patch]]`. Raises UsageError."""
    table.only(("number", "name", "title", "source", "carries", "file"))
    key = "name" if "name" in table.data else "number"
    if "number" in table.data and key == "name":
        table.wrong(("name",), "a patch has a number or a name, and this one has both", "leave one out")
    number = table.text(key)
    if key == "number" and number != BASE and not _NUMBER.fullmatch(number):
        table.wrong((key,), f"{number!r} is no number of a patch", 'write number = "0010", or give it a name')
    if key == "name" and (not _NAME.fullmatch(number) or number in _TAKEN):
        hint = 'write lower-case letters, digits and hyphens: name = "greetdelay"'
        table.wrong((key,), f"{number!r} is no name of a patch", hint)
    title, source = (" ".join(table.text(each).split()) for each in ("title", "source"))
    for each, text in (("title", title), ("source", source)):
        if not text:
            table.wrong((each,), "it is empty", f'write {each} = "…"')
    return Patch(number, title, source, tuple(table.texts("carries")), tuple(table.texts("file")))


def _places(top: TomlTable, key: str, fits: Callable[[Path], bool], what: str) -> tuple[Path, ...]:
    """The paths of a list, each of which must be there."""
    found = []
    for index, text in enumerate(top.texts(key)):
        path = Path(os.path.normpath(top.file.parent / text))
        if "\0" in text or not fits(path):
            at: tuple[str | int, ...] = (key, index) if isinstance(top.data[key], list) else (key,)
            top.wrong(at, f"there is no {what} {text!r}", f"paths are relative to {top.file.parent}")
        found.append(path)
    return tuple(found)
