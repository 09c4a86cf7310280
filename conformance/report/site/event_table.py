"""Events as a table, conversation by conversation; two stories stand side by side, what differs marked."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from conformance.report.alignment import Pair, first_difference, side_by_side
from conformance.report.site.html import Html, joined, tag, text
from conformance.report.story import Event

#: Rows of a table; a record of thousands of events is shown by its beginning, its end and its difference.
ROWS = 400
#: Characters of one line; the run file holds it whole.
_LINE = 500

_NAMES = {
    "dns": "DNS",
    "qmail-remote": "qmail-remote: arguments and report",
    "queue": "Queue",
    "mailbox": "Mailboxes",
    "files": "Files in the queue and in homes",
    "log": "qmail's log",
    "program": "Programs that qmail ran",
    "world": "The world around qmail",
}
_SET_UP = "set-up"  #: told by the configuration, which the page shows
_WIDTHS = tag("col", class_="at") + tag("col", class_="by") + tag("col")
_NO_REMARK = Html("")
#: What a reply to EHLO announces, and the patch that adds to it.
_KEYWORD = re.compile(r"250[- ](AUTH|SIZE|8BITMIME|PIPELINING)\b")
EHLO_PATCH = "0008"
_DECIDES = "◆ this decides"
_LACKS = "◆ this decides: the other side lacks it"
_SESSION = re.compile(r"smtpd (\d{1,6})")


def channel_name(channel: str) -> str:
    """`smtpd 0` is "SMTP session 1 with qmail-smtpd", `127.0.0.2:25` "Exchanger 127.0.0.2:25"."""
    if found := _SESSION.fullmatch(channel):
        return f"SMTP session {int(found[1]) + 1} with qmail-smtpd"
    return _NAMES.get(channel, f"Exchanger {channel}")


def two_columns(
    pairs: Sequence[Pair],
    left: str,
    right: str,
    name: str,
    deciding: Collection[int] = (),
    patch: str = EHLO_PATCH,
    *,
    lacks: bool = False,
) -> Html:
    """The table of two stories, with links to its differences above it. `name` makes its ids its own.

    `deciding` are the `id`s of the events that a failing assertion looked at; with `lacks` of what the other
    side was expected to show, too. What differs for another patch
    than `patch` is no first difference, unless nothing else differs.
    """
    pairs = [pair for pair in pairs if _channel(pair) != _SET_UP]
    others = {index for index, pair in enumerate(pairs) if not pair.same and of_other_patch(pair, patch)}
    own = [replace(pair, same=True) if index in others else pair for index, pair in enumerate(pairs)]
    first = first_difference(own)
    first = first_difference(pairs) if first is None else first
    decides = next((index for index, pair in enumerate(pairs) if _decides(pair, deciding)), None)
    numbers = _places(pairs)

    def row(index: int) -> Html:
        place = f"{name}-{numbers[index]}" if index in numbers else None
        same_channel = index > 0 and _channel(pairs[index - 1]) == _channel(pairs[index])
        before = pairs[index - 1] if same_channel else None
        words = _LACKS if lacks else _DECIDES
        words = words if _decides(pairs[index], deciding) else ""
        remark = _remark(name if index == decides else "", index in others, words)
        return _row(
            pairs[index], before, place, index == first, remark, _decides_left(pairs[index], deciding)
        )

    heads = (
        tag("td", tag("span", "differs", class_="unseen")),
        tag("th", left, scope="col", colspan="3"),
        tag("th", right, scope="col", colspan="3"),
    )
    columns = tag("col", class_="sign") + _WIDTHS * 2
    table = _table(f"{left} and on {right}", columns, heads, _body(pairs, first, row, 7), "two")
    return joined((_jumps(pairs, first, numbers, name, decides), table))


def of_other_patch(pair: Pair, patch: str) -> bool:
    """Whether lines differ for what EHLO announces, which 0008 adds to, where another patch is looked at."""
    texts = [event.text for event in pair.sides if event is not None]
    return patch != EHLO_PATCH and all(map(_KEYWORD.match, texts))


def _decides_left(pair: Pair, deciding: Collection[int]) -> bool:
    return pair.left is not None and id(pair.left) in deciding


def _decides(pair: Pair, deciding: Collection[int]) -> bool:
    return any(id(event) in deciding for event in pair.sides if event is not None)


def _remark(name: str, other: bool, decides: str) -> Html:
    """What stands behind a row's lines; `name`: it is the one that the link above leads to."""
    if decides:
        return tag("b", decides, class_="decides", id=f"{name}-decides" if name else None)
    return tag("i", f"of patch {EHLO_PATCH}", class_="other-patch") if other else Html("")


