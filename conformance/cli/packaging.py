"""`reference-deb`: build the package qmail-reference."""

import argparse
from pathlib import Path

from conformance.errors import EXIT_AS_EXPECTED, UsageError
from conformance.reference.package import build
from conformance.targets.names import patches_of


def run(options: argparse.Namespace) -> int:
    """Build it and print its path. Raises UsageError: an unknown patch, an unwritable directory."""
    patches = patches_of(options.patches, "reference-deb")
    try:
        path = build(Path(options.directory), patches)
    except OSError as error:
        what = f"reference-deb: {options.directory}: {error.strerror or error}"
        raise UsageError(what, "name a directory that can be written") from error
    print(path)
    return EXIT_AS_EXPECTED
