"""The run file: JSON Lines with a header, one line per verdict, and a footer.

Each line stands in the file as soon as it is known. A file without its footer was cut off, and is an
error for every reader but `read_partial`, which serves to say what was kept.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from conformance.errors import EXIT_AS_EXPECTED, EXIT_MEANINGS, EXIT_USAGE, UsageError, WorldError
from conformance.inputs import STORED_RUN, read_octets
from conformance.judge.outcome import exit_status
from conformance.judge.verdict import Verdict, counted
from conformance.pod.codec import decode
from conformance.targets.target import Target

SCHEMA = 2


@dataclass(frozen=True)
class RunHeader:
    """What was run: the target, when (ISO 8601, UTC), by which version of the suite, where the queue was
    ("tmpfs", "memory", …), and the selection in words ("" for everything)."""

    target: Target
    started: str
    suite: str
    queue: str
    selection: str


@dataclass(frozen=True)
class RunFooter:
    """How it ended: counts by verdict and by assessment, the exit status, and when (ISO 8601, UTC)."""

    counts: dict[str, int]
    exit_status: int
    finished: str


@dataclass(frozen=True)
class Run:
    """One target's verdicts, whole."""

    path: Path
    header: RunHeader
    verdicts: tuple[Verdict, ...]
    footer: RunFooter

    @property
    def target(self) -> Target:
        return self.header.target


def verdict_line(verdict: Verdict) -> str:
    """A verdict as it stands in a run file, without the line's end. Raises ValueError for what JSON lacks."""
    return _line("verdict", verdict.to_json())


def _line(kind: str, data: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, **data}, allow_nan=False)


def stamp() -> str:
    """The time as it stands in a run file."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunWriter:
    """Writes a run file: the header at once, each verdict at once, the footer at `finish` alone.

    One that is only closed stays recognisable as cut off.
    """

    def __init__(self, path: Path, header: RunHeader, *, now: Callable[[], str] = stamp) -> None:
        """Open `path` (its directory is made). Raises UsageError when it cannot be written."""
        self.path = path
        self._now = now
        self._verdicts: dict[str, Verdict] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = path.open("w", encoding="ascii", newline="\n")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", "Name another directory with --out.") from error
        self._write_line(
            _line("header", {"schema": SCHEMA, **asdict(header), "target": header.target.to_json()})
        )

    def write(self, line: str) -> Verdict:
        """Write a verdict's line through to the file; what it says.

        Raises ValueError for what no reader would accept.
        """
        data = _object(line.encode("ascii"))
        if data.pop("kind", None) != "verdict":
            raise ValueError("this is no verdict's line")
        verdict = Verdict.from_json(data)
        if verdict.requirement in self._verdicts:
            raise ValueError(f"{verdict.requirement} has its verdict already")
        self._write_line(line)
        self._verdicts[verdict.requirement] = replace(verdict, record=None)
        return verdict

    def finish(self) -> None:
        """Write the footer and close."""
        verdicts = self._verdicts.values()
        footer = RunFooter(counted(verdicts), exit_status(verdicts), self._now())
        self._write_line(_line("footer", asdict(footer)))
        self.close()

    def close(self) -> None:
        """Close without a footer, unless there is one."""
        self._file.close()

    def _write_line(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise WorldError(f"{self.path}: {error.strerror}", "Make room, or name another --out.") from error


def read_run(path: Path) -> Run:
    """Read a whole run. Raises UsageError that names the file, the line and what to do."""
    partial = PartialRun(path)
    if partial.header is None:
        raise UsageError(f"{path}: {partial.problem}", "Name a run file as this suite writes it, unchanged.")
    if partial.problem or partial.footer is None:
        hint = f"The run was cut off or the file was changed; run it again ({partial.kept})."
        raise UsageError(f"{path}: {partial.problem}", hint)
    return Run(path, partial.header, partial.verdicts, partial.footer)


class PartialRun:
    """What a file holds up to the first line that is wrong; `problem` says what is, "" when nothing is.

    Raises UsageError only when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: RunHeader | None = None
        self.footer: RunFooter | None = None
        self._verdicts: dict[str, Verdict] = {}
        self.problem = ""
        *lines, rest = read_octets(path, _which(path), STORED_RUN).split(b"\n")
        taken = 0
        try:
            for line in lines:
                self._take(line)
                taken += 1
            self._end(rest)
        except (ValueError, RecursionError) as error:
            self.problem = f"line {taken + 1}: {error}"

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(self._verdicts.values())

    @property
    def kept(self) -> str:
        """For the message of a run that was cut off."""
        noun = "verdict" if len(self._verdicts) == 1 else "verdicts"
        return f"what was recorded is kept in {self.path}: {len(self._verdicts)} {noun}"

    def _take(self, line: bytes) -> None:
        if self.footer is not None:
            raise ValueError("there is more after the footer")
        data = _object(line)
        kind = data.pop("kind", None)
        if (kind == "header") is not (self.header is None):
            raise ValueError("the header stands in the first line and nowhere else")
        if kind == "header":
            self.header = _header(data)
        elif kind == "verdict":
            verdict = Verdict.from_json(data)
            if verdict.requirement in self._verdicts:
                raise ValueError(f"a second verdict on {verdict.requirement}")
            self._verdicts[verdict.requirement] = verdict
        elif kind == "footer":
            footer = decode(RunFooter, data)
            _check_stamp(footer.finished)
            _check_status(footer, self._verdicts)
            self.footer = footer
        else:
            raise ValueError(f"kind is {kind!r}, not header, verdict or footer")

    def _end(self, rest: bytes) -> None:
        if self.header is None and not rest:
            raise ValueError("the file is empty")
        if rest:
            self.footer = None
            raise ValueError("the line is cut off")
        if self.footer is None:
            raise ValueError("the footer is missing")


def _which(path: Path) -> str:
    """What to name instead of a path that is no run file."""
    inside = sorted(path.glob("*.jsonl")) if path.is_dir() else []
    return f"Name a run file in it, such as {inside[0]}." if inside else "Name a run file (*.jsonl)."


def _object(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except ValueError as error:
        # Of numbers of many digits Python says what a programmer could do, after a semicolon.
        raise ValueError(f"no JSON: {str(error).partition(';')[0]}") from error
    if isinstance(data, dict):
        return data
    raise ValueError("no JSON object")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _header(data: dict[str, Any]) -> RunHeader:
    if (schema := data.pop("schema", None)) != SCHEMA:
        raise ValueError(f"schema is {schema!r}; this version of the suite reads schema {SCHEMA}")
    header = decode(RunHeader, data)
    if header.target.location:
        raise ValueError("header.target: unknown: 'location'")
    _check_stamp(header.started)
    return header


def _check_status(footer: RunFooter, verdicts: Mapping[str, Verdict]) -> None:
    counts = counted(verdicts.values())
    if footer.counts != counts:
        raise ValueError(f"the footer counts {footer.counts}, and the file holds {counts}")
    if footer.exit_status not in EXIT_MEANINGS or footer.exit_status == EXIT_USAGE:
        raise ValueError(f"exit status {footer.exit_status} has no meaning for a run")
    borne_out = exit_status(verdicts.values())
    if footer.exit_status == EXIT_AS_EXPECTED != borne_out:
        raise ValueError(f"exit status 0, but the verdicts say {borne_out}: {EXIT_MEANINGS[borne_out]}")


def _check_stamp(text: str) -> None:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValueError(f"{text!r} is no time in ISO 8601 with its zone")
