"""The plugin, for people who live in pytest: selection, outcomes, pods and processes, workers that die."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance import plugin
from conformance.cases.collection import DIRECTORY, all_requirements
from conformance.catalogue import Requirement
from conformance.cli import case_run, main, workers
from conformance.plugin import _is_doubtful
from conformance.targets.plan import Plan
from conformance.targets.target import Target

BOTH = ("--target", "reference-stock", "--target", "reference-ppa")
PPA = ("--target", "reference-ppa")

OWN_CASES = """
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("base.own.slow", source="rfc5321:4.1.1.9", waits=5)
async def test_slow(qmail: Qmail) -> None:
    '''NOOP is answered with 250, in a case that comes first in its file.'''
    await noop_is_answered(qmail)


@requirement("base.own.quick", source="rfc5321:4.1.1.9")
async def test_quick(qmail: Qmail) -> None:
    '''NOOP is answered with 250, and nothing waits.'''
    await noop_is_answered(qmail)


@requirement("base.own.middling", source="rfc5321:4.1.1.9", waits=1)
async def test_middling(qmail: Qmail) -> None:
    '''NOOP is answered with 250, in a case that waits for a second.'''
    await noop_is_answered(qmail)


async def noop_is_answered(qmail: Qmail) -> None:
    async with qmail.session() as smtp:
        assert (await smtp.command("NOOP")).code == 250
"""
DYING_CASE = """
import os
import signal

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.recording import Replay


def kill(qmail):
    if isinstance(qmail._pod, Replay):
        os.kill(os.getpid(), signal.SIGKILL)
"""
for _number in range(5):
    DYING_CASE += f"""

@requirement("base.test.dies-{_number}", source="rfc5321:1")
async def test_that_kills_its_worker_{_number}(qmail: Qmail) -> None:
    '''A case that takes its worker with it when it is judged, number {_number}.'''
    kill(qmail)
"""


def _python(*arguments: str, told: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **environment},
        input=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _pytest(*arguments: str, told: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return _python("-m", "pytest", "-p", "no:cacheprovider", *arguments, told=told, **environment)


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_expected_verdicts_pass_or_fail_as_expected(processes: tuple[str, ...]) -> None:
    targets = ("--target", "reference-stock", "--target", "reference@0006")
    done = _pytest(str(DIRECTORY), *targets, "-k", "0006.empty-line", "-rpx", *processes)
    assert done.returncode == 0, done.stdout
    assert re.search(r"XFAIL .*::test_empty_line\[reference-stock\]", done.stdout)
    assert re.search(r"PASSED .*::test_empty_line\[reference@0006\]", done.stdout)


def test_an_unexpected_verdict_fails_at_the_line_of_the_case_and_pdb_stops_there() -> None:
    done = _pytest(
        *(str(DIRECTORY), *PPA, "-k", "0006.unknown.code", "--pdb"),
        told="p 6 * 7\nq\n",
        QMAIL_CONFORMANCE_FLAWS="0006.dropped",
    )
    assert done.returncode != 0
    assert re.search(r"^>  +assert .*\.code == 500\nE  +.*assert 502 == 500$", done.stdout, re.MULTILINE)
    assert "(Pdb) 42" in done.stdout
    stopped = r"^> .*/test_0006_unknown\.py\(\d+\)test_unknown_verb\(\)\n-> assert .*\.code == 500$"
    assert re.search(stopped, done.stdout, re.MULTILINE)
    assert not re.search(r"plugin\.py|attempt\.py|recording\.py", done.stdout), "how it was run is not shown"


def test_markers_select() -> None:
    done = _pytest(str(DIRECTORY), *PPA, "--patch", "0006", "-k", "change", "--collect-only", "-q")
    assert "test_0006_unknown.py::test_unknown_verb[reference-ppa]" in done.stdout
    assert "test_known_verbs" not in done.stdout


def test_a_patch_is_selected_by_its_marker() -> None:
    expression = "patch(number='0007') and requirement(role='guard')"
    done = _pytest(str(DIRECTORY), *PPA, "-m", expression, "--collect-only", "-q")
    tests = [line for line in done.stdout.splitlines() if "::" in line]
    assert tests
    assert {line.partition("::")[0].rpartition("/")[2] for line in tests} == {"test_0007_relay.py"}
    assert not any("::test_percent[" in line for line in tests)


def test_an_unknown_target_is_one_line_and_a_usage_error() -> None:
    done = _pytest(str(DIRECTORY), "--target", "sendmail")
    assert done.returncode == 4
    assert "there is no target 'sendmail'" in done.stderr
    assert "Traceback" not in done.stderr


def test_cases_of_ones_own_need_not_stand_in_the_package(tmp_path: Path) -> None:
    own = tmp_path / "test_own.py"
    own.write_text(OWN_CASES)
    done = _pytest(str(own), "--target", "reference-stock")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    own.write_text(OWN_CASES.replace("== 250", "== 251"))
    done = _pytest(str(own), "--target", "reference-stock")
    assert done.returncode == 1
    assert len(re.findall(r"(?m)^E +AssertionError: assert 250 == 251", done.stdout)) == 3


# The order of cases, and shares of them


def test_what_waits_comes_last_to_the_judge_and_first_to_the_pods(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(OWN_CASES)
    (tmp_path / "conftest.py").write_text(
        """
