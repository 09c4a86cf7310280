"""Each patch is told from the others: left out, exactly its changes are unmet; alone, exactly they are met.

On the embedded reference. What holds here must hold on packages that are built with one patch left
out or with one alone.
"""

import asyncio

import pytest

from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.judge.expectation import expect
from conformance.pod.secrets import fixture_secrets
from conformance.targets.embedded import ReferencePod
from conformance.targets.target import Target
from tests.pods import attempt

REQUIREMENTS = all_requirements()


def otherwise(patches: tuple[str, ...]) -> dict[str, str]:
    """Requirements that come to another verdict than a target with `patches` should, and to which."""

    async def judge() -> dict[str, str]:
        pod = ReferencePod(patches)
        found = {}
        for name, one in REQUIREMENTS.items():
            expected = expect(one, Target("reference", "reference", patches), []).verdict
            came = await attempt(case_of(one), pod, fixture_secrets())
            if came.outcome != expected:
                found[name] = f"{came.outcome}: {came.seen}"
        return found

    return asyncio.run(judge())


@pytest.mark.parametrize("patch", PPA_PATCHES)
@pytest.mark.parametrize("alone", [False, True])
def test_left_out_or_alone_exactly_its_changes_tell(patch: str, alone: bool) -> None:
    assert otherwise(tuple(other for other in PPA_PATCHES if (other == patch) is alone)) == {}
