"""`report`: stored runs in every form, and nothing started. What is wrong is one message and a status."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from conformance.cli import main
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, verdict, write
from tests.schemas import faults

Told = pytest.CaptureFixture[str]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A directory with a run of stock, and one of the PPA in which a change is unmet."""
    directory = tmp_path / "runs"
    write(directory / "a-stock.jsonl", STOCK)
    bad = [verdict(BASE, PPA), verdict(CHANGE, PPA, "unmet", "unmet", seen="Z"), verdict(GUARD, PPA)]
    write(directory / "b-ppa.jsonl", PPA, bad)
    return directory


def test_every_form_at_once_and_success_for_a_run_that_failed(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    names = {"html": "site", "markdown": "r.md", "junit": "j.xml", "json": "r.json", "badges": "badges"}
    options = [word for option, name in names.items() for word in (f"--{option}", str(out / name))]
    assert main(["report", str(runs), *options]) == 0
    assert "regression" in (out / "r.md").read_text(encoding="utf-8")
    assert ET.parse(out / "j.xml").getroot().get("failures") == "1"
    data = json.loads((out / "r.json").read_text(encoding="utf-8"))
    assert faults("report-1", data) == []
    assert data["exit_status"] == 1, "how the runs ended; the command says only that it was written"
    assert [target["label"] for target in data["targets"]] == ["stock", "ppa"]
    assert len(list((out / "badges").glob("*.svg"))) == 3
    assert "0005.mx.tcp-4096" in (out / "site" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "starts"),
    [
        ([], "# qmail conformance\n"),
        (["--markdown", "-"], "# qmail"),
        (["--junit", "-", "--badges", "badges"], "<?xml"),
        (["--json", "-"], "{"),
    ],
)
def test_standard_output_holds_one_form_and_nothing_else(
    options: list[str], starts: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(runs)
    assert main(["report", "b-ppa.jsonl", *options]) == 0
    out = capsys.readouterr().out
    assert out.startswith(starts)
    assert "written" not in out


def test_diff_tells_what_is_newly_unmet(runs: Path, tmp_path: Path, capsys: Told) -> None:
    good = write(tmp_path / "good.jsonl", PPA)
    bad = runs / "b-ppa.jsonl"
    assert main(["report", "--diff", str(good), str(bad)]) == 1
    assert "newly unmet: 1" in capsys.readouterr().out
    assert main(["report", "--diff", str(bad), str(good)]) == 0
    assert "newly met: 1" in capsys.readouterr().out
    files = [str(tmp_path / "d.md"), str(tmp_path / "d.json")]
    assert main(["report", "--diff", str(good), str(bad), "--markdown", files[0], "--json", files[1]]) == 1
    assert faults("changes-1", json.loads(Path(files[1]).read_text(encoding="utf-8"))) == []
    assert Path(files[0]).read_text(encoding="utf-8").startswith("# What changed")
    capsys.readouterr()
    assert main(["report", "--diff", str(good), str(bad), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["regressions"] == [CHANGE.name]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        (["empty"], "no run file"),
        (["cut.jsonl", "--badges", "badges"], "cut off"),
        (["--diff", "cut.jsonl", "cut.jsonl"], "cut off"),
        (["runs", "--markdown", "-", "--json", "-"], "cannot both go to standard output"),
        (["--diff", "runs", "--badges", "site"], "--badges"),
        (["--diff", "runs", "--badges", "badges"], "--badges"),
        (["--diff", "runs/a-stock.jsonl"], "two runs"),
        (["--diff", "runs", "runs"], "two runs, and here are 4"),
        (["runs", "--json", "cut.jsonl/r.json"], "cut.jsonl"),
        (["runs", "--badges", "cut.jsonl"], "cut.jsonl"),
        (["runs", "--html", "cut.jsonl"], "cut.jsonl"),
        (["runs", "other.jsonl"], "do not hold the same requirements"),
        ([], "RUN"),
    ],
)
def test_wrong_use_is_one_message_and_a_status(
    arguments: list[str], says: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    tmp_path = runs.parent
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "other.jsonl", PPA, [verdict(BASE, PPA)])
    (tmp_path / "cut.jsonl").write_bytes((runs / "b-ppa.jsonl").read_bytes()[:-200])
    assert main(["report", *arguments]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
