"""The run file: JSON Lines with a header, one line per verdict, and a footer.

Each line stands in the file as soon as it is known. A file without its footer was cut off, and is an
error for every reader but `read_partial`, which serves to say what was kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, get_args

from conformance.errors import EXIT_AS_EXPECTED, EXIT_MEANINGS, EXIT_USAGE, UsageError, WorldError
from conformance.judge.outcome import exit_status
from conformance.judge.verdict import Verdict, check_keys, check_type, counted
from conformance.targets.target import Kind, Target

SCHEMA = 2


@dataclass(frozen=True)
class Header:
    """What was run: the target, when (ISO 8601, UTC), by which version of the suite, where the queue was
    ("tmpfs", "memory", …), and the selection in words ("" for everything)."""

    target: Target
    started: str
    suite: str
    queue: str
    selection: str

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "header",
            "schema": SCHEMA,
            "target": self.target.to_json(),
            "started": self.started,
            "suite": self.suite,
            "queue": self.queue,
            "selection": self.selection,
        }


@dataclass(frozen=True)
class Footer:
    """How it ended: counts by verdict and by standing, the exit status, and when (ISO 8601, UTC)."""

    counts: dict[str, int]
    exit_status: int
    finished: str

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "footer",
            "counts": self.counts,
            "exit_status": self.exit_status,
            "finished": self.finished,
        }


@dataclass(frozen=True)
class Run:
    """One target's verdicts, whole."""

    path: Path
    header: Header
    verdicts: tuple[Verdict, ...]
    footer: Footer

    @property
    def target(self) -> Target:
        return self.header.target


@dataclass(frozen=True)
class PartialRun:
    """What a file holds up to the first line that is wrong; `problem` says what is, "" when nothing is."""

    path: Path
    header: Header | None
    verdicts: tuple[Verdict, ...]
    footer: Footer | None
    problem: str

    @property
    def kept(self) -> str:
        """For the message of a run that was cut off."""
        noun = "verdict" if len(self.verdicts) == 1 else "verdicts"
        return f"what was recorded is kept in {self.path}: {len(self.verdicts)} {noun}"


def verdict_line(verdict: Verdict) -> str:
    """A verdict as it stands in a run file, without the line's end. Raises ValueError for what JSON lacks."""
    return json.dumps({"kind": "verdict", **verdict.to_json()}, allow_nan=False)


def utc_now() -> datetime:
    return datetime.now(UTC)


