"""Two stories side by side as a table, conversation by conversation, with what differs marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from conformance.report.site.html import Html, joined, tag, text
from conformance.report.story import Event, Pair, first_difference

#: Rows of a table; a record of thousands of events is shown by its beginning, its end and its difference.
ROWS = 400
#: Characters of one line; the run file holds it whole.
_LINE = 500

_NAMES = {
    "dns": "DNS",
    "qmail-remote": "qmail-remote: arguments and report",
    "queue": "Queue",
    "mailbox": "Mailboxes",
    "log": "qmail's log",
    "program": "Programs that qmail ran",
    "world": "The world around qmail",
}
_SET_UP = "set-up"  #: told by the configuration, which the page shows
_WIDTHS = tag("col", class_="at") + tag("col", class_="by") + tag("col")
_SESSION = re.compile(r"smtpd (\d{1,6})")


def channel_name(channel: str) -> str:
    """`smtpd 0` is "SMTP session 1 with qmail-smtpd", `127.0.0.2:25` "Exchanger 127.0.0.2:25"."""
    if found := _SESSION.fullmatch(channel):
        return f"SMTP session {int(found[1]) + 1} with qmail-smtpd"
    return _NAMES.get(channel, f"Exchanger {channel}")


def two_columns(pairs: Sequence[Pair], left: str, right: str, name: str) -> Html:
    """The table of two stories, with links to its differences above it. `name` makes its ids its own."""
    pairs = [pair for pair in pairs if _channel(pair) != _SET_UP]
    first = first_difference(pairs)
    numbers = _places(pairs)
    body: list[str] = []
    for channel, rows in groupby(_kept(pairs, first), key=lambda item: _channel(pairs[item[0]])):
        body.append(_heading(channel, 7))
        for index, left_out in rows:
            if left_out:
                body.append(_gap(left_out, 7))
            place = f"{name}-{numbers[index]}" if index in numbers else None
            before = pairs[index - 1] if index and _channel(pairs[index - 1]) == channel else None
            body.append(_row(pairs[index], before, place, index == first))
    head = tag(
        "thead",
        tag(
            "tr",
            tag("td", tag("span", "differs", class_="unseen")),
            tag("th", left, scope="col", colspan="3"),
            tag("th", right, scope="col", colspan="3"),
        ),
    )
    table = tag(
        "table",
        tag("caption", f"What happened on {left} and on {right}", class_="unseen"),
        tag("colgroup", tag("col", class_="sign"), Html(_WIDTHS * 2)),
        head,
        tag("tbody", joined(body)),
        class_="story two",
    )
    return joined((_jumps(pairs, first, numbers, name), table))


def one_column(events: Sequence[Event], label: str) -> Html:
    """The table of a single story."""
    by_channel = dict.fromkeys(event.channel for event in events if event.channel != _SET_UP)
    pairs = [
        Pair(event, None, True) for channel in by_channel for event in events if event.channel == channel
    ]
    body: list[str] = []
    for channel, rows in groupby(_kept(pairs, None), key=lambda item: _channel(pairs[item[0]])):
        body.append(_heading(channel, 3))
        for index, left_out in rows:
            if left_out:
                body.append(_gap(left_out, 3))
            event = pairs[index].left
            body.append(tag("tr", _cells(event, _said(event)) if event else ""))
    head = tag("thead", tag("tr", tag("th", label, scope="col", colspan="3")))
    caption = tag("caption", f"What happened on {label}", class_="unseen")
    columns = tag("colgroup", Html(_WIDTHS))
    return tag("table", caption, columns, head, tag("tbody", joined(body)), class_="story one")


def _channel(pair: Pair) -> str:
    event = pair.left or pair.right
    assert event is not None  # a pair has at least one side
    return event.channel


def _places(pairs: Sequence[Pair]) -> dict[int, int]:
    """Index of the first row of each place that differs -> its number, from 1."""
    starts = [
        index
        for index, pair in enumerate(pairs)
        if not pair.same
        and (index == 0 or pairs[index - 1].same or _channel(pairs[index - 1]) != _channel(pair))
    ]
    return {index: number for number, index in enumerate(starts, 1)}


def _kept(pairs: Sequence[Pair], first: int | None) -> Iterator[tuple[int, int]]:
    """Indexes of the rows to show, each with how many were left out before it."""
    count = len(pairs)
    kept: Sequence[int] = range(count)
    if count > ROWS:
        around = range(0) if first is None else range(max(0, first - 20), min(count, first + ROWS // 4))
        head, tail = range(ROWS // 2), range(count - ROWS // 4, count)
        kept = sorted({*head, *around, *tail})
    before = -1
    for index in kept:
        yield index, index - before - 1
        before = index


def _jumps(pairs: Sequence[Pair], first: int | None, numbers: dict[int, int], name: str) -> Html:
    if first is None:
        words = "No difference, save in times, process numbers and challenges."
        return tag("p", words, class_="jumps")
    shown = {index for index, _ in _kept(pairs, first)}
    reachable = [number for index, number in numbers.items() if index in shown]
    links = [tag("a", "Jump to the first difference", href=f"#{name}-first", class_="jump")]
    if len(numbers) > 1:
        every = (tag("a", str(number), href=f"#{name}-{number}") for number in reachable[:12])
        more = " …" if len(numbers) > 12 else ""
        links.append(
            tag("span", f"{len(numbers)} places differ: ", joined(every, " "), more, class_="places")
        )
    return tag("p", joined(links, " "), class_="jumps")


def _heading(channel: str, width: int) -> Html:
    return tag(
        "tr",
        tag("th", channel_name(channel), colspan=str(width), scope="rowgroup"),
        class_="channel",
    )


def _gap(left_out: int, width: int) -> Html:
    noun = "line is" if left_out == 1 else "lines are"
    words = f"… {left_out} {noun} left out; the run file holds them …"
    return tag("tr", tag("td", words, colspan=str(width)), class_="gap")


def _row(pair: Pair, before: Pair | None, place: str | None, first: bool) -> Html:
    """One row; a side that has nothing to say says so once, not on every row."""
    left, right = pair.left, pair.right
    if left is None:
        said = "nothing" if before is None or before.left is not None else "", _said(right)
    elif right is None:
        said = _said(left), "nothing" if before is None or before.right is not None else ""
    elif pair.same:
        said = _said(left), _said(right)
    else:
        said = _marked(left, right), _marked(right, left)
    cells = _cells(left, said[0]) + _cells(right, said[1], "other ")
    if pair.same:
        return Html(f"<tr><td></td>{cells}</tr>")
    anchor = f'<a id="{text(place)}"></a>' if place else ""
    if not first:
        return Html(f'<tr class="differs"><td>{anchor}≠</td>{cells}</tr>')
    name = text((place or "").rpartition("-")[0])
    label = '<span class="unseen">first difference</span>'
    return Html(
        f'<tr class="differs first" id="{name}-first" tabindex="-1"><td>{anchor}≠{label}</td>{cells}</tr>'
    )


def _cells(event: Event | None, said: str, side: str = "") -> Html:
    if event is None:
        return Html(f'<td class="{side}none" colspan="3">{said}</td>')
    note = f" <small>{text(event.note)}</small>" if event.note else ""
    return Html(
        f'<td class="{side}at">{event.at:.3f}</td><td class="by {event.speaker}">{event.speaker}</td>'
        f"<td><code>{said}</code>{note}</td>"
    )


def _said(event: Event | None) -> str:
    return "" if event is None else text(_cut(event))


def _marked(event: Event, counterpart: Event) -> str:
    """An event's text with the stretch marked that is not as in the other's: between their common ends."""
    mine, other = event.text, counterpart.text
    if max(len(mine), len(other)) > _LINE or mine == other:
        return text(_cut(event))
    most = min(len(mine), len(other))
    start = next((i for i in range(most) if mine[i] != other[i]), most)
    end = next((i for i in range(most - start) if mine[-1 - i] != other[-1 - i]), most - start)
    middle = mine[start : len(mine) - end]
    marked = f"<mark>{text(middle)}</mark>" if middle else ""
    return f"{text(mine[:start])}{marked}{text(mine[len(mine) - end :])}"


def _cut(event: Event) -> str:
    line, end = event.text, _LINE // 4
    if len(line) <= _LINE:
        return line
    return f"{line[: _LINE - end]} … ({len(line) - _LINE} characters left out) … {line[-end:]}"
