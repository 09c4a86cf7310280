"""Plots of a bench as SVG, made here: no script, no font and no image from elsewhere, light and dark.

`ratio_plot` draws each ratio with its interval and the line at 1; `latency_plot` each target's latency. Both
say in words what they show, and no colour says anything alone. Each is for a wide screen or a narrow one.
"""

import itertools
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from conformance.bench.results import CEILING, CONTROL, Bench, ThroughputRow, rows
from conformance.bench.throughput_table import interval
from conformance.report.words import one_line

_LINE = 20  #: px from one line to the next
_MARGIN = 12  #: px before a line, and behind it
_SIGN = (16.0, 38.0, 60.0)  #: px of a mark in the legend
_CHARACTER = 7.23  #: px that one is wide: the font is of one width, so that what fits here fits everywhere
_BOLD = 8.5  #: px that one of the title may be wide

_STYLE = """
svg { background: #fff; color: #1f2328; font: 12px ui-monospace, Menlo, Consolas, monospace; }
text { fill: currentColor; white-space: pre; }
.head { font-weight: 600; } .title { font: 600 15px system-ui, sans-serif; } .quiet { fill: #57606a; }
.axis { stroke: #8c959f; stroke-width: 1; opacity: .35; } .line { stroke: currentColor; stroke-width: 2; }
.one { stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 4 3; } .dot { fill: currentColor; }
.faster { color: #1a7f37; } .slower { color: #b3261e; } .other { color: #0550ae; }
.control { color: #6e7781; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; color: #e6edf3; } .quiet { fill: #9198a1; } .axis { stroke: #656c76; }
  .faster { color: #3fb950; } .slower { color: #ff7b72; } .other { color: #79c0ff; }
  .control { color: #9198a1; }
}
""".strip()

Form = Literal["wide", "narrow"]
Mark = Callable[[tuple[float, ...], float], Iterator[str]]


@dataclass(frozen=True)
class _Layout:
    """How wide a plot is, and between which px figures are drawn: beside the words, or below them."""

    width: int
    left: int
    right: int

    @property
    def beside(self) -> bool:
        return self.left > _MARGIN * 2


