"""Two stories side by side: what is the same, what answers to each other, and where they differ first."""

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from operator import eq

from conformance.report.story import Event

_Opcode = tuple[str, int, int, int, int]
_REPLY = re.compile(r"[2-5]\d\d[ -]")
#: Characters of two lines that are compared to see whether one is the other's counterpart.
_COMPARED = 200
#: Lines of one conversation times lines of the other, up to which the best alignment is looked for.
_ALIGNED = 1_000_000


@dataclass(frozen=True)
class Pair:
    """One row of two stories side by side; None where one story has nothing to say."""

    left: Event | None
    right: Event | None
    same: bool

    @property
    def sides(self) -> tuple[Event | None, Event | None]:
        return self.left, self.right


def side_by_side(left: Sequence[Event], right: Sequence[Event]) -> list[Pair]:
    """Two stories aligned, channel by channel in the order in which the channels first spoke.

    Which of two channels spoke first is chance, so they are not compared with each other. What differs only
    in times, process numbers or challenges counts as the same.
    """
    order = dict.fromkeys(event.channel for event in sorted([*left, *right], key=lambda event: event.at))
    return [pair for channel in order for pair in _aligned(channel, left, right)]


def _aligned(channel: str, left: Sequence[Event], right: Sequence[Event]) -> Iterator[Pair]:
    ours = [event for event in left if event.channel == channel]
    theirs = [event for event in right if event.channel == channel]
    keys, other_keys = ([event.same_as for event in events] for events in (ours, theirs))
    for kind, a, b, c, d in _opcodes(keys, other_keys):
        if kind == "equal":
            yield from (Pair(*two, True) for two in zip(ours[a:b], theirs[c:d], strict=True))
        else:
            yield from _unlike(ours[a:b], theirs[c:d])


def _opcodes(keys: Sequence[Hashable], others: Sequence[Hashable]) -> Iterator[_Opcode]:
    """As SequenceMatcher's, between ends that agree; line by line where it would take minutes."""
    start = _agreeing(keys, others)
    same_end = _agreeing(keys[start:][::-1], others[start:][::-1])
    end, other_end = len(keys) - same_end, len(others) - same_end
    yield "equal", 0, start, 0, start
    if (end - start) * (other_end - start) <= _ALIGNED:
        matcher = SequenceMatcher(None, keys[start:end], others[start:other_end], autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            yield kind, start + a, start + b, start + c, start + d
    else:
        both = min(end, other_end)
        for i in range(start, both):
            yield "equal" if keys[i] == others[i] else "replace", i, i + 1, i, i + 1
        yield "replace", both, end, both, other_end
    yield "equal", end, len(keys), other_end, len(others)


def _unlike(left: Sequence[Event], right: Sequence[Event]) -> Iterator[Pair]:
    """Events that differ: counterparts beside each other, the others one after the other, left ones first."""
    ours: list[Pair] = []
    theirs: list[Pair] = []
    for event, other in zip_longest(left, right):
        if event is not None and other is not None and _counterparts(event, other):
            yield from (*ours, *theirs, Pair(event, other, False))
            ours, theirs = [], []
            continue
        if event is not None:
            ours.append(Pair(event, None, False))
        if other is not None:
            theirs.append(Pair(None, other, False))
    yield from (*ours, *theirs)


def _counterparts(event: Event, other: Event) -> bool:
    """Whether two lines answer to each other: both are replies, or they are much the same."""
    if event.speaker != other.speaker:
        return False
    if _REPLY.match(event.text) and _REPLY.match(other.text):
        return True
    text, other_text = event.text[:_COMPARED], other.text[:_COMPARED]
    return SequenceMatcher(None, text, other_text, autojunk=False).ratio() >= 0.5


def _agreeing(keys: Sequence[object], others: Sequence[object]) -> int:
    """How many of the first keys agree."""
    return sum(takewhile(bool, map(eq, keys, others)))


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The index of the row that differs first, None when none does.

    One run is slower than the other, so their times are not compared: what differs first is what comes when
    the least has happened, in its own run, that both have in common.
    """
    common = [
        sorted(event.at for pair in pairs if pair.same and (event := pair.sides[side])) for side in (0, 1)
    ]

    def when(index: int) -> tuple[int, float]:
        sides = zip(pairs[index].sides, common, strict=True)
        return min((bisect_left(times, event.at), event.at) for event, times in sides if event is not None)

    return min((index for index, pair in enumerate(pairs) if not pair.same), key=when, default=None)
