"""Runs the cases under pytest and writes a run file for each target, line by line as verdicts come in."""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance import plugin
from conformance.cases.attempt import Attempt
from conformance.cases.collection import DIRECTORY, all_requirements, forget_modules
from conformance.catalogue import Requirement
from conformance.cli.keywords import matcher
from conformance.cli.workers import pod_count, process_count
from conformance.errors import NothingSelected, UsageError, WorldError
from conformance.internet.zones import check_zones
from conformance.judge.decider import verdict_of
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect
from conformance.judge.runfile import PartialRun, Run, RunHeader, RunWriter, read_run, stamp, verdict_line
from conformance.pod.mailboxes import load_users
from conformance.report.progress import Progress
from conformance.report.words import numbered
from conformance.targets.capacity import cut_down
from conformance.targets.plan import Plan


@dataclass(frozen=True)
class Selection:
    """Which requirements are run. `keyword` is an expression as pytest's -k."""

    keyword: str = ""
    patches: tuple[str, ...] = ()

    def of(self, known: Iterable[Requirement]) -> list[Requirement]:
        """Those that are selected. Raises UsageError for a wrong expression."""
        fits = matcher(self.keyword)
        return [
            requirement
            for requirement in known
            if (not self.patches or requirement.patch in self.patches)
            and fits((requirement.name, requirement.role, requirement.level, requirement.case))
        ]

    def __str__(self) -> str:
        parts = [f"-k {self.keyword!r}"] if self.keyword else []
        return " ".join(parts + [f"--patch {patch}" for patch in self.patches])


class Listener:
    """Hears verdicts from pytest's controller and writes them down at once."""

    def __init__(
        self,
        plan: Plan,
        chosen: Sequence[Requirement],
        selection: str,
        out: Path,
        progress: Progress | None,
    ) -> None:
        self._plan = plan
        self._progress = progress
        #: Target and requirement by pytest's name of a case, which escapes what is not ASCII.
        self._cases = {
            f"{requirement.case}[{target.name}]".encode("unicode_escape").decode(): (target, requirement)
            for requirement in chosen
            for target in plan.targets
        }
        self.left = len(self._cases)
        if len({target.file_name for target in plan.targets}) < len(plan.targets):
            raise UsageError("two targets would be written to the same run file", "Give each target once.")
        self.writers = {}
        for target in plan.targets:
            queue = "memory" if target.specification else "tmpfs"
            header = RunHeader(target, stamp(), conformance.__version__, queue, selection)
            self.writers[target.name] = RunWriter(out / f"{target.file_name}.jsonl", header)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.PLAN] = self._plan

    def pytest_runtest_logreport(self, report: Any) -> None:
        if hasattr(report, "conformance"):
            self._note(*report.conformance)
        elif report.failed:
            # A worker died while it ran a case, or before it began, or pytest did not come to it.
            if report.nodeid not in self._cases:
                raise WorldError(f"pytest failed outside a case: {report.longreprtext}")
            target, requirement = self._cases[report.nodeid]
            expectation = expect(requirement, target, load_deviations(all_requirements()))
            invalid = verdict_of(requirement, expectation, [Attempt("invalid", str(report.longreprtext))])
            self._note(target.name, verdict_line(invalid))

    def _note(self, target: str, line: str) -> None:
        verdict = self.writers[target].write(line)
        self.left -= 1
        if self._progress is not None:
            self._progress.step(verdict)


def run_cases(
    plan: Plan,
    selection: Selection,
    *,
    out: Path,
    pods: int | None,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[int], Progress | None] = lambda total: None,
) -> list[Run]:
    """Run the selected cases on every target of the plan, on so many pods of each at a time; None is `auto`.

    `say` gets a line with that number. `progress` is asked for a display of so many verdicts.

    Raises NothingSelected, UsageError for a wrong expression, WorldError when pytest itself fails: what was
    recorded then stays in the files, which without a footer are not whole.
    """
    # Files that people edit are looked at before a container starts.
    check_zones()
    load_users()
    chosen = selection.of(all_requirements().values())
    forget_modules()
    if plan.stored:  # it is judged again as far as it goes
        chosen = [requirement for requirement in chosen if requirement.name in plan.selected]
    if not chosen:
        what = f"nothing is selected by {selection or 'the cases'}"
        raise NothingSelected(what, "`qmail-conformance list` shows what there is.")
    plan = replace(plan, selected=tuple(requirement.name for requirement in chosen))
    total = len(chosen) * len(plan.targets)
    pods = pod_count(plan, chosen) if pods is None else cut_down(pods, plan, len(chosen), say)
    processes = process_count(total, pods)
    if not plan.stored:
        on = f" on {len(plan.targets)} targets" if len(plan.targets) > 1 else ""
        say(f"{numbered(total, 'case')}{on}, {pods} at a time{' on each' if on else ''}.")
    display = progress(total)
    listener = Listener(plan, chosen, str(selection), out, display)
    arguments = [str(DIRECTORY), "-c", str(DIRECTORY / "pytest.ini"), "--rootdir", str(DIRECTORY), "-q"]
    arguments += ["-p", "no:cacheprovider", "-n", str(processes if processes > 1 else 0)]
    # Tracebacks are for people who live in pytest; to lay one out takes as long as ten cases.
    arguments += ["--tb", "no", "--shares", "--pods", str(pods)]
    output = io.StringIO()  # pytest speaks to people who run pytest; the command has words of its own
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments, plugins=[listener])
    if display is not None:
        display.finish()
    whole = status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not listener.left
    for writer in listener.writers.values():
        if whole:
            writer.finish()
        else:
            writer.close()
    paths = [writer.path for writer in listener.writers.values()]
    if not whole:
        interrupted = status == pytest.ExitCode.INTERRUPTED
        raise WorldError(
            "the run was interrupted" if interrupted else f"pytest failed: {_last_lines(output.getvalue())}",
            "; ".join(PartialRun(path).kept for path in paths),
        )
    return [read_run(path) for path in paths]


def _last_lines(text: str, count: int = 12) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:]) or "it did not say why"
