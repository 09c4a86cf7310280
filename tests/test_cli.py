"""The command as a person meets it: words, files, exit statuses. Runs are subprocesses, as at home."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conformance.cli import main

Finished = subprocess.CompletedProcess[str]


def command(*arguments: str, directory: Path, **environment: str) -> Finished:
    """Run the command in a directory of its own, without colours and without what this shell has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=directory,
        env={**kept, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    """One comparison of the references over a few requirements, two at a time on each."""
    directory = tmp_path_factory.mktemp("compared")
    arguments = ("compare", "reference-stock", "reference-ppa", "--patch", "0006", "-n", "2", "--out", "out")
    return command(*arguments, directory=directory), directory / "out"


def test_compare_shows_a_matrix_and_ends_with_files_and_meaning(compared: tuple[Finished, Path]) -> None:
    finished, _ = compared
    assert finished.returncode == 0, finished.stderr
    first, second = finished.stdout.splitlines()[:2]
    assert re.fullmatch(r"\d+ cases, 2 cases at a time on each target\.", first)
    assert second == "reference-stock is an executable specification, not qmail"
    row = next(line for line in finished.stdout.splitlines() if "0006.unknown.code" in line)
    assert row.split()[1:] == ["unmet", "met"]
    assert "run file: out/reference-ppa.jsonl" in finished.stdout
    assert finished.stdout.rstrip().endswith("exit status 0: every verdict is as expected")
    assert re.search(r"\d+/\d+ \(100 %\), 0 unexpected", finished.stderr)


def test_a_run_file_has_header_verdicts_and_footer(compared: tuple[Finished, Path]) -> None:
    header, *verdicts, footer = lines(compared[1] / "reference-stock.jsonl")
    assert (header["kind"], header["schema"]) == ("header", 2)
    assert header["target"]["name"] == "reference-stock"  # type: ignore[index]
    assert {verdict["kind"] for verdict in verdicts} == {"verdict"}
    assert all(verdict["record"]["acts"] for verdict in verdicts)  # type: ignore[index]
    assert footer["kind"] == "footer"
    assert footer["exit_status"] == 0


def test_junit_parses_and_the_summary_is_beside_it(compared: tuple[Finished, Path]) -> None:
    suites = ET.parse(compared[1] / "junit.xml").getroot()
    assert len(suites.findall(".//testcase")) == 2 * len(lines(compared[1] / "reference-ppa.jsonl")[1:-1])
    assert "reference-ppa" in (compared[1] / "summary.md").read_text()


def test_stored_runs_are_compared_without_running(compared: tuple[Finished, Path], tmp_path: Path) -> None:
    runs = [str(compared[1] / f"reference-{name}.jsonl") for name in ("stock", "ppa")]
    finished = command("compare", *runs, directory=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "0006.unknown.code" in finished.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_stored_run_is_judged_again_to_the_same_verdicts(
    compared: tuple[Finished, Path], tmp_path: Path
) -> None:
    before = compared[1] / "reference-ppa.jsonl"
    finished = command("judge", str(before), "--out", "again", directory=tmp_path)
    assert finished.returncode == 0, finished.stderr
    after = tmp_path / "again" / "reference-ppa.jsonl"
    assert {(v["requirement"], v["verdict"]) for v in lines(before)[1:-1]} == {
        (v["requirement"], v["verdict"]) for v in lines(after)[1:-1]
    }


def test_a_doctored_record_is_judged_by_what_it_holds(
    compared: tuple[Finished, Path], tmp_path: Path
) -> None:
    changed = tmp_path / "changed.jsonl"
    changed.write_text(
        (compared[1] / "reference-ppa.jsonl").read_text().replace("500 unrecogni", "502 unrecogni")
    )
    finished = command("judge", str(changed), "--out", "again", directory=tmp_path)
    assert finished.returncode == 1
    assert "0006.unknown.code: was met, is now unmet" in finished.stdout


def test_a_truncated_run_file_is_an_error_for_every_reader(
    compared: tuple[Finished, Path], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join((compared[1] / "reference-ppa.jsonl").read_text().splitlines(keepends=True)[:-1]))
    for arguments in (("compare", str(cut)), ("judge", str(cut))):
        finished = command(*arguments, directory=tmp_path)
        assert finished.returncode == 2
        assert "footer" in finished.stderr
        assert "Traceback" not in finished.stderr


def test_a_flaw_turns_the_gate_red_and_says_which_promise(tmp_path: Path) -> None:
    finished = command(
        "gate",
        "reference-ppa",
        "-k",
        "0006.unknown.code",
        "--out",
        "out",
        directory=tmp_path,
        QMAIL_CONFORMANCE_FLAWS="0006.dropped",
    )
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("gate: reference-ppa does not pass.")
    verdict = lines(tmp_path / "out" / "reference-ppa.jsonl")[1]
    assert verdict["attempts"] == ["unmet", "unmet"], "an unexpected verdict is repeated in a fresh pod"


def test_a_gate_that_passes_says_so_in_one_line(tmp_path: Path) -> None:
    finished = command(
        "gate",
        "reference-ppa",
        "--against",
        "reference-stock",
        "-k",
        "0006.empty",
        "--out",
        "out",
        directory=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("gate: reference-ppa passes.")


def test_compare_without_an_engine_says_so_first(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/no-engine.sock"
    finished = command("compare", "-k", "0006.empty", "--out", "out", directory=tmp_path, DOCKER_HOST=nowhere)
    assert finished.returncode == 0, finished.stderr
    assert "embedded references" in finished.stdout.splitlines()[0]
    assert "no Docker engine" in finished.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["run", "sendmail"], 2, "there is no target 'sendmail'"),
        (["run", "reference@0003"], 2, "0003"),
        (["run", "ppa"], 2, "QMAIL_PPA"),
        (["run", "debs:nowhere-at-all"], 2, "nowhere-at-all"),
        (["run", "reference-ppa", "-n", "0"], 2, "at least one case at a time"),
        (["gate", "reference-ppa", "-n", "x"], 2, "argument -n"),
        (["run", "reference-ppa", "--patch", "0012"], 2, "0012"),
        (["run", "reference-ppa", "--frobnicate"], 2, "--frobnicate"),
        (["list", "-k", "no-such-word-anywhere"], 4, "no requirement is selected"),
        (["judge", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["compare", "reference-ppa", "run.jsonl"], 2, "at once"),
        (["frobnicate"], 2, "frobnicate"),
        ([], 2, "COMMAND"),
    ],
)
def test_wrong_use_is_one_message_and_a_status(
    arguments: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QMAIL_PPA", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_no_engine_is_the_worlds_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert main(["run", "stock"]) == 3
    assert main(["doctor"]) == 3
    told = capsys.readouterr()
    assert "no Docker engine answers" in told.err
    assert "BAD   Docker engine" in told.out


def test_what_selects_nothing_is_no_success(tmp_path: Path) -> None:
    finished = command("run", "reference-ppa", "-k", "no-such-word", "--out", "out", directory=tmp_path)
    assert finished.returncode == 4
    assert "nothing is selected" in finished.stderr
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_a_wrong_expression_is_wrong_use(tmp_path: Path) -> None:
    finished = command("run", "reference-ppa", "-k", "and and", "--out", "out", directory=tmp_path)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


def test_list_tells_name_promise_and_citation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--patch", "0005", "-k", "65535"]) == 0
    told = capsys.readouterr().out
    assert "0005.mx.octets-65535  (must, change)" in told
    assert "rfc1035:4.2.2" in told


def test_list_as_json_holds_every_requirement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["requirements"]) >= 60
    assert {"name", "patch", "source", "promise", "level", "role"} <= set(told["requirements"][0])


def test_targets_says_what_stands_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert main(["targets"]) == 0
    told = capsys.readouterr().out
    assert "yes  reference-stock" in told
    assert "no   stock\n       no Docker engine answers" in told


def test_a_broken_zone_file_is_told_with_file_and_line_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "fixtures" / "dns-zones" / "broken.example.zone"
    broken.parent.mkdir(parents=True)
    broken.write_text("$ORIGIN broken.example.\n$TTL 60\n@ MX ten mx\n")
    monkeypatch.setattr("conformance.internet.zones.data", lambda *parts: tmp_path.joinpath(*parts))
    assert main(["run", "reference-ppa", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{broken}, line 3" in error
    assert not (tmp_path / "out").exists()


def test_cases_are_listed_without_what_only_runs_them() -> None:
    code = "import sys; from conformance.cli import main; main(['list']); print(*sys.modules)"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "base.client.ordinary" in listed.stdout
    assert not {"asyncio", "aiosmtplib", "docker", "pytest"} & set(listed.stdout.splitlines()[-1].split())
