"""What a verdict should be on a target, and what it means when it is not."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from conformance.cases.attempt import CASE_FAILED
from conformance.catalogue.requirements import Requirement
from conformance.catalogue.severity import Severity
from conformance.errors import UsageError
from conformance.judge.deviations import Deviation
from conformance.judge.verdict import Verdict, VerdictName, as_expected
from conformance.targets.target import Target

_TOLD = ("reason", "since", "source")


@dataclass(frozen=True)
class Expectation:
    """The verdict that is expected, and the known deviation that made it so, if one did."""

    verdict: VerdictName
    deviation: Deviation | None = None
    #: Deviations that speak of the requirement on other versions: each with that version, and the target's.
    elsewhere: tuple[tuple[Deviation, tuple[str, str]], ...] = ()

    @property
    def known(self) -> dict[str, str] | None:
        """The deviation as a verdict carries it."""
        return self.deviation.to_json() if self.deviation else None

    def fits(self, verdict: VerdictName, seen: str) -> bool:
        """Whether a verdict is as expected: where a deviation says so, in the way that this describes."""
        return as_expected(verdict, self.verdict, self.known, seen)

    def severity(self, requirement: Requirement, is_described: bool) -> Severity | None:
        """What a failure costs: as the deviation says where it describes this one, or as the requirement."""
        said = self.deviation.severity if self.deviation else None
        return (said if is_described else None) or requirement.severity or said

    def known_elsewhere(self, verdict: VerdictName, seen: str) -> dict[str, str] | None:
        """What an unexpected verdict tells of a deviation that describes it on another version."""
        found = self.described_elsewhere(verdict, seen)
        if found is None:
            return None
        deviation, (version, target) = found
        told = deviation.to_json()
        return {"version": version, "target": target, **{name: told[name] for name in _TOLD}}

    def described_elsewhere(
        self, verdict: VerdictName, seen: str
    ) -> tuple[Deviation, tuple[str, str]] | None:
        """The first deviation of another version that describes it, with that version and the target's."""
        return next(
            (
                each
                for each in self.elsewhere
                if as_expected(verdict, each[0].verdict, each[0].to_json(), seen)
            ),
            None,
        )


def expect(requirement: Requirement, target: Target, deviations: Sequence[Deviation]) -> Expectation:
    """What `requirement` should come to on `target`.

    A guard is met, with and without its patch. A change is met if the target claims the patch, and unmet
    if it does not. Either is unmet where the target lacks another patch that it needs. A known deviation
    that applies and says otherwise wins; one that says the same has nothing to explain and is left out. A
    project's own go before ours; an entry that names the requirement is preferred over a pattern.
    Raises UsageError when two entries of equal rank speak of it: which one excuses it would be chance.
    """
    of_patch = set() if requirement.role == "guard" else {requirement.patch}
    claimed = of_patch.union(requirement.needs) <= {*target.patches}
    plain: VerdictName = "met" if claimed else "unmet"
    speaking = [d for d in deviations if fnmatchcase(requirement.name, d.requirement)]
    applying = [d for d in speaking if d.concerns(target)]
    first_rank = min((d.rank for d in applying), default=0)
    applying = [d for d in applying if d.rank == first_rank]
    exact = [d for d in applying if d.requirement == requirement.name]
    ranked = exact or applying
    if not ranked:
        named = ((d, d.version_for(target)) for d in speaking if d.verdict != plain)
        return Expectation(plain, elsewhere=tuple((d, version) for d, version in named if version))
    first, *others = ranked
    for other in others:
        raise UsageError(
            f"{other.place} and {first.place} both speak of {requirement.name} on {target.name}",
            "Keep the one that is right, or narrow `target` or `patches`; what is seen may be a list.",
        )
    return Expectation(plain) if first.verdict == plain else Expectation(first.verdict, first)


def described(deviation: Mapping[str, str]) -> str:
    """What a deviation says is seen, in quotes; "" for one of an older file."""
    return " or ".join(map(repr, deviation.get("seen", "").splitlines()))


def meaning(verdict: Verdict) -> str:
    """One sentence on a verdict that is not simply as expected; "" for one that is.

    An unexpected agreement has its own wording: it is as loud as a regression.
    """
    if verdict.assessment == "invalid":
        if verdict.seen.startswith(CASE_FAILED):
            return "invalid: a mistake in the case, so nothing is said about qmail"
        return "invalid: the world around qmail misbehaved, so nothing is said about qmail"
    if verdict.assessment == "unstable":
        tries = ", then ".join(verdict.attempts)
        if len(set(verdict.attempts)) == 1:
            tries += ", once as the known deviation describes and once otherwise,"
        return f"unstable: {tries} in a fresh pod; not counted as a regression"
    if verdict.assessment == "unsupported":
        return f"unsupported on this target, so not decided ({verdict.expected} was expected)"
    if verdict.assessment == "expected":
        return ""
    if verdict.deviation is not None and verdict.unlike_described:
        said = verdict.seen.partition("\n")[0]
        return (
            f"regression: {verdict.verdict}, but not as the deviation describes that is known since "
            f"{verdict.deviation['since']}: {described(verdict.deviation)} was described, {said!r} was seen"
        )
    if verdict.deviation is not None:
        agreement = "" if verdict.expected == "unsupported" else "unexpected agreement: "
        place = verdict.deviation.get("place") or "its file"
        return (
            f"{agreement}the deviation known since {verdict.deviation['since']} no longer shows "
            f"({verdict.expected} was expected, and it is {verdict.verdict}); "
            f"take it out of {place} with `qmail-conformance deviations drop RUN.jsonl`, "
            "or say there what changed"
        )
    if verdict.elsewhere is not None:
        known = verdict.elsewhere
        command = f"deviations carry {verdict.requirement} --to {shlex.quote(known['target'])}"
        return (
            f"known for {known['version']}: {known['reason'].removesuffix('.')}; "
            f"carry it over with `qmail-conformance {command}`"
        )
    if verdict.verdict == "met":
        return (
            f"unexpected agreement: met although the target does not claim patch {verdict.patch}; "
            "the case is weak, or this is a guard, or the target carries the patch"
        )
    return f"regression: {verdict.expected} was expected, and it is {verdict.verdict}"
