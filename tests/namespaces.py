"""The target's agent in Linux namespaces, with the programs of the package qmail-reference: no Docker needed.

`unshare` gives it mounts, processes and a network of its own. Its root is a directory of the test, into which
the machine's programs are bound; what the agent writes there can be read from here.
"""

import asyncio
import compileall
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, Self

import pytest

from conformance.places import data
from conformance.pod.addresses import DNS, SMTPD, TARGET_AGENT
from conformance.pod.base import octets
from conformance.reference.package import package
from conformance.targets.target_agent import packed, unpacked
from tests.agents import LONG, Driver
from tests.reference_tree import members, tar

#: Where the programs of the package run Python: bound at its own place, below directories that all may enter.
_PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"

#: As root the real users' numbers serve; anybody else needs a range of numbers of his own (subuid(5)).
_OWN_USERS = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
_UNSHARE = ["unshare", *_OWN_USERS, "--mount", "--net", "--pid", "--fork", "--kill-child"]

_QMAIL, _NOFILES = 64010, 64020
_USERS = [
    ("root", 0, 0),
    *((name, 64010 + at, _NOFILES) for at, name in enumerate(("alias", "qmaild", "qmaill", "qmailp"))),
    *((name, 64015 + at, _QMAIL) for at, name in enumerate(("qmails", "qmailr", "qmailq"))),
]

_DATA = Path(__file__).parent / "data" / "namespaces"

#: Says its number outside, enters the root that it is given, and runs the command there.
_ENTER = (_DATA / "enter.sh").read_text()

#: What `docker/target/install` does once the package is there.
_INSTALL = """
sh /opt/conformance/postinst configure
mv /var/lib/qmail/queue /opt/conformance/queue
ln -s /var/lib/conformance/queue /var/lib/qmail/queue
ln -s /var/lib/qmail /opt/conformance/qmail
"""

#: What tcpserver does with the options that the agent gives it.
_TCPSERVER = (_DATA / "tcpserver").read_text()

#: Run beside the target: connects there, and hands the socket out over descriptor 0.
_CONNECT = """
import socket, sys, time
for _ in range(1000):
    made = socket.socket(type=int(sys.argv[1]))
    if not made.connect_ex(("127.0.0.1", int(sys.argv[2]))):
        break
    time.sleep(0.01)
socket.send_fds(socket.socket(fileno=0), [b"x"], [made.fileno()])
"""


@cache
def refusal() -> str:
    """Why there are no namespaces here; "" when there are."""
    if missing := [name for name in ("unshare", "nsenter", "perl", "chroot") if shutil.which(name) is None]:
        return f"no {missing[0]} here"
    ran = subprocess.run([*_UNSHARE, "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, text=True)
    return "" if ran.returncode == 0 else f"no namespaces here: {ran.stderr.strip()}"


needs_namespaces = pytest.mark.skipif(bool(refusal()), reason=refusal() or "they are here")


class Root:
    """The root directory of a target, made as `docker/target/install` makes an image of the package."""

    def __init__(self, directory: Path, patches: Sequence[str]) -> None:
        self.directory = directory
        self.qmail = directory / "var/lib/qmail"
        self.state = directory / "var/lib/conformance"
        self.programs = directory / "opt/conformance"
        for place in (directory / "etc", directory / "proc", directory / "tmp", self.state, self.programs):
            place.mkdir(parents=True)
        parts = members(package(patches))
        for part, place in (("data", directory), ("control", self.programs)):
            with tar(parts[f"{part}.tar.gz"]) as archive:
                archive.extractall(place, filter="fully_trusted")
        # /usr is this machine's, so the library and Python move.
        (directory / "usr/lib/qmail-reference").rename(directory / "opt/qmail-reference")
        for program in (self.qmail / "bin").iterdir():
            text = program.read_text().replace("/usr/bin/python3", _PYTHON)
            program.write_text(text.replace("usr/lib/qmail-reference", "opt/qmail-reference"))
        compileall.compile_dir(directory / "opt/qmail-reference", quiet=1)
        users = "".join(f"{name}:x:{uid}:{gid}::/var/lib/qmail/{name}:/bin/sh\n" for name, uid, gid in _USERS)
        (directory / "etc/passwd").write_text(users)
        (directory / "etc/group").write_text(f"root:x:0:\nqmail:x:{_QMAIL}:\nnofiles:x:{_NOFILES}:\n")
        self.program("tcpserver", _TCPSERVER)
        for name in ("agent.pl", "checkpassword", "note"):
            shutil.copy(data("docker", "target", name), self.programs)
        (self.programs / "checkpassword-crash").symlink_to("checkpassword")
        (self.qmail / "control/me").write_text("mx.here.example\n")
        subprocess.run(self.command("sh", "-ec", _INSTALL), stdout=subprocess.DEVNULL, check=True)

    def program(self, name: str, script: str) -> None:
        """Write a program in the place of one of qmail's: a shell script unless it says of what else."""
        path = self.qmail / "bin" / name
        path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def command(self, *command: str) -> list[str]:
        """What runs a command in namespaces of its own, with this root. It writes a number first."""
        return [*_UNSHARE, "sh", "-euc", _ENTER, "sh", str(self.directory), sys.base_prefix, *command]


class Target:
    """agent.pl, running with a root for itself; `process` is what ends with it."""

    def __init__(self, root: Root) -> None:
        self.root = root
        shutil.rmtree(root.state)  # in a container this is a fresh tmpfs
        root.state.mkdir()
        command = root.command("/usr/bin/perl", "/opt/conformance/agent.pl")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline())
        self._beside = ["nsenter", f"--target={self.pid}", "--net", *_OWN_USERS[:1], sys.executable]
        self._control: socket.socket | None = None
        self._answers: BinaryIO | None = None

    def connect(self, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A connection to a port in there."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [*self._beside, "-c", _CONNECT, str(int(kind)), str(port)]
            subprocess.run(command, stdin=theirs, check=True)
            connected = socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])
        connected.settimeout(LONG)
        return connected

    def run(self, *command: str) -> str:
        """What a command writes in there, in its root."""
        entered = [*self._beside[:2], "--mount", "--pid", "--root", *self._beside[2:-1], *command]
        return subprocess.run(entered, stdout=subprocess.PIPE, text=True, check=True).stdout

    def tell(self, octets: bytes) -> None:
        """Octets over the control connection, which is made with the first."""
        if self._control is None:
            self._control = self.connect(TARGET_AGENT[1])
            self._answers = self._control.makefile("rb")
        self._control.sendall(octets)

    def hear(self) -> list[bytes]:
        """The next answer."""
        assert self._answers is not None
        return unpacked(self._answers.read(int.from_bytes(self._answers.read(4), "big")))

    def ask(self, *request: bytes | str) -> list[bytes]:
        """The answer to a request."""
        self.tell(packed([octets(word) if isinstance(word, str) else word for word in request]))
        return self.hear()

    def leave(self) -> None:
        """Close the control connection, as an internet container does that ends."""
        if self._control is not None and self._answers is not None:
            self._answers.close()
            self._control.close()

    def terminate(self) -> None:
        """Tell it to end, as the engine does."""
        os.kill(self.pid, signal.SIGTERM)

    @asynccontextmanager
    async def internet(self) -> AsyncIterator[Driver]:
        """The agent of the internet beside it, on the ports that it has in a container."""
        process = await asyncio.create_subprocess_exec(
            *self._beside, "-m", "conformance.targets.agent",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )  # fmt: skip
        try:
            yield Driver(process, DNS[1], SMTPD[1], TARGET_AGENT[1])
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.leave()
        self.process.kill()
        self.process.communicate()
