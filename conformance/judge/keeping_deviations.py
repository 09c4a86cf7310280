"""What becomes of deviations when a build changes: carried over to a version, drafted, dropped.

Each is judged by a stored run; the files are changed as text, and come back as `DeviationFile`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.catalogue.requirements import Requirement
from conformance.errors import UsageError
from conformance.judge.deviation_files import DeviationFile, place_of
from conformance.judge.deviations import Deviation, names_of
from conformance.judge.expectation import Expectation, expect
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.targets.target import Target

#: A package and one version of it.
_VERSION = re.compile(r"[A-Za-z0-9][\w.+-]*=[A-Za-z0-9][\w.+:~-]*")


@dataclass(frozen=True)
class Carried:
    """A deviation that is to hold for another target, of the requirements in `names` (or a pattern of such).

    `target` is that one, as the deviation names it; `count`: how many verdicts it explains there.
    """

    deviation: Deviation
    names: tuple[str, ...]
    target: str
    count: int = 1


@dataclass(frozen=True)
class Known:
    """What is known: the requirements of today, by name, and the deviations from them."""

    requirements: Mapping[str, Requirement]
    deviations: Sequence[Deviation]

    def expected(self, verdict: Verdict, target: Target) -> Expectation:
        """What is expected of a stored verdict's requirement, as it is today or else as it was then."""
        v = verdict
        was = Requirement(v.requirement, v.patch, v.source, v.promise, v.level, v.role, severity=v.severity)
        return expect(self.requirements.get(v.requirement, was), target, self.deviations)


def unexpected(run: Run, everything: Known) -> list[tuple[Verdict, Expectation]]:
    """Verdicts of a run that what is known leaves unexpected, with what was expected."""
    found = []
    for verdict in run.verdicts:
        if verdict.verdict in ("met", "unmet") and not verdict.unstable:
            expectation = everything.expected(verdict, run.target)
            if not expectation.fits(verdict.verdict, verdict.seen):
                found.append((verdict, expectation))
    return found


def shown_elsewhere(run: Run, everything: Known) -> list[Carried]:
    """The deviations of other versions that a run shows, each with the requirements that show it."""
    names: dict[tuple[Deviation, str], list[str]] = {}
    for verdict, expectation in unexpected(run, everything):
        if (found := expectation.described_elsewhere(verdict.verdict, verdict.seen)) is not None:
            deviation, (_, target) = found
            names.setdefault((deviation, target), []).append(verdict.requirement)
    there = {*everything.requirements, *(verdict.requirement for verdict in run.verdicts)}
    carried = []
    for (each, target), shown in names.items():
        # A pattern stays one where everything that it names shows.
        whole = len(_fitting(each, there)) == len(shown)
        carried.append(Carried(each, (each.requirement,) if whole else tuple(shown), target, len(shown)))
    return carried


def _fitting(deviation: Deviation, names: Iterable[str]) -> list[str]:
    return [name for name in names if fnmatchcase(name, deviation.requirement)]


def check_version(target: str) -> None:
    """Raise UsageError unless this is a package and a version of it."""
    if not _VERSION.fullmatch(target):
        raise UsageError(f"--to {target}: this names no version", "As qmail=1.06-6.3.")


def named_elsewhere(name: str, target: str, deviations: Sequence[Deviation]) -> Carried:
    """The one deviation of another version that speaks of a requirement. Raises UsageError."""
    package = target.partition("=")[0]
    speaking = [each for each in deviations if fnmatchcase(name, each.requirement)]
    known = [each for each in speaking if any(pattern.startswith(f"{package}=") for pattern in each.target)]
    known = [each for each in known if each.rank == min(other.rank for other in known)]
    if any(target in each.target for each in known):
        raise UsageError(f"{name}: this is known for {target} already", "Nothing is left to be done.")
    if len(known) != 1:
        what = (
            f"{len(known)} deviations of {package} speak of it" if known else f"nothing is known of {package}"
        )
        raise UsageError(f"{name}: {what}", "`qmail-conformance deviations list` shows what is known.")
    return Carried(known[0], (name,), target)


def carry(
    carried: Sequence[Carried], deviations: Sequence[Deviation], into: Path | None
) -> list[DeviationFile]:
    """The files in which these hold for their targets: the entries' own, or `into`, where all is new.

    An entry of which only a part is carried is written anew in either case.
    """
    files = _Files()
    entries: dict[tuple[str, str], list[Carried]] = {}
    for each in carried:
        entries.setdefault((each.deviation.place, each.target), []).append(each)
    for (place, target), parts in entries.items():
        path, number = place_of(parts[0].deviation)
        whole = [each.requirement for each in deviations if each.place == place]
        names = [name for part in parts for name in part.names]
        if into is None and set(names) == set(whole):
            files[path].set(number, "target", [*parts[0].deviation.target, target])
            continue
        seen = {name: part.deviation.seen for part in parts for name in part.names}
        entry = DeviationFile(path).entries[number - 1]
        files[into or path].add({**entry, "target": [target], "requirement": names, **_seen(seen)})
    return list(files.values())


