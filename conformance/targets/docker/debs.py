"""Candidate .deb files: of a directory, of a .changes or a .dsc file, or one alone, read without dpkg."""

import hashlib
import io
import lzma
import os
import re
import tarfile
import zlib
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from conformance.errors import UsageError
from conformance.inputs import MIB, read_octets, read_text

#: Packages that are a qmail.
QMAIL = ("qmail", "netqmail", "notqmail", "qmail-reference")

#: Octets of one package, and of the control archive in it once that is unpacked.
LARGEST_PACKAGE = 128 * MIB
_LARGEST_CONTROL = 16 * MIB
#: What xz may take to unpack it: dpkg-deb packs with 64 MiB at most.
_XZ_MEMORY = 128 * MIB

_PLACE_HINT = "Name a directory that holds .deb files, one of them, or a build's .changes or .dsc file."

PACKAGE_HINT = "Leave only whole .deb files in the directory."

_NAME = re.compile(r"(?P<package>[a-z0-9][a-z0-9+.-]+)_(?P<version>[^_]+)_(?P<architecture>[a-z0-9-]+)\.deb")


@dataclass(frozen=True)
class Deb:
    """One .deb file and what its control file says."""

    path: Path
    package: str
    version: str
    architecture: str


def deb_files(place: Path) -> list[Path]:
    """Those in a directory by name, those that a .changes file lists, or the one. Raises UsageError.

    A .dsc file stands for the .changes file beside it of the build that was made of it.
    """
    if os.path.isdir(place):
        return sorted(place.glob("*.deb"))
    if not os.path.exists(place):
        raise UsageError(f"debs:{place}: there is no such file or directory", _PLACE_HINT)
    if place.suffix == ".changes":
        return _listed(place)
    if place.suffix == ".dsc":
        return _listed(_build_of(place))
    if place.suffix != ".deb":
        raise UsageError(f"debs:{place}: this is no directory, no .deb and no .changes file", _PLACE_HINT)
    return [place]


def _build_of(source: Path) -> Path:
    """The .changes file of the one build of a source that stands beside it. Raises UsageError."""
    beside = sorted(source.parent.glob(f"{escape(source.stem)}_*.changes"))
    found = [path for path in beside if not path.stem.endswith("_source")]
    if not found:
        what = (
            f"debs:{source}: no build of it stands beside it: there is no {source.stem}_ARCHITECTURE.changes"
        )
        raise UsageError(what, f"Build it first: sbuild {source.name}, or debuild -b in its unpacked tree.")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(f"debs:{source}: several builds stand beside it: {names}", "Name one of them.")
    octets = read_octets(source, _PLACE_HINT)
    listed = re.findall(
        rf"^ (\w{{64}}) \d+ {re.escape(source.name)}$", read_text(found[0], _PLACE_HINT), re.M
    )
    if listed and listed != [hashlib.sha256(octets).hexdigest()]:
        what = f"{source}: this is not the source that {found[0].name} lists, by its SHA-256"
        raise UsageError(what, "Build the package anew, or name the .changes file itself.")
    return found[0]


def _listed(changes: Path) -> list[Path]:
    """The .deb files that it lists, which stand beside it and are as it says. Raises UsageError."""
    text = read_text(changes, _PLACE_HINT)
    field = re.search(r"^Checksums-Sha256:[ \t]*\n((?:[ \t]+\S.*\n)+)", f"{text}\n", re.MULTILINE)
    sums = re.findall(r"^[ \t]+(\S+) (\d{1,12}) ([^\s/]+\.deb)$", field[1] if field else "", re.MULTILINE)
    found = []
    for digest, size, name in sums:
        path = changes.parent / name
        octets = read_octets(path, f"{changes.name} lists it: it must stand beside that.", LARGEST_PACKAGE)
        if (len(octets), hashlib.sha256(octets).hexdigest()) != (int(size), digest):
            what = f"{path}: this is not the file that {changes.name} lists, by its size or its SHA-256"
            raise UsageError(what, "Build the package anew, or name the .deb file itself.")
        found.append(path)
    if not found:
        what = f"{changes}: it lists no .deb file with a SHA-256"
        raise UsageError(what, "That of a source upload does not: build the package for this machine.")
    return sorted(found)


