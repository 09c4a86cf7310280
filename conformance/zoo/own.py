"""The requirements of a project's own, each under every flaw of the reference that it can show."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from conformance.cases.attempt import conclude
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.catalogue.patches import BASE
from conformance.judge.expectation import expect
from conformance.judge.verdict import VerdictName
from conformance.project.form import Project
from conformance.reference.flaws import FLAWS
from conformance.targets.target import Target
from conformance.zoo.trial import Unrecorded
from conformance.zoo.watch import WatchedBuild

_MOST_NAMES = 6  #: flaws that are named of each; zoo.json has them all


@dataclass(frozen=True)
class OwnCatches:
    """What one requirement catches, or why it cannot be tried on the reference: then `catches` is empty."""

    requirement: str
    catches: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def told(self) -> str:
        """What is said of it; "" where nothing turns it red."""
        some = ", ".join(self.catches[:_MOST_NAMES])
        more = f" and {len(self.catches) - _MOST_NAMES} more" if len(self.catches) > _MOST_NAMES else ""
        return f"not tried: {self.why_not}" if self.why_not else f"catches {some}{more}" if some else ""


def own_requirements(project: Project) -> list[str]:
    """The names of a project's own requirements, in order."""
    files = project.catalogue.files
    own = {place.resolve() for part in project.parts[1:] for place in (*part.cases, *part.scenarios)}
    return [name for name, file in files.items() if file.parent in own]


def own_catches(project: Project, chosen: Collection[str]) -> list[OwnCatches]:
    """Each of these on the reference with all patches, and with those of the project that carry some.

    What the reference does not do as it stands is told apart: it is not the project's build.
    """

    async def run() -> list[OwnCatches]:
        return [await _caught(name, project) for name in own_requirements(project) if name in chosen]

    return asyncio.run(run())


async def _caught(name: str, project: Project) -> OwnCatches:
    requirement, case = project.catalogue.requirements[name], project.catalogue.cases[name]
    carrying = [patch.number for patch in project.series.patches.values() if patch.carries]
    target = Target("reference", "reference", project.series.claimed([*PPA_PATCHES, *carrying]))
    if requirement.patch not in (BASE, *target.patches):
        return OwnCatches(name, why_not=f"the reference cannot have {requirement.patch}")
    expected = expect(requirement, target, []).verdict

    async def verdict(pod: Unrecorded) -> tuple[VerdictName, str]:
        # By its own words, without what every case is held to.
        attempt = await conclude(case, pod, alone=True)
        return attempt.outcome, attempt.seen.partition("\n")[0]

    watched = WatchedBuild(PPA_PATCHES)
    plain, seen = await verdict(Unrecorded(PPA_PATCHES, build=watched))
    if plain != expected:
        return OwnCatches(name, why_not=f"it is {plain} on the reference without any flaw: {seen}")
    shown = [flaw for flaw in FLAWS if watched.can_show(flaw)]
    caught = [
        flaw for flaw in shown if (await verdict(Unrecorded(PPA_PATCHES, frozenset([flaw]))))[0] == "unmet"
    ]
    return OwnCatches(name, tuple(caught))
