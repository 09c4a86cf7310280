"""A run in parts, each on a machine of its own: which requirements a part has, and all of them in one run."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.catalogue import Requirement
from conformance.errors import UsageError
from conformance.judge.runfile import Run, RunHeader
from conformance.judge.verdict import Verdict

#: What a selection says of its part, in a run's header.
_SAID = re.compile(r"(?:^| )--shard (\d+)/(\d+)(?: \(by the seconds of \w+\))?$")


@dataclass(frozen=True)
class Shard:
    """The part `number` of `count`, counted from 1. `seconds` maps requirements to how long each took once.

    A requirement is in one part alone, whatever else is selected: by its name, or, where seconds are given,
    so that all parts take as long.
    """

    number: int
    count: int
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, words: str, stored: Sequence[Run] = ()) -> "Shard":
        """`2/3`, balanced by stored runs. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", words)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            what = f"--shard {words!r} is no part of a run"
            raise UsageError(what, "Write 1/3, 2/3 and 3/3 for three parts.")
        seconds: dict[str, float] = {}
        for run in stored:
            for verdict in run.verdicts:
                seconds[verdict.requirement] = max(seconds.get(verdict.requirement, 0.0), verdict.seconds)
        return cls(number, count, seconds)

    def of(self, chosen: Iterable[Requirement]) -> list[Requirement]:
        """Those of the chosen ones that are in this part."""
        parts = self._parts()
        return [each for each in chosen if parts.get(each.name, self._by_name(each.name)) == self.number]

    def _by_name(self, name: str) -> int:
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % self.count + 1

    def _parts(self) -> dict[str, int]:
        """Requirement -> part: what takes longest first, each to the part that has least to do."""
        loads = [0.0] * self.count
        parts = {}
        for name, seconds in sorted(self.seconds.items(), key=lambda item: (-item[1], item[0])):
            least = min(range(self.count), key=loads.__getitem__)
            loads[least] += seconds
            parts[name] = least + 1
        return parts

    def __str__(self) -> str:
        part = f"--shard {self.number}/{self.count}"
        if not self.seconds:
            return part
        known = json.dumps(sorted(self.seconds.items())).encode()
        return f"{part} (by the seconds of {hashlib.sha256(known).hexdigest()[:8]})"


def merged(runs: Sequence[Run]) -> list[tuple[RunHeader, list[Verdict]]]:
    """One run for each target, of all of its parts. Raises UsageError for what does not belong together."""
    by_target: dict[str, list[Run]] = {}
    for run in runs:
        by_target.setdefault(run.target.label, []).append(run)
    return [_of_target(label, parts) for label, parts in by_target.items()]


def _of_target(label: str, runs: list[Run]) -> tuple[RunHeader, list[Verdict]]:
    first = runs[0]
    numbers = [_number(run) for run in runs]
    for run in runs[1:]:
        if other := _other(first.header, run.header):
            raise UsageError(f"{first.path} and {run.path} do not belong together: {other}", "Run one anew.")
    count = _count(first)
    for number in range(1, count + 1):
        if (times := numbers.count(number)) != 1:
            what = f"part {number}/{count} is {f'there {times} times' if times else 'missing'}"
            raise UsageError(f"{label}: {what}", "Name the run file of each part once.")
    of: dict[str, Run] = {}
    for run in runs:
        for verdict in run.verdicts:
            if (before := of.setdefault(verdict.requirement, run)) is not run:
                what = f"{before.path} and {run.path} both have {verdict.requirement}"
                raise UsageError(what, "One of them is not as it was written: run it anew.")
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    started = min(run.header.started for run in runs)
    selection = _SAID.sub("", first.header.selection)
    header = replace(first.header, started=started, selection=selection, total=len(verdicts))
    return header, verdicts


def _number(run: Run) -> int:
    return int(_part(run)[1])


def _count(run: Run) -> int:
    return int(_part(run)[2])


def _part(run: Run) -> "re.Match[str]":
    found = _SAID.search(run.header.selection)
    if found is None:
        what = f"{run.path} is no part of a run, but whole"
        raise UsageError(what, "Parts are made by --shard 1/3 and so on.")
    return found


def _other(one: RunHeader, other: RunHeader) -> str:
    """What tells two parts apart that are to be of one run; "" when nothing does."""

    def build(header: RunHeader) -> dict[str, object]:
        # Each machine builds its own image of the same packages, and names it otherwise.
        return {**header.target.to_json(), "image": ""}

    def parts(header: RunHeader) -> str:
        return re.sub(r"--shard \d+/", "--shard /", header.selection)

    for what, of in (
        ("suite", lambda header: (header.suite, header.digest)),
        ("build", build),
        ("selection", parts),
        ("queue", lambda header: header.queue),
        ("catalogue", lambda header: (header.base, header.titles)),
    ):
        if of(one) != of(other):
            return f"another {what}"
    return ""
