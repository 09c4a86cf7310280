"""A whole exploration: streams of every area, handed to worker processes, and their findings put together."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.errors import WorldError
from conformance.explore.document import Document
from conformance.explore.exploring import Budget
from conformance.explore.finding import Cause, Finding
from conformance.explore.tally import Tally
from conformance.explore.worker import Task
from conformance.pod.codec import decode
from conformance.targets.plan import Plan
from conformance.targets.target import Target

#: Streams of so many sessions: as many whoever explores, so that a seed finds the same with any number of
#: workers; shared by the areas, and one for each at least.
STREAMS = 16

#: The command of a worker process.
_WORKER = [sys.executable, "-P", "-m", "conformance.explore.worker"]


@dataclass(frozen=True)
class Wish:
    """What is to be explored: `sessions` or `seconds` in all, `pods` of each target in each worker."""

    plan: Plan
    models: tuple[Target, ...]
    areas: tuple[str, ...]
    seed: int
    sessions: int | None = None
    seconds: float | None = None
    pods: int = 1
    known: tuple[Document, ...] = ()

    def tasks(self, workers: int) -> list[Task]:
        """The streams, the first of every area first."""
        # At the end of each stream workers wait for its last scenarios: where there is a time, few will do.
        streams = workers if self.sessions is None else STREAMS
        count = max(1, -(-streams // len(self.areas)))
        places = [(area, number) for number in range(1, count + 1) for area in self.areas]
        budgets = self._budgets(len(places), workers)
        return [
            Task(self.plan, self.models, area, number, f"{self.seed} {number}", budget, self.known, self.pods)
            for (area, number), budget in zip(places, budgets, strict=True)
            if budget.sessions != 0
        ]

    def _budgets(self, streams: int, workers: int) -> list[Budget]:
        if self.sessions is None:
            return [Budget(seconds=(self.seconds or 0) * min(workers, streams) / streams)] * streams
        each, more = divmod(self.sessions, streams)
        return [Budget(sessions=each + (place < more)) for place in range(streams)]


@dataclass
class Result:
    """What was found so far, one finding for each cause, and what was done."""

    findings: dict[Cause, Finding] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def add(self, finding: Finding) -> bool:
        """Take a finding in; whether its cause is new. Of one cause the smallest is kept."""
        known = self.findings.get(finding.cause)
        if known is None:
            self.findings[finding.cause] = finding
        else:
            least = min(known, finding, key=_size)
            self.findings[finding.cause] = least.again(known.times + finding.times - least.times)
        return known is None

    def in_order(self) -> list[Finding]:
        """The findings, the same ones in the same order however the streams were shared."""
        return sorted(self.findings.values(), key=_size)


def _size(finding: Finding) -> tuple[int, str, int, int]:
    return len(finding.scenario), finding.area, finding.stream, finding.session


def explored(tasks: Sequence[Task], workers: int) -> Iterator[Finding | Cause | Tally]:
    """What comes of the tasks, as it comes: findings, the causes of those that came again, tallies.

    Raises WorldError when nothing can be explored at all.
    """
    left = iter(tasks)
    lock = threading.Lock()
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    processes = [_Worker(left, lock, said) for _ in range(min(workers, len(tasks)))]
    running = len(processes)
    try:
        while running:
            kind, answer = said.get()
            if kind == "end":
                running -= 1
            elif kind == "failure":
                raise WorldError(answer, "`qmail-conformance doctor` looks at the machine.")
            elif kind == "finding":
                yield Finding.from_json(answer)
            elif kind == "again":
                yield _cause(answer)
            elif kind == "tally":
                yield decode(Tally, answer)
    finally:
        for process in processes:
            process.close()


def _cause(answer: Any) -> Cause:
    from conformance.explore.differences import Difference

    return decode(Difference, answer[0]), tuple(answer[1])


class _Worker:
    """A process, and a thread that hands it one task after the other."""

    def __init__(
        self, left: Iterator[Task], lock: threading.Lock, said: "queue.Queue[tuple[str, Any]]"
    ) -> None:
        self._process = subprocess.Popen(_WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._left, self._lock, self._said = left, lock, said
        threading.Thread(target=self._work, daemon=True).start()

    def _next(self) -> Task | None:
        with self._lock:
            return next(self._left, None)

    def _work(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            while task := self._next():
                self._process.stdin.write(task.dumps().encode() + b"\n")
                self._process.stdin.flush()
                kind = ""
                while kind not in ("done", "failure"):
                    [(kind, answer)] = json.loads(self._process.stdout.readline()).items()
                    self._said.put((kind, answer))
            self._said.put(("end", None))
        except (OSError, ValueError):
            self._said.put(("failure", "a process that explores died"))

    def close(self) -> None:
        """End it; it takes its pods down when its input ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
