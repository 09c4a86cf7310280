"""A directory tree that holds qmail: what is where in it, by its own links and not by this machine's."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from conformance.errors import UsageError
from conformance.targets.packages import PROGRAMS, read_packages, read_system

#: Where qmail is: as Debian has it, and as its author has it.
_HOMES = ("/var/lib/qmail", "/var/qmail")

_NEEDED = ("qmail-smtpd", "qmail-remote", "qmail-queue", "qmail-start", "qmail-newu")
_PATH = ("/usr/local/bin", "/usr/bin", "/bin")

#: Links that are followed in one name before it is held for a loop.
_LINKS = 40


@dataclass(frozen=True)
class Root:
    """`directory` is the tree, `home` the path of qmail in it, `queue` of its queue, links followed.

    `packages` maps those of qmail and of ucspi-tcp to their versions, where dpkg knows them; `system` is what
    the tree's system calls itself.
    """

    directory: Path
    home: str
    queue: str
    packages: dict[str, str] = field(default_factory=dict)
    system: str = ""

    def programs(self) -> dict[str, bytes]:
        """The content of each program that talks, delivers or queues and is there."""
        places = {name: self.place(f"{self.home}/bin/{name}") for name in PROGRAMS}
        return {name: place.read_bytes() for name, place in places.items() if place.is_file()}

    def place(self, path: str) -> Path:
        """Where what a path of the tree leads to is for us."""
        return self.directory / followed(self.directory, path).lstrip("/")


def followed(directory: Path, path: str) -> str:
    """A path of the tree without links in it, which may lead to nothing. UsageError for a loop."""
    parts, done, links = path.split("/")[::-1], "", 0
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = done.rpartition("/")[0]
            continue
        here = directory / f"{done}/{part}".lstrip("/")
        if not here.is_symlink():
            done = f"{done}/{part}"
            continue
        links += 1
        if links > _LINKS:
            raise UsageError(f"{directory}: {path} is a loop of links")
        target = os.readlink(here)
        done = "" if target.startswith("/") else done
        parts += target.split("/")[::-1]
    return done or "/"


def look_into(directory: Path) -> Root:
    """What a tree holds. Raises UsageError, which says what is missing."""
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}", "root:DIRECTORY is a tree with qmail in it.")
    home = next((home for home in _HOMES if _is_program(directory, f"{home}/bin/qmail-smtpd")), None)
    if home is None:
        raise UsageError(
            f"there is no qmail in {directory}: no {_HOMES[0]}/bin/qmail-smtpd",
            "Name the tree's root, which has var/lib/qmail or var/qmail below it.",
        )
    missing = [name for name in _NEEDED if not _is_program(directory, f"{home}/bin/{name}")]
    if missing:
        raise UsageError(f"there is no {home}/bin/{missing[0]} in {directory}", "That is no whole qmail.")
    for name, package in (("tcpserver", "ucspi-tcp"), ("perl", "perl-base")):
        if not any(_is_program(directory, f"{place}/{name}") for place in (f"{home}/bin", *_PATH)):
            what = f"there is no {name} in {directory}, and a pod needs it beside qmail"
            raise UsageError(what, f"Install {package} there.")
    if not (directory / followed(directory, "/etc/passwd").lstrip("/")).is_file():
        raise UsageError(f"there is no file /etc/passwd in {directory}", "It says who qmail's users are.")
    # A tree out of an image of ours has its queue there.
    queues = (f"{home}/queue/lock", "/opt/conformance/queue/lock")
    if not any((directory / followed(directory, queue).lstrip("/")).is_dir() for queue in queues):
        raise UsageError(f"there is no {home}/queue/lock in {directory}", "That is no queue of qmail's.")
    known = read_packages(_text(directory, "/var/lib/dpkg/status"))
    system = read_system(_text(directory, "/etc/os-release"))
    return Root(directory, home, followed(directory, f"{home}/queue"), known, system)


def _text(directory: Path, path: str) -> str:
    """A file of the tree; "" where there is none."""
    place = directory / followed(directory, path).lstrip("/")
    return place.read_text("utf-8", "replace") if place.is_file() else ""


def _is_program(directory: Path, path: str) -> bool:
    try:
        mode = (directory / followed(directory, path).lstrip("/")).stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)
