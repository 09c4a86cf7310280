"""`bisect` and `attribute`: which patch did it? They run builds that carry different patches."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.attribution import attribution_pages as pages
from conformance.attribution.attribution_table import attribute as lay_out
from conformance.attribution.builds import (
    REFERENCE,
    Build,
    ends,
    read_builds,
    reference_builds,
    reference_series,
)
from conformance.attribution.explanation import Patches, build_name
from conformance.attribution.search import SearchResult, search
from conformance.catalogue import Requirement
from conformance.catalogue.builtin import PATCHES, SERIES, claim_words
from conformance.catalogue.patches import BASE, PatchSeries
from conformance.cli.case_run import Selection, run_cases
from conformance.cli.deciding import Question, decided, headers, keep, names_of_questions, question_of
from conformance.cli.options import images, note, output_directory, refuse_overwriting
from conformance.cli.stored import run_files
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, UsageError, WorldError
from conformance.judge.comparison import compare
from conformance.judge.runfile import Run, read_run
from conformance.judge.verdict import Verdict
from conformance.nearest import did_you_mean
from conformance.project.form import Project
from conformance.report.progress import Progress
from conformance.report.sentences import sentence
from conformance.report.words import is_specification, listed, one_line
from conformance.targets.names import parse_target
from conformance.targets.ready import make_ready

_TABLES = ("attribution.md", "attribution.json")

_SEEN = 160  #: characters of what was seen, on the line of a step; the run file has it whole


def bisect(options: argparse.Namespace) -> int:
    """Find the patches that flip one requirement's verdict.

    Exit status 0: one explanation is left; 1: the two ends agree, several are left, or none fits.
    """
    project: Project = options.project
    asked = question_of(options.requirement, project)
    if asked is None:
        hint = did_you_mean(
            options.requirement,
            names_of_questions(project),
            "`qmail-conformance list` shows them; a scenario is named by its file.",
        )
        what = f"there is no requirement and no scenario {one_line(options.requirement)!r}"
        raise UsageError(what, hint)
    builds = _builds(options, every=True)
    series = options.project.series
    if options.targets == REFERENCE:
        series = reference_series(series)
    lower, upper = ends(builds, options.lower, options.upper, series)
    by_patches = {build.patches: build for build in builds}
    with output_directory(options) as out:
        if asked.file is None:
            keyword = _keyword(asked.requirement.name, project.catalogue.requirements)
            runner: _Runner | _Asking = _Runner(options, Selection(keyword), out)
        else:
            runner = _Asking(options, asked, out)
        return _bisect(asked.requirement, by_patches, lower, upper, runner, series)


def _bisect(
    requirement: Requirement,
    by_patches: dict[Patches, Build],
    lower: Build,
    upper: Build,
    runner: "_Runner | _Asking",
    series: PatchSeries,
) -> int:
    print(
        f"{requirement.name} ({requirement.role}): {requirement.promise}\n"
        f"between {_called(lower)} and {_called(upper)}; {len(by_patches)} builds are there",
        flush=True,
    )
    runs: list[Run] = []
    unmet: dict[str, str] = {}

    def verdict(patches: Patches) -> str:
        build = by_patches[patches]
        runs.append(runner.run(build))
        found = next(each for each in runs[-1].verdicts if each.requirement == requirement.name)
        seen = f"  {one_line(sentence(found), _SEEN)}" if found.seen else ""
        print(f"{len(runs):4}  {_called(build)}: {found.verdict}{seen}", flush=True)
        _refuse_undecided(found, build, runner.out)
        if found.verdict == "unmet":
            unmet[_called(build)] = found.seen
        return found.verdict

    likely = requirement.patch if requirement.patch in series.patches and requirement.patch != BASE else ""
    finding = search(list(by_patches), lower.patches, upper.patches, verdict, likely)
    for line in (*conclusion(requirement.name, finding, by_patches, series), *different_failures(unmet)):
        print(line)
    specified = [one_line(run.target.name) for run in runs if is_specification(run.target)]
    if specified:
        what = "What was run" if len(specified) == len(runs) else listed(specified)
        print(f"{what}: executable specifications, not qmail.")
    where = one_line(str(runner.out))
    print(f"{len(runs)} runs out of {len(by_patches)} builds; the run files are in {where}")
    return EXIT_AS_EXPECTED if finding.answer is not None else EXIT_REGRESSION


def attribute(options: argparse.Namespace) -> int:
    """Write the table of requirements by patches, from stored runs or from one run of each build."""
    if bool(options.runs) == bool(options.targets):
        raise UsageError(
            "say what to look at: either stored runs or --targets, and not both",
            "`attribute RUN.jsonl…`, or `attribute --targets DIRECTORY`.",
        )
    if options.runs and (options.keyword or options.patch):
        raise UsageError("-k and --patch choose what is run, and stored runs are not run", "Leave them out.")
    with output_directory(options) as out:
        if options.runs:
            runs = [read_run(path) for path in run_files(options.runs)]
            refuse_overwriting((out / name for name in _TABLES), (run.path for run in runs))
        else:
            runs = _run_each(options, out)
        table = lay_out(compare(sorted(runs, key=lambda run: (len(run.target.patches), run.target.patches))))
        places = [out / name for name in _TABLES]
        write_text(places[0], pages.markdown(table))
        write_text(places[1], json.dumps(pages.to_json(table), indent=1) + "\n")
    for line in [*pages.specifications(table), *pages.loud(table), *pages.summary(table)]:
        print(line)
    print(f"the table: {', '.join(one_line(str(path)) for path in places)}")
    return table.exit_status


def _run_each(options: argparse.Namespace, out: Path) -> list[Run]:
    builds = _builds(options, every=False)
    runner = _Runner(options, Selection(options.keyword, tuple(options.patch)), out)
    runs = []
    for number, build in enumerate(builds, 1):
        print(f"build {number} of {len(builds)}: {_called(build)}", file=sys.stderr, flush=True)
        runs.append(runner.run(build))
    return runs


def conclusion(
    name: str, finding: SearchResult, builds: dict[Patches, Build], series: PatchSeries = SERIES
) -> list[str]:
    """What a search came to, in sentences. `builds` maps the patches to the build that has them."""
    first, last = finding.seen[finding.base], finding.seen[finding.full]
    if not finding.flips:
        why = "every build between them does that" if first == "met" else "none of them does it"
        return [
            f"{name} is {first} on both, so no patch between them decides it: {why}.",
            "`find` tells what else speaks of it; --from and --to name other builds.",
        ]
    flips = f"{name} is flipped from {first} to {last}"
    answer = finding.answer
    # No build has a patch without what that carries.
    missing = [build for build in finding.missing if build == frozenset(series.claimed([BASE, *build]))]
    if answer is not None:
        has = "without" if last == "unmet" else "with"
        lines = [f"{flips} by {answer}.", f"What it expects is what builds do {has} {answer}."]
        if finding.proved:
            proof = dict.fromkeys(answer.proof(finding.base, finding.full))
            shown = ", ".join(f"{one_line(builds[run].name)} {finding.seen[run]}" for run in proof)
            lines.append(f"These runs prove it, as long as no other patch flips it back: {shown}.")
        elif missing:
            wanted = ", ".join(build_name(build, series) for build in missing)
            lines.append(
                "It is the simplest explanation of what these builds show. Whether another patch has a part "
                f"in it they cannot tell; it would be shown by a build of: {wanted}."
            )
        return lines
    if finding.explanations:
        either = " or ".join(str(one) for one in finding.explanations)
        lines = [f"{flips} by {either}: the builds that are there cannot tell."]
        if missing:
            lines.append(f"A build of {build_name(missing[0], series)} would tell.")
        return lines
    lines = [f"{flips}, but not by one patch, nor by some together, nor by any one of some."]
    if finding.step is not None:
        fewer, more = (builds[patches] for patches in finding.step)
        lines.append(
            f"The smallest step that flips it is from {_called(fewer)} to {_called(more)}: "
            f"{listed(sorted(more.patches - fewer.patches))}. `attribute` shows every build."
        )
    return lines


def different_failures(unmet: Mapping[str, str]) -> list[str]:
    """Lines that say which builds fail in which way, where not all do alike: a verdict alone hides that.

    `unmet` is what was seen, by build; numbers in it vary from run to run.
    """
    ways: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for build, seen in unmet.items():
        said = seen.partition("\n")[0]
        alike = re.sub(r"\d+", "N", said)
        words.setdefault(alike, said)
        ways.setdefault(alike, []).append(build)
    if len(ways) < 2:
        return []
    lines = ["Not all that are unmet fail alike, so the patches that flip the verdict need not be one cause:"]
    lines += [
        f"  {listed(builds)}: {one_line(words[alike], _SEEN) or 'no words'}" for alike, builds in ways.items()
    ]
    return lines


class _Runner:
    """Runs the selected cases on one build after another, each to a run file of its own."""

    def __init__(self, options: argparse.Namespace, selection: Selection, out: Path) -> None:
        self.out = out
        self._images = images(options)
        self._project: Project = options.project
        self._selection = selection
        self._pods: int | None = getattr(options, "pods", 1)

    def run(self, build: Build) -> Run:
        """A whole run. Raises WorldError when it was cut off."""
        plan = make_ready([build.target], self._images, note, self._project)
        stream = sys.stderr  # as it is now: while pytest runs its place is taken

        def progress(total: int) -> Progress | None:
            # Elsewhere the line for each build is enough.
            return Progress(stream, total) if total > 1 and stream.isatty() else None

        try:
            (run,) = run_cases(
                plan,
                self._selection,
                out=self.out,
                pods=self._pods,
                progress=progress,
                project=self._project,
            )
        except WorldError as error:
            raise WorldError(f"{build.name}: {error.message}", error.hint) from error
        return run


class _Asking:
    """Asks one build after another what a scenario asks, which is in no catalogue; a run file of each."""

    def __init__(self, options: argparse.Namespace, asked: Question, out: Path) -> None:
        self.out = out
        self._images = images(options)
        self._project: Project = options.project
        self._asked = asked

    def run(self, build: Build) -> Run:
        """The run of the one verdict."""
        plan = make_ready([build.target], self._images, note, self._project)
        (target,) = plan.targets
        verdict = decided(self._asked, target, plan, self._project)
        begun = headers(self._asked, [target], self._project)
        (run,) = keep(begun, [(target, verdict)], self.out)
        return run


def _builds(options: argparse.Namespace, *, every: bool) -> list[Build]:
    if options.targets == REFERENCE:
        return reference_builds(every=every, series=options.project.series)
    builds = read_builds(Path(options.targets), options.project.series)
    files: dict[str, Build] = {}
    for build in builds:
        other = files.setdefault(parse_target(build.target, project=options.project).file_name, build)
        if other is not build:
            raise UsageError(
                f"the runs of {other.name} and {build.name} would be written to the same file",
                "give one of the two directories another name",
            )
    return builds


def _keyword(name: str, known: Iterable[str]) -> str:
    """A -k expression that selects this requirement and no other."""
    longer = [other for other in known if name in other and other != name]
    return " and not ".join([name, *longer])


def _refuse_undecided(verdict: Verdict, build: Build, out: Path) -> None:
    if verdict.verdict in ("met", "unmet") and not verdict.unstable:
        return
    what = f"{verdict.verdict}: {one_line(sentence(verdict), 300)}"
    if verdict.unstable:
        what = f"unstable: {', then '.join(verdict.attempts)} in a fresh pod"
    raise WorldError(
        f"{verdict.requirement} on {one_line(build.name)} is {what}; nothing can be concluded from it",
        f"what was recorded is in {out}; repair what failed, or leave this build out",
    )


def _called(build: Build) -> str:
    patches = [patch for patch in PATCHES if patch in build.patches]
    patches += sorted(build.patches.difference(PATCHES))  # a project's own
    name = one_line(build.name)
    tells = name in (BASE, "stock", claim_words(patches).replace(",", "+"))
    return name if tells else f"{name} ({', '.join(patches) or 'no patch'})"
