"""The plugin, for people who live in pytest: selection, outcomes, pods and processes, workers that die."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance import plugin
from conformance.cases.collection import DIRECTORY, all_requirements
from conformance.catalogue import Requirement
from conformance.cli import case_run, main, workers
from conformance.shares import ShareScheduling
from conformance.targets import capacity
from conformance.targets.plan import Plan
from conformance.targets.target import Target
from tests.processes import PYTEST, Finished, python, run_own_cases

BOTH = ("--target", "reference-stock", "--target", "reference-ppa")
PPA = ("--target", "reference-ppa")
GUARDS_OF_0007 = "patch(number='0007') and requirement(role='guard')"

OWN_CASES = """
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


async def noop_is_answered(qmail: Qmail) -> None:
    async with qmail.session() as smtp:
        assert (await smtp.command("NOOP")).code == 250
"""
for _name, _waits in (("slow", 5), ("quick", 0), ("middling", 1)):
    OWN_CASES += f"""

@requirement("base.own.{_name}", source="rfc5321:4.1.1.9", waits={_waits})
async def test_{_name}(qmail: Qmail) -> None:
    '''NOOP is answered with 250, in a {_name} case.'''
    await noop_is_answered(qmail)
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
DYING_CONFTEST = """
import os
import signal


def pytest_runtest_logstart(nodeid):
    if "kills_its_worker_4[" in nodeid and "PYTEST_XDIST_WORKER" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
"""
for _number, _does in enumerate(["kill(qmail)"] * 4 + ["pass  # it dies before"]):
    DYING_CASE += f"""

@requirement("base.test.dies-{_number}", source="rfc5321:1")
async def test_that_kills_its_worker_{_number}(qmail: Qmail) -> None:
    '''A case that takes its worker with it, number {_number}.'''
    {_does}
"""

#: Cases that share what is played, and note each time that they are played themselves.
SHARING_CASES = """
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.recording import Recorder


async def reply(qmail, verb, name):
    if isinstance(qmail._pod, Recorder):
        with open(PLAYED, "a") as file:
            file.write(name + " ")
    return await qmail.reply_to(verb)
"""
for _name, _verb, _code in [
    ("one", "NOOP", 250),
    ("two", "NOOP", 250),
    ("wrong", "NOOP", 251),
    ("odd", "RSET", 250),
]:
    SHARING_CASES += f"""

@requirement("base.own.{_name}", source="rfc5321:4.1.1.9", shares="a command")
async def test_{_name}(qmail: Qmail) -> None:
    '''The command {_name} is answered.'''
    assert (await reply(qmail, "{_verb}", "{_name}")).code == {_code}
"""


def _pytest(*arguments: str, told: str = "") -> Finished:
    return python(*PYTEST, *arguments, told=told)


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_expected_verdicts_pass_or_fail_as_expected(processes: tuple[str, ...]) -> None:
    targets = ("--target", "reference-stock", "--target", "reference@0006")
    done = _pytest(str(DIRECTORY), *targets, "-k", "0006.empty-line", "-rpx", *processes)
    assert done.returncode == 0, done.stdout
    assert re.search(r"XFAIL .*::test_empty_line\[reference-stock\]", done.stdout)
    assert re.search(r"PASSED .*::test_empty_line\[reference@0006\]", done.stdout)


def test_an_unexpected_verdict_fails_at_the_line_of_the_case_and_pdb_stops_there() -> None:
    done = _pytest(
        *(str(DIRECTORY), "--target", "reference-ppa~0006.dropped", "-k", "unknown.code", "--pdb"),
        told="p 6 * 7\nq\n",
    )
    assert done.returncode != 0
    assert re.search(r"^>  +assert .*\.code == 500\nE  +.*assert 502 == 500$", done.stdout, re.MULTILINE)
    assert "(Pdb) 42" in done.stdout
    stopped = r"^> .*/test_0006_unknown\.py\(\d+\)test_unknown_verb\(\)\n-> assert .*\.code == 500$"
    assert re.search(stopped, done.stdout, re.MULTILINE)
    how_it_was_run = r"(plugin|attempt|decider|recording)\.py"
    assert not re.search(how_it_was_run, done.stdout)


def test_what_cases_share_is_played_once_where_it_suffices(tmp_path: Path) -> None:
    note = tmp_path / "played"
    cases = SHARING_CASES.replace("PLAYED", repr(str(note)))
    done, (_, *verdicts, _) = run_own_cases(tmp_path, [], {"test_sharing.py": cases}, processes=1)
    assert done.returncode == 1, done.stderr
    assert [line["requirement"] for line in verdicts if line["verdict"] != "met"] == ["base.own.wrong"]
    # One for all that do the same; what does otherwise; the unexpected one again, in a pod of its own.
    assert note.read_text().split() == ["odd", "one", "wrong"]


