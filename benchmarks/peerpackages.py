"""Where the tools come from that `peers.py` measures against: the PATH, or Debian packages, unpacked.

Nothing is installed and no daemon is started: `apt-get download` fetches a package and those that it needs
and this machine lacks, `dpkg -x` unpacks them into a directory of their own, and the tools run from there
with a library path of their own. None of it needs root. Where a tool cannot be had so, `PeerMissing` says
what to do.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: The Debian package of each tool.
PACKAGES = {"smtp-source": "postfix", "smtp-sink": "postfix", "nsd": "nsd", "dnsperf": "dnsperf"}

#: Where programs stand in a package.
_DIRECTORIES = ("usr/sbin", "usr/bin", "sbin", "bin")
#: Daemons and their tools stand in directories that the PATH of an ordinary user lacks.
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_MOST_SECONDS = 300


class PeerMissing(LookupError):
    """A tool that cannot be had here: why, and what to do."""


@dataclass(frozen=True)
class Tool:
    """A program and the environment that it needs; None: that of this process."""

    path: str
    environment: dict[str, str] | None = None


class Peers:
    """Finds the tools; those that are not on the PATH are unpacked below `store`, one directory a package."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._found: dict[str, Tool | PeerMissing] = {}

    def tool(self, name: str) -> Tool:
        """The tool of this name. Raises PeerMissing, for the same tool always with the same reason."""
        if name not in self._found:
            try:
                self._found[name] = self._find(name)
            except PeerMissing as reason:
                self._found[name] = reason
        found = self._found[name]
        if isinstance(found, PeerMissing):
            raise found
        return found

    def _find(self, name: str) -> Tool:
        here = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM]))
        if here is not None:
            return Tool(here)
        package = PACKAGES[name]
        lacking = [tool for tool in ("apt-get", "dpkg", "ldd") if shutil.which(tool) is None]
        if lacking:
            raise PeerMissing(
                f"{name} is not here, and without {' and '.join(lacking)} it cannot be fetched: "
                f"install what Debian calls {package}"
            )
        directory = self._store / package
        if directory.is_dir():
            # Unpacked for the machine as it was then: a library that it had may have gone since.
            tool, lacks = unpacked(directory, name)
            if not lacks:
                return tool
        print(f"  fetching {package} with apt-get, into {directory}", file=sys.stderr, flush=True)
        _fetch(package, directory)
        tool, lacks = unpacked(directory, name)
        if lacks:
            raise PeerMissing(f"{name} lacks {', '.join(lacks)}: {_advice(package)}")
        return tool


@contextmanager
def peers(kept: Path | None) -> Iterator[Peers]:
    """The tools, unpacked in `kept` where the next run finds them, or in a directory that goes at the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield Peers(kept.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="peers-") as store:
        yield Peers(Path(store))


def unpacked(directory: Path, name: str) -> tuple[Tool, list[str]]:
    """A tool below a directory of unpacked packages, and what it lacks in order to run."""
    path = shutil.which(name, path=os.pathsep.join(str(directory / place) for place in _DIRECTORIES))
    if path is None:
        return Tool(name), [f"the program {name}"]
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(library_directories(directory))}
    said = subprocess.run(["ldd", path], env=environment, capture_output=True, text=True, check=False)
    return Tool(path, environment), missing_libraries(said.stdout + said.stderr)


def library_directories(directory: Path) -> list[str]:
    """Directories below `directory` that hold shared libraries, wherever the packages put them."""
    return sorted({str(file.parent) for pattern in ("*.so", "*.so.*") for file in directory.rglob(pattern)})


def missing_libraries(said: str) -> list[str]:
    """The libraries, and versions of them, that `ldd` did not find, each once."""
    libraries = re.findall(r"^\s*(\S+) => not found", said, re.MULTILINE)
    versions = re.findall(r"version [`'](\S+)' not found", said)
    return list(dict.fromkeys([*libraries, *versions]))


def newly_installed(said: str) -> list[str]:
    """The packages that `apt-get --simulate install` would add.

    Those that it would replace (their old version stands in brackets) are here already and are left out: the
    C library among them would not even work beside the machine's own loader.
    """
    return re.findall(r"^Inst (\S+) \(", said, re.MULTILINE)


def why(said: str) -> str:
    """The error in what apt-get wrote to standard error, in one line."""
    errors = [line[3:].strip() for line in said.splitlines() if line.startswith("E: ")]
    return errors[0] if errors else (said.strip().splitlines() or ["no reason given"])[-1]


class _Failed(Exception):
    """A command that failed, with its reason."""


def _run(command: list[str], directory: Path) -> str:
    """What a command wrote, in English. Raises _Failed."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, timeout=_MOST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise _Failed(f"{command[0]} took longer than {_MOST_SECONDS} s") from error
    if done.returncode:
        raise _Failed(why(done.stderr))
    return done.stdout


def _fetch(package: str, directory: Path) -> None:
    """Download a package and what it needs, and unpack all into `directory`. Raises PeerMissing."""
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=directory.parent) as name:
        scratch = Path(name)
        archives, tree = scratch / "archives", scratch / "tree"
        archives.mkdir()
        tree.mkdir()
        try:
            try:
                _download(package, archives, [])
            except _Failed:
                # The machine's lists are empty or too old. Lists of our own need no root and change nothing.
                _download(package, archives, _own_lists(scratch))
            for archive in sorted(archives.glob("*.deb")):
                _run(["dpkg", "-x", str(archive), str(tree)], scratch)
        except _Failed as error:
            raise PeerMissing(f"{package} could not be fetched ({error}): {_advice(package)}") from error
        # Under its name there stands only what is whole.
        shutil.rmtree(directory, ignore_errors=True)
        tree.rename(directory)


def _download(package: str, archives: Path, options: list[str]) -> None:
    apt = ["apt-get", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", *options]
    # apt's own user, whom root hands downloads to, may not enter a private directory.
    apt += ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    if options:
        _run([*apt, "update"], archives)
    said = _run([*apt, "--simulate", "--no-install-recommends", "install", package], archives)
    _run([*apt, "download", *dict.fromkeys([package, *newly_installed(said)])], archives)


def _own_lists(scratch: Path) -> list[str]:
    """Options that make apt-get keep lists of packages in `scratch`."""
    for name in ("lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    return ["-o", f"Dir::State::lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}"]


def _advice(package: str) -> str:
    return f"see to apt's sources and the network, or install it: apt-get install {package}"
