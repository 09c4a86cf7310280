"""Statistics of rounds: known answers, and that noise is not taken for a difference."""

import random

import pytest

from conformance.bench.statistics import (
    Interval,
    judge,
    orders,
    outside,
    paired_ratio,
    percentile,
)

QUIET = Interval(0.98, 1.0, 1.02)


def test_a_constant_ratio_is_found_exactly_however_the_machine_drifts() -> None:
    first = (100.0, 50.0, 200.0, 80.0, 10.0)
    assert paired_ratio(first, tuple(2 * rate for rate in first), seed=1) == Interval(2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("rounds", "better", "least"), [(6, 0, 94), (7, 0, 94), (8, 0, 94), (9, 0, 94), (15, 10, 85)]
)
def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says(
    rounds: int, better: float, least: int
) -> None:
    """Of few rounds a plain bootstrap of the median holds the true value in 90 to 93 of 100 cases."""
    chance = random.Random(rounds)
    held = 0
    for seed in range(100):
        first = tuple(chance.gauss(100, 3) for _ in range(rounds))
        second = tuple(chance.gauss(100 + better, 3) for _ in range(rounds))
        held += paired_ratio(first, second, seed).holds(1 + better / 100)
    assert held >= least


def test_how_many_rounds_may_lie_outside_an_interval() -> None:
    """From the sign test: the most k for which k heads or fewer of n have a chance of 0.025 at most."""
    counts = {5: 0, 6: 0, 7: 0, 8: 0, 9: 1, 11: 1, 12: 2, 15: 3, 20: 5}
    assert {rounds: outside(rounds) for rounds in counts} == counts


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = (5.0, 6.0, 7.0, 8.0, 9.0), (6.0, 6.0, 6.0, 7.0, 9.0)
    assert paired_ratio(first, second, 3) == paired_ratio.__wrapped__(first, second, 3)


@pytest.mark.parametrize(
    ("ratio", "control", "said"),
    [
        (Interval(1.01, 1.2, 1.3), QUIET, "faster"),
        (Interval(0.7, 0.8, 0.99), QUIET, "slower"),
        (Interval(0.9, 1.1, 1.3), QUIET, "no difference shown"),
        (Interval(1.0, 1.1, 1.3), QUIET, "no difference shown"),
        (Interval(0.1, 0.2, 0.3), Interval(1.01, 1.1, 1.2), "too noisy to say"),
        (Interval(0.1, 0.2, 0.3), Interval(0.8, 0.9, 0.99), "too noisy to say"),
    ],
)
def test_a_difference_is_said_only_when_the_interval_and_the_control_bear_it_out(
    ratio: Interval, control: Interval, said: str
) -> None:
    assert judge(ratio, control) == said


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0] * 4, [1.0] * 4), ([1.0] * 5, [1.0] * 6), ([1.0] * 5, [1.0, 1.0, 0.0, 1.0, 1.0])],
)
def test_what_cannot_be_compared_is_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match=r"needed|positive"):
        paired_ratio(tuple(first), tuple(second), 1)


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]


def test_every_round_measures_every_target_once_in_an_order_that_the_seed_fixes() -> None:
    made = orders(["a", "b", "a again"], 20, seed=5)
    assert all(sorted(order) == ["a", "a again", "b"] for order in made)
    assert len({tuple(order) for order in made}) > 3
    assert made == orders(["a", "b", "a again"], 20, seed=5) != orders(["a", "b", "a again"], 20, seed=6)
