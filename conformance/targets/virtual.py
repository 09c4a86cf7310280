"""The parts of the embedded pod: a clock that jumps, and the two kinds of connection that live on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.internet.exchanger import Close, ExchangerSession, Reset, Say
from conformance.pod.world import Exchanger
from conformance.reference import acts

EPOCH = 1_700_000_000


class DeadlineReached(Exception):
    """The limit of an act has passed."""


class Clock:
    """Seconds since `prepare`; moves only when somebody waits."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return EPOCH + self.at

    def reach(self, at: float) -> None:
        self.at = max(self.at, at)


class Connection:
    """One session of qmail-smtpd: its engine, and what waits on either side."""

    def __init__(self, clock: Clock, serve: Callable[[acts.Act], Any], engine: acts.Engine) -> None:
        self._clock = clock
        self._serve = serve
        self._engine = engine
        self.unread: list[bytes] = []
        self.ended_by_client = False
        self.output = bytearray()
        self.over = False
        self.wakes = 0.0  #: when the engine stops waiting by itself
        self._sleeping = False
        self.go_on(None)

    def go_on(self, result: Any) -> None:
        """Give the engine the result of its last act, and serve it until it waits."""
        while True:
            try:
                act = self._engine.send(result)
            except StopIteration:
                self.over = True
                return
            if isinstance(act, (acts.Receive, acts.Sleep)):
                self._sleeping = isinstance(act, acts.Sleep)
                self.wakes = self._clock.at + (act.seconds if isinstance(act, acts.Sleep) else act.limit)
                if not self._arrived():
                    return
                result = self._take()
            elif isinstance(act, acts.Send):
                self.output += act.octets
                result = None
            else:
                result = self._serve(act)

    def _arrived(self) -> bool:
        return not self._sleeping and (bool(self.unread) or self.ended_by_client)

    def _take(self) -> bytes:
        taken, self.unread = b"".join(self.unread), []
        return taken

    def hear(self) -> None:
        """Something came, or the client left: the engine hears of it, unless it sleeps."""
        if not self.over and self._arrived():
            self.go_on(self._take())

    def wake(self) -> None:
        """The time has come that the engine waited for."""
        self.go_on(None)


class ExchangerConnection:
    """The exchanger's end of one connection of qmail-remote."""

    def __init__(self, exchanger: Exchanger, at: float) -> None:
        self.session = ExchangerSession(exchanger, at)
        self._said = bytearray()
        self._closed = False
        self._take(self.session.open(at))

    def _take(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Say):
                self._said += action.octets
            elif isinstance(action, (Close, Reset)):
                self._closed = True

    def tell(self, said: bytes, at: float) -> None:
        self._take(self.session.receive(said, at))

    def hear(self) -> bytes | None:
        """What the exchanger said; b"" when it closed, None when it is silent."""
        if not self._said:
            return b"" if self._closed else None
        said, self._said = bytes(self._said), bytearray()
        return said
