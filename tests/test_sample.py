"""The committed sample is a whole run of today's requirements, and reads as every other run does."""

from __future__ import annotations

from pathlib import Path

from conformance.cases.collection import all_requirements
from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


def test_the_sample_is_true() -> None:
    comparison = compare([read_run(path) for path in sorted(SAMPLE.glob("*.jsonl"))])
    assert {row.requirement for row in comparison.rows} == set(all_requirements()), (
        "the requirements have changed: make the sample again, as reports/README.md says"
    )
    assert comparison.exit_status == 0
    assert {run.header.target.name for run in comparison.runs} == {"debs:stock@", "debs:ppa"}
