"""What a pod in namespaces is made of; the process that becomes one is forked in `nursery`.

It has a network of its own, with loopback alone. In there a child has the target: its own mounts, processes
and host name, and as its root the tree with a layer over it, which is gone when the pod is. This process
becomes the internet's agent, on its standard input and output. When it ends, so does the target.
"""

import os
import re
import resource
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from conformance.pod.ordinary import HOST
from conformance.stopping import end_with_parent
from conformance.targets.docker.confinement import CAPABILITIES, FILES, TMPFS
from conformance.targets.docker.scripts import STATE
from conformance.targets.namespaces import kernel
from conformance.targets.namespaces.layer import Layer, give_like
from conformance.targets.namespaces.limits import Limits
from conformance.targets.namespaces.root import Root, followed, look_into

_AGENT = ["/usr/bin/perl", "/opt/conformance/agent.pl"]

#: Devices that programs may need; what is bound here is the machine's own.
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

#: File systems that hold parts of a system, as a machine has /usr or /var on a disk of its own.
_OF_DISKS = {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "xfs", "zfs"}

#: The one directory of every machine that is no part of a tree: there the pod's mounts are made.
_WORKSHOP = Path("/proc")


def main(directory: str, program: str, groups: dict[str, str]) -> None:
    """Become a pod of a tree: `program` is the module of its internet, `groups` limits its target.

    Raises SystemExit when the internet ends.
    """
    end_with_parent()
    root, limits = look_into(Path(directory)), Limits(groups)
    kernel.unshare(kernel.NEW_NETWORK | kernel.NEW_IPC)
    kernel.bring_up_loopback()
    if os.fork() == 0:
        _as_child(lambda: _keep_target(root, limits))
    kernel.keep_capabilities(CAPABILITIES["internet"])
    kernel.no_new_privileges()
    sys.argv[1:] = []
    sys.modules.pop(program, None)  # a program is run, and not imported
    runpy.run_module(program, run_name="__main__")


def _as_child(work: Callable[[], None]) -> None:
    """Do something in a child; no exception gets out of it."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _keep_target(root: Root, limits: Limits) -> None:
    """Wait for the target, the first of its processes: with it all others go, and we with each other."""
    internet = os.getppid()
    end_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what it says is for people, and no answer of the internet's agent
    os.setsid()  # who started us may have a terminal, and the agent ends no process that has one
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_PROCESSES | kernel.NEW_HOST_NAME)
    target = os.fork()
    if target == 0:
        _as_child(lambda: _become_target(root, limits))
    os.waitpid(target, 0)
    if os.getppid() == internet:
        os.kill(internet, signal.SIGTERM)


def _become_target(root: Root, limits: Limits) -> None:
    end_with_parent()  # until the agent runs, which ends with its client
    limits.enter()
    _hear_signals()
    socket.sethostname(HOST)
    kernel.make_mounts_private()
    _mount_tree(root, limits)
    os.setgroups([0])
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel.keep_capabilities(CAPABILITIES["target"])
    os.execv(_AGENT[0], _AGENT)


def _hear_signals() -> None:
    """Ignore and block none: Python ignores two, who started us perhaps others, and qmail would go on so."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _mount_tree(root: Root, limits: Limits) -> None:
    """Make the tree with its layer our root: nothing else of the machine is left."""
    others = _disks_below(root.directory)
    kernel.mount("tmpfs", str(_WORKSHOP), "tmpfs", options="mode=755,size=256m")
    upper = _WORKSHOP / "upper"
    upper.mkdir()
    give_like(root.directory, upper)
    Layer(root, upper).lay()
    merged = _overlay(root.directory, _WORKSHOP / "root", upper, _WORKSHOP / "work")
    for number, disk in enumerate(others):
        below = merged / disk.relative_to(root.directory)
        _overlay(disk, below, _WORKSHOP / f"upper{number}", _WORKSHOP / f"work{number}")
    _mount_devices(merged)
    for place, size in TMPFS["target"].items():
        _mount_at(merged, place, "tmpfs", f"mode={'755' if place == STATE else '1777'},size={size}m")
    for place, group in limits.groups.items():  # the agent looks there whether a limit was reached
        kernel.show(group, str(_directory(merged, place)))
    # A socket of the machine leads out of every namespace.
    for place in {"/run", followed(root.directory, "/var/run")}:
        _mount_at(merged, place, "tmpfs", "mode=755,size=16m")
    # Root may write to much below it without a capability, and some of that is the whole machine's.
    _mount_at(merged, "/proc", "proc", flags=kernel.READ_ONLY)
    kernel.enter_root(str(merged))


def _overlay(lower: Path, place: Path, upper: Path, work: Path) -> Path:
    """A directory that shows `lower` and writes to `upper`."""
    for directory in (place, upper, work):
        directory.mkdir(exist_ok=True)
    os.chdir(lower)  # so that no octet of its name is read as an option
    kernel.mount("overlay", str(place), "overlay", options=f"lowerdir=.,upperdir={upper},workdir={work}")
    return place


def _mount_at(merged: Path, place: str, kind: str, options: str = "", flags: int = 0) -> None:
    kernel.mount(kind, str(_directory(merged, place)), kind, flags, options)


def _directory(merged: Path, place: str) -> Path:
    directory = merged / place.lstrip("/")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _mount_devices(merged: Path) -> None:
    _mount_at(merged, "/dev", "tmpfs", "mode=755,size=64k")
    for name in _DEVICES:
        (merged / "dev" / name).touch()
        kernel.mount(f"/dev/{name}", str(merged / "dev" / name), flags=kernel.BIND)
    (merged / "dev/fd").symlink_to("/proc/self/fd")


def _disks_below(directory: Path) -> list[Path]:
    """Where other disks stand in a tree, the outermost first (proc_pid_mountinfo(5))."""
    found = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, kind = line.partition(" - ")
            place = Path(re.sub(r"\\([0-7]{3})", lambda octet: chr(int(octet[1], 8)), fields.split(" ")[4]))
            if kind.split(" ")[0] in _OF_DISKS and place != directory and place.is_relative_to(directory):
                found.add(place)
    return sorted(place for place in found if place.is_dir())
