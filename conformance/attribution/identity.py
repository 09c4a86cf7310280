"""What a build carries in all: its patches with their shares, and what it has beyond what anybody knows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from conformance.attribution.carried import Share, difference
from conformance.attribution.named import Named
from conformance.cases.asking import Answers
from conformance.inputs import read_toml
from conformance.judge.runfile import Run

FILE = Path(__file__).with_name("known_names.toml")


@dataclass(frozen=True)
class Beyond:
    """What neither qmail nor a patch that the build carries is known for."""

    keywords: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    control: tuple[str, ...] = ()


#: What each is called in a line.
TITLES = {
    "keywords": "EHLO keywords",
    "verbs": "verbs",
    "variables": "environment variables",
    "control": "control files",
}


@dataclass(frozen=True)
class Identity:
    """A build by its run; `looked_at` says whether its session and its programs were."""

    run: Run
    shares: tuple[Share, ...]
    beyond: Beyond = field(default_factory=Beyond)
    session: bool = False
    programs: bool = False

    @property
    def difference(self) -> str:
        """The line that tells claims from findings; "" where they agree."""
        return difference(self.run, self.shares)


def beyond(shares: Sequence[Share], said: Answers | None, named: Named | None) -> Beyond:
    """What is not known of `base` or of a patch that shows, or is claimed."""
    there = {"base", *(share.patch for share in shares if share.met or share.claimed)}
    names = {kind: known(kind, there) for kind in TITLES} | {"words": known("words", _known_names())}
    said, named = said or Answers((), ()), named or Named()
    return Beyond(
        tuple(sorted(set(said.keywords) - names["keywords"])),
        tuple(sorted(set(said.verbs) - names["verbs"])),
        tuple(
            sorted(named.variables - names["variables"] - names["words"] - names["verbs"] - names["keywords"])
        ),
        tuple(sorted(named.control - names["control"])),
    )


def known(kind: str, patches: Collection[str]) -> set[str]:
    """What these patches are known for."""
    return {
        name for patch, names in _known_names().items() if patch in patches for name in names.get(kind, [])
    }


@cache
def _known_names() -> dict[str, Any]:
    return read_toml(FILE, "Its form is TOML, with a table for each patch.")
