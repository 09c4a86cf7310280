"""What every case must look like: a promise, a citation that can be looked up, an assertion, no shortcuts."""

import ast
import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.cases.attempt import conclude
from conformance.cases.collection import DIRECTORY, all_requirements, case_of
from conformance.catalogue.builtin import PATCHES, PPA_PATCHES
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.embedded import ReferencePod

FILES = sorted(DIRECTORY.glob("*.py"))
REQUIREMENTS = all_requirements()
MOST_LINES = 420

#: What a case may know of this package: handles, the catalogue, the seam to a pod, the client's side of SMTP.
ROOMS = ("cases", "catalogue", "pod", "smtp", "internet.zones", "scenario.cases")

_WORDS = r"[^;]*[^;\s]"
_RFC = r"rfc\d{3,4}:[0-9A-Z]+(\.\d+)*"
_PAGE = r"[a-z]+(-[a-z]+)*\([1-8]\)( with patch:\d{4})?"
_PATCH = r"patch:\d{4} [A-Za-z0-9]"
#: A source is one or more of these, joined by "; ": sections of RFCs and of Debian's Policy; manual
#: pages and patches, each with words that say where in it; the words of the mission.
_CLAUSE = re.compile(
    rf"{_RFC}(, {_RFC})*|{_PAGE}(, {_PAGE})*|{_PAGE}(: ?| ){_WORDS}|{_PATCH}{_WORDS}|mission: {_WORDS}"
    r"|debian-policy:\d+(\.\d+)*(, debian-policy:\d+(\.\d+)*)*"
    # What nothing promises and everybody has: it stays as it was.
    r"|package source, [\w./-]+: \w+"
)


def complaints_of_source(source: str) -> list[str]:
    """What is wrong with a citation."""
    wrong = [f"{clause!r} cites nothing" for clause in source.split("; ") if not _CLAUSE.fullmatch(clause)]
    if re.search(r"\bRFC ?\d", source):
        wrong.append("an RFC is cited as rfc5321:4.1.4")
    wrong += [f"no patch {number}" for number in re.findall(r"patch:(\d+)", source) if number not in PATCHES]
    return wrong


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def complaints_of_imports(tree: ast.Module) -> list[str]:
    """Imports that a case has no business with, and waiting without a reason."""
    wrong = []
    for module in imported(tree):
        top, _, room = module.partition(".")
        if top in ("", "smtplib", "docker", "dnslib", "socket", "subprocess", "time", "random"):
            wrong.append(f"imports {module}")
        if top == "conformance" and not (room + ".").startswith(tuple(f"{each}." for each in ROOMS)):
            wrong.append(f"imports {module}")
    for node in ast.walk(tree):
        if "sleep" in (getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", "")):
            wrong.append("sleeps")
    return wrong


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> dict[str, Function]:
    """The functions of a file by name."""
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: node for node in found}


def asserts(name: str, known: dict[str, Function], above: frozenset[str] = frozenset()) -> bool:
    """Whether a function asserts something, itself or in what it calls in its own file."""
    if name in above or name not in known:
        return False
    nodes = list(ast.walk(known[name]))
    own = any(isinstance(node, ast.Assert) for node in nodes)
    called = [getattr(node.func, "id", "") for node in nodes if isinstance(node, ast.Call)]
    return own or any(asserts(each, known, above | {name}) for each in called)


def complaints_of_cases(tree: ast.Module) -> list[str]:
    """Cases without a requirement, a promise or an assertion."""
    known = functions(tree)
    wrong = []
    for name, function in known.items():
        calls = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
        marks = [getattr(called, "id", "") for called in calls]
        if name.startswith("test_") != ("requirement" in marks):
            wrong.append(f"{name}: a case is named test_… and marked with @requirement")
        if name.startswith("test_") and not ast.get_docstring(function):
            wrong.append(f"{name}: no docstring, so no promise")
        if name.startswith("test_") and not asserts(name, known):
            wrong.append(f"{name}: asserts nothing")
    return wrong


def says_something(name: str, promise: str) -> bool:
    """Whether a promise is a sentence, and says more than the name does."""
    new = set(re.findall(r"[a-z0-9]+", promise.lower())) - set(re.findall(r"[a-z0-9]+", name))
    return len(new) >= 4 and promise.rstrip('"').endswith((".", "!", "?"))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_source_can_be_looked_up_and_a_promise_says_something(name: str) -> None:
    assert complaints_of_source(REQUIREMENTS[name].source) == []
    assert says_something(name, promise := REQUIREMENTS[name].promise)
    if "smuggling" in name or "newline" in name:
        assert re.search(r"attacker's reach|erely illegal", promise)


class Waiting(ReferencePod):
    """The reference, which also counts the seconds of the worlds before: `waited`."""

    waited = 0.0

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self.waited += self.clock.at
        await super().prepare(world, configuration)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_case_says_for_how_many_seconds_it_waits(name: str) -> None:
    for patches in (PPA_PATCHES, ()):
        pod = Waiting(patches)
        asyncio.run(conclude(case_of(REQUIREMENTS[name]), pod))
        waited = int(pod.waited + pod.clock.at)
        assert REQUIREMENTS[name].waits >= waited, f"@requirement({name!r}, …, waits={waited})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_keeps_to_its_room_and_its_cases_promise_and_assert(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    tree = ast.parse(text)
    if path.name not in ("attempt.py", "checking.py", "collection.py"):  # these run cases
        assert complaints_of_imports(tree) == []
    if path.name.startswith("test_"):
        assert complaints_of_cases(tree) == []


MARK = '@requirement("base.x.y", source="rfc5321:2.4")\n'
HELPER = "async def _helper(qmail):\n    assert await qmail.queue()\n"
CALLS = MARK + 'async def test_a(qmail):\n    """It is so."""\n    await _helper(qmail)\n'


@pytest.mark.parametrize(
    ("complaints", "text"),
    [
        *((complaints_of_source, source) for source in (
            "RFC 5321 4.1.4", "rfc5321", "rfc5321:4.1.4, 3.3", "rfc5321:4.1.4;rfc2920:3", "rfc5321:4.1.4; ",
            "see above", "patch:0012 something", "patch:0004", "qmail-smtpd", "qmail-smtpd(9)", "mission:",
            "rfc5321: 4.1",
        )),
        *((lambda text: complaints_of_cases(ast.parse(text)), case) for case in (
            MARK + "async def test_a(qmail):\n    await qmail.queue()\n",
            CALLS,
            MARK + "async def test_a(qmail):\n    assert await qmail.queue()\n",
            HELPER + CALLS.replace("test_a", "other"),
            HELPER + CALLS.removeprefix(MARK),
        )),
        *((lambda text: complaints_of_imports(ast.parse(text)), text) for text in (
            "import smtplib", "from time import sleep", "import asyncio\nasyncio.sleep(1)",
            "from conformance.targets.embedded import ReferencePod", "from conformance import targets",
            "from conformance.reference.flaws import FLAWS", "from . import attempt",
            "from conformance.internet.nameserver import NameServer",
        )),
        *((lambda text: [] if says_something("0006.unknown.code", text) else [text], promise) for promise in (
            "Unknown code.", "The unknown code is so.", "It works.", "An unknown verb is answered with",
        )),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen(complaints: Callable[[str], list[str]], text: str) -> None:
    assert complaints(text) != []


def test_a_helper_may_assert() -> None:
    assert complaints_of_cases(ast.parse(HELPER + CALLS)) == []
