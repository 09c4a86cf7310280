"""A display of how far a run is: one line rewritten on a terminal, a line every 10 % elsewhere."""

import os
import shutil
import time
from collections.abc import Callable
from math import ceil
from typing import TextIO

from conformance.harmless import HarmlessStream
from conformance.judge.verdict import Verdict
from conformance.report.words import one_line

_STEP = 10  #: per cent between two lines where lines cannot be rewritten
_UNTOLD = 5.0  #: seconds in which nothing is told of the time that is left: so soon nobody asks, or knows


class Progress:
    """Counts verdicts as they come in. It writes to `stream` and nowhere else, and keeps no verdict."""

    def __init__(self, stream: TextIO, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`total` verdicts are awaited. The line is rewritten where the stream is a terminal that can.

        `clock` gives seconds.
        """
        self._clock = clock
        self._began = clock()
        self._stream = HarmlessStream.of(stream)
        self._total = total
        self._rewriting = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._columns = shutil.get_terminal_size((80, 24)).columns
        self._counts = {"unexpected": 0, "invalid": 0, "unstable": 0}
        self._done = 0
        self._said = 0  #: the last multiple of 10 % that was written as a line
        self._rewritten = False  #: a rewritten line stands on the screen

    def start(self, requirement: str) -> None:
        """A requirement is being decided now."""
        if self._rewriting:
            self._rewrite(requirement)

    def step(self, verdict: Verdict) -> None:
        """One more requirement has its verdict."""
        self._done += 1
        if verdict.assessment in self._counts:
            self._counts[verdict.assessment] += 1
        if self._rewriting:
            self._rewrite(verdict.requirement)
            return
        tenth = 100 if self._done >= self._total else self._done * 100 // self._total // _STEP * _STEP
        if tenth > self._said:
            self._said = tenth
            self._write(self._line() + "\n")

    def finish(self) -> None:
        """Leave the terminal's line, so that what is written next starts on one of its own."""
        if self._rewritten:
            self._rewrite("")
            self._write("\n")
            self._rewritten = False

    def _rewrite(self, requirement: str) -> None:
        line = f"{self._line()} {one_line(requirement)}".rstrip()
        # One column short: a full line makes some terminals wrap.
        self._stream.rewrite(line[: max(self._columns - 1, 1)])
        self._stream.flush()
        self._rewritten = True

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _line(self) -> str:
        total = max(self._total, self._done)
        share = f" ({self._done * 100 // total} %)" if total and not self._rewriting else ""
        shown = {name: number for name, number in self._counts.items() if number or name == "unexpected"}
        odd = "".join(f", {number} {name}" for name, number in shown.items())
        return f"{self._done}/{total}{share}{odd}{self._left()}"

    def _left(self) -> str:
        """About how long it still takes when it goes on as it went; "" where that says nothing."""
        passed = self._clock() - self._began
        if passed < _UNTOLD or not 0 < self._done < self._total:
            return ""
        seconds = passed * (self._total - self._done) / self._done
        return f", {ceil(seconds / 60)} min left" if seconds > 90 else f", {ceil(seconds / 5) * 5} s left"
