"""All cases, imported without pytest, and the catalogue that they make: ours, and those of a project."""

import hashlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from inspect import unwrap
from pathlib import Path
from traceback import walk_tb

from conformance.cases.checking import check_case
from conformance.catalogue.builtin import BUILT_IN
from conformance.catalogue.catalogue import Catalogue
from conformance.catalogue.part import Part
from conformance.catalogue.patches import PatchSeries, series_of
from conformance.catalogue.promises import Promise, load_promises
from conformance.catalogue.requirements import Case, Requirement, requirement_of
from conformance.errors import UsageError
from conformance.scenario.cases import scenario_cases

DIRECTORY = Path(__file__).resolve().parent


def load_catalogue(parts: Sequence[Part], series: PatchSeries | None = None) -> Catalogue:
    """The catalogue of these parts, each read in the same way. Raises UsageError for what is wrong in one.

    `series` are the patches of all of them, and what a build has of these without a word.
    """
    series = series or series_of(patch for part in parts for patch in part.patches)
    found: dict[str, tuple[Requirement, Case, Path]] = {}
    files: dict[str, Path] = {}
    for path, case in _cases(parts):
        requirement = requirement_of(case)
        assert requirement is not None
        _refuse_second(path, files)
        place = f"{path}, line {unwrap(case).__code__.co_firstlineno}" if path.suffix == ".py" else str(path)
        _check(requirement, place, series, found)
        found[requirement.name] = requirement, case, path.resolve()
    ordered = sorted(found)
    return Catalogue(
        series,
        {name: found[name][0] for name in ordered},
        {name: found[name][1] for name in ordered},
        {name: found[name][2] for name in ordered},
        tuple(_promises(parts, series)),
    )


def _cases(parts: Sequence[Part]) -> Iterator[tuple[Path, Case]]:
    """Every case, with its file."""
    for part in parts:
        for path in (path for directory in part.cases for path in sorted(directory.glob("test_*.py"))):
            if not path.is_file():  # a directory, or a link that leads nowhere
                raise UsageError(
                    f"{path}: this is no file", "Only files of cases are called test_*.py there."
                )
            module = _module(path.resolve())
            for case in {id(case): case for case in _cases_in(module)}.values():
                if path.resolve().parent != DIRECTORY:  # ours are looked at by the tests of this suite
                    check_case(case)
                yield path, case
        for directory in part.scenarios:
            yield from scenario_cases(directory)


def _cases_in(place: types.ModuleType | type, module: str = "") -> Iterator[Case]:
    """What has `@requirement` in a module, in a class of it too, and was made there."""
    module = module or place.__name__
    for value in list(vars(place).values()):
        if getattr(value, "__module__", "") != module:
            continue
        if isinstance(value, type):
            yield from _cases_in(value, module)
        elif requirement_of(value):
            yield value


def _module(path: Path) -> types.ModuleType:
    """The module of a case file: one of this package by its name, another by its place, anew each time."""
    if path.parent == DIRECTORY:
        return importlib.import_module(f"conformance.cases.{path.stem}")
    name = f"qmail_conformance_{hashlib.sha256(bytes(path.parent)).hexdigest()[:12]}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        del sys.modules[name]
        place = _place(path, error)
        if isinstance(error, UsageError):
            raise UsageError(f"{place}: {error.message}", error.hint) from error
        hint = "A case file needs conformance and the standard library, and nothing else."
        raise UsageError(
            f"{place}: it cannot be imported: {type(error).__name__}: {error}",
            hint if isinstance(error, ImportError) else "",
        ) from error
    return module


def _place(path: Path, error: BaseException) -> str:
    """The file, and the line of it that an error came from, where that is known."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [line for line in (error.lineno,) if line is not None]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _refuse_second(path: Path, files: dict[str, Path]) -> None:
    """Files of cases are told apart by their names alone: in a report nobody's directories stand."""
    if files.setdefault(path.name, path) != path:
        raise UsageError(f"{path} and {files[path.name]} have the same name", "Give one of them another.")


def _check(
    requirement: Requirement,
    place: str,
    series: PatchSeries,
    found: Mapping[str, tuple[Requirement, Case, Path]],
) -> None:
    if requirement.patch not in series.patches:
        what = f"{place}: requirement {requirement.name!r}: there is no patch {requirement.patch}"
        raise UsageError(what, f"Known are {', '.join(series.patches)}; the name begins with its patch.")
    if requirement.name in found:
        other = found[requirement.name][0].case
        what = f"{place}: requirement {requirement.name!r} is decided by two cases"
        raise UsageError(what, f"The other is {other}; give one of the two another name.")


def _promises(parts: Sequence[Part], series: PatchSeries) -> Iterator[Promise]:
    found: dict[str, Path] = {}
    for path in (path for part in parts for path in part.promises):
        for promise in load_promises(path, series.patches):
            if found.setdefault(promise.id, path) != path:
                raise UsageError(f"{path}: {promise.id!r} stands in {found[promise.id]} too", "Rename one.")
            yield promise


def forget_modules(files: Collection[Path]) -> None:
    """Have the cases in these files imported anew by pytest.

    It rewrites their assertions only where it imports them, and of two files that have one name, as those of
    two projects may, it takes none but the first.
    """
    ours = {f"conformance.cases.{path.stem}" for path in files if path.parent == DIRECTORY}
    known = ours | {_package(path) for path in files if path.parent != DIRECTORY} - {"conformance"}
    for name in [name for name in sys.modules if name in known or name.partition(".")[0] in known]:
        del sys.modules[name]


def _package(path: Path) -> str:
    """The name of a file's module as pytest has it, or of the outermost package that it stands in."""
    while (path.parent / "__init__.py").is_file():
        path = path.parent
    return path.stem


@cache
def _built_in() -> Catalogue:
    return load_catalogue([BUILT_IN])


def all_requirements() -> dict[str, Requirement]:
    """Every requirement of this suite itself, in order of their names."""
    return dict(_built_in().requirements)


def case_of(requirement: Requirement) -> Case:
    """The function that decides a requirement of this suite itself."""
    return _built_in().cases[requirement.name]
