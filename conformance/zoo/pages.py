"""The table of the zoo for readers: Markdown and JSON, the same each time that nothing has changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.catalogue import PATCHES
from conformance.reference.flaws import FLAWS
from conformance.zoo.table import Table

#: Names in a cell of the first table; the second one has all of them.
_MOST_NAMES = 6

_INTRODUCTION = """\
# The zoo of flaws

Written by `qmail-conformance zoo`; not edited by hand.

Each flaw is one small wrongness that can be built into the embedded reference: what a wrong rebase, a dropped
hunk, an off-by-one or a lost error path would do. A requirement *catches* a flaw when its verdict under it
differs from the one without it: unmet for met, or, for a change on stock, met for unmet. Flaws of base are
looked for on stock and on all six patches, those of a patch on all six.

{flaws} flaws, {requirements} requirements.
"""


def to_json(table: Table) -> dict[str, Any]:
    """The table both ways as plain data: `flaws`, `requirements`, and the bars that are `broken`."""
    return {
        "flaws": {
            name: {
                "patch": FLAWS[name].patch,
                "wrong": FLAWS[name].description,
                "caught_by": table.caught_by[name],
            }
            for name in table.flaws
        },
        "requirements": {
            name: {"patch": one.patch, "role": one.role, "catches": table.catches[name]}
            for name, one in table.requirements.items()
        },
        "broken": list(table.broken),
    }


def markdown(table: Table) -> str:
    """The table both ways as a page."""
    parts = [_INTRODUCTION.format(flaws=len(table.flaws), requirements=len(table.requirements))]
    if table.broken:
        parts += ["## Broken\n", "".join(f"- {line}\n" for line in table.broken)]
    parts.append("## What catches each flaw\n")
    for patch, of_patch in _by_patch((name, FLAWS[name].patch) for name in table.flaws):
        parts.append(f"### {patch}: {PATCHES[patch].title}\n")
        rows = (
            (f"`{name}`", FLAWS[name].description, _some(table.caught_by[name]) or "**nothing**")
            for name in of_patch
        )
        parts.append(_rows(("flaw", "what is wrong", "caught by"), rows))
    parts.append("## What each requirement catches\n")
    parts.append("A change is unmet where its patch is left out, besides.\n")
    pairs = ((name, one.patch) for name, one in table.requirements.items())
    for patch, of_patch in _by_patch(pairs):
        parts.append(f"### {patch}: {PATCHES[patch].title}\n")
        requirement_rows = (
            (f"`{name}`", table.requirements[name].role, _all(table.catches[name]) or "**nothing**")
            for name in of_patch
        )
        parts.append(_rows(("requirement", "role", "catches"), requirement_rows))
    return "\n".join(parts)


def _by_patch(named: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    given = list(named)
    grouped = ((patch, [name for name, own in given if own == patch]) for patch in PATCHES)
    return [(patch, names) for patch, names in grouped if names]


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def _all(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return _all(names) if more <= 1 else f"{_all(names[:_MOST_NAMES])} and {more} more"
