"""The builds that are looked at: a directory of packages that declare their patches, or the reference.

A build declares its patches by a text file `patches` in its directory (numbers, separated by blanks or
lines; empty: none), or by the directory's name: `stock`, `ppa` or `all`, `only-0004`, `without-0004`,
`0004+0005`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from conformance.attribution.explanation import Patches, build_name, listed
from conformance.catalogue.patches import PPA_PATCHES
from conformance.errors import UsageError

REFERENCE = "reference"  #: what `--targets` calls the embedded reference
DECLARATION = "patches"  #: the file that declares

_EVERY = frozenset(PPA_PATCHES)
_KNOWN = f"known: {', '.join(PPA_PATCHES)}"
_HOW = (
    f"write its patches into a file `{DECLARATION}` in it, numbers separated by blanks, empty for none; "
    "or name the directory stock, ppa, only-0004, without-0004 or 0004+0005"
)


@dataclass(frozen=True)
class Build:
    """One build: what it is called, the patches that it carries, and its target's name."""

    name: str
    patches: Patches
    target: str


def read_builds(directory: Path) -> list[Build]:
    """The builds in a directory, those with fewer patches first.

    What holds neither a package nor a declaration is passed over. Raises UsageError, which says what to
    write, for a declaration that is missing, wrong or contradictory, and for two builds of the same patches.
    """
    if not directory.is_dir():
        raise UsageError(
            f"--targets {directory}: there is no such directory",
            f"name a directory that holds one directory for each build, or `{REFERENCE}`",
        )
    found = []
    for path in sorted(one for one in directory.iterdir() if one.is_dir()):
        has_packages = any(path.glob("*.deb"))
        if has_packages or (path / DECLARATION).exists():
            patches = _declared(path)
            if not has_packages:
                raise UsageError(
                    f"{path}: it holds no .deb file", "build the package, or remove the directory"
                )
            found.append(Build(path.name, patches, f"debs:{path}@{','.join(sorted(patches))}"))
    if len(found) < 2:
        what = f"only one build, {found[0].name}" if found else "no directory with .deb files"
        raise UsageError(
            f"--targets {directory}: it holds {what}", "two builds at least are needed to tell patches apart"
        )
    return _ordered(found)


def reference_builds(*, every: bool) -> list[Build]:
    """The reference with each patch as a switch: every subset, or none, each alone, all but each, and all."""
    sizes = range(len(PPA_PATCHES) + 1) if every else (0, 1, len(PPA_PATCHES) - 1, len(PPA_PATCHES))
    return _ordered(
        Build(build_name(some), frozenset(some), _reference(some))
        for size in sizes
        for some in combinations(PPA_PATCHES, size)
    )


def ends(builds: Sequence[Build], lower: str = "", upper: str = "") -> tuple[Build, Build]:
    """The two builds to search between: as named, or those with the fewest and the most patches.

    Raises UsageError when they are not to be had, or when the first is no part of the second.
    """
    fewest = len(min(builds, key=lambda build: len(build.patches)).patches)
    most = len(max(builds, key=lambda build: len(build.patches)).patches)
    first = _named(builds, lower) if lower else _only(builds, fewest, "--from")
    last = _named(builds, upper) if upper else _only(builds, most, "--to")
    if not first.patches < last.patches:
        raise UsageError(
            f"{first.name} ({_words(first)}) is no part of {last.name} ({_words(last)})",
            "name two builds with --from and --to, the second with the patches of the first and more",
        )
    return first, last


def _named(builds: Sequence[Build], name: str) -> Build:
    patches = _by_name(name)
    for build in builds:
        if build.name == name:
            return build
    for build in builds:
        if patches is not None and build.patches == patches:
            return build
    names = ", ".join(build.name for build in builds) if len(builds) <= 20 else "0004+0005 and the like"
    raise UsageError(f"there is no build {name!r}", f"there are: {names}")


def _only(builds: Sequence[Build], size: int, option: str) -> Build:
    """The one build with so many patches. Raises UsageError when there are several."""
    equal = [build for build in builds if len(build.patches) == size]
    if len(equal) > 1:
        names = listed(build.name for build in equal)
        raise UsageError(
            f"{names} carry {size} patches each, so there is no one end to search from",
            f"say with {option} which one to take",
        )
    return equal[0]


def _reference(patches: Sequence[str]) -> str:
    if not patches:
        return "reference-stock"
    return "reference-ppa" if len(patches) == len(PPA_PATCHES) else f"reference@{','.join(patches)}"


def _ordered(builds: Iterable[Build]) -> list[Build]:
    """By number of patches. Raises UsageError when two carry the same."""
    ordered = sorted(builds, key=lambda build: (len(build.patches), sorted(build.patches)))
    for one, other in pairwise(ordered):
        if one.patches == other.patches:
            raise UsageError(
                f"{one.name} and {other.name} declare the same patches: {_words(one)}",
                "mend the declaration that is wrong, or keep one of the two builds",
            )
    return ordered


def _words(build: Build) -> str:
    return listed(sorted(build.patches)) if build.patches else "no patch"


def _declared(path: Path) -> Patches:
    file = path / DECLARATION
    if file.exists() and path.name.isdigit() and path.name not in _EVERY:
        by_name = None  # a date or a build number
    else:
        by_name = _by_name(path.name)
    if not file.exists():
        if by_name is None:
            raise UsageError(f"{path}: it is not said which patches it carries", _HOW)
        return by_name
    try:
        words = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}", _HOW) from error
    for word in words:
        if word not in _EVERY:
            raise UsageError(f"{file}: there is no patch {word!r}", _KNOWN)
    if len(words) > len(set(words)):
        raise UsageError(f"{file}: a patch stands there twice", "write each number once")
    by_file = frozenset(words)
    if by_name is not None and by_name != by_file:
        raise UsageError(
            f"{path}: by its name it carries {listed(sorted(by_name))}, by its file `{DECLARATION}` "
            f"{listed(sorted(by_file))}",
            "mend the file, or give the directory another name",
        )
    return by_file


def _by_name(name: str) -> Patches | None:
    """What a name declares; None when it declares nothing. Raises UsageError for a wrong number."""
    if name == "stock":
        return frozenset()
    if name in ("ppa", "all"):
        return _EVERY
    form = re.fullmatch(r"(?P<how>only-|without-)?(?P<numbers>\d+(\+\d+)*)", name)
    if form is None:
        return None
    numbers = form["numbers"].split("+")
    for number in numbers:
        if number not in _EVERY:
            raise UsageError(f"{name}: there is no patch {number!r}", _KNOWN)
    named = frozenset(numbers)
    return _EVERY - named if form["how"] == "without-" else named
