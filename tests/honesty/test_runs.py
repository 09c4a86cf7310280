"""What a run says of itself: nothing is lost, nothing partial looks whole, and it ends when it is told to."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.cases.collection import all_requirements
from conformance.cli import main, options, zoo
from conformance.cli.case_run import Listener
from conformance.judge.runfile import PartialRun, RunHeader, read_run, stamp, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.targets.plan import Plan
from tests.judge_samples import PPA as PPA_TARGET
from tests.judge_samples import many, verdict, write
from tests.processes import own_program, python, run_lines

ROOT = Path(__file__).resolve().parents[2]
BOTH = ("reference-stock", "reference-ppa")
FEW = ("-k", "0006.unknown or 0006.empty")

#: The command as it is started: no argument is given to `main`, so it has the signals.
PROGRAM = "import sys; from conformance.cli import main; sys.exit(main())"

#: Seconds that a command may take to its end when it is told to end.
AT_ONCE = 2.0

#: Seconds for what a busy machine may take long for.
PATIENCE = 60.0


@contextlib.contextmanager
def started(*arguments: str, program: str = PROGRAM, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own; whatever is left of it is killed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], **{**pipes, **more})
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(true: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for what comes soon; a process that is at its end meanwhile is told."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it did not come"
        assert process is None or process.poll() is None, process and process.communicate()
        time.sleep(0.01)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def group(process: subprocess.Popen[str]) -> list[int]:
    """What lives in its process group beside itself."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, _, rest = stat.read_text().partition(" ")
            state, _, pgrp = rest.rpartition(")")[2].split()[:3]
            if int(pgrp) == process.pid != int(number) and state not in "ZX":
                found.append(int(number))
    return found


