"""Limits of a target's memory and processes: control groups where they can be made, else resource limits.

A control group counts what all processes of one target have. Resource limits count the processes of a user on
the whole machine, those of root not at all, and the memory of one process.
"""

import contextlib
import os
import re
import resource
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from conformance.targets.docker.confinement import MEMORY, PROCESSES

_MEMORY, _PROCESSES = MEMORY["target"] << 20, PROCESSES["target"]

#: Files of a control group and what is written there: the first must be there, one without a value may lack.
_VERSION_2 = {"memory.max": _MEMORY, "pids.max": _PROCESSES, "memory.swap.max": 0}
_VERSION_1 = {
    "memory": {"memory.limit_in_bytes": _MEMORY, "memory.memsw.limit_in_bytes": _MEMORY},
    "pids": {"pids.max": _PROCESSES},
}
_MAY_LACK = ("memory.swap.max", "memory.memsw.limit_in_bytes")  # kernels without swap, or that count none

_NAME = re.compile(r"qmail-conformance-\d+-\d+")
#: Seconds after which the processes of a new group are in it.
_YOUNG = 60
_numbers = count(1)


@dataclass(frozen=True)
class Limits:
    """Control groups of one target: where the pod shows each to its agent -> its directory; none is none."""

    groups: dict[str, str]

    @classmethod
    def made(cls) -> Self:
        """Groups of its own, with the limits that a container has; never raises."""
        name = f"qmail-conformance-{os.getpid()}-{next(_numbers)}"
        found = cls({})
        for shown, places, values in _hierarchies():
            directory = next(filter(None, (_group(place, name, values) for place in places)), None)
            if directory is None:  # half of the limits would be told as the whole
                found.remove()
                return cls({})
            found.groups[shown] = directory
        return found

    def enter(self) -> None:
        """Put this process, and those that it starts from now on, below the limits. Raises OSError."""
        for directory in self.groups.values():
            Path(directory, "cgroup.procs").write_text("0")
        if not self.groups:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES, _PROCESSES))

    def remove(self) -> None:
        """Remove the groups; one in which somebody still ends goes with the next pod's start."""
        for directory in self.groups.values():
            with contextlib.suppress(OSError):
                os.rmdir(directory)


def in_force() -> str:
    """What limits a target in namespaces on this machine, in a sentence."""
    made = Limits.made()
    made.remove()
    most = f"{MEMORY['target']} MiB of memory and {PROCESSES['target']} processes"
    if made.groups:
        return f"each may have {most} (control groups)"
    return f"{most} are each process's and each user's alone, for no control group can be made"


def _group(place: Path, name: str, values: dict[str, int]) -> str | None:
    """A new group below a place, with these limits; None where it cannot be."""
    directory = place / name
    try:
        _sweep(place)
        directory.mkdir()
    except OSError:
        return None
    try:
        for file, value in values.items():
            if (directory / file).exists() or file not in _MAY_LACK:
                with (directory / file).open("r+") as limit:  # which makes no file where there is none
                    limit.write(str(value))
    except OSError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        return None
    return str(directory)


def _sweep(place: Path) -> None:
    """Remove groups whose pods were killed together with those that would have removed them.

    Whose a group is cannot be told by a number, which others may have in namespaces of their own; one in
    which there are processes cannot be removed.
    """
    for entry in os.listdir(place):
        with contextlib.suppress(OSError):
            if _NAME.fullmatch(entry) and time.time() - os.stat(place / entry).st_mtime > _YOUNG:
                os.rmdir(place / entry)


def _hierarchies() -> list[tuple[str, list[Path], dict[str, int]]]:
    """Each hierarchy that is needed: where it is shown, where groups may be made, and the limits.

    In version 2 a group with processes of its own has none below it with limits, so those above serve too.
    """
    own: dict[str, str] = {}
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path)
    mounts: dict[str, tuple[str, str]] = {}
    for line in _lines("/proc/self/mountinfo"):
        fields, _, rest = line.partition(" - ")
        (root, place), (kind, _, options) = fields.split(" ")[3:5], rest.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            mounts |= dict.fromkeys(options.split(",") if kind == "cgroup" else [""], (root, place))
    if "memory" in mounts and "pids" in mounts:
        return [
            (f"/sys/fs/cgroup/{controller}", _own(own, mounts, controller)[:1], values)
            for controller, values in _VERSION_1.items()
        ]
    return [("/sys/fs/cgroup", _own(own, mounts, "") if "" in mounts else [], dict(_VERSION_2))]


def _own(own: dict[str, str], mounts: dict[str, tuple[str, str]], controller: str) -> list[Path]:
    """Our own group of a hierarchy, and those above it as far as they are mounted."""
    root, place = mounts[controller]
    path = os.path.relpath(own.get(controller, "/"), root)
    inside = Path(place) if path.startswith("..") else Path(place, path)
    return [inside, *(above for above in inside.parents if above.is_relative_to(place))]


def _lines(file: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(file).read_text("utf-8", "surrogateescape").splitlines()
    return []
