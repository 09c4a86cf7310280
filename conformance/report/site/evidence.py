"""The evidence on a requirement's page: what happened on each target, two and two side by side."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from conformance.judge.comparison import Row
from conformance.judge.verdict import Verdict
from conformance.report.alignment import Pair, side_by_side
from conformance.report.decisive import deciding, missing
from conformance.report.site.event_table import one_column, two_columns
from conformance.report.site.html import Html, joined, scrolling, tag
from conformance.report.site.sequence import picture
from conformance.report.story import Event, events_of
from conformance.report.words import listed


@dataclass(frozen=True)
class Story:
    """What happened on one target."""

    label: str
    events: list[Event]
    deciding: Event | None  #: what the failing assertion looked at
    verdict: Verdict


def evidence(row: Row, labels: Sequence[str]) -> Html:
    """Every story beside the first one; those that tell the same are named and not repeated."""
    stories: list[Story] = []
    problems: list[Html] = []
    for label, verdict in zip(labels, row.cells, strict=True):
        if events := events_of(verdict.record):
            stories.append(Story(label, events, deciding(verdict, events), verdict))
        else:
            why = "its record holds nothing" if verdict.record else "the run file holds no record of it"
            problems.append(tag("p", f"{label}: {why}.", class_="quiet"))
    kinds = _same_stories(stories)
    if len(stories) == 1:
        table = one_column(stories[0].events, stories[0].label, _deciding(stories))
        return joined((*problems, table, _pictures([(stories[0], ())])))
    parts = [
        _two(kinds[0], other, number, len(kinds) - 1, row.patch) for number, other in enumerate(kinds[1:], 1)
    ]
    if len(kinds) == 1:
        first, second, *others = stories
        parts = [_two([first, *others], [second], 1, 1, row.patch)]
    return joined((*problems, *parts))


def _same_stories(stories: Sequence[Story]) -> list[list[Story]]:
    """Stories together that `side_by_side` finds the same, in the order in which the first of them stands."""
    kinds: dict[object, list[Story]] = {}
    for story in stories:
        channels: dict[str, list[tuple[str, ...]]] = {}
        for event in story.events:
            channels.setdefault(event.channel, []).append(event.same_as)
        kind = tuple(sorted((name, tuple(said)) for name, said in channels.items()))
        kinds.setdefault(kind, []).append(story)
    return list(kinds.values())


def _two(left: Sequence[Story], right: Sequence[Story], number: int, count: int, patch: str) -> Html:
    """Two kinds of stories, by the first of each; `number` of `count` on the page. `patch` is the row's."""
    ours, theirs = left[0], right[0]
    pairs = side_by_side(ours.events, theirs.events)
    notes = []
    for first, *rest in (left, right):
        others = listed(story.label for story in rest)
        if rest:
            notes.append(tag("p", f"The same as on {first.label} happened on {others}.", class_="quiet"))
    name, decides, lacks = f"difference-{number}", _deciding((ours, theirs)), False
    if not decides:
        decides, lacks = _missing(ours, theirs, pairs), True
    table = two_columns(pairs, ours.label, theirs.label, name, decides, patch, lacks=lacks)
    title = tag("h3", f"{ours.label} and {theirs.label}") if count > 1 else ""
    drawing = _pictures([(ours, _differing(pairs, 0)), (theirs, _differing(pairs, 1))])
    return joined((title, *notes, table, drawing))


def _deciding(stories: Sequence[Story]) -> frozenset[int]:
    """The `id`s of the events that decide."""
    return frozenset(id(story.deciding) for story in stories if story.deciding is not None)


def _missing(ours: Story, theirs: Story, pairs: Sequence[Pair]) -> frozenset[int]:
    """The `id` of what one story shows, and the other one was expected to: nothing there decides."""
    found = []
    for story, other, side in ((ours, theirs, 1), (theirs, ours, 0)):
        if other.verdict.verdict == "met":
            here = (pair.sides[side] for pair in pairs if not pair.same)
            found.append(missing(story.verdict, [event for event in here if event is not None]))
    return frozenset(id(event) for event in found if event is not None)


def _differing(pairs: Sequence[Pair], side: int) -> frozenset[int]:
    """The `id`s of a side's events that the other side has otherwise."""
    return frozenset(id(event) for pair in pairs if not pair.same and (event := pair.sides[side]))


def _pictures(drawn: Sequence[tuple[Story, Collection[int]]]) -> Html:
    figures = []
    for story, differing in drawn:
        if image := picture(story.events, differing, story.label):
            caption = tag("figcaption", f"In order of time, on {story.label}")
            figures.append(tag("figure", caption, scrolling(image, aria_label="picture")))
    return tag("div", joined(figures), class_="figures") if figures else Html("")
