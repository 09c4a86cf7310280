"""A catalogue: what is promised and which case decides it, put together once from parts and handed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.catalogue.patches import PatchSeries
from conformance.catalogue.promises import Promise
from conformance.catalogue.requirements import Case, Requirement


@dataclass(frozen=True)
class Catalogue:
    """`requirements` are in order of their names; `cases` are the functions that decide them, by those names.

    `files` are where the cases stand, by the same names.
    """

    series: PatchSeries
    requirements: Mapping[str, Requirement]
    cases: Mapping[str, Case]
    files: Mapping[str, Path]
    promises: tuple[Promise, ...]
