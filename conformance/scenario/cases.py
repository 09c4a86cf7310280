"""Scenarios that name a requirement are cases: a function for each file of fixtures/scenarios/ that does."""

from pathlib import Path
from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.catalogue.requirements import Case
from conformance.errors import UsageError
from conformance.places import data
from conformance.scenario.form import Claim, Scenario
from conformance.scenario.playing import play, unmet_sentence
from conformance.scenario.reading import load_scenario

DIRECTORY = data("fixtures", "scenarios")


def scenario_files(directory: Path = DIRECTORY) -> list[Path]:
    """The scenario files of a directory, in order of their names."""
    return sorted(directory.glob("*.toml"))


def scenario_cases(module: str, directory: Path = DIRECTORY) -> dict[str, Case]:
    """A case for each scenario with a table [requirement], by function name; they say they are of `module`.

    The promise is the scenario's, and is met when all its expectations are. Raises UsageError.
    """
    cases: dict[str, Case] = {}
    for path in scenario_files(directory):
        scenario = load_scenario(path)
        if scenario.claim is not None:
            case = _case(scenario, scenario.claim, module)
            cases[case.__name__] = case
    return cases


def _case(scenario: Scenario, claim: Claim, module: str) -> Case:
    async def case(internet: Internet, qmail: Qmail) -> None:
        unmet = [check for check in await play(scenario, internet, qmail) if not check.met]
        if unmet:
            raise AssertionError("; ".join(unmet_sentence(check) for check in unmet))

    made: Any = case
    made.__name__ = made.__qualname__ = f"test_{scenario.path.stem.replace('-', '_')}"
    made.__module__ = module
    made.__doc__ = claim.promise
    made.scenario = scenario.path  #: the file, for whoever shows what decides the requirement
    try:
        mark = requirement(
            claim.name, source=claim.source, role=claim.role, level=claim.level, severity=claim.severity
        )
        return mark(made)
    except UsageError as error:
        hint = "See [requirement] in docs/scenarios.md."
        raise UsageError(f"{scenario.path}: {error.message}", hint) from error
