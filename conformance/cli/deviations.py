"""`deviations`: the known deviations listed, checked, drafted, carried over to a version, and dropped."""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.catalogue.builtin import BUILT_IN
from conformance.catalogue.requirements import Requirement
from conformance.catalogue.severity import worst_first
from conformance.cli.keywords import near_names
from conformance.cli.stored import is_stored, run_files
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_USAGE, NothingSelected, UsageError
from conformance.judge import keeping_deviations as keeping
from conformance.judge.deviation_files import DeviationFile
from conformance.judge.deviations import DIRECTORY, Deviation, load_deviations
from conformance.judge.keeping_deviations import Known
from conformance.judge.runfile import Run, read_run
from conformance.judge.verdict import Verdict
from conformance.nearest import did_you_mean
from conformance.places import is_installed
from conformance.project.form import Project
from conformance.reference.flaws import FLAWS
from conformance.report.words import listed, numbered, one_line
from conformance.targets.names import parse_target


def run(options: argparse.Namespace) -> int:
    actions = {"list": _list, "draft": _draft, "carry": _carry, "drop": _drop}
    project = options.project
    requirements = project.catalogue.requirements
    if options.action == "check":
        return _check(options, requirements)
    known = load_deviations(requirements, project=project)
    return actions[options.action](options, Known(requirements, known))


def _list(options: argparse.Namespace, known: Known) -> int:
    if options.what:
        raise UsageError("list takes -k WORD", "`deviations list -k 0007`.")
    word = options.keyword.lower()
    chosen = [
        each
        for each in known.deviations
        if any(word in text.lower() for text in (each.requirement, each.reason, *each.target))
    ]
    if not chosen:
        names = [each.requirement for each in known.deviations]
        hint = near_names(options.keyword, names, "Leave out -k to see all of them.")
        raise NothingSelected("no deviation is selected", hint)
    if options.json:
        print(json.dumps({"deviations": [_as_json(each, known) for each in chosen]}, indent=1))
        return EXIT_AS_EXPECTED
    entries: dict[str, list[Deviation]] = {}
    for each in chosen:
        entries.setdefault(each.place, []).append(each)
    ordered = sorted(entries.values(), key=lambda entry: worst_first(_severity(entry, known)))
    for entry in ordered:
        first = entry[0]
        patches = f" with {listed(first.patches)}" if first.patches else ""
        print(f"{', '.join(each.requirement for each in entry)}")
        costs = _severity(entry, known) or "severity not said"
        print(f"    [{costs}] {listed(first.target)}{patches}, since {first.since}")
        print(f"    {one_line(first.reason)}")
        print(f"    {first.place}")
    print(f"{numbered(len(chosen), 'deviation')} in {_entries(len(entries))}")
    return EXIT_AS_EXPECTED


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _costs(deviation: Deviation, known: Known) -> str:
    """The worst that it costs: as it says itself, or as its requirements do."""
    if deviation.severity:
        return deviation.severity
    names = [each for name, each in known.requirements.items() if fnmatchcase(name, deviation.requirement)]
    return min({each.severity or "" for each in names} or {""}, key=worst_first)


def _severity(entry: Sequence[Deviation], known: Known) -> str:
    return min((_costs(each, known) for each in entry), key=worst_first)


def _as_json(each: Deviation, known: Known) -> dict[str, object]:
    return {
        "requirement": each.requirement,
        "target": each.target,
        "patches": each.patches,
        "verdict": each.verdict,
        **each.to_json(),
        "seen": each.seen,
        "severity": _costs(each, known) or None,
        "shows": each.shows,
        "place": each.place,
    }


