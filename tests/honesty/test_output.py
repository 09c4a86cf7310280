"""Trouble with what the command writes to is never a verdict: streams, disks, places, memory, terminals."""

import errno
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.collection import DIRECTORY
from conformance.cli import COMMANDS, benching, listing, main
from conformance.cli.reporting import write_site
from conformance.cli.writing import write_directory, write_octets, write_text
from conformance.errors import UsageError, WorldError
from conformance.judge.comparison import compare
from tests.bench_samples import bench
from tests.judge_samples import STOCK, run
from tests.processes import PYTEST, python

ROOT = Path(__file__).resolve().parents[2]
RUNS = [str(ROOT / "reports" / "sample" / f"debs-{name}.jsonl") for name in ("stock", "ppa")]
SCENARIO = str(ROOT / "tests" / "scenarios" / "short.toml")
TRANSCRIPT = str(ROOT / "tests" / "transcripts" / "swaks.txt")
ONE = ("-k", "0006.empty", "-n", "1", "--out", "out")
BISECT = ("0006.unknown.code", "--targets", "reference", "--from", "stock", "--to", "0006", "--out", "out")

#: Subcommand -> arguments with which it ends with 0, in an empty directory and without an engine.
GOOD: dict[str, tuple[str, ...]] = {
    "help": ("run",),
    "completion": ("bash",),
    "init": (),
    "deviations": ("list",),
    "identify": (RUNS[1],),
    "list": (),
    "find": ("rcpthosts",),
    "targets": (),
    "doctor": (),  # misses the engine: 3, as does `clean`
    "clean": ("--dry-run",),
    "run": ("reference-ppa", *ONE),
    "compare": ("reference-stock", "reference-ppa", *ONE),
    "gate": ("reference-ppa", *ONE),
    "judge": (RUNS[1], "--out", "out"),
    "report": (RUNS[1],),
    "bisect": BISECT,
    "attribute": (*RUNS, "--out", "out"),
    "zoo": ("-k", "0006.dropped", "-n", "1", "--out", "out"),
    "try": (SCENARIO, "--target", "reference-ppa", "--out", "out"),
    "shrink": (SCENARIO,),
    "bench": ("--list",),
    "reproduce": ("0006.unknown.code", "--from", RUNS[1], "--out", "out"),
    "reference-deb": ("out",),
    "explore": ("reference-ppa", "--area", "smtp", "--sessions", "16", "-n", "1", "--out", "out"),
}


#: Commands that end with 3 where there is no engine.
NO_ENGINE = ("doctor", "clean")


def command(
    arguments: tuple[str, ...], directory: Path, *, streams: str = "", before: str = "", **environment: str
) -> tuple[int, str, str]:
    """Run the command in a shell that sets its streams: exit status, standard output, standard error."""
    told = directory / "told"
    told.unlink(missing_ok=True)
    redirected = streams if "2>" in streams else f"2>told {streams}"
    if streams.startswith("|"):
        line = f'{{ "$@" 2>told; echo $? >status; }} {streams}'
    else:
        line = f'{before} "$@" {redirected}; echo $? >status'
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "conformance", *arguments],
        cwd=directory,
        env={
            **os.environ,
            "DOCKER_HOST": f"unix://{directory}/no-engine.sock",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "",  # the last of it leaves when the command ends
            **environment,
        },
        stdout=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    err = told.read_text(encoding="utf-8") if told.exists() else ""
    return int((directory / "status").read_text()), done.stdout.decode("utf-8"), err


def complaints(err: str) -> list[str]:
    """The lines in which the command says why it ends; what tells how far it is, is none of them."""
    assert "Traceback" not in err
    return [line for line in err.splitlines() if line.startswith("qmail-conformance: ")]


# Streams


def test_every_subcommand_is_tried() -> None:
    assert set(GOOD) == set(COMMANDS) - {"merge"}, "what that takes must be made first: tests/test_shards.py"


