"""The world on sockets: DNS over UDP and TCP, and mail exchangers. No protocol logic stands here."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from conformance.errors import UsageError, WorldError
from conformance.internet.dnssockets import DatagramServer, StreamServer
from conformance.internet.exchanger import Action, Close, ExchangerSession, Reset, Say
from conformance.internet.nameserver import NameServer
from conformance.pod.observation import MxSession
from conformance.pod.world import Exchanger, World

Address = tuple[str, int]

_BACKLOG = 512

#: Turns of the event loop in which a client that has come, spoken and gone is heard to its end.
_TURNS = 8


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
        self._datagrams: asyncio.DatagramTransport | None = None
        self._streams: asyncio.Server | None = None
        self._listening: dict[Address, asyncio.Server] = {}
        self._silences: list[socket.socket] = []
        self._exchangers: dict[Address, Exchanger] = {}
        self._sessions: list[ExchangerSession] = []
        self.connections: set[asyncio.Transport] = set()
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
        self._sessions = []
        self._start = self._loop.time()
        silent = {address for address, exchanger in exchangers.items() if exchanger.silent}
        heard = exchangers.keys() - silent
        for address in self._listening.keys() - heard:
            self._listening.pop(address).close()
        await self._serve_dns(tcp=world.tcp == "accept")
        for address in heard - self._listening.keys():
            with _taken(address):
                made = partial(_MailConnection, self, address)
                self._listening[address] = await self._listen(address, made)
        for address in silent:
            with _taken(address):
                self._silences += _silence(address)

    @property
    def mx_sessions(self) -> list[MxSession]:
        """The sessions at the exchangers since then, in order of their start."""
        return [session.seen for session in self._sessions]

    async def catch_up(self) -> None:
        """Take in what has reached our sockets by now: who sent it may have gone long ago."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def close(self) -> None:
        """Stop listening and abort all connections."""
        self._abort()
        for listener in self._listening.values():
            listener.close()
        self._listening.clear()
        for opened in (self._datagrams, self._streams):
            if opened is not None:
                opened.close()
        self._datagrams = self._streams = None

    def now(self) -> float:
        """Seconds since the world was set, to the microsecond."""
        return round(self._loop.time() - self._start, 6)

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

    def begin(self, address: Address, connection: asyncio.Transport) -> ExchangerSession:
        """A client has connected to an exchanger."""
        session = ExchangerSession(self._exchangers[address], self.now())
        self._sessions.append(session)
        self.connections.add(connection)
        return session

    def _abort(self) -> None:
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        for connection in list(self.connections):
            connection.abort()
        for held in self._silences:
            held.close()
        self._silences.clear()

    async def _listen(self, address: Address, made: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        return await self._loop.create_server(made, *address, backlog=_BACKLOG, reuse_address=True)

    async def _serve_dns(self, *, tcp: bool) -> None:
        serves = (lambda: self.nameserver, self.now, self.after)
        if self._datagrams is None:
            with _taken(self._dns, "udp"):
                self._datagrams, _ = await self._loop.create_datagram_endpoint(
                    partial(DatagramServer, *serves), local_addr=self._dns
                )
        if tcp and self._streams is None:
            with _taken(self._dns):
                made = partial(StreamServer, *serves, self.connections)
                self._streams = await self._listen(self._dns, made)
        elif not tcp and self._streams is not None:
            self._streams.close()
            self._streams = None


@contextlib.contextmanager
def _taken(address: Address, over: str = "tcp") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(
            f"cannot listen on {address[0]}:{address[1]} over {over}: {error.strerror or error}",
            "something else listens there, or the port needs a privilege that this process lacks",
        ) from error


def _silence(address: Address) -> list[socket.socket]:
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


class _MailConnection(asyncio.Protocol):
    """One client at a mail exchanger."""

    def __init__(self, servers: Servers, address: Address) -> None:
        self._servers = servers
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link: socket.socket = transport.get_extra_info("socket")
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session = self._servers.begin(self._address, self._transport)
        self._act(self._session.open(self._servers.now()))

    def data_received(self, data: bytes) -> None:
        self._act(self._session.receive(data, self._servers.now()))

    def eof_received(self) -> None:
        self._session.closed(self._servers.now())

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.closed(self._servers.now())
        self._servers.connections.discard(self._transport)

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self._transport.write(octets)
                case Close():
                    self._transport.close()
                case Reset():
                    # A close that lingers for no time is a reset.
                    self._link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._transport.abort()
