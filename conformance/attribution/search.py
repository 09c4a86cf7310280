"""The search for the patches that flip a verdict, with as few runs as possible.

Pure: a generator that asks for the verdict of one build after another and never for one twice. It keeps
every explanation that agrees with what was seen and asks for the build that splits the simplest of them
most evenly: on a stack of builds that is the binary search, on a directory of subsets the shortest way
that those subsets allow. When one is left it asks for the builds that prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
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
class Finding:
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
    builds: Collection[Patches], base: Patches, full: Patches, likely: str = ""
) -> Generator[Patches, str, Finding]:
    """Yields a build, is sent its verdict (`met` or `unmet`), and returns the Finding.

    Builds that do not lie between `base` and `full` are left aside. `likely` is the patch to suspect first:
    a requirement's own. Raises ValueError unless `base` is a part of `full` and both are among the builds.
    """
    if not base < full or not {base, full} <= set(builds):
        raise ValueError("the two ends must be builds, and the first a part of the second")
    seen: dict[Patches, str] = {}
    seen[base] = yield base
    seen[full] = yield full
    if seen[base] == seen[full]:
        return Finding(base, full, seen)

    def flipped() -> dict[Patches, bool]:
        return {build: verdict != seen[base] for build, verdict in seen.items()}

    left = explanations(full - base)
    while True:
        left = fitting(left, flipped())
        unseen = [build for build in builds if base < build < full and build not in seen]
        build = _next(left, unseen, flipped(), base, full, likely) if left else _within(flipped(), unseen)
        if build is None:
            break
        seen[build] = yield build
    found = tuple(simplest(left))
    proved = len(found) == 1 and is_proved(found[0], flipped(), base, full)
    missing = () if proved else tuple(_missing(found, set(builds), base, full))
    return Finding(base, full, seen, found, proved, missing, smallest_step(flipped()))


def run_search(steps: Generator[Patches, str, Finding], verdict: Callable[[Patches], str]) -> Finding:
    """Drive a search with a function that gives a build's verdict."""
    try:
        build = next(steps)
        while True:
            build = steps.send(verdict(build))
    except StopIteration as ended:
        finding: Finding = ended.value
        return finding


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
    focus = next((one for one in first if len(first) == 1 or one.patches == (likely,)), None)
    if focus is not None:
        if len(first) == 1 and is_proved(focus, seen, base, full):
            return None
        proof = [build for build in focus.proof(base, full) if build in unseen]
        if proof:
            return proof[0]

    def rank(build: Patches) -> tuple[int, int, int, list[str]]:
        return _refuting(focus, first, build), uneven(left, build), len(build), sorted(build)

    telling = [build for build in unseen if uneven(left, build) < len(left)]
    return min(telling, key=rank, default=None)


def _refuting(focus: Explanation | None, first: Sequence[Explanation], build: Patches) -> int:
    """How many of the simplest are left after a build: at worst, or when the one in focus is right."""
    if focus is None:
        return uneven(first, build)
    return sum(one.flips(build) == focus.flips(build) for one in first)


def _within(seen: Mapping[Patches, bool], unseen: Sequence[Patches]) -> Patches | None:
    """No explanation fits: a build in the middle of the smallest step, until nothing lies within it."""
    step = smallest_step(seen)
    if step is None:
        return None
    fewer, more = step
    within = [build for build in unseen if fewer < build < more]
    return min(within, key=lambda b: (abs(2 * len(b) - len(fewer) - len(more)), sorted(b)), default=None)


def _missing(
    found: Sequence[Explanation], builds: Collection[Patches], base: Patches, full: Patches
) -> list[Patches]:
    """Builds that are not there and would tell the explanations apart, or prove the only one."""
    if len(found) == 1:
        wanted = found[0].proof(base, full)
    else:
        wanted = telling_builds(found, base, full) if found else []
    return [build for build in wanted if build not in builds][:_MOST_MISSING]
