"""The network of the embedded reference, in memory: a nameserver and exchangers on a clock that jumps."""

import struct

from conformance.internet.exchanger import ExchangerSession, Output
from conformance.internet.nameserver import NameServer
from conformance.pod.world import Exchanger, World
from conformance.reference import acts
from conformance.targets.virtual import Clock


class DeadlineReached(Exception):
    """The limit of an act has passed."""


class ExchangerConnection:
    """The exchanger's end of one connection of qmail-remote."""

    def __init__(self, exchanger: Exchanger, at: float) -> None:
        self.session = ExchangerSession(exchanger, at)
        self._pace = exchanger.pace
        self._ready = at  #: when the next octet can be heard
        self._said = bytearray()
        self._closed = False
        self._take(self.session.open(at))

    def _take(self, output: Output) -> None:
        self._said += output.octets
        self._closed = output.end in ("close", "reset")

    def tell(self, said: bytes, at: float) -> None:
        self._ready = self._ready if self._said else at
        self._take(self.session.receive(said, at))

    def ready(self) -> float:
        """When what the exchanger said can be heard."""
        return self._ready if self._said else 0.0

    def hear(self, at: float) -> bytes | None:
        """What the exchanger said; b"" when it closed, None when it is silent."""
        if not self._said:
            return b"" if self._closed else None
        end = 1 if self._pace else len(self._said)
        said, self._said = bytes(self._said[:end]), self._said[end:]
        self._ready = at + self._pace
        return said


class VirtualNetwork:
    """The ports of qmail-remote in a world: whoever waits there lets the clock jump.

    `connections` has every connection to an exchanger, in their order. A wait that would go beyond
    `deadline` raises DeadlineReached.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self.nameserver = NameServer(world)
        self.connections: list[ExchangerConnection] = []
        self.deadline = float("inf")
        self._world = world
        self._clock = clock
        self._open: ExchangerConnection | None = None
        self._asked = b""  #: the question that was asked last over UDP
        self._coming: list[tuple[float, bytes]] = []  #: answers to it, and when they come
        self.now = clock.now

    def ask_dns(self, act: acts.AskDns) -> bytes | acts.Stream | str | None:
        return self._ask_udp(act) if act.over == "udp" else self._ask_tcp(act)

    def _ask_udp(self, act: acts.AskDns) -> bytes | None:
        answer = self.nameserver.answer(act.message, "udp", self._clock.at)
        if act.message != self._asked:
            self._asked, self._coming = act.message, []
        if answer.octets is not None:
            self._coming.append((self._clock.at + answer.delay, answer.octets))
        return self.await_dns(act.limit)

    def _ask_tcp(self, act: acts.AskDns) -> acts.Stream | str:
        if self._world.tcp == "refuse":
            return "refused"
        answer = self.nameserver.answer(act.message, "tcp", self._clock.at)
        silent = answer.octets is None and answer.end != "close"
        if silent or (act.limit is not None and answer.delay >= act.limit):
            self._wait(act.limit)
            return acts.Stream(b"", "stalled")
        self._wait(answer.delay)
        framed = b"" if answer.octets is None else struct.pack(">H", len(answer.octets)) + answer.octets
        sent = framed if answer.limit is None else framed[: answer.limit]
        if answer.end == "stall" and len(sent) < len(framed):
            self._wait(None if act.limit is None else act.limit - answer.delay)
            return acts.Stream(b"", "stalled")
        return acts.Stream(sent, "closed" if answer.end == "close" else "whole")

    def await_dns(self, limit: float | None) -> bytes | None:
        """The next answer to what was asked, be it to an earlier attempt; None after `limit` seconds."""
        first = min(self._coming, default=None)
        if first is None or (limit is not None and first[0] - self._clock.at >= limit):
            self._wait(limit)
            return None
        self._coming.remove(first)
        self._wait(max(0.0, first[0] - self._clock.at))
        return first[1]

    def connect(self, address: str, port: int, limit: float) -> str:
        for exchanger in self._world.exchangers:
            if (exchanger.address, exchanger.port) != (address, port):
                continue
            if exchanger.silent:
                self._wait(limit)
                return "timeout"
            self._open = ExchangerConnection(exchanger, self._clock.at)
            self.connections.append(self._open)
            return ""
        return "refused"

    def send(self, said: bytes) -> None:
        if self._open is not None:
            self._open.tell(said, self._clock.at)

    def receive(self, limit: float) -> bytes | None:
        if self._open is None:
            return b""
        late = self._open.ready() - self._clock.at
        if late >= limit:
            self._wait(limit)
            return None
        self._wait(max(late, 0.0))
        said = self._open.hear(self._clock.at)
        if said is None:
            self._wait(limit)
        return said

    def close(self) -> None:
        if self._open is not None:
            self._open.session.closed(self._clock.at)
            self._open = None

    def leave_open(self) -> None:
        """Another qmail-remote comes; the one of the last connection goes on waiting."""
        self._open = None

    def _wait(self, seconds: float | None) -> None:
        """Let time pass; None is for ever."""
        if seconds is None or self._clock.at + seconds > self.deadline:
            self._clock.reach(self.deadline)
            raise DeadlineReached
        self._clock.reach(self._clock.at + seconds)