def one_column(events: Sequence[Event], label: str, deciding: Collection[int] = ()) -> Html:
    """The table of a single story; `deciding` as above."""
    pairs = [pair for pair in side_by_side(events, events) if _channel(pair) != _SET_UP]

    def row(index: int) -> Html:
        event = pairs[index].left
        remark = _remark("", other=False, decides=_DECIDES if _decides(pairs[index], deciding) else "")
        return tag("tr", _cells(event, text(_cut(event)) if event else "", remark=remark))

    heads = (tag("th", label, scope="col", colspan="3"),)
    return _table(label, _WIDTHS, heads, _body(pairs, None, row, 3), "one")


def _table(where: str, columns: str, heads: Sequence[Html], body: Html, kind: str) -> Html:
    caption = tag("caption", f"What happened on {where}", class_="unseen")
    parts = caption, tag("colgroup", Html(columns)), tag("thead", tag("tr", *heads)), tag("tbody", body)
    return tag("table", *parts, class_=f"story {kind}")


def _body(pairs: Sequence[Pair], first: int | None, row: Callable[[int], Html], width: int) -> Html:
    """The rows that are shown, under a heading for each conversation. `row` makes that of an index."""
    parts: list[Html] = []
    for channel, kept in groupby(_kept(pairs, first), key=lambda item: _channel(pairs[item[0]])):
        title = tag("th", channel_name(channel), colspan=str(width), scope="rowgroup")
        parts.append(tag("tr", title, class_="channel"))
        for index, left_out in kept:
            if left_out:
                noun = "line is" if left_out == 1 else "lines are"
                words = f"… {left_out} {noun} left out; the run file holds them …"
                parts.append(tag("tr", tag("td", words, colspan=str(width)), class_="gap"))
            parts.append(row(index))
    return joined(parts)


def _channel(pair: Pair) -> str:
    event = pair.left or pair.right
    assert event is not None  # a pair has at least one side
    return event.channel


def _places(pairs: Sequence[Pair]) -> dict[int, int]:
    """Index of the first row of each place that differs -> its number, from 1."""
    numbers: dict[int, int] = {}
    before: Pair | None = None
    for index, pair in enumerate(pairs):
        if not pair.same and (before is None or before.same or _channel(before) != _channel(pair)):
            numbers[index] = len(numbers) + 1
        before = pair
    return numbers


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


def _jumps(
    pairs: Sequence[Pair], first: int | None, numbers: dict[int, int], name: str, decides: int | None
) -> Html:
    shown = {index for index, _ in _kept(pairs, first)}
    links = [tag("a", "Jump to what decides", href=f"#{name}-decides", class_="jump")]
    links = links if decides in shown else []
    if first is None:
        same = "No difference, save in times, process numbers and challenges."
        return tag("p", joined((*links, same), " "), class_="jumps")
    links += [tag("a", "Jump to the first difference", href=f"#{name}-first", class_="jump")]
    if len(numbers) > 1:
        reachable = [numbers[index] for index, _ in _kept(pairs, first) if index in numbers]
        every = joined((tag("a", str(number), href=f"#{name}-{number}") for number in reachable[:12]), " ")
        more = " …" if len(numbers) > 12 else ""
        links.append(tag("span", f"{len(numbers)} places differ: ", every, more, class_="places"))
    return tag("p", joined(links, " "), class_="jumps")


def _row(pair: Pair, before: Pair | None, place: str | None, first: bool, remark: Html, left: bool) -> Html:
    """One row; a side that has nothing to say says so once, not on every row.

    `remark` stands behind what the left side says, where it is about that (`left`), or else the right one.
    """

    def said(side: int) -> str:
        event, other = pair.sides[side], pair.sides[1 - side]
        if event is None:
            return "nothing" if before is None or before.sides[side] is not None else ""
        return text(_cut(event)) if pair.same or other is None else _marked(event, other)

    # On a narrow screen what is the same stands there once, on the left.
    at_left = left or pair.same or pair.right is None
    ours = _cells(pair.left, said(0), remark=remark if at_left else _NO_REMARK)
    cells = joined((ours, _cells(pair.right, said(1), "other ", _NO_REMARK if at_left else remark)))
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


def _cells(event: Event | None, said: str, side: str = "", remark: Html = _NO_REMARK) -> Html:
    if event is None:
        return Html(f'<td class="{side}none" colspan="3">{said}</td>')
    note = f" <small>{text(event.note)}</small>" if event.note else ""
    at = "" if event.at < 0 else f"{event.at:.3f}"
    return Html(
        f'<td class="{side}at">{at}</td><td class="by {event.speaker}">{event.speaker}</td>'
        f"<td><code>{said}</code>{note}{' ' if remark else ''}{remark}</td>"
    )


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
