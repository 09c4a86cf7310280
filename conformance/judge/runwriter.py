"""Writes a run file: it stands beside its place until it is whole, and is then put there in order."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

from conformance.errors import UsageError, WorldError
from conformance.judge.outcome import exit_status
from conformance.judge.runfile import RunFooter, RunHeader, json_object, line_of, part_of, stamp, verdict_line
from conformance.judge.verdict import Verdict, counted


class RunWriter:
    """Writes a run file: the header at once, each verdict at once, the footer at `finish` alone.

    Until then it stands beside `path`, as `NAME.part`; one that is only closed stays there, recognisable as
    cut off.
    """

    def __init__(
        self,
        path: Path,
        header: RunHeader,
        *,
        kept: Iterable[Verdict] = (),
        now: Callable[[], str] = stamp,
    ) -> None:
        """Begin a run, with the verdicts that it has already, in the place of a part that stands there.

        Raises UsageError for a place that is wrong, WorldError for a full disk.
        """
        self.path = path
        self.part = part_of(path)
        self.header = header
        self._now = now
        self._verdicts: dict[str, Verdict] = {}
        # The part is whole up to its last verdict at every moment, also while it is made anew.
        beside = self._beside()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = beside.open("w", encoding="ascii", newline="\n")
            self._write_line(line_of("header", header.to_json()))
            for verdict in kept:
                self.write(verdict_line(verdict))
            beside.replace(self.part)
        except WorldError:
            self.close()
            beside.unlink(missing_ok=True)
            raise
        except OSError as error:
            full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
            kind = WorldError if error.errno in full else UsageError
            raise kind(f"{path}: {error.strerror}", "Name another directory with --out.") from error

    @property
    def count(self) -> int:
        """How many verdicts it holds."""
        return len(self._verdicts)

    @property
    def names(self) -> tuple[str, ...]:
        """The requirements that have their verdict."""
        return tuple(self._verdicts)

    def write(self, line: str) -> Verdict:
        """Write a verdict's line through to the file; what it says.

        Raises ValueError for what no reader would accept.
        """
        data = json_object(line.encode("ascii"))
        if data.pop("kind", None) != "verdict":
            raise ValueError("this is no verdict's line")
        verdict = Verdict.from_json(data)
        if verdict.requirement in self._verdicts:
            raise ValueError(f"{verdict.requirement} has its verdict already")
        self._write_line(line)
        self._verdicts[verdict.requirement] = replace(verdict, record=None)
        return verdict

    def finish(self) -> None:
        """Put the run in its place: in order, with its footer."""
        self.close()
        verdicts = list(self._verdicts.values())
        footer = RunFooter(counted(verdicts), exit_status(verdicts), self._now())
        try:
            header, *lines = self.part.read_bytes().split(b"\n")[:-1]
            in_order = sorted(range(len(verdicts)), key=lambda number: _rank(verdicts[number]))
            whole = [
                header,
                *(lines[number] for number in in_order),
                line_of("footer", asdict(footer)).encode(),
            ]
            with self._beside().open("wb") as file:
                file.write(b"".join(line + b"\n" for line in whole))
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.path)
            self.part.unlink()
        except OSError as error:
            self._beside().unlink(missing_ok=True)
            raise self._full(error) from error

    def close(self) -> None:
        """Leave it as it is, without a footer."""
        with contextlib.suppress(OSError):  # what could not be written was told
            self._file.close()

    def _beside(self) -> Path:
        return self.part.with_name(self.part.name + ".new")

    def _write_line(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> WorldError:
        return WorldError(f"{self.path}: {error.strerror}", "Make room, or name another --out.")


def _rank(verdict: Verdict) -> tuple[bool, str, str]:
    """`base` first, then the patches by number, then by name."""
    return verdict.patch != "base", verdict.patch, verdict.requirement
