"""A stream of generated scenarios: batches that grow out of what those before have shown.

The same area and seed give the same stream on the same model, whoever plays it.
"""

import contextlib
import warnings
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings

from conformance.errors import UsageError
from conformance.explore.areas import AREAS
from conformance.explore.document import Document, Made, made
from conformance.explore.steering import Steer
from conformance.explore.variants import built_upon

#: Scenarios of a batch, and how many of them are built upon older ones as soon as there are such.
BATCH = 50
_BUILT = 20

#: Scenarios that are kept to be built upon: the last ones that showed something new.
_KEPT = 200


class Stream:
    """The stream of an area."""

    def __init__(self, area: str, seed: str) -> None:
        self.area = AREAS[area]
        self._random = Random(f"{area} {seed}")
        self._steer = Steer(Random(f"{area} {seed} seeds"))
        self._corpus: list[Document] = []
        self.seen: set[str] = set()  #: all that its scenarios reached

    def batch(self, size: int = BATCH) -> list[Made]:
        """The next scenarios; about `size` of them."""
        self._steer.settle()
        built = self._built(size * _BUILT // BATCH) if self._corpus else []
        return [*self._fresh(size - len(built)), *built]

    def learn(self, made: Made, sights: set[str]) -> None:
        """What a scenario reached on the model."""
        is_new = not sights <= self.seen
        self.seen |= sights
        self._steer.learn(list(made.drawn), is_new)
        if is_new:
            self._corpus.append(made.document)
            del self._corpus[:-_KEPT]

    def _fresh(self, count: int) -> list[Made]:
        found: list[Made] = []

        @seed(self._random.getrandbits(64))
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(self.area.documents(self._steer))
        def note(document: Document) -> None:
            with contextlib.suppress(UsageError):
                found.append(made(document, self._steer.drawn))
            self._steer.drawn.clear()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            note()
        return found

    def _built(self, count: int) -> list[Made]:
        found: list[Made] = []
        for _ in range(count):
            document = built_upon(self._random, *(self._random.choice(self._corpus) for _ in range(2)))
            with contextlib.suppress(UsageError):  # it does not read as a scenario
                found.append(made(document))
        return found
