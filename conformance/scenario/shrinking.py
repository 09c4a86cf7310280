"""Removes from a scenario what its difference does not need, line by line, with delta debugging (ddmin).

It works on the file's own lines, so comments and order stay. A candidate that is no scenario any more, or
that shows something else, is put aside; the same scenario and targets always give the same result.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import UsageError, WorldError
from conformance.report.alignment import first_difference, side_by_side
from conformance.report.story import events_of
from conformance.scenario import pieces
from conformance.scenario.reading import read_scenario, scenario_text
from conformance.scenario.trial import Trials, Tried


@dataclass(frozen=True)
class Difference:
    """What must stay: an expectation and its command; where none tells targets apart, a line of the story.

    `seen` holds for each target whether it was met and the short of what was seen: `502` and `500`.
    """

    what: str
    after: str
    seen: tuple[tuple[bool, str], ...]

    def __str__(self) -> str:
        sides = [mark or ("met" if met else "unmet") for met, mark in self.seen]
        after = f" after {self.after}" if self.after else ""
        return f"{self.what}{after}: {' and '.join(sides)}"


#: Yields candidates, is sent whether each will do, returns the last one that did.
Search = Generator[str, bool, str]


@dataclass(frozen=True)
class Shrunk:
    """The smallest scenario found. `before` and `after` count lines that are neither blank nor comments."""

    text: str
    difference: Difference
    before: int
    after: int
    runs: int


def difference(tried: Sequence[Tried]) -> Difference | None:
    """What tells two targets apart, or what one target does not meet; None when there is nothing."""
    for checks in zip(*(each.checks for each in tried), strict=True):
        verdicts = {check.met for check in checks}
        if len(verdicts) == 2 or (len(tried) == 1 and not checks[0].met):
            check = checks[0]
            return Difference(check.what, check.after, tuple((each.met, each.mark) for each in checks))
    if len(tried) == 1:
        return None
    # No expectation tells them apart: the first lines in which their stories differ do.
    pairs = side_by_side(events_of(tried[0].record), events_of(tried[1].record))
    first = first_difference(pairs)
    if first is None:
        return None
    events = (pairs[first].left, pairs[first].right)
    channel = next(event.channel for event in events if event is not None)
    return Difference(channel, "", tuple((True, event.text[:80] if event else "nothing") for event in events))


def weight(text: str) -> int:
    """How many lines say something."""
    return sum(map(pieces.says, text.splitlines()))


def shrunk(path: Path, trials: Trials, tell_progress: Callable[[int, int], None]) -> Shrunk:
    """The smallest scenario that still shows what the one of `path` shows on the targets of `trials`.

    `tell_progress` gets the number of runs and the lines left. Raises UsageError when there is nothing to
    keep, WorldError when the world fails.
    """
    text = pieces.tidy(scenario_text(path))
    scenario = read_scenario(text, path)
    wanted = difference(trials.run(scenario))
    if wanted is None:
        names = " and ".join(target.name for target in trials.plan.targets)
        how = "meets every expectation" if len(trials.plan.targets) == 1 else "do not differ"
        raise UsageError(
            f"{path}: {names} {how}: there is nothing to keep",
            "Name a target that does not meet it, or two that differ.",
        )
    if difference(trials.run(scenario)) != wanted:
        raise WorldError(
            f"{path}: what it shows did not come again", "A difference that comes and goes cannot be shrunk."
        )
    runs = 2

    def shows(candidate: str) -> bool:
        nonlocal runs
        try:
            made = read_scenario(candidate, path)
            runs += 1
            tell_progress(runs, weight(candidate))
            return difference(trials.run(made)) == wanted
        except UsageError:  # no scenario any more, or one in which qmail asks for a name that was removed
            return False

    search = smallest(text)
    try:
        candidate = next(search)
        while True:
            candidate = search.send(shows(candidate))
    except StopIteration as ended:
        return Shrunk(ended.value, wanted, weight(text), weight(ended.value), runs)


def smallest(text: str) -> Search:
    """Yields smaller scenarios, is sent whether each still shows the same, and returns the smallest.

    No candidate comes twice.
    """
    known: dict[str, bool] = {text: True}
    size = 0
    while size != len(text):
        size = len(text)
        for cut in (pieces.blocks, pieces.answered_lines, pieces.single_lines):
            text = yield from _minimised(text, cut, known)
        for shorter in (pieces.shorter_values, pieces.fewer_repeats):
            text = yield from _shortened(text, shorter, known)
    return text


def _shows(candidate: str, known: dict[str, bool]) -> Generator[str, bool, bool]:
    if candidate not in known:
        known[candidate] = yield candidate
    return known[candidate]


def _shortened(text: str, shorter: Callable[[str], Iterator[str]], known: dict[str, bool]) -> Search:
    """The text with what `shorter` finds, as often as that will do."""
    is_shorter = True
    while is_shorter:
        is_shorter = False
        for candidate in shorter(text):
            if (yield from _shows(candidate, known)):
                text, is_shorter = candidate, True
                break
    return text


def _minimised(text: str, cut: Callable[[str], list[pieces.Piece]], known: dict[str, bool]) -> Search:
    """ddmin over the pieces that `cut` finds: halves, quarters, … single ones, until none can be removed."""
    smaller = text
    left = cut(text)
    every_line = set().union(*left)
    share = 2
    while left:
        size = max(1, -(-len(left) // share))
        for start in range(0, len(left), size):
            rest = left[:start] + left[start + size :]
            candidate = pieces.without(text, every_line.difference(*rest))
            if (yield from _shows(candidate, known)):
                smaller, left = candidate, rest
                share = max(2, share - 1)
                break
        else:
            if size == 1:
                break
            share = min(len(left), share * 2)
    return smaller
