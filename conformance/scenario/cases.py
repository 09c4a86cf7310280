"""Scenarios that name a requirement are cases: a function for each such file of a directory."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import Script
from conformance.catalogue import requirement
from conformance.catalogue.requirements import Case
from conformance.errors import UsageError
from conformance.scenario.form import Claim, Scenario
from conformance.scenario.playing import play, unmet_sentence
from conformance.scenario.reading import load_scenario, read_scenario

#: What stands in the place of a patch for a scenario that names no requirement.
OWN = "scenario"


def scenario_cases(directory: Path) -> Iterator[tuple[Path, Case]]:
    """A case for each scenario of a directory with a table [requirement], and its file, in order of names.

    The promise is the scenario's, and is met when all its expectations are. Raises UsageError.
    """
    for path in sorted(directory.glob("*.toml")):
        if (case := scenario_case(path)) is not None:
            yield path, case


def scenario_case(path: Path) -> Case | None:
    """The case of a scenario file; None where it names no requirement. Raises UsageError."""
    scenario = load_scenario(path)
    return _case(scenario, scenario.claim) if scenario.claim is not None else None


def case_of_file(path: Path) -> Case:
    """The case of any scenario file; one that names no requirement has one of its own, `scenario.my-bug`.

    That is a guard: every build is to do all that is expected. Raises UsageError.
    """
    scenario = load_scenario(path)
    return _case(scenario, scenario.claim or _own_claim(scenario))


def _own_claim(scenario: Scenario) -> Claim:
    name = re.sub(r"[^a-z0-9]+", "-", scenario.path.stem.lower()).strip("-") or "file"
    return Claim(f"{OWN}.{name}", scenario.path.name, scenario.title or name, role="guard")


async def play_claim(internet: Internet, qmail: Qmail, text: str, name: str) -> None:
    """Play a scenario's text, as a script: met when all its expectations are. `name` is its file's."""
    await _hold(read_scenario(text, Path(name)), internet, qmail)


async def _hold(scenario: Scenario, internet: Internet, qmail: Qmail) -> None:
    unmet = [check for check in await play(scenario, internet, qmail) if not check.met]
    if unmet:
        raise AssertionError("; ".join(unmet_sentence(check) for check in unmet))


def _case(scenario: Scenario, claim: Claim) -> Case:
    async def case(internet: Internet, qmail: Qmail) -> None:
        await _hold(scenario, internet, qmail)

    path = scenario.path
    made: Any = case
    made.__name__ = made.__qualname__ = f"test_{path.stem.replace('-', '_')}"
    made.__doc__ = claim.promise
    made.scenario = path  #: the file, for whoever shows what decides the requirement
    made.script = Script(__name__, play_claim.__name__, {"text": scenario.source, "name": path.name})
    try:
        mark = requirement(
            claim.name, source=claim.source, role=claim.role, level=claim.level, severity=claim.severity
        )
        marked: Any = mark(made)
    except UsageError as error:
        hint = "See [requirement] in docs/scenarios.md."
        raise UsageError(f"{path}: {error.message}", hint) from error
    marked.requirement = replace(marked.requirement, case=f"{path.name}::{made.__name__}")
    found: Case = made
    return found
