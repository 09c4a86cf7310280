"""A record as packets: DNS and SMTP as they would have crossed the loopback.

Questions and answers are encoded anew from the world, as the name server did; ids, ports of clients and
sequence numbers are invented. Passwords stay hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from conformance.internet.nameserver import NameServer, Response
from conformance.pod.base import Question, octets
from conformance.reproduce.answers import question
from conformance.reproduce.pcap import Packet, Place, Turn, connection, datagram
from conformance.reproduce.scene import Act, Scene

QMAIL: Place = ("127.0.0.1", 25)
DNS: Place = ("127.0.0.1", 53)
CLIENT = "127.0.0.1"

_FIRST_DNS_PORT = 40000
_FIRST_SMTP_PORT = 50000
_FIRST_CLIENT_PORT = 60000


def traffic(scene: Scene, edns: int | None = None, epoch: float = 0.0) -> list[Packet]:
    """Every packet. Times are those of the record, counted from `epoch` (seconds, as in Unix time)."""
    packets: list[Packet] = []
    packets += _dns(scene, edns, epoch)
    for number, seen in enumerate(scene.sight["exchanges"]):
        client = (CLIENT, _FIRST_SMTP_PORT + number)
        turns = list(_at_exchanger(seen["transcript"], epoch + scene.set_up))
        if turns:
            packets += connection(turns[0].at, client, (seen["address"], seen["port"]), turns)
    for number, acts in scene.connections().items():
        client = (CLIENT, _FIRST_CLIENT_PORT + number)
        packets += connection(epoch + acts[0]["at"], client, QMAIL, _at_qmail(acts, epoch))
    return packets


def _dns(scene: Scene, edns: int | None, epoch: float) -> Iterator[Packet]:
    """Each question with its answer. A TCP connection is drawn for each question over TCP."""
    server = NameServer(scene.world)
    for number, one in enumerate(scene.sight["questions"]):
        at = epoch + scene.set_up + one["at"]
        client = (CLIENT, _FIRST_DNS_PORT + number)
        asked, response = _asked(server, one, number, edns)
        answered = at + response.delay + 1e-6
        if one["over"] == "udp":
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


def _asked(server: NameServer, one: Question, number: int, edns: int | None) -> tuple[bytes, Response]:
    asked = question(one["name"], one["type"], edns, number + 1)
    return asked, server.answer(asked, "udp" if one["over"] == "udp" else "tcp", one["at"])


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def _at_exchanger(transcript: list[list[object]], start: float) -> Iterator[Turn]:
    ended = False
    for when, sign, words in transcript:
        at = start + float(str(when))
        if sign == ">":
            yield Turn(at, "client", octets(str(words)))
        elif sign == "<":
            yield Turn(at, "server", octets(str(words)))
        elif words == "connected":
            yield Turn(at, "client")
        elif words in ("closed", "client closed") and not ended:
            ended = True
            yield Turn(at, "server" if words == "closed" else "client", act="fin")
            yield Turn(at, "client" if words == "closed" else "server", act="fin")
        elif words == "reset":
            yield Turn(at, "server", act="reset")


def _at_qmail(acts: list[Act], epoch: float) -> Iterator[Turn]:
    for act in acts:
        at = epoch + act["at"]
        if act["act"] == "send":
            yield Turn(at, "client", octets(act["data"]))
        elif act["act"] == "receive" and act["data"]:
            yield Turn(at, "server", octets(act["data"]))
        elif act["act"] == "receive" and act["data"] == "":
            yield Turn(at, "server", act="fin")
        elif act["act"] in ("shut", "close"):
            yield Turn(at, "client", act="fin")
            if act["act"] == "close":
                yield Turn(at, "server", act="fin")
