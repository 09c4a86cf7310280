"""The world on sockets: DNS over UDP and TCP, and mail exchangers. No protocol logic stands here."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypedDict, TypeVar, cast

from conformance.errors import UsageError, WorldError
from conformance.internet.dnssockets import DnsSockets, taken
from conformance.internet.exchanger import Action, Close, ExchangerSession, Reset, Say, Stall
from conformance.internet.nameserver import NameServer
from conformance.pod.base import Exchange, Question
from conformance.pod.world import Exchanger, World

Address = tuple[str, int]
_Listener = TypeVar("_Listener")

_BACKLOG = 512

#: One buffer for all exchanger connections: asyncio fills it and hands it over before it reads again,
#: and a fresh buffer for each read is what costs most (the C library returns it to the kernel each time).
_shared_buffer = memoryview(bytearray(65536))


class InternetSight(TypedDict):
    """What the internet has seen since the world was set."""

    questions: list[Question]
    exchanges: list[Exchange]
    stray: list[str]


class Servers:
    """Listeners on loopback that show one world at a time.

    `dns`: address and port of the DNS server. Listeners that the next world needs too are kept, so that
    replacing a world takes milliseconds.
    """

    def __init__(self, dns: Address = ("127.0.0.1", 53)) -> None:
        self.nameserver = NameServer(World())
        self._dns = dns
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._sockets: DnsSockets | None = None
        self._listening: dict[Address, asyncio.Server] = {}
        self._silences: dict[Address, list[socket.socket]] = {}
        self._exchangers: dict[Address, Exchanger] = {}
        self._exchanges: list[Exchange] = []
        self._connections: set[asyncio.Transport] = set()
        self._late: set[asyncio.TimerHandle] = set()

    async def set_world(self, world: World) -> None:
        """Replace the world; logs are empty afterwards, connections of the old world are aborted.

        Raises UsageError when the world is wrong (the old one stays), WorldError when an address is taken.
        """
        nameserver = NameServer(world)
        exchangers = {(exchanger.address, exchanger.port): exchanger for exchanger in world.exchangers}
        if len(exchangers) < len(world.exchangers):
            raise UsageError("two exchangers of the world have the same address and port")
        self._abort()
        self.nameserver = nameserver
        self._exchangers = exchangers
        self._exchanges = []
        self._start = self._loop.time()
        silent = {address for address, exchanger in exchangers.items() if exchanger.silent}
        heard = exchangers.keys() - silent
        for address in self._listening.keys() - heard:
            self._listening.pop(address).close()
        if self._sockets is None:
            self._sockets = DnsSockets(self._dns, lambda: self.nameserver, self.now, self.after)
        self._sockets.serve_tcp(world.tcp == "accept")
        for address in heard - self._listening.keys():
            self._listening[address] = await _bound(
                address, "tcp", self._listen(partial(_MailConnection, self, address), address)
            )
        for address in silent:
            self._silences[address] = await _bound(address, "tcp", _silence(address))

    def sight(self) -> InternetSight:
        """What was seen since the world was set."""
        return {
            "questions": self.nameserver.questions,
            "exchanges": self._exchanges,
            "stray": self.nameserver.stray,
        }

    def close(self) -> None:
        """Stop listening and abort all connections."""
        self._abort()
        for server in self._listening.values():
            server.close()
        self._listening.clear()
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None

    def now(self) -> float:
        """Seconds since the world was set, to the microsecond."""
        return round(self._loop.time() - self._start, 6)

    def joined(self, transport: asyncio.Transport) -> None:
        self._connections.add(transport)

    def left(self, transport: asyncio.Transport) -> None:
        self._connections.discard(transport)

    def session(self, address: Address) -> ExchangerSession | None:
        """A new session at an exchanger; None when a late client meets a world that lacks it."""
        exchanger = self._exchangers.get(address)
        if exchanger is None or exchanger.silent:
            return None
        session = ExchangerSession(exchanger, self.now())
        self._exchanges.append(session.exchange)
        return session

    def after(self, delay: float, act: Callable[[], None]) -> None:
        """Do `act` now or `delay` seconds later, unless the world has been replaced by then."""
        if delay <= 0:
            act()
            return

        def due() -> None:
            self._late.discard(handle)
            act()

        handle = self._loop.call_later(delay, due)
        self._late.add(handle)

    def _abort(self) -> None:
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        for transport in list(self._connections):
            transport.abort()
        self._connections.clear()
        if self._sockets is not None:
            self._sockets.abort()
        for one in [one for pair in self._silences.values() for one in pair]:
            one.close()
        self._silences.clear()

    async def _listen(self, factory: Callable[[], asyncio.BaseProtocol], address: Address) -> asyncio.Server:
        return await self._loop.create_server(factory, *address, backlog=_BACKLOG)


async def _bound(address: Address, over: str, starting: Coroutine[Any, Any, _Listener]) -> _Listener:
    try:
        return await starting
    except OSError as error:
        raise taken(address, over, error) from error


async def _silence(address: Address) -> list[socket.socket]:
    """An address that answers no attempt to connect, as behind a filter that drops packets.

    Loopback has no such address, but Linux drops attempts at a listener whose queue is full: a queue for
    none holds one, and that one is ours. Raises WorldError where a further attempt is answered all the same.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(0)
        filler.settimeout(1.0)
        filler.connect(address)
        # Over loopback an attempt that is answered is answered before the call returns.
        probe.setblocking(False)
        probe.connect_ex(address)
        if select.select([], [probe], [], 0)[1]:
            raise WorldError(
                f"{address[0]}:{address[1]} should be silent, and answers",
                "The internet container needs a Linux kernel that drops attempts at a full queue.",
            )
    except (OSError, WorldError):
        listener.close()
        filler.close()
        raise
    finally:
        probe.close()
    return [listener, filler]


class _MailConnection(asyncio.BufferedProtocol):
    """One client at a mail exchanger."""

    _transport: asyncio.Transport
    _session: ExchangerSession | None = None

    def __init__(self, servers: Servers, address: Address) -> None:
        self._servers = servers
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._session = self._servers.session(self._address)
        if self._session is None:
            self._transport.abort()
            return
        self._servers.joined(self._transport)
        self._act(self._session.open(self._servers.now()))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _shared_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._session is not None:
            self._act(self._session.receive(bytes(_shared_buffer[:nbytes]), self._servers.now()))

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._servers.left(self._transport)
        self._leave()

    def _leave(self) -> None:
        if self._session is not None:
            self._session.closed(self._servers.now())

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self._transport.write(octets)
                case Close():
                    self._transport.close()
                case Reset():
                    # A close that lingers for no time is a reset.
                    connection = self._transport.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._transport.abort()
                case Stall():
                    pass
