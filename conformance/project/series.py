"""The patches of a Debian package: of a quilt series, a directory of diffs, or a source package (.dsc)."""

import io
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from conformance.errors import UsageError
from conformance.inputs import LONG, MIB, read_octets

_HINT = "name debian/patches/series, a directory of diffs, or a .dsc file"

#: The most that is read of the packaging in a source package.
_LARGEST = 64 * MIB
#: What xz may take to unpack it.
_XZ_MEMORY = 128 * MIB

_DIFF = re.compile(r"[^/]+\.(diff|patch|dpatch)")
#: A Subject may be folded; of a Description the first line is the short one, as of a package.
_SUBJECT = re.compile(
    r"^(?:Subject:[ \t]*(?:\[[^]\n]*\][ \t]*)?(.+(?:\n[ \t]+\S.*)*)|Description:[ \t]*(?:\n[ \t]+)?(.+))",
    re.MULTILINE,
)


def read_series(path: Path) -> list[tuple[str, str]]:
    """The files of the patches in order, each with the title that its head gives, "" where it gives none.

    Raises UsageError.
    """
    if os.path.isdir(path):
        texts = {
            each.name: _head(read_octets(each, _HINT, LONG)) for each in path.iterdir() if each.is_file()
        }
        return _told(sorted(filter(_DIFF.fullmatch, texts)), texts, str(path))
    if path.suffix == ".dsc":
        return _of_source(path)
    names = _listed(read_octets(path, _HINT).decode("utf-8-sig", "replace"))
    texts = {}
    for name in names:
        if os.path.isfile(path.parent / name):
            texts[name] = _head(read_octets(path.parent / name, _HINT, LONG))
    return _told(names, texts, str(path))


def _listed(series: str) -> list[str]:
    """The names in a quilt series: what follows one on its line are options of patch."""
    lines = (line.partition("#")[0].split() for line in series.splitlines())
    return [words[0] for words in lines if words]


def _told(names: list[str], texts: Mapping[str, str], where: str) -> list[tuple[str, str]]:
    if not names:
        raise UsageError(f"{where}: no patch is named there", _HINT)
    return [(Path(name).name, title_of(texts.get(name, ""))) for name in names]


def title_of(head: str) -> str:
    """What the first lines of a patch say that it is: its Subject or Description, as DEP 3 has them."""
    found = _SUBJECT.search(head)
    return " ".join((found[1] or found[2]).split()) if found else ""


def _head(octets: bytes) -> str:
    """What stands before the first change."""
    text = octets.decode("utf-8-sig", "replace")
    return re.split(r"^(?:---|diff|===|Index:) ", text, maxsplit=1, flags=re.M)[0]


def _of_source(path: Path) -> list[tuple[str, str]]:
    """The patches of a source package, whose other files stand beside its .dsc."""
    described = read_octets(path, _HINT).decode("utf-8", "replace")
    names = dict.fromkeys(re.findall(r"^ [0-9a-f]{32,} \d+ ([\w.+~-]+)$", described, re.MULTILINE))
    for name in names:
        if re.search(r"\.debian\.tar\.(gz|xz)$", name):
            files = _of_tar(path.parent / name)
        elif name.endswith(".diff.gz"):
            files = _of_diff(_unpacked(path.parent / name).decode("utf-8", "replace"))
        else:
            continue
        if series := files.get("debian/patches/series"):
            listed = _listed(series)
            texts = {each: _head(files.get(f"debian/patches/{each}", "").encode()) for each in listed}
            return _told(listed, texts, str(path))
        heads = {
            each.removeprefix("debian/diff/"): _head(text.encode())
            for each, text in files.items()
            if each.startswith("debian/diff/")
        }
        return _told(sorted(filter(_DIFF.fullmatch, heads)), heads, str(path))
    raise UsageError(f"{path}: it names no packaging (.debian.tar.gz, .debian.tar.xz, .diff.gz)", _HINT)


def _of_tar(path: Path) -> dict[str, str]:
    """The patches of a packaging, and its series, by their paths."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(path)), mode="r:") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                file = archive.extractfile(member) if re.match(r"debian/(diff|patches)/", name) else None
                if file is not None:
                    found[name] = file.read().decode("utf-8", "replace")
    except tarfile.TarError as error:
        raise UsageError(f"{path}: this is no readable archive ({error})", _HINT) from error
    return found


def _of_diff(text: str) -> dict[str, str]:
    """The same of a packaging that is one diff: what it adds below debian/."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("+++ "):
            name = line[4:].split("\t")[0].partition("/")[2]
            lines = found.setdefault(name, []) if re.match(r"debian/(diff|patches)/", name) else None
        elif lines is not None and line.startswith("+"):
            lines.append(line[1:])
    return {name: "\n".join(added) for name, added in found.items()}


def _unpacked(path: Path) -> bytes:
    octets = read_octets(path, _HINT, _LARGEST)
    try:
        if path.suffix == ".xz":
            xz = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            unpacked, whole = xz.decompress(octets, _LARGEST), xz.eof
        else:
            gzip = zlib.decompressobj(wbits=31)
            unpacked, whole = gzip.decompress(octets, _LARGEST), gzip.eof
    except (lzma.LZMAError, zlib.error) as error:
        raise UsageError(f"{path}: it cannot be unpacked ({error})", _HINT) from error
    if not whole:
        raise UsageError(f"{path}: it is cut off, or larger than {_LARGEST // MIB} MiB when unpacked", _HINT)
    return unpacked
