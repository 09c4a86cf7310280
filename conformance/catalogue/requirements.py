"""Requirements: observable promises, each with a stable name, a citation, a level and a role."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from conformance.catalogue.patches import PATCHES
from conformance.catalogue.severity import Severity, check_severity, usual_severity
from conformance.errors import UsageError

Level = Literal["must", "should"]
Role = Literal["change", "guard"]
Case = Callable[..., Awaitable[None]]

_NAME = re.compile(r"(base|\d{4})(\.[a-z0-9]+(-[a-z0-9]+)*){1,3}")


@dataclass(frozen=True)
class Requirement:
    """One observable promise.

    A `change` is unmet without its patch and met with it; a `guard` is met with and without. What it `needs`
    are other patches that it speaks of: without one of them it is unmet.
    """

    name: str
    patch: str
    source: str
    promise: str
    level: Level = "must"
    role: Role = "change"
    case: str = ""  #: file and function that decide it: test_0005_answers.py::test_mx_of_4096_octets
    waits: int = 0  #: seconds for which its case waits for qmail, at the most; such cases are begun first
    shares: str = ""  #: cases with the same word here do the same to qmail: one of them is played for all
    severity: Severity | None = None  #: what its failure costs people; None: it is not said
    needs: tuple[str, ...] = ()  #: patches besides its own


_registry: dict[str, Requirement] = {}


def requirement(
    name: str,
    *,
    source: str,
    patch: str = "",
    needs: tuple[str, ...] = (),
    role: Role | None = None,
    level: Level = "must",
    waits: int = 0,
    shares: str = "",
    severity: Severity | None = None,
) -> Callable[[Case], Case]:
    """Mark a case as the one that decides a requirement; its docstring is the promise.

    The patch is the first part of the name, unless `patch` says which of the distribution's own patches a
    name of base speaks of. `role` defaults to guard for base and change for a patch.
    `waits`, `shares` and `needs`: see `Requirement`. `severity` defaults to what `severities.toml` says of
    ours.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"requirement {name!r}: a name reads 0005.mx.tcp-4096 or base.ehlo.extensions")
    patch = patch or name.partition(".")[0]
    for number in (patch, *needs):
        if number not in PATCHES:
            raise UsageError(f"requirement {name!r}: there is no patch {number}")
    costs = usual_severity(name) if severity is None else check_severity(f"requirement {name!r}", severity)

    def mark(case: Case) -> Case:
        promise = " ".join((case.__doc__ or "").split())
        if not promise or not source:
            raise UsageError(f"requirement {name!r}: it needs a docstring (the promise) and a source")
        if name in _registry and _registry[name].promise != promise:
            raise UsageError(f"requirement {name!r} is decided by two cases")
        where = f"{case.__module__.rpartition('.')[2]}.py::{case.__name__}"
        role_or_default: Role = role or ("guard" if patch == "base" else "change")
        made = Requirement(
            name, patch, source, promise, level, role_or_default, where, waits, shares, costs, needs
        )
        _registry[name] = made
        marked: Any = case
        marked.requirement = made
        return case

    return mark


def known() -> dict[str, Requirement]:
    """The requirements of the cases imported so far, in order of their names."""
    return dict(sorted(_registry.items()))
