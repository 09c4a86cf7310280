"""What pytest collects besides functions: scenario files; and what is wrong with what it has collected."""

import types
from collections.abc import Iterable
from pathlib import Path

import pytest

from conformance.cases.checking import check_case
from conformance.catalogue.part import Part
from conformance.catalogue.patches import PatchSeries
from conformance.catalogue.requirements import Case, Requirement
from conformance.errors import UsageError
from conformance.harmless import printable
from conformance.scenario.cases import scenario_case


class ScenarioFile(pytest.Module):
    """A scenario file that names a requirement, as pytest sees it: a module with one case."""

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType(self.path.stem)
        if (case := scenario_case(self.path)) is not None:
            setattr(module, case.__name__, case)
        return module


def scenario_file(path: Path, parent: pytest.Collector, parts: Iterable[Part]) -> pytest.Collector | None:
    """What is in a file of these parts' scenarios; None for any other: not every TOML file is one."""
    directories = [directory.resolve() for part in parts for directory in part.scenarios]
    if path.suffix != ".toml" or path.parent.resolve() not in directories:
        return None
    found: ScenarioFile = ScenarioFile.from_parent(parent, path=path)
    return found


def refuse_second(requirement: Requirement, by_name: dict[str, Requirement], series: PatchSeries) -> None:
    """Raise pytest.UsageError where two cases decide one requirement, or there is no patch like its own."""
    other = by_name.setdefault(requirement.name, requirement)
    if other.case != requirement.case:
        what = f"requirement {requirement.name!r} is decided by two cases: {other.case}, {requirement.case}"
        raise pytest.UsageError(what)
    if requirement.patch not in series.patches:
        raise pytest.UsageError(f"requirement {requirement.name!r}: there is no patch {requirement.patch}")


def refuse_wrong(case: Case) -> None:
    """Raise an error of collection, which ends pytest with 2, where somebody's own case cannot be run."""
    if not case.__module__.startswith("conformance."):
        try:
            check_case(case)
        except UsageError as error:
            raise pytest.Collector.CollectError(printable(str(error), keep="\n")) from None
