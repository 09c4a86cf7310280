"""What a verdict should be on a target, and what it means when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.catalogue.requirements import Requirement
from conformance.errors import UsageError
from conformance.judge.deviations import Deviation
from conformance.judge.verdict import Verdict, VerdictName, as_expected
from conformance.pod.record import Record
from conformance.targets.target import Target


@dataclass(frozen=True)
class Expectation:
    """The verdict that is expected, and the known deviation that made it so, if one did."""

    verdict: VerdictName
    deviation: Deviation | None = None


def expect(requirement: Requirement, target: Target, deviations: Sequence[Deviation]) -> Expectation:
    """What `requirement` should come to on `target`.

    A guard is met, with and without its patch. A change is met if the target claims the patch and unmet
    if it does not. A known deviation that applies and says otherwise wins; one that says the same has
    nothing to explain and is left out. An entry that names the requirement is preferred over a pattern.
    Raises UsageError when two entries of equal rank disagree.
    """
    claimed = requirement.role == "guard" or requirement.patch in target.patches
    plain: VerdictName = "met" if claimed else "unmet"
    applying = [d for d in deviations if d.applies_to(requirement.name, target)]
    exact = [d for d in applying if d.requirement == requirement.name]
    ranked = exact or applying
    if not ranked:
        return Expectation(plain)
    first = ranked[0]
    for other in ranked[1:]:
        if other.verdict != first.verdict:
            raise UsageError(
                f"{other.place} says {other.verdict} of {requirement.name} on {target.name}, "
                f"and {first.place} says {first.verdict}",
                "Keep the one that is right, or narrow `target` or `patches` so that only one applies.",
            )
    return Expectation(plain) if first.verdict == plain else Expectation(first.verdict, first)


def judged(
    requirement: Requirement,
    expectation: Expectation,
    attempts: Sequence[VerdictName],
    *,
    seconds: float = 0.0,
    seen: str = "",
    record: Record | None = None,
) -> Verdict:
    """The verdict after one or more attempts, the last of which counts.

    It is unstable when attempts that say something about qmail disagree; an attempt in which the world
    failed says nothing. Raises ValueError without an attempt.
    """
    if not attempts:
        raise ValueError(f"{requirement.name}: a verdict needs an attempt")
    final = attempts[-1]
    deviation = expectation.deviation
    return Verdict(
        requirement=requirement.name,
        patch=requirement.patch,
        role=requirement.role,
        level=requirement.level,
        verdict=final,
        expected=expectation.verdict,
        as_expected=as_expected(final, expectation.verdict),
        deviation=deviation.to_json() if deviation else None,
        seconds=seconds,
        record=record,
        promise=requirement.promise,
        source=requirement.source,
        seen=seen,
        unstable=len(set(attempts) - {"invalid"}) > 1,
        attempts=list(attempts),
    )


def meaning(verdict: Verdict) -> str:
    """One sentence on a verdict that is not simply as expected; "" for one that is.

    An unexpected agreement has its own wording: it is as loud as a regression.
    """
    if verdict.standing == "invalid":
        return "invalid: the world around qmail misbehaved, so nothing is said about qmail"
    if verdict.standing == "unstable":
        return f"unstable: {', then '.join(verdict.attempts)} in a fresh pod; not counted as a regression"
    if verdict.standing == "unsupported":
        return f"unsupported on this target, so not decided ({verdict.expected} was expected)"
    if verdict.standing == "expected":
        return ""
    if verdict.deviation is not None:
        agreement = "" if verdict.expected == "unsupported" else "unexpected agreement: "
        return (
            f"{agreement}the deviation known since {verdict.deviation['since']} no longer shows "
            f"({verdict.expected} was expected, and it is {verdict.verdict}); "
            "take it out of conformance/deviations, or say there what changed"
        )
    if verdict.verdict == "met":
        return (
            f"unexpected agreement: met although the target does not claim patch {verdict.patch}; "
            "the case is weak, or this is a guard, or the target carries the patch"
        )
    return f"regression: {verdict.expected} was expected, and it is {verdict.verdict}"
