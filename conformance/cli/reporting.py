"""`report`: stored runs in every form that people and programs read. Nothing is started.

A report of a run that failed is a report all the same, so its exit status says only whether it was written;
whether a build may be released is for `gate` to say. It is 3 where a run was cut off and shows what was
reached. `report --diff` ends with 1 when something is newly unmet and not as expected.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.catalogue.catalogue import Catalogue
from conformance.cli.options import STANDARD_OUTPUT, refuse_overwriting, refuse_standard_output
from conformance.cli.stored import run_file, run_files
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, UsageError
from conformance.judge.baseline import AgainstBaseline, against_baseline
from conformance.judge.comparison import Comparison, compare
from conformance.judge.runfile import PART, read_reached, read_run
from conformance.pod.codec import decode
from conformance.report import baseline as baseline_report
from conformance.report import changes, export
from conformance.report.annotations import annotations
from conformance.report.badges import badges
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.words import listed, one_line
from conformance.targets.target import Target

if TYPE_CHECKING:
    from conformance.bench.results import Participant
    from conformance.report.site import Pictures

#: Where `explore` keeps what it found.
FINDINGS = "findings.json"


def report(options: argparse.Namespace) -> int:
    """Write what is asked for; without an option the Markdown goes to standard output."""
    there = [name for name in ("markdown", "junit", "json") if getattr(options, name) == STANDARD_OUTPUT]
    if len(there) > 1:
        what = f"--{there[0]} and --{there[1]} cannot both go to standard output"
        raise UsageError(what, "Give one of them a file.")
    refuse_standard_output(options.annotations)
    if options.diff:
        return _diff(options)
    names, explored = _explorations(options.runs)
    if not names:
        return _explored_alone(options, explored)
    paths = run_files(names)
    refuse_overwriting(_files(options), [*paths, *explored])
    comparison = compare([read_reached(path) for path in paths])
    if comparison.cut_off and options.badges:
        raise UsageError(f"--badges: cut off: {listed(comparison.cut_off)}", "A badge is of a whole run.")
    since = _since(options, comparison, paths)
    asked = ("html", "markdown", "junit", "json", "annotations", "badges")
    if not any(getattr(options, name) for name in asked):
        options.markdown = STANDARD_OUTPUT
    throughput = throughput_of(options.bench, comparison)
    # Each text is whole before any file is touched, so that no partial report looks whole.
    texts = [
        (options.markdown, _page(comparison, since) if options.markdown else ""),
        (options.junit, junit(comparison, since) if options.junit else ""),
        (options.json, export.dumps(export.to_json(comparison)) if options.json else ""),
        (options.annotations, annotations(comparison, since) if options.annotations else ""),
    ]
    for place, text in texts:
        if place:
            _put(place, text)
    if options.badges:
        made = badges(comparison)
        refuse_overwriting([Path(options.badges) / name for name in made], paths)
        for name, svg in made.items():
            _put(str(Path(options.badges) / name), svg, quiet=True)
        print(f"written: {len(made)} badges in {one_line(options.badges)}", file=sys.stderr)
    if options.html:
        for path in paths:
            if path.suffix == ".html":
                raise UsageError(f"{path}: it might be written over", "Name another directory for the site.")
        catalogue = options.project.catalogue
        pages = _explored_pages(explored, Path(options.html))
        _note(write_site(comparison, Path(options.html), throughput, catalogue, pages, since))
    for each in comparison.cut_off:
        print(f"The run was cut off: {each}; --resume goes on with it", file=sys.stderr)
    return EXIT_WORLD if comparison.cut_off else EXIT_AS_EXPECTED


def _since(
    options: argparse.Namespace, comparison: Comparison, paths: Sequence[Path]
) -> AgainstBaseline | None:
    """What became of the verdicts of --baseline on the first run. Raises UsageError."""
    if not options.baseline:
        return None
    target = comparison.runs[0].target
    path = run_file(options.baseline, target.name, target.release)
    if path in paths:
        raise UsageError(f"--baseline {path}: it is the run itself", "Name the run of the last release.")
    refuse_overwriting(_files(options), [path])
    return against_baseline(comparison.runs[0], read_run(path))


def _page(comparison: Comparison, since: AgainstBaseline | None) -> str:
    """The Markdown, and below it what became of a baseline's verdicts."""
    return markdown(comparison) + (f"\n{baseline_report.page(since)}" if since else "")


