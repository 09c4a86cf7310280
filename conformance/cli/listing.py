"""`list`: the requirements with their citations and levels; the promises behind them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from conformance.cases.collection import all_requirements
from conformance.catalogue import PATCHES, Requirement
from conformance.catalogue.promises import Promise, load_promises, unnamed
from conformance.errors import EXIT_AS_EXPECTED, NothingSelected


def select(keyword: str, patches: list[str]) -> list[Requirement]:
    """Requirements of these patches whose name or promise holds `keyword`, without regard to case."""
    word = keyword.lower()
    chosen = [
        one
        for one in all_requirements().values()
        if (not patches or one.patch in patches) and (word in one.name.lower() or word in one.promise.lower())
    ]
    if not chosen:
        raise NothingSelected("no requirement is selected", "Leave out -k or --patch to see all of them.")
    return chosen


def select_promises(keyword: str, patches: list[str]) -> list[Promise]:
    """Promises of these patches whose id or text holds `keyword`, without regard to case."""
    word = keyword.lower()
    chosen = [
        one
        for one in load_promises()
        if (not patches or one.section in patches) and (word in one.id or word in one.text.lower())
    ]
    if not chosen:
        raise NothingSelected("no promise is selected", "Leave out -k or --patch to see all of them.")
    return chosen


def run(options: argparse.Namespace) -> int:
    if options.promises:
        return _promises(select_promises(options.keyword, options.patch), options.json)
    if options.without_a_case:
        return _without_a_case(options)
    chosen = select(options.keyword, options.patch)
    if options.json:
        print(
            json.dumps(
                {
                    "patches": [asdict(p) for p in PATCHES.values()],
                    "requirements": [asdict(one) for one in chosen],
                },
                indent=1,
            )
        )
        return EXIT_AS_EXPECTED
    for patch in PATCHES.values():
        of_patch = [one for one in chosen if one.patch == patch.number]
        if not of_patch:
            continue
        print(f"{patch.number}  {patch.title}  [{patch.source}]")
        for one in sorted(of_patch, key=lambda one: one.name):
            print(f"  {one.name}  ({one.level}, {one.role})\n      {one.promise}\n      {one.source}")
        print()
    print(f"{len(chosen)} requirements")
    return EXIT_AS_EXPECTED


def _promises(chosen: list[Promise], as_json: bool) -> int:
    names = list(all_requirements())
    if as_json:
        told = [{**asdict(one), "requirements": one.requirements(names)} for one in chosen]
        print(json.dumps({"promises": told}, indent=1))
        return EXIT_AS_EXPECTED
    for patch in PATCHES.values():
        of_patch = [one for one in chosen if one.section == patch.number]
        if not of_patch:
            continue
        print(f"{patch.number}  {patch.title}")
        for one in of_patch:
            decided = (
                ", ".join(one.requirements(names)) or f"no case: {one.uncovered or 'none is written yet'}"
            )
            print(f"  {one.id}\n      {one.text}\n      {decided}")
        print()
    print(f"{len(chosen)} promises")
    return EXIT_AS_EXPECTED


def _without_a_case(options: argparse.Namespace) -> int:
    names = list(all_requirements())
    open_ones = [
        one for one in select_promises(options.keyword, options.patch) if not one.requirements(names)
    ]
    word = options.keyword.lower()
    strays = [
        name
        for name in unnamed(load_promises(), names)
        if word in name and (not options.patch or name.partition(".")[0] in options.patch)
    ]
    if options.json:
        told = [{"id": one.id, "text": one.text, "uncovered": one.uncovered} for one in open_ones]
        print(json.dumps({"promises": told, "requirements": strays}, indent=1))
        return EXIT_AS_EXPECTED
    if not open_ones:
        print("every promise has a case")
    for one in open_ones:
        print(f"{one.id}\n    {one.text}\n    {one.uncovered or 'no case is written yet'}")
    if not strays:
        print("every requirement is named by a promise")
    for name in strays:
        print(f"{name} is named by no promise")
    return EXIT_AS_EXPECTED
