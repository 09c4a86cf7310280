"""The command as a person meets it: words, files, exit statuses. Runs are subprocesses, as at home."""

import ast
import errno
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import conformance
from conformance.__main__ import main as start
from conformance.cli import main
from tests.processes import Finished, python, run_lines
from tests.schemas import faults


def command(*arguments: str, directory: Path, **environment: str) -> Finished:
    """Run the command in a directory of its own."""
    return python("-m", "conformance", *arguments, directory=directory, **environment)


@pytest.fixture(autouse=True)
def _no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.delenv("QMAIL_PPA", raising=False)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    """One comparison of the references over a few requirements, two at a time on each."""
    directory = tmp_path_factory.mktemp("compared")
    arguments = (
        "compare",
        "reference-stock",
        "reference-ppa",
        "--patch",
        "0006",
        "-n",
        "2",
        "--all",
        "--out",
        "out",
    )
    return command(*arguments, directory=directory), directory / "out"


def test_compare_shows_a_matrix_and_ends_with_files_and_meaning(compared: tuple[Finished, Path]) -> None:
    finished, _ = compared
    assert finished.returncode == 0, finished.stderr
    first, second = finished.stdout.splitlines()[:2]
    assert re.fullmatch(r"\d+ cases on 2 targets, 2 at a time on each\.", first)
    assert second == "reference-stock is an executable specification, not qmail"
    row = next(line for line in finished.stdout.splitlines() if line.startswith("  0006.unknown.code"))
    assert row.split()[1:] == ["unmet", "met"]
    assert "run file: out/reference-ppa.jsonl" in finished.stdout
    assert finished.stdout.rstrip().endswith("exit status 0: every verdict is as expected")
    assert re.search(r"\d+/\d+ \(100 %\), 0 unexpected", finished.stderr)


def test_a_run_file_is_whole_and_the_other_reports_are_beside_it(compared: tuple[Finished, Path]) -> None:
    header, *verdicts, footer = run_lines(compared[1] / "reference-stock.jsonl")
    assert (header["kind"], header["schema"]) == ("header", 2)
    assert header["target"]["name"] == "reference-stock"
    assert {verdict["kind"] for verdict in verdicts} == {"verdict"}
    assert all(verdict["record"]["acts"] for verdict in verdicts)
    assert (footer["kind"], footer["exit_status"]) == ("footer", 0)
    suites = ET.parse(compared[1] / "junit.xml").getroot()
    assert len(suites.findall(".//testcase")) == 2 * len(verdicts)
    assert "reference-ppa" in (compared[1] / "summary.md").read_text()


