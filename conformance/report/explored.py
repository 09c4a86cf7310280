"""A stored exploration (findings.json; docs/schema/explore-1.schema.json), and what reports say of it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from conformance import __version__
from conformance.errors import UsageError
from conformance.explore.finding import Finding
from conformance.explore.tally import Tally
from conformance.inputs import STORED_RUN, read_octets
from conformance.pod.codec import decode
from conformance.report.alignment import Pair
from conformance.report.site.findings import Shown, findings_page
from conformance.report.story import Event
from conformance.report.words import is_specification, listed, numbered, specification_sentence
from conformance.targets.target import Target

FORM = "qmail-conformance explore"

_HINT = "Name the --out of an exploration by this version, or its findings.json."

#: Kinds of what was reached that are told of a channel.
_CHANNELS = {
    "session": "states, commands and replies of sessions",
    "dns": "questions and outcomes of the DNS",
    "host": "what was said to hosts and by them",
    "qmail-remote": "reports of qmail-remote",
    "program": "runs of programs",
    "log": "lines of the log",
}


@dataclass(frozen=True)
class Kept:
    """A finding with the file of its scenario, and the command that shows both stories."""

    file: str
    command: str
    finding: Finding


@dataclass(frozen=True)
class Explored:
    """An exploration: of whom, in which areas, what came of it. `complete`: nobody stopped it."""

    targets: tuple[Target, ...]
    models: tuple[Target, ...]
    areas: tuple[str, ...]
    seed: int
    complete: bool
    tally: Tally
    findings: tuple[Kept, ...]

    @property
    def sides(self) -> tuple[str, str]:
        """What the two are called."""
        return self.targets[0].name, (*self.targets[1:], *self.models)[0].name

    def to_json(self) -> dict[str, Any]:
        return {
            "form": FORM,
            "targets": [target.to_json() for target in self.targets],
            "areas": list(self.areas),
            "seed": self.seed,
            "schema": 1,
            "suite": __version__,
            "models": [target.to_json() for target in self.models],
            "complete": self.complete,
            **vars(self.tally),
            "reached": dict(sorted(self.tally.reached.items())),
            "findings": [
                {"file": kept.file, "command": kept.command, **kept.finding.to_json()}
                for kept in self.findings
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse. Raises ValueError."""
        if not isinstance(data, dict) or data.get("form") != FORM or data.get("schema") != 1:
            raise ValueError("it is no exploration")
        names = {field.name for field in fields(Tally)}
        plain = {field.name for field in fields(cls)} - {"tally", "findings"}
        try:
            found = [
                Kept(
                    decode(str, finding["file"]),
                    decode(str, finding["command"]),
                    Finding.from_json(
                        {name: finding[name] for name in finding if name not in ("file", "command")}
                    ),
                )
                for finding in data["findings"]
            ]
            tally = decode(Tally, {name: data[name] for name in names})
            head = decode(_Head, {name: data[name] for name in plain})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{error} is missing or of another form") from error
        if not head.targets or not head.models:
            raise ValueError("it names no target")
        if any(row.left is None and row.right is None for kept in found for row in kept.finding.story):
            raise ValueError("a row of a story says nothing")
        return cls(**vars(head), tally=tally, findings=tuple(found))

    def played(self) -> str:
        """How much was played, how fast, and what came of it."""
        tally = self.tally
        counts = {
            "with a difference": tally.differing,
            "that show what is known": tally.known,
            "that did not come again": tally.unstable,
            "in which the world failed": tally.failed,
        }
        details = "".join(f", {count} {what}" for what, count in counts.items() if count)
        models = f"; {numbered(tally.explained, 'difference')} the models explain" if tally.explained else ""
        rate = f"{tally.seconds:.1f} s, {tally.sessions / max(tally.seconds, 0.1):.0f} a second"
        return f"{numbered(tally.sessions, 'session')} in {rate}{details}{models}"

    def coverage(self) -> Iterator[str]:
        """What was reached, counted by channel."""
        kinds = Counter(sight.partition(" ")[0] for sight in self.tally.reached)
        yield from (f"{kinds[channel]} {what}" for channel, what in _CHANNELS.items() if kinds[channel])

    def line(self) -> str:
        """The whole in a line."""
        count = numbered(len(self.findings), "finding")
        left, right = self.sides
        stopped = "" if self.complete else ", before it was stopped"
        areas = f"in {listed(self.areas)}"
        return f"{count}: {left} against {right}, {numbered(self.tally.sessions, 'session')} {areas}{stopped}"

    def page(self, up: str = "") -> str:
        """Everything as a page; `up` is where the site's first page stands, if it is one of a site."""
        facts = [
            ("Areas", ", ".join(self.areas)),
            ("Played", self.played()),
            ("Seed", str(self.seed)),
            *(("Did not come again", difference) for difference in self.tally.doubtful),
            *(("The world failed", reason) for reason in self.tally.reasons),
        ]
        warnings = [specification_sentence(each) for each in self.targets if is_specification(each)]
        if not self.complete:
            warnings.append("It was stopped: this is what was found until then")
        return findings_page(self.sides, facts, [*map(_shown, self.findings)], self.coverage(), warnings, up)


@dataclass(frozen=True)
class _Head:
    """What is read as it stands."""

    targets: tuple[Target, ...]
    models: tuple[Target, ...]
    areas: tuple[str, ...]
    seed: int
    complete: bool


def read_explored(path: Path) -> Explored:
    """The exploration of a findings.json. Raises UsageError."""
    try:
        return Explored.from_json(json.loads(read_octets(path, _HINT, STORED_RUN)))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no exploration: {error}", _HINT) from error


def seen(finding: Finding) -> str:
    """How often a finding came, and in which area."""
    up = "" if finding.shrunk else ", not as small as it gets, for the time was up"
    return f"{numbered(finding.times, 'session')} of area {finding.area}{up}"


def pairs(finding: Finding, at: float = 0) -> list[Pair]:
    """The rows of the stories; `at` stands for times that a finding does not keep."""

    def event(row: Any, text: str | None) -> Event | None:
        return None if text is None else Event(at, row.channel, row.speaker, "suite", text)

    return [Pair(event(row, row.left), event(row, row.right), row.same) for row in finding.story]


def _shown(kept: Kept) -> Shown:
    finding = kept.finding
    told = f"{seen(finding)}, in {kept.file}"
    return Shown(
        str(finding.difference), told, kept.file, finding.scenario, kept.command, pairs(finding, at=-1)
    )
