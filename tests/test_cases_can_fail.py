"""A case looks at qmail, and a change is unmet where its patch alone is missing.

That each is met where it should be, and unmet under a flaw, the zoo says (tox -e zoo).
"""

import asyncio
from collections import Counter
from functools import cache

import pytest

from conformance.cases.attempt import Attempt
from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.pod.secrets import fixture_secrets
from conformance.targets.embedded import ReferencePod
from tests.pods import attempt

REQUIREMENTS = all_requirements()
CHANGES = [name for name, requirement in REQUIREMENTS.items() if requirement.role == "change"]

pod = cache(ReferencePod)


def tried(name: str, patches: tuple[str, ...]) -> Attempt:
    """One attempt at a requirement on the reference with these patches."""
    return asyncio.run(attempt(case_of(REQUIREMENTS[name]), pod(patches), fixture_secrets()))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_case_looks_at_what_qmail_did(name: str) -> None:
    found = tried(name, PPA_PATCHES)
    acts = {act.act for act in found.record.acts}
    assert found.outcome == "met", found.seen
    assert acts & {"receive", "remote", "wait-until-idle", "observe"}, f"{name} sees nothing of qmail: {acts}"


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_unmet_without_its_patch(name: str) -> None:
    found = tried(name, tuple(patch for patch in PPA_PATCHES if patch != REQUIREMENTS[name].patch))
    assert found.outcome == "unmet", found.seen


@pytest.mark.parametrize(("patch", "least"), [*((patch, 5) for patch in PPA_PATCHES), ("base", 20)])
def test_a_patch_has_enough_requirements(patch: str, least: int) -> None:
    roles = Counter(requirement.role for requirement in REQUIREMENTS.values() if requirement.patch == patch)
    assert roles.total() >= least
    assert roles["change"] >= 3 or patch == "base"
