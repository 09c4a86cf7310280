"""The committed sample is a run as this suite makes it, of requirements that still exist.

A new case joins the sample when it is next made: until then the sample is true of the suite that it names.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from conformance.cases.attempt import replay
from conformance.cases.collection import all_requirements, case_of
from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


def test_the_sample_is_true() -> None:
    comparison = compare([read_run(path) for path in sorted(SAMPLE.glob("*.jsonl"))])
    requirements = all_requirements()
    gone = [
        row.requirement
        for row in comparison.rows
        if row.requirement not in requirements or row.promise != requirements[row.requirement].promise
    ]
    assert not gone, f"these have changed: make the sample again, as reports/README.md says: {gone}"
    assert len(comparison.rows) > 300
    assert comparison.exit_status == 0
    assert {run.header.target.name for run in comparison.runs} == {"debs:stock@", "debs:ppa"}


def test_the_cases_of_today_say_the_same_of_its_records() -> None:
    requirements, secrets = all_requirements(), fixture_secrets()

    async def judged_anew() -> list[str]:
        return [
            f"{run.header.target.name}, {old.requirement}: was {old.verdict}, is {new.outcome}. {new.seen}"
            for run in (read_run(path) for path in sorted(SAMPLE.glob("*.jsonl")))
            for old in run.verdicts
            for new in [await replay(case_of(requirements[old.requirement]), old.record or Record(), secrets)]
            if new.outcome != old.verdict
        ]

    changed = asyncio.run(judged_anew())
    assert not changed, f"make the sample again, as reports/README.md says: {changed}"
