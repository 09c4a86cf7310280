"""Runs scenarios on targets: each on a warm pod, recorded; what went wrong in the world is no verdict."""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

from conformance.cases.attempt import Attempt, Played
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import script_of
from conformance.errors import UsageError, WorldError
from conformance.judge.decider import attempted, from_play
from conformance.judge.expectation import Expectation
from conformance.pod.record import Failure, Observe, Record
from conformance.pod.recording import Replay
from conformance.pod.secrets import fixture_secrets
from conformance.scenario.form import Scenario
from conformance.scenario.playing import Check, play, play_text
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.target import Target

#: What is expected of every session, whatever the scenario says.
HELD_TO = "no session is ended by a signal, and no password is in the log"


@dataclass(frozen=True)
class Tried:
    """A scenario on one target: what came of each expectation, and the record."""

    target: Target
    checks: tuple[Check, ...]
    record: Record = field(default_factory=Record)

    @property
    def met(self) -> bool:
        return all(check.met for check in self.checks)


class Trials:
    """Targets with their pods, kept warm from run to run; a context manager that takes them down."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._runner = asyncio.Runner()
        self._pool = PodPool(plan)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._pool.dispose())
        self._runner.close()

    def run(self, scenario: Scenario) -> list[Tried]:
        """The scenario on every target, one after the other.

        What every case is held to is expected besides, where it is not met on one of them. Raises UsageError
        when qmail asks for a name that no zone of the scenario knows, WorldError when the world fails.
        """
        tried = [self._runner.run(self._on(target, scenario)) for target in self.plan.targets]
        if all(broken == "" for _, broken in tried):
            return [one for one, _ in tried]
        return [
            replace(one, checks=(*one.checks, Check(1, HELD_TO, not broken, broken or "so it was", broken)))
            for one, broken in tried
        ]

    async def _on(self, target: Target, scenario: Scenario) -> tuple[Tried, str]:
        """What came of it, and what was seen where it is not as every case is held to; "" where it is."""

        async def ended(played: Played) -> Attempt:
            if played.outcome == "invalid":
                refuse_stray(scenario.path, played.record)
            return Attempt(played.outcome, played.seen, played.record)

        job = self._pool.submit(target, script_of(play_text, text=scenario.source, path=str(scenario.path)))
        *_, last = await attempted(from_play(partial(self._pool.played, job), ended), Expectation("met"))
        if last.outcome == "invalid" or last.record is None:  # it was not played to its end
            raise WorldError(
                f"{target.name}: {last.seen}", "`qmail-conformance doctor` looks at the machine."
            )
        internet = Internet()
        qmail = Qmail(Replay(last.record, fixture_secrets()), internet)
        broken = last.seen if last.outcome == "unmet" else ""
        return Tried(target, tuple(await play(scenario, internet, qmail)), last.record), broken


def refuse_stray(path: Path, record: Record | None) -> None:
    """Raise UsageError where questions outside the scenario's world ended the run."""
    acts = [act for act in record.acts if not isinstance(act, Failure)] if record else []
    if acts and isinstance(last := acts[-1], Observe) and last.seen.stray:
        names = ", ".join(dict.fromkeys(last.seen.stray))
        raise UsageError(
            f"{path}: qmail asks for {names}, and no zone of the scenario knows it",
            "Add the domain to [zones], or leave the address out.",
        )
