"""`list`: the requirements with their citations and levels; the promises behind them."""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from conformance.catalogue import Patch
from conformance.catalogue.catalogue import Catalogue
from conformance.catalogue.promises import Promise, unnamed
from conformance.cli.keywords import near_names
from conformance.errors import EXIT_AS_EXPECTED, NothingSelected
from conformance.report.words import numbered

#: Why a promise has no case where it does not say why itself.
_UNWRITTEN = "none is written yet"


def run(options: argparse.Namespace) -> int:
    if options.without_a_case:
        return _without_a_case(options)
    return _promises(options) if options.promises else _requirements(options)


def _catalogue(options: argparse.Namespace) -> Catalogue:
    """The whole catalogue, that of the project among it. Raises UsageError."""
    catalogue: Catalogue = options.project.catalogue
    return catalogue


def _described(patch: Patch) -> dict[str, object]:
    """A patch as JSON has it; what it carries besides where it does."""
    told: dict[str, object] = {"number": patch.number, "title": patch.title, "source": patch.source}
    return {**told, "carries": list(patch.carries)} if patch.carries else told


def _chosen(options: argparse.Namespace, patch: str, *texts: str) -> bool:
    """Whether a patch and one of these texts are asked for, without regard to case."""
    word = options.keyword.lower()
    return (not options.patch or patch in options.patch) and any(word in text.lower() for text in texts)


def _requirements(options: argparse.Namespace) -> int:
    catalogue = _catalogue(options)
    known = catalogue.requirements.values()
    chosen = [each for each in known if _chosen(options, each.patch, each.name, each.promise)]
    _refuse_nothing("requirement", chosen, options.keyword, catalogue.requirements)
    if options.json:
        patches = [_described(patch) for patch in catalogue.series.patches.values()]
        return _as_json({"patches": patches, "requirements": [asdict(each) for each in chosen]})
    entries = [
        (each.patch, f"{each.name}  ({each.level}, {each.role})", each.promise, each.source)
        for each in chosen
    ]
    return _by_patch(catalogue, "requirement", entries, sources=True)


def _promises(options: argparse.Namespace) -> int:
    names = list(_catalogue(options).requirements)
    chosen = _chosen_promises(options)
    if options.json:
        told = [{**asdict(each), "requirements": each.requirements(names)} for each in chosen]
        return _as_json({"promises": told})
    entries = []
    for each in chosen:
        deciding = ", ".join(each.requirements(names)) or f"no case: {each.uncovered or _UNWRITTEN}"
        entries.append((each.section, each.id, each.text, deciding))
    return _by_patch(_catalogue(options), "promise", entries)


def _chosen_promises(options: argparse.Namespace) -> list[Promise]:
    chosen = [
        each for each in _catalogue(options).promises if _chosen(options, each.section, each.id, each.text)
    ]
    names = [each.id for each in _catalogue(options).promises]
    _refuse_nothing("promise", chosen, options.keyword, names)
    return chosen


def _by_patch(
    catalogue: Catalogue, noun: str, entries: Sequence[tuple[str, ...]], *, sources: bool = False
) -> int:
    """Print entries (patch, name, and what is told of it) under their patches."""
    for patch in catalogue.series.patches.values():
        of_patch = [entry[1:] for entry in entries if entry[0] == patch.number]
        if of_patch:
            print(f"{patch.number}  {patch.title}" + (f"  [{patch.source}]" if sources else ""))
            for entry in of_patch:
                print("  " + "\n      ".join(entry))
            print()
    print(numbered(len(entries), noun))
    return EXIT_AS_EXPECTED


def _without_a_case(options: argparse.Namespace) -> int:
    names = list(_catalogue(options).requirements)
    uncovered = [each for each in _chosen_promises(options) if not each.requirements(names)]
    strays = [
        name
        for name in unnamed(_catalogue(options).promises, names)
        if _chosen(options, _catalogue(options).requirements[name].patch, name)
    ]
    if options.json:
        told = [{"id": each.id, "text": each.text, "uncovered": each.uncovered} for each in uncovered]
        return _as_json({"promises": told, "requirements": strays})
    lines = [f"{each.id}\n    {each.text}\n    {each.uncovered or _UNWRITTEN}" for each in uncovered]
    lines = lines or ["every promise has a case"]
    lines += [f"{name} is named by no promise" for name in strays]
    print("\n".join(lines if strays else [*lines, "every requirement is named by a promise"]))
    return EXIT_AS_EXPECTED


def _as_json(data: dict[str, object]) -> int:
    print(json.dumps(data, indent=1))
    return EXIT_AS_EXPECTED


def _refuse_nothing(noun: str, chosen: Sequence[object], word: str, names: Iterable[str]) -> None:
    if not chosen:
        more = "Leave out -k or --patch to see all of them; `find` looks for symptoms."
        raise NothingSelected(f"no {noun} is selected", near_names(word, names, more))
