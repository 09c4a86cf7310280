"""The run file: JSON Lines with a header, one line per verdict, and a footer.

A run is written beside its place, in `NAME.jsonl.part`, where each line stands as soon as it is known; when
it is whole it is put in its place, in the order of its requirements. A file without its footer was cut off:
`read_run` refuses it, and `read_reached` gives what was reached, with the exit status of a failed world.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from conformance.catalogue.builtin import PATCHES
from conformance.catalogue.patches import BASE, STOCK_PATCHES
from conformance.errors import EXIT_AS_EXPECTED, EXIT_MEANINGS, EXIT_USAGE, EXIT_WORLD, UsageError
from conformance.inputs import STORED_RUN, read_octets
from conformance.judge.outcome import exit_status
from conformance.judge.verdict import Verdict, counted
from conformance.places import data
from conformance.pod.codec import decode
from conformance.targets.target import Target

SCHEMA = 2

#: What is added to the name of a file that is not whole yet.
PART = ".part"


@dataclass(frozen=True)
class RunHeader:
    """What was run: the target, when (ISO 8601, UTC), by which version of the suite, where the queue was
    ("tmpfs", "memory", …), and the selection in words ("" for everything).

    `digest` is that of the suite's own files ("" in files of earlier versions), and `total` how many
    requirements were selected (0: it is not said). `base` is what a target without patches is; earlier
    versions did not say so, and took the distribution's own patches for part of it. `titles` are those of
    patches that are not this suite's.
    """

    target: Target
    started: str
    suite: str
    queue: str
    selection: str
    digest: str = ""
    total: int = 0
    base: str = PATCHES[BASE].title
    titles: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file; what is not known is left out."""
        left_out = [name for name in ("digest", "total", "titles") if not getattr(self, name)]
        fields = {"schema": SCHEMA, **asdict(self), "target": self.target.to_json()}
        return {name: value for name, value in fields.items() if name not in left_out}


@dataclass(frozen=True)
class RunFooter:
    """How it ended: counts by verdict and by assessment, the exit status, and when (ISO 8601, UTC)."""

    counts: dict[str, int]
    exit_status: int
    finished: str


@dataclass(frozen=True)
class Run:
    """One target's verdicts: whole, or what was reached of them. Then `cut_off` says how many that is."""

    path: Path
    header: RunHeader
    verdicts: tuple[Verdict, ...]
    footer: RunFooter
    cut_off: str = ""

    @property
    def target(self) -> Target:
        return self.header.target


def verdict_line(verdict: Verdict) -> str:
    """A verdict as it stands in a run file, without the line's end. Raises ValueError for what JSON lacks."""
    return line_of("verdict", verdict.to_json())


def line_of(kind: str, data: dict[str, Any]) -> str:
    """A line of a run file, without its end. Raises ValueError for what JSON lacks."""
    return json.dumps({"kind": kind, **data}, allow_nan=False)


def stamp() -> str:
    """The time as it stands in a run file."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def suite_digest() -> str:
    """Twelve hexadecimal digits that change with any file of this suite: a verdict may hang on each."""
    import hashlib

    sums = hashlib.sha256()
    for root in (Path(__file__).resolve().parents[1], data("fixtures"), data("docker")):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                sums.update(f"{root.name}/{path.relative_to(root)}\n".encode())
                sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()[:12]


def part_of(path: Path) -> Path:
    """Where a run is written until it is whole."""
    return path.with_name(path.name + PART)


def read_run(path: Path) -> Run:
    """Read a whole run. Raises UsageError that names the file, the line and what to do."""
    partial = PartialRun(path)
    if partial.header is None:
        raise UsageError(f"{path}: {partial.problem}", "Name a run file as this suite writes it, unchanged.")
    if partial.problem or partial.footer is None:
        why = "The run was cut off; --resume goes on with it" if partial.cut_off else "The file was changed"
        raise UsageError(f"{path}: {partial.problem}", f"{why} ({partial.kept}).")
    return Run(path, partial.header, partial.verdicts, partial.footer)


def read_reached(path: Path) -> Run:
    """Read a run, or what was reached of one that was cut off. Raises UsageError for everything else.

    A run that was cut off ends as a world that failed, whatever its verdicts are.
    """
    partial = PartialRun(path)
    if not partial.cut_off or partial.header is None:
        return read_run(path)
    verdicts = partial.verdicts
    footer = RunFooter(counted(verdicts), EXIT_WORLD, partial.header.started)
    of = f" of {partial.header.total}" if partial.header.total else ""
    noun = "verdict" if f"{len(verdicts)}{of}" == "1" else "verdicts"
    return Run(path, partial.header, verdicts, footer, f"{len(verdicts)}{of} {noun}")


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
        self.cut_off = False  #: all that is wrong is that it ends too soon
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
        data = json_object(line)
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
            if self.header is not None and self.header.total > len(self._verdicts):
                raise ValueError(
                    f"{self.header.total} were selected, and the file holds {len(self._verdicts)}"
                )
            self.footer = footer
        else:
            raise ValueError(f"kind is {kind!r}, not header, verdict or footer")

    def _end(self, rest: bytes) -> None:
        if self.header is None and not rest:
            raise ValueError("the file is empty")
        self.cut_off = self.header is not None and self.footer is None
        if rest:
            self.footer = None
            raise ValueError("the line is cut off")
        if self.footer is None:
            raise ValueError("the footer is missing")


def _which(path: Path) -> str:
    """What to name instead of a path that is no run file."""
    inside = sorted(path.glob("*.jsonl")) if os.path.isdir(path) else []
    return f"Name a run file in it, such as {inside[0]}." if inside else "Name a run file (*.jsonl)."


def json_object(line: bytes) -> dict[str, Any]:
    """The table of a line of JSON. Raises ValueError for what is none."""
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
    earlier = "base" not in data
    header = decode(RunHeader, data)
    if earlier:
        target = replace(header.target, patches=(*STOCK_PATCHES, *header.target.patches))
        header = replace(header, target=target)
    for name in ("location", "written"):
        if getattr(header.target, name):
            raise ValueError(f"header.target: unknown: {name!r}")
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
