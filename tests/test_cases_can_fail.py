"""Every requirement is met where it should be, and its case has been seen to fail.

The reference stands in for qmail: without its patch a change must be unmet, and a guard must be unmet under
a flaw of the reference. What only ever passes decides nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache

import pytest

from conformance.cases.attempt import Attempt
from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue import PPA_PATCHES
from conformance.pod.secrets import fixture_secrets
from conformance.reference.flaws import FLAWS
from conformance.targets.embedded import ReferencePod
from conformance.zoo.trial import baseline, run_trial
from tests.pods import attempt

REQUIREMENTS = all_requirements()
NAMES_OF_GUARDS = [name for name, one in REQUIREMENTS.items() if one.role == "guard"]

pod = cache(ReferencePod)


def tried(name: str, patches: tuple[str, ...]) -> Attempt:
    """One attempt at a requirement on the reference with these patches."""
    return asyncio.run(attempt(case_of(REQUIREMENTS[name]), pod(patches), fixture_secrets()))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_requirement_is_met_with_all_patches(name: str) -> None:
    found = tried(name, PPA_PATCHES)
    assert found.outcome == "met", found.seen


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_case_looks_at_what_qmail_did(name: str) -> None:
    acts = {act.act for act in tried(name, PPA_PATCHES).record.acts}
    assert acts & {"receive", "remote", "wait-until-idle", "observe"}, f"{name} sees nothing of qmail: {acts}"


@pytest.mark.parametrize("name", [name for name, one in REQUIREMENTS.items() if one.role == "change"])
def test_a_change_is_unmet_without_its_patch(name: str) -> None:
    others = tuple(patch for patch in PPA_PATCHES if patch != REQUIREMENTS[name].patch)
    for patches in (others, ()):
        found = tried(name, patches)
        assert found.outcome == "unmet", f"with {patches or 'no patch'} it is {found.outcome}: {found.seen}"


@pytest.mark.parametrize("name", NAMES_OF_GUARDS)
def test_a_guard_is_met_without_patches_and_unmet_under_a_flaw(name: str) -> None:
    found = baseline([name])
    stock = found.outcomes["stock"][name]
    assert stock.verdict == "met", stock.seen
    trials = list(found.trials(lambda flaw, name: True))
    # A flaw of the guard's own patch shows it soonest.
    trials.sort(key=lambda trial: FLAWS[trial.flaw].patch != REQUIREMENTS[name].patch)
    assert any(run_trial(trial)[name].verdict == "unmet" for trial in trials), (
        f"no flaw of conformance/reference/flaws.py turns {name} unmet, so it has never been seen to fail: "
        f"strengthen the case, or teach the reference a flaw that breaks its promise"
    )


@pytest.mark.parametrize("patch", PPA_PATCHES)
def test_a_patch_has_enough_requirements(patch: str) -> None:
    roles = Counter(one.role for one in REQUIREMENTS.values() if one.patch == patch)
    assert roles.total() >= 6
    assert roles["change"] >= 4


def test_base_has_enough_requirements() -> None:
    assert sum(one.patch == "base" for one in REQUIREMENTS.values()) >= 20
