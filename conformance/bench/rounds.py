"""The course of a bench: a first look, a warm-up, interleaved rounds. Knows no Docker and no clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from conformance.bench.planning import first_units, planned_units, round_orders, seed_of
from conformance.bench.results import CEILING, CONTROL, Bench, Measurement, ScenarioResult, gate
from conformance.bench.scenarios import Scenario
from conformance.bench.subject import Fails

#: Rounds where there is nothing to compare: a median of rates is all that is told.
ALONE = 3


class Measured(Protocol):
    """A pod that can be measured; see `conformance.bench.subject.Subject`."""

    async def measure(self, scenario: Scenario, units: int) -> Measurement: ...

    async def ceiling(self, scenario: Scenario, units: int) -> Measurement: ...


#: Gives the pod of a target by its key; with True the second pod of the same target, for the control.
Pods = Callable[[str, bool], Awaitable[Measured]]


class Course:
    """Carries a bench out. `save` is called after every round, `tell` with a line for a person now and then.

    `renew` takes down every pod that `pods` has given, so that those given next are fresh.
    Errors of the world (PodFailure, WorldError) go through; what was measured before them is in `bench`.
    """

    def __init__(
        self,
        bench: Bench,
        pods: Pods,
        renew: Callable[[], Awaitable[None]],
        save: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._bench = bench
        self._pods = pods
        self._renew = renew
        self._save = save
        self._tell = tell

    async def run(
        self, scenarios: Sequence[Scenario], done: Callable[[ScenarioResult], None] = lambda result: None
    ) -> None:
        """Measure every scenario, one after the other; `done` is told of each at its end."""
        for number, scenario in enumerate(scenarios, 1):
            self._tell(f"{number} of {len(scenarios)}: {scenario.name}")
            result = ScenarioResult(scenario.name, scenario.what, scenario.unit)
            result.seed = seed_of(self._bench.seed, scenario)
            self._bench.scenarios.append(result)
            await self._measure(scenario, result)
            self._save()
            done(result)

    async def _measure(self, scenario: Scenario, result: ScenarioResult) -> None:
        bench = self._bench
        for one in bench.participants:
            if scenario.needs and scenario.needs not in one.target["patches"]:
                result.unsupported[one.key] = scenario.needs
        able = [one.key for one in bench.participants if one.key not in result.unsupported]
        subjects = {key: await self._pods(key, False) for key in able}
        rates = await self._once(scenario, result, subjects, dict.fromkeys(able, first_units(scenario)))
        if not rates:
            return
        result.baseline = next(iter(rates))
        subjects = {key: subjects[key] for key in rates}
        # Without a pair there is nothing that a control could speak for, unless noise is what was asked for.
        if len(rates) > 1 or len(bench.participants) == 1:
            subjects[CONTROL] = await self._pods(result.baseline, True)
        subjects[CEILING] = subjects[result.baseline]
        # Both sides of a pair do the same work, and the slower decides how much.
        units = planned_units(scenario, min(rates.values()), bench.seconds)
        plan = dict.fromkeys(subjects, units)
        rates = await self._once(scenario, result, subjects, plan)
        slowest = min((rates[key] for key in rates if key != CEILING), default=0.0)
        plan = dict.fromkeys(subjects, planned_units(scenario, slowest, bench.seconds))
        if CEILING in rates:
            plan[CEILING] = planned_units(scenario, rates[CEILING], bench.seconds / 2)
        rounds = bench.rounds if CONTROL in subjects else ALONE
        await self._series(
            scenario, result, subjects, plan, round_orders(list(subjects), rounds, bench.seed, scenario)
        )
        if not self._tells_apart(result):
            return
        self._tell(f"{scenario.name}: a difference; once more in fresh pods ...")
        await self._renew()
        left = [key for key in subjects if key != CEILING and key not in result.failures]
        subjects = {key: await self._pod(result, key) for key in left}
        await self._once(scenario, result, subjects, plan)
        result.first_series = len(result.orders)
        await self._series(
            scenario, result, subjects, plan, round_orders(left, rounds, bench.seed + 1, scenario)
        )

    async def _pod(self, result: ScenarioResult, key: str) -> Measured:
        return await self._pods(result.baseline if key == CONTROL else key, key == CONTROL)

    def _tells_apart(self, result: ScenarioResult) -> bool:
        """Whether the rounds show a difference, or would let the gate fall."""
        least = self._bench.min_ratio
        return any(
            result.judgement(one.key) in ("faster", "slower")
            or (
                least is not None
                and one.key not in result.failures
                and gate(result, one.key, least) == "falls"
            )
            for one in self._bench.participants
            if one.key != result.baseline
        )

    async def _series(
        self,
        scenario: Scenario,
        result: ScenarioResult,
        subjects: dict[str, Measured],
        plan: dict[str, int],
        orders: list[list[str]],
    ) -> None:
        """Rounds that count, in these orders."""
        for order in orders:
            result.orders.append(order)
            for key in order:
                measurement = await self._one(scenario, result, subjects[key], key, plan[key])
                if measurement is not None:
                    result.rounds.setdefault(key, []).append(measurement)
            self._save()

    async def _once(
        self,
        scenario: Scenario,
        result: ScenarioResult,
        subjects: dict[str, Measured],
        plan: dict[str, int],
    ) -> dict[str, float]:
        """Everybody once, nothing of it counted: the rates of those who could, in order."""
        rates = {}
        for key, subject in subjects.items():
            measurement = await self._one(scenario, result, subject, key, plan[key])
            if measurement is not None:
                rates[key] = measurement.rate
        return rates

    async def _one(
        self, scenario: Scenario, result: ScenarioResult, subject: Measured, key: str, units: int
    ) -> Measurement | None:
        """One measurement; None, now and from now on, for who fails."""
        if key in result.failures:
            return None
        try:
            if key == CEILING:
                return await subject.ceiling(scenario, units)
            return await subject.measure(scenario, units)
        except Fails as failure:
            result.failures[key] = str(failure)
            return None
