"""Where the tools beside which we measure come from, and what the exit status of the comparison means.

No network: apt-get, dpkg and ldd are scripts that say what a Debian machine says.
"""

from __future__ import annotations

import importlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import WorldError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIMULATED = """NOTE: This is only a simulation!
Remv exim4 [4.96-15]
Inst libc6 [2.36-9] (2.36-9+deb12u10 Debian:12.11/stable [amd64])
Inst libldns3 (1.8.3-1+b1 Debian:12.11/stable [amd64])
Inst dnsperf (2.10.0-2 Debian:12.11/stable [amd64])
Conf libldns3 (1.8.3-1+b1 Debian:12.11/stable [amd64])
"""
LINKED = """\tlinux-vdso.so.1 (0x00007ffd8)
\tlibldns.so.3 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
"""
#: What `dpkg -x` makes of an archive: a tool in sbin for the package itself, a library for any other.
DPKG = """#!/bin/sh
case "$2" in
*dnsperf*) mkdir -p "$3/usr/bin"; printf '#!/bin/sh\\necho "$LD_LIBRARY_PATH"\\n' >"$3/usr/bin/dnsperf"
           chmod +x "$3/usr/bin/dnsperf" ;;
*) mkdir -p "$3/usr/lib/some-triple"; : >"$3/usr/lib/some-triple/libldns.so.3" ;;
esac
"""
#: Finds every library once the package with the library has been unpacked.
LDD = """#!/bin/sh
case "$LD_LIBRARY_PATH" in *some-triple*) ;; *) echo "libldns.so.3 => not found" ;; esac
"""
APT = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in
*Dir::State::lists*) own=1 ;;
*) own={lists} ;;
esac
[ "$own" = 1 ] || {{ echo 'E: Unable to locate package dnsperf' >&2; exit 100; }}
case "$*" in
*--simulate*) printf '%s' '{simulated}' ;;
*download*) for one in "$@"; do case "$one" in dnsperf|libldns3|libc6) : >"$one"_1_amd64.deb ;; esac; done ;;
esac
"""


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


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose PATH holds apt-get, dpkg and ldd as said; gives the log of apt-get's calls."""

    def made(lists: bool = True, simulated: str = SIMULATED, **programs: str | None) -> Path:
        log, directory = tmp_path / "apt.log", tmp_path / "bin"
        directory.mkdir()
        log.touch()
        scripts = {
            "apt-get": APT.format(log=log, lists=int(lists), simulated=simulated),
            "dpkg": DPKG,
            "ldd": LDD,
            **programs,
        }
        for name, script in scripts.items():
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


# What apt-get and ldd say


def test_packages_that_would_be_replaced_are_not_fetched(packages: Any) -> None:
    assert packages.newly_installed(SIMULATED) == ["libldns3", "dnsperf"]


def test_what_ldd_does_not_find_is_named_once(packages: Any) -> None:
    old = "./nsd: /lib/libc.so.6: version `GLIBC_2.38' not found (required by ./nsd)\n"
    assert packages.missing_libraries(LINKED + LINKED + old + old) == ["libldns.so.3", "GLIBC_2.38"]
    assert packages.missing_libraries("\tlibc.so.6 => /lib/libc.so.6 (0x0)\n") == []


def test_the_reason_is_the_first_error(packages: Any) -> None:
    said = "W: sandbox\nE: Failed to fetch http://mirror.example/x  404\nE: Some files failed\n"
    assert packages.why(said) == "Failed to fetch http://mirror.example/x  404"
    assert packages.why("cannot allocate\n") == "cannot allocate"
    assert packages.why("") == "no reason given"


