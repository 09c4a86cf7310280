"""What a command writes little by little: begun without a loss, or gone on with where it was cut off."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import conformance
from conformance.cli.writing import unwritable, write_text
from conformance.errors import UsageError
from conformance.judge.runfile import PART, PartialRun, RunHeader, part_of, stamp, suite_digest
from conformance.judge.runwriter import RunWriter
from conformance.project.form import Project
from conformance.targets.target import Target

ANEW = "Run it anew, with another --out."


def place(out: Path, header: RunHeader) -> Path:
    """Where the run of a target stands when it is whole."""
    return out / f"{header.target.file_name}.jsonl"


def headers(
    targets: Sequence[Target],
    selection: str,
    total: int,
    project: Project,
    titles: Mapping[str, str] = MappingProxyType({}),
) -> list[RunHeader]:
    """What the run files of targets begin with, now; `titles` are those of patches besides the project's."""
    started, digest = stamp(), project.digest(suite_digest())
    return [
        RunHeader(
            target,
            started,
            conformance.__version__,
            "memory" if target.specification else "tmpfs",
            selection,
            digest,
            total,
            titles={**project.titles, **titles},
        )
        for target in targets
    ]


def begin(
    out: Path, headers: Sequence[RunHeader], say: Callable[[str], None], *, judged: bool = False
) -> dict[str, RunWriter]:
    """A writer for each target. Raises UsageError when what stands there would be lost.

    One that was cut off is put aside; `say` tells where.
    """
    refuse_losses(out, headers, judged=judged)
    for header in headers:
        part = part_of(place(out, header))
        if part.exists() and PartialRun(part).verdicts:
            keep_aside(part, say)
    return {header.target.label: RunWriter(place(out, header), header) for header in headers}


def refuse_losses(out: Path, headers: Sequence[RunHeader], *, judged: bool = False) -> None:
    """Raise UsageError when what stands there would be lost.

    A whole run gives its place to a whole run of the same target and selection, and to nothing else; to one
    that was judged again only when it is the same run.
    """
    if len({header.target.file_name for header in headers}) < len(headers):
        raise UsageError(
            "two targets would be written to the same run file",
            "Give each target once; two with other claims alone have names: new=TARGET old=TARGET@.",
        )
    refuse_foreign(out, ("junit.xml", "summary.md"), "*.jsonl*")
    for header in headers:
        _refuse_loss(place(out, header), header, judged)


def refuse_foreign(out: Path, names: Iterable[str], ours: str) -> None:
    """Raises UsageError when a report would replace a file where nothing of ours (`ours`) is."""
    found = [name for name in names if (out / name).exists()]
    if found and not any(out.glob(ours)):
        what = f"{out / found[0]}: something else stands there"
        raise UsageError(what, "Name another --out, or remove it first.")


def keep_aside(part: Path, say: Callable[[str], None]) -> None:
    """Give a part that was left there a name with a number, and tell it."""
    numbered = (part.with_name(f"{part.name}-{number}") for number in count(1))
    aside = next(name for name in numbered if not name.exists())
    part.rename(aside)
    say(f"{part.name} was left by a command that was cut off, and is kept as {aside.name}")


def _refuse_loss(path: Path, header: RunHeader, judged: bool) -> None:
    if not path.exists():
        return
    partial = PartialRun(path)
    there = partial.header
    hint = "Name another --out, or remove it first."
    if there is None or partial.problem:
        what = "something else" if there is None else f"a run that is not whole ({partial.kept})"
        raise UsageError(f"{path}: {what} stands there", hint)
    if there.target.label != header.target.label:
        raise UsageError(f"{path}: the run of another target stands there, {there.target.label}", hint)
    if there.target.base and there.target.base != header.target.base:
        what = f"a run of {there.target.label} on another base stands there, {there.target.base}"
        raise UsageError(f"{path}: {what}", hint)
    if there.selection != header.selection:
        what = f"a run of {_selected(there)} stands there, and this would be one of {_selected(header)}"
        raise UsageError(f"{path}: {what}", hint)
    if judged and there.started != header.started:
        raise UsageError(f"{path}: another run stands there, of {there.started}", hint)


def go_on(out: Path, headers: Sequence[RunHeader]) -> dict[str, RunWriter]:
    """A writer for each target whose run in `out` is not whole, with the verdicts that it has.

    What is invalid is left out, so that it is decided again. Raises UsageError where the run is one of
    another build, suite or selection, or there is none.
    """
    parts = {path: PartialRun(path) for path in sorted(out.glob(f"*.jsonl{PART}"))}
    writers = {}
    begun = set()
    for header in headers:
        path = place(out, header)
        partial = parts.pop(part_of(path), None) or (PartialRun(path) if path.exists() else None)
        if partial is None:
            raise UsageError(f"{out}: there is no run of {header.target.label} to go on with", ANEW)
        if partial.header is None or not (partial.cut_off or not partial.problem):
            raise UsageError(f"{partial.path}: {partial.problem}", ANEW)
        _refuse_another(partial.path, partial.header, header)
        begun.add(partial.header.started)
        if partial.footer is None:
            decided = [verdict for verdict in partial.verdicts if verdict.verdict != "invalid"]
            writers[header.target.label] = RunWriter(path, partial.header, kept=decided)
    _refuse_mixture(out, begun, parts)
    return writers


