"""The world on sockets: DNS over UDP and TCP, and mail exchangers. No protocol logic stands here."""

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from dnslib import RCODE, DNSQuestion, DNSRecord

from conformance.errors import UsageError, WorldError
from conformance.internet.exchanger import ExchangerSession
from conformance.internet.mail_connection import MailConnection
from conformance.internet.nameserver import NameServer, Response
from conformance.pod.addresses import DNS, Address
from conformance.pod.observation import MxSession
from conformance.pod.world import Exchanger, World

#: Turns of the event loop in which a client that has come, spoken and gone is heard to its end.
_TURNS = 8

#: Seconds within which our own name server answers us, as an answer over loopback does in a thousandth of it.
PROBE = 2.0

#: Octets of a buffer, and of a segment.
_SMALL = 1024

_LOST = "The internet container has lost a listener: a fresh pod has it again."


class Servers:
    """Listeners on loopback that show one world at a time.

    `dns`: address and port of the DNS server. Listeners that the next world needs too are kept, so that
    replacing a world takes milliseconds.
    """

    def __init__(self, dns: Address = DNS) -> None:
        self.nameserver = NameServer(World())
        self._dns = dns
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._listening: dict[Address, asyncio.Server] = {}
        self._small: set[Address] = set()  #: of them, those with small buffers
        self._silences: list[contextlib.ExitStack] = []
        self._exchangers: dict[Address, Exchanger] = {}
        self._sessions: list[ExchangerSession] = []
        self.connections: set[asyncio.Transport] = set()
        self._late: list[asyncio.TimerHandle] = []

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
        silent = [address for address, exchanger in exchangers.items() if exchanger.silent]
        made: dict[Address, Callable[[], asyncio.Protocol]] = {
            address: partial(MailConnection, self, address) for address in exchangers if address not in silent
        }
        if world.tcp == "accept":
            made[self._dns] = partial(_DnsConnection, self)
        small = {address for address, exchanger in exchangers.items() if _goes_deaf(exchanger)}
        for address in self._listening.keys() - made.keys() | self._small | small:
            if listener := self._listening.pop(address, None):
                listener.close()
        self._small = small
        if self._datagrams is None:
            with _taken(self._dns, "udp"):
                self._datagrams, _ = await self._loop.create_datagram_endpoint(
                    partial(_DnsDatagrams, self), local_addr=self._dns
                )
        for address in made.keys() - self._listening.keys():
            with _taken(address):
                self._listening[address] = await self._listen(made[address], address)
        for address in silent:
            with _taken(address):
                self._silences.append(_silence(address))

    async def _listen(self, make: Callable[[], asyncio.Protocol], address: Address) -> asyncio.Server:
        if address not in self._small:
            return await self._loop.create_server(make, *address)
        # Loopback would take megabytes for a host that reads nothing.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        return await self._loop.create_server(make, sock=listener)

    @property
    def mx_sessions(self) -> list[MxSession]:
        """The sessions at the exchangers since then, in order of their start."""
        return [session.seen for session in self._sessions]

    async def catch_up(self) -> None:
        """Take in what has reached our sockets by now: who sent it may have gone long ago.

        WorldError when this world is no longer what answers there: what qmail met says nothing about it then.
        """
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self._probe()
        deaf = [address for address, listener in self._listening.items() if not listener.is_serving()]
        if deaf:
            raise WorldError(f"nothing listens any more on {deaf[0][0]}:{deaf[0][1]}", _LOST)

    async def _probe(self) -> None:
        """Ask our own name server for a name that only this world knows."""
        asked = bytes(DNSRecord(q=DNSQuestion(self.nameserver.probe)).pack())
        answered = self._loop.create_future()
        transport, _ = await self._loop.create_datagram_endpoint(
            partial(_Probe, asked, answered), remote_addr=self._dns
        )
        try:
            async with asyncio.timeout(PROBE):
                answer = await answered
        except (TimeoutError, OSError) as error:
            why = "did not answer" if isinstance(error, TimeoutError) else f"is gone: {error}"
            raise WorldError(f"our own name server {why}", _LOST) from error
        finally:
            transport.close()
        if answer[:2] != asked[:2] or answer[3] & 15 != RCODE.NOERROR:
            raise WorldError("another name server than ours answers, or one of another world", _LOST)

    def close(self) -> None:
        """Stop listening and abort all connections."""
        self._abort()
        for listener in self._listening.values():
            listener.close()
        self._listening.clear()
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    def now(self) -> float:
        """Seconds since the world was set, to the microsecond."""
        return round(self._loop.time() - self._start, 6)

    def after(self, delay: float, act: Callable[[], None]) -> None:
        """Do `act` now or `delay` seconds later, unless the world has been replaced by then."""
        if delay > 0:
            self._late.append(self._loop.call_later(delay, act))
        else:
            act()

    def begin(self, address: Address, connection: asyncio.Transport) -> ExchangerSession:
        """A client has connected to an exchanger."""
        session = ExchangerSession(self._exchangers[address], self.now())
        self._sessions.append(session)
        self.connections.add(connection)
        return session

    def pace(self, address: Address) -> float:
        """Seconds between two octets of an exchanger's replies."""
        return self._exchangers[address].pace

    def _abort(self) -> None:
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        for connection in list(self.connections):
            connection.abort()
        for held in self._silences:
            held.close()
        self._silences.clear()


