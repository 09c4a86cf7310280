"""The search for the patches that flip a verdict: right on every small truth table, and with few runs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, product
from math import ceil, log2

import pytest

from conformance.attribution.explanation import Explanation, Kind, Patches, explanations
from conformance.attribution.search import SearchResult, search

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
    return [NONE, *ones, *(full - alone for alone in ones), full]


def asked(
    builds: Sequence[Patches], flips: Callable[[Patches], bool], likely: str = ""
) -> tuple[SearchResult, list[Patches]]:
    """The result on a truth, and the builds that were run."""
    runs: list[Patches] = []

    def verdict(build: Patches) -> str:
        runs.append(build)
        return "met" if flips(build) else "unmet"

    full = frozenset().union(*builds)
    return search(builds, NONE, full, verdict, likely), runs


def tables(patches: Sequence[str]) -> Iterator[dict[Patches, bool]]:
    """Every truth table in which the two ends differ."""
    inner = [build for build in subsets(patches) if 0 < len(build) < len(patches)]
    for values in product((False, True), repeat=len(inner)):
        yield {NONE: False, frozenset(patches): True, **dict(zip(inner, values, strict=True))}


def is_monotone(table: dict[Patches, bool]) -> bool:
    return not any(a < b and table[a] and not table[b] for a in table for b in table)


def families(patches: Sequence[str]) -> list[list[Patches]]:
    return [subsets(patches), stack(patches), stack(patches[::-1]), each_alone_and_left_out(patches)]


def check(
    result: SearchResult, runs: list[Patches], builds: list[Patches], table: dict[Patches, bool]
) -> None:
    """What must hold of every result on every truth."""
    assert len(runs) == len(set(runs)), "a verdict that was decided once is not asked for again"
    assert set(runs) <= set(builds)
    assert list(result.seen) == runs
    for explanation in result.explanations:
        assert all(explanation.flips(build) == table[build] for build in runs)
    if not result.proved:
        for build in set(builds) - set(runs):
            assert len({explanation.flips(build) for explanation in result.explanations}) < 2, (
                "an explanation is left that a build could have told"
            )
    assert result.step is not None
    fewer, more = result.step
    assert fewer < more
    assert table[fewer] != table[more]
    if not result.explanations:
        assert not any(fewer < build < more for build in builds), "the step is as small as the builds allow"
    if result.proved and is_monotone(table):
        answer = result.answer
        assert answer is not None
        assert all(answer.flips(build) == table[build] for build in table), "proved, and wrong"
    assert not set(result.missing) & set(builds)


def test_every_truth_table_of_three_patches_in_every_family() -> None:
    three = SIX[:3]
    for builds in families(three):
        for table in tables(three):
            for likely in ("", *three):
                check(*asked(builds, table.__getitem__, likely), builds, table)


def test_every_monotone_truth_of_four_patches() -> None:
    four = SIX[:4]
    truths = list(filter(is_monotone, tables(four)))
    assert len(truths) == 166, "168 monotone functions of four variables, without the two constant ones"
    for table, builds in product(truths, families(four)):
        result, runs = asked(builds, table.__getitem__)
        check(result, runs, builds, table)
        if len(builds) == 2 ** len(four):
            exact = [found for found in explanations(four) if all(found.flips(b) == table[b] for b in table)]
            assert list(result.explanations) == exact, "all builds are there, so the answer is exact"
            assert result.proved == bool(exact)


@pytest.mark.parametrize("patch", SIX)
def test_a_single_patch_takes_few_runs(patch: str) -> None:
    """By halves on a stack, seven on all subsets, and four with a good guess."""
    alone = Explanation("alone", (patch,))
    for height in range(SIX.index(patch) + 1, 7):
        result, runs = asked(stack(SIX[:height]), alone.flips)
        assert result.answer == alone
        assert len(runs) <= 2 + ceil(log2(height))
    for builds, guess, most in (
        (subsets(SIX), "", 7),
        (each_alone_and_left_out(SIX), patch, 4),
        *((subsets(SIX), guess, 4 if guess == patch else 9) for guess in SIX),
    ):
        result, runs = asked(builds, alone.flips, guess)
        assert (result.answer, result.proved) == (alone, True)
        assert len(runs) <= most


@pytest.mark.parametrize("kind", ["all", "any"])
def test_pairs_and_triples_on_all_subsets(kind: Kind) -> None:
    """Out of 64 builds at most 11 are run for a pair, both needed or either enough, and 14 for a triple."""
    for size, most in ((2, 11), (3, 14)):
        for several in combinations(SIX, size):
            right = Explanation(kind, several)
            result, runs = asked(subsets(SIX), right.flips)
            assert (result.answer, result.proved) == (right, True)
            assert len(runs) <= most


@pytest.mark.parametrize(
    ("pair", "missing"),
    [
        (Explanation("all", ("0004", "0008")), frozenset({"0004", "0008"})),
        (Explanation("any", ("0005", "0006")), frozenset(SIX) - {"0005", "0006"}),
    ],
)
def test_each_alone_and_left_out_finds_pairs_and_names_the_build_that_proves_them(
    pair: Explanation, missing: Patches
) -> None:
    result, _ = asked(each_alone_and_left_out(SIX), pair.flips)
    assert (result.answer, result.proved, result.missing) == (pair, False, (missing,))


def test_patches_that_no_build_parts_are_both_named_with_the_build_that_would() -> None:
    builds = [NONE, frozenset({"0004", "0005"}), frozenset(SIX)]
    result, runs = asked(builds, lambda build: "0005" in build)
    assert [explanation.patches for explanation in result.explanations] == [("0004",), ("0005",)]
    assert (result.answer, len(runs)) == (None, 3)
    assert frozenset({"0004"}) in result.missing


def test_where_no_explanation_fits_the_smallest_true_step_is_told() -> None:
    """0004 with either 0005 or 0006: neither one patch, nor all, nor any of several."""

    def flips(build: Patches) -> bool:
        return "0004" in build and bool({"0005", "0006"} & build)

    result, runs = asked(subsets(SIX), flips)
    assert (result.flips, result.explanations, result.answer) == (True, (), None)
    assert result.step is not None
    fewer, more = result.step
    assert flips(more)
    assert not flips(fewer)
    assert len(more - fewer) == 1
    assert len(runs) <= 9


def test_ends_that_agree_cost_two_runs_and_claim_nothing() -> None:
    result, runs = asked(subsets(SIX), lambda build: len(build) == 1)
    assert (result.flips, result.explanations, len(runs)) == (False, (), 2)
    with pytest.raises(ValueError, match="two ends"):
        search(stack(SIX), frozenset(SIX), NONE, lambda build: "met")


def test_the_search_starts_from_another_base() -> None:
    base, full = frozenset({"0004"}), frozenset({"0004", "0005", "0006"})
    result = search(subsets(SIX), base, full, lambda build: "unmet" if "0006" in build else "met")
    assert (result.answer, result.proved) == (Explanation("alone", ("0006",)), True)
    assert all(base <= build <= full for build in result.seen)
