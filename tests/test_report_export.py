"""The JSON report: its schema accepts all that is written, and refuses what was changed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.attribution import attribution_pages
from conformance.attribution.attribution_table import attribute
from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run
from conformance.judge.verdict import Verdict
from conformance.pod.record import Record
from conformance.report import changes
from conformance.report.export import dumps, to_json
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, many, run, verdict, write
from tests.report_samples import beside, change, with_replies
from tests.schemas import faults, schema_of, spoilt, validator

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


def written(*runs: Any) -> dict[str, Any]:
    """A report as a reader gets it."""
    data: dict[str, Any] = json.loads(dumps(to_json(compare(runs))))
    return data


def plain() -> dict[str, Any]:
    return written(run(STOCK), beside(change("unmet", known=True, seen="Z, deferred")))


def test_the_schema_accepts_every_assessment_and_the_sample() -> None:
    every = [verdict(CHANGE, PPA, "invalid", seen="no pod"), verdict(GUARD, PPA, "unsupported")]
    runs = [run(PPA, [*every, verdict(BASE, PPA, attempt, "met")]) for attempt in ("unmet", "met")]
    sample = [read_run(path) for path in sorted(SAMPLE.glob("*.jsonl"))]
    large = run(STOCK, [verdict(requirement, STOCK) for requirement in many(4)])
    for data in (
        plain(),
        written(*runs),
        written(run(REFERENCE), run(REFERENCE)),
        written(large),
        written(*sample),
    ):
        assert faults("report-1", data) == []


def test_the_schema_of_a_run_file_accepts_its_lines(tmp_path: Path) -> None:
    paths = [write(tmp_path / "run.jsonl", PPA, [with_replies(verdict(BASE, PPA), "220 hi")])]
    paths += SAMPLE.glob("*.jsonl")
    assert len(paths) > 1
    for path in paths:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line["kind"] for line in (lines[0], lines[-1])] == ["header", "footer"]
        for line in lines:
            assert faults("run-2", line) == []


def test_a_record_is_described_as_its_classes_are() -> None:
    definitions: dict[str, Any] = {}
    schema_of(Record, definitions)
    published = validator("run-2").schema["$defs"]
    assert {name: made for name, made in published.items() if name[0].isupper()} == definitions


def test_the_schemas_refuse_what_was_changed(tmp_path: Path) -> None:
    lines = write(tmp_path / "run.jsonl", PPA, [with_replies(verdict(BASE, PPA), "220 hi")]).read_text()
    attributed = attribution_pages.to_json(attribute(compare([run(STOCK), run(PPA)])))
    for name, document in (
        ("report-1", plain()),
        *(("run-2", json.loads(line)) for line in lines.splitlines()),
        ("changes-1", json.loads(dumps(changes.to_json(changes.changes(run(PPA), beside(change("unmet"))))))),
        ("attribution-1", {**json.loads(dumps(attributed)), "requirements": []}),
    ):
        assert faults(name, document) == []
        accepted = [wrong for wrong in spoilt(document) if not faults(name, wrong)]
        if document.get("kind") == "verdict":  # older records lack what came later, and are read
            accepted = [wrong for wrong in accepted if not is_read(wrong)]
        if document.get("kind") == "header":  # so do older headers
            accepted = [wrong for wrong in accepted if "base" in wrong]
        assert accepted == []


def is_read(line: dict[str, Any]) -> bool:
    """Whether the reader takes a verdict's line too."""
    try:
        Verdict.from_json({name: value for name, value in line.items() if name != "kind"})
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("schema",), 2),
        (("form",), "a report"),
        (("exit_status",), 7),
        (("targets",), []),
        (("targets", 0, "kind"), "sendmail"),
        (("targets", 0, "started"), "yesterday"),
        (("patches", 0, "summaries", 0, "met"), -1),
        (("requirements", 0, "role"), "wish"),
        (("requirements", 0, "requirement"), "five"),
        (("requirements", 0, "verdicts"), []),
        (("requirements", 0, "verdicts", 0, "verdict"), "passed"),
        (("requirements", 0, "verdicts", 0, "expected"), "invalid"),
    ],
)
def test_the_schema_refuses_values_without_a_meaning(place: Sequence[str | int], wrong: Any) -> None:
    data = plain()
    inner: Any = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = wrong
    assert faults("report-1", data)


def test_it_holds_targets_patches_verdicts_and_deviations() -> None:
    data = plain()
    assert [target["label"] for target in data["targets"]] == ["stock", "ppa"]
    assert data["targets"][1]["packages"] == {"qmail": "1.06-6.2~ppa3"}
    (of_patch,) = [patch["summaries"] for patch in data["patches"] if patch["patch"] == "0005"]
    assert [(summary["target"], summary["met"], summary["total"]) for summary in of_patch] == [("ppa", 1, 2)]
    (row,) = [row for row in data["requirements"] if row["requirement"] == CHANGE.name]
    assert row["promise"] == CHANGE.promise
    assert [shown["target"] for shown in row["verdicts"]] == ["stock", "ppa"]
    assert row["verdicts"][1]["seen"] == "Z, deferred"
    assert row["verdicts"][1]["deviation"]["reason"] == "the buffer is too small"
    assert data["deviations"][0]["requirements"] == [CHANGE.name]
    assert "record" not in json.dumps(data)
