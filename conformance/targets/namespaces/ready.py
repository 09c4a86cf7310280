"""A target out of a directory: looked into, and whether this machine lets it have namespaces."""

import os
import platform
from dataclasses import replace
from pathlib import Path

from conformance.errors import UsageError, WorldError
from conformance.targets.namespaces import kernel
from conformance.targets.namespaces.root import look_into
from conformance.targets.packages import build_of
from conformance.targets.target import Target

_ALL = kernel.NEW_MOUNTS | kernel.NEW_PROCESSES | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_HOST_NAME

#: What the kernel calls an architecture -> what Debian does.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el"}


def ready(target: Target) -> Target:
    """The target with what stands in its directory: packages, system and qmail.

    Raises UsageError for the directory, WorldError where there are no namespaces.
    """
    root = look_into(Path(target.location))
    if reason := no_namespaces():
        raise WorldError(f"{target.name} needs namespaces of its own, and has none: {reason}", hint())
    machine = platform.machine()
    return replace(
        target,
        packages=root.packages,
        system=root.system,
        architecture=_ARCHITECTURES.get(machine, machine),
        build=build_of(root.programs()),
    )


def why_not(directory: Path) -> str:
    """Why the qmail of a tree cannot be run here; "" when it can."""
    try:
        look_into(directory)
    except UsageError as error:
        return error.message
    return no_namespaces()


def no_namespaces() -> str:
    """Why a pod can have no namespaces here; "" when it can."""
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
        return "Run it as root (sudo), which may make them; a Docker engine needs no root."
    return "In a container give it more: docker run --privileged, or --cap-add SYS_ADMIN with no seccomp."
