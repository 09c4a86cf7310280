"""`reference-deb`: build the package qmail-reference."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from conformance.catalogue.builtin import SERIES
from conformance.cli.writing import write_octets
from conformance.errors import EXIT_AS_EXPECTED
from conformance.harmless import printable
from conformance.reference.package import file_name, package


def run(options: argparse.Namespace) -> int:
    """Build it and print its path. Raises UsageError for an unknown patch, and as `write_octets` does."""
    path = build(Path(options.directory), SERIES.read(options.patches, "reference-deb"))
    print(printable(str(path)))
    return EXIT_AS_EXPECTED


def build(directory: Path, patches: Sequence[str]) -> Path:
    """Write the package that carries `patches` into `directory`; its path."""
    path = directory / file_name(patches)
    write_octets(path, package(patches))
    return path
