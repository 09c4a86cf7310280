"""Shows what came of a scenario: the stories side by side, the first difference marked, each expectation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from conformance.report.story import Event, Pair, events_of, first_difference, shortened, side_by_side
from conformance.report.words import is_specification, one_line, printable, specification_sentence
from conformance.scenario.form import Scenario
from conformance.scenario.trial import Tried

#: Columns of the terminal below which two stories stand one below the other.
NARROW = 80

#: Characters of a line that are shown; the record holds it whole.
_MOST = 400

_RUN = re.compile(r"([^ ])\1{19,}")

_SPEAKER = 10  #: room for who speaks
_MARK = "--- here they differ first "


def shown(scenario: Scenario, tried: Sequence[Tried], width: int) -> str:
    """Everything for a terminal of `width` columns, harmless whatever qmail said."""
    blocks = [[one_line(scenario.title)]]
    if scenario.text:
        blocks.append(
            [one for line in scenario.text.splitlines() for one in _wrapped(printable(line), width)]
        )
    blocks[0] += [specification_sentence(one.target) for one in tried if is_specification(one.target)]
    if len(tried) == 1:
        blocks.append(list(_alone(tried[0], width)))
    for other in tried[1:]:
        blocks.append(list(_two(tried[0], other, width)))
    blocks.append(list(_expectations(tried, width)))
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks) + "\n"


def _events(tried: Tried) -> list[Event]:
    return shortened(events_of(tried.record))


def _text(event: Event | None) -> str:
    if event is None:
        return ""
    text = _RUN.sub(lambda run: f"{run[1]}…{len(run[0])} times…", event.text)
    if len(text) > _MOST:
        text = f"{text[:_MOST]} … and {len(text) - _MOST} characters more"
    return printable(text) + (f"  ({printable(event.note)})" if event.note else "")


def _alone(tried: Tried, width: int) -> Iterator[str]:
    pairs = side_by_side(_events(tried), [])
    channel = ""
    yield one_line(tried.target.name)
    for event in (pair.left for pair in pairs if pair.left is not None):
        if event.channel != channel:
            channel = event.channel
            yield from ("", printable(channel))
        yield from _row(event.speaker, "", [_wrapped(_text(event), width - _SPEAKER - 4)], width)


def _two(one: Tried, other: Tried, width: int) -> Iterator[str]:
    pairs = side_by_side(_events(one), _events(other))
    first = first_difference(pairs)
    names = [one_line(each.target.name) for each in (one, other)]
    narrow = width < NARROW
    column = (width - _SPEAKER - 4) // 2 - 1
    yield f"{names[0]} and {names[1]}" if narrow else f"{'':{_SPEAKER + 4}}{names[0]:{column}}  {names[1]}"
    channel = ""
    for index, pair in enumerate(pairs):
        spoken = pair.left or pair.right
        assert spoken is not None, "a row has something to say"
        if spoken.channel != channel:
            channel = spoken.channel
            yield from ("", printable(channel))
        if index == first:
            yield _MARK + "-" * max(3, width - len(_MARK))
        yield from _stacked(pair, names, width) if narrow else _beside(pair, spoken.speaker, column, width)
    yield from ("", "They do not differ." if first is None else "* marks what differs.")


def _beside(pair: Pair, speaker: str, column: int, width: int) -> Iterator[str]:
    sides = [_wrapped(_text(event), column) for event in (pair.left, pair.right)]
    yield from _row(speaker, "" if pair.same else "*", sides, column)


def _row(speaker: str, mark: str, sides: list[list[str]], column: int) -> Iterator[str]:
    for number, lines in enumerate(zip_longest(*sides, fillvalue="")):
        said = "  ".join(f"{line:{column}}" for line in lines)
        yield f"{mark if not number else '':1} {speaker if not number else '':{_SPEAKER}}  {said}"


def _stacked(pair: Pair, names: list[str], width: int) -> Iterator[str]:
    """One row in a narrow terminal: what is the same once, what differs under the target's name."""
    room = width - _SPEAKER - 4
    if pair.same:
        assert pair.left is not None
        yield from _row(pair.left.speaker, "", [_wrapped(_text(pair.left), room)], room)
        return
    for name, event in zip(names, (pair.left, pair.right), strict=True):
        yield f"* {name}:"
        speaker = event.speaker if event else ""
        yield from _row(speaker, "*", [_wrapped(_text(event) or "(nothing)", room)], room)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width), drop_whitespace=False, replace_whitespace=False) or [""]


def _expectations(tried: Sequence[Tried], width: int) -> Iterator[str]:
    """Each expectation in order, with the line it stands in; where it is not met, what was seen instead."""
    names = [one_line(one.target.name) for one in tried]
    yield "expected:"
    for checks in zip(*(one.checks for one in tried), strict=True):
        check = checks[0]
        after = f", after {one_line(check.after, 60)}" if check.after else ""
        met = all(each.met for each in checks)
        yield from _wrapped(
            f"  {'met  ' if met else 'UNMET'}  line {check.number}: {one_line(check.what)}{after}", width
        )
        for name, each in zip(names, checks, strict=True):
            if not met:
                word = "met" if each.met else "unmet, seen:"
                seen = "" if each.met else f" {one_line(each.seen, 400)}"
                lines = _wrapped(f"{name}: {word}{seen}", width - 9)
                yield from (" " * 9 + line for line in lines)
    yield ""
    for name, one in zip(names, tried, strict=True):
        count = sum(check.met for check in one.checks)
        yield f"{name}: {count} of {len(one.checks)} expectations met"
