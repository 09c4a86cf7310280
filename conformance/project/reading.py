"""Finds and reads a project file; what is wrong with it is a UsageError with file, line and what to write."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from conformance.catalogue import part as parts
from conformance.catalogue.builtin import BUILT_IN, SERIES
from conformance.catalogue.patches import BASE, Patch, series_of
from conformance.errors import UsageError
from conformance.harmless import printable
from conformance.nearest import did_you_mean
from conformance.project.form import NO_PROJECT, Alias, Defaults, Project
from conformance.project.series import read_series
from conformance.tomltable import TomlTable, is_number

FILE = "qmail-conformance.toml"

KEYS = (*parts.KEYS, "series", "carries", "built-in-deviations", "targets", "defaults")

DEFAULTS = ("ppa", "release", "base", "internet-base", "mirror", "against", "out", "workers", "scenarios")

#: An alias is also the name of a file and a column's head.
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

#: Names of targets that a person may not give to another one.
_TAKEN = re.compile(r"stock|ppa|reference.*|model.*|.*\.jsonl")


def find_project(named: str | None, start: Path | None = None) -> Project:
    """The project of a file that a person named, or else of the nearest one from a directory upwards.

    In a directory above, only what belongs to whom the first one belongs to, to us or to root is read: its
    cases are run.
    """
    if named is not None:
        return read_project(Path(named))
    path = _found(start)
    return NO_PROJECT if path is None else read_project(path)


def _found(start: Path | None) -> Path | None:
    try:
        start = start or Path.cwd()
        owners = {start.stat().st_uid, os.geteuid(), 0}
        for directory in (start, *start.parents):
            path = directory / FILE
            if path.is_file():
                if path.stat().st_uid in owners and directory.stat().st_uid in owners:
                    return path
                print(
                    printable(f"{path} is another user's, and is not read without --project"), file=sys.stderr
                )
    except OSError:  # nothing can be found where we may not look
        pass
    return None


def read_project(path: Path) -> Project:
    """The project of a file. Raises UsageError, where something that it names cannot be read too."""
    try:
        return _read(path)
    except OSError as error:
        what = f"{error.filename or path}: {error.strerror or error}"
        raise UsageError(what, f"{path} names it; what a project names must be readable.") from error


def _read(path: Path) -> Project:
    path = path.resolve()
    top = parts.open_table(path)
    top.only(KEYS)
    patches = _patches(top)
    own = parts.read_part(top, patches)
    series = series_of((*BUILT_IN.patches, *patches), _package(top, patches))
    if not isinstance(keeps := top.data.get("built-in-deviations", True), bool):
        top.wrong(
            ("built-in-deviations",), "it is neither true nor false", "write built-in-deviations = false"
        )
    return Project(
        path,
        (BUILT_IN, own),
        series,
        (*own.deviations, *(BUILT_IN.deviations if keeps else ())),
        {name: _alias(top.table("targets"), name) for name in top.table("targets").data},
        _defaults(top.table("defaults")),
    )


def _patches(top: TomlTable) -> tuple[Patch, ...]:
    """The package's own patches: those that have a table, and what else its series names."""
    own: list[Patch] = []
    tables = top.tables("patch")
    files = _series(top)
    for table in tables:
        patch = parts.read_patch(table)
        if patch.number in SERIES.patches:
            what = f"{patch.number} is a patch of this suite, {SERIES.patches[patch.number].title}"
            hint = f'give yours a name, and carries = ["{patch.number}"] where it is the same change'
            table.wrong(("number",), what, hint)
        if patch.number in [other.number for other in own]:
            table.wrong((), f"{patch.number} stands there twice", "give each its own number or name")
        own.append(patch)
        if patch.files and not any(patch.is_in(file) for file, _ in files):
            names = ", ".join(file for file, _ in files) or "no series is named"
            table.wrong(("file",), "no file of the series is called so", f"there are: {names}")
    for file, title in files:
        if not any(patch.is_in(file) for patch in (*own, *BUILT_IN.patches)):
            own.append(_of_file(file, title, {patch.number for patch in own}))
    known = [*SERIES.patches, *(patch.number for patch in own)]
    known.remove(BASE)
    for patch, table in zip(own, tables, strict=False):
        for index, carried in enumerate(patch.carries):
            _check_known(table, index, carried, known, patch.number)
    return tuple(own)