def test_directories_of_libraries_are_found_wherever_they_are(packages: Any, tmp_path: Path) -> None:
    for name in ("usr/lib/postfix/libpostfix-util.so", "lib/some-triple/libck.so.0", "usr/share/copyright"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    directories = packages.library_directories(tmp_path)
    assert directories == [str(tmp_path / "lib/some-triple"), str(tmp_path / "usr/lib/postfix")]


# From a machine


def test_a_tool_on_the_path_is_used_as_it_is(packages: Any, machine: Machine, tmp_path: Path) -> None:
    log = machine(nsd="#!/bin/sh\n")
    tool = packages.Peers(tmp_path / "store").tool("nsd")
    assert (tool.path, tool.environment) == (str(tmp_path / "bin" / "nsd"), None)
    assert log.read_text() == ""


def test_a_tool_is_unpacked_with_its_libraries_and_runs(
    packages: Any, machine: Machine, tmp_path: Path
) -> None:
    log, store = machine(), tmp_path / "store"
    with packages.peers(store) as tools:
        tool = tools.tool("dnsperf")
    said = subprocess.run([tool.path], env=tool.environment, capture_output=True, text=True, check=True)
    assert said.stdout == f"{store}/dnsperf/usr/lib/some-triple\n"
    assert log.read_text().splitlines()[-1].endswith("download dnsperf libldns3")
    assert [one.name for one in store.iterdir()] == ["dnsperf"]


def test_what_was_kept_is_not_fetched_again(packages: Any, machine: Machine, tmp_path: Path) -> None:
    log = machine()
    with packages.peers(tmp_path / "store") as tools:
        tools.tool("dnsperf")
    log.write_text("")
    with packages.peers(tmp_path / "store") as tools:
        assert tools.tool("dnsperf").path == f"{tmp_path}/store/dnsperf/usr/bin/dnsperf"
    assert log.read_text() == ""


def test_what_was_kept_and_no_longer_runs_is_fetched_again(
    packages: Any, machine: Machine, tmp_path: Path
) -> None:
    log = machine()
    with packages.peers(tmp_path / "store") as tools:
        tools.tool("dnsperf")
    (tmp_path / "store/dnsperf/usr/lib/some-triple/libldns.so.3").unlink()
    log.write_text("")
    with packages.peers(tmp_path / "store") as tools:
        tools.tool("dnsperf")
    assert "download" in log.read_text()


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


def test_lists_that_lack_the_package_are_replaced_by_lists_of_our_own(
    packages: Any, machine: Machine, tmp_path: Path
) -> None:
    log = machine(lists=False)
    with packages.peers(tmp_path / "store") as tools:
        tools.tool("dnsperf")
    calls = log.read_text().splitlines()
    assert [call.rpartition(" ")[2] for call in calls[:2]] == ["dnsperf", "update"]
    assert all("Dir::State::lists" in call for call in calls[1:])


# Where it cannot be had


def missing(packages: Any, tmp_path: Path) -> str:
    with packages.peers(tmp_path / "store") as tools:
        with pytest.raises(packages.PeerMissing) as first:
            tools.tool("dnsperf")
        with pytest.raises(packages.PeerMissing) as second:
            tools.tool("dnsperf")
    assert str(first.value) == str(second.value)
    return str(first.value)


def test_another_system_is_told_what_to_install(packages: Any, machine: Machine, tmp_path: Path) -> None:
    machine(**{"apt-get": None, "dpkg": None})
    reason = missing(packages, tmp_path)
    assert "without apt-get and dpkg it cannot be fetched" in reason
    assert reason.endswith("install what Debian calls dnsperf")


def test_a_failed_download_is_told_once_and_tried_once(
    packages: Any, machine: Machine, tmp_path: Path
) -> None:
    log = tmp_path / "apt.log"
    machine(**{"apt-get": f"#!/bin/sh\necho run >>'{log}'\necho 'E: no network' >&2\nexit 100\n"})
    reason = missing(packages, tmp_path)
    assert "(no network)" in reason
    assert reason.endswith("apt-get install dnsperf")
    assert log.read_text().count("run") == 2, "with the machine's lists, and with lists of our own"
    assert list((tmp_path / "store").iterdir()) == []


def test_a_library_that_no_package_brought_is_named(packages: Any, machine: Machine, tmp_path: Path) -> None:
    machine(simulated="Inst dnsperf (2.10.0-2 Debian:12.11/stable [amd64])\n")
    assert "dnsperf lacks libldns.so.3: " in missing(packages, tmp_path)


# Exit status


def part(*ratios: float, bar: float = 0.95) -> Callable[[Any], AbstractContextManager[list[Any]]]:
    """A part of one row, which measures one ratio a round; when they are at an end its server is, too."""
    module, left = importlib.import_module("peers"), list(ratios)

    def measure() -> tuple[float, ...]:
        if not left:
            raise WorldError("nsd does not answer on port 5")
        return (left.pop(0),)

    @contextmanager
    def stands(tools: Any) -> Iterator[list[Any]]:
        yield [module.Probe((module.Row("a row", bar, most=False),), measure)]

    return stands


def held() -> Any:
    return part(*[0.96] * 99)


def missed() -> Any:
    return part(*[0.94] * 99)


def ends() -> Any:
    return part(0.96)


def failed() -> Any:
    def stands(tools: Any) -> Any:
        raise WorldError("nsd does not answer on port 5")

    return stands


def absent() -> Any:
    def stands(tools: Any) -> Any:
        raise importlib.import_module("peerpackages").PeerMissing("nsd is not here: install nsd")

    return stands


@pytest.mark.parametrize(
    ("parts", "options", "status"),
    [
        ([held], [], 0),
        ([held, missed], [], 1),
        ([missed, held], ["3", "--report-only"], 0),
        ([held, absent], [], 0),
        ([absent, missed], [], 1),
        ([held, absent], ["--require-peers"], 3),
        ([absent], ["--require-peers", "--report-only"], 3),
        ([failed, held], [], 3),
        ([ends, held], ["1"], 0),
        ([ends, held], ["2"], 3),
        ([failed, missed], ["--report-only"], 3),
    ],
)
def test_exit_status(
    comparison: Any, monkeypatch: pytest.MonkeyPatch, parts: list[Any], options: list[str], status: int
) -> None:
    monkeypatch.setattr(comparison, "PARTS", tuple((part.__name__, part()) for part in parts))
    assert comparison.main(options) == status


def test_rows_that_are_left_out_or_fail_say_why(
    comparison: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(comparison, "PARTS", (("one", absent()), ("two", failed()), ("three", missed())))
    comparison.main(["--report-only"])
    said = capsys.readouterr().out
    assert "one: left out: nsd is not here: install nsd" in said
    assert "two: failed: nsd does not answer on port 5" in said
    assert "MISSED" in said
    assert "0 of 1 bars held" in said


def test_a_row_is_the_median_of_its_rounds(
    comparison: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = (("one", part(0.1, 1.5, 0.97)), ("two", ends()), ("three", part(9.0, 0.2, 0.3)))
    monkeypatch.setattr(comparison, "PARTS", parts)
    comparison.main(["3"])
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if "at least" in line]
    assert [row[2] for row in rows] == ["0.97", "0.30"], "a part that failed tells nothing"
    assert said.count("two: failed") == 1
    assert "1 of 2 bars held" in said


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_rounds_are_a_count(comparison: Any, rounds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        comparison.main([rounds])
    assert ended.value.code == 2