class RunWriter:
    """Writes a run file: the header at once, each verdict at once, the footer at `finish` alone.

    As a context manager it closes the file and adds nothing, so that a run which was left early for
    whatever reason stays recognisable as cut off.
    """

    def __init__(
        self,
        path: Path,
        target: Target,
        *,
        suite: str,
        queue: str,
        selection: str = "",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Open `path` (its directory is made). Raises UsageError when it cannot be written."""
        self.path = path
        self._now = now
        self._verdicts: dict[str, Verdict] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = path.open("w", encoding="ascii", newline="\n")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", "Name another directory with --out.") from error
        self._write(Header(target, _stamp(now()), suite, queue, selection).to_json())

    def write(self, verdict: Verdict) -> None:
        """Write one verdict through to the file. Raises ValueError for what no reader would accept."""
        self.write_line(verdict_line(verdict))

    def write_line(self, line: str) -> Verdict:
        """The same for one that is a line already; what it says."""
        data = _object(line.encode("ascii"))
        if data.pop("kind", None) != "verdict":
            raise ValueError("this is no verdict's line")
        verdict = Verdict.from_json(data)
        if verdict.requirement in self._verdicts:
            raise ValueError(f"{verdict.requirement} has its verdict already")
        self._write_line(line)
        self._verdicts[verdict.requirement] = replace(verdict, record=None)
        return verdict

    def finish(self, status: int | None = None) -> int:
        """Write the footer and close. `status` defaults to what the verdicts say; it is returned.

        Raises ValueError for a status without a meaning, and for success that the verdicts do not bear out.
        """
        status = exit_status(self._verdicts.values()) if status is None else status
        footer = Footer(counted(self._verdicts.values()), status, _stamp(self._now()))
        _check_status(footer, self._verdicts)
        self._write(footer.to_json())
        self._file.close()
        return status

    def close(self) -> None:
        """Close without a footer, unless there is one."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: dict[str, Any]) -> None:
        self._write_line(json.dumps(data, allow_nan=False))

    def _write_line(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise WorldError(f"{self.path}: {error.strerror}", "Make room, or name another --out.") from error


def read_run(path: Path) -> Run:
    """Read a whole run. Raises UsageError that names the file, the line and what to do."""
    partial = read_partial(path)
    if partial.problem or partial.header is None or partial.footer is None:
        cut_off = partial.footer is None and partial.header is not None
        raise UsageError(
            f"{path}: {partial.problem}",
            f"The run was cut off or the file was changed; run it again ({partial.kept})."
            if cut_off
            else "Name a run file as this suite writes it, unchanged.",
        )
    return Run(path, partial.header, partial.verdicts, partial.footer)


def read_partial(path: Path) -> PartialRun:
    """Read as far as the file is in order. Raises UsageError only when it cannot be opened."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "Name a run file.") from error
    reader = _Reader()
    *lines, rest = octets.split(b"\n")
    taken = 0
    problem = ""
    try:
        for line in lines:
            reader.take(line)
            taken += 1
        reader.end(rest)
    except (ValueError, RecursionError) as error:
        problem = f"line {taken + 1}: {error}"
    return PartialRun(path, reader.header, tuple(reader.verdicts.values()), reader.footer, problem)


class _Reader:
    """Takes a run file line by line; raises ValueError that says what is wrong with a line."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.verdicts: dict[str, Verdict] = {}
        self.footer: Footer | None = None

    def take(self, line: bytes) -> None:
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
            if verdict.requirement in self.verdicts:
                raise ValueError(f"a second verdict on {verdict.requirement}")
            self.verdicts[verdict.requirement] = verdict
        elif kind == "footer":
            footer = _footer(data)
            _check_status(footer, self.verdicts)
            self.footer = footer
        else:
            raise ValueError(f"kind is {kind!r}, not header, verdict or footer")

    def end(self, rest: bytes) -> None:
        if self.header is None and not rest:
            raise ValueError("the file is empty")
        if rest:
            self.footer = None
            raise ValueError("the line is cut off")
        if self.footer is None:
            raise ValueError("the footer is missing")


def _object(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error
    if isinstance(data, dict):
        return data
    raise ValueError("no JSON object")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _header(data: Mapping[str, Any]) -> Header:
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema is {data.get('schema')!r}; this version of the suite reads schema {SCHEMA}")
    check_keys(data, ("schema", "target", "started", "suite", "queue", "selection"))
    for name in ("started", "suite", "queue", "selection"):
        check_type(data, name, str)
    check_type(data, "target", dict)
    _check_stamp(data["started"])
    return Header(_target(data["target"]), data["started"], data["suite"], data["queue"], data["selection"])


def _target(data: Mapping[str, Any]) -> Target:
    check_keys(data, ("name", "kind", "patches", "packages", "image"))
    for name, wanted in (("name", str), ("kind", str), ("patches", list), ("packages", dict), ("image", str)):
        check_type(data, name, wanted)
    kind: Kind | None = next((kind for kind in get_args(Kind) if kind == data["kind"]), None)
    if kind is None:
        raise ValueError(f"kind of target is {data['kind']!r}, not one of {', '.join(get_args(Kind))}")
    if not all(type(text) is str for text in (*data["patches"], *data["packages"].values())):
        raise ValueError("patches and packages of a target hold texts")
    return Target(data["name"], kind, tuple(data["patches"]), "", dict(data["packages"]), data["image"])


def _footer(data: Mapping[str, Any]) -> Footer:
    check_keys(data, ("counts", "exit_status", "finished"))
    check_type(data, "counts", dict)
    check_type(data, "exit_status", int)
    check_type(data, "finished", str)
    _check_stamp(data["finished"])
    return Footer(dict(data["counts"]), data["exit_status"], data["finished"])


def _check_status(footer: Footer, verdicts: Mapping[str, Verdict]) -> None:
    counts = counted(verdicts.values())
    if footer.counts != counts or any(type(number) is not int for number in footer.counts.values()):
        raise ValueError(f"the footer counts {footer.counts}, and the file holds {counts}")
    if footer.exit_status not in EXIT_MEANINGS or footer.exit_status == EXIT_USAGE:
        raise ValueError(f"exit status {footer.exit_status} has no meaning for a run")
    borne_out = exit_status(verdicts.values())
    if footer.exit_status == EXIT_AS_EXPECTED != borne_out:
        raise ValueError(f"exit status 0, but the verdicts say {borne_out}: {EXIT_MEANINGS[borne_out]}")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _check_stamp(text: str) -> None:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValueError(f"{text!r} is no time in ISO 8601 with its zone")
