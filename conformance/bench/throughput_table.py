"""A bench as tables: for the terminal, and as a page in Markdown. The same figures in both."""

from collections.abc import Iterator, Sequence

from conformance.bench.results import Bench, Participant, ScenarioResult, ThroughputRow, conclusion, rows
from conformance.bench.statistics import Interval
from conformance.pod.codec import decode
from conformance.report.markdown import escape
from conformance.report.words import one_line, stands_on
from conformance.targets.target import Target

_HEADS = (
    "units/s",
    "50 %",
    "90 %",
    "99 %",
    "questions",
    "driver/target",
    "driver/core",
    "ratio [95 %]",
)
_SAID = 200  #: characters of what qmail said instead; bench.json has more

LEGEND = (
    "units/s: medians over the rounds; 50, 90, 99 %: milliseconds that so many units did not exceed",
    "in mixed/queue these are from the last octet of a message into qmail to the last one out",
    "questions: of the DNS, for each unit; driver/target: CPU of the load driver beside the target's",
    "driver/core: CPU of the driver beside one core; * more than half: it may be the driver that is measured",
    "ratio: units/s beside the first target's, in pairs of the same round, with its interval",
    "again: a second pod of the same target; where it shows a difference, nothing is judged",
    "faster, slower: shown by the rounds that were asked for, and by as many more in fresh pods",
    "ceiling: the driver against our exchanger with no qmail behind it, which may be the slower to answer",
)


def heading(bench: Bench) -> list[str]:
    """What was measured, how, and on what, in lines."""
    lines = [
        f"seed {bench.seed}; {bench.rounds} interleaved rounds of about {bench.seconds:g} s after a warm-up",
        f"queue: {bench.queue}; cores: {bench.machine.get('cores', '?')}; "
        f"load at the start: {bench.machine.get('load', '?')}; started {bench.started}",
    ]
    for participant in bench.participants:
        target = participant.target
        versions = ", ".join(f"{name} {version}" for name, version in target["packages"].items())
        claims = ", ".join(target["patches"]) or "no patch"
        on = stands_on(decode(Target, target))
        parts = [versions, f"on {on}" if on else "", f"claims {claims}"]
        lines.append(one_line(f"{participant.label}: {'; '.join(filter(None, parts))}"))
    return lines


def table(result: ScenarioResult, participants: Sequence[Participant]) -> list[str]:
    """One scenario for the terminal, in lines."""
    made = rows(result, participants)
    cells = [[one_line(row.label), *_cells(row)] for row in made]
    heads = [result.unit, *_HEADS]
    widths = [max(len(line[at]) for line in [heads, *cells]) for at in range(len(heads))]
    lines = [one_line(f"{result.name}: {result.what}")]
    for line, said in [(heads, ""), *zip(cells, (row.said for row in made), strict=True)]:
        figures = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        aligned = "  ".join([line[0].ljust(widths[0]), *figures])
        lines.append(f"  {aligned}  {one_line(said, _SAID)}".rstrip())
    return lines


def _picture(name: str, words: str) -> str:
    """A plot, with its form for narrow screens; in HTML, for Markdown has no word for that."""
    narrow = f'<source media="(max-width: 640px)" srcset="{name}-narrow.svg">'
    return f'<picture>{narrow}<img src="{name}.svg" alt="{words}"></picture>'


def markdown(bench: Bench) -> str:
    """The whole page; plots stand beside it."""
    blocks = ["# qmail throughput", *(escape(line) for line in heading(bench))]
    if not bench.complete:
        blocks.append("**Interrupted: this is what had been measured.**")
    blocks.append(escape(conclusion(bench)[1]))
    blocks += [_picture("ratio", "Ratios with their intervals"), _picture("latency", "Latency")]
    for result in bench.scenarios:
        blocks += [
            f"## {escape(result.name)}",
            escape(f"{result.what}."),
            "\n".join(_rows(result, bench.participants)),
        ]
    blocks.append("\n".join(f"- {escape(line)}" for line in LEGEND))
    return "\n\n".join(blocks) + "\n"


def _rows(result: ScenarioResult, participants: Sequence[Participant]) -> Iterator[str]:
    heads = [result.unit, *_HEADS, "verdict"]
    yield "| " + " | ".join(escape(head) for head in heads) + " |"
    yield "| --- |" + " ---: |" * len(_HEADS) + " --- |"
    for row in rows(result, participants):
        yield "| " + " | ".join(escape(cell, _SAID) for cell in [row.label, *_cells(row), row.said]) + " |"


def _cells(row: ThroughputRow) -> list[str]:
    latencies = ["", "", ""]
    if row.latencies is not None:
        latencies = [f"{seconds * 1000:.1f}" for seconds in row.latencies]
    return [
        "" if row.rate is None else _rate(row.rate),
        *latencies,
        "" if row.questions is None else f"{row.questions:.1f}",
        "" if row.driver_to_target is None else f"{row.driver_to_target:.3f}",
        "" if row.driver_to_core is None else f"{row.driver_to_core:.2f}{'*' if row.marked else ''}",
        "" if row.ratio is None else interval(row.ratio),
    ]


def interval(ratio: Interval) -> str:
    """`1.02 [0.98, 1.05]`"""
    return f"{ratio.middle:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
