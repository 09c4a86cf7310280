"""What qmail-send's log tells (qmail-log(5)), as facts: a pure function of its lines.

Addresses and reports stand here as logged: a line feed is `/`, a blank or an unprintable octet `_`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Channel = Literal["local", "remote"]
Result = Literal["success", "failure", "deferral", "mangled", ""]

_SHAPES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in {
        "new": r"new msg (?P<message>\d+)",
        "info": r"info msg (?P<message>\d+): bytes (?P<octets>\d+) from <(?P<sender>.*)> qp (?P<qp>\d+)"
        r" uid (?P<uid>\d+)",
        "start": r"starting delivery (?P<delivery>\d+): msg (?P<message>\d+) to (?P<channel>local|remote)"
        r" (?P<recipient>.*)",
        "result": r"delivery (?P<delivery>\d+): (?P<result>success|failure|deferral): (?P<text>.*)",
        "mangled": r"delivery (?P<delivery>\d+): report mangled, will defer",
        "status": r"status: local (?P<local>\d+)/(?P<most_local>\d+)"
        r" remote (?P<remote>\d+)/(?P<most_remote>\d+)(?: exitasap)?",
        "bounce": r"bounce msg (?P<message>\d+) qp (?P<qp>\d+)",
        "triple": r"triple bounce: discarding bounce/(?P<message>\d+)",
        "end": r"end msg (?P<message>\d+)",
        "exit": r"status: exiting",
        "trouble": r"(?P<level>warning|alert): (?P<text>.*)",
    }.items()
)


@dataclass(frozen=True)
class Line:
    """One line: its kind (a key above) and its fields. `other` where it is none of qmail-send's."""

    kind: str
    fields: dict[str, str]
    text: str


@dataclass
class LoggedDelivery:
    """One attempt to deliver to one recipient; `result` is "" when the log does not tell its end."""

    number: int
    message: int
    channel: Channel
    recipient: str
    result: Result = ""
    text: str = ""


@dataclass
class LoggedMessage:
    """One stay of a message in the queue. Numbers are used again once a message has ended."""

    number: int
    octets: int = -1  #: with the Received lines
    sender: str = ""
    qp: int = -1
    uid: int = -1
    deliveries: list[LoggedDelivery] = field(default_factory=list)
    bounce_qp: int = -1  #: of the bounce that was queued; -1 when none was
    triple: bool = False  #: its bounce was discarded
    ended: bool = False

    def results(self) -> list[tuple[str, str]]:
        """(recipient, result) of each attempt, in the order of their starts."""
        return [(each.recipient, each.result) for each in self.deliveries]


@dataclass
class SendLog:
    """All of it. `disorder` names every line that the ones before do not allow; `trouble` are warnings."""

    messages: list[LoggedMessage] = field(default_factory=list)
    deliveries: list[LoggedDelivery] = field(default_factory=list)
    statuses: list[tuple[int, int, int, int]] = field(default_factory=list)  #: local/most, remote/most
    trouble: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)


def read_line(line: str) -> Line:
    """What one line says."""
    for kind, shape in _SHAPES:
        if found := shape.fullmatch(line):
            return Line(kind, found.groupdict(), line)
    return Line("other", {}, line)


def read_send_log(lines: Iterable[str]) -> SendLog:
    """The log of one qmail-send; lines of other programs among them are passed over."""
    reader = _Reader()
    for line in map(read_line, lines):
        if line.kind != "other" and not reader.take(line):
            reader.log.disorder.append(line.text)
    return reader.log


class _Reader:
    def __init__(self) -> None:
        self.log = SendLog()
        self._live: dict[str, LoggedMessage] = {}
        self._running: dict[str, LoggedDelivery] = {}

    def take(self, line: Line) -> bool:
        """Take a line in; False when it does not follow from what was logged."""
        taken: bool = getattr(self, f"_{line.kind}")(**line.fields)
        return taken

    def _new(self, message: str) -> bool:
        fresh = message not in self._live
        self._live[message] = LoggedMessage(int(message))
        self.log.messages.append(self._live[message])
        return fresh

    def _info(self, message: str, octets: str, sender: str, qp: str, uid: str) -> bool:
        if message not in self._live:
            return False
        about = self._live[message]
        first = about.octets < 0 and not about.deliveries
        about.octets, about.sender, about.qp, about.uid = int(octets), sender, int(qp), int(uid)
        return first

    def _start(self, delivery: str, message: str, channel: Channel, recipient: str) -> bool:
        started = LoggedDelivery(int(delivery), int(message), channel, recipient)
        in_order = not self.log.deliveries or self.log.deliveries[-1].number + 1 == started.number
        self.log.deliveries.append(started)
        self._running[delivery] = started
        if message not in self._live:
            return False
        self._live[message].deliveries.append(started)
        return in_order

    def _result(self, delivery: str, result: Result, text: str) -> bool:
        if delivery not in self._running:
            return False
        ended = self._running.pop(delivery)
        ended.result, ended.text = result, text
        return True

    def _mangled(self, delivery: str) -> bool:
        return self._result(delivery, "mangled", "")

    def _status(self, local: str, most_local: str, remote: str, most_remote: str) -> bool:
        self.log.statuses.append((int(local), int(most_local), int(remote), int(most_remote)))
        running = [each.channel for each in self._running.values()]
        return (running.count("local"), running.count("remote")) == (int(local), int(remote))

    def _bounce(self, message: str, qp: str) -> bool:
        if message not in self._live:
            return False
        self._live[message].bounce_qp = int(qp)
        return any(each.result == "failure" for each in self._live[message].deliveries)

    def _triple(self, message: str) -> bool:
        if message not in self._live:
            return False
        self._live[message].triple = True
        return True

    def _end(self, message: str) -> bool:
        if message not in self._live:
            return False
        about = self._live.pop(message)
        about.ended = True
        last = {each.recipient: each.result for each in about.deliveries}
        return all(result in ("success", "failure") for result in last.values())

    def _exit(self) -> bool:
        return not self._running

    def _trouble(self, level: str, text: str) -> bool:
        self.log.trouble.append(f"{level}: {text}")
        return True