from conformance.targets.pool import PodPool

handed_over = PodPool.submit

def submit(pool, target, script):
    print("to the pods:", script.function)
    return handed_over(pool, target, script)

PodPool.submit = submit
"""
    )
    done = _pytest(str(tmp_path), "--target", "reference-stock", "-v", "-s")
    assert re.findall(r"::(\w+)\[", done.stdout) == ["test_quick", "test_middling", "test_slow"]
    assert re.findall(r"to the pods: (\w+)", done.stdout) == ["test_slow", "test_middling", "test_quick"]


def test_the_shares_of_the_workers_are_all_cases_once() -> None:
    arguments = (str(DIRECTORY), *BOTH, "-k", "0006 or 0008.failure")
    listed = _pytest(*arguments, "--collect-only", "-q").stdout
    every = re.findall(r"(\w+\.py::\w+)\[([\w-]+)\]$", listed, re.MULTILINE)
    assert len(every) > 20
    done = _pytest(*arguments, "-n", "3", "--dist", "each", "-v")
    assert done.returncode == 0, done.stdout
    ran = re.findall(
        r"^\[gw(\d)\].* (?:PASSED|XFAIL) .*?(\w+\.py::\w+)\[([\w-]+)\]", done.stdout, re.MULTILINE
    )
    assert Counter((case, target) for _, case, target in ran) == Counter(every)
    assert len({(worker, case) for worker, case, _ in ran}) == len(every) / 2, (
        "one worker has a case's targets"
    )
    waiting = Counter(worker for worker, case, _ in ran if "test_0008" in case)
    assert max(waiting.values()) - min(waiting.values()) <= 2, "each has its part of those that wait"
    assert len(waiting) == 3


# Workers that die


class Node:
    """A worker as pytest-xdist's controller has it."""

    def __init__(self, config: SimpleNamespace) -> None:
        self.config = config
        self.workerinput: dict[str, object] = {"workercount": 3}
        plugin.pytest_configure_node(self)


def test_the_worker_in_the_place_of_one_that_died_takes_its_share() -> None:
    config = SimpleNamespace(stash=pytest.Stash(), getoption={"dist": "each"}.get)
    config.stash[plugin.PLAN] = Plan(())
    done, dies, _ = nodes = [Node(config) for _ in range(3)]
    assert [node.workerinput["share"] for node in nodes] == [(0, 3), (1, 3), (2, 3)]
    plugin.pytest_testnodedown(done, None)
    plugin.pytest_testnodedown(dies, "Not properly terminated")
    assert Node(config).workerinput["share"] == (1, 3)


def test_workers_that_die_are_the_worlds_failure_and_the_rest_is_kept(tmp_path: Path) -> None:
    package = tmp_path / "dying"
    package.mkdir()
    files = ("test_0006_unknown.py", "test_0007_relay.py")
    for name in ("__init__.py", "pytest.ini", *files):
        (package / name).write_text((DIRECTORY / name).read_text())
    (package / "test_0007_dying.py").write_text(DYING_CASE)  # between the two
    program = f"""
import pathlib, sys
from conformance.cli import case_run, main
sys.path.insert(0, {str(tmp_path)!r})
import dying.test_0007_dying
case_run.DIRECTORY = pathlib.Path({str(package)!r})
case_run.process_count = lambda *_: 2
sys.exit(main(["run", "reference-ppa", "-n", "2", "--out", {str(tmp_path / "out")!r}]))
"""
    done = _python("-c", program, PYTHONPATH=str(tmp_path))
    assert done.returncode == 3, done.stdout + done.stderr
    written = (tmp_path / "out" / "reference-ppa.jsonl").read_text().splitlines()
    _, *verdicts, footer = map(json.loads, written)
    invalid = {
        verdict["requirement"]: verdict["seen"] for verdict in verdicts if verdict["verdict"] == "invalid"
    }
    assert sorted(invalid) == [f"base.test.dies-{number}" for number in range(5)]
    for name, seen in invalid.items():
        assert f"crashed while running 'test_0007_dying.py::test_that_kills_its_worker_{name[-1]}[" in seen
    rest = [one.name for one in all_requirements().values() if one.case.partition("::")[0] in files]
    met = sorted(verdict["requirement"] for verdict in verdicts if verdict["verdict"] == "met")
    assert met == rest, "the worker in its place has done what was left, and nothing again"
    assert footer["exit_status"] == 3


# How many pods and processes


PLENTY = 1 << 20
REFERENCE = Target("reference-ppa", "reference")
STOCK, BUILD = Target("stock", "stock"), Target("debs:build", "debs")


def cases(count: int, waits: int = 0) -> list[Requirement]:
    """So many cases, the first of which waits for so many seconds."""
    seconds = [waits] + [0] * (count - 1)
    return [
        Requirement(f"base.x.n{n}", "base", "rfc5321:2", "It is so.", waits=s) for n, s in enumerate(seconds)
    ]


