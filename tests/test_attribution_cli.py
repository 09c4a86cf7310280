"""`bisect` and `attribute` as a person meets them; runs are made up, save for one on the reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue import PPA_PATCHES
from conformance.cli import attributing, main
from conformance.cli.case_run import CaseRun, Selection
from conformance.judge.verdict import VerdictName
from conformance.targets.plan import Plan
from tests.judge_samples import verdict, write
from tests.schemas import faults

NAME = "0008.mode.required"  # the names of two more requirements begin with it

Told = pytest.CaptureFixture[str]
Says = Callable[[frozenset[str]], list[VerdictName]]


class Conductor:
    """Stands in for running the cases: the verdict on every selected requirement is as `says`."""

    def __init__(self, says: Says, names: list[str]) -> None:
        self.says = says
        self.names = names
        self.ran: list[str] = []
        self.keywords: set[str] = set()

    def __call__(self, plan: Plan, selection: Selection, *, out: Path, **rest: Any) -> CaseRun:
        (target,) = plan.targets
        self.ran.append(target.name)
        self.keywords.add(selection.keyword)
        chosen = [all_requirements()[name] for name in self.names]
        verdicts = [verdict(one, target, *self.says(frozenset(target.patches))) for one in chosen]
        return CaseRun([write(out / f"{target.file_name}.jsonl", target, verdicts)])


@pytest.fixture
def conducted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Conductor]:
    def install(says: Says, *names: str) -> Conductor:
        made = Conductor(says, list(names) or [NAME])
        monkeypatch.setattr(attributing, "run_cases", made)
        return made

    return install


def its_own(patches: frozenset[str]) -> list[VerdictName]:
    return ["met"] if "0008" in patches else ["unmet"]


def test_bisect_prints_each_step_and_runs_no_build_twice(
    conducted: Callable[..., Conductor], tmp_path: Path, capsys: Told
) -> None:
    made = conducted(its_own)
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "executable specifications, not qmail" in out
    assert made.ran == [
        "reference-stock",
        "reference-ppa",
        "reference@0008",
        "reference@0004,0005,0006,0007,0009",
    ]
    assert "   1  stock (no patch): unmet" in out
    assert f"{NAME} is flipped from unmet to met by 0008." in out
    assert "These runs prove it" in out
    assert "4 runs out of 64 builds" in out
    assert len(list(tmp_path.glob("*.jsonl"))) == 4


def test_the_expression_selects_the_one_requirement_and_no_longer_name(
    conducted: Callable[..., Conductor], tmp_path: Path
) -> None:
    made = conducted(its_own)
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 0
    (keyword,) = made.keywords
    assert keyword == f"{NAME} and not {NAME}-cram and not {NAME}-plus-cram"


def test_a_pair_is_found_and_named_together(
    conducted: Callable[..., Conductor], tmp_path: Path, capsys: Told
) -> None:
    conducted(lambda p: ["met"] if {"0004", "0008"} <= p else ["unmet"])
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 0
    assert "by 0004 and 0008 together." in capsys.readouterr().out


def test_ends_that_agree_and_patches_that_act_on_each_other_are_no_success(
    conducted: Callable[..., Conductor], tmp_path: Path, capsys: Told
) -> None:
    made = conducted(lambda p: ["met"])
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 1
    assert "is met on both" in capsys.readouterr().out
    assert len(made.ran) == 2
    conducted(lambda p: ["met"] if "0004" in p and {"0005", "0006"} & p else ["unmet"])
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 1
    assert "The smallest step that flips it is from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attempts", "says"),
    [
        (["unmet", "met"], "unstable: unmet, then met"),
        (["invalid", "invalid"], "invalid"),
        (["unsupported"], "unsupported"),
    ],
)
def test_a_verdict_that_decides_nothing_stops_the_search(
    attempts: list[VerdictName],
    says: str,
    conducted: Callable[..., Conductor],
    tmp_path: Path,
    capsys: Told,
) -> None:
    made = conducted(lambda p: attempts if p == {"0008"} else its_own(p))
    assert main(["bisect", NAME, "--targets", "reference", "--out", str(tmp_path)]) == 3
    told = capsys.readouterr()
    assert f"{NAME} on 0008 is {says}" in told.err
    assert "flipped" not in told.out
    assert len(made.ran) == 3


def packages(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).mkdir(parents=True)
        (directory / name / "qmail_1.06-6_amd64.deb").write_bytes(b"")


def test_builds_that_cannot_tell_say_which_would(
    conducted: Callable[..., Conductor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Told,
) -> None:
    monkeypatch.setattr(attributing, "make_ready", _ready)
    builds, out = tmp_path / "builds", str(tmp_path / "out")
    packages(builds, "stock", "0007+0008", "ppa")
    conducted(its_own)
    assert main(["bisect", NAME, "--targets", str(builds), "--out", out]) == 1
    told = capsys.readouterr().out
    assert "by 0007 or 0008: the builds that are there cannot tell." in told
    assert "A build of 0007 would tell." in told
    packages(builds, "0004+0005+0006+0007")
    assert main(["bisect", NAME, "--targets", str(builds), "--out", out]) == 0
    told = capsys.readouterr().out
    assert "by 0008." in told
    assert "simplest explanation" in told
    assert "a build of: 0008" in told


def _ready(names: list[str], *rest: Any) -> Plan:
    from conformance.targets.names import parse_target

    return Plan(tuple(parse_target(name) for name in names))


def test_attribute_writes_the_table_and_is_loud_about_a_wrong_name(
    conducted: Callable[..., Conductor], tmp_path: Path, capsys: Told
) -> None:
    conducted(lambda p: ["met"] if "0004" in p else ["unmet"], NAME, "0004.any.not-asked")
    assert main(["attribute", "--targets", "reference", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "Every build here is an executable specification, not qmail"
    assert f"NOT AS NAMED: {NAME} (change) is flipped to met by 0004" in told.out
    assert "build 14 of 14" in told.err
    data = json.loads((tmp_path / "attribution.json").read_text(encoding="utf-8"))
    assert faults("attribution-1", data) == []
    assert [one["agreement"] for one in data["requirements"]] == ["as named", "not as named"]
    assert "## Not as named" in (tmp_path / "attribution.md").read_text(encoding="utf-8")


def test_attribute_reads_stored_runs_and_starts_nothing(
    conducted: Callable[..., Conductor], tmp_path: Path, capsys: Told
) -> None:
    conducted(its_own)
    assert main(["attribute", "--targets", "reference", "--out", str(tmp_path / "first")]) == 0
    first = (tmp_path / "first" / "attribution.json").read_text(encoding="utf-8")
    nobody = conducted(its_own)
    assert main(["attribute", str(tmp_path / "first"), "--out", str(tmp_path / "again")]) == 0
    assert nobody.ran == []
    assert (tmp_path / "again" / "attribution.json").read_text(encoding="utf-8") == first
    assert "1 as named" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bisect", "0008.mode", "--targets", "reference"], "do you mean 0008.mode"),
        (["bisect", "0008.mode.requird", "--targets", "reference"], "do you mean 0008.mode.required"),
        (["bisect", NAME], "--targets"),
        (["bisect", NAME, "--targets", "nowhere"], "no such directory"),
        (["bisect", NAME, "--targets", "reference", "--from", "only-0099"], "0099"),
        (["bisect", NAME, "--targets", "reference", "--from", "ppa", "--to", "stock"], "no part of"),
        (["attribute"], "either stored runs or --targets"),
        (["attribute", "run.jsonl", "--targets", "reference"], "either stored runs or --targets"),
        (["attribute", "run.jsonl", "-k", "mx"], "not run"),
        (["attribute", "nowhere.jsonl"], "nowhere.jsonl"),
        (["attribute", "--targets", "reference", "-n", "0"], "at least one case at a time"),
    ],
)
def test_wrong_use_is_one_message_and_a_status(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Told,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_on_the_reference_itself_with_its_assertions_shown(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    arguments = ["bisect", "0006.unknown.code", "--targets", "reference", "--from", "0004", "--out", "out"]
    finished = subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "from unmet to met by 0006." in finished.stdout
    assert "1  0004: unmet  assert 502 == 500" in finished.stdout, "pytest itself has imported the cases"
    assert len(PPA_PATCHES) == 6
    assert "4 runs out of 64 builds" in finished.stdout