_LAYOUTS: dict[Form, _Layout] = {"wide": _Layout(900, 250, 560), "narrow": _Layout(360, 24, 336)}


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis: as far to the right as twice is to the left half."""

    low: float
    high: float
    layout: _Layout

    def x(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.layout.left + share * (self.layout.right - self.layout.left), 1)


@dataclass(frozen=True)
class _Entry:
    """One line of a plot: a heading without figures, or a participant with three figures and their words."""

    name: str
    figures: tuple[float, ...] = ()
    words: str = ""
    tone: str = "other"  #: a class of the style


#: What each tone says of a ratio, in the order of the legend.
_TONES = {
    "faster": "faster",
    "slower": "slower",
    "other": "no difference shown, or not judged",
    "control": "the first target again: how much noise there is",
}


def plots(bench: Bench) -> dict[str, str]:
    """File name -> SVG, of every plot in both forms."""
    return {
        "ratio.svg": ratio_plot(bench),
        "ratio-narrow.svg": ratio_plot(bench, "narrow"),
        "latency.svg": latency_plot(bench),
        "latency-narrow.svg": latency_plot(bench, "narrow"),
    }


def ratio_plot(bench: Bench, form: Form = "wide") -> str:
    """Each ratio to the first target with its interval, and that of the control; a line stands at 1."""

    def entry(row: ThroughputRow) -> _Entry | None:
        if row.ratio is None:
            return None
        tone = "control" if row.key == CONTROL else row.said if row.said in ("faster", "slower") else "other"
        figures = (row.ratio.low, row.ratio.middle, row.ratio.high)
        return _Entry(one_line(row.label), figures, one_line(f"{interval(row.ratio)}, {row.said}"), tone)

    entries = _entries(bench, entry)
    first = one_line(bench.participants[0].label) if bench.participants else "the first target"
    drawn = _Drawing(_LAYOUTS[form], "Throughput: ratios to the first target with 95 % intervals", entries)
    drawn.legend("square: the median of the ratios; line: its 95 % interval")
    for tone, words in _TONES.items():
        if any(entry.figures and entry.tone == tone for entry in entries):
            drawn.legend(words, partial(_sample, _interval_mark, tone))
    drawn.legend(f"as many units a second as {first}", _sample_of_one)
    drawn.plot(_interval_mark, 0.8, 1.25, one=True)
    return drawn.svg()


def latency_plot(bench: Bench, form: Form = "wide") -> str:
    """What 50, 90 and 99 of 100 units did not exceed, in milliseconds, for each target."""

    def entry(row: ThroughputRow) -> _Entry | None:
        if row.latencies is None or row.key in (CONTROL, CEILING):
            return None
        figures = tuple(max(seconds * 1000, 0.01) for seconds in row.latencies)
        words = " / ".join(f"{figure:.1f}" for figure in figures)
        return _Entry(one_line(row.label), figures, f"{words} ms")

    entries = _entries(bench, entry)
    drawn = _Drawing(_LAYOUTS[form], "Latency: 50, 90 and 99 % of the units, in milliseconds", entries)
    words = "dot: half of the units took no longer; bar: 90 %; end of the line: 99 %"
    drawn.legend(words, partial(_sample, _range_mark, "other"))
    drawn.plot(_range_mark, *(() if entries else (1.0, 10.0)))
    return drawn.svg()


def _entries(bench: Bench, entry_of: Callable[[ThroughputRow], _Entry | None]) -> list[_Entry]:
    entries: list[_Entry] = []
    for result in bench.scenarios:
        made = map(entry_of, rows(result, bench.participants))
        if of_it := [entry for entry in made if entry is not None]:
            entries += [_Entry(one_line(result.name)), *of_it]
    return entries


class _Drawing:
    """A plot that grows downwards: its title, what its signs mean, the axis, and an entry after the other."""

    def __init__(self, layout: _Layout, title: str, entries: Sequence[_Entry]) -> None:
        self._layout = layout
        self._title = title
        self._entries = entries
        self._parts: list[str] = []
        self._y: float = _MARGIN  #: where the next line begins
        for line in textwrap.wrap(title, int((layout.width - 2 * _MARGIN) / _BOLD)):
            self._text("title", _MARGIN, self._row(), line)

    def legend(self, words: str, sign: Callable[[float], str] | None = None) -> None:
        """What a sign means, which is drawn before the words at a given height."""
        if sign is not None:
            self._parts.append(sign(self._y + _LINE / 2))
        self._words(words, _SIGN[2] + 6 if sign else _MARGIN, self._layout.width, "quiet")

    def plot(self, mark: Mark, *more: float, one: bool = False) -> None:
        """The axis, which holds `more` besides the figures, and every entry; with `one` a line at 1."""
        values = [*more, *(figure for entry in self._entries for figure in entry.figures)]
        scale = _Scale(min(values) / 1.1, max(values) * 1.1, self._layout)
        ticks = _ticks(scale)
        self._y += _LINE / 2
        labels = self._row()
        for tick in ticks:
            self._text("quiet", scale.x(tick), labels, f"{tick:g}", ' text-anchor="middle"')
        top, at = self._y, len(self._parts)
        spans = [span for entry in self._entries for span in self._entry(entry, scale, mark)]
        if self._layout.beside:
            spans = [(top, self._y)]
        under = [_upright("axis", scale.x(tick), spans) for tick in ticks]
        under += [_upright("one", scale.x(1.0), spans)] if one else []
        self._parts[at:at] = under  # behind the figures

    def _entry(self, entry: _Entry, scale: _Scale, mark: Mark) -> list[tuple[float, float]]:
        """From where to where figures are drawn, without words between them."""
        if not entry.figures:
            self._words(entry.name, _MARGIN, self._layout.width, "head")
            return []
        top, indented = self._y, 2 * _MARGIN
        if self._layout.beside:
            behind = self._layout.right + 2 * _MARGIN
            named = self._words(entry.name, indented, self._layout.left)
            self._y = top
            said = self._words(entry.words, behind, self._layout.width)
            self._y, middle = max(named, said), top + _LINE / 2
        else:
            self._words(f"{entry.name}: {entry.words}", indented, self._layout.width)
            middle = self._row()
        drawn = mark(tuple(map(scale.x, entry.figures)), middle)
        self._parts += [f'<g class="{entry.tone}">', *drawn, "</g>"]
        return [(middle - _LINE / 2, middle + _LINE / 2)]

    def _words(self, words: str, x: float, end: float, style: str = "") -> float:
        """Lines of words that fit between two px, so that nothing is cut off; where the last one ends."""
        for line in textwrap.wrap(words, int((end - _MARGIN - x) / _CHARACTER)) or [""]:
            self._text(style, x, self._row(), line)
        return self._y

    def _row(self) -> float:
        """The middle of the next line, which is taken."""
        self._y += _LINE
        return self._y - _LINE / 2

    def _text(self, style: str, x: float, y: float, words: str, more: str = "") -> None:
        self._parts.append(f'<text class="{style}" x="{x}" y="{y + 4}"{more}>{escape(words)}</text>')

    def svg(self) -> str:
        width, height = self._layout.width, math.ceil(self._y + _MARGIN)
        described = "; ".join(f"{entry.name} {entry.words}" for entry in self._entries if entry.figures)
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label={quoteattr(self._title)}>',
            f"<title>{escape(self._title)}</title>",
            f"<desc>{escape(described or 'Nothing could be drawn.')}</desc>",
            f"<style>{_STYLE}</style>",
        ]
        return "\n".join([*head, *self._parts, "</svg>", ""])


def _sample(mark: Mark, tone: str, y: float) -> str:
    """A mark for the legend."""
    return f'<g class="{tone}">{"".join(mark(_SIGN, y))}</g>'


def _sample_of_one(y: float) -> str:
    """The line at 1 for the legend."""
    return _upright("one", _SIGN[1], [(y - _LINE / 2, y + _LINE / 2)])


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


def _upright(style: str, x: float, spans: Sequence[tuple[float, float]]) -> str:
    """An upright line, where figures are drawn."""
    return f'<path class="{style}" d="{" ".join(f"M{x} {top}V{bottom}" for top, bottom in spans)}"/>'


def _ticks(scale: _Scale) -> list[float]:
    """Round values on the axis, so few that their labels do not touch."""
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for steps in ((1, 1.2, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps]
        if scale.low > 0.5 and scale.high < 2:
            found = [0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.7]
        ticks = [tick for tick in found if scale.low <= tick <= scale.high]
        if _apart(ticks, scale):
            return ticks
    return next(every for step in itertools.count(2) if _apart(every := ticks[::step], scale))


def _apart(ticks: Sequence[float], scale: _Scale) -> bool:
    """Whether there is a blank between the labels of any two."""
    halves = [(len(f"{tick:g}") + 1) * _CHARACTER / 2 for tick in ticks]
    spans = [(scale.x(tick) - half, scale.x(tick) + half) for tick, half in zip(ticks, halves, strict=True)]
    return all(right[0] >= left[1] for left, right in itertools.pairwise(spans))
