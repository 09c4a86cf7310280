"""What happened on each target of a row, and which targets tell the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.judge.comparison import Row
from conformance.judge.verdict import Verdict
from conformance.report.story import Event, tell


@dataclass(frozen=True)
class Story:
    """One target's events. `index` is that of its run; `problem` says why there are none, "" otherwise."""

    index: int
    label: str
    events: list[Event]
    problem: str = ""


@dataclass(frozen=True)
class Telling:
    """Targets whose stories differ in nothing but times, process numbers and challenges; the first speaks."""

    story: Story
    labels: tuple[str, ...]

    @property
    def events(self) -> list[Event]:
        return self.story.events


def stories(row: Row, labels: Sequence[str]) -> list[Story]:
    """One story for each run, in their order. A record that cannot be read is a problem, never an error."""
    pairs = enumerate(zip(row.cells, labels, strict=True))
    return [_story(index, label, verdict) for index, (verdict, label) in pairs]


def tellings(told: Sequence[Story]) -> list[Telling]:
    """The stories, each kind once, in the order in which they first stand; those with a problem left out."""
    kinds: dict[object, list[Story]] = {}
    for story in told:
        if not story.problem:
            kinds.setdefault(_kind(story), []).append(story)
    return [Telling(same[0], tuple(story.label for story in same)) for same in kinds.values()]


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _story(index: int, label: str, verdict: Verdict) -> Story:
    if verdict.record is None:
        return Story(index, label, [], "the run file holds no record of it")
    try:
        events = tell(verdict.record)
        for event in events:
            _check(event)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        return Story(index, label, [], f"its record cannot be read ({what})")
    return Story(index, label, events, "" if events else "its record holds nothing")


def _check(event: Event) -> None:
    """Raise TypeError for an event that no page can show; records are read as they come."""
    if not isinstance(event.at, (int, float)) or not isinstance(event.text, str):
        raise TypeError(f"{event.channel}: a time or a text is of another type")


def _kind(story: Story) -> object:
    """Equal for stories that `side_by_side` finds the same."""
    channels: dict[str, list[tuple[str, ...]]] = {}
    for event in story.events:
        channels.setdefault(event.channel, []).append(event.same_as)
    return tuple(sorted((name, tuple(said)) for name, said in channels.items()))
