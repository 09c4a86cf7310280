"""The control at the end of a gate: what comes out otherwise in fresh pods is noise, and told as that."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.cli import controlling
from conformance.cli.controlling import SAMPLE, control, sample
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.project.form import NO_PROJECT
from conformance.targets.plan import Plan
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, many, run, verdict


def controlled(monkeypatch: pytest.MonkeyPatch, before: list[Verdict], again: list[Verdict]) -> Any:
    """What the control of a gate says of PPA where its sample comes out as `again`."""
    asked: dict[str, Any] = {}

    def fake(plan: Plan, selection: Any, **options: Any) -> list[Run]:
        asked.update(options, targets=plan.targets, names=selection.names)
        return [run(PPA, again)]

    monkeypatch.setattr(controlling, "run_cases", fake)
    found = control(Plan((PPA, STOCK)), run(PPA, before), 2, NO_PROJECT)
    assert asked["targets"] == (PPA,)
    assert asked["names"] == {each.requirement for each in before}
    assert asked["repeat"] is False
    return found


MET, LATE = verdict(BASE, PPA), verdict(CHANGE, PPA, "unmet", "unmet", seen="Z, qp 17")


def test_what_comes_out_the_same_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    other_number = verdict(CHANGE, PPA, "unmet", "unmet", seen="Z, qp 18")
    found = controlled(monkeypatch, [MET, LATE], [MET, other_number])
    assert str(found) == "control: 2 requirements decided once more, in fresh pods: the same."


@pytest.mark.parametrize("seen", ["D, qp 17", None])
def test_another_verdict_or_other_words_are_noise(seen: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    other = verdict(CHANGE, PPA, "unmet", "unmet", seen=seen) if seen else verdict(CHANGE, PPA)
    found = controlled(monkeypatch, [MET, LATE], [MET, other])
    assert found.otherwise == (CHANGE.name,)
    assert str(found).endswith(f"1 otherwise, which is noise of this machine: {CHANGE.name}.")


def test_a_reference_has_no_noise() -> None:
    assert control(Plan((REFERENCE,)), run(REFERENCE), 1, NO_PROJECT) is None


def test_a_sample_is_the_same_each_time_and_of_what_is_quick_and_sure() -> None:
    verdicts = [verdict(each, PPA) for each in many(30)]
    chosen = sample(verdicts)
    assert len(chosen) == SAMPLE < len(verdicts)
    assert sample(verdicts[::-1]) == chosen
    unsure = [verdict(GUARD, PPA, "met", "unmet"), verdict(BASE, PPA, "invalid"), replace(MET, seconds=5.0)]
    assert sample(unsure) == []
