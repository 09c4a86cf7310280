"""Runs scenarios on targets: each on a warm pod, recorded; what went wrong in the world is no verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.errors import UsageError, WorldError
from conformance.pod.base import PodFailure
from conformance.pod.record import Recorder
from conformance.scenario.form import Scenario
from conformance.scenario.playing import Check, play
from conformance.targets.keeper import Keeper, fixture_secrets
from conformance.targets.plan import Plan
from conformance.targets.target import Target

#: Seconds after which one run is ended; each act has a limit of its own.
LIMIT = 180.0

#: The world may fail once: the second time, in a fresh pod, it is the world's failure.
ATTEMPTS = 2


@dataclass(frozen=True)
class Tried:
    """A scenario on one target: what came of each expectation, and the record."""

    target: Target
    checks: tuple[Check, ...]
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(check.met for check in self.checks)


class Trials:
    """Targets with their pods, kept warm from run to run; a context manager that takes them down."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._runner = asyncio.Runner()
        self._keeper = Keeper(plan)
        self._secrets = fixture_secrets()

    def __enter__(self) -> Trials:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._keeper.dispose())
        self._runner.close()

    def run(self, scenario: Scenario) -> list[Tried]:
        """The scenario on every target, one after the other.

        Raises UsageError when qmail asks for a name that no zone of the scenario knows, WorldError when the
        world fails.
        """
        return [self._runner.run(self._on(target, scenario)) for target in self.plan.targets]

    async def _on(self, target: Target, scenario: Scenario) -> Tried:
        failure = ""
        for _ in range(ATTEMPTS):
            acts: list[dict[str, Any]] = []
            try:
                recorder = Recorder(await self._keeper.pod(target), self._secrets)
                acts = recorder.acts
                internet = Internet()
                async with asyncio.timeout(LIMIT):
                    checks = await play(scenario, internet, Qmail(recorder, internet))
                return Tried(target, tuple(checks), {"acts": acts})
            except PodFailure as error:
                if stray := _stray(acts):
                    names = ", ".join(dict.fromkeys(stray))
                    raise UsageError(
                        f"{scenario.path}: qmail asks for {names}, and no zone of the scenario knows it",
                        "Add the domain to [zones], or leave the address out.",
                    ) from error
                failure = str(error)
            except TimeoutError:
                failure = f"the scenario did not end within {LIMIT:.0f} s"
            await self._keeper.discard(target)
        raise WorldError(f"{target.name}: {failure}", "`qmail-conformance doctor` looks at the machine.")


def _stray(acts: Sequence[dict[str, Any]]) -> list[str]:
    """The questions outside the world, when it was they that ended the run."""
    last = acts[-1] if acts else {}
    return list(last["result"]["stray"]) if last.get("act") == "look" else []
