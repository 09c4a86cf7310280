"""The sockets of qmail-remote: questions to the nameserver, and one connection to a mail exchanger."""

import fcntl
import socket
import struct
import time
from typing import Optional, Tuple, Union

from conformance.reference import acts

_LONGEST_DATAGRAM = 65535
_GET_ADDRESS = 0x8915  #: SIOCGIFADDR


def own_addresses() -> Tuple[str, ...]:
    """The addresses of this host's interfaces, which mail must not be sent to, and 0.0.0.0."""
    found = {"0.0.0.0", "127.0.0.1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                entry = fcntl.ioctl(asking, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # an interface without an address
            found.add(socket.inet_ntoa(entry[20:24]))
    return tuple(sorted(found))


class ResolverSocket:
    """The sockets to one nameserver, over UDP and TCP."""

    def __init__(self, address: str, port: int = 53) -> None:
        self._address = (address, port)
        self._datagrams: Optional[socket.socket] = None

    def ask(self, act: acts.AskDns) -> Union[bytes, acts.Stream, str, None]:
        """The result of an `AskDns`."""
        if act.over == "tcp":
            return self._over_tcp(act.message, act.limit)
        if self._datagrams is not None:
            self._datagrams.close()
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            # Connected, so that only the nameserver is heard and a closed port is noticed.
            self._datagrams.connect(self._address)
            self._datagrams.send(act.message)
        except OSError:
            return "refused"
        return self.wait(act.limit)

    def wait(self, limit: Optional[float]) -> Union[bytes, str, None]:
        """The next datagram to the question asked last: an `AwaitDns`."""
        if self._datagrams is None:
            return None
        self._datagrams.settimeout(limit)
        try:
            return self._datagrams.recv(_LONGEST_DATAGRAM)
        except socket.timeout:
            return None
        except OSError:
            return "refused"

    def _over_tcp(self, message: bytes, limit: Optional[float]) -> Union[acts.Stream, str]:
        deadline = None if limit is None else time.monotonic() + limit
        try:
            stream = socket.create_connection(self._address, limit)
        except OSError:
            return "refused"
        came = b""
        with stream:
            try:
                stream.sendall(struct.pack(">H", len(message)) + message)
                while not _whole(came):
                    if deadline is not None:
                        # A time limit of 0 would mean that nothing is waited for, and end otherwise.
                        stream.settimeout(max(deadline - time.monotonic(), 0.000001))
                    octets = stream.recv(_LONGEST_DATAGRAM)
                    if not octets:
                        return acts.Stream(came, "closed")
                    came += octets
            except socket.timeout:
                return acts.Stream(came, "stalled")
            except OSError:
                return acts.Stream(came, "closed")
        return acts.Stream(came)


def _whole(came: bytes) -> bool:
    """Whether one framed answer is there to its end."""
    return len(came) >= 2 and len(came) - 2 >= int.from_bytes(came[:2], "big")


class MxConnection:
    """The connection to a mail exchanger. A loss while sending shows at the next `receive`."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._stream: Optional[socket.socket] = None

    def open(self, address: str, port: int, limit: float) -> str:
        """The result of a `Connect`: "" or why not."""
        try:
            self._stream = socket.create_connection((address, port), limit)
        except socket.timeout:
            return "timeout"
        except OSError:
            return "refused"
        # A command and its reply are one round trip: none of them may wait for another's acknowledgement.
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return ""

    def send(self, octets: bytes) -> None:
        rest = memoryview(octets)
        try:
            while rest and self._stream is not None:
                self._stream.settimeout(self._limit)
                rest = rest[self._stream.send(rest) :]
        except OSError:
            self.close()

    def receive(self, limit: float) -> Optional[bytes]:
        """The result of a `Receive`."""
        if self._stream is None:
            return b""
        self._stream.settimeout(limit)
        try:
            return self._stream.recv(_LONGEST_DATAGRAM)
        except socket.timeout:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class Network:
    """The ports of qmail-remote (`acts.py`): one nameserver, and one connection at a time."""

    now = staticmethod(time.time)

    def __init__(self, resolver: ResolverSocket, connection: MxConnection) -> None:
        self.ask_dns, self.await_dns = resolver.ask, resolver.wait
        self.connect, self.close = connection.open, connection.close
        self.send, self.receive = connection.send, connection.receive
