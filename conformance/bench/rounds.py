"""The course of a bench: a first look, a warm-up, interleaved rounds. Knows no Docker and no clock."""

import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from conformance.bench.results import CEILING, CONTROL, Bench, Measurement, ScenarioResult, gate
from conformance.bench.scenarios import LoadScenario
from conformance.bench.statistics import orders
from conformance.bench.subject import Fails, Subject

#: Rounds where there is nothing to compare: a median of rates is all that is told.
ALONE = 3

#: Fewer units on a session would measure its beginning and its end.
LEAST_EACH = 4

#: Octets of messages in one measurement: the queue stands in memory, and so does what exchangers keep.
MOST_OCTETS = 64 << 20

#: Gives the pod of a target by its key; with True the second pod of the same target, for the control.
Pods = Callable[[str, bool], Awaitable[Subject]]


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
        self, scenarios: Sequence[LoadScenario], done: Callable[[ScenarioResult], None] = lambda result: None
    ) -> None:
        """Measure every scenario, one after the other; `done` is told of each at its end.

        What the bench holds already is kept: of its last scenario the rounds that are whole.
        """
        kept = self._bench.scenarios
        if kept:
            kept[-1].drop_half_a_round()
        for number, scenario in enumerate(scenarios, 1):
            self._tell(f"{number} of {len(scenarios)}: {scenario.name}")
            if number > len(kept):
                kept.append(ScenarioResult(scenario.name, scenario.what, scenario.unit))
                kept[-1].seed = seed_of(self._bench.seed, scenario)
            result = kept[number - 1]
            if number == len(kept):
                await self._measure(scenario, result)
            self._save()
            done(result)

    async def _measure(self, scenario: LoadScenario, result: ScenarioResult) -> None:
        bench = self._bench
        for participant in bench.participants:
            if scenario.needs and scenario.needs not in participant.target["patches"]:
                result.unsupported[participant.key] = scenario.needs
        able = [target.key for target in bench.participants if target.key not in result.unsupported]
        rounds = _Rounds(scenario, result, {key: await self._pods(key, False) for key in able})
        rounds.units = dict.fromkeys(able, scenario.units // 10 or 2 * scenario.sessions)
        rates = await rounds.once()
        if not rates:
            return
        result.baseline = next(iter(rates))
        rounds.subjects = {key: rounds.subjects[key] for key in rates}
        # Without a pair there is nothing that a control could speak for, unless noise is what was asked for.
        if len(rates) > 1 or len(bench.participants) == 1:
            rounds.subjects[CONTROL] = await self._pods(result.baseline, True)
        rounds.subjects[CEILING] = rounds.subjects[result.baseline]
        # Both sides of a pair do the same work, and the slower decides how much.
        units = planned_units(scenario, min(rates.values()), bench.seconds)
        rounds.units = dict.fromkeys(rounds.subjects, units)
        rates = await rounds.once()
        slowest = min((rates[key] for key in rates if key != CEILING), default=0.0)
        rounds.units = dict.fromkeys(rounds.subjects, planned_units(scenario, slowest, bench.seconds))
        if CEILING in rates:
            rounds.units[CEILING] = planned_units(scenario, rates[CEILING], bench.seconds / 2)
        count = bench.rounds if CONTROL in rounds.subjects else ALONE
        if not result.first_series:
            first = orders(list(rounds.subjects), count, result.seed)
            await rounds.series(first[len(result.orders) :], self._save)
            if not self._tells_apart(result):
                return
            self._tell(f"{scenario.name}: a difference; once more in fresh pods ...")
            await self._renew()
            result.first_series = len(result.orders)
        left = [key for key in rounds.subjects if key != CEILING and key not in result.failures]
        rounds.subjects = {
            key: await self._pods(result.baseline if key == CONTROL else key, key == CONTROL) for key in left
        }
        await rounds.once()
        second = orders(left, count, seed_of(bench.seed + 1, scenario))
        await rounds.series(second[len(result.orders) - result.first_series :], self._save)

    def _tells_apart(self, result: ScenarioResult) -> bool:
        """Whether the rounds show a difference, or would let the gate fall."""
        least = self._bench.min_ratio
        others = [target.key for target in self._bench.participants if target.key != result.baseline]
        return any(
            result.judgement(key) in ("faster", "slower")
            or (least is not None and key not in result.failures and gate(result, key, least) == "falls")
            for key in others
        )


@dataclass
class _Rounds:
    """Who is measured in one scenario, and with how many units."""

    scenario: LoadScenario
    result: ScenarioResult
    subjects: dict[str, Subject]
    units: dict[str, int] = field(default_factory=dict)

    async def series(self, orders: list[list[str]], save: Callable[[], None]) -> None:
        """Rounds that count, in these orders."""
        for order in orders:
            self.result.orders.append(order)
            for key in order:
                measurement = await self._measure(key)
                if measurement is not None:
                    self.result.rounds.setdefault(key, []).append(measurement)
            save()

    async def once(self) -> dict[str, float]:
        """Everybody once, nothing of it counted: the rates of those who could, in order."""
        measured = {key: await self._measure(key) for key in self.subjects}
        return {key: measurement.rate for key, measurement in measured.items() if measurement is not None}

    async def _measure(self, key: str) -> Measurement | None:
        """One measurement; None, now and from now on, for who fails."""
        if key in self.result.failures:
            return None
        subject = self.subjects[key]
        try:
            act = subject.ceiling if key == CEILING else subject.measure
            return await act(self.scenario, self.units[key])
        except Fails as failure:
            self.result.failures[key] = str(failure)
            return None


def planned_units(scenario: LoadScenario, rate: float, seconds: float) -> int:
    """Units for about so many seconds at `rate` (units a second): the same number on every session."""
    if scenario.units:
        return scenario.units
    each = max(LEAST_EACH, round(rate * seconds / scenario.sessions))
    most = max(1, MOST_OCTETS // scenario.octets // scenario.sessions)
    return min(each, most) * scenario.sessions


def seed_of(seed: int, scenario: LoadScenario) -> int:
    """The seed of a scenario's shuffles and intervals: its own, whatever else is measured beside it."""
    return zlib.crc32(f"{seed} {scenario.name}".encode())
