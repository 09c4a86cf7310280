"""The one way from a case to its verdict: attempted, repeated where that is needed, and judged."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from conformance.cases.attempt import Attempt, Played, judge, replay
from conformance.catalogue.requirements import Case, Requirement
from conformance.errors import ConformanceError
from conformance.judge.expectation import Expectation
from conformance.judge.verdict import Verdict
from conformance.pod.base import PodFailure
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets

#: After so many no further attempt is made; one in which the world failed says nothing.
MOST_ATTEMPTS = 3

#: Makes an attempt; True: again, in a fresh pod. `Play` only plays.
MakeAttempt = Callable[[bool], Awaitable[Attempt]]
Play = Callable[[bool], Awaitable[Played]]


async def decide(
    requirement: Requirement, expectation: Expectation, attempt: MakeAttempt, *, repeat: bool = True
) -> tuple[Verdict, Attempt]:
    """The verdict, and the attempt that settled it."""
    attempts = await attempted(attempt, expectation, repeat=repeat)
    return verdict_of(requirement, expectation, attempts), attempts[-1]


async def attempted(attempt: MakeAttempt, expected: Expectation, *, repeat: bool = True) -> list[Attempt]:
    """As many attempts as are needed: an unexpected verdict is believed when it comes twice."""
    attempts = [await attempt(False)]
    while repeat and len(attempts) < MOST_ATTEMPTS:
        last = attempts[-1]
        if last.outcome == "unsupported" or expected.fits(last.outcome, last.seen):
            break
        if sum(made.outcome != "invalid" for made in attempts) == 2:
            break
        attempts.append(await attempt(True))
    return attempts


def from_play(play: Play, judged: Callable[[Played], Awaitable[Attempt]]) -> MakeAttempt:
    """Attempts at what is played and then judged; what cannot be played says nothing about qmail."""

    async def attempt(again: bool) -> Attempt:
        try:
            played = await play(again)
        except (PodFailure, ConformanceError) as error:
            return Attempt("invalid", str(error), error=error)
        except Exception as error:  # a mistake of ours says nothing about qmail either
            return Attempt("invalid", f"it cannot be played: {type(error).__name__}: {error}", error=error)
        return await judged(played)

    return attempt


def of_case(case: Case, play: Play) -> MakeAttempt:
    """Attempts at a case that is played on pods, as its record says."""
    return from_play(play, partial(judge, case, secrets=fixture_secrets()))


def of_record(case: Case, stored: Verdict) -> MakeAttempt:
    """An attempt at a case, as it is today, with the record of a stored verdict."""

    async def attempt(again: bool) -> Attempt:
        made = await replay(case, stored.record or Record(), fixture_secrets())
        return replace(made, seconds=stored.seconds)

    return attempt


def verdict_of(requirement: Requirement, expectation: Expectation, attempts: Sequence[Attempt]) -> Verdict:
    """The verdict after one or more attempts, the last of which counts.

    It is unstable when attempts that say something about qmail disagree, or fail once as a known deviation
    describes and once otherwise. An unexpected one that was seen once, while the world failed in all other
    attempts, is none.
    """
    last, outcomes = attempts[-1], [attempt.outcome for attempt in attempts]
    told = {(a.outcome, expectation.fits(a.outcome, a.seen)) for a in attempts if a.outcome != "invalid"}
    if not expectation.fits(last.outcome, last.seen) and outcomes[:-1] and set(outcomes[:-1]) == {"invalid"}:
        last = _undecided(last)
    return Verdict(
        requirement=requirement.name,
        patch=requirement.patch,
        role=requirement.role,
        level=requirement.level,
        verdict=last.outcome,
        expected=expectation.verdict,
        as_expected=(fits := expectation.fits(last.outcome, last.seen)),
        deviation=expectation.known,
        seconds=last.seconds,
        record=last.record,
        promise=requirement.promise,
        source=requirement.source,
        seen=last.seen,
        unstable=len(told) > 1,
        attempts=outcomes,
        severity=expectation.severity(requirement, fits),
        elsewhere=None if fits else expectation.known_elsewhere(last.outcome, last.seen),
    )


def _undecided(attempt: Attempt) -> Attempt:
    """An attempt that says something, though nothing else bears it out; its record says so first."""
    if attempt.outcome in ("invalid", "unsupported"):
        return attempt
    seen = f"{attempt.outcome} once ({attempt.seen}), and the world failed in every other attempt"
    record = attempt.record or Record()
    return replace(attempt, outcome="invalid", seen=seen, record=record.with_failure(seen))
