"""All cases, imported without pytest: for lists, for checks of names, for a worker that died."""

import importlib
import sys
from pathlib import Path

from conformance.catalogue import Requirement, known
from conformance.catalogue.requirements import Case

DIRECTORY = Path(__file__).resolve().parent


def all_requirements() -> dict[str, Requirement]:
    """Every requirement that a case decides, in order of their names."""
    for path in sorted(DIRECTORY.glob("test_*.py")):
        importlib.import_module(f"conformance.cases.{path.stem}")
    return known()


def forget_modules() -> None:
    """Have the cases imported anew: pytest rewrites their assertions only where it imports them."""
    for name in [name for name in sys.modules if name.startswith("conformance.cases.test_")]:
        del sys.modules[name]


def case_of(requirement: Requirement) -> Case:
    """The function that decides a requirement."""
    file, _, function = requirement.case.partition("::")
    found: Case = getattr(importlib.import_module(f"conformance.cases.{Path(file).stem}"), function)
    return found