@pytest.mark.parametrize(
    ("targets", "chosen", "free", "engine", "pods"),
    [
        ((STOCK,), cases(300, waits=100), PLENTY, 0, 20),  # the square root of 100 s times 4 cores
        ((STOCK,), cases(300), PLENTY, 0, 4),  # where nothing waits, one for each core
        ((REFERENCE,), cases(300, waits=100), PLENTY, 0, 4),  # there all waits are over at once
        ((STOCK, REFERENCE), cases(300, waits=100), PLENTY, 0, 20),
        ((STOCK,), cases(3, waits=100), PLENTY, 0, 3),
        ((STOCK,), cases(300, waits=100), 3000, 0, 10),  # half of what is free, 150 MiB for each
        ((STOCK, BUILD), cases(300, waits=100), 3000, 0, 5),
        ((STOCK,), cases(300, waits=100), PLENTY, 3000, 10),
        ((STOCK, BUILD), cases(300, waits=100), PLENTY, 3000, 5),
        ((STOCK, REFERENCE), cases(300, waits=100), PLENTY, 3000, 10),  # the reference is not in the engine
        ((REFERENCE,), cases(300), PLENTY, 150, 4),
        ((STOCK,), cases(300), 10, 10, 1),
        ((STOCK,), [], PLENTY, 0, 1),
    ],
)
def test_as_many_pods_as_waits_cores_memory_and_cases_are_worth(
    targets: tuple[Target, ...],
    chosen: list[Requirement],
    free: int,
    engine: int,
    pods: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "core_count", lambda: 4)
    monkeypatch.setattr(workers, "_free_memory", lambda: free)
    assert workers.pod_count(Plan(targets, engine_memory=engine), chosen) == pods


@pytest.mark.parametrize(
    ("targets", "count", "pods", "processes"),
    [
        ((STOCK,), 356, 20, 4), ((STOCK,), 356, 2, 2), ((STOCK,), 5000, 20, 4), ((STOCK,), 99, 20, 1),
        ((STOCK,), 100, 20, 2), ((STOCK, BUILD), 50, 20, 2), ((STOCK,), 0, 1, 1),
    ],
)  # fmt: skip
def test_as_many_processes_as_cores_pods_and_cases_are_worth(
    targets: tuple[Target, ...], count: int, pods: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "core_count", lambda: 4)
    assert workers.process_count(Plan(targets), count, pods) == processes


@pytest.mark.parametrize(
    ("option", "says", "pods"),
    [((), "7 cases", "7"), (("-n", "auto"), "7 cases", "7"), (("-n", "1"), "1 case", "1")],
)
@pytest.mark.parametrize(
    "command", [("run", "reference-ppa"), ("compare", "reference-ppa"), ("gate", "reference-ppa")]
)
def test_the_number_of_pods_is_said_first_and_handed_on(
    command: tuple[str, ...],
    option: tuple[str, ...],
    says: str,
    pods: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given: list[str] = []

    def nothing_collected(arguments: list[str], plugins: list[object]) -> int:
        given.extend(arguments)
        return pytest.ExitCode.NO_TESTS_COLLECTED

    monkeypatch.setattr(case_run, "pod_count", lambda plan, chosen: 7)
    monkeypatch.setattr(case_run, "process_count", lambda plan, count, pods: min(2, pods))
    monkeypatch.setattr(pytest, "main", nothing_collected)
    assert main([*command, *option, "--patch", "0006", "--out", str(tmp_path)]) == 4
    count = sum(one.patch == "0006" for one in all_requirements().values())
    assert capsys.readouterr().out == f"{count} cases, {says} at a time on each target.\n"
    assert given[given.index("--pods") + 1] == pods
    assert given[given.index("-n") + 1] == ("0" if pods == "1" else "2")


@pytest.mark.parametrize(("pods", "processes"), [(7, 2), (3, 3), (8, 3)])
def test_the_processes_share_the_pods_among_them(pods: int, processes: int) -> None:
    def worker(share: int) -> plugin.Worker:
        options = {"--pods": pods, "--no-repeat": False}
        config: Any = SimpleNamespace(stash=pytest.Stash(), getoption=options.get)
        config.workerinput = {"share": (share, processes)}
        config.stash[plugin.PLAN] = Plan(())
        return plugin.Worker(config)

    sizes = [worker(share).pool.size for share in range(processes)]
    assert sum(sizes) == pods
    assert max(sizes) - min(sizes) <= 1


def test_an_unexpected_verdict_is_believed_when_it_comes_twice() -> None:
    assert not _is_doubtful(["met"], "met")
    assert _is_doubtful(["unmet"], "met")
    assert not _is_doubtful(["unmet", "unmet"], "met")
    assert not _is_doubtful(["unmet", "met"], "met")
    assert _is_doubtful(["invalid", "unmet"], "met")
    assert not _is_doubtful(["invalid", "invalid", "invalid"], "met")
    assert not _is_doubtful(["unsupported"], "met")
