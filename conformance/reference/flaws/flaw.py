"""A flaw, and a build that has some: one decision of the reference, or a few, that fall otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, FrozenSet, Iterable, Tuple, Type, TypeVar

from conformance.reference.acts import Engine
from conformance.reference.build import Build

T = TypeVar("T")

#: A class of the reference and its attribute or method; for a patch that may be lacking "" and its number.
Decision = Tuple[str, str]


#: Flaws of stock's own patches: how their names begin, and the patch. Other names tell it themselves.
_OF_STOCK = {
    "smtpd.log-": "0001",
    "smtpd.keeps-unverified": "0002",
    "smtpd.relayclient-verified": "0002",
    "smtpd.rset-keeps-unverified": "0002",
    "smtpd.unverified-": "0002",
    "smtpd.verify-": "0002",
    "verify.aliases-": "0003",
    "verify.": "0002",
}


@dataclass(frozen=True)
class Flaw:
    """What a flawed build does, and how.

    `instead` maps a class of the reference to its decisions (attributes and methods) and what stands in
    their places; `dropped_patch` is the number of a patch that the build claims and lacks.
    """

    name: str
    description: str
    instead: Dict[type, Dict[str, Any]]
    dropped_patch: str = ""

    @property
    def patch(self) -> str:
        """The patch that is flawed, or "base"."""
        of_stock = (patch for start, patch in _OF_STOCK.items() if self.name.startswith(start))
        first = next(of_stock, self.name.partition(".")[0])
        return first if first.isdigit() else "base"

    @property
    def decisions(self) -> FrozenSet[Decision]:
        """The decisions that fall otherwise."""
        found = {(kind.__name__, name) for kind, instead in self.instead.items() for name in instead}
        return frozenset(found | ({("", self.dropped_patch)} if self.dropped_patch else set()))

    def also(self, kind: type, **instead: Any) -> Flaw:
        """The same flaw, with decisions of another class besides."""
        return replace(self, instead={**self.instead, kind: _existing(kind, instead)})


def flaw(name: str, description: str, kind: type, **instead: Any) -> Flaw:
    """A flaw in one class. Raises AttributeError for a decision that the class does not have."""
    return Flaw(name, description, {kind: _existing(kind, instead)})


def dropped(name: str, description: str) -> Flaw:
    """The flaw of a build that lacks the patch in the flaw's name, as after a rebase that lost a hunk."""
    return Flaw(name, description, {}, name.partition(".")[0])


def _existing(kind: type, instead: Dict[str, Any]) -> Dict[str, Any]:
    for decision in instead:
        getattr(kind, decision)
    return instead


def nothing(self: Any, *arguments: Any) -> None:
    """A method that does nothing."""


def at_once(method: Callable[..., Any]) -> Callable[..., Engine]:
    """A step of an engine that asks nothing of the world, and returns what `method` does."""

    def step(self: Any, *arguments: Any) -> Engine:
        yield from ()
        return method(self, *arguments)

    return step


def then(step: Callable[..., Engine], change: Callable[[Any], Any]) -> Callable[..., Engine]:
    """A step that does all that `step` does, with another result."""

    def changed(self: Any, *arguments: Any) -> Engine:
        return change((yield from step(self, *arguments)))

    return changed


class FlawedBuild(Build):
    """A build with some flaws. Raises ValueError when two of them are about the same decision."""

    def __init__(self, patches: Iterable[str], flaws: Iterable[Flaw]) -> None:
        self._instead: Dict[type, Dict[str, Any]] = {}
        dropped = set()
        for each in flaws:
            dropped.add(each.dropped_patch)
            for kind, instead in each.instead.items():
                known = self._instead.setdefault(kind, {})
                if set(known) & set(instead):
                    raise ValueError(f"{each.name} and another flaw are about the same decision")
                known.update(instead)
        super().__init__(set(patches) - dropped)
        self._made: Dict[type, type] = {}

    def of(self, kind: Type[T]) -> Type[T]:
        if kind not in self._instead:
            return kind
        if kind not in self._made:
            self._made[kind] = type(kind.__name__, (kind,), dict(self._instead[kind]))
        return self._made[kind]