@pytest.mark.parametrize(
    ("name", "streams"),
    [(name, ">/dev/full") for name in GOOD if name != "clean"]  # without an engine it says nothing there
    + [(name, streams) for name in ("list", "report", "gate", "shrink") for streams in (">&-", "| true")],
)
def test_output_that_does_not_arrive_is_the_worlds_failure(name: str, streams: str, tmp_path: Path) -> None:
    status, _, err = command((name, *GOOD[name]), tmp_path, streams=streams)
    assert status == 3
    (line,) = complaints(err)
    assert line.startswith("qmail-conformance: standard output: ")


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)], ids=" ".join)
def test_help_that_nobody_gets_is_no_success(arguments: tuple[str, ...], tmp_path: Path) -> None:
    status, _, err = command(arguments, tmp_path, streams=">/dev/full")
    assert (status, len(complaints(err)), len(err.splitlines())) == (3, 1, 1)


@pytest.mark.parametrize("name", GOOD)
def test_a_standard_error_that_takes_nothing_changes_no_status(name: str, tmp_path: Path) -> None:
    streams = "2>/dev/full" if name in ("compare", "report", "zoo") else "2>&- <&-"
    assert command((name, *GOOD[name]), tmp_path, streams=streams)[0] == (3 if name in NO_ENGINE else 0)


def test_a_reason_that_nobody_gets_keeps_its_status(tmp_path: Path) -> None:
    for streams in ("2>/dev/full", "2>&-", ">&- 2>&- <&-"):
        assert command(("judge", "nowhere.jsonl"), tmp_path, streams=streams)[0] == 2


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    assert command(("run", *GOOD["run"]), tmp_path, streams="2>&- <&-")[0] == 0
    lines = (tmp_path / "out" / "reference-ppa.jsonl").read_text(encoding="ascii").splitlines()
    assert all(line.startswith("{") for line in lines)


