"""Requirements: observable promises, each with a stable name, a citation, a level and a role."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from conformance.catalogue.severity import Severity, check_severity, usual_severity
from conformance.errors import UsageError

Level = Literal["must", "should"]
Role = Literal["change", "guard"]
Case = Callable[..., Awaitable[None]]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*){1,3}")


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
    ours. Whether there are such patches, and no other such requirement, is seen where a catalogue is put
    together.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"requirement {name!r}: a name reads 0005.mx.tcp-4096 or base.ehlo.extensions")
    _check_words(name, "role", role, (None, *get_args(Role)))
    _check_words(name, "level", level, get_args(Level))
    if not isinstance(needs, tuple) or not all(isinstance(each, str) for each in needs):
        raise UsageError(f"requirement {name!r}: needs is {needs!r}", 'Write needs=("0005",).')
    if type(waits) is not int or waits < 0:
        raise UsageError(f"requirement {name!r}: waits is {waits!r}", "Write whole seconds: waits=5.")
    patch = patch or name.partition(".")[0]
    costs = usual_severity(name) if severity is None else check_severity(f"requirement {name!r}", severity)

    def mark(case: Case) -> Case:
        if (other := requirement_of(case)) is not None:
            raise UsageError(
                f"requirement {name!r}: its case decides {other.name!r} already",
                "A case decides one requirement.",
            )
        promise = " ".join((case.__doc__ or "").split())
        if not promise or not source:
            raise UsageError(f"requirement {name!r}: it needs a docstring (the promise) and a source")
        where = f"{case.__module__.rpartition('.')[2]}.py::{case.__name__}"
        role_or_default: Role = role or ("guard" if patch == "base" else "change")
        made = Requirement(
            name, patch, source, promise, level, role_or_default, where, waits, shares, costs, needs
        )
        marked: Any = case
        marked.requirement = made
        return case

    return mark


def _check_words(name: str, key: str, given: object, known: Sequence[str | None]) -> None:
    if given not in known:
        words = ", ".join(word for word in known if word)
        raise UsageError(f"requirement {name!r}: {key} is {given!r}", f"It is one of: {words}.")


def requirement_of(case: object) -> Requirement | None:
    """What a function decides; None for one that decides nothing."""
    found = getattr(case, "requirement", None)
    return found if isinstance(found, Requirement) else None
