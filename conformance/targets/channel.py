"""Requests to the agent of a pod's internet, matched with their answers. No sockets in here."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.pod.base import PodFailure
from conformance.pod.codec import decode, encode

#: Seconds that a pod may take from its start to its agents' first answers.
PATIENCE = 30.0

#: Seconds that an answer may take beyond the limit that a request itself bears.
LATENESS = 40.0

#: Octets of one answer: a record, in which every flood of qmail's is cut off long before.
LONGEST_ANSWER = 1 << 28


class Channel:
    """One control channel. Lives on one event loop; every method is called there.

    `send` takes octets for the agent and does not wait.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._unread = bytearray()  #: an answer that is not whole yet
        self._lost = ""

    async def request(self, op: str, *, patience: float = 30.0, **fields: Any) -> Any:
        """The result of an operation.

        PodFailure when it failed, the channel is lost or `patience` seconds pass.
        """
        if self._lost:
            raise PodFailure(self._lost)
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(json.dumps({"id": number, "op": op, **fields}).encode("ascii") + b"\n")
            async with asyncio.timeout(patience):
                return await self._waiting[number]
        except TimeoutError:
            raise PodFailure(f"the pod's internet has not answered {op!r} within {patience:g} s") from None
        finally:
            del self._waiting[number]

    async def play(self, script: Script) -> Played:
        """Have a script played: one request. PodFailure when there is no answer, or one that is none."""
        answer = await self.request("play", script=encode(script), patience=script.limit + LATENESS)
        try:
            return decode(Played, answer)
        except ValueError as error:
            raise PodFailure(f"the answer of the pod's internet is no record: {error}") from error

    def feed(self, octets: bytes) -> None:
        """Take in what the agent wrote. Octets that are no answers lose the channel, and so do too many."""
        if self._lost:
            return
        head, *rest = octets.split(b"\n")
        self._unread += head
        if len(self._unread) > LONGEST_ANSWER:
            self.lose(f"the control channel is broken: an answer of more than {LONGEST_ANSWER} octets")
            self._unread.clear()
        elif rest:
            whole, self._unread = bytes(self._unread), bytearray(rest.pop())
            self._take([whole, *rest])

    def _take(self, answers: list[bytes]) -> None:
        for line in answers:
            try:
                answer = json.loads(line)
                future = self._waiting.get(answer["id"])
                if future is not None and not future.done():  # somebody still waits for it
                    if "failure" in answer:
                        future.set_exception(PodFailure(answer["failure"]))
                    else:
                        future.set_result(answer["result"])
            except (ValueError, TypeError, KeyError):
                self.lose(f"the control channel is broken: {line[:60]!r} is no answer")

    def lose(self, reason: str) -> None:
        """The channel is gone: whatever waits fails with `reason`, and so does every later request."""
        self._lost = self._lost or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PodFailure(self._lost))
