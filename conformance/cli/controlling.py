"""The control of a gate: a sample of what it decided, once more in fresh pods. What differs is noise."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.cli.case_run import Selection, run_cases
from conformance.judge.baseline import without_varying
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.project.form import Project
from conformance.report.words import listed, numbered
from conformance.targets.plan import Plan

#: Requirements that are decided once more, and seconds that one of them has taken at the most.
SAMPLE, _QUICK = 24, 1.0


@dataclass(frozen=True)
class Control:
    """How many requirements were decided once more, and those that came out otherwise."""

    count: int
    otherwise: tuple[str, ...]

    def __str__(self) -> str:
        again = f"{numbered(self.count, 'requirement')} decided once more, in fresh pods"
        if not self.otherwise:
            return f"control: {again}: the same."
        few = listed(self.otherwise)
        return f"control: {again}: {len(self.otherwise)} otherwise, which is noise of this machine: {few}."


def control(plan: Plan, run: Run, pods: int | None, project: Project) -> Control | None:
    """Decide a sample of a run once more; None where there is nothing to be noisy, as with a reference."""
    names = sample(run.verdicts)
    if run.target.specification or not names:
        return None
    alone = replace(plan, targets=(plan.target(run.target.label),), decided={}, stored={})
    with tempfile.TemporaryDirectory() as out:
        chosen = Selection(names=frozenset(names))
        [again] = run_cases(alone, chosen, out=Path(out), pods=pods, repeat=False, project=project)
    before = {verdict.requirement: _came_to(verdict) for verdict in run.verdicts}
    differing = [each.requirement for each in again.verdicts if _came_to(each) != before[each.requirement]]
    return Control(len(names), tuple(differing))


def sample(verdicts: Sequence[Verdict]) -> list[str]:
    """Names out of all patches, the same ones for the same run; what was unsure or slow says less."""
    sure = [each for each in verdicts if each.verdict in ("met", "unmet") and not each.unstable]
    quick = [each.requirement for each in sure if each.seconds <= _QUICK]
    return sorted(quick, key=lambda name: hashlib.sha256(name.encode()).digest())[:SAMPLE]


def _came_to(verdict: Verdict) -> tuple[str, str]:
    return verdict.verdict, without_varying(verdict.seen.partition("\n")[0])