def _package(top: TomlTable, own: Iterable[Patch]) -> list[str]:
    """What the package carries: as it says itself, or as its series says, or all of ours; and its own.

    As `PatchSeries.claimed` reads it: what stock has is there unless it, or `base`, is named.
    """
    ours = BUILT_IN.patches
    if "carries" in top.data:
        numbers = top.texts("carries")
        for index, number in enumerate(numbers):
            _check_known(top, index, number, [patch.number for patch in ours])
    else:
        files = [file for file, _ in _series(top)]
        there = [BASE, *(patch.number for patch in ours if any(patch.is_in(file) for file in files))]
        numbers = there if "series" in top.data else [BASE, *SERIES.package]
    return [*numbers, *(patch.number for patch in own)]


def _check_known(table: TomlTable, index: int, number: str, known: list[str], own: str = "") -> None:
    if number == own:
        table.wrong(("carries",), "a patch carries others, not itself", "leave it out")
    if number not in known:
        at = ("carries", index) if isinstance(table.data["carries"], list) else ("carries",)
        hint = did_you_mean(number, known, f"known: {', '.join(known)}")
        table.wrong(at, f"there is no patch {number!r}", hint)


def _series(top: TomlTable) -> list[tuple[str, str]]:
    if "series" not in top.data:
        return []
    try:
        return read_series(top.file.parent / top.argument("series"))
    except UsageError as error:
        top.wrong(("series",), error.message, error.hint)


def _of_file(file: str, title: str, taken: Iterable[str]) -> Patch:
    """A patch that a series names and no table describes: by its number, or else by its words."""
    found = re.fullmatch(r"(?:(\d{4})[-_.])?(.*?)(?:\.(?:patch|diff|dpatch))?", file)
    assert found is not None
    words = re.sub(r"[^a-z0-9]+", "-", found[2].lower()).strip("-") or "patch"
    words = words if words[0].isalpha() else f"patch-{words}"
    number = found[1] or words
    if number in SERIES.patches or number in taken:  # another one has this number here
        number = words
    while number in SERIES.patches or number in taken:
        number += "-2"
    return Patch(number, title or words.replace("-", " "), file)


def _alias(table: TomlTable, name: str) -> Alias:
    place = f"{table.file}, line {table.line(name)}"
    if not ALIAS.fullmatch(name) or _TAKEN.fullmatch(name):
        hint = "write letters, digits, dots and hyphens, and no other target's name"
        table.wrong((name,), f"{name!r} is no name for a target", hint)
    written = table.argument(name)
    if not written:
        table.wrong((name,), "it is empty", f'write {name} = "debs:build/"')
    return Alias(name, written, table.file.parent, place)


def _defaults(table: TomlTable) -> Defaults:
    table.only(DEFAULTS)
    workers = table.data.get("workers")
    if workers is not None and workers != "auto" and not is_number(workers, 1, 1000):
        table.wrong(("workers",), f"{workers!r} is neither a number nor 'auto'", "write workers = 4")
    texts = {name: table.argument(name, "") for name in DEFAULTS if name not in ("workers", "scenarios")}
    if texts["against"].startswith(("debs:", ".", "/")):
        table.wrong(("against",), "a directory needs a name", "give it one in [targets], and write that here")
    if texts["release"] and texts["base"]:
        table.wrong(("base",), "it and release both say what targets are built on", "leave one of them out")
    out = texts.pop("out")
    return Defaults(
        **{name.replace("-", "_"): text for name, text in texts.items()},
        out=str(table.file.parent / out) if out else "",
        workers=workers if isinstance(workers, int) else None,
        scenarios=tuple(table.texts("scenarios")),
    )


def alias_of(text: str) -> Alias | None:
    """What `NAME=TARGET` on a command line says; None for a name without `=`. Raises UsageError."""
    name, equals, written = text.partition("=")
    if not equals or any(sign in name for sign in ":@~/"):
        return None
    if not ALIAS.fullmatch(name) or _TAKEN.fullmatch(name) or not written:
        raise UsageError(f"target {text!r}: {name!r} is no name for a target", "Write candidate=debs:build/.")
    return Alias(name, written)
