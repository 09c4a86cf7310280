"""The committed sample is small and true: runs as this suite makes them, of requirements that still exist."""

import asyncio
from pathlib import Path

import pytest

from conformance.cases.attempt import replay
from conformance.cases.collection import all_requirements, case_of
from conformance.judge.comparison import Comparison, compare
from conformance.judge.runfile import read_run
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.words import mark

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"
REMEDY = "make the sample again, as reports/README.md says"


@pytest.fixture(scope="module")
def sample() -> Comparison:
    names = ("stock", "ppa", "candidate-0006-0007")
    return compare([read_run(SAMPLE / f"debs-{name}.jsonl") for name in names])


def test_the_sample_is_of_requirements_that_still_exist(sample: Comparison) -> None:
    requirements = all_requirements()
    assert len(sample.rows) == 6
    for row in sample.rows:
        today = requirements[row.requirement]
        assert (row.promise, row.source, row.role) == (today.promise, today.source, today.role), REMEDY


def test_it_shows_each_kind_of_verdict_that_real_packages_give(sample: Comparison) -> None:
    shown = [mark(cell) for row in sample.rows for cell in row.cells]
    assert set(shown) == {"met", "unmet", "unmet~", "unmet!", "?"}
    assert sample.labels == ("debs:stock@", "debs:ppa", "debs:candidate@0006,0007")


@pytest.mark.parametrize("name", ["summary.md", "junit.xml"])
def test_its_reports_are_made_of_its_runs(name: str, sample: Comparison) -> None:
    made = markdown(sample) if name == "summary.md" else junit(sample)
    assert (SAMPLE / name).read_text(encoding="utf-8") == made, REMEDY


def test_the_cases_of_today_say_the_same_of_its_records(sample: Comparison) -> None:
    requirements, secrets = all_requirements(), fixture_secrets()

    async def judged_anew() -> list[str]:
        return [
            f"{run.header.target.name}, {old.requirement}: was {old.verdict}, is {new.outcome}. {new.seen}"
            for run in sample.runs
            for old in run.verdicts
            for new in [await replay(case_of(requirements[old.requirement]), old.record or Record(), secrets)]
            if new.outcome != old.verdict
        ]

    assert asyncio.run(judged_anew()) == [], REMEDY
