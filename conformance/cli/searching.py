"""`find`: what speaks of something that was seen: requirements, deviations, scenarios; what to type next."""

import argparse
import json
import shlex
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice

from conformance.errors import EXIT_AS_EXPECTED, NothingSelected, UsageError
from conformance.harmless import columns
from conformance.project.form import Project
from conformance.report.words import numbered, one_line
from conformance.search.entries import Entry, Kind, entries_of
from conformance.search.index import Index

#: How many of each are shown; with what is left, and what to type, that makes ten lines.
_SHOWN: dict[Kind, int] = {"requirement": 5, "deviation": 1, "scenario": 1}

_COMMANDS = 2
#: Of which kind first: what shows something goes before what is told of it.
_NEXT: tuple[Kind, ...] = ("requirement", "scenario", "deviation")

#: Characters of a line where no terminal says how long it is.
_LONG = 1000


def run(options: argparse.Namespace) -> int:
    question = " ".join(options.words)
    if not question.strip():
        raise UsageError("find: there are no words to look for", "Write a reply, a line of a log, or a code.")
    index = Index(entries_of(options.project))
    found = index.find(question)
    near = index.near(question)
    if not found:
        hint = f"Near it: {', '.join(near)}." if near else "Try fewer words, or words of a reply or a report."
        raise NothingSelected(f"find: nothing speaks of {one_line(question, 200)}", hint)
    if options.json:
        print(json.dumps(_as_json(question, found, options.project), indent=1))
        return EXIT_AS_EXPECTED
    width = columns(_LONG)
    for line in _lines(found, options.all):
        print(line if options.all else textwrap.shorten(line, width, placeholder=" …"))
    if near:
        print(f"near some of these words, which stand nowhere: {', '.join(near)}", file=sys.stderr)
    return EXIT_AS_EXPECTED


def _lines(found: Sequence[Entry], whole: bool) -> Iterator[str]:
    of = {kind: [entry for entry in found if entry.kind == kind] for kind in _SHOWN}
    shown = {kind: entries if whole else entries[: _SHOWN[kind]] for kind, entries in of.items()}
    yield from (f"{entry.name}: {one_line(entry.told)}" for entry in shown["requirement"])
    for entry in shown["deviation"]:
        names = entry.requirements if whole else entry.requirements[:1]
        more = "" if whole or len(entry.requirements) < 2 else f" and {len(entry.requirements) - 1} more"
        yield f"known of {', '.join(entry.targets)}: {', '.join(names)}{more}: {one_line(entry.told)}"
    yield from (f"scenario {entry.name}: {one_line(entry.told)}" for entry in shown["scenario"])
    left = [numbered(len(of[kind]) - len(shown[kind]), kind) for kind in _SHOWN if of[kind] != shown[kind]]
    if left:
        yield f"besides {', '.join(left)}: --all"
    yield from (f"try: {command}" for command in islice(_commands(found), None if whole else _COMMANDS))


def _commands(found: Sequence[Entry]) -> Iterator[str]:
    """What to type next, for the best of each kind."""
    for kind in _NEXT:
        first = next((entry for entry in found if entry.kind == kind), None)
        if first is None:
            continue
        name = shlex.quote(first.requirements[0] if first.requirements else first.name)
        yield {
            "requirement": f"qmail-conformance reproduce {name} --target TARGET",
            "deviation": f"qmail-conformance deviations list -k {name}",
            "scenario": f"qmail-conformance try {name} --target TARGET",
        }[kind]


def _as_json(question: str, found: Sequence[Entry], project: Project) -> dict[str, object]:
    """All of it; `heard` are the replies, reports and lines of the log that the references give there."""
    requirements = project.catalogue.requirements
    told: dict[Kind, list[dict[str, object]]] = {kind: [] for kind in _SHOWN}
    for entry in found:
        if entry.kind == "requirement":
            requirement = requirements[entry.name]
            more: dict[str, object] = {
                "promise": entry.told,
                "patch": requirement.patch,
                "source": requirement.source,
                "severity": requirement.severity,
            }
            told["requirement"].append({"name": entry.name, **more})
        elif entry.kind == "deviation":
            where = {"requirements": entry.requirements, "targets": entry.targets}
            told["deviation"].append({**where, "reason": entry.told})
        else:
            told["scenario"].append({"name": entry.name, "title": entry.told})
    lists = {f"{kind}s": entries for kind, entries in told.items()}
    return {"question": question, **lists, "try": list(_commands(found))}
