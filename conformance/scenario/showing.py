"""Shows what came of a scenario: the stories side by side, the first difference marked, each expectation."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from conformance.harmless import printable
from conformance.report.alignment import Pair, first_difference, side_by_side
from conformance.report.story import Event, events_of, shortened
from conformance.report.words import is_specification, one_line, specification_sentence
from conformance.scenario.form import Scenario
from conformance.scenario.trial import Tried

#: Columns of the terminal below which two stories stand one below the other.
NARROW = 80

#: Characters of a line that are shown; the record holds it whole.
_MOST = 400

#: Columns that are taken at least.
_NARROWEST = 40

_RUN = re.compile(r"([^ ])\1{19,}")

_SPEAKER = 10  #: room for who speaks
_MARK = "--- here they differ first "


def shown(scenario: Scenario, tried: Sequence[Tried], width: int) -> str:
    """Everything for a terminal of `width` columns, harmless whatever qmail said."""
    width = max(width, _NARROWEST)
    specifications = [specification_sentence(each.target) for each in tried if is_specification(each.target)]
    blocks = [[one_line(scenario.title), *specifications]]
    if scenario.text:
        lines = scenario.text.splitlines()
        blocks.append([row for line in lines for row in _wrapped(printable(line), width)])
    others: list[Tried | None] = [*tried[1:]] or [None]
    blocks += [list(_stories(tried[0], other, width)) for other in others]
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


def _stories(tried: Tried, other: Tried | None, width: int) -> Iterator[str]:
    """What happened on one target, or on two: side by side, or in a narrow terminal one below the other."""
    pairs = side_by_side(_events(tried), _events(other) if other else [])
    names = [one_line(each.target.label) for each in (tried, other) if each]
    yield from stories_shown(pairs, first_difference(pairs) if other else None, names, width)


def stories_shown(
    pairs: Sequence[Pair], first: int | None, names: Sequence[str], width: int
) -> Iterator[str]:
    """The rows of two stories, or of one, under their names; `first`: the row that differs first."""
    room = width - _SPEAKER - 4
    column = room // 2 - 1
    stacked = width < NARROW or len(names) == 1
    yield " and ".join(names) if stacked else f"{'':{_SPEAKER + 4}}{names[0]:{column}}  {names[1]}"
    channel = ""
    for index, pair in enumerate(pairs):
        spoken = pair.left or pair.right
        assert spoken is not None, "a row has something to say"
        if spoken.channel != channel:
            channel = spoken.channel
            yield from ("", printable(channel))
        if index == first:
            yield _MARK + "-" * max(3, width - len(_MARK))
        if stacked:
            yield from _stacked(pair, names, room)
        else:
            sides = [_wrapped(_text(event), column) for event in (pair.left, pair.right)]
            yield from _row(spoken.speaker, "" if pair.same else "*", sides, column)
    if len(names) > 1:
        yield from ("", "They do not differ." if first is None else "* marks what differs.")


def _row(speaker: str, mark: str, sides: list[list[str]], column: int) -> Iterator[str]:
    for number, lines in enumerate(zip_longest(*sides, fillvalue="")):
        said = "  ".join(f"{line:{column}}" for line in lines)
        yield f"{mark if not number else '':1} {speaker if not number else '':{_SPEAKER}}  {said}"


def _stacked(pair: Pair, names: Sequence[str], room: int) -> Iterator[str]:
    """One row over the whole width: what is the same once, what differs under the target's name."""
    if pair.left is not None and (pair.same or len(names) == 1):
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
    names = [one_line(each.target.label) for each in tried]
    yield "expected:"
    for checks in zip(*(each.checks for each in tried), strict=True):
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
    for name, target in zip(names, tried, strict=True):
        count = sum(check.met for check in target.checks)
        yield f"{name}: {count} of {len(target.checks)} expectations met"
