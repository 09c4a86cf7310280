"""Leftovers: containers of ours whose owner is no longer alive. Those of other live runs are never touched.

A pod ends by itself when its owner dies, since the control channel closes; this is for what even that misses.
Whether an owner on another machine, or before this machine's last start, is alive nobody can tell here; but a
container that does not run is never left so for long by one that is.
"""

import contextlib
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.targets.docker.engine import complaints, sdk

#: Label of every container of ours; its value says who owns it.
OWNER_LABEL = "qmail-conformance.owner"

#: Label that says what a container of ours is for.
ROLE_LABEL = "qmail-conformance.role"

#: Seconds after which a container that does not run is a leftover, whoever owns it: a live owner starts one
#: at once, and the engine removes one that ends.
FORGOTTEN = 3600

_OWNER = re.compile(r"(.*)\|([0-9]{1,9})\|([0-9]*)", re.DOTALL)

#: When a process started, in the system's own terms; None when there is no such process.
Started = Callable[[int], str | None]


def machine() -> str:
    """This machine since its last start, and the process numbers that count on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def started(pid: int) -> str | None:
    """When a process started; "" where the system does not tell; None when it is gone."""
    try:
        if not Path("/proc/self/stat").exists():
            with contextlib.suppress(PermissionError):
                os.kill(pid, 0)
            return ""
        # The name in parentheses may itself hold parentheses and spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def owner() -> str:
    """The label's value for this process."""
    return f"{machine()}|{os.getpid()}|{started(os.getpid())}"


def is_leftover(label: str, here: str, started: Started) -> bool:
    """Whether the owner that a label names is known to be gone: one of another machine is not.

    Nor is one of a label that we have not written.
    """
    named = _OWNER.fullmatch(label)
    if named is None or named[1] != here:
        return False
    return started(int(named[2])) != named[3]


def leftovers(client: Any) -> dict[str, str]:
    """The leftovers: id of a container -> its name."""
    here, now = machine(), time.time()
    found = {}
    for container in client.api.containers(all=True, filters={"label": OWNER_LABEL}):
        forgotten = container["State"] != "running" and now - container["Created"] > FORGOTTEN
        if forgotten or is_leftover(container["Labels"].get(OWNER_LABEL, ""), here, started):
            names = container.get("Names") or [container["Id"][:12]]
            found[str(container["Id"])] = str(names[0]).lstrip("/")
    return found


def sweep(client: Any) -> list[str]:
    """Remove the leftovers; the names of those removed. Raises WorldError when the engine fails."""
    with complaints("removing leftover containers"):
        return [name for container, name in leftovers(client).items() if remove(client, container)]


def remove(client: Any, container: str) -> bool:
    """Remove a container now; False when it went by itself meanwhile."""
    errors = sdk().errors
    try:
        client.api.remove_container(container, force=True, v=True)
    except errors.APIError as error:
        if error.status_code in (404, 409):  # it is gone, or about to be
            return False
        raise
    return True
