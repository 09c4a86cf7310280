"""The network of the embedded reference, in memory: hosts that answer at ports, on a clock that jumps."""

import struct
from collections.abc import Callable
from math import inf
from typing import Protocol

from conformance.internet.exchanger import ExchangerSession, Output
from conformance.internet.nameserver import NameServer
from conformance.pod.addresses import SMTPD
from conformance.pod.world import Exchanger, World
from conformance.reference import acts
from conformance.targets.virtual import Clock
from conformance.targets.virtual_smtpd import SmtpdConnection

#: Where this host's own qmail-smtpd is reached.
_OWN = (SMTPD, ("0.0.0.0", SMTPD[1]))


class DeadlineReached(Exception):
    """The limit of an act has passed."""


class Peer(Protocol):
    """The other end of a connection of qmail-remote."""

    def tell(self, said: bytes, at: float) -> None:
        """qmail-remote says something."""

    def ready(self) -> float:
        """When something is to be heard, or was, as far as that is known; infinity is never."""

    def hear(self, at: float) -> bytes | None:
        """What the peer said, once it is ready; b"" when it closed, None when it is silent after all."""

    def close(self, at: float) -> None:
        """qmail-remote closes the connection."""


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
        return self._ready if self._said or self._closed else inf

    def hear(self, at: float) -> bytes:
        if not self._said:
            return b""
        end = 1 if self._pace else len(self._said)
        said, self._said = bytes(self._said[:end]), self._said[end:]
        self._ready = at + self._pace
        return said

    def close(self, at: float) -> None:
        self.session.closed(at)


class OwnConnection:
    """The end of this host's own qmail-smtpd, where mail for an alias of this host is tried."""

    def __init__(self, session: SmtpdConnection, at: float) -> None:
        self._session = session
        self._told = at  #: when the session last had something to answer

    def tell(self, said: bytes, at: float) -> None:
        self._told = at
        self._session.take_in(said)

    def ready(self) -> float:
        return self._told if self._session.output or self._session.over else self._session.wakes

    def hear(self, at: float) -> bytes | None:
        if not self._session.output and not self._session.over:
            self._session.wake()
        return self._session.taken() if self._session.output or self._session.over else None

    def close(self, at: float) -> None:
        """The session ends, too, once it wakes; nobody waits for that, so it need not be waited for here."""
        self._session.end()
        while not self._session.over and self._session.wakes < inf:
            self._session.wake()


class VirtualNetwork:
    """The ports of qmail-remote in a world: whoever waits there lets the clock jump.

    `smtpd` connects to this host's own qmail-smtpd. `connections` has every connection to an exchanger, in
    their order. A wait that would go beyond `deadline` raises DeadlineReached.
    """

    def __init__(self, world: World, clock: Clock, smtpd: Callable[[], SmtpdConnection]) -> None:
        self.nameserver = NameServer(world)
        self.connections: list[ExchangerConnection] = []
        self.deadline = float("inf")
        self._world = world
        self._clock = clock
        self._smtpd = smtpd
        self._open: Peer | None = None
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
            made = ExchangerConnection(exchanger, self._clock.at)
            self._open = made
            self.connections.append(made)
            return ""
        if (address, port) not in _OWN:
            return "refused"
        self._open = OwnConnection(self._smtpd(), self._clock.at)
        return ""

    def send(self, said: bytes) -> None:
        if self._open is not None:
            self._open.tell(said, self._clock.at)

    def receive(self, limit: float) -> bytes | None:
        if self._open is None:
            return b""
        until = self._clock.at + limit
        while (ready := self._open.ready()) < until:
            self._wait(max(ready - self._clock.at, 0.0))
            said = self._open.hear(self._clock.at)
            if said is not None:
                return said
        self._wait(until - self._clock.at)
        return None

    def close(self) -> None:
        if self._open is not None:
            self._open.close(self._clock.at)
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
