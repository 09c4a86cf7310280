"""A process that explores streams: it is told one on each line, and says on lines what comes of it.

`{"task": …}` is answered by any number of `{"finding": …}`, `{"again": cause}` and `{"tally": …}`, one for
each batch, and at its end by `{"done": null}` or `{"failure": …}`.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from conformance.errors import ConformanceError
from conformance.explore.differences import Difference
from conformance.explore.document import made
from conformance.explore.exploring import Budget, Exploration
from conformance.explore.finding import Cause
from conformance.explore.judging import AgainstBuild, AgainstModel, Judge
from conformance.explore.playing import Side, side_of
from conformance.explore.stream import Stream
from conformance.explore.tally import Tally
from conformance.pod.codec import decode, encode
from conformance.stopping import end_with_parent
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.target import Target
from conformance.unforeseen import told


@dataclass(frozen=True)
class Task:
    """One stream. The plan's first target is the build, its second, if any, the other build.

    `known`: documents that show what is no finding any more.
    """

    plan: Plan
    models: tuple[Target, ...]
    area: str
    number: int
    seed: str
    budget: Budget
    known: tuple[dict[str, Any], ...] = ()
    pods: int = 1

    def dumps(self) -> str:
        return json.dumps({"task": encode(self)})


class Worker:
    """Sides that stay warm from task to task."""

    def __init__(self) -> None:
        self._pool: PodPool | None = None
        self._sides: dict[str, Side] = {}
        self._known: frozenset[Difference] | None = None

    async def run(self, task: Task) -> None:
        """Explore one stream, and say what comes of it."""
        judge = self._judge(task)
        at_a_time = task.pods if any(target.kind != "reference" for target in task.plan.targets) else 1
        stream = Stream(task.area, task.seed)
        exploration = Exploration(judge, stream, task.number, await self._shown(judge, task), at_a_time)
        said: set[Cause] = set()
        async for each in exploration.run(task.budget):
            if isinstance(each, Tally):
                say({"tally": encode(each)})
            elif each.cause in said:
                say({"again": encode(each.cause)})
            else:
                said.add(each.cause)
                say({"finding": each.to_json()})
        say({"done": None})

    def _judge(self, task: Task) -> Judge:
        builds = [self._side(target, task) for target in task.plan.targets]
        models = [self._side(target, task) for target in task.models]
        if len(builds) == 1:
            return AgainstModel(builds[0], models[0])
        return AgainstBuild(builds[0], builds[1], (models[0], models[1]))

    async def _shown(self, judge: Judge, task: Task) -> frozenset[Difference]:
        """What the known scenarios show first."""
        if self._known is None:
            shown = [(await judge.judge(made(document))).differences for document in task.known]
            self._known = frozenset(each[0] for each in shown if each)
        return self._known

    def _side(self, target: Target, task: Task) -> Side:
        if self._pool is None:
            self._pool = PodPool(task.plan, task.pods)
        if target.name not in self._sides:
            self._sides[target.name] = side_of(target, self._pool)
        return self._sides[target.name]

    async def dispose(self) -> None:
        if self._pool is not None:
            await self._pool.dispose()


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


async def _serve() -> None:
    worker = Worker()
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                await worker.run(decode(Task, json.loads(line)["task"]))
            except ConformanceError as error:
                say({"failure": str(error)})
            except Exception as error:
                say({"failure": told(error)})
    finally:
        await worker.dispose()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(_serve())
