"""System calls of Linux for which Python has no name. Each raises OSError."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from typing import Any

# linux/sched.h
NEW_MOUNTS = 0x00020000
NEW_HOST_NAME = 0x04000000
NEW_IPC = 0x08000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000

# linux/mount.h
READ_ONLY = 1
BIND = 0x1000
_REMOUNT = 0x20
_RECURSIVE = 0x4000
_PRIVATE = 0x40000

_DETACH = 2
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

#: Capabilities by their names in capabilities(7), without the leading CAP_.
_CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "NET_BIND_SERVICE": 10,
}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _call("unshare", flags)


def mount(source: str, place: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    words = (source.encode(), os.fsencode(place), kind.encode())
    _call("mount", *words, ctypes.c_ulong(flags), options.encode())


def show(directory: str, place: str) -> None:
    """Let a directory be read at another place, too, but not written to there."""
    mount(directory, place, flags=BIND)
    mount("none", place, flags=BIND | _REMOUNT | READ_ONLY)


def make_mounts_private() -> None:
    """Let no mount of this namespace below `/proc` show in another one."""
    try:
        mount("none", "/", flags=_RECURSIVE | _PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # In a chroot / is no mount, and nothing that is there says anything of the one that it is on.
        mount("none", "/proc", flags=_RECURSIVE | _PRIVATE)


def enter_root(directory: str) -> None:
    """Make a mount the root of this mount namespace, in which nothing else is left (pivot_root(2)).

    In a chroot, whose root is no mount, it is a chroot too: nobody without the capability comes out of it.
    """
    os.chdir(directory)
    try:
        _call("pivot_root", b".", b".")
        _call("umount2", b".", _DETACH)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        os.chroot(".")
    os.chdir("/")


def keep_capabilities(names: tuple[str, ...]) -> None:
    """Have no program that is started from here any other capability, whoever it runs as."""
    kept = {_CAPABILITIES[name] for name in names}
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:  # in a tree without Python, which has no codecs
        last = int(file.read())
    for number in range(last + 1):
        if number not in kept:
            _call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)


def no_new_privileges() -> None:
    """Have no program that is started from here more rights by a bit of its file."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def bring_up_loopback() -> None:
    """127.0.0.0/8 can be reached in this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
