"""A target out of a directory: looked into, and whether this machine lets it have namespaces."""

import json
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.errors import UsageError, WorldError
from conformance.targets.namespaces import kernel
from conformance.targets.namespaces.root import look_into
from conformance.targets.namespaces.users import AS_ROOT, HINT, as_root, why_none
from conformance.targets.packages import build_of
from conformance.targets.target import Target

_ALL = kernel.NEW_MOUNTS | kernel.NEW_PROCESSES | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_HOST_NAME

#: What the kernel calls an architecture -> what Debian does.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el"}


def ready(target: Target) -> Target:
    """The target with what stands in its directory: packages, system and qmail.

    Raises UsageError for the directory, WorldError where there are no namespaces.
    """
    if os.geteuid() == 0:  # what is wrong with the directory is told first
        found = _look(target.location)
    if reason := no_namespaces():
        raise WorldError(f"{target.name} needs namespaces of its own, and has none: {reason}", hint())
    if os.geteuid() != 0:
        found = _look_as_root(target.location)
    machine = platform.machine()
    return replace(target, architecture=_ARCHITECTURES.get(machine, machine), **found)


def why_not(directory: Path) -> str:
    """Why the qmail of a tree cannot be run here; "" when it can."""
    if os.geteuid() != 0 and (reason := no_namespaces()):
        return reason
    try:
        (_look if os.geteuid() == 0 else _look_as_root)(str(directory))
    except UsageError as error:
        return error.message
    return no_namespaces()


def _look(location: str) -> dict[str, Any]:
    """What a target has of its tree. Raises UsageError."""
    root = look_into(Path(location))
    if owner := root.place("/etc/passwd").stat().st_uid:
        unpacking = shlex.join([*AS_ROOT, "tar", "-C", location, "-xf", "FILE"])
        raise UsageError(
            f"{location}: its /etc/passwd is not root's, but user {owner}'s, and all its users are others",
            f"Unpack it as root, or without root so: {unpacking}",
        )
    return {"packages": root.packages, "system": root.system, "build": build_of(root.programs())}


def _look_as_root(location: str) -> dict[str, Any]:
    """The same of a tree parts of which are closed to us, but not to the root of our user namespace."""
    command = [*as_root(), sys.executable, "-P", "-m", __name__, location]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode != 0:
        raise WorldError(f"nobody can look into {location}: {ran.stderr.strip()}", hint())
    found: dict[str, Any] = json.loads(ran.stdout)
    if "error" in found:
        raise UsageError(*found["error"])
    return found


def no_namespaces() -> str:
    """Why a pod can have no namespaces here; "" when it can."""
    if os.geteuid() != 0:
        return why_none()
    child = os.fork()
    if child == 0:
        try:
            kernel.unshare(_ALL)
            kernel.make_mounts_private()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
        finally:
            os._exit(1)  # whatever else it is, there is one of us alone
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(number) if number else ""


def hint() -> str:
    """What to do where there are none."""
    if os.geteuid() != 0:
        return HINT
    return "In a container give it more: docker run --privileged, or --cap-add SYS_ADMIN with no seccomp."


if __name__ == "__main__":
    try:
        print(json.dumps(_look(sys.argv[1])))
    except UsageError as error:
        print(json.dumps({"error": [error.message, error.hint]}))
