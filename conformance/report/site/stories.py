"""What happened on each target of a row, and which targets tell the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.judge.comparison import Row
from conformance.judge.verdict import Verdict
from conformance.report.story import Event, events_of


@dataclass(frozen=True)
class Story:
    """One target's events. `index` is that of its run; `problem` says why there are none, "" otherwise."""

    index: int
    label: str
    events: list[Event]
    problem: str = ""


@dataclass(frozen=True)
class SameStory:
    """Targets whose stories differ in nothing but times, process numbers and challenges; the first speaks."""

    story: Story
    labels: tuple[str, ...]

    @property
    def events(self) -> list[Event]:
        return self.story.events


def stories(row: Row, labels: Sequence[str]) -> list[Story]:
    """One story for each run, in their order."""
    pairs = enumerate(zip(row.cells, labels, strict=True))
    return [_story(index, label, verdict) for index, (verdict, label) in pairs]


def same_stories(told: Sequence[Story]) -> list[SameStory]:
    """The stories, each kind once, in the order in which they first stand; those with a problem left out."""
    kinds: dict[object, list[Story]] = {}
    for story in told:
        if not story.problem:
            kinds.setdefault(_kind(story), []).append(story)
    return [SameStory(same[0], tuple(story.label for story in same)) for same in kinds.values()]


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _story(index: int, label: str, verdict: Verdict) -> Story:
    if verdict.record is None:
        return Story(index, label, [], "the run file holds no record of it")
    events = events_of(verdict.record)
    return Story(index, label, events, "" if events else "its record holds nothing")


def _kind(story: Story) -> object:
    """Equal for stories that `side_by_side` finds the same."""
    channels: dict[str, list[tuple[str, ...]]] = {}
    for event in story.events:
        channels.setdefault(event.channel, []).append(event.same_as)
    return tuple(sorted((name, tuple(said)) for name, said in channels.items()))
