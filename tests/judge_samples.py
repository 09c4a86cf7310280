"""Verdicts, runs and deviations made up for the tests of judging and of reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conformance.cases.attempt import Attempt
from conformance.catalogue import Requirement
from conformance.catalogue.builtin import PATCHES, PPA_PATCHES, STOCK_PATCHES
from conformance.judge.decider import verdict_of
from conformance.judge.deviations import Deviation
from conformance.judge.expectation import expect
from conformance.judge.outcome import exit_status
from conformance.judge.runfile import Run, RunFooter, RunHeader, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.judge.verdict import Verdict, VerdictName, counted
from conformance.targets.target import Target

STOCK = Target("stock", "stock", STOCK_PATCHES, packages={"qmail": "1.06-6.2"}, image="sha256:11")
PPA = Target("ppa", "ppa", PPA_PATCHES, packages={"qmail": "1.06-6.2~ppa3"}, image="sha256:22")
REFERENCE = Target("reference-stock", "reference", STOCK_PATCHES)
REFERENCE_PPA = Target("reference-ppa", "reference", PPA_PATCHES)

CHANGE = Requirement("0005.mx.tcp-4096", "0005", "RFC 7766 5", "An answer of 4,096 octets is read whole.")
GUARD = Requirement("0005.mx.udp-512", "0005", "RFC 1035 4.2.1", "One UDP question for 512.", role="guard")
BASE = Requirement("base.ehlo.extensions", "base", "RFC 5321 4.1.1.1", "EHLO lists extensions.", role="guard")
SAMPLES = (BASE, CHANGE, GUARD)

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def many(each: int) -> list[Requirement]:
    """`each` requirements for every patch; half of a patch's are changes."""
    return [
        Requirement(f"{patch}.area.case-{i:02}", patch, "RFC 5321 4", f"Promise {i} of {patch}.", role=role)
        for patch in PATCHES
        for i in range(each)
        for role in (("guard",) if patch == "base" or i % 2 else ("change",))
    ]


def deviation(*, target: str = "ppa", **changes: Any) -> Deviation:
    plain = Deviation(
        target=(target,),
        requirement=CHANGE.name,
        reason="the buffer is too small",
        source="https://bugs.example/17",
        since=date(2024, 5, 1),
        shows="Z, deferred",
    )
    return replace(plain, **changes)


def verdict(
    requirement: Requirement,
    target: Target,
    *attempts: VerdictName,
    deviations: Sequence[Deviation] = (),
    seen: str = "",
) -> Verdict:
    """What `attempts` come to; as expected where none is given."""
    expectation = expect(requirement, target, list(deviations))
    made = [Attempt(outcome, seen, seconds=0.25) for outcome in attempts or (expectation.verdict,)]
    return verdict_of(requirement, expectation, made)


def run(
    target: Target,
    verdicts: Sequence[Verdict] | None = None,
    *,
    suite: str = "0.1.0",
    selection: str = "",
    queue: str = "tmpfs",
    path: Path = Path("reports/run.jsonl"),
    status: int | None = None,
) -> Run:
    """A whole run in memory; every sample as expected where no verdict is given."""
    given = [verdict(one, target) for one in SAMPLES] if verdicts is None else list(verdicts)
    footer = RunFooter(counted(given), exit_status(given) if status is None else status, NOON.isoformat())
    header = RunHeader(target, NOON.isoformat(), suite, queue, selection)
    return Run(path, header, tuple(given), footer)


def write(path: Path, target: Target = PPA, verdicts: Sequence[Verdict] | None = None) -> Path:
    """A whole run file."""
    given = [verdict(one, target) for one in SAMPLES] if verdicts is None else verdicts
    header = RunHeader(target, NOON.isoformat(), "0.1.0", "tmpfs", "")
    writer = RunWriter(path, header, now=NOON.isoformat)
    for made in given:
        writer.write(verdict_line(made))
    writer.finish()
    return path
