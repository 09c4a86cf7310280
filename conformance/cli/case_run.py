"""Runs the cases under pytest and writes a run file for each target, line by line as verdicts come in."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest
from _pytest.config import create_terminal_writer
from _pytest.mark.expression import Expression

import conformance
from conformance import plugin
from conformance.cases.collection import DIRECTORY, all_requirements, forget_modules
from conformance.catalogue import Requirement
from conformance.cli.workers import pod_count, process_count
from conformance.errors import ConformanceError, NothingSelected, UsageError, WorldError
from conformance.internet.zones import check_zones
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect, judged
from conformance.judge.runfile import RunWriter, verdict_line
from conformance.judge.verdict import Verdict
from conformance.pod.mailboxes import load_users
from conformance.targets.plan import Plan

#: Where the queue stands, for every kind of target; throughput depends on it.
QUEUE = {"reference": "memory"}
QUEUE_IN_A_POD = "tmpfs"


@dataclass(frozen=True)
class Selection:
    """Which requirements are run. `keyword` is pytest's -k expression."""

    keyword: str = ""
    patches: tuple[str, ...] = ()

    def takes(self, requirement: Requirement) -> bool:
        """Whether a requirement is probably meant: pytest's own answer may depend on the target's name."""
        words = " ".join((requirement.name, requirement.role, requirement.level, requirement.case)).lower()

        def fits(word: str, /, **_: object) -> bool:
            return word.lower() in words

        meant = not self.keyword or Expression.compile(self.keyword).evaluate(fits)
        return meant and (not self.patches or requirement.patch in self.patches)

    def __str__(self) -> str:
        parts = [f"-k {self.keyword!r}"] if self.keyword else []
        return " ".join(parts + [f"--patch {patch}" for patch in self.patches])


@dataclass
class CaseRun:
    """Where the runs were written; `problem` says why they are not whole, "" when they are."""

    paths: list[Path] = field(default_factory=list)
    problem: str = ""