def read_debs(place: Path) -> list[Deb]:
    """The packages of a place, as `deb_files` finds them. One must be a qmail, and none may come twice.

    Raises UsageError.
    """
    debs = [read_deb(path) for path in deb_files(place)]
    if not any(deb.package in QMAIL for deb in debs):
        found = ", ".join(deb.path.name for deb in debs) or "no .deb file at all"
        raise UsageError(
            f"debs:{place}: it holds no package {', '.join(QMAIL[:-1])} or {QMAIL[-1]}, but {found}",
            "build the package first, or name the directory that its .deb files are in",
        )
    seen: dict[tuple[str, str], Deb] = {}
    for deb in debs:
        other = seen.setdefault((deb.package, deb.architecture), deb)
        if other is not deb:
            raise UsageError(
                f"debs:{place}: {other.path.name} and {deb.path.name} are the same package",
                "leave one of them in the directory",
            )
    return debs


def read_deb(path: Path) -> Deb:
    """One package; from its file name when Python cannot read the control file's compression."""
    octets = read_octets(path, PACKAGE_HINT, LARGEST_PACKAGE)
    try:
        control = _control(octets)
    except (ValueError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise UsageError(f"{path}: this is no readable .deb file ({error})", PACKAGE_HINT) from error
    if control is not None:
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", control, re.MULTILINE))
        if {"Package", "Version", "Architecture"} <= set(fields):
            return Deb(path, fields["Package"], fields["Version"], fields["Architecture"])
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise UsageError(f"{path}: neither its control file nor its name says which package it is")
    return Deb(path, named["package"], named["version"].replace("%3a", ":"), named["architecture"])


def _control(octets: bytes) -> str | None:
    """The control file of a package; None when its compression is unknown here (zstd)."""
    members = _members(octets)
    if not any(name.startswith("control.tar") for name, _ in members):
        raise ValueError("it holds no control file")
    for name, content in members:
        if name in ("control.tar", "control.tar.gz", "control.tar.xz"):
            with tarfile.open(fileobj=io.BytesIO(_unpacked(name, content)), mode="r:") as archive:
                for member in archive:
                    file = archive.extractfile(member) if Path(member.name).name == "control" else None
                    if file is not None:
                        return file.read().decode("utf-8", "replace")
    return None


def _unpacked(name: str, content: bytes) -> bytes:
    """A control archive without its compression, of a size that can be: what was packed may be endless."""
    if name.endswith(".gz"):
        gzip = zlib.decompressobj(wbits=31)
        unpacked, whole = gzip.decompress(content, _LARGEST_CONTROL), gzip.eof
    elif name.endswith(".xz"):
        xz = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        unpacked, whole = xz.decompress(content, _LARGEST_CONTROL), xz.eof
    else:
        unpacked, whole = content, len(content) <= _LARGEST_CONTROL
    if not whole:
        most = _LARGEST_CONTROL // MIB
        raise ValueError(f"its control archive is cut off, or larger than {most} MiB when unpacked")
    return unpacked


def _members(octets: bytes) -> list[tuple[str, bytes]]:
    """The members of an ar archive, as deb(5) describes it."""
    if not octets.startswith(b"!<arch>\n"):
        raise ValueError("it does not begin as an ar archive does")
    members = []
    at = 8
    while at < len(octets):
        header = octets[at : at + 60]
        if header[58:] != b"`\n":
            raise ValueError("a member's header is damaged or cut off")
        digits = header[48:58].rstrip(b" ")
        if not digits.isdigit():
            raise ValueError("a member's size is no number")
        size = int(digits)
        if at + 60 + size > len(octets):
            raise ValueError("it is cut off")
        name = header[:16].decode("ascii", "replace").rstrip(" /")
        members.append((name, octets[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    return members
