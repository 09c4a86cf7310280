"""The table of the zoo for readers: Markdown and JSON, the same each time that nothing has changed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance.catalogue.builtin import PATCHES
from conformance.reference.flaws import FLAWS
from conformance.zoo.catches import ZooTable
from conformance.zoo.own import OwnCatches

#: Names in a cell of the first table; the second one has all of them.
_MOST_NAMES = 6

_INTRODUCTION = """\
# The zoo of flaws

Written by `qmail-conformance zoo`; not edited by hand.

Each flaw is one small wrongness that can be built into the embedded reference: what a wrong rebase, a dropped
hunk, an off-by-one or a lost error path would do. A requirement *catches* a flaw when its verdict under it
differs from the one without it: unmet for met, or, for a change on stock, met for unmet. Flaws of base and
0001 to 0003 are looked for on stock and on all patches, those of another patch on all. What a requirement
with a known deviation catches is looked for once more on the model, the reference that does what is known of
the package.

{flaws} flaws, {requirements} requirements.
"""


def to_json(table: ZooTable, own: Sequence[OwnCatches] = ()) -> dict[str, Any]:
    """The table both ways as plain data: `flaws`, `requirements`, and the bars that are `broken`.

    `own`: what a project's own requirements catch, where there is one.
    """
    told = {each.requirement: {"catches": each.catches, "why_not": each.why_not} for each in own}
    return {
        "flaws": {
            name: {
                "patch": FLAWS[name].patch,
                "wrong": FLAWS[name].description,
                "caught_by": table.caught_by[name],
                **({"on_model": table.on_model[name]} if name in table.on_model else {}),
            }
            for name in table.flaws
        },
        "requirements": {
            name: {"patch": requirement.patch, "role": requirement.role, "catches": table.catches[name]}
            for name, requirement in table.requirements.items()
        },
        "broken": list(table.broken),
        **({"own": told} if own else {}),
    }


#: What a round that is `quick` leaves out.
_QUICK = """\
Made with `--quick`: a flaw met requirements until one of its own patch caught it, and a requirement that
caught none by then met flaws until it did. Who else catches what is not known.
"""


def markdown(table: ZooTable, own: Sequence[OwnCatches] = (), *, quick: bool = False) -> str:
    """The table both ways as a page."""
    parts = [_INTRODUCTION.format(flaws=len(table.flaws), requirements=len(table.requirements))]
    if quick:
        parts.append(_QUICK)
    if table.broken:
        parts += ["## Broken\n", "".join(f"- {line}\n" for line in table.broken)]
    parts.append("## What catches each flaw\n")
    flaws = [
        (FLAWS[name].patch, (f"`{name}`", FLAWS[name].description, _some(table.caught_by[name])))
        for name in table.flaws
    ]
    parts += _by_patch(("flaw", "what is wrong", "caught by"), flaws)
    parts.append("## What each requirement catches\n")
    parts.append("A change is unmet where its patch is left out, besides.\n")
    requirements = [
        (found.patch, (f"`{name}`", found.role, _all(table.catches[name])))
        for name, found in table.requirements.items()
    ]
    parts += _by_patch(("requirement", "role", "catches"), requirements)
    if table.on_model:
        parts.append("## What catches a flaw where the known deviations show\n")
        shown = [
            (FLAWS[name].patch, (f"`{name}`", _some(caught) or "hidden, as a deviation says"))
            for name, caught in table.on_model.items()
        ]
        parts += _by_patch(("flaw", "caught by"), shown)
    if own:
        parts.append("## What each requirement of the project catches\n")
        parts.append("".join(f"- `{each.requirement}`: {each.told or '**nothing**'}\n" for each in own))
    return "\n".join(parts)


def _by_patch(head: tuple[str, ...], rows: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """A heading and a table for each patch that has rows."""
    given = list(rows)
    for patch in PATCHES:
        if of_patch := [row for own, row in given if own == patch]:
            yield f"### {patch}: {PATCHES[patch].title}\n"
            lines = [head, ("---",) * len(head), *of_patch]
            cells = [[cell.replace("|", r"\|") or "**nothing**" for cell in row] for row in lines]
            yield "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _all(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return _all(names) if more <= 1 else f"{_all(names[:_MOST_NAMES])} and {more} more"
