"""Explores one stream: batch by batch until its time or its number is up, and finds what differs.

Where a time is set, what takes long looks at the clock: batches are small, and nothing is shrunk beyond it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass

from conformance.errors import WorldError
from conformance.explore.differences import Difference
from conformance.explore.document import Made
from conformance.explore.finding import Finding, Unstable, find
from conformance.explore.judging import Judge, Judged
from conformance.explore.stream import BATCH, Stream
from conformance.explore.tally import REASONS, Tally

#: Scenarios of one difference that are shrunk; the others are counted.
_SHRUNK = 3

#: Scenarios of a batch for each that is played at a time, where there is a deadline.
_AT_ONCE = 4

#: Batches under way where several scenarios are played at a time: each waits for its slowest one.
_UNDER_WAY = 6


@dataclass(frozen=True)
class Budget:
    """How many sessions a stream has, or how many seconds."""

    sessions: int | None = None
    seconds: float | None = None


@dataclass
class _Batch:
    """Scenarios that are played. `first`: the number of the first one within the stream, counted from 1."""

    first: int
    tally: Tally
    played: Awaitable[list[tuple[Made, Judged | None]]]


class Exploration:
    """One stream on one judge. `known` differences are counted and no findings.

    Of several scenarios at a time most wait: a batch begins while the last ones of those before it are played
    and looked into, and is drawn from what was learnt until then.
    """

    def __init__(
        self, judge: Judge, stream: Stream, number: int, known: Iterable[Difference] = (), at_a_time: int = 1
    ) -> None:
        self._judge = judge
        self._stream = stream
        self._number = number
        self._known = frozenset(known)
        self._at_a_time = at_a_time
        self._turns = asyncio.Semaphore(at_a_time)
        self._shrunk: Counter[Difference] = Counter()  #: how many scenarios of each were shrunk
        self._of: dict[Difference, Finding] = {}  #: the first finding of each
        self._sessions = 0  #: drawn
        self._has_begun = False  #: one is played, however short the time is
        self._deadline: float | None = None  #: of time.monotonic

    async def run(self, budget: Budget) -> AsyncIterator[Finding | Tally]:
        """Of each batch a tally, then its findings, each again as often as it is seen again.

        What the search for them adds comes as another tally.
        """
        began = time.monotonic()
        self._deadline = None if budget.seconds is None else began + budget.seconds
        under_way: list[_Batch] = []
        try:
            while (size := self._next(budget)) or under_way:
                if size:
                    under_way.append(self._begin(size))
                if len(under_way) < _UNDER_WAY and size and self._at_a_time > 1:
                    continue
                batch = under_way.pop(0)
                async for each in self._of_batch(batch):
                    if isinstance(each, Tally):
                        each.seconds = time.monotonic() - began
                        began = time.monotonic()
                    yield each
        finally:
            for batch in under_way:
                await _dropped(batch)

    def _next(self, budget: Budget) -> int:
        """The size of the next batch; 0 at the end. How long one takes on a real build nobody knows."""
        if budget.sessions is not None:
            return min(BATCH, budget.sessions - self._sessions)
        if self._sessions and self._is_over():
            return 0
        return BATCH if self._judge.is_instant else _AT_ONCE * self._at_a_time

    def _is_over(self) -> bool:
        """Whether the time is up."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _begin(self, size: int) -> _Batch:
        """Draw a batch, and have it played if others are played meanwhile."""
        tally = Tally(sessions=size)
        batch = self._stream.batch(size)[:size]
        first = self._sessions + 1
        self._sessions += size
        played = self._played(batch, tally)
        return _Batch(first, tally, asyncio.create_task(played) if self._at_a_time > 1 else played)

    async def _of_batch(self, batch: _Batch) -> AsyncIterator[Finding | Tally]:
        """What a batch comes to, once all of it is played and learnt from."""
        differing: list[tuple[int, Made, Judged]] = []
        for session, (made, judged) in enumerate(await batch.played, batch.first):
            if judged is not None:
                self._learn(made, judged, batch.tally)
                if judged.differences:
                    differing.append((session, made, judged))
        batch.tally.differing = len(differing)
        yield batch.tally
        if differing:
            search = Tally()
            async for finding in self._found(differing, search):
                yield finding
            yield search

    async def _played(self, batch: list[Made], tally: Tally) -> list[tuple[Made, Judged | None]]:
        """The batch in order, None where the world failed or the time was up."""

        async def one(made: Made) -> Judged | None:
            async with self._turns:
                if self._has_begun and self._is_over():  # what waits for its turn then is not played
                    tally.sessions -= 1
                    return None
                self._has_begun = True
                try:
                    return await self._judge.judge(made)
                except WorldError as error:
                    _fail(tally, error)
                    return None

        if self._at_a_time == 1:
            return [(made, await one(made)) for made in batch]
        return list(zip(batch, await asyncio.gather(*map(one, batch)), strict=True))

    def _learn(self, made: Made, judged: Judged, tally: Tally) -> None:
        self._stream.learn(made, set(judged.sights))
        for sight in judged.sights:
            tally.reached[sight] = tally.reached.get(sight, 0) + 1
        tally.explained += judged.explained
        tally.known += not self._known.isdisjoint(judged.differences)

    async def _found(self, differing: list[tuple[int, Made, Judged]], tally: Tally) -> AsyncIterator[Finding]:
        """What a batch finds: each by its first difference, or, where all is known of that, by the next.

        One that comes only together with others counts as theirs.
        """
        searches: list[Awaitable[Finding | tuple[Difference, ...] | None]] = []
        others: list[tuple[Difference, ...]] = []
        for session, made, judged in differing:
            settled = self._known | {each for each, count in self._shrunk.items() if count >= _SHRUNK}
            wanted = next((each for each in judged.differences if each not in settled), None)
            if wanted is None:
                others.append(judged.differences)
            else:
                self._shrunk[wanted] += 1
                searches.append(self._search(session, made, judged, wanted, settled, tally))
        # A search on real builds waits: others go on meanwhile. On references each is done before the next.
        for search in searches if self._at_a_time == 1 else asyncio.as_completed(searches):
            found = await search
            if isinstance(found, Finding):
                yield self._of.setdefault(found.difference, found)
            elif found is not None:
                others.append(found)
        for differences in others:
            if theirs := next((self._of[each] for each in differences if each in self._of), None):
                yield theirs

    async def _search(
        self,
        session: int,
        made: Made,
        judged: Judged,
        wanted: Difference,
        settled: frozenset[Difference],
        tally: Tally,
    ) -> Finding | tuple[Difference, ...] | None:
        """The finding; all differences where the wanted one comes with others alone; None for none."""
        place = (self._stream.area.name, self._number, session)
        try:
            found = await find(self._judge, made, wanted, settled, place, self._deadline)
            return judged.differences if found is None else found
        except WorldError as error:
            _fail(tally, error)
        except Unstable:
            tally.unstable += 1
            if len(tally.doubtful) < REASONS and str(wanted) not in tally.doubtful:
                tally.doubtful.append(str(wanted))
        return None


def _fail(tally: Tally, error: WorldError) -> None:
    tally.failed += 1
    if len(tally.reasons) < REASONS and error.message not in tally.reasons:
        tally.reasons.append(error.message)


async def _dropped(batch: _Batch) -> None:
    """End what is played of a batch that nobody waits for any more."""
    if isinstance(batch.played, asyncio.Task):
        batch.played.cancel()
        await asyncio.gather(batch.played, return_exceptions=True)
    elif asyncio.iscoroutine(batch.played):
        batch.played.close()
