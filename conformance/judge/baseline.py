"""A run judged against that of the last release: what is newly unmet, and what was unmet before.

A promise that the last release kept and this build breaks is newly unmet, whatever the build claims; only a
reviewed deviation explains it. What is not as expected and failed in the same words before is told apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError
from conformance.judge.outcome import exit_status, worst_status
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict


@dataclass(frozen=True)
class AgainstBaseline:
    """`newly`: unmet now and not before, or in other words, or of a requirement that the baseline lacks.

    `known`: newly unmet, as a deviation says. `before`: not as expected, and unmet before in the same words.
    `gone`: requirements that the baseline decided, and that the same selection no longer has.
    """

    baseline: Run
    newly: tuple[Verdict, ...]
    known: tuple[Verdict, ...]
    before: tuple[Verdict, ...]
    gone: tuple[str, ...] = ()

    def exit_status(self, run: Run, others: Sequence[Run]) -> int:
        """That of a gate: what was unmet before does not fail it; everything else does as ever."""
        rest = [verdict for verdict in run.verdicts if verdict not in self.before]
        says = [exit_status(rest)] if rest else [EXIT_AS_EXPECTED]
        says += [exit_status(other.verdicts) for other in others]
        return worst_status([*says, EXIT_REGRESSION] if self.newly else says)


def against_baseline(run: Run, baseline: Run) -> AgainstBaseline:
    """What became of a baseline's verdicts. Raises UsageError when it has no requirement of this run."""
    refuse_nothing_in_common((verdict.requirement for verdict in run.verdicts), baseline)
    before = {verdict.requirement: verdict for verdict in baseline.verdicts}
    newly, known, same = [], [], []
    for verdict in run.verdicts:
        if verdict.verdict != "unmet" or verdict.unstable:
            continue
        was, odd = before.get(verdict.requirement), verdict.assessment == "unexpected"
        kept = was is not None and was.verdict == "met" and not was.unstable
        if kept and verdict.deviation is not None and not odd:
            known.append(verdict)
        elif kept or (odd and not (was is not None and _alike(was, verdict))):
            newly.append(verdict)
        elif odd:
            same.append(verdict)
    gone = set(before) - {verdict.requirement for verdict in run.verdicts}
    if run.cut_off or run.header.selection != baseline.header.selection:
        gone = set()
    return AgainstBaseline(baseline, tuple(newly), tuple(known), tuple(same), tuple(sorted(gone)))


def refuse_nothing_in_common(requirements: Iterable[str], baseline: Run) -> None:
    """Raise UsageError where a baseline has none of these requirements."""
    if {verdict.requirement for verdict in baseline.verdicts}.isdisjoint(requirements):
        raise UsageError(
            f"{baseline.path}: it has no requirement in common with this run",
            "Name the run of the last release with --baseline.",
        )


#: What varies from run to run: numbers of processes and messages, times. Codes of replies do not.
_VARYING = re.compile(r"\b\d{4,}\b|\b\d+\.\d+\b(?!\.)|(?<=\bqp )\d+|(?<=\bpid )\d+|(?<=\bqmail )\d+")


def _alike(was: Verdict, now: Verdict) -> bool:
    """Whether it failed before, against what was claimed, and does so in the same words now."""
    if was.verdict != "unmet" or was.unstable or (was.as_expected and was.deviation is None):
        return False
    return without_varying(was.seen) == without_varying(now.seen)


def without_varying(text: str) -> str:
    """What was seen, with `N` for numbers that differ from run to run."""
    return _VARYING.sub("N", text)
