"""How long a pod did not run though it was to: paused, throttled, starved, or with its clock set.

qmail counts seconds of the world's clock and we count ours. Where either stood still while the other went on,
what was seen says nothing about qmail.
"""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two beats, how late one may be before that counts, and when it was a pause; as in agent.pl.
BEAT = 0.1
LATE = 0.05
PAUSE = 1.0

#: Seconds that may be lost in an act: qmail's own limits are whole seconds, and cases keep a half away.
TOLERANCE = 0.4

#: Where a container reads how long its control group was throttled (versions 2 and 1), and the unit.
_THROTTLED = (
    (Path("/sys/fs/cgroup/cpu.stat"), re.compile(r"^throttled_usec (\d+)", re.M), 1e-6),
    (Path("/sys/fs/cgroup/cpu/cpu.stat"), re.compile(r"^throttled_time (\d+)", re.M), 1e-9),
)


@dataclass(frozen=True)
class Standstill:
    """Seconds that were lost: in pauses, and in all."""

    paused: float = 0.0
    total: float = 0.0

    def __sub__(self, other: "Standstill") -> "Standstill":
        return Standstill(self.paused - other.paused, self.total - other.total)

    def decides(self, seconds: float, *, at_limit: bool) -> bool:
        """Whether what was seen within `seconds` may be so because of it.

        A busy machine loses a little again and again. Of a longer time that may be up to a half, but only a
        twentieth `at_limit`: where our own limit ended the act, it was time that decided.
        """
        share = 0.05 if at_limit else 0.5
        return self.paused > TOLERANCE or self.total > max(TOLERANCE, seconds * share)


class Heartbeat:
    """A timer of the running event loop that beats as long as it is not closed."""

    def __init__(self) -> None:
        self._late = Standstill()
        self._last = _clocks()
        self._throttled = throttled()
        self._beating = asyncio.create_task(self._beat())

    def stood_still(self) -> Standstill:
        """What was lost since the start, up to now."""
        late = _after(self._late, self._last, _clocks())
        return Standstill(late.paused, late.total + throttled() - self._throttled)

    def close(self) -> None:
        self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            now = _clocks()
            self._late = _after(self._late, self._last, now)
            self._last = now


def _clocks() -> tuple[float, ...]:
    """Ours, the one that goes on while the machine sleeps, the one that is set, and our own work's."""
    return time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), time.process_time()


def _after(so_far: Standstill, before: tuple[float, ...], now: tuple[float, ...]) -> Standstill:
    """With the beat that is due: how late it is, or by how much the clock was set."""
    ours, asleep, wall, work = (later - earlier for earlier, later in zip(before, now, strict=True))
    # While we worked we were running, however late the beat came of it.
    late = max(ours - BEAT - work, asleep - BEAT - work, abs(wall - asleep))
    paused = late if late >= PAUSE else 0.0
    return Standstill(so_far.paused + paused, so_far.total + (late if late > LATE else 0.0))


def throttled() -> float:
    """Seconds for which this container's control group was throttled; 0 where that is not told."""
    for path, pattern, unit in _THROTTLED:
        with contextlib.suppress(OSError):
            if found := pattern.search(path.read_text(encoding="ascii", errors="replace")):
                return int(found[1]) * unit
    return 0.0
