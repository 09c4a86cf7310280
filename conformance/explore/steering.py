"""Steers what is generated: what was drawn often and showed nothing new is drawn less.

Weights change between batches alone, for within one Hypothesis must draw from the same strategies.
"""

from collections.abc import Iterable, Mapping
from random import Random
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

#: Of how many places in the urn the best option has; every other one has at least one.
_MOST = 8


class Steer:
    """What one stream of scenarios has drawn so far, and what of it was new.

    A choice is known by `place:label`. `drawn` are those of the scenario that is being made; `random` gives
    it its seed.
    """

    def __init__(self, random: Random | None = None) -> None:
        self.random = random or Random(0)
        self.drawn: list[str] = []
        self._uses: dict[str, int] = {}
        self._gains: dict[str, int] = {}
        self._urns: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def choose(self, place: str, options: Mapping[str, SearchStrategy[T]]) -> SearchStrategy[T]:
        """One of the options; which of them is remembered as `place:label`."""

        def chosen(label: str) -> SearchStrategy[T]:
            self.drawn.append(f"{place}:{label}")
            return options[label]

        return st.sampled_from(self.urn(place, options)).flatmap(chosen)

    def learn(self, drawn: list[str], is_new: bool) -> None:
        """What a scenario had drawn, and whether it showed something that none had shown before."""
        for choice in set(drawn):
            self._uses[choice] = self._uses.get(choice, 0) + 1
            self._gains[choice] = self._gains.get(choice, 0) + is_new

    def settle(self) -> None:
        """What was learned counts from now on: between two batches."""
        self._urns.clear()

    def urn(self, place: str, labels: Iterable[str]) -> list[str]:
        """The labels, each as often as it is worth; the same within a batch."""
        labels = tuple(labels)
        if (place, labels) not in self._urns:
            rates = {label: self._rate(f"{place}:{label}") for label in labels}
            best = max(rates.values())
            self._urns[place, labels] = [
                label for label, rate in rates.items() for _ in range(max(1, round(_MOST * rate / best)))
            ]
        return self._urns[place, labels]

    def _rate(self, choice: str) -> float:
        return (self._gains.get(choice, 0) + 1) / (self._uses.get(choice, 0) + 1)