def _explorations(names: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Names with runs, and the findings.json of explorations: named, in a directory or in one below it."""
    with_runs: list[str] = []
    found: list[Path] = []
    for name in names:
        path = Path(name)
        inside = sorted({*path.glob(FINDINGS), *path.glob(f"*/{FINDINGS}")}) if os.path.isdir(path) else []
        if path.name == FINDINGS:
            inside = [path]
        if not inside or any(path.glob("*.jsonl*")):
            with_runs.append(name)
        found += inside
    return with_runs, found


def _explored_alone(options: argparse.Namespace, paths: list[Path]) -> int:
    """A site of explorations without a run beside them."""
    from conformance.report.site import INDEX
    from conformance.report.site.findings import explored_index

    others = ("markdown", "junit", "json", "annotations", "badges", "bench")
    asked = [name for name in others if getattr(options, name)]
    if asked or not options.html:
        what = f"an exploration has no form --{asked[0]}" if asked else "an exploration has one form, --html"
        raise UsageError(what, "Give --html DIR; as JSON it is findings.json itself.")
    site = Path(options.html)
    write_text(site / INDEX, explored_index(_explored_pages(paths, site)))
    _note(site / INDEX)
    return EXIT_AS_EXPECTED


def _explored_pages(paths: Sequence[Path], site: Path) -> list[tuple[str, str]]:
    """Write a page of the site for each exploration; the address and the line of each. Raises UsageError."""
    if not paths:
        return []
    # It needs much of what explores, and most reports have none.
    from conformance.report.explored import read_explored
    from conformance.report.site import INDEX

    made = [
        ("findings.html" if number == 1 else f"findings-{number}.html", explored)
        for number, explored in enumerate(map(read_explored, paths), 1)
    ]
    for address, explored in made:
        write_text(site / address, explored.page(INDEX))
    return [(address, explored.line()) for address, explored in made]


def _files(options: argparse.Namespace) -> list[str]:
    """The files that are asked for, without standard output."""
    places = (options.markdown, options.junit, options.json, options.annotations)
    found = [place for place in places if place not in ("", STANDARD_OUTPUT)]
    for place in found:
        # As when a shell makes `--json *.jsonl` of what is there.
        if place.endswith((".jsonl", f".jsonl{PART}")) and Path(place).exists():
            raise UsageError(f"{place}: a run file stands there", "Name another file for the report.")
    return found


def write_site(
    comparison: Comparison,
    directory: Path,
    throughput: "Pictures | None" = None,
    catalogue: Catalogue | None = None,
    explored: Sequence[tuple[str, str]] = (),
    since: AgainstBaseline | None = None,
) -> Path:
    """Write the site below `directory`, with the cases of a catalogue (ours); the path of its index.

    Pages that an earlier report left there are replaced when they have the same name, and stay otherwise.
    """
    from conformance.report.site import INDEX, site_files

    for name, text in site_files(comparison, throughput, catalogue, explored, since):
        write_text(directory / name, text)
    return directory / INDEX


def throughput_of(name: str, comparison: Comparison) -> "Pictures | None":
    """The pictures of a stored bench. Raises UsageError when it is none, or one of other targets."""
    if not name:
        return None
    from conformance.bench.plots import plots
    from conformance.bench.results import conclusion, read_bench, rows
    from conformance.bench.throughput_table import interval
    from conformance.report.site import Pictures

    path = Path(name) / "bench.json" if os.path.isdir(name) else Path(name)
    bench = read_bench(path)
    if others := [each.label for each in bench.participants if not _was_run(each, comparison)]:
        what = f"{path} is of {listed(others)}, and the runs are of {listed(comparison.labels)}"
        raise UsageError(one_line(what), "Name the bench of these targets, in the same versions.")
    told = [
        f"{result.name}, {row.label}: {interval(row.ratio)}, {row.said}"
        for result in bench.scenarios
        for row in rows(result, bench.participants)
        if row.ratio is not None
    ]
    made = plots(bench)
    drawn = (
        ("Ratios with their 95 % intervals", made["ratio.svg"], made["ratio-narrow.svg"]),
        ("Latency", made["latency.svg"], made["latency-narrow.svg"]),
    )
    return Pictures(conclusion(bench)[1], drawn, tuple(told))


def _was_run(participant: "Participant", comparison: Comparison) -> bool:
    """Whether a target of a bench is that of a run: the same image, or the same name and packages."""
    measured = decode(Target, participant.target)
    return any(
        bool(measured.image and measured.image == run.target.image)
        or (measured.label, measured.packages) == (run.target.label, run.target.packages)
        for run in comparison.runs
    )


def _diff(options: argparse.Namespace) -> int:
    for option in ("junit", "annotations", "badges", "bench", "baseline"):
        if getattr(options, option):
            raise UsageError(f"--diff has no form --{option}", "It has text, --html, --markdown and --json.")
    paths = run_files(options.runs)
    if len(paths) != 2:
        raise UsageError(
            f"--diff takes two runs, and here are {len(paths)}: {listed([path.name for path in paths])}",
            "Name the file of the old one, then that of the new.",
        )
    refuse_overwriting(_files(options), paths)
    old, new = (read_run(path) for path in paths)
    found = changes.changes(old, new)
    if options.markdown:
        _put(options.markdown, changes.markdown(found))
    if options.json:
        _put(options.json, export.dumps(changes.to_json(found)))
    if options.html:
        from conformance.report.site.changes import INDEX, changes_files

        for name, text in changes_files(found, options.project.catalogue):
            write_text(Path(options.html) / name, text)
        _note(Path(options.html) / INDEX)
    if STANDARD_OUTPUT not in (options.markdown, options.json):
        sys.stdout.write(changes.render(found))
    return found.exit_status


def _put(place: str, text: str, *, quiet: bool = False) -> None:
    """Write a file, with its directory, or standard output for `-`."""
    if place == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    path = Path(place)
    write_text(path, text)
    if not quiet:
        _note(path)


def _note(path: Path) -> None:
    """To standard error, because standard output may be the report."""
    print(f"written: {one_line(str(path))}", file=sys.stderr)
