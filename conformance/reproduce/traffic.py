"""A record as packets: DNS and SMTP as they would have crossed the loopback.

Questions and answers are encoded anew from the world, as the name server did; ids, ports of clients and
sequence numbers are invented. Passwords stay hidden.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from conformance.internet.nameserver import NameServer
from conformance.pod.addresses import DNS, SMTPD
from conformance.pod.base import octets
from conformance.pod.observation import TranscriptEntry
from conformance.pod.record import Close, ConnectionAct, Receive, Send, Shut
from conformance.reproduce.answersfile import question
from conformance.reproduce.pcap import Packet, Turn, connection, datagram
from conformance.reproduce.scene import Scene

CLIENT = "127.0.0.1"

_FIRST_DNS_PORT = 40000
_FIRST_SMTP_PORT = 50000
_FIRST_CLIENT_PORT = 60000


def traffic(scene: Scene, edns: int | None = None, epoch: float = 0.0) -> list[Packet]:
    """Every packet. Times are those of the record, counted from `epoch` (seconds, as in Unix time)."""
    packets: list[Packet] = []
    packets += _dns(scene, edns, epoch)
    for number, session in enumerate(scene.seen.mx_sessions):
        client = (CLIENT, _FIRST_SMTP_PORT + number)
        turns = list(_at_exchanger(session.transcript, epoch + scene.set_up))
        if turns:
            packets += connection(turns[0].at, client, (session.address, session.port), turns)
    for number, acts in scene.connections().items():
        client = (CLIENT, _FIRST_CLIENT_PORT + number)
        packets += connection(epoch + acts[0].at, client, SMTPD, _at_qmail(acts, epoch))
    return packets


def _dns(scene: Scene, edns: int | None, epoch: float) -> Iterator[Packet]:
    """Each question with its answer. A TCP connection is drawn for each question over TCP."""
    server = NameServer(scene.world)
    for number, recorded in enumerate(scene.seen.questions):
        at = epoch + scene.set_up + recorded.at
        client = (CLIENT, _FIRST_DNS_PORT + number)
        asked = question(recorded.name, recorded.type, edns, number + 1)
        response = server.answer(asked, recorded.over, recorded.at)
        answered = at + response.delay + 1e-6
        if recorded.over == "udp":
            yield datagram(at, client, DNS, asked)
            if response.octets is not None:
                yield datagram(answered, DNS, client, response.octets)
            continue
        turns = [Turn(at, "client", _framed(asked))]
        if response.octets is not None:
            turns.append(Turn(answered, "server", _framed(response.octets)[: response.limit]))
        if response.end != "stall" and response.octets is not None:
            order: tuple[Literal["client", "server"], ...] = ("client", "server")
            if response.end == "close":
                order = ("server", "client")
            turns += [Turn(answered, who, act="fin") for who in order]
        yield from connection(at, client, DNS, turns)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def _at_exchanger(transcript: Iterable[TranscriptEntry], start: float) -> Iterator[Turn]:
    ended = False
    for entry in transcript:
        at = start + entry.at
        match entry.source, entry.text:
            case "client", words:
                yield Turn(at, "client", octets(words))
            case "exchanger", words:
                yield Turn(at, "server", octets(words))
            case "event", "connected":
                yield Turn(at, "client")
            case "event", "closed" | "client closed" as words if not ended:
                ended = True
                yield Turn(at, "server" if words == "closed" else "client", act="fin")
                yield Turn(at, "client" if words == "closed" else "server", act="fin")
            case "event", "reset":
                yield Turn(at, "server", act="reset")


def _at_qmail(acts: Iterable[ConnectionAct], epoch: float) -> Iterator[Turn]:
    for act in acts:
        at = epoch + act.at
        match act:
            case Send():
                yield Turn(at, "client", octets(act.data))
            case Receive(data=""):
                yield Turn(at, "server", act="fin")
            case Receive(data=str(data)):
                yield Turn(at, "server", octets(data))
            case Shut():
                yield Turn(at, "client", act="fin")
            case Close():
                yield Turn(at, "client", act="fin")
                yield Turn(at, "server", act="fin")