def _seen(of: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What is seen of each requirement, as an entry says it."""
    ways = {name: tuple(seen) for name, seen in of.items() if seen}
    if len(set(ways.values())) > 1:
        return {"seen": {name: list(seen) for name, seen in ways.items()}}
    return {"seen": list(next(iter(ways.values())))} if ways else {}


class _Files(dict[Path, DeviationFile]):
    """Each file, read once."""

    def __missing__(self, path: Path) -> DeviationFile:
        self[path] = DeviationFile(path)
        return self[path]


def draft(run: Run, everything: Known, today: date, into: Path) -> tuple[DeviationFile, int]:
    """An entry for each unexpected verdict of which no version knows anything, and how many these are.

    Its reason is empty, and so is its source: no reader takes it before somebody fills them in. What stands
    in the file already, as of an earlier draft, is not written twice.
    """
    file, count = DeviationFile(into), 0
    there = [(each.get("target"), each.get("requirement")) for each in file.entries]
    for verdict, expectation in unexpected(run, everything):
        known = expectation.deviation or expectation.described_elsewhere(verdict.verdict, verdict.seen)
        if not known and (package_of(run.target), verdict.requirement) not in there:
            file.add(_drafted(verdict, run.target, today))
            count += 1
    return file, count


def _drafted(verdict: Verdict, target: Target, today: date) -> dict[str, Any]:
    said = " ".join(verdict.seen.partition("\n")[0].split())
    entry: dict[str, Any] = {"target": [package_of(target)], "requirement": [verdict.requirement]}
    if verdict.patch in target.patches:
        entry["patches"] = [verdict.patch]
    if verdict.verdict == "unmet":
        entry["seen"] = [as_pattern(said)]
    else:
        entry["verdict"] = verdict.verdict
    if verdict.severity is not None:
        entry["severity"] = verdict.severity
    return {**entry, "reason": "", "source": "", "since": today, "shows": said or verdict.promise}


def package_of(target: Target) -> str:
    """What a deviation calls this very build: its qmail by name and version, else the target's name."""
    names = names_of(target)
    return next((name for name in names if "qmail" in name.partition("=")[0] and "=" in name), names[0])


def as_pattern(said: str) -> str:
    """What was said as a pattern that a deviation may have: not too long, with few `*`."""
    first, *rest = said.split("*")
    pattern = "*".join([first, *rest[:3], ""] if len(rest) > 4 else [first, *rest])
    return pattern if len(pattern) <= 200 else pattern[:199] + "*"


def drop(runs: Sequence[Run], everything: Known) -> tuple[list[DeviationFile], list[str]]:
    """The files without what none of these runs shows, and a line for each requirement that does not show it.

    What fails otherwise than described stays, and so does a pattern of which anything still shows, or which
    other builds may be called by. An entry that speaks of other targets, too, is kept for these.
    """
    gone: dict[Deviation, set[str]] = {}
    shown: dict[Deviation, set[str]] = {}
    for target, verdict in ((run.target, verdict) for run in runs for verdict in run.verdicts):
        known = everything.expected(verdict, target).deviation
        if known is None or verdict.unstable or verdict.verdict in ("invalid", "unsupported"):
            continue
        found = shown if verdict.verdict == known.verdict else gone
        found.setdefault(known, set()).add(verdict.requirement)
    targets = [run.target for run in runs]
    names_there = {name for target in targets for name in names_of(target)}
    dropped, lines = [], []
    for each, requirements in gone.items():
        names = sorted(requirements - shown.get(each, set()))
        if each in shown:
            why = f"others of {each.requirement} do" if names else "another of these builds shows it"
            lines.append(_narrow(names or sorted(requirements), each, why))
        elif wide := sorted(_fitting_targets(each, targets) - names_there):
            lines.append(_narrow(names, each, f"other builds that {', '.join(wide)} names may"))
        else:
            dropped.append(each)
            lines += [f"{name}: no longer shows ({each.place})" for name in names]
    files = _Files()
    places = {each.place: place_of(each) for each in dropped}
    for place in sorted(places, key=lambda place: places[place], reverse=True):  # numbers before stay right
        path, number = places[place]
        entry = [each for each in everything.deviations if each.place == place]
        _drop(files[path], number, entry, [each for each in entry if each not in dropped], targets)
    return list(files.values()), lines


def _narrow(names: Sequence[str], deviation: Deviation, why: str) -> str:
    return f"{', '.join(names)}: no longer shows, and {why}: narrow the entry by hand ({deviation.place})"


def _fitting_targets(deviation: Deviation, targets: Iterable[Target]) -> set[str]:
    """The patterns by which a deviation speaks of these targets."""
    names = [name for target in targets for name in names_of(target)]
    return {each for each in deviation.target if any(fnmatchcase(name, each) for name in names)}


def _drop(
    file: DeviationFile,
    number: int,
    entry: Sequence[Deviation],
    left: Sequence[Deviation],
    targets: Iterable[Target],
) -> None:
    of_these = _fitting_targets(entry[0], targets)
    fitting = [pattern for pattern in entry[0].target if pattern in of_these]
    others = [pattern for pattern in entry[0].target if pattern not in fitting]
    if not others and left:
        file.set(number, "requirement", [each.requirement for each in left])
        return
    if left:
        seen = _seen({each.requirement: each.seen for each in left})
        kept = {"target": fitting, "requirement": [each.requirement for each in left], **seen}
        file.add({**file.entries[number - 1], **kept})
    if others:
        file.set(number, "target", others)
    else:
        file.remove(number)
