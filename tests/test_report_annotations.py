"""Annotations for GitHub: what is not as expected, with requirement and patch; a build forges none."""

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.judge.comparison import compare
from conformance.report.annotations import annotations
from tests.judge_samples import BASE, CHANGE, PPA, STOCK, many, run, verdict, write


def test_each_verdict_that_is_not_as_expected_has_one() -> None:
    failed = verdict(CHANGE, PPA, "unmet", seen="it said\r::error title=x::50% more\nassert 1 == 2")
    stock = [verdict(BASE, STOCK), verdict(CHANGE, STOCK, "unmet", seen="no")]
    made = annotations(compare([run(STOCK, stock), run(PPA, [verdict(BASE, PPA), failed])]))
    (line,) = made.splitlines()
    title = "0005.mx.tcp-4096 (0005%3A DNS answers larger than 512 octets) on ppa"
    assert line.startswith(
        f"::error title={title}::An answer of 4,096 octets is read whole. regression: met was"
    )
    assert line.endswith("seen: it said ::error title=x::50%25 more")


def test_no_more_than_github_shows_and_how_many_there_are_besides() -> None:
    failed = [verdict(one, PPA, "unmet", seen="no") for one in many(4)]
    lines = annotations(compare([run(PPA, failed)])).splitlines()
    assert len(lines) == 10
    assert (
        lines[-1] == "::error title=qmail-conformance::31 more, in the summary of the job and in its evidence"
    )


def test_they_are_written_to_a_file_and_not_to_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = write(tmp_path / "run.jsonl", PPA, [verdict(CHANGE, PPA, "unmet", seen="no")])
    assert main(["report", str(stored), "--annotations", "-"]) == 2
    assert "takes a file" in capsys.readouterr().err
    assert main(["report", str(stored), "--annotations", str(tmp_path / "a.txt")]) == 0
    assert (tmp_path / "a.txt").read_text().startswith("::error title=0005.mx.tcp-4096 ")
