"""What was found in the published package: its deviations, put together by cause, the worst first."""

import fnmatch
import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from made_catalogue import PUBLISHED
from made_commands import cell

from conformance.cases.collection import all_requirements
from conformance.catalogue.severity import SEVERITIES, Severity, worst_first
from conformance.judge.deviations import Deviation, load_deviations

#: Names of the patches' files in the packaging source, whose lines are counted.
DIFFS = {
    "0001": "0001-qmail-errmsg-logging.diff",
    "0002": "0002-qmail-verify.diff",
    "0005": "0005-handle-large-dns-responses.diff",
    "0007": "0007-smtpd-relay-reject.diff",
    "0008": "0008-qmail-authentication.diff",
    "0009": "0009-smtpd-rcptcheck.diff",
}
#: What a date of `since` is.
SINCE = {
    "1998-06-15": "qmail 1.03",
    "2003-04-22": "builds for machines with 64 bits",
    "2009-08-28": "the patch's first version in the distribution",
    "2019-07-16": "the PPA's first build with these patches",
    "2023-08-27": "the date of 1.06-6.2, or earlier",
}
HEADINGS: dict[Severity, str] = {
    "loses mail": "What loses mail",
    "lets somebody in": "What lets somebody in",
    "crashes": "What crashes",
    "refuses or delays mail": "What refuses or delays mail",
    "wrong words": "What says something else than promised",
}
FILE = Path(__file__).with_name("findings.toml")


def published() -> list[Deviation]:
    """What is known of the published package, requirement by requirement."""
    return [each for each in load_deviations() if PUBLISHED in each.target]


def grouped(deviations: Sequence[Deviation]) -> list[tuple[dict[str, Any], list[Deviation]]]:
    """Each finding with its deviations; what is not described yet has one of its own, by its requirement.

    Raises ValueError for a flaw in two findings, or in one that no deviation names any longer.
    """
    entries = tomllib.loads(FILE.read_text(encoding="utf-8"))["finding"]
    named = [flaw for entry in entries for flaw in entry["flaws"]]
    known = {each.flaw for each in deviations}
    wrong = {flaw for flaw in named if named.count(flaw) > 1 or flaw not in known}
    if wrong:
        raise ValueError(f"{FILE.name}: {', '.join(sorted(wrong))}: in two findings, or of no deviation")
    groups = [(entry, [each for each in deviations if each.flaw in entry["flaws"]]) for entry in entries]
    others = sorted((each for each in deviations if each.flaw not in named), key=lambda each: each.place)
    for _, of_one in groupby(others, lambda each: each.place):
        group = list(of_one)
        groups.append(({"title": group[0].requirement, "where": []}, group))
    return groups


def severity(deviation: Deviation) -> Severity:
    """What it costs people, by itself or by the requirements that it speaks of."""
    requirements = all_requirements()
    usual = [requirements[name].severity for name in fnmatch.filter(requirements, deviation.requirement)]
    return deviation.severity or min((each for each in usual if each), key=worst_first, default="wrong words")


def findings() -> str:
    """The page behind its heading."""
    groups = grouped(published())
    ranked = sorted(groups, key=lambda group: min(worst_first(severity(each)) for each in group[1]))
    lines = [_counted(groups), ""]
    for costs in SEVERITIES:
        of_cost = [group for group in ranked if min(map(severity, group[1]), key=worst_first) == costs]
        if of_cost:
            lines += [f"## {HEADINGS[costs]}", ""]
        for entry, deviations in of_cost:
            lines += _told(entry, deviations)
    return "\n".join(lines)


def _counted(groups: Sequence[tuple[dict[str, Any], list[Deviation]]]) -> str:
    """How the numbers that one meets belong together."""
    everything, ours = load_deviations(), published()
    entries, of_ours = (len({each.place for each in some}) for some in (everything, ours))
    names = {name for each in ours for name in fnmatch.filter(all_requirements(), each.requirement)}
    return (
        f"{len(groups)} causes stand behind {len(names)} requirements that the package does not keep, "
        f"which is how many known deviations a `gate` of it counts; {len(ours)} deviations in {of_ours} "
        "entries describe them (an entry may name several requirements, a pattern mean several), and "
        f"`deviations check` counts {len(everything)} in {entries}, with those of other packages."
    )


def _told(entry: dict[str, Any], deviations: Sequence[Deviation]) -> Iterator[str]:
    yield from (f"### {entry['title']}", "")
    for reason in dict.fromkeys(each.reason for each in deviations):
        yield from (cell(reason), "")
    since = min(each.since for each in deviations).isoformat()
    yield f"- **Since**: {since}" + (f", {SINCE[since]}" if since in SINCE else "")
    if "who" in entry:
        yield f"- **Who is hit**: {entry['who']}"
    yield from (f"- **Seen**: {cell(shows)}" for shows in dict.fromkeys(each.shows for each in deviations))
    where = [_where(place) for place in entry["where"]]
    for place in where or dict.fromkeys(cell(each.source) for each in deviations):
        yield f"- **Where**: {place}"
    if "mend" in entry:
        yield f"- **What would end it**: {entry['mend']}"
    names = [name for each in deviations for name in fnmatch.filter(all_requirements(), each.requirement)]
    yield f"- **Requirements**: {', '.join(f'[`{name}`](#{name})' for name in names)}"
    yield from (f"- **Show it**: `qmail-conformance reproduce {names[0]} --target model-ppa`", "")


def _where(place: str) -> str:
    """`0007:39 …` is line 39 of that patch's file, `package: …` one of the packaging's, else netqmail's."""
    if found := re.match(r"(\d{4}):(\d+) (.*)", place):
        return f"`debian/diff/{DIFFS[found[1]]}`, line {found[2]}: {found[3]}"
    if place.startswith("package: "):
        return f"the package's own {place.removeprefix('package: ')}"
    return f"netqmail's own {place}"
