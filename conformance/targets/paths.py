"""Paths as names of targets: `build/`, `old.deb` and `qmail_1.06-7_amd64.changes` are `debs:PATH`."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from conformance.errors import UsageError

#: Files that stand for packages.
_SUFFIXES = (".deb", ".changes", ".dsc")

_HINT = "Write debs:PATH for packages, image:REFERENCE for an image, root:DIRECTORY for an installed tree."


def with_kind(name: str, known: Collection[str], directory: Path) -> str:
    """`debs:PATH` for a name that is a path, as seen from `directory`; any other name as it is.

    What is a name in the grammar of targets, or in `known`, is that, whatever is called so in the directory:
    `./stock` is a path, and `stock` is none. Raises UsageError for a path where nothing is.
    """
    place = re.sub(r"@[^:/@]*$", "", name)
    if place in known or re.match(r"[a-z]+:|(reference|model)[^/]*$", name) or not place:
        return name
    path = os.path.join(directory, place)
    if "/" in place or place.startswith("."):
        if not os.path.exists(path):
            raise UsageError(f"target {name!r}: there is no such file or directory", _HINT)
    elif not place.endswith(_SUFFIXES) and not os.path.isdir(path):
        return name
    shortest = place.removeprefix("./").rstrip("/") or place
    return f"debs:{shortest}{name[len(place) :]}"
