"""How long a process did not run though it was to: paused, throttled, starved, or with its clock set.

qmail counts seconds of the world's clock and we count ours. Where either stood still while the other went on,
what was seen says nothing about qmail.
"""

import asyncio
import contextlib
import re
import time
from pathlib import Path

#: Seconds between two beats, and how late one may be before that counts.
_BEAT = 0.1
_LATE = 0.05

#: Where a container reads how long its control group was throttled (versions 2 and 1), and the unit.
_THROTTLED = (
    (Path("/sys/fs/cgroup/cpu.stat"), re.compile(r"^throttled_usec (\d+)", re.M), 1e-6),
    (Path("/sys/fs/cgroup/cpu/cpu.stat"), re.compile(r"^throttled_time (\d+)", re.M), 1e-9),
)


class Heartbeat:
    """A timer of the running event loop that beats as long as it is not closed."""

    def __init__(self) -> None:
        self._stood_still = 0.0
        self._last = _clocks()
        self._throttled = throttled()
        self._beating = asyncio.create_task(self._beat())

    def stood_still(self) -> float:
        """Seconds since the start in which this process was kept from running, up to now."""
        return self._stood_still + _excess(self._last, _clocks()) + throttled() - self._throttled

    def close(self) -> None:
        self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            now = _clocks()
            self._stood_still += _excess(self._last, now)
            self._last = now


def _clocks() -> tuple[float, float, float]:
    """Ours, the one that goes on while the machine sleeps, and the one that is set."""
    return time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), time.time()


def _excess(before: tuple[float, ...], now: tuple[float, ...]) -> float:
    """How late the beat is; by how much the clock was set."""
    ours, asleep, wall = (later - earlier for earlier, later in zip(before, now, strict=True))
    late = max(ours - _BEAT, asleep - _BEAT, abs(wall - asleep))
    return late if late > _LATE else 0.0


def throttled() -> float:
    """Seconds for which this container's control group was throttled; 0 where that is not told."""
    for path, pattern, unit in _THROTTLED:
        with contextlib.suppress(OSError):
            if found := pattern.search(path.read_text(encoding="ascii", errors="replace")):
                return int(found[1]) * unit
    return 0.0