class Listener:
    """Hears verdicts from pytest's controller and writes them down at once."""

    def __init__(
        self, plan: Plan, selection: Selection, out: Path, tell: Callable[[int, int, Verdict, str], None]
    ):
        self._plan = plan
        self._tell = tell
        self._collected: dict[int, int] = {}  #: share of a worker -> how many cases
        self._done = 0
        self.output = io.StringIO()
        names = {target.file_name for target in plan.targets}
        if len(names) < len(plan.targets):
            raise UsageError("two targets would be written to the same run file", "Give each target once.")
        self.writers = {
            target.name: RunWriter(
                out / f"{target.file_name}.jsonl",
                target,
                suite=conformance.__version__,
                queue=QUEUE.get(target.kind, QUEUE_IN_A_POD),
                selection=str(selection),
            )
            for target in plan.targets
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.PLAN] = self._plan

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        # pytest speaks to people who run pytest; the command has words of its own.
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter._tw = create_terminal_writer(session.config, self.output)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected[0] = max(self._collected.get(0, 0), len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._collected[node.workerinput["share"][0]] = len(ids)

    @property
    def _total(self) -> int:
        return sum(self._collected.values())

    def pytest_runtest_logreport(self, report: Any) -> None:
        if hasattr(report, "conformance"):
            self._note(report.conformance_target, report.conformance)
        elif report.failed:
            self._note_without_a_verdict(report)

    def _note(self, target: str, line: str) -> None:
        verdict = self.writers[target].write_line(line)
        self._done += 1
        self._tell(self._done, self._total, verdict, target)

    def _note_without_a_verdict(self, report: Any) -> None:
        """A worker that died while it ran a case: the world's fault, and recorded as such."""
        location, _, rest = report.nodeid.partition("[")
        target, requirement = rest.rstrip("]"), _decided_by(location.rpartition("/")[2])
        if requirement is None or target not in self.writers:
            raise WorldError(f"pytest failed outside a case: {report.longreprtext}")
        expectation = expect(requirement, self._plan.target(target), load_deviations(all_requirements()))
        invalid = judged(requirement, expectation, ["invalid"], seen=str(report.longreprtext))
        self._note(target, verdict_line(invalid))

    @property
    def complete(self) -> bool:
        return self._done == self._total


def _decided_by(location: str) -> Requirement | None:
    return next((one for one in all_requirements().values() if one.case == location), None)


def run_cases(
    plan: Plan,
    selection: Selection,
    *,
    out: Path,
    pods: int | None,
    tell: Callable[[int, int, Verdict, str], None],
    say: Callable[[str], None] = lambda line: None,
    repeat: bool = True,
) -> CaseRun:
    """Run the selected cases on every target of the plan, on so many pods of each at a time; None is `auto`.

    `say` gets a line with that number.

    Raises NothingSelected, UsageError for a wrong expression, WorldError when pytest itself fails.
    What was recorded stays in the files; without a footer they are not whole, and `problem` says why.
    """
    # Files that people edit are looked at before a container starts.
    check_zones()
    load_users()
    if selection.keyword:
        # pytest-xdist reports a wrong expression as workers that failed, so it is looked at before.
        try:
            Expression.compile(selection.keyword)
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"-k {selection.keyword!r}: {error}", "Write it as pytest's -k.") from error
    chosen = [one for one in all_requirements().values() if selection.takes(one)]
    forget_modules()
    pods = pod_count(plan, chosen) if pods is None else pods
    processes = process_count(plan, len(chosen), pods)
    if chosen and not plan.stored:
        count = len(chosen) * len(plan.targets)
        many = f"{count} case" if count == 1 else f"{count} cases"
        say(f"{many}, {pods} {'case' if pods == 1 else 'cases'} at a time on each target.")
    listener = Listener(plan, selection, out, tell)
    arguments = [str(DIRECTORY), "-c", str(DIRECTORY / "pytest.ini"), "--rootdir", str(DIRECTORY), "-q"]
    arguments += ["-p", "no:cacheprovider", "-n", str(processes if processes > 1 else 0)]
    # Tracebacks are for people who live in pytest; to lay one out takes as long as ten cases.
    arguments += ["--tb", "no", "--dist", "each", "--pods", str(pods)]
    arguments += ["-k", selection.keyword] if selection.keyword else []
    arguments += [word for patch in selection.patches for word in ("--patch", patch)]
    arguments += [] if repeat else ["--no-repeat"]
    errors = io.StringIO()
    status = _quietly(lambda: pytest.main(arguments, plugins=[listener]), errors)
    done = CaseRun([writer.path for writer in listener.writers.values()])
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        for path in done.paths:
            path.unlink(missing_ok=True)
        raise NothingSelected(
            f"nothing is selected by {selection or 'the cases'}",
            "`qmail-conformance list` shows what there is.",
        )
    if status == pytest.ExitCode.USAGE_ERROR:
        for path in done.paths:
            path.unlink(missing_ok=True)
        raise UsageError(_last_lines(errors.getvalue() + listener.output.getvalue()))
    if status == pytest.ExitCode.INTERRUPTED:
        done.problem = "the run was interrupted"
    elif status == pytest.ExitCode.INTERNAL_ERROR or not listener.complete:
        done.problem = "pytest failed: " + _last_lines(errors.getvalue() + listener.output.getvalue())
    for writer in listener.writers.values():
        if done.problem:
            writer.close()
        else:
            writer.finish()
    return done


def _quietly(run: Callable[[], int | pytest.ExitCode], errors: TextIO) -> int:
    """Run pytest with its own error output kept for a message of ours."""
    before, sys.stderr = sys.stderr, errors
    try:
        return int(run())
    except ConformanceError:
        raise
    finally:
        sys.stderr = before


def _last_lines(text: str, count: int = 12) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:]) or "it did not say why"
