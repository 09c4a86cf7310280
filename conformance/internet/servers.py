"""The world on sockets: DNS over UDP and TCP, and mail exchangers. No protocol logic stands here."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import TypedDict

from conformance.errors import UsageError, WorldError
from conformance.internet.dnssockets import DnsSockets, taken
from conformance.internet.exchanger import Action, Close, ExchangerSession, Reset, Say, Stall
from conformance.internet.links import Link, Listener, block_for_a_moment
from conformance.internet.nameserver import NameServer
from conformance.pod.base import Exchange, Question
from conformance.pod.world import Exchanger, World

Address = tuple[str, int]

_BACKLOG = 512

#: How many words of a client are waited for in the kernel one after the other, before others have their turn.
_MOST_SOON = 32


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
        self._listening: dict[Address, socket.socket] = {}
        self._silences: dict[Address, list[socket.socket]] = {}
        self._exchangers: dict[Address, Exchanger] = {}
        self._exchanges: list[Exchange] = []
        self._connections: set[_MailConnection] = set()
        self._late: set[asyncio.TimerHandle] = set()

    def set_world(self, world: World) -> None:
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
            self._close(self._listening.pop(address))
        if self._sockets is None:
            self._sockets = DnsSockets(self._dns, lambda: self.nameserver, self.now, self.after)
        self._sockets.serve_tcp(world.tcp == "accept")
        for address in heard - self._listening.keys():
            with _taken(address):
                self._listening[address] = self._listen(address)
        for address in silent:
            with _taken(address):
                self._silences[address] = _silence(address)

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
        for listener in self._listening.values():
            self._close(listener)
        self._listening.clear()
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None

    def now(self) -> float:
        """Seconds since the world was set, to the microsecond."""
        return round(self._loop.time() - self._start, 6)

    def left(self, connection: _MailConnection) -> None:
        """A connection has ended."""
        self._connections.discard(connection)

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
        for connection in list(self._connections):
            connection.drop()
        if self._sockets is not None:
            self._sockets.abort()
        for one in [one for pair in self._silences.values() for one in pair]:
            one.close()
        self._silences.clear()

    def _listen(self, address: Address) -> socket.socket:
        listener = Listener(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
            block_for_a_moment(listener)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self._loop.add_reader(listener.fileno(), self._accept, listener, address)
        return listener

    def _close(self, listener: socket.socket) -> None:
        self._loop.remove_reader(listener.fileno())
        listener.close()

    def _accept(self, listener: socket.socket, address: Address) -> None:
        try:
            link, _ = listener.accept()
        except OSError:  # the client has gone
            return
        session = ExchangerSession(self._exchangers[address], self.now())
        self._exchanges.append(session.exchange)
        connection = _MailConnection(self, link, session)
        self._connections.add(connection)
        connection.open()


@contextlib.contextmanager
def _taken(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise taken(address, "tcp", error) from error


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


class _MailConnection(Link):
    """One client at a mail exchanger."""

    def __init__(self, servers: Servers, link: socket.socket, session: ExchangerSession) -> None:
        super().__init__(link, asyncio.get_running_loop())
        self._servers = servers
        self._session = session
        self._unsent = b""
        self._waits = False  #: for the socket to take more
        self._closes = False

    def open(self) -> None:
        """Greet, and listen from now on."""
        self._act(self._session.open(self._servers.now()))
        self._go_on()

    def drop(self) -> None:
        """Close, whatever is still to be sent."""
        if self._link.fileno() < 0:
            return
        self._session.closed(self._servers.now())
        self._read_no_more()
        if self._waits:
            self._loop.remove_writer(self._number)
        self._link.close()
        self._servers.left(self)

    def _readable(self) -> None:
        if self._receive(socket.MSG_DONTWAIT):
            self._go_on()

    def _go_on(self) -> None:
        """Hear what comes soon, and have the loop tell of what comes later."""
        for _ in range(_MOST_SOON):
            if self._closes or self._waits or self._link.fileno() < 0 or not self._receive(0):
                break
        if not (self._closes or self._link.fileno() < 0):
            self._read_on()

    def _receive(self, flags: int) -> bool:
        """Take in what has come, or the end; whether there was any."""
        octets = self._received(flags)
        if octets is None:
            return False
        if octets:
            self._act(self._session.receive(octets, self._servers.now()))
        else:
            self._session.closed(self._servers.now())
            self._leave()
        return True

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(octets):
                    self._unsent += octets
                    self._flush()
                case Close():
                    self._leave()
                case Reset():
                    # A close that lingers for no time is a reset.
                    self._link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.drop()
                case Stall():
                    pass

    def _leave(self) -> None:
        """Close when everything said has left; nothing more is heard."""
        self._closes = True
        if self._unsent:
            self._read_no_more()
        else:
            self.drop()

    def _flush(self) -> None:
        try:
            self._unsent = self._unsent[self._link.send(self._unsent, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        except OSError:  # the client has gone
            self.drop()
            return
        if bool(self._unsent) != self._waits:
            self._waits = not self._waits
            if self._waits:
                self._loop.add_writer(self._number, self._flush)
            else:
                self._loop.remove_writer(self._number)
        if self._closes and not self._unsent:
            self.drop()