def _refuse_another(path: Path, there: RunHeader, here: RunHeader) -> None:
    """UsageError where what a run was begun with is not what is there now."""
    was, now = there.target.to_json(), here.target.to_json()
    differences: list[tuple[str, Any, Any]] = [
        ("another build", f"{name} {was.get(name)}", f"{name} {now.get(name)}")
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]
    if (there.suite, there.digest) != (here.suite, here.digest):
        what = "another suite" if there.suite != here.suite else "other cases, the project's or the suite's"
        differences.append((what, f"{there.suite} {there.digest}", f"{here.suite} {here.digest}"))
    if (there.selection, there.total) != (here.selection, here.total):
        differences.append(("another selection", _selected(there), _selected(here)))
    for what, before, after in differences:
        raise UsageError(f"{path}: it is a run of {what}: it was {before}, and now it is {after}", ANEW)


def _refuse_mixture(out: Path, begun: set[str], others: dict[Path, PartialRun]) -> None:
    """UsageError where the runs do not belong together, or one that does is not asked for."""
    if len(begun) > 1:
        raise UsageError(f"{out}: its runs were not begun together: {', '.join(sorted(begun))}", ANEW)
    for partial in others.values():
        if partial.header is not None and partial.header.started in begun:
            name = partial.header.target.label
            raise UsageError(f"{partial.path}: {name} was run too", "Name the targets that were run.")


def judged_header(header: RunHeader, total: int) -> RunHeader:
    """That of a run that is judged again: what was run, and when, stays; the verdicts are of this suite."""
    return replace(header, suite=conformance.__version__, total=total)


def _selected(header: RunHeader) -> str:
    return f"{header.selection or 'everything'}" + (f" ({header.total} cases)" if header.total else "")


class Part:
    """JSON Lines beside a file that is not whole yet: what it is of, then what was reached, line by line."""

    def __init__(self, path: Path, what: dict[str, Any], say: Callable[[str], None], *, resume: bool) -> None:
        """Begin, or go on with what stands there. `lines` is what was reached.

        Raises UsageError when there is nothing to go on with, or it is of something else.
        """
        self.path = part_of(path)
        self.lines: list[dict[str, Any]] = []
        try:
            before = self.path.read_bytes() if self.path.exists() else b""
            if resume:
                self.lines = self._kept(before, what)
            elif before.count(b"\n") > 1:
                keep_aside(self.path, say)
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in (what, *self.lines)))
            self._file = self.path.open("ab")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _kept(self, before: bytes, what: dict[str, Any]) -> list[dict[str, Any]]:
        if not before:
            raise UsageError(f"{self.path}: there is nothing to go on with", ANEW)
        kept: list[dict[str, Any]] = []
        for line in before.split(b"\n")[:-1]:  # what has no end was cut off
            try:
                kept.append(json.loads(line))
            except ValueError:
                break
        first = kept[0] if kept else {}
        for name in what:
            if first.get(name) != what[name]:
                difference = f"{name} was {first.get(name)!r}, and now it is {what[name]!r}"
                raise UsageError(f"{self.path}: it is of something else: {difference}", ANEW)
        return kept[1:]

    def add(self, line: dict[str, Any]) -> None:
        """Write a line through to the file. Raises WorldError for a full disk."""
        self.lines.append(line)
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def remove(self) -> None:
        """The file is whole, and stands in its place."""
        self._file.close()
        self.path.unlink()


def refuse_another(path: Path, what: dict[str, Any], of: Callable[[Any], dict[str, Any]] = dict) -> None:
    """UsageError where a document at `path` would be lost: one that is of something else than `what`.

    `of` takes out of the document what it is of.
    """
    if not path.exists():
        return
    try:
        there = of(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):
        raise UsageError(f"{path}: something else stands there", "Name another --out.") from None
    for name in what:
        if name in there and there[name] != what[name]:
            was, now = _named(there[name]), _named(what[name])
            now = now if now != was else "others of these names"
            hint = "Name another --out, or remove it first."
            raise UsageError(f"{path}: it is of {name} {was}, and this would be of {now}", hint)


def _named(value: Any) -> str:
    """A value in a line: of what has names, as targets have, those alone."""
    values = value if isinstance(value, list) else [value]
    named = [each["name"] if isinstance(each, dict) and "name" in each else each for each in values]
    return ", ".join(map(str, named))
