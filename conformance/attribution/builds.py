"""The builds that are looked at: a directory of packages that declare their patches, or the reference.

A build declares its patches by a text file `patches` in its directory (numbers, separated by blanks, commas
or lines), or by the directory's name: `stock`, `ppa` or `all`, `only-0004`, `without-0004`, `0004+0005`. Both
are read as a list of a target's name is: stock's own patches come besides, unless `base` or one of them is
named. An empty file is stock, `base` netqmail itself.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from conformance.attribution.explanation import Patches, build_name
from conformance.catalogue.builtin import PPA_PATCHES, SERIES, STOCK_PATCHES
from conformance.catalogue.patches import BASE, PatchSeries
from conformance.errors import UsageError
from conformance.inputs import read_text
from conformance.nearest import did_you_mean
from conformance.report.words import listed

REFERENCE = "reference"  #: what `--targets` calls the embedded reference
DECLARATION = "patches"  #: the file that declares

_HOW = (
    f"write its patches into a file `{DECLARATION}` in it, numbers with blanks or commas between, empty for "
    "stock; or name the directory base, stock, ppa, only-0004, without-0004 or 0004+0005"
)


@dataclass(frozen=True)
class Build:
    """One build: what it is called, the patches that it carries, and its target's name."""

    name: str
    patches: Patches
    target: str


def read_builds(directory: Path, series: PatchSeries = SERIES) -> list[Build]:
    """The builds in a directory, those with fewer patches first; `series` has the patches that there are.

    What holds neither a package nor a declaration is passed over. Raises UsageError, which says what to
    write, for a declaration that is missing, wrong or contradictory, and for two builds of the same patches.
    """
    if not os.path.isdir(directory):
        raise UsageError(
            f"--targets {directory}: there is no such directory",
            f"name a directory that holds one directory for each build, or `{REFERENCE}`",
        )
    found = []
    for path in sorted(path for path in directory.iterdir() if path.is_dir()):
        has_packages = any(path.glob("*.deb"))
        if has_packages or (path / DECLARATION).exists():
            patches = _declared(path, series)
            if not has_packages:
                raise UsageError(
                    f"{path}: it holds no .deb file", "build the package, or remove the directory"
                )
            found.append(Build(path.name, patches, f"debs:{path}@{series.words(patches)}"))
    if len(found) < 2:
        what = f"only one build, {found[0].name}" if found else "no directory with .deb files"
        raise UsageError(
            f"--targets {directory}: it holds {what}", "two builds at least are needed to tell patches apart"
        )
    return _ordered(found)


def reference_builds(*, every: bool, series: PatchSeries = SERIES) -> list[Build]:
    """The reference with each patch as a switch: every subset, or none, each alone, all but each, and all.

    Its names are those of `reference_series`. Who carries a patch has it: all but that one are without both.
    """
    series = reference_series(series)
    every_switch = [number for number in series.patches if number != BASE]
    everything = PatchSeries(series.patches, tuple(every_switch))
    if every:
        chosen = [some for size in range(len(every_switch) + 1) for some in combinations(every_switch, size)]
    else:
        chosen = [(), *((number,) for number in every_switch)]
        chosen += [everything.without([number]) for number in every_switch] + [everything.package]
    sets = dict.fromkeys(series.claimed([BASE, *some]) for some in chosen)
    return _ordered(
        Build(build_name(some, series), frozenset(some), _reference(some, series)) for some in sets
    )


def reference_series(series: PatchSeries) -> PatchSeries:
    """The patches that can be switched on in the reference: the suite's, and those that carry one."""
    carrying = [patch.number for patch in series.patches.values() if patch.carries]
    there = {BASE, *series.claimed([*PPA_PATCHES, *carrying])}
    patches = {number: patch for number, patch in series.patches.items() if number in there}
    return PatchSeries(patches, tuple(number for number in series.package if number in there))


