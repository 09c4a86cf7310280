"""Known deviations: the reviewed files that say where a build disagrees with a promise, and why.

A file holds tables `[[deviation]]`:

    [[deviation]]
    target = "qmail=1.06-6*"             # fnmatch pattern: a target's name, or a package as name=version
    patches = ["0007"]                   # optional: only for targets that claim all of these
    requirement = "0007.rcpt.quoted"     # a name, or an fnmatch pattern
    verdict = "unmet"                    # optional: what it comes to there; "unmet" unless said
    reason = "why it is so"
    source = "where that can be read"
    since = 2024-05-01
    shows = "what one sees"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from conformance.catalogue.patches import PPA_PATCHES
from conformance.errors import UsageError
from conformance.judge.verdict import VerdictName
from conformance.targets.target import Target

DIRECTORY = Path(__file__).resolve().parent.parent / "deviations"

_TEXTS = ("target", "requirement", "reason", "source", "shows")
_REQUIRED = (*_TEXTS, "since")
_OPTIONAL = ("patches", "verdict")
_VERDICTS = ("met", "unmet", "unsupported")
_KNOWN_KEYS = f"Known are {', '.join((*_REQUIRED, *_OPTIONAL))}."


@dataclass(frozen=True)
class Deviation:
    """One known disagreement; `file` and `entry` (from 1) say where it is written."""

    target: str
    requirement: str
    reason: str
    source: str
    since: date
    shows: str
    verdict: VerdictName = "unmet"
    patches: tuple[str, ...] = ()
    file: str = ""
    entry: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}, deviation {self.entry}"

    def applies_to(self, requirement: str, target: Target) -> bool:
        """Whether it speaks of this requirement on this target.

        A reference is matched by its name alone: it is not qmail, whatever its packages are called.
        """
        if not set(self.patches) <= set(target.patches) or not fnmatchcase(requirement, self.requirement):
            return False
        packages = () if target.specification else target.packages.items()
        return fnmatchcase(target.name, self.target) or any(
            fnmatchcase(f"{name}={version}", self.target) for name, version in packages
        )

    def to_json(self) -> dict[str, str]:
        """What a verdict carries of it."""
        return {"reason": self.reason, "source": self.source, "since": self.since.isoformat()}


def load_deviations(
    known_requirements: Iterable[str] | None = None, directory: Path = DIRECTORY
) -> list[Deviation]:
    """All deviations of `directory`, file by file in order of their names.

    `known_requirements` are the names of all requirements, before any selection; None when not all cases
    are imported, so that names cannot be checked. Raises UsageError that names the file and the entry for
    anything that is not as this file's docstring says.
    """
    names = None if known_requirements is None else list(known_requirements)
    found: list[Deviation] = []
    for path in sorted(directory.glob("*.toml")):
        for deviation in _read(path):
            pattern = deviation.requirement
            if names is not None and not any(fnmatchcase(name, pattern) for name in names):
                raise _wrong(deviation.place, f"no requirement is named {pattern!r}", _CHECK_NAME)
            for other in found:
                if _same(deviation, other):
                    raise _wrong(deviation.place, f"the same as {other.place}", "Keep one of them.")
            found.append(deviation)
    return found


_CHECK_NAME = "Look for it with `qmail-conformance list`; if the requirement is gone, remove this entry."


def _same(one: Deviation, other: Deviation) -> bool:
    return (one.target, set(one.patches), one.requirement) == (
        other.target,
        set(other.patches),
        other.requirement,
    )


def _read(path: Path) -> list[Deviation]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(str(path), str(error), "Mend the file; its form is TOML.") from error
    if stray := sorted(set(data) - {"deviation"}):
        raise _wrong(str(path), f"unknown: {', '.join(stray)}", "Only [[deviation]] tables stand here.")
    entries = data.get("deviation", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong(str(path), "`deviation` is no list of tables", "Write [[deviation]], with two brackets.")
    return [_checked(path, number, entry) for number, entry in enumerate(entries, 1)]


def _checked(path: Path, number: int, entry: dict[str, Any]) -> Deviation:
    place = f"{path}, deviation {number}"
    if unknown := sorted(set(entry) - {*_REQUIRED, *_OPTIONAL}):
        raise _wrong(place, f"unknown key: {', '.join(unknown)}", _KNOWN_KEYS)
    if missing := [key for key in _REQUIRED if key not in entry]:
        raise _wrong(place, f"missing: {', '.join(missing)}", "A deviation without it cannot be reviewed.")
    for key in _TEXTS:
        if not isinstance(entry[key], str):
            raise _wrong(place, f"{key} is no text", f'Write {key} = "…".')
        if not entry[key].strip():
            raise _wrong(place, f"{key} is empty", "A deviation without it cannot be reviewed.")
    if type(entry["since"]) is not date:
        raise _wrong(place, "since is no date", "Write since = 2024-05-01, without quotes.")
    verdict = entry.get("verdict", "unmet")
    if verdict not in _VERDICTS:
        raise _wrong(place, f"verdict is {verdict!r}", f"It is one of {', '.join(_VERDICTS)}.")
    patches = entry.get("patches", [])
    if not isinstance(patches, list) or not all(type(one) is str and one in PPA_PATCHES for one in patches):
        raise _wrong(
            place, f"patches is {patches!r}", f"Write a list of texts out of {', '.join(PPA_PATCHES)}."
        )
    return Deviation(
        target=entry["target"],
        requirement=entry["requirement"],
        reason=" ".join(entry["reason"].split()),
        source=entry["source"].strip(),
        since=entry["since"],
        shows=" ".join(entry["shows"].split()),
        verdict=cast(VerdictName, verdict),
        patches=tuple(patches),
        file=str(path),
        entry=number,
    )


def _wrong(place: str, what: str, hint: str) -> UsageError:
    return UsageError(f"{place}: {what}", hint)
