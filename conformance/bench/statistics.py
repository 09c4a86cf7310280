"""What rounds of measurements say: medians, bootstrap intervals of paired ratios, and when to keep silent.

Builds are measured in interleaved rounds, so what disturbs the machine disturbs both sides of a pair. The
ratio of each round is taken first and its median afterwards; the interval is the percentile bootstrap over
rounds (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3), 95 % wide.

For a median of few rounds that interval is too narrow: with seven it holds the true value in 89 of 100
cases, with fifteen in 91. So it is widened, where need be, to the two rounds in order of size between which
the median lies with 95 % (the sign test turned round; the binomial distribution knows which). With five to
eight rounds those are the least and the greatest: a difference is shown only when every round shows it.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Literal

#: Fewer rounds give an interval that means nothing: five have a chance of 1 in 16 to fall on one side.
LEAST_ROUNDS = 5
RESAMPLES = 4000
_TAIL = 0.025

Judgement = Literal["faster", "slower", "no difference shown", "too noisy to say"]


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % interval: `low` <= `middle` <= `high`, without a unit for ratios."""

    low: float
    middle: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@lru_cache(maxsize=4096)  # a bench asks for the same ones at the end of every round
def paired_ratio(first: tuple[float, ...], second: tuple[float, ...], seed: int) -> Interval:
    """How many times the rate of `first` that of `second` is, from rates of the same rounds in order.

    Raises ValueError when the rounds do not pair or are fewer than LEAST_ROUNDS, or a rate is not positive.
    """
    if len(first) != len(second) or len(first) < LEAST_ROUNDS:
        raise ValueError(f"{len(first)} and {len(second)} rounds: at least {LEAST_ROUNDS} pairs are needed")
    if min(*first, *second) <= 0:
        raise ValueError("a rate is not positive")
    ratios = [rate / beside for beside, rate in zip(first, second, strict=True)]
    chance = random.Random(seed)
    medians = sorted(median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    low, high = medians[int(_TAIL * RESAMPLES)], medians[math.ceil((1 - _TAIL) * RESAMPLES) - 1]
    ratios.sort()
    inner = outside(len(ratios))
    return Interval(min(low, ratios[inner]), median(ratios), max(high, ratios[-1 - inner]))


def outside(rounds: int) -> int:
    """How many of so many values in order, at each end, lie outside a 95 % interval for their median."""
    likely, count = 0.0, 0
    while True:
        likely += math.comb(rounds, count) / 2**rounds
        if likely > _TAIL:
            return max(0, count - 1)
        count += 1


def judge(ratio: Interval, control: Interval) -> Judgement:
    """What a ratio says, beside the ratio that a build has to itself.

    Where the control shows a difference there is none to be trusted.
    """
    if not control.holds(1.0):
        return "too noisy to say"
    if ratio.low > 1.0:
        return "faster"
    return "slower" if ratio.high < 1.0 else "no difference shown"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def orders(names: Sequence[str], rounds: int, seed: int) -> list[list[str]]:
    """For each round the names in the order in which they are measured, shuffled by `seed`."""
    chance = random.Random(seed)
    return [chance.sample(list(names), len(names)) for _ in range(rounds)]