@pytest.mark.parametrize(
    ("option", "value", "file", "there", "left_out"),
    [
        ("--patch=0006", "-k=change", "test_0006_unknown.py", "unknown_verb", "known_verbs"),
        ("-m", GUARDS_OF_0007, "test_0007_relay.py", "null_sender", "percent"),
    ],
)
def test_patches_roles_markers_select(option: str, value: str, file: str, there: str, left_out: str) -> None:
    done = _pytest(str(DIRECTORY), *PPA, option, value, "--collect-only", "-q")
    found = re.findall(r"(\w+\.py)::test_(\w+)\[", done.stdout)
    assert file in {each for each, _ in found}
    assert not {each for each, _ in found} & {"test_0004_cname.py", "test_0008_modes.py"}
    names = {name for _, name in found}
    assert there in names
    assert left_out not in names


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


# Where it has no part


FOREIGN_CONFTEST = """
import sys


def pytest_addoption(parser):
    for option in ("--target", "--patch", "--project", "--pods", "--release", "--base"):
        parser.addoption(option, default="their own")


def pytest_unconfigure(config):
    known = [name for name in sys.modules if name.partition(".")[0] == "conformance"]
    print("of ours are loaded:", known)
"""
FOREIGN_TEST = """
import pytest


def pytest_generate_tests(metafunc):
    metafunc.parametrize("number", [1, 2])


def test_with_names_of_ours(number, request):
    assert request.config.getoption("--target") == "moon"
    assert request.config.getoption("--release") == "their own"


def test_that_fails(number):
    raise TimeoutError
"""


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_nothing_of_ours_is_in_the_pytest_of_others(processes: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FOREIGN_CONFTEST)
    (tmp_path / "test_theirs.py").write_text(FOREIGN_TEST)
    done = python(
        *("-m", "pytest", "-p", "no:cacheprovider", "--target", "moon", "-s", *processes), directory=tmp_path
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 2 passed" in done.stdout
    assert "of ours are loaded: []" in done.stdout


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
    done = _pytest(*arguments, "-n", "3", "--shares", "-v")
    assert done.returncode == 0, done.stdout
    passed = r"(?m)^\[gw(\d)\].* (?:PASSED|XFAIL) .*?(\w+\.py::\w+)\[([\w-]+)\]"
    ran = re.findall(passed, done.stdout)
    assert Counter((case, target) for _, case, target in ran) == Counter(every)
    shares = {(worker, case) for worker, case, _ in ran}
    assert len(shares) == len(every) / 2, "one worker has a case's targets"
    waiting = Counter(worker for worker, case, _ in ran if "test_0008" in case)
    assert max(waiting.values()) - min(waiting.values()) <= 2, "each has its part of those that wait"
    assert len(waiting) == 3


# Workers that die


class Node:
    """A worker as pytest-xdist's controller has it, up and with its collection."""

    def __init__(self, scheduling: ShareScheduling, cases: int | None = 7, number: int = 0) -> None:
        self.workerinput = {"workercount": 2, "workerid": f"gw{number}"}
        self.told: list[list[int] | str] = []
        scheduling.add_node(self)
        if cases is not None:
            scheduling.add_node_collection(self, [f"case {number}" for number in range(cases)])
        if scheduling.collection_is_completed:
            scheduling.schedule()

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.told.append(list(numbers))

    def shutdown(self) -> None:
        self.told.append("shutdown")


@pytest.mark.parametrize(
    ("again", "done", "crashed", "rest"),
    [
        # It played ahead, so it may have died of any: none is named, and all are done by another.
        *[(False, 0, None, [2, 3, 6]), (False, 1, None, [3, 6]), (False, 3, None, [])],
        # What the one in its place dies of is what it was at.
        *[
            (True, 0, "case 2", [3, 6]),
            (True, 1, "case 3", [6]),
            (True, 2, "case 6", []),
            (True, 3, None, []),
        ],
    ],
)
def test_the_worker_in_the_place_of_one_that_died_does_what_was_left(
    again: bool, done: int, crashed: str | None, rest: list[int]
) -> None:
    scheduling = ShareScheduling(targets=2)
    never_ready = Node(scheduling, cases=None)
    assert not scheduling.collection_is_completed
    assert scheduling.remove_node(never_ready) is None
    lives, dies = Node(scheduling), Node(scheduling)
    assert [lives.told, dies.told] == [[[0, 1, 4, 5], "shutdown"], [[2, 3, 6], "shutdown"]]
    if again:
        assert scheduling.remove_node(dies) is None
        dies = Node(scheduling, number=2)
        assert dies.told == [[2, 3, 6], "shutdown"]
    for number in [2, 3, 6][:done]:
        scheduling.mark_test_complete(dies, number)
    assert scheduling.remove_node(dies) == crashed
    for number in [0, 1, 4, 5]:
        scheduling.mark_test_complete(lives, number)
    assert scheduling.remove_node(lives) is None, "it has ended, and its share is free, but done"
    assert scheduling.tests_finished is not bool(rest)
    other = Node(scheduling, number=3)
    assert other.told == [rest, "shutdown"]
    for number in rest:
        scheduling.mark_test_complete(other, number)
    assert scheduling.tests_finished
    assert scheduling.nodes == [other]
    nothing = ShareScheduling(targets=2)
    assert [Node(nothing, cases=0).told, Node(nothing, cases=0).told] == [[[], "shutdown"]] * 2
    assert nothing.tests_finished, "shares of nothing are over at once"


def test_workers_that_die_are_the_worlds_failure_and_the_rest_is_kept(tmp_path: Path) -> None:
    files = ("test_0006_unknown.py", "test_0007_relay.py")
    own = {"test_0007_dying.py": DYING_CASE, "conftest.py": DYING_CONFTEST}  # between the two
    done, (_, *verdicts, footer) = run_own_cases(tmp_path, files, own, processes=2)
    assert done.returncode == 3, done.stdout + done.stderr
    failed = [verdict for verdict in verdicts if verdict["verdict"] == "invalid"]
    invalid = {verdict["requirement"]: verdict["seen"] for verdict in failed}
    assert sorted(invalid) == [f"base.test.dies-{number}" for number in range(5)]
    for name, seen in invalid.items():
        assert f"crashed while running 'test_0007_dying.py::test_that_kills_its_worker_{name[-1]}[" in seen
    rest = [found.name for found in all_requirements().values() if found.case.partition("::")[0] in files]
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
    numbered = enumerate(seconds)
    return [Requirement(f"base.x.n{n}", "base", "rfc5321:2", "So it is.", waits=s) for n, s in numbered]


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
    monkeypatch.setattr(capacity, "_free_memory", lambda: free)
    assert workers.pod_count(Plan(targets, engine_memory=engine), chosen) == pods


@pytest.mark.parametrize(
    ("total", "pods", "processes"),
    [(356, 20, 4), (356, 2, 2), (5000, 20, 4), (99, 20, 1), (100, 20, 2), (0, 1, 1)],
)
def test_as_many_processes_as_cores_pods_and_cases_are_worth(
    total: int, pods: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "core_count", lambda: 4)
    assert workers.process_count(total, pods) == processes


@pytest.mark.parametrize(("option", "pods"), [((), 7), (("-n", "auto"), 7), (("-n", "1"), 1)])
@pytest.mark.parametrize(
    ("command", "where"),
    [
        (("run", "reference-ppa"), ("", "")),
        (("compare", "reference-ppa", "reference-stock"), (" on 2 targets", " on each")),
        (("gate", "reference-ppa"), ("", "")),
    ],
)
def test_the_number_of_pods_is_said_first_and_handed_on(
    command: tuple[str, ...],
    where: tuple[str, str],
    option: tuple[str, ...],
    pods: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given: list[str] = []

    def interrupted(arguments: list[str], plugins: list[object]) -> int:
        given.extend(arguments)
        return pytest.ExitCode.INTERRUPTED

    monkeypatch.setattr(case_run, "pod_count", lambda plan, chosen: 7)
    monkeypatch.setattr(case_run, "process_count", lambda total, pods: min(2, pods))
    monkeypatch.setattr(pytest, "main", interrupted)
    assert main([*command, *option, "--patch", "0006", "--out", str(tmp_path)]) == 3
    count = sum(one.patch == "0006" for one in all_requirements().values()) * (2 if where[0] else 1)
    told = capsys.readouterr()
    assert told.out == f"{count} cases{where[0]}, {pods} at a time{where[1]}.\n"
    assert "the run was interrupted\n  what was recorded is kept in" in told.err
    assert given[given.index("--pods") + 1] == str(pods)
    assert given[given.index("-n") + 1] == ("0" if pods == 1 else "2")


@pytest.mark.parametrize(("pods", "processes"), [(7, 2), (3, 3), (8, 3)])
def test_the_processes_share_the_pods_among_them(pods: int, processes: int) -> None:
    options = {"--pods": pods, "--no-repeat": False, "--shares": True}
    config: Any = SimpleNamespace(stash=pytest.Stash(), getoption=options.get)
    config.workerinput = {"workercount": processes}
    config.stash[plugin.PLAN] = Plan(())
    sizes = [plugin.Worker(config, 100).pool_size(share) for share in range(processes)]
    assert sum(sizes) == pods
    assert max(sizes) - min(sizes) <= 1
