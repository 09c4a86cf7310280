"""Runs the cases under pytest and writes a run file for each target, line by line as verdicts come in."""

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from conformance import plugin, stopping
from conformance.cases.attempt import Attempt
from conformance.cases.collection import DIRECTORY, forget_modules
from conformance.catalogue import Requirement
from conformance.cli import keeping
from conformance.cli.keywords import matcher, near_names
from conformance.cli.stored import mark_latest
from conformance.cli.workers import pod_count, process_count
from conformance.errors import NothingSelected, WorldError
from conformance.internet.zones import check_zones
from conformance.judge.decider import verdict_of
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect
from conformance.judge.runfile import PartialRun, Run, RunHeader, part_of, read_reached, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.judge.shards import Shard
from conformance.own_pytest import own_pytest
from conformance.pod.mailboxes import load_users
from conformance.project.form import NO_PROJECT, Project
from conformance.report.progress import Progress
from conformance.report.words import numbered, one_line
from conformance.targets.capacity import cut_down
from conformance.targets.plan import Plan

#: So many worker processes may die; each costs what it was deciding, at the most.
_DEATHS = 100


@dataclass(frozen=True)
class Selection:
    """Which requirements are run. `keyword` is an expression as pytest's -k; `changes`: no guards; `shard`:
    the part of them that this machine has; `names`: these alone, where there are any."""

    keyword: str = ""
    patches: tuple[str, ...] = ()
    changes: bool = False
    shard: Shard | None = None
    names: frozenset[str] = frozenset()

    def of(self, known: Iterable[Requirement]) -> list[Requirement]:
        """Those that are selected. Raises UsageError for a wrong expression."""
        fits = matcher(self.keyword)
        chosen = [
            requirement
            for requirement in known
            if (not self.names or requirement.name in self.names)
            and (not self.patches or requirement.patch in self.patches)
            and not (self.changes and requirement.role == "guard")
            and fits((requirement.name, requirement.role, requirement.level, requirement.case))
        ]
        return self.shard.of(chosen) if self.shard else chosen

    def __str__(self) -> str:
        parts = [f"-k {self.keyword!r}"] if self.keyword else []
        parts += [f"--patch {patch}" for patch in self.patches]
        parts += ["changes"] if self.changes else []
        return " ".join([*parts, str(self.shard)] if self.shard else parts)


class Listener:
    """Hears verdicts from pytest's controller and writes them down at once."""

    def __init__(
        self,
        plan: Plan,
        chosen: Sequence[Requirement],
        writers: Mapping[str, RunWriter],
        progress: Progress | None,
        project: Project = NO_PROJECT,
    ) -> None:
        self._plan = plan
        self._project = project
        self._progress = progress
        #: Target and requirement by pytest's name of a case, which escapes what is not ASCII.
        self._cases = {
            f"{requirement.case}[{target.label}]".encode("unicode_escape").decode(): (target, requirement)
            for requirement in chosen
            for target in plan.targets
        }
        self.writers = writers
        self.trouble: WorldError | None = None
        self.failures = 0  #: verdicts that are not as expected, as pytest counts them for --maxfail

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.PLAN] = self._plan

    def pytest_runtest_logreport(self, report: Any) -> None:
        if hasattr(report, "conformance"):
            target, line = report.conformance
            # A worker that died before it said that it was done told it; the one in its place plays it again.
            if json.loads(line)["requirement"] not in self.writers[target].names:
                self._note(target, line)
        elif report.failed:
            # A worker died while it ran a case, or before it began, or pytest did not come to it.
            if report.nodeid not in self._cases:
                raise WorldError(f"pytest failed outside a case: {report.longreprtext}")
            target, requirement = self._cases[report.nodeid]
            if requirement.name in self.writers[target.label].names:
                return  # the worker had told its verdict, and died before it said that it was done
            known = load_deviations(self._project.catalogue.requirements, project=self._project)
            expectation = expect(requirement, target, known)
            invalid = verdict_of(requirement, expectation, [Attempt("invalid", str(report.longreprtext))])
            self._note(target.label, verdict_line(invalid))

    def _note(self, target: str, line: str) -> None:
        try:
            verdict = self.writers[target].write(line)
        except WorldError as error:
            self.trouble = error  # pytest has other words for it
            raise
        self.failures += verdict.assessment in ("unexpected", "invalid")
        if self._progress is not None:
            self._progress.step(verdict)

    def close(self) -> None:
        """Nothing more is heard; what is displayed comes to its end."""
        if self._progress is not None:
            self._progress.finish()


