"""One question decided on a target without pytest, and kept as a run: a requirement, or a scenario."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conformance.cases.attempt import Attempt
from conformance.cases.script import script_of
from conformance.catalogue.requirements import Case, Requirement, requirement_of
from conformance.cli import keeping
from conformance.cli.options import note
from conformance.judge.decider import decide, of_case, verdict_of
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import Expectation, expect
from conformance.judge.runfile import Run, RunHeader, read_run, verdict_line
from conformance.judge.verdict import Verdict
from conformance.project.form import Project
from conformance.scenario.cases import OWN, case_of_file
from conformance.scenario.named import named_scenarios, scenario_of
from conformance.scenario.playing import unmet_sentence
from conformance.scenario.trial import Tried, refuse_stray
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.target import Target


@dataclass(frozen=True)
class Question:
    """A requirement and the case that decides it; `file` where it is asked by a scenario's file."""

    requirement: Requirement
    case: Case
    file: Path | None = None


def question_of(word: str, project: Project) -> Question | None:
    """What a word asks: a requirement's whole name, or a scenario's file or name; None where it is neither.

    Raises UsageError for what is wrong in a scenario.
    """
    requirements = project.catalogue.requirements
    if word in requirements:
        return Question(requirements[word], project.catalogue.cases[word])
    path = scenario_of(word, project)
    return None if path is None else question_of_file(path)


def names_of_questions(project: Project) -> list[str]:
    """The names that `question_of` knows."""
    return [*project.catalogue.requirements, *named_scenarios(project)]


def question_of_file(path: Path) -> Question:
    """What a scenario asks: the requirement that it names, or whether a build does all that it expects."""
    case = case_of_file(path)
    requirement = requirement_of(case)
    assert requirement is not None
    return Question(requirement, case, path)


def decided(asked: Question, target: Target, plan: Plan, project: Project) -> Verdict:
    """The verdict on a target of the plan. Raises UsageError where a scenario's world lacks a name."""
    requirement = asked.requirement

    async def verdict() -> Verdict:
        pool = PodPool(plan)
        try:
            live = of_case(asked.case, partial(pool.played, pool.submit(target, script_of(asked.case))))
            return (await decide(requirement, _expected(requirement, target, project), live))[0]
        finally:
            await pool.dispose()

    found = asyncio.run(verdict())
    if found.verdict == "invalid" and asked.file is not None:
        refuse_stray(asked.file, found.record)
    return found


def tried_verdict(asked: Question, tried: Tried, project: Project) -> Verdict:
    """The verdict on what was tried already."""
    unmet = "; ".join(unmet_sentence(check) for check in tried.checks if not check.met)
    attempt = Attempt("met" if tried.met else "unmet", unmet, tried.record)
    expectation = _expected(asked.requirement, tried.target, project)
    return verdict_of(asked.requirement, expectation, [attempt])


def _expected(requirement: Requirement, target: Target, project: Project) -> Expectation:
    known = load_deviations(project.catalogue.requirements, project=project)
    return expect(requirement, target, known)


def headers(asked: Question, targets: Sequence[Target], project: Project) -> list[RunHeader]:
    """What the run files of these targets begin with."""
    selection = asked.file.name if asked.file else asked.requirement.name
    return keeping.headers(targets, selection, 1, project, {OWN: "scenarios"})


def keep(headers: Sequence[RunHeader], verdicts: Sequence[tuple[Target, Verdict]], out: Path) -> list[Run]:
    """A run file for each target, with the one verdict. Raises UsageError for what would be lost there."""
    writers = keeping.begin(out, headers, note)
    for target, verdict in verdicts:
        writers[target.label].write(verdict_line(verdict))
        writers[target.label].finish()
    return [read_run(keeping.place(out, header)) for header in headers]
