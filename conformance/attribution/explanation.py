"""What can explain that a verdict flips: one patch, patches that are all needed, or any one of several.

A build is told by the set of its patches. "Flipped" means: another verdict than the base build has, the
one with the fewest patches.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from conformance.catalogue.builtin import SERIES
from conformance.catalogue.patches import BASE, PatchSeries
from conformance.report.words import listed

Patches = frozenset[str]

#: "alone": the one patch flips it. "all": it flips when all of them are there. "any": when one of them is.
Kind = Literal["alone", "all", "any"]


@dataclass(frozen=True)
class Explanation:
    """One way in which patches can flip a verdict."""

    kind: Kind
    patches: tuple[str, ...]

    def flips(self, build: Collection[str]) -> bool:
        """Whether a build with these patches has the flipped verdict, if this explanation is right."""
        there = (patch in build for patch in self.patches)
        return all(there) if self.kind == "all" else any(there)

    @property
    def sets(self) -> list[tuple[str, ...]]:
        """The smallest sets of patches that flip the verdict."""
        return [self.patches] if self.kind == "all" else [(patch,) for patch in self.patches]

    def proof(self, base: Patches, full: Patches) -> list[Patches]:
        """The builds whose verdicts prove it, as long as more patches never flip the verdict back.

        Each patch that is enough, alone; and the full build without each patch, or set, that is needed.
        """
        named = frozenset(self.patches)
        if self.kind == "all":
            return [base | named, *(full - {patch} for patch in self.patches)]
        return [*(base | {patch} for patch in self.patches), full - named]

    def __str__(self) -> str:
        words = listed(self.patches)
        return {"alone": words, "all": f"{words} together", "any": f"any of {words}"}[self.kind]


def build_name(patches: Iterable[str], series: PatchSeries = SERIES) -> str:
    """A build's name by its patches, as a directory of builds may call it: `0004+0005`, `without-0004`."""
    carried = frozenset(patches)
    words = series.words(carried).replace(",", "+") or "stock"
    if words in ("stock", BASE):
        return words
    if carried == frozenset(series.package):
        return "ppa"
    for patch in series.package:
        if carried == frozenset(series.without([patch])):
            return f"without-{patch}"
    return words


def explanations(patches: Iterable[str]) -> list[Explanation]:
    """Every explanation out of these patches, the simplest first: by how many patches it names."""
    ordered = sorted(patches)
    found = [Explanation("alone", (patch,)) for patch in ordered]
    for size in range(2, len(ordered) + 1):
        for several in combinations(ordered, size):
            found += [Explanation("all", several), Explanation("any", several)]
    return found


def fitting(candidates: Iterable[Explanation], seen: Mapping[Patches, bool]) -> list[Explanation]:
    """Those that agree with every build that was seen (build -> whether its verdict is the flipped one)."""
    return [found for found in candidates if all(found.flips(build) == seen[build] for build in seen)]


def simplest(candidates: Sequence[Explanation]) -> list[Explanation]:
    """Those that name the fewest patches."""
    least = min((len(explanation.patches) for explanation in candidates), default=0)
    return [explanation for explanation in candidates if len(explanation.patches) == least]


def is_proved(found: Explanation, seen: Mapping[Patches, bool], base: Patches, full: Patches) -> bool:
    """Whether every build of its proof was seen, and agrees."""
    return all(seen.get(build) == found.flips(build) for build in found.proof(base, full))


def telling_builds(candidates: Sequence[Explanation], base: Patches, full: Patches) -> list[Patches]:
    """A build that would tell some of these explanations from the others: the most even split first.

    All sets of patches between `base` and `full` are looked at, whether such a build exists or not.
    """
    between = sorted(full - base)
    sizes = range(len(between) + 1)
    every = (base | frozenset(some) for size in sizes for some in combinations(between, size))
    rated = sorted((uneven(candidates, build), len(build), sorted(build)) for build in every)
    return [frozenset(build) for split, _, build in rated if split < len(candidates)]


def uneven(candidates: Sequence[Explanation], build: Collection[str]) -> int:
    """How uneven a build splits them: the number that is left at worst; all of them when it tells nothing."""
    flipping = sum(explanation.flips(build) for explanation in candidates)
    return max(flipping, len(candidates) - flipping)


def smallest_step(seen: Mapping[Patches, bool]) -> tuple[Patches, Patches]:
    """The two builds, one within the other, that differ in the fewest patches and in their verdicts.

    Raises ValueError when none do.
    """
    steps = [
        (fewer, more)
        for fewer, verdict in seen.items()
        for more, other in seen.items()
        if fewer < more and verdict != other
    ]
    return min(steps, key=lambda step: (len(step[1] - step[0]), len(step[0]), sorted(step[1])))


def smallest_flips(seen: Mapping[Patches, bool]) -> list[Patches]:
    """The flipped builds that hold no smaller flipped build."""
    flipped = [build for build, verdict in seen.items() if verdict]
    least = [build for build in flipped if not any(other < build for other in flipped)]
    return sorted(least, key=lambda build: (len(build), sorted(build)))
