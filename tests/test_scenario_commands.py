"""Scenarios by name, and what a scenario has in common with a requirement: reproduce, bisect, report."""

import json
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.scenario.cases import case_of_file
from tests.packages import PROJECT, SCENARIOS, write_package
from tests.processes import run_lines
from tests.schemas import faults

Told = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_example_is_tried_by_its_name(capsys: Told) -> None:
    assert main(["try", "unknown-command", "--target", "reference-ppa"]) == 0
    assert main(["try", "unknown-command"]) == 1
    assert main(["shrink", "unknown-command"]) == 0


def test_an_unknown_name_tells_those_that_there_are(capsys: Told) -> None:
    assert main(["try", "unknown-comand"]) == 2
    told = capsys.readouterr().err
    assert "did you mean 'unknown-command'?" in told
    assert "rcptcheck-defers, rcptcheck-pipelined, smtp-auth, unknown-command" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reproduce", "unknown-comand", "--target", "reference-ppa"], "did you mean 'unknown-command'"),
        (["bisect", "unknown-comand", "--targets", "reference"], "did you mean 'unknown-command'"),
        (["try", "0006.unknown.code"], "`qmail-conformance reproduce 0006.unknown.code --target TARGET`"),
        (["run", "reference-ppa", "-k", "0006.unknown.cdoe"], "did you mean '0006.unknown.code'"),
        (["zoo", "-k", "0006.droped"], "did you mean '0006.dropped'"),
        (["list", "-k", "unknwon"], "did you mean 'unknown'"),
        (["deviations", "list", "-k", "persent"], "did you mean 'percent'"),
    ],
)
def test_names_near_an_unknown_one_are_told(arguments: list[str], said: str, capsys: Told) -> None:
    assert main(arguments) in (2, 4)
    assert said in capsys.readouterr().err


def test_a_file_goes_before_a_name(tmp_path: Path, capsys: Told) -> None:
    Path("unknown-command").write_text("session = '> NOOP'\nno = 1\n", encoding="utf-8")
    assert main(["try", "unknown-command"]) == 2
    assert "unknown-command, line 2: no: there is no such key" in capsys.readouterr().err


