"""Known deviations: the reviewed files that say where a build disagrees with a promise, and why.

A file holds tables `[[deviation]]`:

    [[deviation]]
    target = "qmail=1.06-6*"             # fnmatch pattern: a target's name, or a package as name=version;
                                         # or a list of such: the versions that it was carried over to
    patches = ["0007"]                   # optional: only for targets that claim all of these
    requirement = "0007.rcpt.quoted"     # a name, or an fnmatch pattern, or a list of such of one cause
    verdict = "unmet"                    # optional: what it comes to there; "unmet" unless said
    seen = "RCPT TO:<*> is answered 250*"  # where unmet: what the failed assertion says there, or a list of
                                         # such; `*` stands for any text, and with one a word of three letters
                                         # or a reply code stands there, too. Another failure is unexpected.
                                         # Where it differs a table: by requirement, or pattern of such
    severity = "lets somebody in"        # optional: what it costs, where the requirement says otherwise
    flaw = "0007.sender-only"            # optional: the flaw of the reference that does what this describes
    hides = ["0007.adds-recipient"]      # optional: flaws of the zoo that nobody can see where this shows
    reason = "why it is so"
    source = "where that can be read"
    since = 2024-05-01
    shows = "what one sees"
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.catalogue.builtin import SERIES
from conformance.catalogue.patches import BASE, PatchSeries
from conformance.catalogue.severity import Severity, check_severity
from conformance.catalogue.tables import check_table, read_tables
from conformance.errors import UsageError
from conformance.judge.verdict import VerdictName
from conformance.project.form import NO_PROJECT, Project
from conformance.targets.target import Target

_CHECK_NAME = "Look for it with `qmail-conformance list`; if the requirement is gone, remove this entry."

DIRECTORY = Path(__file__).resolve().parent.parent / "deviations"

#: What Python makes of a pattern takes time that grows with the square of its length.
_LONGEST_PATTERN = 200
_MOST_STARS = 5

#: What a pattern with * must have for it to describe anything: a word or a reply code, not between two *.
_WORD = r"(?:[A-Za-z][A-Za-z']{2,}|[2-5]\d\d)"
_TELLING = re.compile(rf"(?<![\w*]){_WORD}(?!\w)|(?<!\w){_WORD}(?![\w*])")

_SAY_SEEN = "Write what the failed assertion says (its first line), with * for what varies."

_VERDICTS = ("met", "unmet", "unsupported")

#: What may be one text or a list of them.
_LISTED = ("target", "requirement")


@dataclass(frozen=True)
class Deviation:
    """One known disagreement; `place` says where it is written, and is the same for all of one entry.

    An entry with several requirements is one deviation for each of them. One of a lower `rank` goes before
    the others: a project's own before ours.
    """

    target: tuple[str, ...]
    requirement: str
    reason: str
    source: str
    since: date
    shows: str
    verdict: VerdictName = "unmet"
    patches: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    flaw: str = ""
    hides: tuple[str, ...] = ()
    place: str = ""
    severity: Severity | None = None
    rank: int = 0

    def applies_to(self, requirement: str, target: Target) -> bool:
        """Whether it speaks of this requirement on this target."""
        return fnmatchcase(requirement, self.requirement) and self.concerns(target)

    def concerns(self, target: Target) -> bool:
        """Whether it speaks of this target, by one of `names_of`."""
        return set(self.patches) <= set(target.patches) and any(
            fnmatchcase(name, pattern) for name in names_of(target) for pattern in self.target
        )

    def version_for(self, target: Target) -> tuple[str, str] | None:
        """The version that it names, and the target as a pattern, where it speaks of another version.

        Of one with the same patches, that is, which has the same package; None where it does not.
        """
        if self.concerns(target) or not set(self.patches) <= set(target.patches):
            return None
        for name in names_of(target):
            package, equals, _ = name.partition("=")
            for pattern in reversed(self.target):  # the latest version that it was carried over to
                if equals and pattern.startswith(f"{package}="):
                    return pattern.removeprefix(f"{package}=").rstrip("*"), name
        return None

    def to_json(self) -> dict[str, str]:
        """What a verdict carries of it."""
        told = {"reason": self.reason, "source": self.source, "since": self.since.isoformat()}
        # Its file by name alone: no directory of this machine gets into a report.
        return {**told, "seen": "\n".join(self.seen), "place": self.place.rpartition("/")[2]}


def names_of(target: Target) -> list[str]:
    """What a deviation may call a target: its name, and its packages as name=version.

    One with flaws has the name that it has without them, too: what is known of that shows there as well.
    A reference has its name alone: it is not qmail, whatever its packages are called. A model is called
    like the packages that it stands for.
    """
    packages = {} if target.specification and not target.is_model else target.packages
    plain = [target.name.rpartition("~")[0]] if target.flaws and "~" in target.name else []
    return [target.name, *plain, *(f"{name}={version}" for name, version in packages.items())]


def load_deviations(
    known_requirements: Iterable[str] | None = None,
    directory: Path | None = None,
    project: Project = NO_PROJECT,
    refuse: Callable[[UsageError], None] | None = None,
) -> list[Deviation]:
    """All deviations of a project, or of `directory` alone, file by file in order of their names.

    `known_requirements` are the names of all requirements, before any selection; None when not all cases
    are imported, so that names cannot be checked. Raises UsageError that names the file and the entry for
    anything that is not as this file's docstring says; `refuse` gets it instead, and the entry is left out.
    """
    names = None if known_requirements is None else list(known_requirements)
    found: dict[tuple[int, str, frozenset[str], str], Deviation] = {}
    directories = project.deviations if directory is None else (directory,)
    files = [(rank, path) for rank, each in enumerate(directories) for path in sorted(each.glob("*.toml"))]
    loaded: list[Deviation] = []
    for rank, path in files:
        with _told_to(refuse):
            for place, entry in read_tables(path, "deviation"):
                with _told_to(refuse):
                    for deviation in read_entry(place, entry, project.series, rank):
                        _check_names(deviation, names, found)
                        loaded.append(deviation)
    return loaded


@contextlib.contextmanager
def _told_to(refuse: Callable[[UsageError], None] | None) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        if refuse is None:
            raise
        refuse(error)


def _check_names(
    deviation: Deviation,
    names: Sequence[str] | None,
    found: dict[tuple[int, str, frozenset[str], str], Deviation],
) -> None:
    """Raise UsageError where no requirement is meant, or another entry says the same; note it in `found`."""
    place, pattern = deviation.place, deviation.requirement
    if names is not None and not any(fnmatchcase(name, pattern) for name in names):
        raise UsageError(f"{place}: no requirement is named {pattern!r}", _CHECK_NAME)
    for target in deviation.target:
        other = found.setdefault((deviation.rank, target, frozenset(deviation.patches), pattern), deviation)
        if other is not deviation:
            raise UsageError(f"{place}: the same as {other.place}", "Keep one of them.")


def read_entry(
    place: str, entry: dict[str, Any], series: PatchSeries = SERIES, rank: int = 0
) -> list[Deviation]:
    """The deviations of one table `[[deviation]]`, one for each requirement. Raises UsageError.

    `series` has the patches that there are.
    """
    texts = ("reason", "source", "shows")
    optional = ("since", "patches", "verdict", "seen", "flaw", "hides", "severity")
    check_table(place, entry, texts, (*_LISTED, *optional))
    targets, requirements = (_names(place, key, entry) for key in _LISTED)
    since, verdict, patches = entry.get("since"), entry.get("verdict", "unmet"), entry.get("patches", [])
    if type(since) is not date:
        raise UsageError(f"{place}: since is no date", "Write since = 2024-05-01, without quotes.")
    if verdict not in _VERDICTS:
        raise UsageError(f"{place}: verdict is {verdict!r}", f"It is one of {', '.join(_VERDICTS)}.")
    known = [number for number in series.patches if number != BASE]
    if not isinstance(patches, list) or any(patch not in known for patch in patches):
        raise UsageError(f"{place}: patches is {patches!r}", f"Write a list out of {', '.join(known)}.")
    words = {text: " ".join(entry[text].split()) for text in texts}
    flaw = entry.get("flaw", "")
    if not isinstance(flaw, str):
        raise UsageError(f"{place}: flaw is no text", "Name one flaw of conformance/reference/flaws.")
    hides = entry.get("hides", [])
    if not isinstance(hides, list) or not all(isinstance(name, str) for name in hides):
        raise UsageError(f"{place}: hides is no list of texts", "Name flaws of conformance/reference/flaws.")
    severity = check_severity(place, entry["severity"]) if "severity" in entry else None
    seen = entry.get("seen", [])
    return [
        Deviation(
            target=targets,
            requirement=requirement,
            **words,
            since=since,
            verdict=verdict,
            patches=tuple(patches),
            seen=_patterns(place, _seen_of(place, requirement, seen), verdict),
            flaw=flaw,
            hides=tuple(hides),
            place=place,
            severity=severity,
            rank=rank,
        )
        for requirement in requirements
    ]


def _names(place: str, key: str, entry: dict[str, Any]) -> tuple[str, ...]:
    """Patterns of targets or of requirements, one at least."""
    if key not in entry:
        raise UsageError(f"{place}: missing: {key}", f'Write {key} = "…", or a list of such.')
    given = [entry[key]] if isinstance(entry[key], str) else entry[key]
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise UsageError(f"{place}: {key} is no text, nor a list of texts", f'Write {key} = "…".')
    names = tuple(" ".join(each.split()) for each in given)
    if not names or not all(names):
        raise UsageError(f"{place}: {key} is empty", f'Write {key} = "…".')
    if len(set(names)) < len(names):
        raise UsageError(f"{place}: {key} has the same twice", "Keep one of them.")
    if max(map(len, names)) > _LONGEST_PATTERN:
        raise UsageError(f"{place}: {key} is longer than {_LONGEST_PATTERN} characters", "Shorten it.")
    return names


def _seen_of(place: str, requirement: str, seen: Any) -> Any:
    """What is seen of one requirement: in a table by its name, or else by the one pattern that fits it."""
    if not isinstance(seen, dict):
        return seen
    keys = [requirement] if requirement in seen else [key for key in seen if fnmatchcase(requirement, key)]
    if len(keys) != 1:
        what = f"{' and '.join(keys)} speak" if keys else "nothing is said"
        raise UsageError(f"{place}: seen: {what} of {requirement}", "Give each requirement its own.")
    return seen[keys[0]]


def _patterns(place: str, given: Any, verdict: str) -> tuple[str, ...]:
    """What is seen, as patterns of one line each."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise UsageError(f"{place}: seen is neither a text nor a list of texts", _SAY_SEEN)
    patterns = tuple(" ".join(each.split()) for each in listed)
    if bool(patterns) != (verdict == "unmet"):
        what = "missing: seen" if verdict == "unmet" else f"seen is for what is unmet, and it is {verdict}"
        raise UsageError(f"{place}: {what}", _SAY_SEEN)
    for pattern in patterns:
        if len(pattern) > _LONGEST_PATTERN or pattern.count("*") > _MOST_STARS:
            raise UsageError(
                f"{place}: seen is longer than {_LONGEST_PATTERN} characters or has over {_MOST_STARS} *",
                "Shorten it.",
            )
        if not pattern.strip("* "):
            raise UsageError(f"{place}: seen fits whatever is seen", _SAY_SEEN)
        if "*" in pattern and not _TELLING.search(pattern):
            raise UsageError(
                f"{place}: seen is {pattern!r}, which fits nearly anything",
                "Write a word of three letters or a reply code at least, which is not between two *.",
            )
    return patterns
