"""The pcap, read back by an independent reader: checksums, streams, DNS messages, SMTP."""

import struct
from dataclasses import dataclass

import pytest
from dnslib import DNSRecord

from conformance.pod.record import Receive, Send
from conformance.reproduce.pcap import SEGMENT, Turn, checksum_of, connection, datagram, pcap
from conformance.reproduce.traffic import traffic
from tests.reproductions import scene_of

FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP, UDP = 6, 17


@dataclass
class Seen:
    """A packet as read: time, ends, and its payload."""

    at: float
    source: tuple[str, int]
    destination: tuple[str, int]
    protocol: int
    payload: bytes
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0


def read(octets: bytes) -> list[Seen]:
    """Every packet of a classic pcap file of link type RAW; checksums must be right."""
    magic, major, minor, _, _, longest, linktype = struct.unpack_from("<IHHiIII", octets)
    assert (magic, major, minor, linktype) == (0xA1B2C3D4, 2, 4, 101)
    at, seen = 24, []
    while at < len(octets):
        seconds, microseconds, kept, size = struct.unpack_from("<IIII", octets, at)
        packet = octets[at + 16 : at + 16 + kept]
        assert kept == size == len(packet) <= longest
        seen.append(_read(seconds + microseconds / 1e6, packet))
        at += 16 + kept
    return seen


def _read(at: float, packet: bytes) -> Seen:
    assert packet[0] == 0x45
    assert int.from_bytes(packet[2:4], "big") == len(packet)
    assert checksum_of(packet[:20]) == 0
    protocol, ends, segment = packet[9], packet[12:20], packet[20:]
    assert checksum_of(ends + struct.pack("!HH", protocol, len(segment)) + segment) == 0
    ports = struct.unpack_from("!HH", segment)
    hosts = [".".join(map(str, ends[i : i + 4])) for i in (0, 4)]
    source, destination = (hosts[0], ports[0]), (hosts[1], ports[1])
    if protocol == UDP:
        assert int.from_bytes(segment[4:6], "big") == len(segment)
        return Seen(at, source, destination, protocol, segment[8:])
    sequence, acknowledged, offset, flags = struct.unpack_from("!IIBB", segment, 4)
    payload = segment[(offset >> 4) * 4 :]
    return Seen(at, source, destination, protocol, payload, sequence, acknowledged, flags)


def streams(seen: list[Seen]) -> dict[tuple[tuple[str, int], tuple[str, int]], bytes]:
    """What each side of each TCP connection said, put together; numbers must follow one another."""
    said: dict[tuple[tuple[str, int], tuple[str, int]], bytes] = {}
    following: dict[tuple[tuple[str, int], tuple[str, int]], int] = {}
    for packet in seen:
        ends = packet.source, packet.destination
        if packet.protocol != TCP:
            continue
        if packet.flags & SYN:
            assert ends not in said
            said[ends] = b""
        else:
            assert packet.sequence == following[ends]
            assert packet.acknowledged == following[packet.destination, packet.source]
        said[ends] += packet.payload
        length = len(packet.payload) + bool(packet.flags & (SYN | FIN))
        following[ends] = (packet.sequence + length) & 0xFFFFFFFF
    return said


def test_a_connection_has_handshake_segments_and_both_ends() -> None:
    large = bytes(range(256)) * 600
    turns = [Turn(1.0, "client", b"hello"), Turn(1.5, "server", large), Turn(2.0, "client", act="fin")]
    turns += [Turn(2.0, "server", act="fin"), Turn(3.0, "server", b"too late")]
    seen = read(pcap(connection(0.5, ("127.0.0.1", 4000), ("127.0.0.2", 25), turns)))
    assert [packet.flags for packet in seen[:3]] == [SYN, SYN | ACK, ACK]
    assert max(len(packet.payload) for packet in seen) == SEGMENT
    client, server = ("127.0.0.1", 4000), ("127.0.0.2", 25)
    assert streams(seen) == {(client, server): b"hello", (server, client): large}
    assert [packet.source for packet in seen if packet.flags & FIN] == [client, server]
    assert [packet.at for packet in seen] == sorted(packet.at for packet in seen)
    assert seen[0].at == pytest.approx(0.5)
    assert next(packet.at for packet in seen if packet.payload == b"hello") == pytest.approx(1.0)


def test_a_reset_ends_a_connection_at_once() -> None:
    turns = [Turn(0.0, "server", act="reset"), Turn(0.1, "client", b"unheard")]
    seen = read(pcap(connection(0.0, ("127.0.0.1", 4000), ("127.0.0.2", 25), turns)))
    assert seen[-1].flags & RST
    assert not any(packet.payload for packet in seen)


def test_a_datagram_of_any_size_has_the_checksum_of_rfc_1071() -> None:
    assert checksum_of(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2  # the example of its section 3
    for size in (0, 1, 512, 65507):
        [seen] = read(pcap([datagram(0.0, ("127.0.0.1", 53), ("127.0.0.1", 4000), b"x" * size)]))
        assert len(seen.payload) == size


@pytest.mark.parametrize(
    "name", ["0005.mx.octets-65535", "0004.any.delayed", "0005.tcp.closed-early", "0005.tcp.stalled"]
)
def test_a_record_becomes_its_questions_answers_and_sessions(name: str) -> None:
    made = scene_of(name)
    seen = read(pcap(traffic(made)))
    said = streams(seen)
    datagrams = [packet for packet in seen if packet.protocol == UDP]
    asked = [(packet.payload, "udp") for packet in datagrams if packet.destination[1] == 53]
    asked += [(octets[2:], "tcp") for (_, destination), octets in said.items() if destination[1] == 53]
    recorded = [(question.name, question.over) for question in made.seen.questions]
    questions = [(str(DNSRecord.parse(octets).q.qname)[:-1], over) for octets, over in asked]
    assert sorted(questions) == sorted(recorded)
    sizes = [len(packet.payload) for packet in datagrams if packet.source[1] == 53]
    sizes += [max(0, len(octets) - 2) for (source, _), octets in said.items() if source[1] == 53]
    assert sorted(sizes) == sorted(question.size for question in made.seen.questions)
    smtp = sorted(octets for (_, destination), octets in said.items() if destination[1] == 25)
    heard = [
        "".join(entry.text for entry in session.transcript if entry.source == "client").encode("latin-1")
        for session in made.seen.mx_sessions
    ]
    assert smtp == sorted(heard)
    assert recorded


def test_a_session_with_qmail_stands_in_it_as_recorded() -> None:
    made = scene_of("0006.unknown.code")
    [acts] = made.connections().values()
    said = {True: "", False: ""}
    for act in acts:
        if isinstance(act, Send | Receive):
            said[isinstance(act, Receive)] += act.data or ""
    streamed = streams(read(pcap(traffic(made)))).items()
    assert {source[1] == 25: octets.decode("latin-1") for (source, _), octets in streamed} == said