def _goes_deaf(exchanger: Exchanger) -> bool:
    replies = [[reply] if isinstance(reply, str) else reply for reply in exchanger.steps.values()]
    return any(reply.endswith("deaf") for each in replies for reply in each)


@contextlib.contextmanager
def _taken(address: Address, over: str = "tcp") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(
            f"cannot listen on {address[0]}:{address[1]} over {over}: {error.strerror or error}",
            "something else listens there, or the port needs a privilege that this process lacks",
        ) from error


def _silence(address: Address) -> contextlib.ExitStack:
    """Make an address answer no attempt to connect, as behind a filter that drops them, until it is closed.

    Loopback has no such address, but Linux drops attempts at a listener whose queue is full: a queue for
    none holds one, and that one is ours. Raises WorldError where a further attempt is answered all the same.
    """
    with contextlib.ExitStack() as held, socket.socket() as probe:
        listener, filler = (held.enter_context(socket.socket()) for _ in range(2))
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
        return held.pop_all()


class _DnsDatagrams(asyncio.DatagramProtocol):
    """DNS over UDP."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, client: Address) -> None:
        response = self._servers.nameserver.answer(data, "udp", self._servers.now())
        if response.octets is not None:
            self._servers.after(response.delay, partial(self._send, response.octets, client))

    def _send(self, octets: bytes, client: Address) -> None:
        if octets:
            self._transport.sendto(octets, client)
        else:  # of which asyncio sends nothing before Python 3.13
            with self._transport.get_extra_info("socket").dup() as own:
                own.sendto(octets, client)


class _Probe(asyncio.DatagramProtocol):
    """One question, and what comes of it."""

    def __init__(self, question: bytes, answered: asyncio.Future[bytes]) -> None:
        self._question = question
        self._answered = answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._question)

    def datagram_received(self, data: bytes, _: Address) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(error)


class _DnsConnection(asyncio.Protocol):
    """One client of the DNS over TCP, with a length of two octets before each message (RFC 1035 4.2.2)."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._unread = b""
        self._ended = False  #: after a stall or a close nothing that the client asks is heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._servers.connections.add(self._transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while not self._ended and len(self._unread) >= 2:
            end = 2 + int.from_bytes(self._unread[:2], "big")
            if len(self._unread) < end:
                return
            message, self._unread = self._unread[2:end], self._unread[end:]
            response = self._servers.nameserver.answer(message, "tcp", self._servers.now())
            self._ended = response.end != "open"
            self._servers.after(response.delay, partial(self._respond, response))

    def _respond(self, response: Response) -> None:
        if response.octets is not None:
            framed = len(response.octets).to_bytes(2, "big") + response.octets
            self._transport.write(framed[: response.limit])
        if response.end == "close":
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._servers.connections.discard(self._transport)
