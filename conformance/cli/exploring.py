"""`explore`: scenarios that nobody wrote, on a build and its model, or on two builds."""

import argparse
import hashlib
import json
import math
import re
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import stopping
from conformance.cli.keeping import refuse_another
from conformance.cli.options import images, note, output_directory
from conformance.cli.reporting import FINDINGS
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_WORLD, UsageError, WorldError
from conformance.harmless import HarmlessStream, columns, harmless, printable
from conformance.nearest import did_you_mean
from conformance.report.explored import FORM, Explored, Kept, pairs, read_explored, seen
from conformance.report.words import is_specification, numbered, one_line, specification_sentence
from conformance.scenario.pieces import toml
from conformance.scenario.showing import stories_shown
from conformance.targets.capacity import core_count, cut_down, cut_down_workers
from conformance.targets.names import model_of, name_of_model
from conformance.targets.ready import make_ready

if TYPE_CHECKING:
    from conformance.explore.campaign import Result, Wish
    from conformance.explore.document import Document
    from conformance.explore.finding import Finding

#: Seconds that are explored where neither these nor a number of sessions is given.
SECONDS = 60.0

#: Pods of each target that every worker has where a target is real: while one waits for qmail, others go on.
PODS = 16

#: Sessions, or seconds, of an exploration at most.
_MOST = 1e9

#: Seconds between two writings of findings.json.
_EVERY = 5.0


@dataclass
class _Book:
    """What is kept of an exploration in its directory; docs/schema/explore-1.schema.json describes it.

    `sides`: what the two are called; `tried`: the names under which `try` takes them.
    """

    out: Path
    wish: "Wish"
    result: "Result"
    sides: tuple[str, str]
    tried: tuple[str, str]
    began: float = field(default_factory=time.monotonic)
    is_complete: bool = False

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)

    def write(self) -> None:
        """findings.json as of now."""
        write_text(self.out / FINDINGS, json.dumps(self.explored().to_json(), indent=1) + "\n")

    def explored(self) -> Explored:
        """What there is of it now."""
        found = (Kept(file_name(each), _trying(each, self.tried), each) for each in self.result.in_order())
        wish, tally = self.wish, replace(self.result.tally, seconds=self.seconds)
        complete, kept = self.is_complete, tuple(found)
        return Explored(wish.plan.targets, wish.models, wish.areas, wish.seed, complete, tally, kept)

    def keep(self, finding: "Finding") -> None:
        """The scenario of a finding, as a file."""
        text = scenario_file(finding, self.wish.seed, self.sides, self.tried)
        write_text(self.out / file_name(finding), text)


def _of(wish: "Wish") -> dict[str, Any]:
    """What an exploration is of: one of something else does not take its place."""
    targets = [target.to_json() for target in wish.plan.targets]
    return {"form": FORM, "targets": targets, "areas": list(wish.areas), "seed": wish.seed}


def run(options: argparse.Namespace) -> int:
    """Explore, and tell what was found."""
    from conformance.explore.campaign import Result

    wish = _wish(options)
    workers = cut_down_workers(options.workers or core_count(), print)
    for target in wish.plan.targets:
        if is_specification(target):
            print(specification_sentence(target))
    target = wish.plan.targets[0]
    if len(wish.plan.targets) == 1:
        other, tried = wish.models[0].name, name_of_model(model_of(target, options.project), options.project)
    else:
        other = tried = wish.plan.targets[1].name
    print(one_line(f"{target.name} is explored against {other}, seed {wish.seed}"), flush=True)
    with output_directory(options) as out:
        for known in options.known:
            if out.samefile(known):
                hint = "Name another --out: what is known stays as it is."
                raise UsageError(f"--known {known}: it is the --out of this exploration", hint)
        refuse_another(out / FINDINGS, _of(wish))
        _refuse_found(out)
        book = _Book(out, wish, Result(), (target.name, other), (target.name, tried))
        book.write()
        with stopping.keeping(lambda: f"{numbered(len(book.result.findings), 'finding')} kept in {out}"):
            try:
                _explore(book, workers)
                book.is_complete = True
            except WorldError as error:
                if not book.result.findings:
                    raise
                note(str(error))
        for finding in book.result.in_order():
            book.keep(finding)
        book.write()
        write_text(out / "findings.html", book.explored().page())
        for line in told(book):
            print(line)
        print(printable(f"findings: {out / 'findings.json'}, page: {out / 'findings.html'}"))
    tally = book.result.tally
    if book.result.findings:
        return EXIT_REGRESSION
    return EXIT_WORLD if tally.failed else EXIT_AS_EXPECTED


def _refuse_found(out: Path) -> None:
    """UsageError where the findings of an earlier exploration of the same would be lost."""
    path = out / FINDINGS
    if path.exists() and (found := json.loads(path.read_bytes()).get("findings")):
        hint = f"Name another --out, or remove it first; --known {out} leaves out what was found."
        raise UsageError(
            f"{path}: it holds {numbered(len(found), 'finding')} of an earlier exploration", hint
        )