def run_cases(
    plan: Plan,
    selection: Selection,
    *,
    out: Path,
    pods: int | None,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[int], Progress | None] = lambda total: None,
    judged: Run | None = None,
    resume: bool | None = None,
    repeat: bool = True,
    project: Project = NO_PROJECT,
    maxfail: int = 0,
) -> list[Run]:
    """Run the selected cases on every target of the plan, on so many pods of each at a time; None is `auto`.

    `say` gets a line with that number. `progress` is asked for a display of so many verdicts. `judged` is the
    stored run that is judged again. `resume`: go on with the runs in `out`; None where nobody
    could ask for it. `repeat`: what is unexpected is run again in a fresh pod before it is believed. The
    catalogue is that of `project`. `maxfail`: after so many verdicts that are not as expected nothing more is
    run, and what was reached is told; 0: everything is run.

    Raises NothingSelected, UsageError for a wrong expression or for files that would be lost, WorldError when
    pytest itself fails: what was recorded then stays in the parts of the files.
    """
    # Files that people edit are looked at before a container starts.
    check_zones()
    load_users()
    catalogue = project.catalogue
    load_deviations(catalogue.requirements, project=project)
    chosen = selection.of(catalogue.requirements.values())
    forget_modules(catalogue.files.values())
    if plan.stored:  # it is judged again as far as it goes
        chosen = [requirement for requirement in chosen if requirement.name in plan.selected]
    if not chosen and plan.stored:
        what = "none of the stored requirements has a case in this catalogue"
        raise NothingSelected(what, "What came of a scenario is asked anew with `qmail-conformance try`.")
    if not chosen:
        what = f"nothing is selected by {str(selection) or 'the cases'}"
        otherwise = "`qmail-conformance list` shows what there is."
        raise NothingSelected(what, near_names(selection.keyword, catalogue.requirements, otherwise))
    headers = _headers(plan, str(selection), len(chosen), judged, project)
    if resume:
        writers = keeping.go_on(out, headers)
    else:
        writers = keeping.begin(out, headers, say, judged=judged is not None)
    names = tuple(requirement.name for requirement in chosen)
    decided = {target.label: names for target in plan.targets if target.label not in writers}
    decided |= {name: writer.names for name, writer in writers.items()}
    plan = replace(plan, selected=names, decided=decided, project=str(project.file or ""))
    total = len(chosen) * len(plan.targets)
    left = total - sum(map(len, decided.values()))
    pods = pod_count(plan, chosen) if pods is None else cut_down(pods, plan, len(chosen), say)
    if resume:
        say(f"{total - left} of {numbered(total, 'verdict')} are kept in {one_line(str(out))}.")
    if left and not plan.stored:
        on = f" on {len(plan.targets)} targets" if len(plan.targets) > 1 else ""
        say(f"{numbered(left, 'case')}{on}, {pods} at a time{' on each' if on else ''}.")

    def reached() -> str:
        got = total - left + sum(writer.count - len(decided[name]) for name, writer in writers.items())
        then = "" if resume is None else f"; --resume {one_line(str(out))} goes on"
        return f"{got} of {numbered(total, 'verdict')} are kept in {one_line(str(out))}{then}"

    with stopping.keeping(reached):
        if left:
            listener = Listener(plan, chosen, writers, progress(left), project)
            places = _places(catalogue.files[name] for name in names)
            _run_pytest(places, listener, left, pods, repeat, maxfail)
        whole = all(writer.count == len(chosen) for writer in writers.values())
        for writer in writers.values():
            # What was judged of a run that was cut off is no more than that.
            writer.finish() if whole and not (judged and judged.cut_off) else writer.close()
    stopped = bool(maxfail) and left > 0 and listener.failures >= maxfail
    if not whole and not stopped:
        kept = "; ".join(PartialRun(writer.part).kept for writer in writers.values())
        raise WorldError("pytest ended and did not come to every case", kept)
    paths = [keeping.place(out, header) for header in headers]
    part = not whole or (judged and judged.cut_off)
    if not part:
        mark_latest(out)
    return [read_reached(part_of(path) if part and part_of(path).exists() else path) for path in paths]


def _headers(plan: Plan, selection: str, total: int, judged: Run | None, project: Project) -> list[RunHeader]:
    """What each run file begins with."""
    if judged is not None:
        before = judged.header
        return [keeping.judged_header(before, before.total if judged.cut_off else total)]
    return keeping.headers(plan.targets, selection, total, project)


def _places(files: Iterable[Path]) -> list[str]:
    """What pytest is told: our own files, and the directories of others, from which it names these."""
    return sorted({str(file if file.parent == DIRECTORY else file.parent) for file in files})


def _run_pytest(
    places: Sequence[str], listener: Listener, left: int, pods: int, repeat: bool, maxfail: int
) -> None:
    """Have pytest decide what is left of the cases in these places. Raises WorldError when it fails."""
    processes = process_count(left, pods)
    arguments = [*places, "-c", str(DIRECTORY / "pytest.ini"), "--rootdir", str(DIRECTORY), "-q"]
    arguments += ["-p", "xdist", "-p", "conformance.plugin"]
    arguments += ["-p", "no:cacheprovider", "-n", str(processes if processes > 1 else 0)]
    # Tracebacks are for people who live in pytest; to lay one out takes as long as ten cases.
    arguments += ["--tb", "no", "--shares", "--pods", str(pods), "--max-worker-restart", str(_DEATHS)]
    arguments += [] if repeat else ["--no-repeat"]
    arguments += ["--maxfail", str(maxfail)] if maxfail else []
    output = io.StringIO()  # pytest speaks to people who run pytest; the command has words of its own
    try:
        with own_pytest(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = pytest.main(arguments, plugins=[listener])
    finally:
        listener.close()
    if listener.trouble is not None:
        raise listener.trouble
    if maxfail and listener.failures >= maxfail:
        return
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        interrupted = status == pytest.ExitCode.INTERRUPTED
        raise WorldError(
            "the run was interrupted" if interrupted else f"pytest failed: {_last_lines(output.getvalue())}",
            "; ".join(PartialRun(writer.part).kept for writer in listener.writers.values()),
        )


def _last_lines(text: str, count: int = 12) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:]) or "it did not say why"
