"""The heartbeat tells how long a process did not run, by every clock, and what its control group counts."""

from pathlib import Path

import pytest

from conformance.targets import standstill
from conformance.targets.standstill import Heartbeat
from tests.agents import on_a_loop

Clocks = tuple[float, float, float]


@pytest.mark.parametrize(
    ("passed", "late"),
    [
        ((0.1, 0.1, 0.1), 0.0),
        ((0.14, 0.14, 0.14), 0.0),
        ((3.1, 3.1, 3.1), 3.0),  # it was not running
        ((0.1, 60.1, 60.1), 60.0),  # the machine slept
        ((0.1, 0.1, 3600.1), 3600.0),  # the clock was set
        ((0.1, 0.1, -59.9), 60.0),
    ],
)
@on_a_loop
async def test_each_clock_tells(monkeypatch: pytest.MonkeyPatch, passed: Clocks, late: float) -> None:
    monkeypatch.setattr(standstill, "throttled", lambda: 5.0)
    now: Clocks = (10.0, 20.0, 1e9)
    monkeypatch.setattr(standstill, "_clocks", lambda: now)
    heart = Heartbeat()
    assert heart.stood_still() == 0.0
    now = tuple(clock + seconds for clock, seconds in zip(now, passed, strict=True))
    assert heart.stood_still() == pytest.approx(late), "before the beat that is late"
    heart.close()


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
