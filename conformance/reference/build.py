"""The build of qmail that an engine belongs to: its patches, and the classes that it is made of."""

from typing import Iterable, Type, TypeVar

T = TypeVar("T")


class Build:
    """A faultless qmail with `patches`.

    Engines make their parts by `build.of(Part)(…)`, so that another build can put a class in its place in
    which one decision falls otherwise (`conformance.reference.flaws`). What may fall otherwise is an
    attribute or a method of the class, and is always read from an instance.
    """

    def __init__(self, patches: Iterable[str] = ()) -> None:
        self.patches = frozenset(patches)

    def carries(self, patch: str) -> bool:
        """Whether the build has that patch, named by its number."""
        return patch in self.patches

    def of(self, kind: Type[T]) -> Type[T]:
        """The class that stands for `kind` in this build."""
        return kind
