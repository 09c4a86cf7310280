"""What several commands take from their options, and how they say what takes long."""

import argparse
import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from conformance import stopping
from conformance.cli.stored import REPORTS
from conformance.cli.writing import unwritable
from conformance.errors import UsageError
from conformance.harmless import printable
from conformance.targets.image_options import Images

STANDARD_OUTPUT = "-"


def images(options: argparse.Namespace, *, several: bool = False) -> Images:
    """How images are made, by the options, by the environment and by the project.

    Raises UsageError for what is wrong with that, and for several releases unless there may be `several`.
    """
    chosen = Images.chosen(lambda name: getattr(options, name), options.project.defaults)
    if len(chosen.each_release()) > 1 and not several:
        what = f"`{options.command}` takes one release, and here are several: {chosen.release}"
        raise UsageError(what, "Name one with --release; `run`, `compare` and `gate` take several.")
    return chosen


@contextlib.contextmanager
def output_directory(options: argparse.Namespace) -> Iterator[Path]:
    """Where --out or --resume says, or else a directory of its own below reports/, for this command alone.

    It is made, and removed when nothing was written. Raises UsageError while another command writes there.
    """
    resumed = getattr(options, "resume", None)
    if resumed and not Path(resumed).is_dir():
        raise UsageError(f"--resume {resumed}: there is no such directory", "Name the --out of the run.")
    given = resumed or options.out
    made = stopping.directories
    path = Path(given) if given else REPORTS / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    try:
        for missing in reversed([each for each in path.parents if not each.exists()]):
            missing.mkdir(exist_ok=True)
            made.append(missing)
        path = _make(path, made) if given else _make_own(path, made)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        _lock(lock, path)
        yield path
    finally:
        os.close(lock)
        while made:
            with contextlib.suppress(OSError):  # it is not empty
                made.pop().rmdir()


def _make(path: Path, made: list[Path]) -> Path:
    if not path.is_dir():
        path.mkdir()
        made.append(path)
    return path


def _make_own(path: Path, made: list[Path]) -> Path:
    """A directory that nobody else has: a number follows where two begin in the same second."""
    for number in count(2):
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            break
        path = path.with_name(f"{path.name.partition('_')[0]}_{number}")
    made.append(path)
    return path


def _lock(descriptor: int, path: Path) -> None:
    """The directory itself is locked, so that nothing is left behind, however we end."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems know no locks on directories.
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            hint = "Wait until it has ended, or name another --out."
            raise UsageError(f"{path}: another command is writing there", hint) from error


def refuse_standard_output(annotations: str | None) -> None:
    """UsageError for annotations there, where every `::` at the start of a line is made harmless."""
    if annotations == STANDARD_OUTPUT:  # a build might have said it
        raise UsageError("--annotations takes a file", "Write it to one, and `cat` that in the job.")


def refuse_overwriting(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """UsageError where a file to be written is one that is read, by whatever name, or two are the same."""
    read = [Path(name) for name in inputs if os.path.exists(name)]
    written: set[str] = set()
    for path in map(Path, outputs):
        for other in read:
            if os.path.exists(path) and path.samefile(other):
                what = f"{path}: it would be written over, and it is what is read ({other})"
                raise UsageError(what, "Name another file.")
        place = os.path.realpath(path)
        if place in written:
            raise UsageError(f"{path}: two things would be written there", "Give each a file of its own.")
        written.add(place)


def note(line: str) -> None:
    """Say on standard error what takes long."""
    print(printable(f"{line} ..."), file=sys.stderr, flush=True)
