"""What a bench found: measurements round by round, and what follows from them. Read and written as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self

from conformance.bench.statistics import (
    LEAST_ROUNDS,
    Interval,
    Judgement,
    judge,
    paired_ratio,
    percentile,
)
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_WORLD, UsageError
from conformance.inputs import LONG, read_octets
from conformance.pod.codec import decode
from conformance.targets.target import Target

FORM = "qmail-conformance bench"
SCHEMA = 1

#: Beyond this share of a core the driver may be what is measured.
HALF_A_CORE = 0.5

#: All rounds, in one series or two.
_ALL = slice(None)

#: Who is measured: a target (its number among those named), the baseline once more, our exchanger.
CONTROL, CEILING = "control", "ceiling"


@dataclass(frozen=True)
class Measurement:
    """One load, carried out. `latencies` are seconds at 50, 90 and 99 of 100 units; None: not seen.

    `driver_cpu` and `target_cpu` are seconds of CPU. `questions`: of the DNS, by the target, in all.
    """

    units: int
    seconds: float
    driver_cpu: float
    target_cpu: float | None = None
    latencies: tuple[float, float, float] | None = None
    questions: int | None = None

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


def three(latencies: Sequence[float]) -> tuple[float, float, float]:
    """What 50, 90 and 99 of 100 units do not exceed, to the microsecond."""
    at = [round(percentile(latencies, share), 6) for share in (0.5, 0.9, 0.99)]
    return at[0], at[1], at[2]


@dataclass(frozen=True)
class Participant:
    """One target as it is measured. `key` is its number ("0", "1", …); `label` is its own in this bench."""

    key: str
    label: str
    target: dict[str, Any]  #: as `Target.to_json`


@dataclass
class ScenarioResult:
    """One scenario: who could not take part and why, and for each who could, a measurement for each round.

    A difference is believed when it comes twice. Where the rounds that were asked for show one, as many
    follow in fresh pods, and both series must show it: with seven rounds an interval misses the true ratio in
    2 of 100 cases, so of five benches with a dozen comparisons one would find a difference by chance.
    """

    name: str
    what: str
    unit: str
    baseline: str = ""  #: key of the target that the others are compared with; "" when there is none
    seed: int = 0
    orders: list[list[str]] = field(default_factory=list)
    unsupported: dict[str, str] = field(default_factory=dict)  #: key -> the patch it lacks
    failures: dict[str, str] = field(default_factory=dict)  #: key -> what qmail said instead
    rounds: dict[str, list[Measurement]] = field(default_factory=dict)  #: key -> measurements in order
    first_series: int = 0  #: rounds before a second series began; 0: there is none

    def check_sense(self) -> None:
        """ValueError for figures that are numbers, and yet none that were measured."""
        for key, measurements in self.rounds.items():
            for number, each in enumerate(measurements, 1):
                if each.units < 1 or each.seconds <= 0 or each.driver_cpu < 0 or (each.target_cpu or 0) < 0:
                    raise ValueError(f"{self.name}: round {number} of {key!r} measured nothing")

    def drop_half_a_round(self) -> None:
        """Keep of the last round nothing, unless everybody was measured in it."""
        for key in self.orders[-1] if self.orders else ():
            rounds = sum(key in order for order in self.orders)
            if key not in self.failures and len(self.rounds.get(key, ())) < rounds:
                self.orders.pop()
                break
        for key, measured in self.rounds.items():
            del measured[sum(key in order for order in self.orders) :]

    def ratio(self, key: str, part: slice = _ALL) -> Interval | None:
        """The rate of `key` beside the baseline's; None when there are too few rounds of both."""
        pair = (self.baseline, key)
        first, second = (tuple(each.rate for each in self.rounds.get(which, [])[part]) for which in pair)
        together = min(len(first), len(second))
        if not self.failures.keys().isdisjoint(pair) or together < LEAST_ROUNDS:
            return None
        return paired_ratio(first[:together], second[:together], self.seed)

    def series(self) -> list[slice]:
        """The rounds of the first series, and those of the second where there is one."""
        first = self.first_series
        return [slice(0, first), slice(first, None)] if first else [_ALL]

    def judgements(self, key: str) -> list[Judgement] | None:
        """What each series says of `key`; None when it cannot be compared."""
        said: list[Judgement] = []
        for part in self.series():
            ratio, control = self.ratio(key, part), self.ratio(CONTROL, part)
            if ratio is None or control is None:
                return None
            said.append(judge(ratio, control))
        return said

    def judgement(self, key: str) -> Judgement | None:
        """The verdict on `key`; None when it cannot be compared."""
        said = self.judgements(key)
        if said is None or len(set(said)) == 1:
            return None if said is None else said[0]
        return "too noisy to say" if "too noisy to say" in said else "no difference shown"


