"""A wish for more pods or workers than this machine or its engine bears is cut down, and that is said."""

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.targets import capacity
from conformance.targets.plan import Plan
from conformance.targets.target import Target

STOCK, BUILD = Target("stock", "stock"), Target("debs:build", "debs")
REFERENCE = Target("reference-stock", "reference")
BEARS = {"_free_memory": 1 << 20, "_most_files": 1 << 20, "_most_threads": 1 << 20, "core_count": 2}


@pytest.mark.parametrize(
    ("scarce", "engine", "targets", "most", "why"),
    [
        ({}, 0, (STOCK,), 356, ""),
        ({"_free_memory": 3000}, 0, (STOCK,), 10, "the memory that is free here"),
        ({"_free_memory": 3000}, 0, (STOCK, BUILD), 5, "the memory that is free here"),
        ({"_free_memory": 3000}, 0, (REFERENCE,), 10, "the memory that is free here"),
        ({}, 6000, (STOCK,), 20, "the engine's memory"),
        ({}, 6000, (STOCK, REFERENCE), 20, "the engine's memory"),
        ({"_most_files": 1024}, 0, (STOCK,), 51, "the number of files that may be open here"),
        ({"_most_threads": 1200}, 0, (STOCK, BUILD), 50, "the number of processes that may run here"),
        ({"_most_threads": 12, "_most_files": 10}, 10, (REFERENCE,), 356, ""),
        ({"_most_threads": 1}, 0, (STOCK,), 1, "the number of processes that may run here"),
    ],
)
def test_a_wish_for_pods_is_cut_down_to_what_is_borne(
    scarce: dict[str, int],
    engine: int,
    targets: tuple[Target, ...],
    most: int,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (BEARS | scarce).items():
        monkeypatch.setattr(capacity, name, lambda value=value: value)
    said: list[str] = []
    plan = Plan(targets, engine_memory=engine)
    assert capacity.cut_down(100_000, plan, 356, said.append) == most
    cut = min(100_000, 356)
    assert said == ([f"{cut} at a time are cut down to {most}: {why} bears no more."] if why else [])
    assert capacity.cut_down(1, plan, 356, said.append) == 1
    assert len(said) == bool(why), "what is borne is not spoken of"


def test_what_this_system_tells_is_a_number() -> None:
    for name in BEARS:
        assert getattr(capacity, name)() > 0


@pytest.mark.parametrize(
    "command", [("run", "reference-ppa", "--patch", "0006"), ("zoo", "-k", "0006.unknown.code")]
)
def test_a_hundred_thousand_at_a_time_do_not_eat_the_machine(
    command: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "_free_memory", lambda: 600)
    assert main([*command, "-n", "100000", "--out", str(tmp_path)]) == 0
    assert "cut down to 2: the memory that is free here bears no more." in capsys.readouterr().out
