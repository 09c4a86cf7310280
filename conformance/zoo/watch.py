"""Which flaws a case can show at all: those about a decision of the reference that the case reached.

The reference does the same thing each time it is run, so a case during which a decision is never taken runs
octet for octet alike however that decision falls, and need not be run again.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from conformance.reference.build import Build
from conformance.reference.flaws import FLAWS
from conformance.reference.flaws.flaw import Decision

T = TypeVar("T")


@cache
def _decisions_about(kind: type) -> frozenset[str]:
    """The attributes of a class that some flaw is about."""
    return frozenset(name for flaw in FLAWS.values() for name in flaw.instead.get(kind, ()))


class WatchedBuild(Build):
    """A faultless build that notes in `reached` which decisions were taken."""

    def __init__(self, patches: Iterable[str] = ()) -> None:
        super().__init__(patches)
        self.reached: set[Decision] = set()

    def carries(self, patch: str) -> bool:
        self.reached.add(("", patch))
        return super().carries(patch)

    def of(self, kind: type[T]) -> type[T]:
        about: frozenset[str] = _decisions_about(kind)  # type: ignore[arg-type]  # a class is hashable
        reached, name_of_kind = self.reached, kind.__name__

        def noting(self: Any, name: str) -> Any:
            if name in about:
                reached.add((name_of_kind, name))
            return object.__getattribute__(self, name)

        return type(name_of_kind, (kind,), {"__getattribute__": noting}) if about else kind

    def can_show(self, flaw: str) -> bool:
        """Whether a decision that this flaw is about was taken."""
        return not self.reached.isdisjoint(FLAWS[flaw].decisions)