@dataclass(frozen=True)
class ThroughputRow:
    """What a table shows of one participant: medians over the rounds, so none of them decides alone."""

    key: str
    label: str
    rounds: int = 0
    rate: float | None = None  #: units a second
    latencies: tuple[float, float, float] | None = None  #: seconds
    questions: float | None = None  #: for each unit
    driver_to_target: float | None = None  #: CPU of the driver beside the target's
    driver_to_core: float | None = None  #: CPU of the driver beside one core
    ratio: Interval | None = None
    said: str = ""  #: the verdict, or why there is none

    @property
    def marked(self) -> bool:
        """Whether the driver took more than half a core, so that it may be what was measured."""
        return self.driver_to_core is not None and self.driver_to_core > HALF_A_CORE


@dataclass
class Bench:
    """A whole bench. `complete` is False while it runs, and stays so when it is interrupted."""

    suite: str
    started: str
    seed: int
    rounds: int
    seconds: float  #: that one measurement should take
    machine: dict[str, Any]
    participants: list[Participant]
    queue: str = "tmpfs"
    min_ratio: float | None = None
    finished: str = ""
    complete: bool = False
    scenarios: list[ScenarioResult] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As docs/schema/bench-1.schema.json has it: the rounds, and beside them what follows from them."""
        data = {"form": FORM, "schema": SCHEMA, **asdict(self)}
        for written, scenario in zip(data["scenarios"], self.scenarios, strict=True):
            written["rows"] = [asdict(row) for row in rows(scenario, self.participants)]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError when it is no bench."""
        rest = dict(data)
        if (rest.pop("form", None), rest.pop("schema", None)) != (FORM, SCHEMA):
            raise ValueError(f"form and schema are not {FORM!r} and {SCHEMA}")
        if isinstance(results := rest.get("scenarios"), list):  # what was judged is left out: it follows
            rest["scenarios"] = [_without_rows(result) for result in results]
        bench = decode(cls, rest)
        bench.participants = [
            replace(each, target=decode(Target, each.target).to_json()) for each in bench.participants
        ]
        for result in bench.scenarios:
            result.check_sense()
        return bench


def _without_rows(result: Any) -> Any:
    return {name: result[name] for name in result if name != "rows"} if isinstance(result, dict) else result


