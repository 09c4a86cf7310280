"""The course of a bench, with pods that answer from a script: who is measured, how much, and what counts."""

import asyncio

import pytest

from conformance.bench.results import CEILING, CONTROL, Bench, ScenarioResult
from conformance.bench.rounds import ALONE, LEAST_EACH, MOST_OCTETS, Course, planned_units, seed_of
from conformance.bench.scenarios import SCENARIOS, LoadScenario, select
from conformance.errors import NothingSelected
from conformance.pod.base import PodFailure
from tests.bench_samples import PATCHED, STOCK, Rates, bench, participant

PLAIN = LoadScenario("inbound/some", "some messages", "inbound", "messages")


def run(made: Bench, scenario: LoadScenario = PLAIN, **pods: Rates) -> tuple[ScenarioResult, list[int]]:
    """`pods` by key: p0, p1, again0, …, and the fresh ones fresh_p0, …, where they differ from these.

    The result, and how many rounds had been counted at each save.
    """
    saved: list[int] = []
    fresh = ""

    async def pod(key: str, again: bool) -> Rates:
        name = f"{'again' if again else 'p'}{key}"
        return pods.get(fresh + name, pods[name])

    async def renew() -> None:
        nonlocal fresh
        fresh = "fresh_"

    def save() -> None:
        saved.append(sum(map(len, made.scenarios[-1].rounds.values())))

    asyncio.run(Course(made, pod, renew, save).run([scenario]))
    return made.scenarios[0], saved


def counts(result: ScenarioResult) -> dict[str, int]:
    return {key: len(rounds) for key, rounds in result.rounds.items()}


def test_every_round_measures_everybody_once_and_the_warm_up_counts_for_nothing() -> None:
    made = bench(STOCK, PATCHED)
    first, second, again = Rates(1.0, 2.0, 1000.0), Rates(1.0, 2.0, 1000.0), Rates(2.0, 1000.0)
    result, saved = run(made, p0=first, p1=second, again0=again)
    assert [sorted(order) for order in result.orders] == [["0", "1", CEILING, CONTROL]] * 7
    assert counts(result) == dict.fromkeys(["0", "1", CONTROL, CEILING], 7)
    assert {each.rate for each in result.rounds["0"]} == {1000.0}
    assert result.judgement("1") == "no difference shown"
    assert saved[:7] == [4 * number for number in range(1, 8)]


def test_a_difference_is_looked_at_again_in_fresh_pods_after_a_warm_up() -> None:
    rates = {"p0": 1000.0, "p1": 1500.0, "again0": 1000.0}
    pods = {key: Rates(rate) for key, rate in rates.items()}
    fresh = {f"fresh_{key}": Rates(7.0, rate) for key, rate in rates.items()}
    result, saved = run(bench(STOCK, PATCHED), **pods, **fresh)
    assert result.first_series == 7
    assert [sorted(order) for order in result.orders[7:]] == [["0", "1", CONTROL]] * 7
    assert result.orders[7:] != [[key for key in order if key != CEILING] for order in result.orders[:7]]
    assert counts(result) == {"0": 14, "1": 14, CONTROL: 14, CEILING: 7}
    assert {each.rate for each in result.rounds["1"]} == {1500.0}
    assert result.judgement("1") == "faster"
    assert saved[7:14] == [28 + 3 * number for number in range(1, 8)]


def test_a_gate_that_would_fall_without_a_difference_is_looked_at_again_too() -> None:
    pods = {key: Rates(1000.0) for key in ("p0", "p1", "again0")}
    assert run(bench(STOCK, PATCHED, min_ratio=1.5), **pods)[0].first_series == 7
    assert run(bench(STOCK, PATCHED, min_ratio=0.9), **pods)[0].first_series == 0


def test_both_sides_do_the_same_work_and_the_slower_decides_how_much_and_one_alone_has_its_control() -> None:
    slow, fast, again = Rates(500.0), Rates(5000.0), Rates(500.0)
    run(bench(STOCK, PATCHED), p0=slow, p1=fast, again0=again)
    assert slow.units[:9] == fast.units[:9] == [20, *[200] * 8]
    assert again.units[:8] == [200] * 8
    result, _ = run(bench(STOCK), p0=Rates(100.0), again0=Rates(100.0))
    assert len(result.rounds[CONTROL]) == 7


