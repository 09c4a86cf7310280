"""`bench` at the command line: what it refuses before anything is started, what it writes, how it ends."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.bench.plots import plots
from conformance.cli import benching, main
from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_USAGE, EXIT_WORLD
from conformance.pod.base import PodFailure
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from tests.bench_samples import FakeAgent, bench
from tests.schemas import faults


class FakePod(FakeAgent):
    """A pod whose target does a unit in `cost` seconds."""

    def __init__(self, cost: float, breaks_after: int = 1_000_000) -> None:
        super().__init__()
        self._cost = cost
        self._left = breaks_after
        self._cpu = 0.0
        self.answers |= {"load": self.load, "cpu": lambda: self._cpu}

    def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        self._left -= 1
        if self._left < 0:
            raise PodFailure("the target container ended")
        qmail = load["address"] == "127.0.0.1"
        seconds = load["units"] * (self._cost if qmail else 1e-4)
        self._cpu += seconds
        latencies = [self._cost] * load["units"]
        return {"units": load["units"], "seconds": seconds, "cpu": seconds / 20, "latencies": latencies}


Pods = Callable[..., list[FakePod]]


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Pods:
    """Sets the pods that are started, in the order of their start, in the place of Docker's."""

    def put(*those: FakePod) -> list[FakePod]:
        waiting = list(those)

        async def started(target: object, plan: object) -> FakePod:
            return waiting.pop(0)

        def ready(names: list[str], *_: object) -> Plan:
            targets = [dataclasses.replace(parse_target(name), packages={"qmail": "1"}) for name in names]
            return Plan(tuple(targets), "internet")

        monkeypatch.setattr(benching, "_started", started)
        monkeypatch.setattr(benching, "make_ready", ready)
        return list(those)

    return put


