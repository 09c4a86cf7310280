"""Scenarios by name: those that come with this suite, wherever it is installed, and those of a project."""

import os
from pathlib import Path

from conformance.errors import UsageError
from conformance.harmless import printable
from conformance.nearest import did_you_mean
from conformance.project.form import Project


def named_scenarios(project: Project) -> dict[str, Path]:
    """Name -> file, in order of names; a project's own go before ours."""
    directories = [directory for part in project.parts for directory in part.scenarios]
    return dict(sorted((path.stem, path) for each in directories for path in each.glob("*.toml")))


def scenario_of(word: str, project: Project) -> Path | None:
    """The file that a word means: a path as such files have, or the name of a scenario; None for others."""
    path = Path(word)
    if path.suffix == ".toml" or os.sep in word or os.path.isfile(word):
        return path
    return named_scenarios(project).get(word)


def scenario_path(word: str, project: Project) -> Path:
    """The file of a scenario by its path or its name. Raises UsageError for a name that there is not."""
    path = scenario_of(word, project)
    if path is not None:
        return path
    if word in project.catalogue.requirements:
        hint = f"`qmail-conformance reproduce {printable(word)} --target TARGET` runs its case."
        raise UsageError(f"{word} is a requirement, and no scenario", hint)
    if Path(word).suffix or os.path.exists(word):  # whoever reads it tells what is wrong with it
        return Path(word)
    known = named_scenarios(project)
    there = f"There are: {', '.join(known)}. Any other is named by its file, `{printable(word)}.toml`."
    raise UsageError(f"there is no scenario {word!r}", did_you_mean(word, known, there))
