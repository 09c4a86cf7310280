"""The grammar of target names: `stock`, `ppa`, `debs:DIR@0004,0005`, `image:REF`, `reference-ppa`, …"""

from __future__ import annotations

import os
import re

from conformance.catalogue.patches import PATCHES, PPA_PATCHES
from conformance.errors import UsageError
from conformance.targets.target import Kind, Target

#: Environment variable that names the PPA when no option does.
PPA_VARIABLE = "QMAIL_PPA"

KNOWN = (
    "stock",
    "ppa",
    "debs:DIRECTORY",
    "debs:DIRECTORY@0004,0005",
    "image:REFERENCE",
    "image:REFERENCE@0004,0005",
    "reference-stock",
    "reference-ppa",
    "reference@0004,0005",
)

_PPA = re.compile(r"ppa:[A-Za-z0-9][A-Za-z0-9.+-]*/[A-Za-z0-9][A-Za-z0-9.+-]*|deb\s+\S.*")


def parse_target(name: str, *, ppa: str | None = None) -> Target:
    """The target that a person named; nothing is looked up yet.

    `ppa` is the option `--ppa`; without it the variable QMAIL_PPA counts. A directory or an image without
    `@` claims every patch of the PPA, with nothing after `@` none. Raises UsageError.
    """
    if name == "stock":
        return Target(name, "stock")
    if name == "ppa":
        return Target(name, "ppa", PPA_PATCHES, _archive(ppa))
    if name == "reference-stock":
        return Target(name, "reference")
    if name == "reference-ppa":
        return Target(name, "reference", PPA_PATCHES)
    if name.startswith("reference@"):
        return Target(name, "reference", _patches(name, name.removeprefix("reference@")))
    if name.startswith("debs:"):
        return _located(name, "debs", name.removeprefix("debs:"), "a directory with .deb files")
    if name.startswith("image:"):
        return _located(name, "image", name.removeprefix("image:"), "a Docker image")
    raise UsageError(f"there is no target {name!r}", f"known: {', '.join(KNOWN)}")


def _archive(ppa: str | None) -> str:
    archive = (ppa or os.environ.get(PPA_VARIABLE, "")).strip()
    if not archive:
        raise UsageError(
            "target 'ppa': it is not said which PPA",
            f"give --ppa ppa:OWNER/NAME or an apt source line, or set {PPA_VARIABLE}",
        )
    if not _PPA.fullmatch(archive):
        raise UsageError(
            f"target 'ppa': {archive!r} is no PPA",
            "write ppa:OWNER/NAME or an apt source line: deb URL SUITE PART",
        )
    return archive


def _located(name: str, kind: Kind, rest: str, what: str) -> Target:
    """`rest` is a place, perhaps with `@` and patches: `@sha256:…` and `a@b/c` belong to the place."""
    location, at, tail = rest.rpartition("@")
    if not at or ":" in tail or "/" in tail:
        location, patches = rest, PPA_PATCHES
    else:
        patches = _patches(name, tail)
    if not location:
        raise UsageError(f"target {name!r}: after the colon comes {what}")
    return Target(name, kind, patches, location)


def _patches(name: str, listed: str) -> tuple[str, ...]:
    """The patches of a list such as `0004,0005`, in order and each once."""
    wanted = {number for number in listed.split(",") if number} if listed else set()
    for number in sorted(wanted):
        if number not in PPA_PATCHES:
            known = f"known: {', '.join(PPA_PATCHES)}"
            raise UsageError(f"target {name!r}: there is no patch {number!r}", known)
    return tuple(number for number in PATCHES if number in wanted)
