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


def scenario_path(word: str, project: Project) -> Path:
    """The file that a word means: a path, or the name of a scenario that there is. Raises UsageError."""
    path = Path(word)
    if path.suffix or os.sep in word or os.path.exists(word):
        return path
    known = named_scenarios(project)
    if word not in known:
        there = f"There are: {', '.join(known)}. Any other is named by its file, `{printable(word)}.toml`."
        raise UsageError(f"there is no scenario {word!r}", did_you_mean(word, known, there))
    return known[word]
