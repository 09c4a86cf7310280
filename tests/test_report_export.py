"""The JSON report: its schema accepts all that is written, and refuses what was changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run
from conformance.pod.record import Record
from conformance.report.export import dumps, to_json
from tests.judge_samples import (
    BASE,
    CHANGE,
    GUARD,
    PPA,
    REFERENCE,
    STOCK,
    deviation,
    many,
    run,
    verdict,
    write,
)
from tests.schemas import faults, schema_of, validator
from tests.site_samples import told
from tests.test_report_files import NASTY, with_texts

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


def written(*runs: Any) -> dict[str, Any]:
    """A report as a reader gets it."""
    data: dict[str, Any] = json.loads(dumps(to_json(compare(runs))))
    return data


def plain() -> dict[str, Any]:
    verdicts = [
        verdict(BASE, PPA),
        verdict(CHANGE, PPA, "unmet", deviations=[deviation()], seen="Z, deferred"),
        verdict(GUARD, PPA, "unmet", "met"),
    ]
    return written(run(STOCK), run(PPA, verdicts))


def test_the_schema_accepts_every_standing_and_the_sample() -> None:
    every = [
        verdict(CHANGE, PPA, "invalid", seen="no pod"),
        verdict(GUARD, PPA, "unsupported"),
        verdict(BASE, PPA, "unmet"),
    ]
    for data in (plain(), written(run(PPA, every)), written(run(REFERENCE), run(REFERENCE))):
        assert faults("report-1", data) == []
    assert faults("report-1", written(run(STOCK, [verdict(one, STOCK) for one in many(4)]))) == []
    sample = [read_run(path) for path in sorted(SAMPLE.glob("*.jsonl"))]
    assert faults("report-1", written(*sample)) == []


def test_the_schema_of_a_run_file_accepts_its_lines(tmp_path: Path) -> None:
    paths = [write(tmp_path / "run.jsonl", PPA, [told(verdict(BASE, PPA), "220 hi")])]
    paths += SAMPLE.glob("*.jsonl")
    assert len(paths) == 3
    for path in paths:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line["kind"] for line in (lines[0], lines[-1])] == ["header", "footer"]
        for line in (*lines[::20], *lines[-2:]):
            assert faults("run-2", line) == []


def test_a_record_is_described_as_its_classes_are() -> None:
    definitions: dict[str, Any] = {}
    schema_of(Record, definitions)
    published = validator("run-2").schema["$defs"]
    assert {name: made for name, made in published.items() if name[0].isupper()} == definitions


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(schema=2),
        lambda data: data.update(form="a report"),
        lambda data: data.update(exit_status=7),
        lambda data: data.update(more="than there should be"),
        lambda data: data.pop("deviations"),
        lambda data: data["targets"].clear(),
        lambda data: data["targets"][0].update(kind="sendmail"),
        lambda data: data["targets"][0].update(patches="0005"),
        lambda data: data["targets"][0].update(started="yesterday"),
        lambda data: data["targets"][0]["counts"].pop("met"),
        lambda data: data["patches"][0]["summaries"][0].update(met=-1),
        lambda data: data["requirements"][0].update(role="wish"),
        lambda data: data["requirements"][0].update(requirement="five"),
        lambda data: data["requirements"][0].update(differs="no"),
        lambda data: data["requirements"][0]["verdicts"].clear(),
        lambda data: data["requirements"][0]["verdicts"][0].update(verdict="passed"),
        lambda data: data["requirements"][0]["verdicts"][0].update(expected="invalid"),
        lambda data: data["requirements"][0]["verdicts"][0].update(deviation={"reason": "none"}),
        lambda data: data["requirements"][0]["verdicts"][0].update(record={}),
        lambda data: data["requirements"][0]["verdicts"][0].pop("seen"),
    ],
)
def test_the_schema_refuses_what_was_changed(change: Callable[[dict[str, Any]], Any]) -> None:
    data = copy.deepcopy(plain())
    change(data)
    assert faults("report-1", data)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (0, {"schema": 1}),
        (0, {"kind": "verdict"}),
        (0, {"target": {}}),
        (1, {"verdict": "passed"}),
        (1, {"seconds": -1}),
        (1, {"attempts": ["maybe"]}),
        (1, {"record": "none"}),
        (1, {"record": {"acts": [{"act": "look", "at": 0}]}}),
        (1, {"record": {"acts": [{"act": "close", "at": -1, "connection": 0}]}}),
        (1, {"more": True}),
        (-1, {"exit_status": 2}),
        (-1, {"counts": {"met": 3}}),
    ],
)
def test_the_schema_of_a_run_file_refuses_changed_lines(
    line: int, changes: dict[str, Any], tmp_path: Path
) -> None:
    lines = write(tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()
    data = json.loads(lines[line])
    assert faults("run-2", data) == []
    assert faults("run-2", {**data, **changes})


def test_it_holds_targets_patches_verdicts_and_deviations() -> None:
    data = plain()
    assert [one["label"] for one in data["targets"]] == ["stock", "ppa"]
    assert data["targets"][1]["packages"] == {"qmail": "1.06-6.2~ppa3"}
    of_patch = next(one for one in data["patches"] if one["patch"] == "0005")
    assert [(one["target"], one["met"], one["total"]) for one in of_patch["summaries"]] == [("ppa", 0, 2)]
    row = next(one for one in data["requirements"] if one["requirement"] == CHANGE.name)
    assert row["promise"] == CHANGE.promise
    assert [one["target"] for one in row["verdicts"]] == ["stock", "ppa"]
    assert row["verdicts"][1]["seen"] == "Z, deferred"
    assert row["verdicts"][1]["deviation"]["reason"] == "the buffer is too small"
    assert data["deviations"][0]["requirements"] == [CHANGE.name]
    assert "record" not in json.dumps(data)


@pytest.mark.parametrize("text", NASTY)
def test_whatever_is_in_a_record_the_text_is_harmless_and_whole(text: str) -> None:
    shown = dumps(to_json(with_texts(text)))
    assert shown.isascii()
    assert all(one.isprintable() or one == "\n" for one in shown)
    assert json.loads(shown)["requirements"][1]["verdicts"][0]["seen"] == text
