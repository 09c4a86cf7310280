"""The heartbeat tells how long a process did not run, by every clock, and what its control group counts."""

from pathlib import Path

import pytest

from conformance.targets import standstill
from conformance.targets.standstill import Heartbeat, Standstill
from tests.agents import on_a_loop

Clocks = tuple[float, ...]


@pytest.mark.parametrize(
    ("passed", "paused", "total"),
    [
        ((0.1, 0.1, 0.1, 0.0), 0.0, 0.0),
        ((0.14, 0.14, 0.14, 0.0), 0.0, 0.0),
        ((3.1, 3.1, 3.1, 3.0), 0.0, 0.0),  # it had work to do
        ((0.6, 0.6, 0.6, 0.0), 0.0, 0.5),  # others were running
        ((3.1, 3.1, 3.1, 0.0), 3.0, 3.0),  # it was not running
        ((0.1, 60.1, 60.1, 0.0), 60.0, 60.0),  # the machine slept
        ((0.1, 0.1, 3600.1, 0.0), 3600.0, 3600.0),  # the clock was set
        ((0.1, 0.1, -59.9, 0.0), 60.0, 60.0),
    ],
)
@on_a_loop
async def test_each_clock_tells(
    monkeypatch: pytest.MonkeyPatch, passed: Clocks, paused: float, total: float
) -> None:
    monkeypatch.setattr(standstill, "throttled", lambda: 5.0)
    now: Clocks = (10.0, 20.0, 1e9, 1.0)
    monkeypatch.setattr(standstill, "_clocks", lambda: now)
    heart = Heartbeat()
    assert heart.stood_still() == Standstill()
    now = tuple(clock + seconds for clock, seconds in zip(now, passed, strict=True))
    lost = heart.stood_still()  # before the beat that is late
    assert (lost.paused, lost.total) == (pytest.approx(paused), pytest.approx(total))
    heart.close()


@pytest.mark.parametrize(
    ("paused", "total", "seconds", "at_limit", "decides"),
    [
        (0.0, 0.3, 0.4, False, False),
        (0.0, 0.5, 0.6, False, True),
        (0.0, 2.0, 10.0, False, False),
        (0.0, 6.0, 10.0, False, True),
        (1.0, 1.0, 10.0, False, True),
        (0.0, 0.3, 5.0, True, False),
        (0.0, 0.5, 5.0, True, True),
        (0.0, 1.0, 25.0, True, False),
        (0.0, 2.0, 25.0, True, True),
    ],
)
def test_a_pause_decides_and_a_busy_machine_only_where_it_takes_much(
    paused: float, total: float, seconds: float, at_limit: bool, decides: bool
) -> None:
    assert Standstill(paused, total).decides(seconds, at_limit=at_limit) is decides


@pytest.mark.parametrize(
    ("path", "text", "seconds"),
    [
        ("cpu.stat", "usage_usec 9\nthrottled_usec 2500000\n", 2.5),
        ("cpu/cpu.stat", "nr_periods 9\nthrottled_time 1500000000\n", 1.5),
        ("cpu.stat", "usage_usec 9\n", 0.0),
        ("other", "", 0.0),
    ],
)
def test_throttling_is_read_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, text: str, seconds: float
) -> None:
    places = [
        (tmp_path / where.relative_to("/sys/fs/cgroup"), *rest) for where, *rest in standstill._THROTTLED
    ]
    monkeypatch.setattr(standstill, "_THROTTLED", places)
    (tmp_path / "cpu").mkdir()
    (tmp_path / path).write_text(text)
    assert standstill.throttled() == seconds
