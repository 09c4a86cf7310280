"""Scenarios by name, and what a scenario has in common with a requirement: reproduce, bisect, report."""

from pathlib import Path

import pytest

from conformance.cli import main
from tests.packages import PROJECT, SCENARIOS, write_package

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