def without_times(path: Path) -> list[Any]:
    """A run file's lines, save for what no two runs have alike."""

    def plain(data: Any) -> Any:
        if isinstance(data, dict):
            times = ("at", "seconds", "started", "finished")
            return {name: plain(value) for name, value in data.items() if name not in times}
        return [plain(each) for each in data] if isinstance(data, list) else data

    return [plain(line) for line in run_lines(path)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a whole run of both references over a few requirements."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(["compare", *BOTH, *FEW, "--out", str(out)]) == 0
    return out


def cut_off(whole: Path, out: Path, *, lines: int = 3, half: bool = False) -> Path:
    """The same run, cut off after so many lines, as it stands then; `half`: in the middle of the next."""
    out.mkdir()
    for path in whole.glob("*.jsonl"):
        kept = path.read_bytes().splitlines(keepends=True)
        part = b"".join(kept[:lines]) + (kept[lines][:50] if half else b"")
        (out / f"{path.name}.part").write_bytes(part)
    return out


# Nothing selected, and a case that asserts nothing


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "-k", "no-such-word"],
        ["run", "reference-ppa", "-k", "no-such-word"],
        ["run", "reference-ppa", "--patch", "0004", "-k", "0005"],
        ["compare", *BOTH, "-k", "no-such-word"],
        ["gate", "reference-ppa", "-k", "no-such-word"],
        ["attribute", "--targets", "reference", "-k", "no-such-word"],
        ["zoo", "-k", "no-such-word"],
        ["bench", "debs:nowhere", "--scenario", "no-such-word"],
        ["reproduce", "no.such.requirement", "--target", "reference-ppa"],
    ],
)
def test_nothing_selected_is_no_success_and_leaves_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_asserts_nothing_is_shown_by_the_zoo(tmp_path: Path) -> None:
    case = """
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

@requirement("base.test.nothing", source="rfc5321:1")
async def test_nothing(qmail: Qmail) -> None:
    "It says NOOP, and looks at nothing."
    async with qmail.session() as smtp:
        await smtp.command("NOOP")
"""
    (tmp_path / "test_nothing.py").write_text(case)
    at_the_start = f"""
import dataclasses, pathlib
from conformance.cases import collection
ours = collection.BUILT_IN
own = pathlib.Path({str(tmp_path)!r})
collection.BUILT_IN = dataclasses.replace(ours, cases=(*ours.cases, own))
"""
    (tmp_path / "sitecustomize.py").write_text(at_the_start)  # in the zoo's own processes, too
    words = ["zoo", "-k", "base.test.nothing", "-n", "1", "--out", str(tmp_path / "out")]
    done = python("-m", "conformance", *words, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "broken: base.test.nothing catches no flaw" in done.stdout


# What was there is not lost


def test_a_run_is_not_written_over_itself_by_any_name(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "reference-ppa.jsonl"
    run.write_bytes((whole / run.name).read_bytes())
    before = run.read_bytes()
    (tmp_path / "linked").symlink_to(run)
    (tmp_path / "hard").hardlink_to(run)
    out = str(tmp_path / "o")
    other = str(whole / "reference-stock.jsonl")
    for arguments in (
        ["judge", str(run), "--out", str(tmp_path)],
        ["judge", str(tmp_path / "hard"), "--out", str(tmp_path)],
        ["judge", str(run), str(whole / run.name), "--out", out],
        *(
            ["report", str(run), other, "--json", str(tmp_path / name)]
            for name in (run.name, "linked", "hard")
        ),
        ["report", str(run), "--junit", str(run)],
        ["report", str(tmp_path / "linked"), "--markdown", str(run)],
        ["report", other, "--json", str(run)],  # as of a glob
        ["report", str(run), "--json", out, "--junit", out],
        ["report", "--diff", str(run), str(run), "--json", str(run)],
    ):
        assert main(arguments) == 2, arguments
        assert run.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["hard", "linked", run.name]


def test_a_scenario_and_a_transcript_are_not_written_over(tmp_path: Path) -> None:
    scenario, transcript = tmp_path / "s.toml", tmp_path / "t.txt"
    scenario.write_bytes((ROOT / "fixtures/scenarios/unknown-command.toml").read_bytes())
    transcript.write_bytes((ROOT / "fixtures/transcripts/swaks.txt").read_bytes())
    before = scenario.read_bytes(), transcript.read_bytes()
    assert main(["shrink", str(scenario), "-o", str(scenario)]) == 2
    assert main(["try", "--from-transcript", str(transcript), "-o", str(transcript)]) == 2
    named = tmp_path / "reference-ppa.jsonl"
    named.symlink_to(scenario)
    assert main(["try", str(scenario), "--target", "reference-ppa", "--out", str(tmp_path)]) == 2
    assert (scenario.read_bytes(), transcript.read_bytes()) == before


def test_another_selection_or_something_else_is_not_replaced(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "reference-ppa.jsonl"
    for content in (
        (whole / run.name).read_bytes(),
        b"a letter",
        b"".join((whole / run.name).open("rb").readlines()[:-1]),
    ):
        run.write_bytes(content)
        assert main(["run", "reference-ppa", "-k", "0006.unknown.code", "--out", str(tmp_path)]) == 2
        assert [path.name for path in tmp_path.iterdir()] == [run.name]
        assert run.read_bytes() == content
    run.write_bytes((whole / run.name).read_bytes())
    assert main(["run", "reference-ppa", *FEW, "--out", str(tmp_path)]) == 0, "the same gives its place"


def test_the_table_of_another_zoo_and_a_bench_of_another_kind_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["zoo", "-k", "0006.enhanced-status", "-n", "1", "--out", str(tmp_path)]) == 0
    before = (tmp_path / "zoo.json").read_bytes()
    assert main(["zoo", "-k", "0006.dropped", "-n", "1", "--out", str(tmp_path)]) == 2
    assert (tmp_path / "zoo.json").read_bytes() == before
    assert main(["zoo", "-k", "0006.enhanced-status", "-n", "1", "--out", str(tmp_path)]) == 0


def test_a_reproduction_does_not_take_other_things_with_it(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [
        "reproduce",
        "0006.unknown.code",
        "--from",
        str(whole / "reference-ppa.jsonl"),
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    assert main(arguments) == 0
    (out / "notes.txt").write_text("mine")
    assert main(arguments) == 2
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "reproduce.sh").exists()


def test_what_was_cut_off_before_is_put_aside_and_told(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = cut_off(whole, tmp_path / "out")
    before = (out / "reference-ppa.jsonl.part").read_bytes()
    assert main(["run", "reference-ppa", *FEW, "--out", str(out)]) == 0
    assert (out / "reference-ppa.jsonl.part-1").read_bytes() == before
    assert not (out / "reference-ppa.jsonl.part").exists()
    assert "is kept as reference-ppa.jsonl.part-1" in capsys.readouterr().out


def test_two_that_begin_in_the_same_second_have_a_directory_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(options.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Stopped":
            return cls(2024, 5, 1, tzinfo=tz)

    monkeypatch.setattr(options, "datetime", Stopped)
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        assert main(["run", "reference-ppa", "-k", "0006.unknown.code"]) == 0
    names = [path.name for path in (tmp_path / "reports").iterdir() if not path.is_symlink()]
    assert sorted(names) == ["2024-05-01T00-00-00", "2024-05-01T00-00-00_2", "2024-05-01T00-00-00_3"]


def test_the_second_of_two_runs_into_one_directory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / "reference-ppa.jsonl.part"
    with started("run", "reference-ppa", "--out", str(tmp_path)) as first:
        wait_until(lambda: lines(part) > 1, first)
        first.send_signal(signal.SIGSTOP)
        before = part.read_bytes()
        for arguments in (["run", "reference-ppa"], ["run", "reference-stock"], ["zoo"]):
            assert main([*arguments, "--out", str(tmp_path)]) == 2
            assert f"{tmp_path}: another command is writing there" in capsys.readouterr().err
        assert part.read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == [part.name]
    # One that is dead does not stand in the way.
    assert main(["run", "reference-ppa", *FEW, "--out", str(tmp_path)]) == 0


# A run that was cut off


@pytest.mark.parametrize("half", [False, True])
def test_every_reader_shows_what_was_reached_and_ends_with_3(
    half: bool, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = cut_off(whole, tmp_path / "cut", half=half)
    total = len(run_lines(whole / "reference-ppa.jsonl")) - 2
    parts = [str(path) for path in sorted(out.iterdir())]
    told = f"reference-ppa after 2 of {total} verdicts"
    texts = [tmp_path / "made" / name for name in ("a.md", "b.xml", "c.json")]
    assert main(["compare", *parts]) == 3
    assert told in " ".join(capsys.readouterr().out.split())
    assert main(["judge", parts[0], "--out", str(tmp_path / "judged")]) == 3
    assert f"cut off: {told}" in " ".join(capsys.readouterr().out.split())
    assert read_names(tmp_path / "judged") == ["junit.xml", "reference-ppa.jsonl.part", "summary.md"]
    options = ["--markdown", str(texts[0]), "--junit", str(texts[1]), "--json", str(texts[2])]
    assert main(["report", str(out), *options, "--html", str(tmp_path / "site")]) == 3
    page = (tmp_path / "site" / "index.html").read_text()
    assert all("cut off" in text for text in (texts[0].read_text(), texts[1].read_text(), page))
    assert 'errors="1"' in texts[1].read_text()
    assert json.loads(texts[2].read_text())["exit_status"] == 3
    reached = read_requirement(out / "reference-ppa.jsonl.part")
    assert main(["reproduce", reached, "--from", parts[0], "--out", str(tmp_path / "shown")]) == 3
    assert (tmp_path / "shown" / "reproduce.sh").exists()
    for refused in (
        ["report", "--diff", *parts],
        ["attribute", *parts],
        ["report", str(out), "--badges", "b"],
    ):
        assert main(refused) == 2


def read_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def read_requirement(part: Path) -> str:
    return PartialRun(part).verdicts[0].requirement


def test_a_part_stands_in_for_an_older_whole_run_of_its_directory(whole: Path, tmp_path: Path) -> None:
    out = cut_off(whole, tmp_path / "out")
    for path in whole.glob("*.jsonl"):
        (out / path.name).write_bytes(path.read_bytes())
    assert main(["report", str(out), "--json", str(tmp_path / "r.json")]) == 3
    named = [each["run_file"] for each in json.loads((tmp_path / "r.json").read_text())["targets"]]
    assert named == ["reference-ppa.jsonl.part", "reference-stock.jsonl.part"]


@pytest.mark.parametrize("command", ["compare", "gate"])
@pytest.mark.parametrize("half", [False, True])
def test_what_is_gone_on_with_ends_in_the_same_files(
    command: str, half: bool, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = cut_off(whole, tmp_path / "out", half=half)
    # One verdict is invalid, and is decided again.
    part = out / "reference-ppa.jsonl.part"
    text = part.read_text().splitlines(keepends=True)
    wrong = {"verdict": "invalid", "as_expected": False, "attempts": ["invalid"], "seen": "no pod"}
    text[1] = json.dumps(json.loads(text[1]) | wrong) + "\n"
    part.write_text("".join(text))
    words = {"compare": [command, *BOTH], "gate": [command, "reference-stock", "--against", "reference-ppa"]}
    again = [*words[command], *FEW, "--resume", str(out)]
    assert main(again) == 0
    total = 2 * (len(run_lines(whole / "reference-ppa.jsonl")) - 2)
    assert f"3 of {total} verdicts are kept in {out}.\n{total - 3} cases" in capsys.readouterr().out
    assert read_names(out) == read_names(whole)
    for path in whole.glob("*.jsonl"):
        assert without_times(out / path.name) == without_times(path)
    before = (out / "reference-ppa.jsonl").read_bytes()
    assert main(again) == 0, "nothing is left to do"
    assert (out / "reference-ppa.jsonl").read_bytes() == before


def header(part: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    first, *rest = part.read_text().splitlines(keepends=True)
    data = json.loads(first)
    change(data)
    part.write_text("".join([json.dumps(data) + "\n", *rest]))


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (
            lambda data: data["target"].update(image="sha256:1"),
            [*BOTH, *FEW],
            "another build: it was image sha256:1",
        ),
        (
            lambda data: data["target"].update(packages={"qmail": "1"}),
            [*BOTH, *FEW],
            "another build: it was packages",
        ),
        (lambda data: data["target"]["patches"].pop(), [*BOTH, *FEW], "another build: it was patches"),
        (
            lambda data: data["target"].update(flaws=["0006.dropped"]),
            [*BOTH, *FEW],
            "another build: it was flaws",
        ),
        (
            lambda data: data.update(digest="0123456789ab"),
            [*BOTH, *FEW],
            "other cases, the project's or the suite's: it was .* 0123456789ab",
        ),
        (lambda data: data.update(suite="0.0.1"), [*BOTH, *FEW], "another suite: it was 0.0.1"),
        (lambda data: None, [*BOTH, "-k", "0006.unknown"], "another selection: it was -k '0006.unknown or"),
        (lambda data: None, ["reference-ppa", *FEW], "reference-stock was run too"),
        (lambda data: None, [*BOTH, "reference@0004", *FEW], "no run of reference@0004"),
        (lambda data: data.update(started="2020-01-01T00:00:00+00:00"), [*BOTH, *FEW], "not begun together"),
    ],
)
def test_another_build_suite_or_selection_is_refused(
    change: Callable[[dict[str, Any]], Any],
    arguments: list[str],
    says: str,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = cut_off(whole, tmp_path / "out")
    header(out / "reference-ppa.jsonl.part", change)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["compare", *arguments, "--resume", str(out)]) == 2
    assert re.search(says, capsys.readouterr().err)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_zoo_goes_on_with_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["zoo", "-k", "0006.unknown.code", "-n", "1"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    tried: list[Any] = []

    def some(trials: Any, workers: int) -> Any:
        for number, found in enumerate(run_trials(trials, workers)):
            if number == 3 and len(tried) == 3:
                raise KeyboardInterrupt
            tried.append(found[0])
            yield found

    run_trials = zoo.run_trials
    monkeypatch.setattr(zoo, "run_trials", some)
    out = tmp_path / "out"
    assert main([*words, "--out", str(out)]) == 130
    assert read_names(out) == ["zoo.json.part"]
    for other in (["-k", "0006"], []):
        assert main(["zoo", *other, "-n", "1", "--resume", str(out)]) == 2
    assert main([*words, "--resume", str(out)]) == 0
    assert len(tried) == len(set(tried)) > 3, "none was tried twice"
    for name in ("zoo.md", "zoo.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert main([*words, "--resume", str(out)]) == 2, "there is nothing to go on with"


# Signals


COMMANDS = {
    "run": ["run", "reference-ppa"],
    "one process": ["run", "reference-ppa", "-n", "1"],
    "compare": ["compare", *BOTH],
    "attribute": ["attribute", "--targets", "reference"],
    "zoo": ["zoo"],
}


@pytest.mark.parametrize(
    ("number", "to"),
    [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill), (signal.SIGHUP, os.killpg)],
    ids=["SIGINT to the group", "SIGTERM to the process", "SIGHUP to the group"],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_it_at_once_in_one_line_and_keeps_what_was_reached(
    command: str, number: signal.Signals, to: Callable[[int, int], None], tmp_path: Path
) -> None:
    with started(*COMMANDS[command], "--out", str(tmp_path)) as process:
        wait_until(lambda: any(lines(found) > 3 for found in tmp_path.glob("*.part")), process)
        began = time.monotonic()
        to(process.pid, number)
        _, error = process.communicate(timeout=PATIENCE)
        took = time.monotonic() - began
        wait_until(lambda: not group(process))
    assert process.returncode == 128 + number
    assert took < AT_ONCE
    other = [line for line in error.splitlines() if not re.match(r"\d+/\d+ |build \d", line)]
    assert len(other) == 1, error
    assert other[0].startswith("qmail-conformance: ")
    kept = sum(lines(found) - 1 for found in tmp_path.glob("*.part"))
    if command in ("run", "compare"):
        # One may have come into the file after the line was said.
        assert any(f"; {told} of " in other[0] for told in (kept, kept - 1)), other[0]
        assert other[0].endswith(f"are kept in {tmp_path}; --resume {tmp_path} goes on")


def test_a_hangup_that_was_ignored_from_the_start_stays_ignored(tmp_path: Path) -> None:
    part = tmp_path / "reference-ppa.jsonl.part"
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with started("run", "reference-ppa", "--out", str(tmp_path), **ignoring) as process:
        wait_until(lambda: lines(part) > 1, process)
        process.send_signal(signal.SIGHUP)
        reached = lines(part)
        wait_until(lambda: lines(part) > reached or not part.exists(), process)
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


ENDLESS = """
import os, pathlib
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

@requirement("base.test.quick", source="rfc5321:1")
async def test_quick(qmail: Qmail) -> None:
    "It is decided at once."
    async with qmail.session() as smtp:
        assert (await smtp.command("NOOP")).code == 250

@requirement("base.test.endless", source="rfc5321:1", waits=9)
async def test_endless(qmail: Qmail) -> None:
    "It never ends."
    pathlib.Path(os.environ["REACHED"]).touch()
    while True:
        pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_case_that_never_ends_is_ended_with_the_rest(
    processes: int, number: signal.Signals, tmp_path: Path
) -> None:
    environment = {**os.environ, "REACHED": str(tmp_path / "reached"), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    program = own_program(tmp_path, [], {"test_endless.py": ENDLESS}, processes)
    with started(program=program, env=environment) as process:
        wait_until((tmp_path / "reached").exists, process)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < AT_ONCE
        wait_until(lambda: not group(process))


# A worker process that dies


def test_a_worker_that_is_killed_costs_nothing_and_nobody_is_blamed(tmp_path: Path) -> None:
    part = tmp_path / "reference-ppa.jsonl.part"
    with started("run", "reference-ppa", "-n", "2", "--out", str(tmp_path)) as process:
        wait_until(lambda: lines(part) > 3, process)
        os.kill(group(process)[0], signal.SIGKILL)
        _, error = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0, error
    assert {each.verdict for each in read_run(tmp_path / "reference-ppa.jsonl").verdicts} == {"met"}


def test_a_worker_that_dies_right_after_a_verdict_does_not_cost_it(tmp_path: Path) -> None:
    case = next(iter(all_requirements().values()))
    told = verdict(case, PPA_TARGET, "met")
    header = RunHeader(PPA_TARGET, stamp(), "0.1.0", "memory", "")
    writer = RunWriter(tmp_path / "ppa.jsonl", header)
    listener = Listener(Plan((PPA_TARGET,)), [case], {PPA_TARGET.name: writer}, None)
    name = f"{case.case}[{PPA_TARGET.name}]"
    report = SimpleNamespace(conformance=(PPA_TARGET.name, verdict_line(told)), failed=False)
    listener.pytest_runtest_logreport(report)
    listener.pytest_runtest_logreport(SimpleNamespace(nodeid=name, failed=True, longreprtext="crashed"))
    writer.finish()
    assert [each.verdict for each in read_run(tmp_path / "ppa.jsonl").verdicts] == ["met"]


def test_what_the_one_in_the_place_of_a_dead_worker_tells_once_more_is_not_told_twice(tmp_path: Path) -> None:
    case = next(iter(all_requirements().values()))
    header = RunHeader(PPA_TARGET, stamp(), "0.1.0", "memory", "")
    writer = RunWriter(tmp_path / "ppa.jsonl", header)
    listener = Listener(Plan((PPA_TARGET,)), [case], {PPA_TARGET.name: writer}, None)
    for seen in ("", "once more"):
        told = (PPA_TARGET.name, verdict_line(verdict(case, PPA_TARGET, "met", seen=seen)))
        listener.pytest_runtest_logreport(SimpleNamespace(conformance=told, failed=False))
    writer.finish()
    assert [each.seen for each in read_run(tmp_path / "ppa.jsonl").verdicts] == [""]


# Many unexpected verdicts


def test_300_unexpected_verdicts_are_a_report_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    odd = [verdict(each, PPA_TARGET, "unmet", "unmet", seen="it was otherwise") for each in many(30)]
    assert len(odd) == 300
    path = write(tmp_path / "ppa.jsonl", PPA_TARGET, odd)
    assert main(["compare", str(path)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) < len(odd) + 250, "a line for each in the matrix, and few in full"
    assert sum("seen: it was otherwise" in line for line in told) == 20
    assert "… and 280 more; the run files hold them all." in told
    assert told[-1].startswith("exit status 1: ")
    assert "ppa: 300 verdicts: 0 met, 300 unmet; 0 as expected, 300 unexpected" in told


def test_300_verdicts_that_are_judged_otherwise_are_told_in_a_few_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "reference-ppa", "-n", "2", "--out", str(tmp_path / "out")]) == 0
    run = tmp_path / "out" / "reference-ppa.jsonl"
    first, *rest = run_lines(run)
    wrong = {"verdict": "unmet", "as_expected": False, "attempts": ["unmet"]}
    verdicts = [{**line, **wrong} for line in rest[:-1]]
    counts = dict.fromkeys(rest[-1]["counts"], 0) | {"unmet": len(verdicts), "unexpected": len(verdicts)}
    footer = {**rest[-1], "counts": counts, "exit_status": 1}
    run.write_text("".join(json.dumps(line) + "\n" for line in [first, *verdicts, footer]))
    capsys.readouterr()
    assert main(["judge", str(run), "--out", str(tmp_path / "judged")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert sum(": was unmet, is now met" in line for line in told) == 20
    assert told[-1] == f"… and {len(verdicts) - 20} more; {tmp_path / 'judged'} holds them all."


@pytest.mark.parametrize(
    ("command", "name"), [("run", "summary.md"), ("run", "junit.xml"), ("zoo", "zoo.md")]
)
def test_a_report_does_not_replace_what_is_not_ours(command: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("my thesis")
    assert main([*COMMANDS[command], "--out", str(tmp_path)]) == 2
    assert (tmp_path / name).read_text() == "my thesis"