def _check(options: argparse.Namespace, requirements: Mapping[str, Requirement]) -> int:
    """All that is wanting: exit status 2 where an entry is refused, else 1 where anything is."""
    refused: list[UsageError] = []
    found = load_deviations(requirements, project=options.project, refuse=refused.append)
    known = Known(requirements, found)
    for error in refused:
        print(one_line(_sentence(error)))
    for line in dict.fromkeys(_strangers(known, options.project)):
        print(one_line(f"warning: {line}"))
    wanting = [f"{each.place}: {what}" for each in known.deviations for what in _wanting(each, known)]
    for stored in _stored(options.what):
        print(one_line(f"{stored.path.name}: {_exercised(stored, known)}"))
        try:
            lines = [*keeping.drop([stored], known)[1], *_unexplained(stored, known)]
        except UsageError as error:  # two entries speak of one requirement
            lines = [_sentence(error)]
        wanting += [f"{stored.path.name}: {line}" for line in lines]
    for line in dict.fromkeys(wanting):
        print(one_line(line))
    deviations, entries = len(known.deviations), _entries(len({each.place for each in known.deviations}))
    count = len(set(wanting)) + len(refused)
    print(f"{numbered(deviations, 'deviation')} in {entries}: {count or 'nothing'} wanting")
    if refused:
        return EXIT_USAGE
    return EXIT_REGRESSION if wanting else EXIT_AS_EXPECTED


def _sentence(error: UsageError) -> str:
    return f"{error.message}: {error.hint}" if error.hint else error.message


def _strangers(known: Known, project: Project) -> Iterator[str]:
    """A line for each name of a target, not of a package, that nobody has."""
    for each in known.deviations:
        for target in each.target:
            if "=" in target or set("*?[") & set(target):
                continue
            try:
                parse_target(target, ppa="ppa:anybody/anything", project=project)
            except UsageError:
                meant = did_you_mean(target, project.aliases)
                yield f"{each.place}: no target is called {target!r}{'; ' * bool(meant)}{meant}"


def _exercised(stored: Run, known: Known) -> str:
    """How many of the deviations that speak of a run's target it had the cases of."""
    there = {verdict.requirement for verdict in stored.verdicts}
    concerning = [each for each in known.deviations if each.concerns(stored.target)]
    exercised = [each for each in concerning if any(fnmatchcase(name, each.requirement) for name in there)]
    many = numbered(len(concerning), "deviation")
    return f"{len(exercised)} of {many} that speak of {stored.target.name} were run"


def _unexplained(stored: Run, known: Known) -> list[str]:
    """A line for each verdict that is unexpected and not one that no longer shows."""
    found = []
    for verdict, expectation in keeping.unexpected(stored, known):
        name, seen = verdict.requirement, _first_line(verdict)
        if elsewhere := expectation.known_elsewhere(verdict.verdict, verdict.seen):
            found.append(f"{name}: known for {elsewhere['version']}, and not for {elsewhere['target']}")
        elif expectation.deviation is None:
            found.append(f"{name}: {verdict.verdict}, which nothing known explains: {seen}")
    return [*found, *_otherwise(stored, known)]


def _otherwise(stored: Run, known: Known) -> list[str]:
    """A line for each verdict that is unmet where a deviation says so, and in another way than that says."""
    return [
        f"{verdict.requirement}: fails otherwise than {expectation.deviation.place} describes: "
        f"{_first_line(verdict)}"
        for verdict, expectation in keeping.unexpected(stored, known)
        if expectation.deviation is not None and expectation.verdict == verdict.verdict
    ]


def _first_line(verdict: Verdict) -> str:
    return one_line(verdict.seen.partition("\n")[0], 160)


def _wanting(deviation: Deviation, known: Known) -> list[str]:
    flaws = [name for name in (deviation.flaw, *deviation.hides) if name and name not in FLAWS]
    said = [f"there is no flaw {name!r}" for name in flaws]
    return (
        said
        if _costs(deviation, known)
        else [*said, "no severity: neither the requirement says one, nor the entry"]
    )


def _draft(options: argparse.Namespace, known: Known) -> int:
    stored, into = _one_run(options), _into(options)
    if into is None:
        raise UsageError("draft: where is it written?", "Name a file with -o FILE.toml.")
    file, count = keeping.draft(stored, known, datetime.now(UTC).date(), into)
    for line in _otherwise(stored, known):
        print(one_line(line))
    if not count:
        raise NothingSelected(f"{stored.path}: no verdict needs a new entry", _elsewhere(stored, known))
    write_text(into, file.written)
    print(f"{_entries(count)} in {one_line(str(into))}: fill in reason and source")
    if more := _elsewhere(stored, known):
        print(more)
    return EXIT_AS_EXPECTED


def _elsewhere(stored: Run, known: Known) -> str:
    shown = sum(each.count for each in keeping.shown_elsewhere(stored, known))
    command = f"qmail-conformance deviations carry {stored.path}"
    return f"{numbered(shown, 'verdict')} known of another version: `{command}` carries over" if shown else ""


