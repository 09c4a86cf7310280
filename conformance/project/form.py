"""What a project is: the parts of its catalogue, names of targets, defaults; without a file what is ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.catalogue.builtin import BUILT_IN, SERIES
from conformance.catalogue.part import Part
from conformance.catalogue.patches import PatchSeries

if TYPE_CHECKING:
    from conformance.catalogue.catalogue import Catalogue


@dataclass(frozen=True)
class Alias:
    """What a person calls a target: `written` is any other name of one, `place` where that stands.

    A directory in it is relative to `directory`.
    """

    name: str
    written: str
    directory: Path = Path()
    place: str = ""


@dataclass(frozen=True)
class Defaults:
    """What options are where they are not given; "" and None: as without a project. `out` is a path."""

    ppa: str = ""
    release: str = ""
    base: str = ""
    internet_base: str = ""
    mirror: str = ""
    against: str = ""
    out: str = ""
    workers: int | None = None
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """A project, read once. `parts` are ours and its own; `deviations` are directories, the first before all.

    `file` is None where there is no project file.
    """

    file: Path | None = None
    parts: tuple[Part, ...] = (BUILT_IN,)
    series: PatchSeries = SERIES
    deviations: tuple[Path, ...] = BUILT_IN.deviations
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    defaults: Defaults = Defaults()

    @cached_property
    def catalogue(self) -> "Catalogue":
        """All that is promised: every case is imported. Raises UsageError for what is wrong in its own."""
        from conformance.cases.collection import load_catalogue

        return load_catalogue(self.parts, self.series)

    @property
    def titles(self) -> dict[str, str]:
        """The titles of its own patches by number, for reports that are made without it."""
        return {
            number: patch.title
            for number, patch in self.series.patches.items()
            if number not in SERIES.patches
        }

    def digest(self, of_suite: str) -> str:
        """That of the suite's files, and of the project's own where there are some."""
        if self.file is None:
            return of_suite
        sums = hashlib.sha256(of_suite.encode())
        for part in self.parts[1:]:
            paths = [path for place in (*part.cases, *part.scenarios) for path in sorted(place.iterdir())]
            for path in (*paths, *part.promises):
                if path.suffix in (".py", ".toml") and path.is_file():
                    sums.update(path.name.encode() + b"\n" + hashlib.sha256(path.read_bytes()).digest())
        return sums.hexdigest()[:12]


#: What every command works with where no project file is found.
NO_PROJECT = Project()
