"""Stored runs as they are named on a command line: a run file, or the directory that it is in."""

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from conformance.errors import UsageError
from conformance.judge.runfile import PART, PartialRun

#: Where runs are written unless --out says otherwise, and what leads to the last one that was whole there.
REPORTS = Path("reports")
LATEST = "latest"

_SUFFIXES = (".jsonl", f".jsonl{PART}")


def is_stored(name: str) -> bool:
    """Whether a word names stored runs, and no target: one of packages and run files is a target."""
    return name.endswith(_SUFFIXES) or (bool(_inside(Path(name))) and not any(Path(name).glob("*.deb")))


def run_files(names: Sequence[str]) -> list[Path]:
    """The run files that are meant: a directory stands for every *.jsonl in it, in order of their names.

    A run that was cut off later than the one in its place was whole stands in for it: it is the newer one.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        inside = _inside(path)
        if os.path.isdir(path) and not inside:
            raise UsageError(
                f"{path}: there is no run file (*.jsonl) in it", "Name a run file, or where one is."
            )
        found += inside or [path]
    return found


def run_file(name: str, target: str | None = None, release: str = "") -> Path:
    """The one that is meant: of those in a directory that of the target, by its name, and on that release.

    Raises UsageError where it is more than one.
    """
    paths = run_files([name])
    if len(paths) > 1 and target:
        headers = {path: PartialRun(path).header for path in paths}
        paths = [path for path, header in headers.items() if header and header.target.name == target] or paths
        there = [path for path in paths if (header := headers[path]) and header.target.release == release]
        paths = there if len(there) == 1 else paths
    if len(paths) > 1:
        named = ", ".join(path.name for path in paths)
        raise UsageError(f"{name}: {len(paths)} runs are in it, and one is meant", f"Name its file: {named}")
    return paths[0]


def _inside(path: Path) -> list[Path]:
    if not os.path.isdir(path):
        return []
    parts = sorted(path.glob(f"*.jsonl{PART}"))
    return sorted({*path.glob("*.jsonl"), *parts} - {part.with_suffix("") for part in parts})


def mark_latest(out: Path) -> None:
    """Let `reports/latest` lead to a run in `reports/` that is whole now.

    Where no link can be made, or something else has the name, nothing is done.
    """
    place = Path(os.path.realpath(out))
    link = REPORTS / LATEST
    if place.parent != Path(os.path.realpath(REPORTS)) or (os.path.lexists(link) and not link.is_symlink()):
        return
    beside = REPORTS / f".{secrets.token_hex(8)}.new"
    with contextlib.suppress(OSError):
        beside.symlink_to(place.name)
        try:
            beside.replace(link)
        except OSError:
            beside.unlink()
