"""Plots of a bench as SVG, made here: no script, no font and no image from elsewhere, light and dark.

`ratio_plot` draws each ratio with its interval and the line at 1; `latency_plot` each target's latency. Both
say in words what they show, and no colour says anything alone.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from conformance.bench.results import CEILING, CONTROL, Bench, ThroughputRow, rows
from conformance.bench.throughput_table import interval
from conformance.report.words import one_line

_WIDTH = 900
_LEFT, _RIGHT = 300, 640  #: px between which figures are drawn; names stand before, words behind
_LINE = 22  #: px from one line to the next
_TOP = 58
_LONGEST = 44  #: characters of a name; the title of its line has it whole
_WORDS = 30  #: characters behind the figures

_STYLE = """
svg { background: #fff; color: #1f2328; font: 12px system-ui, sans-serif; }
text { fill: currentColor; } .head { font-weight: 600; } .quiet { fill: #57606a; }
.axis { stroke: #8c959f; stroke-width: 1; } .line { stroke: currentColor; stroke-width: 2; }
.one { stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 4 3; } .dot { fill: currentColor; }
.faster { color: #1a7f37; } .slower { color: #b3261e; } .other { color: #0550ae; }
.control { color: #6e7781; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; color: #e6edf3; } .quiet { fill: #9198a1; } .axis { stroke: #656c76; }
  .faster { color: #3fb950; } .slower { color: #ff7b72; } .other { color: #79c0ff; }
  .control { color: #9198a1; }
}
""".strip()


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis: as far to the right as twice is to the left half."""

    low: float
    high: float

    def x(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)


@dataclass(frozen=True)
class _Entry:
    """One line of a plot: a heading without figures, or a participant with three figures and their words."""

    name: str
    figures: tuple[float, ...] = ()
    words: str = ""
    said: str = ""  #: the verdict
    tone: str = "other"  #: a class of the style


def ratio_plot(bench: Bench) -> str:
    """Each ratio to the first target with its interval, and that of the control; a line stands at 1."""

    def entry(row: ThroughputRow) -> _Entry | None:
        if row.ratio is None:
            return None
        tone = "control" if row.key == CONTROL else row.said if row.said in ("faster", "slower") else "other"
        figures = (row.ratio.low, row.ratio.middle, row.ratio.high)
        return _Entry(one_line(row.label), figures, interval(row.ratio), row.said, tone)

    entries = _entries(bench, entry)
    scale = _scale(entries, 0.8, 1.25)
    marks = [*_axis(scale, len(entries), "times", one=True), *_lines(entries, scale, _interval_mark)]
    described = [f"{entry.name} {entry.words}, {entry.said}" for entry in entries if entry.figures]
    return _svg("Throughput: ratios to the first target with 95 % intervals", described, marks, len(entries))


def latency_plot(bench: Bench) -> str:
    """What 50, 90 and 99 of 100 units did not exceed, in milliseconds, for each target."""

    def entry(row: ThroughputRow) -> _Entry | None:
        if row.latencies is None or row.key in (CONTROL, CEILING):
            return None
        figures = tuple(max(seconds * 1000, 0.01) for seconds in row.latencies)
        return _Entry(one_line(row.label), figures, " / ".join(f"{figure:.1f}" for figure in figures))

    entries = _entries(bench, entry)
    scale = _scale(entries) if entries else _Scale(1.0, 10.0)
    marks = [*_axis(scale, len(entries), "ms"), *_lines(entries, scale, _range_mark)]
    described = [f"{entry.name} {entry.words} ms" for entry in entries if entry.figures]
    return _svg("Latency: 50, 90 and 99 % of the units, in milliseconds", described, marks, len(entries))


def _entries(bench: Bench, entry_of: Callable[[ThroughputRow], _Entry | None]) -> list[_Entry]:
    entries: list[_Entry] = []
    for result in bench.scenarios:
        made = map(entry_of, rows(result, bench.participants))
        if of_it := [entry for entry in made if entry is not None]:
            entries += [_Entry(one_line(result.name)), *of_it]
    return entries


def _scale(entries: Sequence[_Entry], *more: float) -> _Scale:
    """An axis that holds the figures with a little room on both sides."""
    values = [*more, *(figure for entry in entries for figure in entry.figures)]
    return _Scale(min(values) / 1.1, max(values) * 1.1)


def _lines(
    entries: Sequence[_Entry], scale: _Scale, mark: Callable[[tuple[float, ...], float], Iterator[str]]
) -> Iterator[str]:
    for at, entry in enumerate(entries):
        y = _TOP + at * _LINE + _LINE / 2
        short = entry.name if len(entry.name) <= _LONGEST else entry.name[: _LONGEST - 1] + "…"
        x, style = (28, "") if entry.figures else (12, ' class="head"')
        yield f'<text{style} x="{x}" y="{y + 4}"><title>{escape(entry.name)}</title>{escape(short)}</text>'
        if entry.figures:
            marks = "\n".join(mark(tuple(map(scale.x, entry.figures)), y))
            yield f'<g class="{entry.tone}">{marks}</g>'
            said = "" if entry.tone == "control" else entry.said
            said = said if len(said) <= _WORDS else said[: _WORDS - 1] + "…"
            behind = f'<tspan class="quiet" dx="6">{escape(said)}</tspan>' if said else ""
            yield f'<text x="{_RIGHT + 14}" y="{y + 4}">{escape(entry.words)}{behind}</text>'


def _interval_mark(xs: tuple[float, ...], y: float) -> Iterator[str]:
    low, middle, high = xs
    yield f'<line class="line" x1="{low}" y1="{y}" x2="{high}" y2="{y}"/>'
    for end in (low, high):
        yield f'<line class="line" x1="{end}" y1="{y - 4}" x2="{end}" y2="{y + 4}"/>'
    yield f'<rect class="dot" x="{middle - 4}" y="{y - 4}" width="8" height="8"/>'


def _range_mark(xs: tuple[float, ...], y: float) -> Iterator[str]:
    """A line from the median to 99 %, a dot at the median, a bar across at 90 %."""
    half, most, nearly = xs
    yield f'<line class="line" x1="{half}" y1="{y}" x2="{nearly}" y2="{y}"/>'
    yield f'<line class="line" x1="{most}" y1="{y - 5}" x2="{most}" y2="{y + 5}"/>'
    yield f'<circle class="dot" cx="{half}" cy="{y}" r="4.5"/>'


def _axis(scale: _Scale, lines: int, unit: str, *, one: bool = False) -> Iterator[str]:
    bottom = _TOP + lines * _LINE
    for tick in _ticks(scale):
        x = scale.x(tick)
        yield f'<line class="axis" x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{bottom}" opacity="0.35"/>'
        yield f'<text class="quiet" x="{x}" y="{_TOP - 12}" text-anchor="middle">{tick:g}</text>'
    yield f'<text class="quiet" x="{_RIGHT + 14}" y="{_TOP - 12}">{unit}</text>'
    if one:
        x = scale.x(1.0)
        yield f'<line class="one" x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{bottom}"/>'


def _ticks(scale: _Scale) -> list[float]:
    """Round values on the axis, so few that their labels do not touch."""
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for steps in ((1, 1.2, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        found = [step * 10.0**power for power in powers for step in steps]
        if scale.low > 0.5 and scale.high < 2:
            found = [0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.7]
        ticks = [tick for tick in found if scale.low <= tick <= scale.high]
        places = [scale.x(tick) for tick in ticks]
        if all(right - left >= 26 for left, right in itertools.pairwise(places)):
            break
    return ticks


def _svg(title: str, described: Sequence[str], body: Sequence[str], lines: int) -> str:
    height = _TOP + max(lines, 1) * _LINE + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(one_line('; '.join(described) or 'Nothing could be drawn.'))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<text class="head" x="12" y="24" font-size="15">{escape(title)}</text>',
    ]
    return "\n".join([*parts, *body, "</svg>", ""])
