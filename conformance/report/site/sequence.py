"""A story as a small picture: lanes for client, qmail, DNS and exchanger, an arrow for each thing said.

The transcript is its text alternative, so the picture may leave out what does not fit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.report.site.html import Html, joined, tag, text
from conformance.report.story import Event
from conformance.report.words import numbered, one_line

#: Arrows in one picture.
ROWS = 28
_LANES = ("client", "qmail", "dns", "exchanger")
_ROW, _TOP, _MARGIN = 26, 40, 48
_CHARACTER = 6.7  #: what one character of a label takes
_NAME = 16  #: characters of a domain name in a question


@dataclass(frozen=True)
class Arrow:
    """One arrow: from lane to lane, its words, and whether the other target's story has it otherwise."""

    source: str
    sink: str
    words: str
    differs: bool


def arrows(events: Sequence[Event], differing: Collection[int]) -> list[Arrow]:
    """The arrows of a story; `differing` holds the `id`s of events that the other story lacks.

    Lines that one side says in a row in one conversation are one arrow; each DNS message has its own.
    """
    drawn = [event for event in events if event.speaker in _LANES and event.listener in _LANES]
    found = []
    for (_, source, sink, _), group in groupby(enumerate(drawn), key=lambda item: _key(*item)):
        said = [event for _, event in group]
        words = _words(said[0]) + (f" (+{len(said) - 1})" if len(said) > 1 else "")
        found.append(Arrow(source, sink, words, any(id(event) in differing for event in said)))
    return found


def picture(events: Sequence[Event], differing: Collection[int], label: str) -> Html:
    """The picture as SVG with a title and a description; empty when there is nothing to draw."""
    every = arrows(events, differing)
    if not every:
        return Html("")
    lanes = [lane for lane in _LANES if any(lane in (arrow.source, arrow.sink) for arrow in every)]
    gap = 360 if len(lanes) == 2 else 205
    at = {lane: _MARGIN + gap * i for i, lane in enumerate(lanes)}
    shown, left_out = _chosen(every)
    height = _TOP + _ROW * len(shown) + 14
    width = 2 * _MARGIN + gap * (len(lanes) - 1)
    questions = sum(arrow.sink == "dns" for arrow in every)
    description = f"{numbered(len(every), 'step')}, {numbered(questions, 'DNS question')}."
    description += f" {numbered(left_out, 'step')} not drawn." if left_out else ""
    description += " The transcript says the same in words."
    parts = [tag("title", f"Sequence on {label}"), tag("desc", description)]
    for lane in lanes:
        x = str(at[lane])
        parts.append(tag("text", "DNS" if lane == "dns" else lane, x=x, y="16", class_="lane"))
        parts.append(tag("line", x1=x, x2=x, y1="24", y2=str(height), class_="lane"))
    for index, arrow in enumerate(shown):
        y = _TOP + _ROW * index + 10
        more = tag(
            "text", f"… {left_out} more in the transcript …", x=str(width // 2), y=str(y), class_="gap"
        )
        parts.append(more if arrow is None else _drawn(arrow, at, y))
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    label = f"Sequence on {one_line(label)}: {description}"
    return tag("svg", joined(parts), **size, role="img", aria_label=label, class_="sequence")


def _key(index: int, event: Event) -> tuple[str, str, str, int]:
    alone = index + 1 if event.channel == "dns" or event.text.startswith("[") else 0
    return event.channel, event.speaker, event.listener, alone


def _words(event: Event) -> str:
    if event.channel != "dns":
        return one_line(event.text)
    name, _, kind = event.text.rpartition(" ")
    if len(name) > _NAME:
        name = f"{name[: _NAME - 12]}…{name[-11:]}"
    said = f"{name} {kind}" if name else event.text
    note = event.note.removeprefix("over ").replace(" octets over ", " B ").replace(", truncated", ", TC")
    return one_line(f"{said} {note}")


def _chosen(every: Sequence[Arrow]) -> tuple[list[Arrow | None], int]:
    """What is drawn, None where something is left out: the first ones, then those about a difference."""
    if len(every) <= ROWS:
        return list(every), 0
    half = ROWS // 2
    later = next((i for i, arrow in enumerate(every) if arrow.differs and i >= half), len(every))
    start = max(half, min(later - 2, len(every) - half))
    end = start + half
    if start == half:
        return [*every[:end], None], len(every) - end
    tail: list[Arrow | None] = [None] if end < len(every) else []
    return [*every[:half], None, *every[start:end], *tail], len(every) - 2 * half


def _drawn(arrow: Arrow, at: dict[str, int], y: int) -> Html:
    source, sink = at[arrow.source], at[arrow.sink]
    step = 1 if sink > source else -1
    words = arrow.words
    limit = int((abs(sink - source) - 16) / _CHARACTER)
    if len(words) > limit:
        words = words[: limit - 1].rstrip() + "…"
    sign = f'<text x="{min(source, sink) + 6}" y="{y - 4}" class="sign">≠</text>' if arrow.differs else ""
    opening = '<g class="differs">' if arrow.differs else "<g>"
    return Html(
        f'{opening}<line x1="{source}" x2="{sink - 6 * step}" y1="{y}" y2="{y}"></line>'
        f'<path d="M{sink} {y} l{-7 * step} -4 l0 8 z"></path>{sign}'
        f'<text x="{(source + sink) // 2}" y="{y - 4}">{text(words)}</text></g>'
    )
