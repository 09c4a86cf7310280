"""Where the tools beside which we measure come from, and what the exit status of the comparison means.

No network: apt-get, dpkg and ldd are scripts that say what a Debian machine says.
"""

import importlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import WorldError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DATA = Path(__file__).parent / "data" / "peers"
SIMULATED = (DATA / "simulated.txt").read_text()
LINKED = (DATA / "linked.txt").read_text()
FAILING = (DATA / "apt-get-without-network").read_text()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module; as `python benchmarks/peers.py` does it is imported from its own directory."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("peerpackages")


@pytest.fixture
def comparison(packages: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program, with nothing to measure."""
    module = importlib.import_module("peers")
    monkeypatch.setattr(module, "PARTS", ())
    monkeypatch.delenv("QMAIL_PEERS", raising=False)
    return module


Machine = Callable[..., Path]
Fetch = Callable[[], Any]


@pytest.fixture
def fetch(packages: Any, tmp_path: Path) -> Fetch:
    """Gets dnsperf from a store that stays."""

    def fetched() -> Any:
        with packages.peers(tmp_path / "store") as tools:
            return tools.tool("dnsperf")

    return fetched


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose PATH holds apt-get, dpkg and ldd as said; gives the log of apt-get's calls."""

    def made(lists: bool = True, simulated: str = SIMULATED, **programs: str | None) -> Path:
        log, directory = tmp_path / "apt.log", tmp_path / "bin"
        directory.mkdir()
        log.touch()
        (tmp_path / "simulated.txt").write_text(simulated)
        if lists:
            (tmp_path / "lists").touch()
        usual = {name: (DATA / name).read_text() for name in ("apt-get", "dpkg", "ldd")}
        for name, script in (usual | programs).items():
            if script is not None:
                (directory / name).write_text(script)
                (directory / name).chmod(0o755)
        for name in ("sh", "mkdir", "chmod"):
            (directory / name).symlink_to(f"/bin/{name}")
        monkeypatch.setenv("PATH", str(directory))
        # Were a peer installed on this machine, it would not be fetched.
        monkeypatch.setattr("peerpackages._SYSTEM", ())
        return log

    return made


def test_what_ldd_and_apt_say_is_understood(packages: Any) -> None:
    old = "./nsd: /lib/libc.so.6: version `GLIBC_2.38' not found (required by ./nsd)\n"
    assert packages.missing_libraries(2 * (LINKED + old)) == ["libldns.so.3", "GLIBC_2.38"]
    failed = "W: sandbox\nE: Failed to fetch http://m.test/x  404\nE: Some files failed\n"
    for said, why in ((failed, "Failed to fetch http://m.test/x  404"), ("cannot\n", "cannot"), ("", "no")):
        assert packages.why(said).startswith(why)


# From a machine


def test_a_tool_on_the_path_is_used_as_it_is(packages: Any, machine: Machine, tmp_path: Path) -> None:
    log = machine(nsd="#!/bin/sh\n")
    tool = packages.Peers(tmp_path / "store").tool("nsd")
    assert (tool.path, tool.environment) == (str(tmp_path / "bin" / "nsd"), None)
    assert log.read_text() == ""


def test_a_tool_is_unpacked_with_libraries_and_runs(fetch: Fetch, machine: Machine, tmp_path: Path) -> None:
    log, store = machine(), tmp_path / "store"
    tool = fetch()
    said = subprocess.run([tool.path], env=tool.environment, capture_output=True, text=True, check=True)
    assert said.stdout == f"{store}/dnsperf/usr/lib/some-triple\n"
    assert log.read_text().splitlines()[-1].endswith("download dnsperf libldns3")
    assert [path.name for path in store.iterdir()] == ["dnsperf"]


@pytest.mark.parametrize("runs", [True, False])
def test_what_was_kept_is_fetched_again_only_when_it_no_longer_runs(
    fetch: Fetch, machine: Machine, tmp_path: Path, runs: bool
) -> None:
    log = machine()
    fetch()
    if not runs:
        (tmp_path / "store/dnsperf/usr/lib/some-triple/libldns.so.3").unlink()
    log.write_text("")
    assert fetch().path == f"{tmp_path}/store/dnsperf/usr/bin/dnsperf"
    assert ("download" in log.read_text()) is not runs


def test_without_a_directory_nothing_stays(
    packages: Any, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with packages.peers(None) as tools:
        assert Path(tools.tool("dnsperf").path).is_relative_to(scratch)
    assert list(scratch.iterdir()) == []


def test_lists_that_lack_the_package_are_replaced_by_lists_of_our_own(fetch: Fetch, machine: Machine) -> None:
    log = machine(lists=False)
    fetch()
    calls = log.read_text().splitlines()
    assert [call.rpartition(" ")[2] for call in calls[:2]] == ["dnsperf", "update"]
    assert all("Dir::State::lists" in call for call in calls[1:])


# Where it cannot be had


@pytest.mark.parametrize(
    ("made", "begins", "ends"),
    [
        (
            {"apt-get": None, "dpkg": None},
            "dnsperf is not here, and without apt-get and dpkg it cannot be fetched",
            "install what Debian calls dnsperf",
        ),
        ({"apt-get": FAILING}, "dnsperf could not be fetched (no network)", "apt-get install dnsperf"),
        ({"simulated": SIMULATED.replace("libldns3 (", "libldns3 [")}, "dnsperf lacks libldns.so.3: ", ""),
    ],
)
def test_what_cannot_be_had_says_why_and_is_tried_once(
    packages: Any, machine: Machine, tmp_path: Path, made: dict[str, Any], begins: str, ends: str
) -> None:
    log = machine(**made)
    calls = []
    with packages.peers(tmp_path / "store") as tools:
        for _ in range(2):
            with pytest.raises(packages.PeerMissing, match=f"^{re.escape(begins)}.*{ends}$"):
                tools.tool("dnsperf")
            calls.append(log.read_text())
    assert calls[0] == calls[1]


# Exit status


Part = Callable[[Any], AbstractContextManager[list[Any]]]


def part(*ratios: float) -> Part:
    """A part of one row, which measures one ratio a round; when they are at an end its server is, too."""
    module, left = importlib.import_module("peers"), list(ratios)

    def measure() -> tuple[float, ...]:
        if not left:
            raise WorldError("nsd does not answer on port 5")
        return (left.pop(0),)

    @contextmanager
    def stands(tools: Any) -> Iterator[list[Any]]:
        yield [module.Probe((module.BarRow("a row", 0.95, most=False),), measure)]

    return stands


def parts_of(kinds: str) -> tuple[tuple[str, Part], ...]:
    """Parts by their kinds: they hold their bar, miss it, end after a round, do not start, cannot be had."""
    missing = importlib.import_module("peerpackages").PeerMissing("nsd is not here: install nsd")

    def raises(error: Exception) -> Part:
        def stands(tools: Any) -> Any:
            raise error

        return stands

    made = {
        "held": part(*[0.96] * 9),
        "missed": part(*[0.94] * 9),
        "ends": part(0.96),
        "failed": raises(WorldError("nsd does not answer on port 5")),
        "absent": raises(missing),
    }
    return tuple((kind, made[kind]) for kind in kinds.split())


@pytest.mark.parametrize(
    ("parts", "options", "status"),
    [
        ("held", "", 0),
        ("held missed", "", 1),
        ("missed held", "3 --report-only", 0),
        ("held absent", "", 0),
        ("absent missed", "", 1),
        ("held absent", "--require-peers", 3),
        ("absent", "--require-peers --report-only", 3),
        ("failed held", "", 3),
        ("ends held", "1", 0),
        ("ends held", "2", 3),
        ("failed missed", "--report-only", 3),
    ],
)
def test_exit_status(
    comparison: Any, monkeypatch: pytest.MonkeyPatch, parts: str, options: str, status: int
) -> None:
    monkeypatch.setattr(comparison, "PARTS", parts_of(parts))
    assert comparison.main(options.split()) == status


def test_a_row_is_the_median_of_its_rounds_and_those_that_are_left_out_say_why(
    comparison: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = (("one", part(0.1, 1.5, 0.97)), *parts_of("ends absent failed"), ("two", part(9.0, 0.2, 0.3)))
    monkeypatch.setattr(comparison, "PARTS", parts)
    comparison.main(["3"])
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if "at least" in line]
    assert [row[2] for row in rows] == ["0.97", "0.30"], "a part that failed tells nothing"
    assert ["MISSED" in row for row in rows] == [False, True]
    assert "1 of 2 bars held" in said
    assert said.count("ends: failed") == 1
    assert "absent: left out: nsd is not here: install nsd" in said
    assert "failed: failed: nsd does not answer on port 5" in said


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_rounds_are_a_count(comparison: Any, rounds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        comparison.main([rounds])
    assert ended.value.code == 2