def _carry(options: argparse.Namespace, known: Known) -> int:
    if options.to:
        keeping.check_version(options.to)
    if any(map(is_stored, options.what)):
        stored = _one_run(options)
        carried = keeping.shown_elsewhere(stored, known)
        if options.to:
            carried = [replace(each, target=options.to) for each in carried]
        if not carried:
            raise NothingSelected(f"{stored.path}: it shows nothing that is known of another version")
    elif not options.what or not options.to:
        raise UsageError(
            "carry: what, and to which version?", "A RUN.jsonl, or requirements and --to qmail=1.06-6.3."
        )
    else:
        if twice := sorted({name for name in options.what if options.what.count(name) > 1}):
            raise UsageError(f"carry: {listed(twice)} stands there twice", "Name each requirement once.")
        for name in options.what:
            if name not in known.requirements and not any(
                name == each.requirement for each in known.deviations
            ):
                hint = did_you_mean(name, known.requirements, "`qmail-conformance list` has them all.")
                raise UsageError(f"carry: there is no requirement {name!r}", hint)
        carried = [keeping.named_elsewhere(name, options.to, known.deviations) for name in options.what]
    target = carried[0].target
    into, files = _into(options), list[DeviationFile]()
    ours = [each for each in carried if Path(each.deviation.place).is_relative_to(DIRECTORY)]
    own = [each for each in carried if each not in ours]
    for some, place in ((own, into), (ours, into or _file_of_project(options.project, target))):
        if some and place is None:
            for each in some:
                _refuse_ours(
                    Path(each.deviation.place), "Write them to a file of your own with -o FILE.toml."
                )
        changed = keeping.carry(some, known.deviations, place)
        _write(changed)
        files += [file for file in changed if file.path not in [other.path for other in files]]
    count = sum(each.count for each in carried)
    targets = listed(dict.fromkeys(one_line(each.target) for each in carried))
    print(f"{numbered(count, 'deviation')} carried over to {targets}, in {_places(files)}")
    return EXIT_AS_EXPECTED


def _drop(options: argparse.Namespace, known: Known) -> int:
    if not options.what:
        raise UsageError("drop takes stored runs", "`deviations drop RUN.jsonl`, one of each build.")
    runs = _stored(options.what)
    files, lines = keeping.drop(runs, known)
    lines += [line for stored in runs for line in _otherwise(stored, known)]
    for line in lines:
        print(one_line(line))
    for file in files:
        _refuse_ours(file.path, 'Say verdict = "met" of these requirements in a file of your own.')
    _write(files)
    if files:
        print(f"changed: {_places(files)}")
    elif lines:
        print("nothing is changed")
    else:
        print("everything that is known still shows, as far as it was run")
    return EXIT_AS_EXPECTED


def _write(files: Sequence[DeviationFile]) -> None:
    for file in files:
        write_text(file.path, file.written)


def _places(files: Sequence[DeviationFile]) -> str:
    return listed(one_line(str(file.path)) for file in files)


def _file_of_project(project: Project, target: str) -> Path | None:
    """The file that a project has for a version: in its own directory of deviations, where it has one."""
    own = next((each for each in project.deviations if each not in BUILT_IN.deviations), None)
    return own / f"{re.sub('[^A-Za-z0-9.+-]+', '-', target)}.toml" if own is not None else None


def _refuse_ours(place: Path, hint: str) -> None:
    if is_installed() and place.is_relative_to(DIRECTORY):
        raise UsageError(f"{place}: this belongs to the installed suite", hint)


def _into(options: argparse.Namespace) -> Path | None:
    return Path(options.o) if options.o else None


def _stored(names: Sequence[str]) -> list[Run]:
    for name in names:
        if not is_stored(name):
            raise UsageError(f"{name}: this is no stored run", "Name a RUN.jsonl, or where one is.")
    return [read_run(path) for path in run_files(names)]


def _one_run(options: argparse.Namespace) -> Run:
    runs = _stored(options.what)
    if len(runs) != 1:
        raise UsageError(
            f"{options.action} takes one stored run", f"`deviations {options.action} RUN.jsonl`."
        )
    return runs[0]