def test_stored_runs_are_compared_without_running(compared: tuple[Finished, Path], tmp_path: Path) -> None:
    runs = [str(compared[1] / f"reference-{name}.jsonl") for name in ("stock", "ppa")]
    finished = command("compare", *runs, "--all", directory=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "0006.unknown.code" in finished.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_directory_stands_for_the_runs_in_it(
    compared: tuple[Finished, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = str(compared[1])
    monkeypatch.chdir(tmp_path)
    assert main(["compare", runs, "-q"]) == 0
    assert main(["judge", runs, "--out", "again", "-q"]) == 0
    assert {path.name for path in Path("again").glob("*.jsonl")} == {
        "reference-stock.jsonl",
        "reference-ppa.jsonl",
    }
    assert main(["deviations", "check", runs]) == 0
    capsys.readouterr()
    reproduced = ["reproduce", "0006.unknown.code", "--out", "it", "--from", runs]
    assert main([*reproduced, "--target", "reference-ppa"]) == 0
    assert main(reproduced) == 2
    assert "2 runs are in it" in capsys.readouterr().err
    gate = ["gate", "reference-ppa", "-k", "0006.unknown.code", "--out", "gate", "-q", "--baseline", runs]
    assert main(gate) == 0


@pytest.mark.parametrize(("wish", "coloured"), [("always", True), ("never", False), ("auto", False)])
def test_a_person_chooses_colours(
    wish: str, coloured: bool, compared: tuple[Finished, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(compared[1]), "-q", f"--color={wish}"]) == 0
    assert ("\x1b[32m" in capsys.readouterr().out) is coloured


def test_latest_leads_to_the_last_run_that_was_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    all_of_them = ["run", "reference-ppa", "-q"]
    some = [*all_of_them, "-k", "0006.empty"]
    latest = Path("reports/latest")
    for out in ([], ["--out", "reports/mine"], ["--out", "elsewhere"], ["--out", "reports/latest"]):
        assert main([*some, *out]) == 0
    assert os.readlink(latest) == "mine"
    assert (latest / "reference-ppa.jsonl").is_file()
    assert main([*all_of_them, "-k", "nothing-is-called-so"]) == 4
    assert os.readlink(latest) == "mine"
    latest.unlink()
    latest.mkdir()
    assert main(some) == 0
    assert not latest.is_symlink(), "what has the name already keeps it"
    latest.rmdir()
    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    assert main([*some, "--out", "reports/third"]) == 0


def refuse(*_: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_stored_run_is_judged_again_by_what_its_records_hold(
    compared: tuple[Finished, Path], tmp_path: Path
) -> None:
    before = compared[1] / "reference-ppa.jsonl"
    finished = command("judge", str(before), "--out", "again", directory=tmp_path)
    assert finished.returncode == 0, finished.stderr
    verdicts, again = (
        [(line["requirement"], line["verdict"]) for line in run_lines(path)[1:-1]]
        for path in (before, tmp_path / "again" / before.name)
    )
    assert sorted(verdicts) == sorted(again)
    changed = tmp_path / "changed.jsonl"
    changed.write_text(before.read_text().replace("500 unrecogni", "502 unrecogni"))
    finished = command("judge", str(changed), "--out", "again", directory=tmp_path)
    assert finished.returncode == 1
    assert "0006.unknown.code: was met, is now unmet" in finished.stdout


FLAWED = "reference-ppa~0006.dropped"


def test_a_flaw_turns_the_gate_red_and_stands_in_every_report(tmp_path: Path) -> None:
    arguments = ("gate", FLAWED, "--against", "reference-ppa", "-k", "0006.unknown.code", "--out", "out")
    finished = command(*arguments, "--all", directory=tmp_path)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    told = f"gate: {FLAWED} does not pass: 1 unexpected (1 wrong words); 1 is worse than reference-ppa. "
    assert finished.stdout.splitlines()[-1].startswith(told)
    row = next(line for line in finished.stdout.splitlines() if line.startswith("  0006.unknown.code"))
    assert row.split()[1:] == ["unmet!", "met"]
    run = tmp_path / "out" / "reference-ppa-0006.dropped.jsonl"
    header, verdict, _ = run_lines(run)
    assert header["target"]["name"] == FLAWED
    assert verdict["attempts"] == ["unmet", "unmet"], "an unexpected verdict is repeated in a fresh pod"
    assert all(faults("run-2", line) == [] for line in run_lines(run))
    assert main(["report", str(tmp_path / "out"), "--html", str(tmp_path / "site")]) == 0
    for page in ("out/junit.xml", "out/summary.md", "site/index.html"):
        assert FLAWED in (tmp_path / page).read_text().replace("\\", ""), f"{page}, where Markdown escapes it"


def test_a_gate_that_passes_says_so_in_one_line(tmp_path: Path) -> None:
    arguments = ("gate", "reference-ppa", "-k", "0006.empty", "--out", "out")
    finished = command(*arguments, directory=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("gate: reference-ppa passes.")


def test_compare_without_an_engine_says_so_first(tmp_path: Path) -> None:
    engine = os.environ["DOCKER_HOST"]
    arguments = ("compare", "-k", "0006.empty", "--out", "out")
    finished = command(*arguments, directory=tmp_path, DOCKER_HOST=engine)
    assert finished.returncode == 0, finished.stderr
    assert re.match(r".*embedded references.*no Docker engine", finished.stdout)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["run", "sendmail"], 2, "there is no target 'sendmail'"),
        (["run", "reference-ppa~0006.droped"], 2, "did you mean '0006.dropped'"),
        (["run", "ppa"], 2, "QMAIL_PPA"),
        (["run", "debs:nowhere-at-all"], 2, "nowhere-at-all"),
        (["run", "reference-ppa", "-n", "0"], 2, "at least one case at a time"),
        (["gate", "reference-ppa", "-n", "x"], 2, "argument -n"),
        (["run", "reference-ppa", "--patch", "0012"], 2, "0012"),
        (["run", "reference-ppa", "--frobnicate"], 2, "--frobnicate"),
        (["run", "reference-ppa", "-k", "and and"], 2, "-k 'and and'"),
        (["run", "reference-ppa", "-k", "no-such-word"], 4, "nothing is selected"),
        (["run", "reference-ppa", "-k", "0006.unknown.cod3"], 4, "did you mean '0006.unknown.code'"),
        (["list", "-k", "no-such-word-anywhere"], 4, "no requirement is selected"),
        (["list", "-k", "0006.unknown.cod3"], 4, "did you mean '0006.unknown.code'"),
        (["run", "reference-ppa", "-k", "a", "-k", "b"], 2, "join them: -k 'a or b'"),
        (["zoo", "-k", "0006.droped"], 4, "did you mean '0006.dropped'"),
        (["judge", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["compare", "reference-ppa", "run.jsonl"], 2, "at once"),
        (["frobnicate"], 2, "there is no command 'frobnicate'"),
        (["--color", "always", "run"], 2, "--color stands before the command"),
        (["comapre"], 2, "did you mean 'compare'?"),
        (["help", "comapre"], 2, "did you mean 'compare'?"),
        (["run", "reference-ppa", "--patches", "4"], 2, "did you mean '--patch'?"),
        (["run", "reference-ppa", "--patch", "0004,0012"], 2, "there is no patch '0012'"),
        (["run", "reference-ppa", "again"], 2, "'again' is one argument too many"),
        (["run", "Reference-ppa"], 2, "did you mean 'reference-ppa'"),
        (["deviations", "lst"], 2, "did you mean 'list'?"),
        (["bench", "stock", "--scenario", "inbound/aut"], 4, "did you mean 'inbound/auth'"),
        (["explore", "reference-ppa", "--area", "smpt"], 2, "did you mean 'smtp'?"),
        (
            ["bisect", "0006.unknown.code", "--targets", "reference", "--from", "stokc"],
            2,
            "did you mean 'stock'",
        ),
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
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["run"], ["run", "reference-ppa", "--frobnicate"], ["run", "x", "y"]])
def test_wrong_use_shows_the_usage_of_its_own_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("qmail-conformance: run: ")
    assert "usage: qmail-conformance run " in error
    assert "`qmail-conformance run --help` tells more.\n" in error


def test_help_tells_of_a_command_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    for command, arguments in (("run", ["run", "--help"]), ("", ["--help"])):
        assert main(arguments) == 0
        asked = capsys.readouterr().out
        assert main(["help", *filter(None, [command])]) == 0
        assert capsys.readouterr().out == asked


@pytest.mark.parametrize("patches", [["6"], ["0006"], ["6,0006"], ["6", "--patch", "0006"]])
def test_a_patch_is_known_by_its_number_however_it_is_written(
    patches: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--json", "--patch", *patches]) == 0
    requirements = json.loads(capsys.readouterr().out)["requirements"]
    assert {each["patch"] for each in requirements} == {"0006"}
    assert main(["list", "--json", "--patch", "5,6"]) == 0
    requirements = json.loads(capsys.readouterr().out)["requirements"]
    assert {each["patch"] for each in requirements} == {"0005", "0006"}


def test_no_engine_is_the_worlds_failure_and_stands_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "stock"]) == 3
    assert "no Docker engine answers" in capsys.readouterr().err
    assert main(["doctor"]) == 3
    assert "BAD   Docker engine" in capsys.readouterr().out
    assert main(["targets"]) == 0
    told = capsys.readouterr().out
    assert "yes  reference-stock" in told
    assert "no   stock\n       no Docker engine answers" in told


def test_who_may_not_open_the_engines_socket_is_told_how_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("socket.socket.connect", refuse)
    assert main(["run", "stock"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("qmail-conformance: this user may not open the socket of the Docker engine")
    for way in ("group docker", "rootless Docker", "Podman", "reference-…"):
        assert way in error


def test_list_tells_name_promise_and_citation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--patch", "0005", "-k", "65535"]) == 0
    told = capsys.readouterr().out
    assert "0005.mx.octets-65535  (must, change)" in told
    assert "rfc1035:4.2.2" in told
    assert told.endswith("\n1 requirement\n")
    assert main(["list", "--json"]) == 0
    requirements = json.loads(capsys.readouterr().out)["requirements"]
    assert len(requirements) >= 60
    assert {"name", "patch", "source", "promise", "level", "role"} <= set(requirements[0])


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


def test_a_python_that_is_too_old_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("__init__.py", "__main__.py"):
        text = (Path(conformance.__file__).parent / name).read_text(encoding="utf-8")
        top = ast.parse(text, feature_version=(3, 6)).body
        assert not [each for each in top if isinstance(each, ast.ImportFrom)], "it may not be readable"
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    assert start() == 3
    assert capsys.readouterr().err.startswith("qmail-conformance: Python 3.11 or newer is needed, not 3.10\n")


def test_cases_are_listed_without_what_only_runs_them() -> None:
    listed = python("-c", "import sys; from conformance.cli import main; main(['list']); print(*sys.modules)")
    assert "base.client.ordinary" in listed.stdout
    assert not {"asyncio", "aiosmtplib", "docker", "pytest"} & set(listed.stdout.splitlines()[-1].split())
