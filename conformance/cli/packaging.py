"""`reference-deb`: build the package qmail-reference."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.catalogue.patches import PPA_PATCHES
from conformance.errors import EXIT_AS_EXPECTED, UsageError
from conformance.reference.package import build


def run(options: argparse.Namespace) -> int:
    """Build it and print its path. Raises UsageError: an unknown patch, an unwritable directory."""
    patches = chosen_patches(options.patches)
    try:
        path = build(Path(options.directory), patches)
    except OSError as error:
        what = f"reference-deb: {options.directory}: {error.strerror or error}"
        raise UsageError(what, "name a directory that can be written") from error
    print(path)
    return EXIT_AS_EXPECTED


def chosen_patches(listed: str) -> tuple[str, ...]:
    """The patches of a list such as `0004,0005`, in order and each once; none for an empty text."""
    wanted = {number.strip() for number in listed.split(",")} if listed.strip() else set()
    for number in sorted(wanted):
        if number not in PPA_PATCHES:
            known = f"known: {', '.join(PPA_PATCHES)}; an empty list is stock"
            raise UsageError(f"reference-deb: there is no patch {number!r}", known)
    return tuple(number for number in PPA_PATCHES if number in wanted)
