"""Builds the package `qmail-reference`: the reference as programs, in the places where qmail's own stand.

A .deb is an ar archive of two tar files (deb(5)); both are written here, so that no dpkg is needed. The same
files and patches give the same octets: times, owners and order are fixed.
"""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

import conformance
from conformance.catalogue.builtin import claim_words
from conformance.reference.programs.place import PATCHES_FILE
from conformance.reference.programs.queuefiles import SPLIT

PACKAGE = "qmail-reference"

#: Program -> the module of `conformance.reference.programs` and the function that it is.
PROGRAMS = {
    "qmail-smtpd": ("smtpd", "main"),
    "qmail-queue": ("queue", "main"),
    "qmail-remote": ("remote", "main"),
    "qmail-send": ("send", "main"),
    "qmail-start": ("send", "main"),
    "qmail-verify": ("verify", "main"),
    "qmail-newu": ("tables", "newu"),
    "qmail-newmrh": ("tables", "newmrh"),
}

#: Seconds since the epoch that every file of the package bears.
_TIME = 1_700_000_000

_LIBRARY = "usr/lib/qmail-reference"
_HOME = "var/lib/qmail"


@dataclass(frozen=True)
class PackageEntry:
    """A directory (neither content nor target), a file or a link of the package."""

    mode: int
    content: bytes = b""
    target: str = ""
    directory: bool = False


def version(patches: Sequence[str]) -> str:
    """The package's version: the suite's, and which patches it carries."""
    return f"{conformance.__version__}+{claim_words(patches).replace(',', '.') or 'stock'}"


def file_name(patches: Sequence[str]) -> str:
    """What the file of the package that carries `patches` is called."""
    return f"{PACKAGE}_{version(patches)}_all.deb"


def package(patches: Sequence[str]) -> bytes:
    """The octets of the package that carries `patches`."""
    entries = contents(patches)
    size = sum(len(entry.content) + 1023 for entry in entries.values()) // 1024
    carried = f"with the patches {', '.join(patches)}" if patches else "without any patch"
    text = _text("control").format(package=PACKAGE, version=version(patches), size=size, carried=carried)
    control = {"./control": PackageEntry(0o644, text.encode())}
    for name in ("postinst", "prerm", "postrm"):
        control[f"./{name}"] = PackageEntry(0o755, _text(name).encode())
    return _ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar(control),
            "data.tar.gz": _tar({f"./{name}": entry for name, entry in entries.items()}),
        }
    )


def _text(name: str) -> str:
    return (Path(__file__).parent / "programs" / "maintainer" / name).read_text(encoding="utf-8")


def contents(patches: Sequence[str]) -> Dict[str, PackageEntry]:
    """What the package installs: path below / -> entry, every directory among them."""
    entries: Dict[str, PackageEntry] = {
        f"{_LIBRARY}/{PATCHES_FILE}": PackageEntry(
            0o644, "".join(f"{patch}\n" for patch in patches).encode()
        ),
        "etc/qmail": PackageEntry(0o755, directory=True),
        "etc/qmail/users": PackageEntry(0o755, directory=True),
        f"{_HOME}/alias": PackageEntry(0o755, directory=True),
        f"{_HOME}/control": PackageEntry(0o777, target="../../../etc/qmail"),
        f"{_HOME}/users": PackageEntry(0o777, target="../../../etc/qmail/users"),
    }
    reference = Path(__file__).parent
    sources = [reference.parent / "__init__.py", *reference.rglob("*.py")]
    for source in sources:
        # Programs never have flaws.
        if source != Path(__file__) and source.parent.name != "flaws":
            name = source.relative_to(reference.parent.parent).as_posix()
            entries[f"{_LIBRARY}/{name}"] = PackageEntry(0o644, source.read_bytes())
    for name, (module, function) in PROGRAMS.items():
        launcher = _text("launcher").format(library=_LIBRARY, module=module, function=function)
        entries[f"{_HOME}/bin/{name}"] = PackageEntry(0o755, launcher.encode())
    entries.update({f"{_HOME}/queue/{name}": entry for name, entry in _queue().items()})
    for name in list(entries):
        for parent in Path(name).parents:
            entries.setdefault(parent.as_posix(), PackageEntry(0o755, directory=True))
    return dict(sorted(entries.items()))


def _queue() -> Dict[str, PackageEntry]:
    """The queue. Whoever calls qmail-queue writes in it himself: a script cannot be setuid."""
    everybody, nobody = PackageEntry(0o1777, directory=True), PackageEntry(0o755, directory=True)
    entries = {name: everybody for name in ("pid", "intd", "todo")}
    entries.update({"lock": nobody, "bounce": nobody})
    for part in range(SPLIT):
        entries[f"mess/{part}"] = everybody
        entries.update({f"{kind}/{part}": nobody for kind in ("info", "local", "remote")})
    entries["lock/sendmutex"] = PackageEntry(0o600)
    entries["lock/tcpto"] = PackageEntry(0o644, bytes(1024))
    return entries


def _tar(entries: Dict[str, PackageEntry]) -> bytes:
    """A compressed tar file of the entries, in their order."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, entry in entries.items():
            member = tarfile.TarInfo("./" if name == "./." else name)
            member.mode, member.mtime = entry.mode, _TIME
            member.uname = member.gname = "root"
            member.size = len(entry.content)
            if entry.directory:
                member.type = tarfile.DIRTYPE
            elif entry.target:
                member.type, member.linkname = tarfile.SYMTYPE, entry.target
            archive.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def _ar(members: Dict[str, bytes]) -> bytes:
    """An ar archive as deb(5) wants it."""
    parts: List[bytes] = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{_TIME:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode("ascii"))
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)
