"""The exit status of verdicts: it has a meaning and never counts."""

from collections.abc import Iterable

from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_USAGE, EXIT_WORLD
from conformance.judge.verdict import Verdict

_WORST_FIRST = (EXIT_REGRESSION, EXIT_WORLD, EXIT_USAGE, EXIT_NOTHING, EXIT_AS_EXPECTED)


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """1 when any verdict is unexpected, else 3 when any is invalid, else 4 when none was decided, else 0.

    What is unexpected was seen twice in different pods, and a world that failed elsewhere does not undo it.
    Verdicts that are all unsupported decide nothing, and that is no success.
    """
    given = list(verdicts)
    assessments = {verdict.assessment for verdict in given}
    if "unexpected" in assessments:
        return EXIT_REGRESSION
    if "invalid" in assessments:
        return EXIT_WORLD
    if all(verdict.verdict == "unsupported" for verdict in given):
        return EXIT_NOTHING
    return EXIT_AS_EXPECTED


def worst_status(statuses: Iterable[int]) -> int:
    """The exit status that stands for several: what is wrong with qmail first, success last; 4 for none."""
    given = set(statuses)
    return next((status for status in _WORST_FIRST if status in given), EXIT_NOTHING)