def run(out: Path, *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["bench", *words, "--scenario", "inbound/10-kept-1k", "--seed", "5", "--out", str(out)])
    if (out / "bench.json.part").exists():
        return status, json.loads((out / "bench.json.part").read_text())["bench"]
    return status, json.loads((out / "bench.json").read_text())


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        ([], EXIT_USAGE, "no target is named"),
        (["reference-stock", "reference-ppa"], EXIT_USAGE, "embedded specification and has no throughput"),
        (["debs:a", "reference@0004"], EXIT_USAGE, "embedded specification and has no throughput"),
        (["nonsense"], EXIT_USAGE, "there is no target"),
        (["debs:a", "debs:b", "--rounds", "4"], EXIT_USAGE, "fewer than 5"),
        (["debs:a", "debs:b", "--seconds", "0"], EXIT_USAGE, "--seconds"),
        (["debs:a", "debs:b", "--min-ratio", "0"], EXIT_USAGE, "--min-ratio"),
        (["debs:a", "--min-ratio", "0.9"], EXIT_USAGE, "compares with the first target"),
        (["debs:a", "debs:b", "--scenario", "nothing"], EXIT_NOTHING, "no scenario is named 'nothing'"),
    ],
)
def test_wrong_use_is_told_before_anything_is_started(
    words: list[str], status: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == status
    assert why in capsys.readouterr().err


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == EXIT_AS_EXPECTED
    out = capsys.readouterr().out
    assert "* inbound/10-kept-1k" in out
    assert "  outbound/answer-60000-20ms" in out


def test_a_whole_bench(pods: Pods, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A difference is looked at again in three fresh pods.
    started = pods(*map(FakePod, 2 * (0.001, 0.002, 0.001)))
    status, written = run(tmp_path, "debs:a@", "debs:b")
    assert status == EXIT_AS_EXPECTED
    assert faults("bench-1", written) == []
    assert written["complete"] is True
    told = [row["said"] for row in written["scenarios"][0]["rows"]]
    assert told[1:3] == ["slower", "control: no difference"]
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"bench.json", "bench.md", *plots(bench())}
    out = capsys.readouterr().out
    assert "seed 5; 7 interleaved rounds" in out
    assert "0.50 [0.50, 0.50]  slower" in out
    assert "Comparisons: 1 slower." in out
    assert all(pod.disposed for pod in started)


@pytest.mark.parametrize(
    ("costs", "status"),
    [
        (2 * (0.001, 0.002, 0.001), EXIT_REGRESSION),
        ((0.001, 0.002, 0.001, 0.001, 0.001, 0.001), EXIT_AS_EXPECTED),
        ((0.001, 0.001, 0.001), EXIT_AS_EXPECTED),
        ((0.001, 0.002, 0.003), EXIT_WORLD),
    ],
)
def test_the_gate_has_its_status(costs: tuple[float, ...], status: int, pods: Pods, tmp_path: Path) -> None:
    pods(*map(FakePod, costs))
    assert run(tmp_path, "debs:a@", "debs:b", "--min-ratio", "0.95")[0] == status


def test_what_breaks_in_the_middle_is_the_worlds_failure_and_what_was_measured_is_kept(
    pods: Pods, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = pods(FakePod(0.001), FakePod(0.001, breaks_after=6), FakePod(0.001))
    status, written = run(tmp_path, "debs:a@", "debs:b", "--min-ratio", "0.95")
    assert status == EXIT_WORLD
    assert faults("bench-1", written) == []
    assert written["complete"] is False
    assert len(written["scenarios"][0]["rounds"]["1"]) == 4
    told = capsys.readouterr().err
    assert "cut off: the target container ended" in told
    assert f"4 rounds that it had measured are kept in {tmp_path}; --resume {tmp_path} goes on" in told
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json.part"]
    assert all(pod.disposed for pod in started)


def test_interrupted_it_keeps_its_rounds(pods: Pods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pods(FakePod(0.001), FakePod(0.001), FakePod(0.001))
    saves = 0
    save = benching._Part.save

    def fourth_save(*arguments: Any) -> None:
        nonlocal saves
        saves += 1
        save(*arguments)
        if saves == 1 + 3:  # it is written before the first round
            raise KeyboardInterrupt

    monkeypatch.setattr(benching._Part, "save", fourth_save)
    status, written = run(tmp_path, "debs:a@", "debs:b")
    assert status == 130
    assert written["complete"] is False
    assert len(written["scenarios"][0]["rounds"]["0"]) == 3


@pytest.mark.parametrize(
    ("broken", "kept"),
    [
        (((0.001, 99), (0.002, 6), (0.001, 99)), 4),
        # In the second series, which has fresh pods.
        (((0.001, 99), (0.002, 99), (0.001, 99), (0.001, 99), (0.002, 4), (0.001, 99)), 10),
    ],
)
def test_a_bench_goes_on_with_its_rounds_and_ends_as_one_that_was_not_broken(
    broken: tuple[tuple[float, int], ...],
    kept: int,
    pods: Pods,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["debs:a@", "debs:b", "--scenario", "inbound/10-kept-1k"]
    costs = 2 * (0.001, 0.002, 0.001)

    def without_times(out: Path) -> list[Any]:
        written = json.loads((out / "bench.json").read_text())
        assert (written["complete"], written["seed"]) == (True, 5)
        (result,) = written["scenarios"]
        counts = {key: len(measured) for key, measured in result["rounds"].items()}
        said = [row["said"] for row in result["rows"]]
        return [*(result[name] for name in ("orders", "first_series", "baseline", "seed")), counts, said]

    whole, out = tmp_path / "whole", tmp_path / "out"
    pods(*map(FakePod, costs))
    assert main(["bench", *words, "--seed", "5", "--out", str(whole)]) == 0
    pods(*(FakePod(cost, after) for cost, after in broken))
    assert main(["bench", *words, "--seed", "5", "--out", str(out)]) == 3
    assert f"{kept} rounds that it had measured are kept" in capsys.readouterr().err
    others = [[*words, "--rounds", "8"], [*words, "--seed", "6"], [*words, "--scenario", "mixed/queue"]]
    for other in (*others, [words[1], *words[1:]]):
        assert main(["bench", *other, "--resume", str(out)]) == 2
        assert "it is of something else" in capsys.readouterr().err
    pods(*map(FakePod, costs))
    assert main(["bench", *words, "--resume", str(out)]) == 0
    assert without_times(out) == without_times(whole)
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}
    assert main(["bench", *words[:-1], "inbound/auth", "--out", str(out)]) == 2
    assert "bench.json: it is of scenarios" in capsys.readouterr().err


def test_the_same_target_twice_has_two_labels() -> None:
    targets = [parse_target(name) for name in ("debs:a", "debs:b", "debs:a")]
    labels = [participant.label for participant in benching.participants(targets)]
    assert labels == ["debs:a", "debs:b", "debs:a (2)"]
