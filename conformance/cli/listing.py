"""`list`: the requirements with their citations and levels."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from conformance.cases.collection import all_requirements
from conformance.catalogue import PATCHES, Requirement
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


def run(options: argparse.Namespace) -> int:
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
