"""A classic pcap file of IPv4 packets, pure: conversations over UDP and TCP in, octets out.

Link type RAW: each packet begins with its IPv4 header. Checksums are right; TCP has its handshake, sequence
numbers, acknowledgements, segments and ends.
"""

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_MAGIC = 0xA1B2C3D4
_LINKTYPE_RAW = 101
_LARGEST_PACKET = 65535
_WINDOW = 65535
_UDP, _TCP = 17, 6
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16

#: Octets of one segment, as on loopback: with IPv4 and TCP headers it fills the largest packet.
SEGMENT = 65535 - 40

#: Seconds between packets that the record gives one time, so that they keep their order.
_TICK = 1e-6

Place = tuple[str, int]


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet and when it was sent, in seconds since the epoch."""

    at: float
    octets: bytes


@dataclass(frozen=True)
class Turn:
    """What one side of a TCP connection does: says `octets`, half closes ("fin"), or breaks off ("reset")."""

    at: float
    who: Literal["client", "server"]
    octets: bytes = b""
    act: Literal["say", "fin", "reset"] = "say"


def pcap(packets: Iterable[Packet]) -> bytes:
    """The file, its packets in order of time."""
    parts = [struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _LARGEST_PACKET, _LINKTYPE_RAW)]
    for packet in sorted(packets, key=lambda packet: packet.at):
        microseconds = round(packet.at * 1_000_000)
        size = len(packet.octets)
        parts.append(struct.pack("<IIII", *divmod(microseconds, 1_000_000), size, size) + packet.octets)
    return b"".join(parts)


def datagram(at: float, source: Place, destination: Place, octets: bytes) -> Packet:
    """One UDP datagram."""
    head = struct.pack("!HHHH", source[1], destination[1], 8 + len(octets), 0)
    checksum = _transport_checksum(source[0], destination[0], _UDP, head + octets) or 0xFFFF
    return Packet(at, _ipv4(source[0], destination[0], _UDP, head[:6] + struct.pack("!H", checksum) + octets))


def connection(at: float, client: Place, server: Place, turns: Iterable[Turn]) -> list[Packet]:
    """A TCP connection that begins at `at`; each segment that says something is acknowledged at once."""
    made = _Connection(at, client, server)
    made.segment("client", _SYN)
    made.segment("server", _SYN | _ACK)
    made.segment("client", _ACK)
    ended: set[str] = set()
    for turn in turns:
        if ended == {"client", "server"} or (turn.who in ended and turn.act != "reset"):
            continue
        made.at = max(made.at, turn.at)
        other = "server" if turn.who == "client" else "client"
        if turn.act == "reset":
            made.segment(turn.who, _RST | _ACK)
            ended = {"client", "server"}
        elif turn.act == "fin":
            made.segment(turn.who, _FIN | _ACK)
            ended.add(turn.who)
            made.segment(other, _ACK)
        else:
            for start in range(0, len(turn.octets), SEGMENT):
                made.segment(turn.who, _PSH | _ACK, turn.octets[start : start + SEGMENT])
                made.segment(other, _ACK)
    return made.packets


class _Connection:
    """Sequence numbers and time as they run on; both sides' first numbers are invented."""

    def __init__(self, at: float, client: Place, server: Place) -> None:
        self._places = {"client": client, "server": server}
        self._next = {"client": 1_000 * client[1], "server": 2_000 * client[1] + 7}
        self.packets: list[Packet] = []
        self.at = at

    def segment(self, who: str, flags: int, octets: bytes = b"") -> None:
        other = "server" if who == "client" else "client"
        source, destination = self._places[who], self._places[other]
        acknowledged = self._next[other] if flags & _ACK else 0
        ports = source[1], destination[1]
        numbers = self._next[who] & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF
        options = struct.pack("!BBH", 2, 4, SEGMENT) if flags & _SYN else b""
        offset = (20 + len(options)) // 4 << 4
        head = struct.pack("!HHIIBBHHH", *ports, *numbers, offset, flags, _WINDOW, 0, 0) + options
        checksum = _transport_checksum(source[0], destination[0], _TCP, head + octets)
        head = head[:16] + struct.pack("!H", checksum) + head[18:]
        self.packets.append(Packet(self.at, _ipv4(source[0], destination[0], _TCP, head + octets)))
        self._next[who] += len(octets) + bool(flags & (_SYN | _FIN))
        self.at += _TICK


def _ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
        socket.inet_aton(source), socket.inet_aton(destination),
    )  # fmt: skip
    return head[:10] + struct.pack("!H", checksum_of(head)) + head[12:] + payload


def _transport_checksum(source: str, destination: str, protocol: int, segment: bytes) -> int:
    """The checksum of a UDP or TCP segment whose own checksum is zero, with the pseudo header."""
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    return checksum_of(ends + struct.pack("!BBH", 0, protocol, len(segment)) + segment)


def checksum_of(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
