"""The exit status of verdicts: it has a meaning and never counts."""

from collections.abc import Iterable

from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_USAGE, EXIT_WORLD
from conformance.judge.verdict import Verdict

_WORST_FIRST = (EXIT_WORLD, EXIT_USAGE, EXIT_REGRESSION, EXIT_NOTHING, EXIT_AS_EXPECTED)


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """3 when any verdict is invalid, else 1 when any is unexpected, else 4 when none was decided, else 0.

    A world that failed for one case may have failed unseen for others, so it comes before a regression.
    Verdicts that are all unsupported decide nothing, and that is no success.
    """
    given = list(verdicts)
    assessments = {verdict.assessment for verdict in given}
    if "invalid" in assessments:
        return EXIT_WORLD
    if "unexpected" in assessments:
        return EXIT_REGRESSION
    if all(verdict.verdict == "unsupported" for verdict in given):
        return EXIT_NOTHING
    return EXIT_AS_EXPECTED


def worst_status(statuses: Iterable[int]) -> int:
    """The one exit status that stands for several: the world's failure first, success last; 4 for none."""
    given = set(statuses)
    return next((status for status in _WORST_FIRST if status in given), EXIT_NOTHING)
