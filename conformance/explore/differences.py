"""What tells two stories apart, channel by channel, each kind once."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.report.alignment import Pair, side_by_side
from conformance.report.story import Event

_WAITED = re.compile(r"\[after (\d+) s\]")
#: What varies within one kind of event: names, numbers, credentials, and everything behind it.
_NAMED = (
    (re.compile(r"<[^<>]*>"), "<…>"),
    (re.compile(r"\"[^\"]*\""), '"…"'),
    (re.compile(r"[\w.+=-]*@[\w.-]+"), "…@…"),
    (re.compile(r"(?<![#\w.])\d+(?:\.\d+)*(?![\d.)])"), "N"),
    (re.compile(r"[A-Za-z0-9+/]{24,}={0,2}"), "…"),
    (re.compile(r"(.)\1{9,}"), r"\1…"),
)
_REPLY = re.compile(r"[2-5]\d\d[ -]")
_EXCHANGER = re.compile(r"127\.\d+\.\d+\.\d+:\d+")
_LONGEST = 100


@dataclass(frozen=True)
class Difference:
    """What differs, by kind: the channel without its number, and what each side shows there.

    Two with the same values are one: what names, numbers and credentials were said does not tell them apart.
    """

    channel: str
    left: str
    right: str

    def __str__(self) -> str:
        right = "the like, other in its details" if self.left == self.right else self.right
        return f"{self.channel}: {self.left} | {right}"


def differ(left: Sequence[Event], right: Sequence[Event]) -> bool:
    """Whether two stories differ at all; quick."""
    return _by_channel(left) != _by_channel(right)


def _by_channel(events: Iterable[Event]) -> dict[str, list[tuple[str, str, str, str]]]:
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for event in events:
        found.setdefault(event.channel, []).append(event.same_as)
    return found


def differences(left: Sequence[Event], right: Sequence[Event], *, in_pods: bool = False) -> list[Difference]:
    """The differences of two stories, each kind once, what came first first.

    `in_pods`: a wait that is longer or shorter by what a busy machine adds is no difference.
    """
    pairs = side_by_side(left, right)
    if in_pods:
        pairs = [pair for pair in pairs if pair.same or not _is_near(pair)]
    common = [
        sorted(event.at for pair in pairs if pair.same and (event := pair.sides[side])) for side in (0, 1)
    ]

    def when(pair: Pair) -> tuple[int, float]:
        sides = zip(pair.sides, common, strict=True)
        return min((bisect_left(times, event.at), event.at) for event, times in sides if event is not None)

    found = sorted((pair for pair in pairs if not pair.same), key=when)
    return list(dict.fromkeys(map(_difference, found)))


def _is_near(pair: Pair) -> bool:
    """Whether these are waits, or one and none, that differ by a second and a fifth of it at the most."""
    texts = [event.text for event in pair.sides if event is not None]
    waits = [int(found[1]) for text in texts if (found := _WAITED.fullmatch(text))]
    if len(waits) < len(texts):
        return False
    shorter, longer = sorted([*waits, 0][:2])
    return longer - shorter <= 1 + longer / 5


def _difference(pair: Pair) -> Difference:
    event = pair.left or pair.right
    assert event is not None, "a row has something to say"
    channel = event.channel.partition(" ")[0]
    channel = "exchanger" if _EXCHANGER.fullmatch(channel) else channel
    return Difference(channel, kind_of(pair.left), kind_of(pair.right))


def promise_broken(sentence: str) -> Difference:
    """What needs no model: a sentence about what every session keeps."""
    return Difference("promise", _without_names(sentence), "kept")


def kind_of(event: Event | None) -> str:
    """The kind of an event: its text without names, numbers and credentials."""
    if event is None:
        return "nothing"
    text = event.text
    if event.listener == "exchanger" and not text.startswith("["):
        return f"qmail says {text.split(' ')[0].split(':')[0].upper()[:20]}"
    reply = _REPLY.match(text)
    head, text = (text[: reply.end()], text[reply.end() :]) if reply else ("", text)
    return f"{event.speaker}: {head}{_without_names(text)}"


def _without_names(text: str) -> str:
    for pattern, word in _NAMED:
        text = pattern.sub(word, text)
    return text[:_LONGEST]
