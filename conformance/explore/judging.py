"""Plays a generated scenario on a build and on what it is held against, and says what differs unexplained."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from conformance.explore.chance import without_lost
from conformance.explore.coverage import sights
from conformance.explore.differences import Difference, differ, differences, promise_broken
from conformance.explore.document import Made
from conformance.explore.invariants import broken
from conformance.explore.playing import Side
from conformance.explore.rules import heard, is_storm, kept
from conformance.explore.telling import told
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets
from conformance.report.story import events_of


@dataclass(frozen=True)
class Judged:
    """What came of a scenario. `explained`: differences that the models show too; `sights` of the model."""

    differences: tuple[Difference, ...]
    left: Record
    right: Record
    sights: frozenset[str] = frozenset()
    explained: int = 0


class Judge(Protocol):
    """Two qmails that are held against each other."""

    left: Side
    right: Side
    is_instant: bool  #: both are

    async def judge(self, made: Made, *, fresh: bool = False) -> Judged:
        """Play on both; `fresh`: in pods of their own. WorldError when the world fails."""


class AgainstModel:
    """A build and its model."""

    def __init__(self, build: Side, model: Side) -> None:
        self.left, self.right = build, model
        self.is_instant = build.is_instant

    async def judge(self, made: Made, *, fresh: bool = False) -> Judged:
        left, right = await _both(self.left, self.right, made, fresh)
        found = [*_promises(made, left, right), *between(left, right, self.is_instant)]
        return Judged(tuple(found), left, right, frozenset(sights(events_of(right))))


class AgainstBuild:
    """Two builds, and their models, which explain what they differ in by what is known of them."""

    def __init__(self, left: Side, right: Side, models: tuple[Side, Side]) -> None:
        self.left, self.right = left, right
        self._models = models
        self.is_instant = left.is_instant and right.is_instant

    async def judge(self, made: Made, *, fresh: bool = False) -> Judged:
        left, right = await _both(self.left, self.right, made, fresh)
        modelled = [await model.play(made, fresh=fresh) for model in self._models]
        found = between(left, right, self.is_instant)
        known = set(self._known(found, (left, right), modelled))
        unexplained = [each for each in found if each not in known]
        models = zip((left, right), modelled, strict=True)
        promises = [each for one, model in models for each in _promises(made, one, model)]
        seen = frozenset(sights(events_of(modelled[1])))
        return Judged((*promises, *unexplained), left, right, seen, len(found) - len(unexplained))

    def _known(
        self, found: list[Difference], records: tuple[Record, Record], modelled: list[Record]
    ) -> list[Difference]:
        """What the models differ in; all of it, where each build does what its model does."""
        if not found or any(between(*two, self.is_instant) for two in zip(records, modelled, strict=True)):
            return between(modelled[0], modelled[1], self.is_instant)
        return found


async def _both(left: Side, right: Side, made: Made, fresh: bool) -> tuple[Record, Record]:
    """Both at once, for packages wait."""
    if left.is_instant and right.is_instant:
        return await left.play(made, fresh=fresh), await right.play(made, fresh=fresh)
    one, other = await asyncio.gather(left.play(made, fresh=fresh), right.play(made, fresh=fresh))
    return one, other


def between(left: Record, right: Record, is_instant: bool) -> list[Difference]:
    """What differs; real deliveries are under way several at once, and end in any order."""
    if left == right:  # two references have the same clock and the same numbers
        return []
    if not is_instant and is_storm(left) and is_storm(right):
        return []
    tell = partial(told, in_any_order=not is_instant)
    stories = tell(left), tell(right)
    if not differ(*stories):
        return []
    # Passwords stand as they are in the records of a reference.
    stories = tell(fixture_secrets().hide(left)), tell(fixture_secrets().hide(right))
    if is_instant:  # nothing is left to chance on two references
        return differences(*stories) if differ(*stories) else []
    stories = without_lost((heard(stories[0]), heard(stories[1])), (left, right))
    return kept(differences(*stories, in_pods=True)) if differ(*stories) else []


def _promises(made: Made, record: Record, model: Record) -> Sequence[Difference]:
    """What every session keeps and this one does not; but for what is known to be so."""
    found = broken(record, made.scenario)
    known = broken(model, made.scenario) if found and model != record else found
    return [promise_broken(sentence) for sentence in found if sentence not in known]