def _wish(options: argparse.Namespace) -> "Wish":
    """What is to be explored. Raises UsageError."""
    from conformance.explore.areas import AREAS
    from conformance.explore.campaign import Wish

    for area in options.area:
        if area not in AREAS:
            hint = did_you_mean(area, AREAS, f"known: {', '.join(AREAS)}")
            raise UsageError(f"there is no area {area!r}", hint)
    hint = "Give --seconds 60 or --sessions 1000."
    for much in (options.sessions, options.seconds):
        if much is not None and much <= 0:
            raise UsageError("nothing is explored in no time", hint)
        if much is not None and not much <= _MOST:
            long = "no time at all" if math.isnan(much) else "more than anybody waits for"
            raise UsageError(f"{much:g} is {long}", hint)
    names = [options.target, *([options.against] if options.against else [])]
    if len(set(names)) < len(names):
        raise UsageError(f"--against {options.against}: it is the target itself", "Name another build.")
    plan = make_ready(names, images(options), note, options.project)
    models = tuple(model_of(target, options.project) for target in plan.targets)
    is_real = any(target.kind != "reference" for target in plan.targets)
    seconds = None if options.sessions else options.seconds or SECONDS
    workers = options.workers or core_count()
    pods = max(1, cut_down(PODS * workers, plan, PODS * workers, print) // workers) if is_real else 1
    return Wish(
        plan,
        tuple(
            replace(model, name=f"model of {target.name}")
            for target, model in zip(plan.targets, models, strict=True)
        ),
        tuple(area for area in AREAS if area in options.area or not options.area),
        options.seed if options.seed is not None else secrets.randbelow(1_000_000),
        options.sessions,
        seconds,
        pods,
        _known(options.known),
    )


def _known(directories: list[str]) -> "tuple[Document, ...]":
    """The scenarios of --known. Raises UsageError."""
    from conformance.explore.document import of_file

    hint = "Name the --out of an exploration, or a directory of scenario files."
    found: list[Path] = []
    for directory in map(Path, directories):
        if not directory.is_dir():
            raise UsageError(f"--known {directory}: there is no such directory", hint)
        scenarios, findings = sorted(directory.glob("*.toml")), directory / FINDINGS
        if findings.exists():
            for kept in read_explored(findings).findings:
                if directory / kept.file not in scenarios:
                    what = f"the scenario {kept.file} of a finding is gone"
                    raise UsageError(f"--known {directory}: {what}", hint)
        elif not scenarios:
            raise UsageError(f"--known {directory}: there is no scenario in it", hint)
        found += scenarios
    return tuple(map(of_file, found))


def _explore(book: _Book, workers: int) -> None:
    """Take in what comes, and write it at once: whoever stops this keeps what was found."""
    from conformance.explore.campaign import explored
    from conformance.explore.finding import Finding
    from conformance.explore.tally import Tally

    written = time.monotonic()
    for each in explored(book.wish.tasks(workers), workers):
        if isinstance(each, Tally):
            book.result.tally.add(each)
            played, found = numbered(book.result.tally.sessions, "session"), len(book.result.findings)
            _progress(f"{played} in {book.seconds:.0f} s, {numbered(found, 'finding')} ")
        elif isinstance(each, Finding):
            if book.result.add(each):
                book.keep(each)
                book.write()
                _progress("")
                needs = f", with {', '.join(each.features)}" if each.features else ""
                note(f"found in {each.area}: {one_line(str(each.difference), 200)}{one_line(needs, 100)}")
        elif known := book.result.findings.get(each):
            book.result.findings[each] = known.again(1)
        if time.monotonic() > written + _EVERY:
            book.write()
            written = time.monotonic()
    _progress("")


def _progress(line: str) -> None:
    """What stands on a terminal's line while nothing else is told; elsewhere nothing does."""
    if sys.stderr.isatty():
        stream = HarmlessStream.of(sys.stderr)
        stream.rewrite(line)
        stream.flush()


def file_name(finding: "Finding") -> str:
    """The name of a finding's file: the same for the same cause."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{finding.difference.channel} {finding.difference.left}".lower())
    digest = hashlib.sha256(repr(finding.cause).encode()).hexdigest()[:8]
    return f"{words[:40].strip('-')}-{digest}.toml"


def scenario_file(finding: "Finding", seed: int, sides: Sequence[str], tried: Sequence[str]) -> str:
    """The text of a finding's file."""
    difference = finding.difference
    lines = [
        f"Found by explore: area {finding.area}, seed {seed}, stream {finding.stream}, "
        f"session {finding.session}.",
        f"In {difference.channel} there is, on {sides[0]}: {difference.left}",
        f"and on {sides[1]}: {difference.right}",
        f"What is expected is what {sides[1]} does. Both stories side by side, in this directory:",
        _trying(finding, tried),
    ]
    comment = "".join(f"# {one_line(line)}\n" for line in lines)
    return f"{comment}\ntitle = {toml(one_line(str(difference)))}\n{finding.scenario}"


def told(book: _Book) -> Iterator[str]:
    """Everything for a terminal."""
    result, explored = book.result, book.explored()
    for number, finding in enumerate(result.in_order(), 1):
        yield f"\n{number}. {one_line(str(finding.difference))}"
        yield one_line(f"   {seen(finding)}: {file_name(finding)}")
        yield ""
        yield from _indented(finding.scenario)
        yield from _story(finding, book.sides)
    yield ""
    if reached := list(explored.coverage()):
        yield f"reached: {', '.join(reached)}"
    for difference in explored.tally.doubtful:
        yield one_line(f"did not come again: {difference}", 400)
    for reason in explored.tally.reasons:
        yield one_line(f"the world failed: {reason}", 400)
    yield f"{explored.played()}; seed {book.wish.seed}"
    yield numbered(len(result.findings), "finding")


def _trying(finding: "Finding", tried: Sequence[str]) -> str:
    """The command that shows both stories of a finding."""
    return shlex.join(
        ["qmail-conformance", "try", file_name(finding), *(f"--target={name}" for name in tried)]
    )


def _indented(text: str) -> Iterator[str]:
    for line in harmless(text).splitlines()[:60]:
        yield f"   {line[:200]}"


def _story(finding: "Finding", names: Sequence[str]) -> Iterator[str]:
    rows = pairs(finding)
    first = next((index for index, pair in enumerate(rows) if not pair.same), None)
    yield from stories_shown(rows, first, [one_line(name) for name in names], max(columns(120), 40))
