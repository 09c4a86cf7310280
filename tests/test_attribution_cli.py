"""`bisect` and `attribute` as a person meets them; runs are made up, save for one on the reference."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.cli import attributing, main
from conformance.cli.case_run import Selection
from conformance.judge.runfile import Run, read_run
from conformance.judge.verdict import VerdictName
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from tests.judge_samples import verdict, write
from tests.packages import PROJECT, write_package
from tests.schemas import faults

NAME = "0008.mode.required"  # the names of two more requirements begin with it

Told = pytest.CaptureFixture[str]
Says = Callable[[frozenset[str]], list[VerdictName]]


class Conductor:
    """Stands in for running the cases: the verdict on every selected requirement is as `says`."""

    def __init__(self, says: Says, names: Sequence[str]) -> None:
        self.says = says
        self.names = names or [NAME]
        self.ran: list[str] = []
        self.keywords: set[str] = set()

    def __call__(self, plan: Plan, selection: Selection, *, out: Path, **rest: Any) -> list[Run]:
        (target,) = plan.targets
        self.ran.append(target.name)
        self.keywords.add(selection.keyword)
        said = self.says(frozenset(target.patches))
        verdicts = [verdict(all_requirements()[name], target, *said) for name in self.names]
        return [read_run(write(out / f"{target.file_name}.jsonl", target, verdicts))]


Conduct = Callable[..., Conductor]


@pytest.fixture
def conducted(monkeypatch: pytest.MonkeyPatch) -> Conduct:
    def install(says: Says, *names: str) -> Conductor:
        made = Conductor(says, names)
        monkeypatch.setattr(attributing, "run_cases", made)
        return made

    return install


def its_own(patches: frozenset[str]) -> list[VerdictName]:
    return ["met"] if "0008" in patches else ["unmet"]


def bisect(out: Path, targets: Path | str = "reference") -> int:
    return main(["bisect", NAME, "--targets", str(targets), "--out", str(out)])


def test_bisect_shows_steps_and_runs_no_build_twice(conducted: Conduct, tmp_path: Path, capsys: Told) -> None:
    made = conducted(its_own)
    assert bisect(tmp_path) == 0
    out = capsys.readouterr().out
    assert "executable specifications, not qmail" in out
    without = "reference@0004,0005,0006,0007,0009"
    assert made.ran == ["reference@base", "reference-ppa", "reference@base,0008", without]
    assert made.keywords == {f"{NAME} and not {NAME}-cram and not {NAME}-plus-cram"}
    assert "   1  base: unmet" in out
    assert f"{NAME} is flipped from unmet to met by 0008." in out
    assert "These runs prove it" in out
    assert "4 runs out of 512 builds" in out
    assert len(list(tmp_path.glob("*.jsonl"))) == 4


@pytest.mark.parametrize(
    ("says", "status", "told"),
    [
        (lambda p: ["met"] if {"0004", "0008"} <= p else ["unmet"], 0, "by 0004 and 0008 together."),
        (lambda p: ["met"], 1, "is met on both"),
        (
            lambda p: ["met"] if "0004" in p and {"0005", "0006"} & p else ["unmet"],
            1,
            "The smallest step that flips it is from",
        ),
    ],
)
def test_a_pair_is_found_and_what_no_patch_explains_is_no_success(
    says: Says, status: int, told: str, conducted: Conduct, tmp_path: Path, capsys: Told
) -> None:
    conducted(says)
    assert bisect(tmp_path) == status
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attempts", "says"),
    [
        (["unmet", "met"], "unstable: unmet, then met"),
        (["invalid", "invalid"], "invalid"),
        (["unsupported"], "unsupported"),
    ],
)
def test_a_verdict_that_decides_nothing_stops_the_search(
    attempts: list[VerdictName], says: str, conducted: Conduct, tmp_path: Path, capsys: Told
) -> None:
    made = conducted(lambda p: attempts if p == {"0008"} else its_own(p))
    assert bisect(tmp_path) == 3
    told = capsys.readouterr()
    assert f"{NAME} on base+0008 is {says}" in told.err
    assert ("flipped" in told.out, len(made.ran)) == (False, 3)


def packages(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).mkdir(parents=True)
        (directory / name / "qmail_1.06-6_amd64.deb").write_bytes(b"")


def test_builds_that_cannot_tell_say_which_would(
    conducted: Conduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    def ready(names: list[str], *rest: Any) -> Plan:
        return Plan(tuple(parse_target(name) for name in names))

    monkeypatch.setattr(attributing, "make_ready", ready)
    builds, out = tmp_path / "builds", tmp_path / "out"
    packages(builds, "stock", "0007+0008", "ppa")
    conducted(its_own)
    assert bisect(out, builds) == 1
    told = capsys.readouterr().out
    assert "by 0007 or 0008: the builds that are there cannot tell." in told
    assert "A build of 0007 would tell." in told
    packages(builds, "0004+0005+0006+0007")
    assert bisect(out, builds) == 0
    told = capsys.readouterr().out
    for part in ("by 0008.", "simplest explanation", "a build of: 0008"):
        assert part in told


def test_builds_that_fail_in_different_ways_are_told_apart() -> None:
    alike = {"a": "answered 250 ok 17 qp 3\nassert …", "b": "answered 250 ok 18 qp 4"}
    assert attributing.different_failures(alike) == []
    _, first, second = attributing.different_failures({**alike, "c": "<no reply: closed>"})
    assert (first.split(":")[0].strip(), second.strip()) == ("a and b", "c: <no reply: closed>")


def test_attribute_writes_the_table_and_is_loud_about_a_wrong_name_and_reads_stored_runs(
    conducted: Conduct, tmp_path: Path, capsys: Told
) -> None:
    made = conducted(lambda p: ["met"] if "0004" in p else ["unmet"], NAME, "0004.any.not-asked")
    assert main(["attribute", "--targets", "reference", "--out", str(tmp_path / "first")]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "Every build here is an executable specification, not qmail"
    assert f"NOT AS NAMED: {NAME} (change) is flipped to met by 0004" in told.out
    assert "build 20 of 20" in told.err
    written = (tmp_path / "first" / "attribution.json").read_text(encoding="utf-8")
    assert faults("attribution-1", json.loads(written)) == []
    assert [row["agreement"] for row in json.loads(written)["requirements"]] == ["as named", "not as named"]
    assert "## Not as named" in (tmp_path / "first" / "attribution.md").read_text(encoding="utf-8")
    assert main(["attribute", str(tmp_path / "first"), "--out", str(tmp_path / "again")]) == 1
    assert len(made.ran) == 20, "stored runs start nothing"
    assert (tmp_path / "again" / "attribution.json").read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bisect", "0008.mode", "--targets", "reference"], "did you mean '0008.mode"),
        (["bisect", "0008.mode.requird", "--targets", "reference"], "did you mean '0008.mode.required"),
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
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
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
    command = [sys.executable, "-m", "conformance", *arguments]
    finished = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert "from unmet to met by 0006." in finished.stdout
    said = "1  0004: unmet  FROBNICATE now was answered 502 unimplemented (#5.5.1); 500 was promised"
    assert said in finished.stdout, "pytest itself has imported the cases, and says what was claimed"
    assert "4 runs out of 512 builds" in finished.stdout


def test_a_patch_under_another_name_is_searched_for_on_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    """Builds are called as the package's patches are, and who carries a patch goes with it."""
    write_package(tmp_path, PROJECT)
    monkeypatch.chdir(tmp_path)
    named = ("--from", "without-verbs", "--to", "ppa", "--out", "out")
    assert main(["bisect", "verbs.frob.code", "--targets", "reference", *named]) == 0
    told = capsys.readouterr().out
    assert "between base and ppa (0006, verbs)" in told
    assert "verbs.frob.code is flipped from unmet to met by 0006." in told
    assert "would be shown by" not in told, "nobody has verbs without the 0006 that it is"
    assert main(["attribute", "--targets", "reference", "--patch", "verbs", "--out", "table"]) == 1
    table = json.loads((tmp_path / "table/attribution.json").read_text())
    found = {each["requirement"]: each for each in table["requirements"]}
    [why] = found["verbs.frob.code"]["explanations"]
    assert why["patches"] == ["0006"]
    without = frozenset(PPA_PATCHES) - {"0006"}
    assert without in [frozenset(each["patches"]) for each in table["builds"]]
