"""A machine on which the package qmail-reference is installed, in mounts and a network of its own.

Its root is an overlay over ours, so this suite is there too; what it writes is gone when its command ends.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from conformance.reference.package import package
from tests.reference_tree import members, tar

#: What the programs of the package run.
_PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"

_QMAIL, _NOFILES = 64010, 64020
_USERS = [
    *((name, 64010 + at, _NOFILES) for at, name in enumerate(("alias", "qmaild", "qmaill", "qmailp"))),
    *((name, 64015 + at, _QMAIL) for at, name in enumerate(("qmails", "qmailr", "qmailq"))),
]

#: An ordinary user, and what runs a command as him.
_SOMEBODY = "somebody:x:23999:23999::/tmp:/bin/sh\n"
AS_SOMEBODY = ["setpriv", "--reuid", "23999", "--regid", "23999", "--clear-groups"]

#: Lays `$1` over our root in `$2`, configures the package there, and runs the rest of the words in it.
_ENTER = """
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
cp -a "$1/." "$2/upper"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$2/root"
root=$2/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
shift 2
chroot "$root" sh -ec 'hostname -f > /dev/null 2>&1 || true; sh /postinst configure > /dev/null'
if [ "$1" != setpriv ]; then exec chroot "$root" "$@"; fi
# In a chroot nobody makes a user namespace.
cd "$root"
pivot_root . mnt
umount -l /mnt
exec "$@"
"""

_UNSHARE = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child"]


class Installed:
    """The machine; `layer` is what it has besides."""

    def __init__(self, directory: Path, patches: Sequence[str]) -> None:
        self.layer = directory / "layer"
        self._place = directory / "machine"
        self._place.mkdir()
        (self.layer / "etc").mkdir(parents=True)
        parts = members(package(patches))
        for part, place in (("data", self.layer), ("control", self.layer)):
            with tar(parts[f"{part}.tar.gz"]) as archive:
                archive.extractall(place, filter="fully_trusted")
        for above in Path(_PYTHON).parents[:-1]:  # whoever the programs run as must find it
            (self.layer / above.relative_to("/")).mkdir(parents=True, exist_ok=True)
        self.qmail = self.layer / "var/lib/qmail"
        for program in (self.qmail / "bin").iterdir():
            program.write_text(program.read_text().replace("/usr/bin/python3", _PYTHON))
        tcpserver = Path(__file__).parent / "data/namespaces/tcpserver"
        shutil.copy(tcpserver, self.qmail / "bin/tcpserver")
        (self.qmail / "bin/tcpserver").chmod(0o755)
        (self.qmail / "control/me").write_text("machine.example\n")
        (self.layer / "etc/subuid").write_text("somebody:300000:65536\n")
        (self.layer / "etc/subgid").write_text("somebody:300000:65536\n")
        users = "".join(f"{name}:x:{uid}:{gid}::/var/lib/qmail/{name}:/bin/sh\n" for name, uid, gid in _USERS)
        (self.layer / "etc/passwd").write_text(Path("/etc/passwd").read_text() + users + _SOMEBODY)
        groups = f"qmail:x:{_QMAIL}:\nnofiles:x:{_NOFILES}:\n"
        (self.layer / "etc/group").write_text(Path("/etc/group").read_text() + groups)

    def run(self, *command: str, limit: float = 120.0) -> subprocess.CompletedProcess[str]:
        """What a command says there."""
        entering = [*_UNSHARE, "sh", "-euc", _ENTER, "sh", str(self.layer), str(self._place), *command]
        return subprocess.run(entering, capture_output=True, text=True, timeout=limit, check=False)


@cache
def refusal() -> str:
    """Why no such machine can be made here; "" when it can."""
    if os.geteuid() != 0:
        return "that needs root"
    made = ["sh", "-ec", "mount -t tmpfs x /mnt; mkdir /mnt/u /mnt/w /mnt/r; "
            "mount -t overlay x -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"]  # fmt: skip
    ran = subprocess.run([*_UNSHARE, *made], capture_output=True, text=True)
    return "" if ran.returncode == 0 else f"no overlay of this machine's root: {ran.stderr.strip()}"


needs_a_machine = pytest.mark.skipif(bool(refusal()), reason=refusal() or "it can be made")