@pytest.mark.parametrize("columns", ["1", "7", "10", "0", "-1", "9" * 30, "x"])
def test_no_terminal_is_too_narrow_and_none_too_wide(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", columns)
    for name in ("list", "report", "bench", "shrink", "reproduce", "try"):
        assert main([name, *GOOD[name]]) == 0
    assert main(["compare", *RUNS]) == 0
    assert main(["try", SCENARIO]) == 1  # on two targets: side by side, or one below the other
    assert main(["run", "--help"]) == 0


@pytest.mark.parametrize("arguments", [("list",), ("compare", *RUNS), ("report", RUNS[1]), ("try", SCENARIO)])
def test_a_stream_without_the_characters_shows_them_otherwise(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    status, out, _ = command(arguments, tmp_path, PYTHONIOENCODING="ascii")
    assert (status == (arguments[0] == "try"), out.isascii(), out != "") == (True, True, True)


# Disks and places


@contextmanager
def mounted(disk: Path, options: str) -> Iterator[Path]:
    """A file system of memory; the test is skipped where none may be mounted."""
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "trouble", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(params=["4k", "64k"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of this size."""
    with mounted(tmp_path / "disk", f"size={request.param}") as disk:
        yield disk


#: What writes more than that.
MUCH = {
    "run": ("reference-ppa", "--patch", "0008", "-n", "1", "--out"),
    "compare": ("reference-stock", "reference-ppa", "--patch", "0006", "-n", "1", "--out"),
    "report": (*RUNS, "--html"),
    "reproduce": ("0006.unknown.code", "--from", RUNS[1], "--out"),
}


@pytest.mark.parametrize("name", MUCH)
def test_a_full_disk_is_the_worlds_failure(name: str, full: Path, tmp_path: Path) -> None:
    status, _, err = command((name, *MUCH[name], str(full / "out")), tmp_path)
    assert status == 3
    (line,) = complaints(err)
    assert "No space left on device" in line
    assert not list(full.rglob("*.new")), "nothing is left beside"


@pytest.mark.parametrize("name", [*MUCH, "zoo", "attribute", "bisect", "reference-deb", "judge"])
def test_a_limit_on_the_size_of_files_is_the_worlds_failure(name: str, tmp_path: Path) -> None:
    arguments = (*MUCH[name], "out") if name in MUCH else GOOD[name]
    status, _, err = command((name, *arguments), tmp_path, before="ulimit -f 1;")
    assert (status, len(complaints(err))) == (3, 1)


Act = Callable[[Path], Any]
WRITES: dict[str, Act] = {
    "text": lambda path: write_text(path, "new"),
    "octets": lambda path: write_octets(path, b"new"),
    "site": lambda path: write_site(compare([run(STOCK)]), path / "site"),
    "bench": lambda path: benching._write(bench(), path),
    "directory": lambda path: write_directory(path, {"mark": b"new"}, "mark", lambda name: None),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_place_that_is_wrong_is_wrong_use(write: Act, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear")
    places = [tmp_path / "file" / "below", tmp_path / ("x" * 300), Path("/proc/nowhere/x")]
    if os.access("/sys/kernel", os.W_OK):
        places.append(Path("/sys/kernel/nothing"))
    for place in places:
        with pytest.raises(UsageError, match="Name another place"):
            write(place)
    assert (tmp_path / "file").read_text() == "dear"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("errno_name", ["ENOSPC", "EDQUOT", "EIO", "EMFILE"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_was_there_stays_when_the_new_cannot_be_written(
    write: Act, errno_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = getattr(errno, errno_name)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    old = {"mark": "old", "bench.json": "old", "bench.md": "old", "site/index.html": "old"}
    place = tmp_path / "place"
    for name, text in old.items():
        write_text(place / name, text)
    aim = place / "mark" if write in (WRITES["text"], WRITES["octets"]) else place
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WorldError, match="Make room"):
        write(aim)
    kept = {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}
    assert old.items() <= kept.items()
    assert not list(tmp_path.rglob("*.new"))


def test_a_file_keeps_its_mode_and_its_link_and_no_file_takes_the_place_of_a_device(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_text(link, "new \ud800")
    assert (file.read_text(), link.is_symlink()) == ("new \\ud800", True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    umask = os.umask(0o027)
    try:
        write_text(tmp_path / "fresh", "")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640
    write_text(Path("/dev/null"), "gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(WorldError, match="No space left"):
        write_text(Path("/dev/full"), "gone")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_directory_that_may_not_be_written_is_wrong_use(write: Act, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o555)
    with pytest.raises(UsageError, match="Permission denied"):
        write(tmp_path / "mine" / "out")


def test_a_disk_that_may_only_be_read_is_wrong_use_of_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with mounted(tmp_path / "out", "ro"):
        for arguments in FILES.values():
            assert main([*arguments]) == 2, arguments
            (line,) = complaints(capsys.readouterr().err)
            assert re.search("Read-only file system|resource busy", line)


#: A file that a command writes into `out` -> that command.
FILES: dict[str, tuple[str, ...]] = {
    "junit.xml": ("judge", RUNS[1], "--out", "out"),
    "summary.md": ("run", "reference-ppa", *ONE),
    "reference-ppa.jsonl": ("gate", "reference-ppa", *ONE),
    "reference-0006.jsonl": ("bisect", *BISECT),
    "attribution.md": ("attribute", *RUNS, "--out", "out"),
    "attribution.json": ("attribute", *RUNS, "--out", "out"),
    "zoo.md": ("zoo", *GOOD["zoo"]),
    "zoo.json": ("zoo", *GOOD["zoo"]),
    "reference-ppa/answers.txt": ("try", *GOOD["try"]),
    "index.html": ("report", RUNS[1], "--html", "out"),
    "debs-ppa-0005.svg": ("report", RUNS[1], "--badges", "out"),
    "r.json": ("report", RUNS[1], "--json", "out/r.json"),
    "r.md": ("report", RUNS[1], "--markdown", "out/r.md"),
    "r.xml": ("report", RUNS[1], "--junit", "out/r.xml"),
    "d.json": ("report", "--diff", *RUNS, "--json", "out/d.json"),
    "s.toml": ("shrink", SCENARIO, "-o", "out/s.toml"),
    "t.toml": ("try", "--from-transcript", TRANSCRIPT, "-o", "out/t.toml"),
    "letter": ("reproduce", *GOOD["reproduce"]),
    "qmail-reference_0.1.0+stock_all.deb": ("reference-deb", "out", "--patches", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_a_directory_in_the_place_of_a_file_is_wrong_use(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / name / "in").mkdir(parents=True)
    assert main([*FILES[name]]) == 2
    assert len(complaints(capsys.readouterr().err)) == 1
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_in_the_place_of_a_directory_is_wrong_use(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").write_text("dear")
    assert main([*FILES[name]]) == 2
    assert len(complaints(capsys.readouterr().err)) == 1
    assert (tmp_path / "out").read_text() == "dear"


#: Commands that read a file of a person, without its name.
READ = (
    ("judge",),
    ("compare",),
    ("report",),
    ("report", RUNS[1], "--html", "site", "--bench"),
    ("attribute",),
    ("try",),
    ("try", "--from-transcript"),
    ("shrink",),
    ("reproduce", "0006.unknown.code", "--from"),
    ("attribute", "--targets"),
    ("bisect", "0006.unknown.code", "--targets"),
    ("run",),
)


@pytest.mark.parametrize("arguments", READ, ids=lambda arguments: " ".join(arguments[:2]))
def test_what_cannot_be_read_is_wrong_use(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory.jsonl").mkdir()
    (tmp_path / "octets.jsonl").write_bytes(b"\xff\xfe\x00")
    names = ["nowhere.jsonl", "directory.jsonl", "octets.jsonl", "octets.jsonl/x.jsonl", "x" * 300 + ".jsonl"]
    if arguments == ("run",):
        names = [f"debs:{name}" for name in names]
    for name in names:
        assert main([*arguments, name]) == 2, name
        assert len(complaints(capsys.readouterr().err)) == 1


# What nobody foresaw


def raising(error: BaseException) -> Callable[..., None]:
    def raises(*_: object) -> None:
        raise error

    return raises


@pytest.mark.parametrize("error", [KeyError("acts"), MemoryError(), RecursionError("x"), OSError(5, "I/O")])
def test_what_nobody_foresaw_is_one_line_and_no_verdict(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(listing, "run", raising(error))
    assert main(["list"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert type(error).__name__ in line
    (details,) = tmp_path.iterdir()
    assert str(details) in line
    assert "in raises" in details.read_text()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert main(["list"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "the details could not be kept" in line


@pytest.mark.parametrize("kilobytes", [16_000, 20_000, 28_000, 40_000])
@pytest.mark.parametrize("name", ["report", "run"])
def test_memory_that_is_exhausted_is_the_worlds_failure(name: str, kilobytes: int, tmp_path: Path) -> None:
    status, _, err = command((name, *GOOD[name]), tmp_path, before=f"ulimit -v {kilobytes};")
    if status != 0:  # where a smaller interpreter has enough
        assert (status, len(complaints(err))) == (3, 1)


def test_neither_a_home_nor_a_temporary_directory_is_needed(tmp_path: Path) -> None:
    for name in ("run", "try", "doctor"):
        (own := tmp_path / name).mkdir()
        status, _, err = command((name, *GOOD[name]), own, HOME="", TMPDIR=str(tmp_path / "nowhere"))
        assert (status, complaints(err)) == (3 if name in NO_ENGINE else 0, [])


# pytest as people run it

BROKEN = """
from conformance.targets import pool
from conformance.judge import decider
from conformance import plugin

async def start(*_):
    raise KeyError("\\x1b[2J oo")

if {where!r} == "pod":
    pool.start = start
elif {where!r} == "judge":
    plugin.decide = start
"""


@pytest.mark.parametrize(
    ("where", "target", "status"),
    [
        ("pod", "reference-ppa", 3),
        ("judge", "reference-ppa", 3),
        ("", "reference-ppa~0006.dropped", 1),
        ("", "reference-ppa", 0),
    ],
)
@pytest.mark.parametrize("processes", ["0", "2"])
def test_pytest_ends_with_the_status_of_a_failed_test_for_qmail_alone(
    where: str, target: str, status: int, processes: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN.format(where=where))
    arguments = [str(DIRECTORY), "--target", target, "-k", "0006.unknown.code", "-n", processes]
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    done = python(*PYTEST, "-p", "broken", *arguments, PYTHONPATH=path)
    assert done.returncode == status, done.stdout
    assert "\x1b" not in done.stdout + done.stderr
