"""The search for the patches that flip a verdict: right on every small truth table, and with few runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, product
from math import ceil, log2

import pytest

from conformance.attribution.explanation import Explanation, Patches, explanations
from conformance.attribution.search import Finding, run_search, search

SIX = ("0004", "0005", "0006", "0007", "0008", "0009")
NONE: Patches = frozenset()


def subsets(patches: Sequence[str]) -> list[Patches]:
    sizes = range(len(patches) + 1)
    return [frozenset(some) for some in chain.from_iterable(combinations(patches, size) for size in sizes)]


def stack(patches: Sequence[str]) -> list[Patches]:
    return [frozenset(patches[:height]) for height in range(len(patches) + 1)]


def each_alone_and_left_out(patches: Sequence[str]) -> list[Patches]:
    full = frozenset(patches)
    ones = [frozenset({patch}) for patch in patches]
    return [NONE, *ones, *(full - one for one in ones), full]


def asked(
    builds: Sequence[Patches], flips: Callable[[Patches], bool], likely: str = ""
) -> tuple[Finding, list[Patches]]:
    """The finding on a truth, and the builds that were run."""
    runs: list[Patches] = []

    def verdict(build: Patches) -> str:
        runs.append(build)
        return "met" if flips(build) else "unmet"

    full = frozenset().union(*builds)
    return run_search(search(builds, NONE, full, likely), verdict), runs


def tables(patches: Sequence[str]) -> Iterator[dict[Patches, bool]]:
    """Every truth table in which the two ends differ."""
    inner = [build for build in subsets(patches) if 0 < len(build) < len(patches)]
    for values in product((False, True), repeat=len(inner)):
        yield {NONE: False, frozenset(patches): True, **dict(zip(inner, values, strict=True))}


def is_monotone(table: dict[Patches, bool]) -> bool:
    return not any(a < b and table[a] and not table[b] for a in table for b in table)


def families(patches: Sequence[str]) -> list[list[Patches]]:
    return [subsets(patches), stack(patches), stack(patches[::-1]), each_alone_and_left_out(patches)]


def check(finding: Finding, runs: list[Patches], builds: list[Patches], table: dict[Patches, bool]) -> None:
    """What must hold of every finding on every truth."""
    assert len(runs) == len(set(runs)), "a verdict that was decided once is not asked for again"
    assert set(runs) <= set(builds)
    assert list(finding.seen) == runs
    for one in finding.explanations:
        assert all(one.flips(build) == table[build] for build in runs)
    unseen = set(builds) - set(runs)
    if not finding.proved:
        for build in unseen:
            assert len({one.flips(build) for one in finding.explanations}) < 2, (
                "an explanation is left that a build could have told"
            )
    assert finding.step is not None
    fewer, more = finding.step
    assert fewer < more
    assert table[fewer] != table[more]
    if not finding.explanations:
        assert not any(fewer < build < more for build in builds), "the step is as small as the builds allow"
    if finding.proved and is_monotone(table):
        answer = finding.answer
        assert answer is not None
        assert all(answer.flips(build) == table[build] for build in table), "proved, and wrong"
    assert not set(finding.missing) & set(builds)


def test_every_truth_table_of_three_patches_in_every_family() -> None:
    three = SIX[:3]
    for builds in families(three):
        for table in tables(three):
            for likely in ("", *three):
                check(*asked(builds, table.__getitem__, likely), builds, table)


def test_every_monotone_truth_of_four_patches() -> None:
    four = SIX[:4]
    monotone = 0
    for table in _monotone(four):
        monotone += 1
        for builds in families(four):
            finding, runs = asked(builds, table.__getitem__)
            check(finding, runs, builds, table)
            exact = [one for one in explanations(four) if all(one.flips(b) == table[b] for b in table)]
            if len(builds) == 2 ** len(four):
                assert list(finding.explanations) == exact, "all builds are there, so the answer is exact"
                assert finding.proved == bool(exact)
    assert monotone == 166, "168 monotone functions of four variables, without the two constant ones"


def _monotone(patches: Sequence[str]) -> Iterator[dict[Patches, bool]]:
    """Monotone truths by their smallest flipping sets (antichains)."""
    every = subsets(patches)

    def grow(chosen: tuple[Patches, ...], rest: list[Patches]) -> Iterator[tuple[Patches, ...]]:
        yield chosen
        for index, one in enumerate(rest):
            yield from grow((*chosen, one), [o for o in rest[index + 1 :] if not (o <= one or one <= o)])

    for least in grow((), [build for build in every if build]):
        if least:
            yield {build: any(one <= build for one in least) for build in every}


@pytest.mark.parametrize("height", range(1, 7))
def test_a_stack_is_searched_by_halves(height: int) -> None:
    patches = SIX[:height]
    for patch in patches:
        finding, runs = asked(stack(patches), lambda build, patch=patch: patch in build)  # type: ignore[misc]
        assert finding.answer == Explanation("alone", (patch,))
        assert len(runs) <= 2 + ceil(log2(height))


def test_on_all_subsets_a_single_patch_takes_seven_runs_and_a_good_guess_four() -> None:
    for patch in SIX:

        def flips(build: Patches, patch: str = patch) -> bool:
            return patch in build

        finding, runs = asked(subsets(SIX), flips)
        assert finding.answer == Explanation("alone", (patch,))
        assert finding.proved
        assert len(runs) <= 7
        for guess in SIX:
            finding, runs = asked(subsets(SIX), flips, guess)
            assert finding.answer == Explanation("alone", (patch,))
            assert len(runs) <= (4 if guess == patch else 9)


@pytest.mark.parametrize("kind", ["all", "any"])
def test_pairs_and_triples_on_all_subsets(kind: str) -> None:
    """Out of 64 builds at most 11 are run for a pair, both needed or either enough, and 14 for a triple."""
    for size, most in ((2, 11), (3, 14)):
        for several in combinations(SIX, size):
            right = Explanation("all" if kind == "all" else "any", several)
            finding, runs = asked(subsets(SIX), right.flips)
            assert (finding.answer, finding.proved) == (right, True)
            assert len(runs) <= most


def test_each_alone_and_left_out_is_enough_for_one_patch_and_finds_pairs() -> None:
    builds = each_alone_and_left_out(SIX)
    for patch in SIX:
        finding, runs = asked(builds, lambda build, patch=patch: patch in build, patch)  # type: ignore[misc]
        assert (finding.answer, finding.proved) == (Explanation("alone", (patch,)), True)
        assert len(runs) == 4
    both = Explanation("all", ("0004", "0008"))
    finding, _ = asked(builds, both.flips)
    assert (finding.answer, finding.proved) == (both, False)
    assert finding.missing == (frozenset({"0004", "0008"}),)
    either = Explanation("any", ("0005", "0006"))
    finding, _ = asked(builds, either.flips)
    assert (finding.answer, finding.proved) == (either, False)
    assert finding.missing == (frozenset(SIX) - {"0005", "0006"},)


def test_patches_that_no_build_parts_are_both_named_with_the_build_that_would() -> None:
    builds = [NONE, frozenset({"0004", "0005"}), frozenset(SIX)]
    finding, runs = asked(builds, lambda build: "0005" in build)
    assert [one.patches for one in finding.explanations] == [("0004",), ("0005",)]
    assert finding.answer is None
    assert frozenset({"0004"}) in finding.missing
    assert len(runs) == 3


def test_where_no_explanation_fits_the_smallest_true_step_is_told() -> None:
    """0004 with either 0005 or 0006: neither one patch, nor all, nor any of several."""

    def flips(build: Patches) -> bool:
        return "0004" in build and bool({"0005", "0006"} & build)

    finding, runs = asked(subsets(SIX), flips)
    assert (finding.flips, finding.explanations, finding.answer) == (True, (), None)
    assert finding.step is not None
    fewer, more = finding.step
    assert flips(more)
    assert not flips(fewer)
    assert len(more - fewer) == 1
    assert len(runs) <= 9


def test_ends_that_agree_cost_two_runs_and_claim_nothing() -> None:
    finding, runs = asked(subsets(SIX), lambda build: len(build) == 1)
    assert (finding.flips, finding.explanations, len(runs)) == (False, (), 2)


def test_the_search_starts_from_another_base() -> None:
    builds = subsets(SIX)
    base, full = frozenset({"0004"}), frozenset({"0004", "0005", "0006"})
    finding = run_search(search(builds, base, full), lambda b: "unmet" if "0006" in b else "met")
    assert (finding.answer, finding.proved) == (Explanation("alone", ("0006",)), True)
    assert all(base <= build <= full for build in finding.seen)


def test_ends_that_are_no_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="two ends"):
        run_search(search(stack(SIX), frozenset(SIX), NONE), lambda build: "met")
