"""What a bench found: measurements round by round, and what follows from them. Read and written as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from conformance.bench.statistics import (
    LEAST_ROUNDS,
    Interval,
    Judgement,
    falls_below,
    judge,
    paired_ratio,
    percentile,
)
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_WORLD

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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Measurement:
        latencies = data["latencies"]
        return cls(**{**data, "latencies": None if latencies is None else tuple(latencies)})


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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ScenarioResult:
        """The inverse of `to_json`; what was judged is left out, since it follows."""
        rounds = {key: [Measurement.from_json(one) for one in each] for key, each in data["rounds"].items()}
        names = ("name", "what", "unit", "baseline", "seed", "orders", "unsupported", "failures")
        known = {name: data[name] for name in names}
        return cls(**known, rounds=rounds, first_series=data.get("first_series", 0))

    def ratio(self, key: str, part: slice = _ALL) -> Interval | None:
        """The rate of `key` beside the baseline's; None when there are too few rounds of both."""
        first, second = (self.rounds.get(one, [])[part] for one in (self.baseline, key))
        together = min(len(first), len(second))
        if key in self.failures or self.baseline in self.failures or together < LEAST_ROUNDS:
            return None
        rates = [[one.rate for one in each[:together]] for each in (first, second)]
        return paired_ratio(rates[0], rates[1], self.seed)

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
class Row:
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
    def from_json(cls, data: dict[str, Any]) -> Bench:
        """The inverse of `to_json`. Raises KeyError or TypeError when it is no bench."""
        fields = {name: value for name, value in data.items() if name not in ("form", "schema")}
        fields["participants"] = [Participant(**one) for one in data["participants"]]
        fields["scenarios"] = [ScenarioResult.from_json(one) for one in data["scenarios"]]
        return cls(**fields)


def rows(result: ScenarioResult, participants: Sequence[Participant]) -> list[Row]:
    """The table of one scenario: the targets, the baseline once more, and the ceiling."""
    made = [_row(result, one.key, one.label) for one in participants]
    labels = {one.key: one.label for one in participants}
    if CONTROL in result.rounds or CONTROL in result.failures:
        made.append(_row(result, CONTROL, f"{labels.get(result.baseline, '')} again"))
    if CEILING in result.rounds:
        made.append(_row(result, CEILING, "our exchanger (the ceiling)"))
    return made


def _row(result: ScenarioResult, key: str, label: str) -> Row:
    if key in result.unsupported:
        return Row(key, label, said=f"not supported: it lacks {result.unsupported[key]}")
    if key in result.failures:
        return Row(key, label, said=f"fails: {result.failures[key]}")
    measured = result.rounds.get(key, [])
    if not measured:
        return Row(key, label, said="not measured")
    shares = [one.driver_cpu / one.target_cpu for one in measured if one.target_cpu]
    seen = [one.latencies for one in measured if one.latencies is not None]
    latencies = [median(one[at] for one in seen) for at in range(3)] if seen else None
    return Row(
        key,
        label,
        len(measured),
        median(one.rate for one in measured),
        (latencies[0], latencies[1], latencies[2]) if latencies else None,
        _questions(measured),
        median(shares) if shares else None,
        median(one.driver_cpu / one.seconds for one in measured),
        result.ratio(key) if key not in (CEILING, result.baseline) else None,
        _said(result, key),
    )


def _questions(measured: Sequence[Measurement]) -> float | None:
    each = [one.questions / one.units for one in measured if one.questions is not None]
    return median(each) if each else None


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
        alone = [one for part in result.series() if (one := result.ratio(key, part)) is not None]
        calm = all(one.holds(1.0) for one in alone)
        return "control: no difference" if calm else "control: a difference, so it was too noisy"
    said, each = result.judgement(key), result.judgements(key)
    if said is None or each is None:
        return "not judged"
    # With two series of which one shows a difference, the reader would wonder at the interval of both.
    return said if len(set(each)) == 1 else f"{said} (first {each[0]}, then {each[1]})"


Standing = Literal["holds", "falls", "undecided"]


def gate(result: ScenarioResult, key: str, least: float) -> Standing:
    """How a target stands against `--min-ratio` in one scenario.

    A target that fails where the baseline does not has the ratio 0, which lies below whatever the noise.
    """
    if key in result.failures:
        return "falls"
    said = result.judgement(key)
    if said is None or said == "too noisy to say":
        return "undecided"
    ratios = [result.ratio(key, part) for part in result.series()]
    return "falls" if all(one is not None and falls_below(one, least) for one in ratios) else "holds"


def conclusion(bench: Bench) -> tuple[int, str]:
    """Exit status, and the sentence that says why."""
    compared = [one for one in bench.participants if one.key != "0"]
    judged = [
        (result, one)
        for result in bench.scenarios
        for one in compared
        if result.judgement(one.key) is not None
    ]
    if bench.min_ratio is None:
        counts: dict[str, int] = {}
        for result, one in judged:
            said = result.judgement(one.key) or ""
            counts[said] = counts.get(said, 0) + 1
        listed = ", ".join(f"{count} {said}" for said, count in sorted(counts.items()))
        return EXIT_AS_EXPECTED, f"Comparisons: {listed}." if listed else "Nothing could be compared."
    standings = [
        (gate(result, one.key, bench.min_ratio), result.name, one.label)
        for result in bench.scenarios
        if result.baseline
        for one in compared
        if one.key != result.baseline and one.key not in result.unsupported
    ]
    fallen = [f"{label} in {name}" for standing, name, label in standings if standing == "falls"]
    if fallen:
        return EXIT_REGRESSION, f"Below {bench.min_ratio:g}: {', '.join(fallen)}."
    held = sum(standing == "holds" for standing, _, _ in standings)
    if not held:
        return EXIT_WORLD, f"The gate at {bench.min_ratio:g} decides nothing: no comparison could be judged."
    open_ones = len(standings) - held
    rest = f"; {open_ones} could not be judged" if open_ones else ""
    return EXIT_AS_EXPECTED, f"None is shown to be below {bench.min_ratio:g}: {held} judged{rest}."
