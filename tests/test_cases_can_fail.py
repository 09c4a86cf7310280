"""Every requirement is met where it should be, and its case has been seen to fail.

The reference stands in for qmail: without its patch a change must be unmet, and a guard must be unmet under
the flaw that `guards.toml` names for it. What only ever passes decides nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from conformance.cases.attempt import Attempt, attempt
from conformance.cases.collection import all_requirements
from conformance.catalogue import PPA_PATCHES, Requirement
from conformance.catalogue.requirements import Case
from conformance.reference.flaws import FLAWS
from conformance.targets.embedded import ReferencePod
from conformance.targets.keeper import fixture_secrets

FILE = Path(__file__).with_name("guards.toml")
GUARDS: dict[str, str] = tomllib.loads(FILE.read_text(encoding="utf-8"))
REQUIREMENTS = all_requirements()
NAMES_OF_GUARDS = [name for name, one in REQUIREMENTS.items() if one.role == "guard"]

pod = cache(ReferencePod)
secrets = cache(fixture_secrets)


def case(requirement: Requirement) -> Case:
    """The function that decides a requirement."""
    file, _, function = requirement.case.partition("::")
    found: Case = getattr(importlib.import_module(f"conformance.cases.{file.removesuffix('.py')}"), function)
    return found


def tried(name: str, patches: tuple[str, ...], flaw: str | None = None) -> Attempt:
    """One attempt at a requirement on the reference with these patches and this flaw."""
    flaws = frozenset() if flaw is None else frozenset({flaw})
    return asyncio.run(attempt(case(REQUIREMENTS[name]), pod(patches, flaws), secrets()))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_requirement_is_met_with_all_patches(name: str) -> None:
    found = tried(name, PPA_PATCHES)
    assert found.verdict == "met", found.seen


@pytest.mark.parametrize("name", [name for name, one in REQUIREMENTS.items() if one.role == "change"])
def test_a_change_is_unmet_without_its_patch(name: str) -> None:
    others = tuple(patch for patch in PPA_PATCHES if patch != REQUIREMENTS[name].patch)
    for patches in (others, ()):
        found = tried(name, patches)
        assert found.verdict == "unmet", f"with {patches or 'no patch'} it is {found.verdict}: {found.seen}"


@pytest.mark.parametrize("name", NAMES_OF_GUARDS)
def test_a_guard_is_met_without_patches_and_unmet_under_its_flaw(name: str) -> None:
    stock = tried(name, ())
    assert stock.verdict == "met", stock.seen
    assert name in GUARDS, (
        f'{FILE.name} names no flaw for {name}: add a line "{name}" = "FLAW", with a flaw of '
        f"conformance/reference/flaws.py under which the case fails"
    )
    flaw = GUARDS[name]
    assert flaw in FLAWS, f"{FILE.name} names the flaw {flaw!r} for {name}, and there is no such flaw"
    found = tried(name, PPA_PATCHES, flaw)
    assert found.verdict == "unmet", (
        f"under {flaw} ({FLAWS[flaw].description}) it is {found.verdict}: {found.seen}; strengthen the case, "
        f"or name in {FILE.name} a flaw that breaks its promise"
    )


def test_every_line_is_for_a_guard() -> None:
    stale = sorted(set(GUARDS) - set(NAMES_OF_GUARDS))
    assert not stale, f"{FILE.name}: take out what is no guard of any case: {', '.join(stale)}"


@pytest.mark.parametrize("patch", PPA_PATCHES)
def test_a_patch_has_enough_requirements(patch: str) -> None:
    roles = Counter(one.role for one in REQUIREMENTS.values() if one.patch == patch)
    assert roles.total() >= 6
    assert roles["change"] >= 4


def test_base_has_enough_requirements() -> None:
    assert sum(one.patch == "base" for one in REQUIREMENTS.values()) >= 20