def ends(
    builds: Sequence[Build], lower: str = "", upper: str = "", series: PatchSeries = SERIES
) -> tuple[Build, Build]:
    """The two builds to search between: as named, or the first and the last, by number of patches.

    Raises UsageError when there is no such build, or when the first is no part of the second.
    """
    first = _named(builds, lower, series) if lower else _only(builds, builds[0], "--from")
    last = _named(builds, upper, series) if upper else _only(builds, builds[-1], "--to")
    if not first.patches < last.patches:
        raise UsageError(
            f"{first.name} ({_words(first)}) is no part of {last.name} ({_words(last)})",
            "name two builds with --from and --to, the second with the patches of the first and more",
        )
    return first, last


def _named(builds: Sequence[Build], name: str, series: PatchSeries) -> Build:
    patches = _by_name(name, series)
    by_name = [build for build in builds if build.name == name]
    if found := by_name or [build for build in builds if build.patches == patches]:
        return found[0]
    names = [build.name for build in builds]
    there = ", ".join(names) if len(names) <= 20 else "0004+0005 and the like"
    raise UsageError(f"there is no build {name!r}", did_you_mean(name, names, f"there are: {there}"))


def _only(builds: Sequence[Build], end: Build, option: str) -> Build:
    """The build at this end. Raises UsageError when others carry as many patches."""
    equal = [build for build in builds if len(build.patches) == len(end.patches)]
    if len(equal) > 1:
        raise UsageError(
            f"{listed(build.name for build in equal)} carry {len(end.patches)} patches each, "
            "so there is no one end to search from",
            f"say with {option} which one to take",
        )
    return end


def _reference(patches: Sequence[str], series: PatchSeries) -> str:
    named = {STOCK_PATCHES: "reference-stock", PPA_PATCHES: "reference-ppa"}
    return named.get(tuple(patches), f"reference@{series.words(patches)}")


def _ordered(builds: Iterable[Build]) -> list[Build]:
    """By number of patches. Raises UsageError when two carry the same."""
    ordered = sorted(builds, key=lambda build: (len(build.patches), sorted(build.patches)))
    for build, other in pairwise(ordered):
        if build.patches == other.patches:
            raise UsageError(
                f"{build.name} and {other.name} declare the same patches: {_words(build)}",
                "mend the declaration that is wrong, or keep one of the two builds",
            )
    return ordered


def _words(build: Build) -> str:
    return listed(sorted(build.patches)) if build.patches else "no patch"


def _declared(path: Path, series: PatchSeries) -> Patches:
    file = path / DECLARATION
    is_date = path.name.isdigit() and path.name not in series.patches  # or a build number
    by_name = None if is_date and file.exists() else _by_name(path.name, series)
    if not file.exists():
        if by_name is None:
            raise UsageError(f"{path}: it is not said which patches it carries", _HOW)
        return by_name
    numbers = [series.number(word, str(file)) for word in read_text(file, _HOW).replace(",", " ").split()]
    by_file = frozenset(series.claimed(numbers))
    if len(numbers) > len(set(numbers)):
        raise UsageError(f"{file}: a patch stands there twice", "write each number once")
    if by_name is not None and by_name != by_file:
        raise UsageError(
            f"{path}: by its name it carries {listed(sorted(by_name))}, by its file `{DECLARATION}` "
            f"{listed(sorted(by_file))}",
            "mend the file, or give the directory another name",
        )
    return by_file


def _by_name(name: str, series: PatchSeries) -> Patches | None:
    """What a name declares; None when it declares nothing. Raises UsageError for a wrong number."""
    if name in ("stock", BASE):
        return frozenset(series.claimed([] if name == "stock" else [BASE]))
    if name in ("ppa", "all"):
        return frozenset(series.package)
    if name in series.patches:
        return frozenset(series.claimed([name]))
    form = re.fullmatch(r"(?P<how>only-|without-)?(?P<numbers>[a-z0-9-]+(\+[a-z0-9-]+)*)", name)
    if form is None:
        return None
    words = form["numbers"].split("+")
    if not all(word.isdigit() or word in series.patches for word in words):
        return None
    numbers = [series.number(word, name) for word in words]
    named = frozenset(series.claimed(numbers))
    return frozenset(series.without(numbers)) if form["how"] == "without-" else named