def test_the_scenarios_of_a_project_have_names_too(tmp_path: Path, capsys: Told) -> None:
    write_package(tmp_path, PROJECT)
    assert main(["try", "--list"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n{name}: " in f"\n{told}" for name in SCENARIOS)
    assert "\nunknown-command: " in told


BUG = "title = 'FROB is unrecognized'\nsession = '''\n> FROB\n< 500\n'''\n"


@pytest.fixture
def bug() -> str:
    Path("My bug.toml").write_text(BUG, encoding="utf-8")
    return "My bug.toml"


def test_what_was_tried_is_kept_with_a_directory_to_send_for_each_target(bug: str, capsys: Told) -> None:
    assert main(["try", bug, "--out", "out"]) == 1
    assert "to send: out/reference-stock (" in capsys.readouterr().out
    for target, seen in (("reference-stock", "502"), ("reference-ppa", "500")):
        directory = Path("out") / target
        assert (directory / "scenario.toml").read_text(encoding="utf-8") == BUG
        assert (directory / "traffic.pcap").read_bytes()[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
        assert f"< {seen} " in (directory / "sessions" / "smtpd-0.txt").read_text(encoding="utf-8")
        assert f"try scenario.toml --target {target}" in (directory / "README.md").read_text(encoding="utf-8")
    assert main(["try", bug, "--out", "out"]) == 1, "in the place of the same"


def test_what_another_scenario_left_stays(bug: str, capsys: Told) -> None:
    assert main(["try", bug, "--out", "out"]) == 1
    before = Path("out/reference-ppa.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["try", "unknown-command", "--out", "out"]) == 2
    told = capsys.readouterr()
    assert told.out == "", "it is refused before anything is played"
    assert "a run of My bug.toml" in told.err
    assert Path("out/reference-ppa.jsonl").read_bytes() == before


def test_what_was_tried_is_reported_in_every_form(bug: str, capsys: Told) -> None:
    assert main(["try", bug, "--out", "out"]) == 1
    capsys.readouterr()
    assert main(["report", "out", "--json", "r.json", "--html", "site", "--junit", "j.xml"]) == 0
    assert faults("report-1", json.loads(Path("r.json").read_text(encoding="utf-8"))) == []
    page = Path("site/requirements/scenario.my-bug.html").read_text(encoding="utf-8")
    assert "502 unimplemented" in page
    assert "500 unrecognised" in page
    assert main(["report", "out"]) == 0
    told = capsys.readouterr().out
    assert "FROB is unrecognized" in told
    assert "qmail-conformance try my-bug.toml --target reference-stock" in told


def test_one_that_no_catalogue_has_is_not_judged_again(bug: str, capsys: Told) -> None:
    assert main(["try", bug, "--target", "reference-ppa", "--out", "out"]) == 0
    assert main(["judge", "out/reference-ppa.jsonl", "--out", "again"]) == 4
    assert "asked anew with `qmail-conformance try`" in capsys.readouterr().err


def test_a_scenario_is_reproduced_like_a_requirement(bug: str, capsys: Told) -> None:
    assert main(["reproduce", bug, "--target", "reference-stock"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["scenario.my-bug on reference-stock: unmet", "promise: FROB is unrecognized"]
    made = Path("reproduce/scenario.my-bug-reference-stock")
    assert (made / "reproduce.sh").is_file()
    assert (made / "scenario.toml").read_text(encoding="utf-8") == BUG
    assert main(["try", bug, "--target", "reference-ppa", "--out", "out"]) == 0
    assert main(["reproduce", bug, "--from", "out/reference-ppa.jsonl", "--out", "again"]) == 0
    assert "scenario.my-bug on reference-ppa: met" in capsys.readouterr().out


def test_a_scenario_is_bisected_like_a_requirement(bug: str, capsys: Told) -> None:
    assert main(["bisect", bug, "--targets", "reference", "--out", "out"]) == 0
    told = capsys.readouterr().out
    assert "line 4: < 500 after FROB; seen: 502" in told, "the expectation that is flipped"
    assert "scenario.my-bug is flipped from unmet to met by 0006.\n" in told
    assert main(["bisect", "rcptcheck-pipelined", "--targets", "reference", "--out", "other"]) == 0
    assert "0009.exit-100.pipelined is flipped from unmet to met by 0009.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [["reproduce", "--target", "reference-ppa"], ["bisect", "--targets", "reference"]]
)
def test_a_name_that_the_world_lacks_is_an_error_of_the_scenario(command: list[str], capsys: Told) -> None:
    Path("lost.toml").write_text(
        "[[deliver]]\nrecipients = ['b@[127.0.0.2]']\nhost = 'mx.other.example'\n"
        "[zones]\n'mx.other.example' = '@ MX 10 gone.elsewhere.example.'\n",
        encoding="utf-8",
    )
    assert main([command[0], "lost.toml", *command[1:]]) == 2
    assert "lost.toml: qmail asks for gone.elsewhere.example A" in capsys.readouterr().err


def test_one_with_a_requirement_is_expected_as_that_is() -> None:
    assert main(["try", "rcptcheck-pipelined", "--out", "out"]) == 1
    _, verdict, footer = run_lines(Path("out/reference-stock.jsonl"))
    assert (verdict["requirement"], verdict["verdict"]) == ("0009.exit-100.pipelined", "unmet")
    assert (verdict["expected"], footer["exit_status"]) == ("unmet", 0)


@pytest.mark.parametrize(
    ("file", "name"), [("a_B.c.toml", "a-b-c"), ("----.toml", "file"), ("ä.toml", "file")]
)
def test_every_file_name_makes_a_requirement(file: str, name: str) -> None:
    Path(file).write_text("title = ''\n" + BUG.partition("\n")[2], encoding="utf-8")
    made = case_of_file(Path(file)).requirement  # type: ignore[attr-defined]
    assert (made.name, made.role) == (f"scenario.{name}", "guard")
