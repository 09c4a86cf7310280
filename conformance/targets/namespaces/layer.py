"""What lies over a tree in a pod: our programs, an empty queue, and files in the place of the machine's."""

import os
import shutil
import stat
from pathlib import Path

from conformance.places import data
from conformance.targets.docker.scripts import STATE
from conformance.targets.namespaces.root import Root, followed

#: Where `docker/target/agent.pl` looks for its programs, for qmail and for the queue as the package made it.
_OURS = "/opt/conformance"
_PROGRAMS = ("agent.pl", "checkpassword", "note")

#: Octets of a lock at the most; tcpto, the largest, has 1024.
_LARGEST_LOCK = 1 << 16

#: Numbers of users that people have; a pod knows the system's and qmail's users alone.
_PEOPLE = range(1000, 60000)


class Layer:
    """Files in `upper`, which an overlay lays over a root."""

    def __init__(self, root: Root, upper: Path) -> None:
        self._root = root
        self._upper = upper

    def lay(self) -> None:
        """Write all of it."""
        self._file("/etc/hosts", "127.0.0.1\tlocalhost\n")
        self._file("/etc/resolv.conf", "")
        self._file("/etc/passwd", self._system_users())
        ours = self._directory(_OURS)
        for name in _PROGRAMS:
            shutil.copy(data("docker", "target", name), ours / name)
        (ours / "checkpassword-crash").symlink_to("checkpassword")
        (ours / "qmail").symlink_to(self._root.home)
        self._directory(STATE)
        if not self._root.place(f"{_OURS}/queue").is_dir():  # an image of ours has its queue there already
            self._empty_queue(ours / "queue")
            queue = self._directory(self._root.home) / "queue"
            queue.symlink_to(f"{STATE}/queue")

    def _system_users(self) -> str:
        lines = self._root.place("/etc/passwd").read_text("utf-8", "surrogateescape").splitlines(True)
        return "".join(line for line in lines if not _is_of_people(line))

    def _file(self, path: str, content: str) -> None:
        parent, _, name = path.rpartition("/")
        (self._directory(parent) / name).write_text(content, "utf-8", "surrogateescape")

    def _directory(self, path: str) -> Path:
        """A directory of the layer; what there is of it in the root shines through, with its own mode."""
        place, below = self._upper, self._root.directory
        # A directory in the place of a link would hide what that leads to.
        for part in filter(None, followed(self._root.directory, path).split("/")):
            place, below = place / part, below / part
            if not place.exists():
                place.mkdir()
                if below.is_dir():
                    give_like(below, place)
        return place

    def _empty_queue(self, place: Path) -> None:
        """The queue as the package made it: its directories and locks, and none of the messages in it."""
        queue = self._root.place(self._root.queue)
        for directory, _, files in os.walk(queue):
            made = place / Path(directory).relative_to(queue)
            made.mkdir()
            give_like(Path(directory), made)
            for name in files if made.name == "lock" else ():
                _empty(Path(directory, name), made / name)


def _is_of_people(line: str) -> bool:
    fields = line.split(":")
    is_qmail = fields[-2:-1] and "qmail" in fields[-2]
    return not is_qmail and len(fields) > 2 and fields[2].isdecimal() and int(fields[2]) in _PEOPLE


def _empty(file: Path, made: Path) -> None:
    """The like of a file, with as many octets, all 0; of a link, a device or what is no lock, nothing."""
    has = file.lstat()
    if stat.S_ISFIFO(has.st_mode):
        os.mkfifo(made)
    elif stat.S_ISREG(has.st_mode) and has.st_size <= _LARGEST_LOCK:
        made.write_bytes(bytes(has.st_size))
    else:
        return
    give_like(file, made)


def give_like(one: Path, made: Path) -> None:
    """Give it the owner and the mode of another."""
    has = one.stat()
    os.chown(made, has.st_uid, has.st_gid)
    made.chmod(stat.S_IMODE(has.st_mode))
