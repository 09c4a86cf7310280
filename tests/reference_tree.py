"""The package qmail-reference, unpacked into a directory, as its programs find themselves when installed."""

import io
import os
import select
import socket
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from conformance.reference.package import package

#: Whom the programs run under; another one, such as Python 3.8, may be named here.
PYTHON = os.environ.get("QMAIL_REFERENCE_PYTHON", sys.executable)

#: Seconds after which a test gives up.
PATIENCE = 30.0

CONTROL = {
    "me": "mx.here.example\n",
    "rcpthosts": "here.example\n",
    "locals": "here.example\n",
    "timeoutsmtpd": "20\n",
    "timeoutremote": "5\n",
}
USERS = ("alice", "bob")


def members(deb: bytes) -> dict[str, bytes]:
    """The members of an ar archive by name, in order."""
    assert deb.startswith(b"!<arch>\n")
    found, at = {}, 8
    while at < len(deb):
        name, size = deb[at : at + 16].decode().strip(), int(deb[at + 48 : at + 58])
        found[name] = deb[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def tar(octets: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(octets))


class Tree:
    """One unpacked package below `root`; `home` is qmail's home in it."""

    def __init__(self, root: Path, patches: Sequence[str]) -> None:
        self.home = root / "var/lib/qmail"
        with tar(members(package(patches))["data.tar.gz"]) as archive:
            archive.extractall(root, filter="tar")
        for program in (self.home / "bin").iterdir():
            program.write_text(program.read_text().replace("#!/usr/bin/python3", f"#!{PYTHON}"))
        os.mkfifo(self.home / "queue/lock/trigger")
        for name, text in CONTROL.items():
            self.control(name, text)
        assign = ""
        for user in USERS:
            for part in ("new", "cur", "tmp"):
                (root / "homes" / user / "Maildir" / part).mkdir(parents=True)
            place = f"{user}:{os.getuid()}:{os.getgid()}:{root}/homes/{user}"
            assign += f"={user}:{place}:::\n+{user}-:{place}:-::\n"
        # On a machine with qmail there is an account of that name, whose home is not ours.
        assign += f"=alias:alias:{os.getuid()}:{os.getgid()}:{self.home}/alias:::\n"
        self.homes = root / "homes"
        (self.home / "users/assign").write_text(assign + ".\n")

    def control(self, name: str, text: str) -> None:
        (self.home / "control" / name).write_text(text)

    def program(self, name: str, script: str) -> str:
        """Write a shell script in place of a program, or beside them; its path."""
        path = self.home / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    def path(self, name: str) -> str:
        return str(self.home / "bin" / name)

    def run(self, name: str, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end, within PATIENCE."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": PATIENCE, **options}
        return subprocess.run([self.path(name), *words], **options)

    def files(self, kind: str) -> list[Path]:
        """The files of one kind in the queue."""
        return [path for path in (self.home / "queue" / kind).rglob("*") if path.is_file()]

    def mail(self, user: str) -> list[str]:
        """The messages in a user's Maildir."""
        new = self.homes / user / "Maildir/new"
        return [path.read_bytes().decode("latin-1") for path in sorted(new.iterdir())]

    def hand_in(self, sender: str, *recipients: str, envelope: bytes | None = None) -> int:
        """Run qmail-queue; its exit status."""
        if envelope is None:
            envelope = f"F{sender}\0".encode() + b"".join(f"T{r}\0".encode() for r in recipients) + b"\0"
        written = self.homes / "envelope"
        written.write_bytes(envelope)
        with written.open("rb") as addresses:
            return self.run("qmail-queue", input=b"Subject: x\n\nhello\n", stdout=addresses).returncode


class Smtp:
    """A client of qmail-smtpd, which runs between the ends of a socket pair; it has heard the greeting."""

    def __init__(
        self, tree: Tree, environment: dict[str, str] | None = None, checks: Sequence[str] = ()
    ) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        ours.settimeout(PATIENCE)
        variables = {"PATH": "/usr/bin:/bin", "TCPREMOTEIP": "127.0.0.9", **(environment or {})}
        self._process = subprocess.Popen(
            [tree.path("qmail-smtpd"), *checks],
            env=variables,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self._lines = ours.makefile("r", encoding="latin-1", newline="\r\n")
        self.greeting = self.line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def line(self) -> str:
        """The next line from the server; "" when it closed."""
        return self._lines.readline().rstrip("\r\n")

    def say(self, *lines: str) -> str:
        """Send lines; the reply's last line to the last of them."""
        for text in lines:
            self._socket.sendall(text.encode("latin-1") + b"\r\n")
            reply = self.line()
            while reply[3:4] == "-":
                reply = self.line()
        return reply

    def end(self) -> tuple[int, str]:
        """Leave; exit status and log of qmail-smtpd."""
        self._lines.close()
        self._socket.close()
        _, log = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, log.decode("latin-1")


class Sending:
    """qmail-start, running."""

    def __init__(self, tree: Tree) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [tree.path("qmail-start"), "./Maildir/"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that select sees all that is unread
            env={"PATH": "/usr/bin:/bin"},
        )

    def wait_for(self, *beginnings: str) -> str:
        """Read the log up to lines that begin so, one after the other; the last of them."""
        assert self.process.stdout is not None
        for beginning in beginnings:
            line = ""
            while not line.startswith(beginning):
                assert select.select([self.process.stdout], [], [], PATIENCE)[0], (beginning, self.lines)
                line = self.process.stdout.readline().decode("latin-1").rstrip("\n")
                assert line, f"qmail-start ended: {self.lines}"
                self.lines.append(line)
        return line

    def end(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
