"""How many pods this machine and its engine bear: beyond that a wish is cut down, and that is said."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from conformance.targets.plan import Plan

#: MiB of a pod and what it needs of a worker; of what is free, half is taken.
_MEMORY = 150

#: Open files and threads of a process of ours for each pod: two streams, what asks the engine, who waits.
_FILES, _THREADS = 10, 6

#: Processes that only compute, for each core: more would wait for each other.
_WORKERS = 4

#: Where the system tells how many threads there may be.
_MOST_THREADS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max", "/proc/sys/kernel/threads-max")


def bear(plan: Plan) -> dict[str, int]:
    """What sets a bound to the pods of each target -> that bound. The reference needs nothing but memory."""
    bounds = {"the memory that is free here": _free_memory() // 2 // _MEMORY // max(1, len(plan.targets))}
    if real := sum(not target.specification for target in plan.targets):
        if plan.engine_memory:
            bounds["the engine's memory"] = plan.engine_memory // 2 // _MEMORY // real
        bounds["the number of files that may be open here"] = _most_files() // 2 // _FILES // real
        bounds["the number of processes that may run here"] = _most_threads() // 2 // _THREADS // real
    return bounds


def cut_down(pods: int, plan: Plan, cases: int, say: Callable[[str], None]) -> int:
    """As many pods as are wished for and have a case; or fewer, and then a line says why."""
    return _least(min(pods, max(1, cases)), bear(plan), say)


def cut_down_workers(workers: int, say: Callable[[str], None]) -> int:
    """The same for worker processes that only compute."""
    bounds = {
        "the number of cores": core_count() * _WORKERS,
        "the memory that is free here": _free_memory() // 2 // _MEMORY,
        "the number of processes that may run here": _most_threads() // 2,
    }
    return _least(workers, bounds, say)


def core_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _least(wish: int, bounds: dict[str, int], say: Callable[[str], None]) -> int:
    why, most = min(bounds.items(), key=lambda bound: bound[1])
    most = max(1, most)
    if wish > most:
        say(f"{wish} at a time are cut down to {most}: {why} bears no more.")
    return min(wish, most)


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _most_threads() -> int:
    """Of this process's user, its control group and the machine, as far as they tell."""
    most = [resource.getrlimit(resource.RLIMIT_NPROC)[0]]
    for place in map(Path, _MOST_THREADS):
        told = place.read_text().strip() if place.exists() else ""
        most += [int(told)] if told.isdecimal() else []
    return min([one for one in most if one != resource.RLIM_INFINITY], default=1 << 20)


def _free_memory() -> int:
    """MiB that processes can still have; a lot where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError):
        return 1 << 20