def test_a_patch_that_a_target_lacks_is_said_and_the_other_is_measured_without_a_verdict() -> None:
    scenario = LoadScenario("inbound/auth", "with AUTH", "inbound", "messages", needs="0008")
    patched = Rates(100.0)
    result, _ = run(bench(STOCK, PATCHED), scenario, p0=Rates("never asked"), p1=patched)
    assert result.unsupported == {"0": "0008"}
    assert result.baseline == "1"
    assert len(result.rounds["1"]) == ALONE
    assert result.judgement("1") is None


def test_a_target_that_cannot_do_it_is_told_and_never_asked_again_and_the_next_is_the_baseline() -> None:
    third = participant("2", "debs:c", "0008")
    pods = {"p0": Rates("Zlater"), "p1": Rates(100.0), "p2": Rates(50.0), "again1": Rates(100.0)}
    result, _ = run(bench(STOCK, PATCHED, third), **pods, fresh_p0=Rates("never asked"))
    assert result.failures == {"0": "Zlater"}
    assert result.baseline == "1"
    assert result.judgement("2") == "slower"


@pytest.mark.parametrize(("good", "counted"), [(8, 6), (3, 1)])
def test_a_target_that_fails_in_the_middle_stays_out_and_is_not_judged(good: int, counted: int) -> None:
    pods = {"p0": Rates(100.0), "p1": Rates(*[100.0] * good, "451 later", 100.0), "again0": Rates(100.0)}
    result, _ = run(bench(STOCK, PATCHED), **pods)
    assert result.failures == {"1": "451 later"}
    assert (len(result.rounds["1"]), len(result.rounds["0"])) == (counted, 7)
    assert result.judgement("1") is None


def test_what_the_world_breaks_ends_it_and_loses_nothing() -> None:
    class Breaks(Rates):
        async def measure(self, scenario: LoadScenario, units: int):  # type: ignore[no-untyped-def]
            if len(self.units) == 5:
                raise PodFailure("the container ended")
            return await super().measure(scenario, units)

    made = bench(STOCK, PATCHED)
    with pytest.raises(PodFailure, match="the container ended"):
        run(made, p0=Rates(100.0), p1=Breaks(100.0), again0=Rates(100.0))
    assert len(made.scenarios[0].rounds["1"]) == 3
    assert made.complete is False


def test_units_follow_the_speed_within_limits() -> None:
    assert planned_units(PLAIN, 1000.0, 0.4) == 400
    assert planned_units(PLAIN, 0.001, 0.4) == 10 * LEAST_EACH
    big = LoadScenario("b", "b", "inbound", "messages", sessions=50, octets=100 * 1024)
    assert 0 < planned_units(big, 1e9, 0.4) * big.octets <= MOST_OCTETS
    assert planned_units(LoadScenario("m", "m", "mixed", "messages", units=1000), 1.0, 0.4) == 1000


def test_each_scenario_has_a_seed_of_its_own_and_as_many_units_on_each_session() -> None:
    assert len({seed_of(seed, scenario) for scenario in SCENARIOS for seed in (3, 4)}) == 2 * len(SCENARIOS)
    assert seed_of(3, PLAIN) == seed_of(3, PLAIN)
    assert not [each for each in SCENARIOS if planned_units(each, 777.0, 0.4) % each.sessions]


def test_every_scenario_of_the_plan_is_there() -> None:
    ways = ("kept", "new")
    names = [f"inbound/{n}-{way}-{size}k" for n in (1, 10, 50) for way in ways for size in (1, 100)]
    names += [f"inbound/{what}" for what in ("auth", "rcptcheck", "refused", "unknown")]
    worlds = ["plain", "alias-1", "alias-5", "alias-10", "answer-513", "answer-4096", "answer-60000"]
    names += [f"outbound/{world}-{latency}ms" for world in worlds for latency in (0, 20)]
    assert [scenario.name for scenario in SCENARIOS] == [*names, "mixed/queue"]


def test_scenarios_are_selected_by_name_and_pattern_in_their_own_order() -> None:
    assert select(["all"]) == SCENARIOS
    names = {each.name for each in select(["outbound/*-20ms", "inbound/auth"])}
    assert names >= {"inbound/auth", "outbound/plain-20ms"}
    assert [each.name for each in select(["mixed/queue", "inbound/auth"])] == ["inbound/auth", "mixed/queue"]
    assert select([]) == select(["default"]) == tuple(each for each in SCENARIOS if each.default)
    with pytest.raises(NothingSelected, match="inbound/nothing"):
        select(["inbound/auth", "inbound/nothing"])
