"""Known deviations: the reviewed files that say where a build disagrees with a promise, and why.

A file holds tables `[[deviation]]`:

    [[deviation]]
    target = "qmail=1.06-6*"             # fnmatch pattern: a target's name, or a package as name=version
    patches = ["0007"]                   # optional: only for targets that claim all of these
    requirement = "0007.rcpt.quoted"     # a name, or an fnmatch pattern
    verdict = "unmet"                    # optional: what it comes to there; "unmet" unless said
    seen = "RCPT TO:<*> is answered 250*"  # where unmet: what the failed assertion says there, or a list of
                                         # such; `*` stands for any text. Another failure is unexpected
    flaw = "0007.sender-only"            # optional: the flaw of the reference that does what this describes
    hides = ["0007.adds-recipient"]      # optional: flaws of the zoo that nobody can see where this shows
    reason = "why it is so"
    source = "where that can be read"
    since = 2024-05-01
    shows = "what one sees"
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.catalogue.patches import PPA_PATCHES
from conformance.catalogue.tables import check_table, read_tables
from conformance.errors import UsageError
from conformance.judge.verdict import VerdictName
from conformance.targets.target import Target

_CHECK_NAME = "Look for it with `qmail-conformance list`; if the requirement is gone, remove this entry."

DIRECTORY = Path(__file__).resolve().parent.parent / "deviations"

#: What Python makes of a pattern takes time that grows with the square of its length.
_LONGEST_PATTERN = 200
_MOST_STARS = 5

_SAY_SEEN = "Write what the failed assertion says (its first line), with * for what varies."

_VERDICTS = ("met", "unmet", "unsupported")


@dataclass(frozen=True)
class Deviation:
    """One known disagreement; `place` says where it is written."""

    target: str
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

    def applies_to(self, requirement: str, target: Target) -> bool:
        """Whether it speaks of this requirement on this target."""
        return fnmatchcase(requirement, self.requirement) and self.concerns(target)

    def concerns(self, target: Target) -> bool:
        """Whether it speaks of this target.

        A reference is matched by its name alone: it is not qmail, whatever its packages are called. A model
        is matched like the packages that it stands for.
        """
        if not set(self.patches) <= set(target.patches):
            return False
        packages = () if target.specification and not target.is_model else target.packages.items()
        return fnmatchcase(target.name, self.target) or any(
            fnmatchcase(f"{name}={version}", self.target) for name, version in packages
        )

    def to_json(self) -> dict[str, str]:
        """What a verdict carries of it."""
        told = {"reason": self.reason, "source": self.source, "since": self.since.isoformat()}
        return {**told, "seen": "\n".join(self.seen)}


def load_deviations(
    known_requirements: Iterable[str] | None = None, directory: Path = DIRECTORY
) -> list[Deviation]:
    """All deviations of `directory`, file by file in order of their names.

    `known_requirements` are the names of all requirements, before any selection; None when not all cases
    are imported, so that names cannot be checked. Raises UsageError that names the file and the entry for
    anything that is not as this file's docstring says.
    """
    names = None if known_requirements is None else list(known_requirements)
    found: dict[tuple[str, frozenset[str], str], Deviation] = {}
    for path in sorted(directory.glob("*.toml")):
        for place, entry in read_tables(path, "deviation"):
            deviation = _checked(place, entry)
            pattern = deviation.requirement
            if names is not None and not any(fnmatchcase(name, pattern) for name in names):
                raise UsageError(f"{place}: no requirement is named {pattern!r}", _CHECK_NAME)
            other = found.setdefault((deviation.target, frozenset(deviation.patches), pattern), deviation)
            if other is not deviation:
                raise UsageError(f"{place}: the same as {other.place}", "Keep one of them.")
    return list(found.values())


def _checked(place: str, entry: dict[str, Any]) -> Deviation:
    texts = ("target", "requirement", "reason", "source", "shows")
    check_table(place, entry, texts, ("since", "patches", "verdict", "seen", "flaw", "hides"))
    since, verdict, patches = entry.get("since"), entry.get("verdict", "unmet"), entry.get("patches", [])
    for text in ("target", "requirement"):
        if len(entry[text]) > _LONGEST_PATTERN:
            raise UsageError(f"{place}: {text} is longer than {_LONGEST_PATTERN} characters", "Shorten it.")
    if type(since) is not date:
        raise UsageError(f"{place}: since is no date", "Write since = 2024-05-01, without quotes.")
    if verdict not in _VERDICTS:
        raise UsageError(f"{place}: verdict is {verdict!r}", f"It is one of {', '.join(_VERDICTS)}.")
    if not isinstance(patches, list) or any(patch not in PPA_PATCHES for patch in patches):
        raise UsageError(f"{place}: patches is {patches!r}", f"Write a list out of {', '.join(PPA_PATCHES)}.")
    words = {text: " ".join(entry[text].split()) for text in texts}
    flaw = entry.get("flaw", "")
    if not isinstance(flaw, str):
        raise UsageError(f"{place}: flaw is no text", "Name one flaw of conformance/reference/flaws.")
    hides = entry.get("hides", [])
    if not isinstance(hides, list) or not all(isinstance(name, str) for name in hides):
        raise UsageError(f"{place}: hides is no list of texts", "Name flaws of conformance/reference/flaws.")
    seen = _patterns(place, entry.get("seen", []), verdict)
    return Deviation(
        **words,
        since=since,
        verdict=verdict,
        patches=tuple(patches),
        seen=seen,
        flaw=flaw,
        hides=tuple(hides),
        place=place,
    )


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
    return patterns
