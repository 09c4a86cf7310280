"""Choices of a grammar, in plain Python: one source of chance, seeded by Hypothesis, steered by the new."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.explore.document import Document, fitted
from conformance.explore.steering import Steer

T = TypeVar("T")


class Choices:
    """The same `random` and the same steering make the same choices."""

    def __init__(self, random: Random, steer: Steer) -> None:
        self.random = random
        self._steer = steer

    def of(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as another."""
        return options[int(self.random.random() * len(options))]

    def between(self, least: int, most: int) -> int:
        """A number, both ends among them."""
        return self.random.randint(least, most)

    def chance(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.random.random() * one_in < 1

    def steered(self, place: str, options: Mapping[str, Callable[[], T]]) -> T:
        """What one of the options makes; which of them is remembered as `place:label`."""
        label = self.of(self._steer.urn(place, tuple(options)))
        self._steer.drawn.append(f"{place}:{label}")
        return options[label]()


def documents(make: Callable[[Choices], Document]) -> Callable[[Steer], SearchStrategy[Document]]:
    """The strategy of what a grammar makes, of one draw, for each has its price.

    The seed is the stream's own: what Hypothesis draws depends on constants in the modules that are loaded.
    """

    def strategy(steer: Steer) -> SearchStrategy[Document]:
        def made(_: int) -> Document:
            return fitted(make(Choices(Random(steer.random.getrandbits(64)), steer)))

        return st.integers(0, 2**64 - 1).map(made)

    return strategy
