"""Requests to the agent of an internet container, matched with their answers. No sockets in here."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from conformance.internet.frames import encode
from conformance.pod.base import PodFailure

#: Seconds that the set-up of a case may take.
_PREPARING = 20.0


class Channel:
    """One control channel. Lives on one event loop; every method is called there.

    `send` takes octets for the agent and does not wait.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._lost = ""
        self._first: dict[str, Any] | None = None  #: what the next request has done before
        self._told: list[bytes] = []  #: frames that go out with the next request
        self.stood: float | None = None  #: when the last world that was prepared stood, on the loop's clock

    async def request(self, op: str, *, patience: float = 30.0, **fields: Any) -> Any:
        """The result of an operation.

        PodFailure when it failed, the channel is lost or `patience` seconds pass.
        """
        if self._lost:
            raise PodFailure(self._lost)
        number = next(self._numbers)
        if self._first is not None:
            fields["first"], self._first = self._first, None
            patience += _PREPARING
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting[number] = future
        # A timer costs a third of what `asyncio.timeout` does.
        timer = loop.call_later(patience, _overdue, future, op, patience)
        try:
            told, self._told = self._told, []
            self._send(b"".join([*told, encode({"id": number, "op": op, **fields})]))
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(number, None)

    def tell(self, op: str, **fields: Any) -> None:
        """Have an operation done with the next request, before it; nothing is heard of it.

        PodFailure when the channel is lost.
        """
        if self._lost:
            raise PodFailure(self._lost)
        self._told.append(encode({"op": op, **fields}))

    def prepare(self, request: Sequence[bytes], world: dict[str, Any]) -> None:
        """Have the target agent and then the internet set up with the next request, before it.

        What fails there fails the request. PodFailure when the channel is lost.
        """
        if self._lost:
            raise PodFailure(self._lost)
        self.stood = None
        self._first = {"request": request, "world": world, "limit": _PREPARING}

    async def target(self, *request: bytes, limit: float = 20.0) -> list[bytes]:
        """What the target agent answers to a list of octet strings."""
        answer: list[bytes] = await self.request(
            "target", request=list(request), limit=limit, patience=limit + 10.0
        )
        return answer

    def deliver(self, answers: Sequence[Any]) -> None:
        """Take in answers; one that nobody waits for any more is dropped."""
        for answer in answers:
            future = self._waiting.get(answer["id"])
            if future is None or future.done():
                continue
            if "failure" in answer:
                future.set_exception(PodFailure(answer["failure"]))
            else:
                if "stood" in answer:
                    self.stood = time.monotonic() - answer["stood"]
                future.set_result(answer["result"])

    def lose(self, reason: str) -> None:
        """The channel is gone: whatever waits fails with `reason`, and so does every later request."""
        self._lost = self._lost or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PodFailure(self._lost))


def _overdue(future: asyncio.Future[Any], op: str, patience: float) -> None:
    if not future.done():
        future.set_exception(
            PodFailure(f"the internet container has not answered {op!r} within {patience:g} s")
        )
