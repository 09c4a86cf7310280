"""Requests to the agent of an internet container, matched with their answers. No sockets in here."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from conformance.internet.frames import encode
from conformance.pod.base import PodFailure, octets, text


class Channel:
    """One control channel. Lives on one event loop; every method is called there.

    `send` takes octets for the agent and does not wait.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._lost = ""

    async def request(self, op: str, *, patience: float = 30.0, **fields: Any) -> Any:
        """The result of an operation.

        PodFailure when it failed, the channel is lost or `patience` seconds pass.
        """
        if self._lost:
            raise PodFailure(self._lost)
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting[number] = future
        # A timer costs a third of what `asyncio.timeout` does.
        timer = loop.call_later(patience, _overdue, future, op, patience)
        try:
            self._send(encode({"id": number, "op": op, **fields}))
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(number, None)

    def tell(self, op: str, **fields: Any) -> None:
        """Have an operation done before those of later requests; nothing is heard of it.

        PodFailure when the channel is lost.
        """
        if self._lost:
            raise PodFailure(self._lost)
        self._send(encode({"op": op, **fields}))

    async def target(self, *request: bytes, limit: float = 20.0) -> list[bytes]:
        """What the target agent answers to a list of octet strings, without the leading "ok"."""
        answer: list[str] = await self.targeted("target", request, limit=limit)
        return [octets(item) for item in answer]

    async def targeted(
        self, op: str, request: Sequence[bytes], *, limit: float = 20.0, **fields: Any
    ) -> list[str]:
        """What the target agent answers to the `request` that an operation passes on, without "ok"."""
        asked = [text(item) for item in request]
        answer = await self.request(op, request=asked, limit=limit, patience=limit + 10.0, **fields)
        return answered(asked[0], answer)

    def deliver(self, answers: Sequence[Any]) -> None:
        """Take in answers; one that nobody waits for any more is dropped."""
        for answer in answers:
            future = self._waiting.get(answer["id"])
            if future is None or future.done():
                continue
            if "failure" in answer:
                future.set_exception(PodFailure(answer["failure"]))
            else:
                future.set_result(answer["result"])

    def lose(self, reason: str) -> None:
        """The channel is gone: whatever waits fails with `reason`, and so does every later request."""
        self._lost = self._lost or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PodFailure(self._lost))


def answered(op: str, answer: list[str]) -> list[str]:
    """An answer of the target agent without its leading "ok"; PodFailure where it failed."""
    if answer[0] != "ok":
        said = octets(" ".join(answer[1:])).decode("utf-8", "replace").strip()
        raise PodFailure(f"the target agent failed at {op!r}: {said}")
    return answer[1:]


def _overdue(future: asyncio.Future[Any], op: str, patience: float) -> None:
    if not future.done():
        future.set_exception(
            PodFailure(f"the internet container has not answered {op!r} within {patience:g} s")
        )
