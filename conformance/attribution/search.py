"""The search for the patches that flip a verdict, with as few runs as possible.

Pure: it asks for the verdict of one build after another and never for one twice. It keeps every
explanation that agrees with what was seen and asks for the build that splits the simplest of them most
evenly: on a stack of builds that is the binary search, on a directory of subsets the shortest way that those
subsets allow. When one is left it asks for the builds that prove it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from conformance.attribution.explanation import (
    Explanation,
    Patches,
    explanations,
    fitting,
    is_proved,
    simplest,
    smallest_step,
    telling_builds,
    uneven,
)

_MOST_MISSING = 3  #: builds that are named as those that would tell


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    `seen` maps each build that was run to its verdict, in order. `explanations` are the simplest ones that
    agree with all of it: one is the answer, several cannot be told apart by the builds there are, none means
    that the patches act on each other in another way. `proved`: the answer holds whatever else the other
    patches do, unless one of them flips the verdict back. `missing` are builds that would tell or prove more.
    `step` are the two builds that differ in the fewest patches and in their verdicts.
    """

    base: Patches
    full: Patches
    seen: dict[Patches, str]
    explanations: tuple[Explanation, ...] = ()
    proved: bool = False
    missing: tuple[Patches, ...] = ()
    step: tuple[Patches, Patches] | None = None

    @property
    def flips(self) -> bool:
        """Whether the two ends differ at all."""
        return self.seen[self.base] != self.seen[self.full]

    @property
    def answer(self) -> Explanation | None:
        return self.explanations[0] if len(self.explanations) == 1 else None


def search(
    builds: Collection[Patches],
    base: Patches,
    full: Patches,
    verdict: Callable[[Patches], str],
    likely: str = "",
) -> SearchResult:
    """Ask `verdict` for the verdict (`met` or `unmet`) of one build after another, as few as possible.

    Builds that do not lie between `base` and `full` are left aside. `likely` is the patch to suspect first:
    a requirement's own. Raises ValueError unless `base` is a part of `full` and both are among the builds.
    """
    if not base < full or not {base, full} <= set(builds):
        raise ValueError("the two ends must be builds, and the first a part of the second")
    seen = {base: verdict(base), full: verdict(full)}
    if seen[base] == seen[full]:
        return SearchResult(base, full, seen)
    flipped = {base: False, full: True}
    left = explanations(full - base)
    while True:
        left = fitting(left, flipped)
        unseen = [build for build in builds if base < build < full and build not in seen]
        build = _next(left, unseen, flipped, base, full, likely) if left else _within(flipped, unseen)
        if build is None:
            break
        seen[build] = verdict(build)
        flipped[build] = seen[build] != seen[base]
    found = tuple(simplest(left))
    proved = len(found) == 1 and is_proved(found[0], flipped, base, full)
    # Builds that are not there and would tell the explanations apart, or prove the only one.
    wanted = found[0].proof(base, full) if len(found) == 1 else telling_builds(found, base, full)
    missing = () if proved else tuple(build for build in wanted if build not in builds)[:_MOST_MISSING]
    return SearchResult(base, full, seen, found, proved, missing, smallest_step(flipped))


def _next(
    left: Sequence[Explanation],
    unseen: Sequence[Patches],
    seen: Mapping[Patches, bool],
    base: Patches,
    full: Patches,
    likely: str,
) -> Patches | None:
    """The build to ask for next; None when the one answer is proved, or nothing more can be told."""
    first = simplest(left)
    sole = len(first) == 1
    focus = next((found for found in first if sole or found.patches == (likely,)), None)
    if focus is not None:
        if sole and is_proved(focus, seen, base, full):
            return None
        proof = [build for build in focus.proof(base, full) if build in unseen]
        if proof:
            return proof[0]

    def rank(build: Patches) -> tuple[int, int, int, list[str]]:
        """First how many of the simplest are left after it: at worst, or when the one in focus is right."""
        rest = [found for found in first if focus is not None and found.flips(build) == focus.flips(build)]
        return len(rest) if focus else uneven(first, build), uneven(left, build), len(build), sorted(build)

    telling = [build for build in unseen if uneven(left, build) < len(left)]
    return min(telling, key=rank, default=None)


def _within(seen: Mapping[Patches, bool], unseen: Sequence[Patches]) -> Patches | None:
    """No explanation fits: a build in the middle of the smallest step, until nothing lies within it."""
    fewer, more = smallest_step(seen)
    within = [build for build in unseen if fewer < build < more]
    return min(within, key=lambda b: (abs(2 * len(b) - len(fewer) - len(more)), sorted(b)), default=None)
