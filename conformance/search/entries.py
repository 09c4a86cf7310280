"""What can be found: requirements, known deviations and scenarios, each with all that speaks of it."""

import types
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from inspect import unwrap
from typing import Any, Literal

from conformance.catalogue.requirements import Case
from conformance.errors import UsageError
from conformance.judge.deviations import Deviation, load_deviations
from conformance.project.form import Project
from conformance.scenario.named import named_scenarios
from conformance.scenario.reading import load_scenario
from conformance.search.heard import load_heard

Kind = Literal["requirement", "deviation", "scenario"]


@dataclass(frozen=True)
class Entry:
    """One thing that can be found, and all that speaks of it, the most telling first.

    `told`: the promise, the reason, the title. `symptoms`: what is heard where it is not met, and what builds
    do that are known to do otherwise. `cites`: its citation. `heard`: what is heard where it is met. `works`:
    what its case or its file holds.
    """

    kind: Kind
    name: str
    told: str
    symptoms: str = ""
    cites: str = ""
    heard: str = ""
    works: str = ""
    requirements: tuple[str, ...] = ()  #: of a deviation, those that it speaks of
    targets: tuple[str, ...] = ()  #: of a deviation, the builds


def entries_of(project: Project) -> Iterator[Entry]:
    """All that a project has, and this suite. Raises UsageError for what is wrong in a file of its own."""
    requirements = project.catalogue.requirements
    known = load_deviations(requirements, project=project)
    yield from _requirements(project, known)
    yield from _deviations(known, requirements)
    for path in named_scenarios(project).values():
        try:
            scenario = load_scenario(path)
        except UsageError:  # whoever runs it is told
            continue
        if scenario.claim is None:
            yield Entry("scenario", path.stem, scenario.title, works=scenario.source)


def _requirements(project: Project, known: Iterable[Deviation]) -> Iterator[Entry]:
    unmet, met = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for text, where in load_heard().items():
        for name in where.unmet:
            unmet[name].append(text)
        for name in where.met:
            met[name].append(text)
    for name, requirement in project.catalogue.requirements.items():
        seen = [_shown(each) for each in known if fnmatchcase(name, each.requirement)]
        patch = project.series.patches[requirement.patch]
        yield Entry(
            "requirement",
            name,
            requirement.promise,
            symptoms="\n".join([*unmet[name], *seen]),
            cites=f"{requirement.source}\n{patch.number} {patch.title}",
            heard="\n".join(met[name]),
            works="\n".join(_held(project.catalogue.cases[name])),
        )


def _shown(deviation: Deviation) -> str:
    return "\n".join((deviation.reason, deviation.shows, *deviation.seen))


def _deviations(known: Iterable[Deviation], requirements: Iterable[str]) -> Iterator[Entry]:
    """One for all that give the same reason: it holds for several requirements, and packages."""
    together: dict[str, list[Deviation]] = defaultdict(list)
    for each in known:
        together[each.reason].append(each)
    for reason, those in together.items():
        patterns = [each.requirement for each in those]
        names = tuple(name for name in requirements if any(fnmatchcase(name, each) for each in patterns))
        targets = tuple(dict.fromkeys(target for each in those for target in each.target))
        yield Entry(
            "deviation",
            ", ".join(names),
            reason,
            symptoms="\n".join(dict.fromkeys(_shown(each) for each in those)),
            cites="\n".join(dict.fromkeys(each.source for each in those)),
            works=", ".join(targets),
            requirements=names,
            targets=targets,
        )


def _held(case: Case) -> Iterator[str]:
    """The texts and the names of arguments that a case's code holds; all of a scenario's file."""
    function: Any = unwrap(case)
    if (path := getattr(function, "scenario", None)) is not None:
        yield path.read_text(encoding="utf-8")
    else:
        yield from _constants(function.__code__)


def _constants(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, tuple | frozenset):
        for each in value:
            yield from _constants(each)
    elif isinstance(value, types.CodeType):
        yield from _constants(value.co_consts[1:])  # the first is the docstring
