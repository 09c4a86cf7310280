"""How many pods and processes a run has."""

from collections.abc import Collection
from math import sqrt

from conformance.catalogue import Requirement
from conformance.targets.capacity import bear, core_count
from conformance.targets.plan import Plan

#: Seconds of CPU that one more pod costs: its two containers come up and go down.
_POD = 1.0

#: A process of its own takes as long to come up as this many cases take to be judged.
_CASES = 100


def pod_count(plan: Plan, requirements: Collection[Requirement]) -> int:
    """So many cases at a time on each target as their waits are worth.

    A case that waits for qmail costs nothing meanwhile, so with one more pod the waits are over sooner; and
    one more pod costs CPU, which the cores share. With `n` pods that is waits / n + n * cost / cores seconds,
    least where both are equal. Where nothing waits, as on the references, there is one for each core.
    """
    cores = core_count()
    real = [target for target in plan.targets if not target.specification]
    waits = sum(_each_once(requirements).values())
    wanted = round(sqrt(waits * cores / _POD)) if real else cores
    bounds = [len(requirements), *bear(plan).values()]
    return max(1, min(max(wanted, cores), *bounds))


def _each_once(requirements: Collection[Requirement]) -> dict[str, int]:
    """The waits of what is played: what several requirements share is played once."""
    waits: dict[str, int] = {}
    for each in requirements:
        what = each.shares or each.name
        waits[what] = max(waits.get(what, 0), each.waits)
    return waits


def process_count(cases: int, pods: int) -> int:
    """One for each core at the most: to judge is work, to wait for a pod is none."""
    return max(1, min(core_count(), pods, cases // _CASES + 1))