def read_bench(path: Path) -> Bench:
    """The bench of a bench.json. Raises UsageError."""
    hint = "Name the bench.json that `bench` wrote."
    try:
        data = json.loads(read_octets(path, hint, LONG))
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        return Bench.from_json(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no bench: {str(error).partition(';')[0]}", hint) from error


def rows(result: ScenarioResult, participants: Sequence[Participant]) -> list[ThroughputRow]:
    """The table of one scenario: the targets, the baseline once more, and the ceiling."""
    labels = {participant.key: participant.label for participant in participants}
    made = [_row(result, key, label) for key, label in labels.items()]
    if CONTROL in result.rounds or CONTROL in result.failures:
        made.append(_row(result, CONTROL, f"{labels.get(result.baseline, '')} again"))
    if CEILING in result.rounds:
        made.append(_row(result, CEILING, "our exchanger (the ceiling)"))
    return made


def _row(result: ScenarioResult, key: str, label: str) -> ThroughputRow:
    if key in result.unsupported:
        return ThroughputRow(key, label, said=f"not supported: it lacks {result.unsupported[key]}")
    if key in result.failures:
        return ThroughputRow(key, label, said=f"fails: {result.failures[key]}")
    measured = result.rounds.get(key, [])
    if not measured:
        return ThroughputRow(key, label, said="not measured")
    shares = [each.driver_cpu / each.target_cpu for each in measured if each.target_cpu]
    questions = [each.questions / each.units for each in measured if each.questions is not None]
    seen = list(zip(*(each.latencies for each in measured if each.latencies is not None), strict=True))
    return ThroughputRow(
        key,
        label,
        len(measured),
        median(each.rate for each in measured),
        (median(seen[0]), median(seen[1]), median(seen[2])) if seen else None,
        median(questions) if questions else None,
        median(shares) if shares else None,
        median(each.driver_cpu / each.seconds for each in measured),
        result.ratio(key) if key not in (CEILING, result.baseline) else None,
        _said(result, key),
    )


def _said(result: ScenarioResult, key: str) -> str:
    if key == CEILING:
        return ""
    if key == result.baseline:
        others = result.rounds.keys() - {key, CONTROL, CEILING}
        return "the others are compared with it" if others else "measured alone"
    if key == CONTROL:
        ratio = result.ratio(key)
        if ratio is None:
            return "control: too few rounds"
        alone = [result.ratio(key, part) for part in result.series()]
        calm = all(control is None or control.holds(1.0) for control in alone)
        return "control: no difference" if calm else "control: a difference, so it was too noisy"
    said, each = result.judgement(key), result.judgements(key)
    if said is None or each is None:
        return "not judged"
    # With two series of which one shows a difference, the reader would wonder at the interval of both.
    return said if len(set(each)) == 1 else f"{said} (first {each[0]}, then {each[1]})"


Standing = Literal["holds", "falls", "undecided"]


def gate(result: ScenarioResult, key: str, least: float) -> Standing:
    """How a target stands against `--min-ratio` in one scenario.

    It falls when the whole interval lies below. A target that fails where the baseline does not has the ratio
    0, which lies below whatever the noise.
    """
    if key in result.failures:
        return "falls"
    said = result.judgement(key)
    if said is None or said == "too noisy to say":
        return "undecided"
    ratios = [result.ratio(key, part) for part in result.series()]
    fallen = all(ratio is not None and ratio.high < least for ratio in ratios)
    return "falls" if fallen else "holds"


def conclusion(bench: Bench) -> tuple[int, str]:
    """Exit status, and the sentence that says why."""
    compared = [
        (result, target) for result in bench.scenarios for target in bench.participants if target.key != "0"
    ]
    if bench.min_ratio is None:
        judgements = (result.judgement(target.key) for result, target in compared)
        counts = Counter(said for said in judgements if said is not None)
        listed = ", ".join(f"{count} {said}" for said, count in sorted(counts.items()))
        return EXIT_AS_EXPECTED, f"Comparisons: {listed}." if listed else "Nothing could be compared."
    standings = [
        (gate(result, target.key, bench.min_ratio), f"{target.label} in {result.name}")
        for result, target in compared
        if result.baseline and target.key != result.baseline and target.key not in result.unsupported
    ]
    fallen = [where for standing, where in standings if standing == "falls"]
    if fallen:
        return EXIT_REGRESSION, f"Below {bench.min_ratio:g}: {', '.join(fallen)}."
    held = sum(standing == "holds" for standing, _ in standings)
    if not held:
        return EXIT_WORLD, f"The gate at {bench.min_ratio:g} decides nothing: no comparison could be judged."
    rest = f"; {len(standings) - held} could not be judged" if held < len(standings) else ""
    return EXIT_AS_EXPECTED, f"None is shown to be below {bench.min_ratio:g}: {held} judged{rest}."
