"""The catalogue: each requirement with promise, citation and case, what is known, and what it catches."""

import fnmatch
import importlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from made_commands import cell

from conformance.cases.collection import all_requirements
from conformance.catalogue.builtin import PATCHES
from conformance.catalogue.requirements import Requirement
from conformance.judge.deviations import load_deviations
from conformance.judge.runfile import suite_digest
from conformance.reference.flaws import FLAWS

ROOT = Path(__file__).resolve().parents[2]
#: How deviations call the published package.
PUBLISHED = "qmail=1.06-6.2*"
#: The table that `tox run -e zoo` of this very suite has written.
ZOO = Path(os.environ.get("QMAIL_ZOO", ROOT / "reports" / "zoo" / "zoo.json"))

_UNTOLD = "Which flaws each catches is not told here"


@cache
def catches() -> tuple[dict[str, list[str]], str]:
    """Flaws by requirement, and a sentence about them. Without a table of this suite there are none."""
    try:
        table = json.loads(ZOO.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, f"{_UNTOLD}: build the site after `tox run -e zoo -- --out reports/zoo`."
    if table["digest"] != suite_digest():
        return {}, f"{_UNTOLD}: the table of the zoo at hand is of another version."
    said = "Catches: the [flaws](../../explanation/zoo.md) that turn its case red."
    if table["quick"]:
        said += " The table was made with `--quick`: who else catches a flaw is not known."
    return {name: each["catches"] for name, each in table["requirements"].items()}, said


@cache
def known() -> dict[str, str]:
    """The published package's deviations: requirement -> why it is unmet there."""
    names = list(all_requirements())
    return {
        name: each.reason
        for each in load_deviations()
        if PUBLISHED in each.target
        for name in fnmatch.filter(names, each.requirement)
    }


def patches() -> str:
    """A table of the patches, with how many requirements each has."""
    count = {number: sum(each.patch == number for each in all_requirements().values()) for number in PATCHES}
    rows = [
        f"| [{number}]({number}.md) | {cell(patch.title)} | {cell(patch.source)} | {count[number]} |"
        for number, patch in PATCHES.items()
    ]
    head = ["| patch | what it is for | source | requirements |", "| --- | --- | --- | ---: |"]
    return "\n".join([*head, *rows, "", catches()[1]])


def pages() -> dict[str, Callable[[], str]]:
    """What makes the page of each patch."""
    return {number: partial(page, number) for number in PATCHES}


def page(number: str) -> str:
    """The requirements of a patch, under the files of their cases."""
    of_patch = [each for each in all_requirements().values() if each.patch == number]
    patch = PATCHES[number]
    lines = [f"# {number}: {cell(patch.title)}", "", f"Source: {cell(patch.source)}.", ""]
    by_file = sorted(of_patch, key=lambda each: (_file(each), each.name))
    for file, group in groupby(by_file, _file):
        lines += [f"## {_title(file)}", "", cell(_docstring(file)), ""]
        for each in group:
            lines += _entry(each)
    return "\n".join(lines)


def _file(each: Requirement) -> str:
    return each.case.partition("::")[0]


def _title(file: str) -> str:
    """`test_base_mx.py` is about "base mx"."""
    return Path(file).stem.removeprefix("test_").replace("_", " ")


def _docstring(file: str) -> str:
    """What a file of cases says of itself; a scenario has its title in its case."""
    if not file.endswith(".py"):
        return "A scenario of `fixtures/scenarios/`."
    told = importlib.import_module(f"conformance.cases.{file.removesuffix('.py')}").__doc__ or ""
    return " ".join(told.split())


def _entry(each: Requirement) -> Iterator[str]:
    words = [each.level, each.role, *([each.severity] if each.severity else [])]
    needs = f" Needs {', '.join(each.needs)} besides." if each.needs else ""
    yield f"({each.name})="
    yield f"**`{each.name}`** ({', '.join(words)})\\\n{cell(each.promise)}{needs}\\"
    lines = [f"Citation: {cell(each.source)}.", f"Case: `{each.case}`."]
    if each.name in known():
        lines.append(f"Known of the published package: {cell(known()[each.name])}")
    caught = [f"`{name}` ({cell(FLAWS[name].description)})" for name in catches()[0].get(each.name, [])]
    if caught:
        lines.append(f"Catches: {'; '.join(caught)}.")
    yield "\\\n".join(lines) + "\n"
