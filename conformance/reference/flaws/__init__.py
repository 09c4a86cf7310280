"""The zoo of flaws: small named wrongnesses, each of which some case must turn red.

A flaw shows what a wrong rebase, a dropped hunk, an off-by-one or a lost error path would do. Each is a
decision of the reference that falls otherwise; the part of its name before the dot is the patch, or for
unpatched qmail the program.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Dict, Iterable

from conformance.reference.build import Build
from conformance.reference.flaws.flaw import Flaw, FlawedBuild

_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]

#: Every flaw, by name.
FLAWS: Dict[str, Flaw] = {flaw.name: flaw for module in _MODULES for flaw in getattr(module, "FLAWS", ())}


def build_with(patches: Iterable[str], flaws: Iterable[str] = ()) -> Build:
    """The build with these patches and flaws. Raises ValueError for a flaw that it cannot have."""
    names = sorted(flaws)
    for name in names:
        if name not in FLAWS:
            raise ValueError(f"there is no flaw {name!r}")
        if FLAWS[name].patch not in ("base", *patches):
            raise ValueError(f"{name} is a flaw of a patch that is not in this build")
    return FlawedBuild(patches, [FLAWS[name] for name in names]) if names else Build(patches)
