"""The delivery agent: what qmail-send and qmail-rspawn do with the queue, as far as it can be observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, List, Tuple

from conformance.reference.acts import Enqueue
from conformance.reference.control import ControlFiles, suffixes
from conformance.reference.flaws import checked
from conformance.reference.local import Homes, Local
from conformance.reference.octets import date, quote_address, quote_box, split_address
from conformance.reference.queue import Message, Queue, Recipient
from conformance.reference.rewriting import Rewriting

#: Runs qmail-remote: (host, sender, recipient, message) -> (exit status or minus a signal, its output).
RunRemote = Callable[[bytes, bytes, bytes, bytes], Tuple[int, bytes]]

_DOUBLE_BOUNCE = b"#@[]"


def remote_report(status: int, output: bytes, flaws: FrozenSet[str] = frozenset()) -> bytes:
    """What qmail-rspawn makes of one run of qmail-remote for one recipient: `K`, `Z` or `D` and a text."""
    if status < 0:
        return b"Zqmail-remote crashed.\n"
    if status:
        return b"ZUnable to run qmail-remote.\n" if status == 111 else b"DUnable to run qmail-remote.\n"
    if not output:
        return b"Zqmail-remote produced no output.\n"
    ranks = {b"K": 1, b"Z": 0, b"D": -1}
    reports = output.split(b"\0")[:-1]
    result = next((ranks[report[:1]] for report in reports if report[:1] in ranks), -1)
    rank = {b"s": 0, b"h": -1}.get(output[:1], result)
    if "send.recipient-report-ignored" in flaws:
        rank = result
    text = reports[0][1:] if reports else b""
    if result <= rank and len(reports) > 1 and reports[1][:1] in ranks:
        text += reports[1][1:]
    return {1: b"K", 0: b"Z", -1: b"D"}[rank] + text


@dataclass(frozen=True)
class Delivery:
    """One delivery that has started."""

    number: int
    recipient: Recipient
    is_local: bool
    address: bytes


class Send:
    """qmail-send over a `Queue`: local addresses go to `Homes`, others to `remote`; bounces go back in."""

    def __init__(
        self,
        control: Dict[str, str],
        queue: Queue,
        homes: Homes,
        remote: RunRemote,
        log: Callable[[str], None],
        flaws: FrozenSet[str] = frozenset(),
    ) -> None:
        self._flaws = checked(flaws)
        self._queue = queue
        self._remote = remote
        self._log = log
        self._local = Local(homes, queue.enqueue, self._flaws)
        self._deliveries = 0
        self._begun = False
        self._running = {True: 0, False: 0}  #: deliveries under way, local and remote
        read = ControlFiles(control)
        me = read.me
        self._rewriting = Rewriting(read, self._flaws)
        self._bounce_from = read.line("bouncefrom", b"MAILER-DAEMON") or b""
        self._bounce_host = read.line("bouncehost", me, b"bouncehost") or b""
        double_host = read.line("doublebouncehost", me, b"doublebouncehost") or b""
        self._double_to = (read.line("doublebounceto", b"postmaster") or b"") + b"@" + double_host
        self._most = (read.number("concurrencylocal", 10), read.number("concurrencyremote", 20))

    def run(self) -> None:
        """Try every recipient that has not been tried, until none is left."""
        self._running = {True: 0, False: 0}
        if not self._begun:
            self._begun = True
            self._status()
        while True:
            untried = [message for message in self._queue.messages if self._untried(message)]
            if not untried:
                return
            self._handle(untried[0])

    @staticmethod
    def _untried(message: Message) -> List[Recipient]:
        return [recipient for recipient in message.pending if not recipient.tried]

    def _handle(self, message: Message) -> None:
        if not message.announced:
            message.announced = True
            self._log(f"new msg {message.number}")
            size, sender = len(message.octets), logged(message.sender)
            self._log(
                f"info msg {message.number}: bytes {size} from <{sender}> qp {message.qp} uid {message.uid}"
            )
        started = [self._start(message, recipient) for recipient in self._untried(message)]
        for delivery in started:
            self._finish(message, delivery)
        if message.pending and "send.deferred-dropped" not in self._flaws:
            return
        if message.bounce and "send.no-bounce" not in self._flaws:
            self._bounce(message)
        self._queue.remove(message)
        self._log(f"end msg {message.number}")

    def _start(self, message: Message, recipient: Recipient) -> Delivery:
        """Start one delivery. Those of a message run side by side, however many they are."""
        is_local, address = self._rewrite(recipient.address)
        self._deliveries += 1
        channel = "local" if is_local else "remote"
        number = self._deliveries
        self._log(f"starting delivery {number}: msg {message.number} to {channel} {logged(address)}")
        self._running[is_local] += 1
        self._status()
        return Delivery(number, recipient, is_local, address)

    def _finish(self, message: Message, delivery: Delivery) -> None:
        address = delivery.address
        if delivery.is_local:
            report = self._local.deliver(address, message.sender, message.octets)
        else:
            host = split_address(address)[1] or b""
            status, output = self._remote(host, message.sender, address, message.octets)
            report = remote_report(status, output, self._flaws)
        delivery.recipient.tried = True
        kind, text = report[:1], report[1:]
        words = {b"K": "success", b"Z": "deferral", b"D": "failure"}
        if kind == b"Z" and "send.deferral-fails" in self._flaws:
            kind = b"D"
        self._log(f"delivery {delivery.number}: {words[kind]}: {logged(text)}")
        if kind == b"D":
            message.bounce += self._failure(address, text)
        delivery.recipient.done = kind in (b"K", b"D")
        self._running[delivery.is_local] -= 1
        self._status()

    def _status(self) -> None:
        local, remote = self._running[True], self._running[False]
        self._log(f"status: local {local}/{self._most[0]} remote {remote}/{self._most[1]}")

    def _rewrite(self, address: bytes) -> Tuple[bool, bytes]:
        """(whether it is local, the address as it is delivered to)."""
        return self._rewriting.rewrite(address)

    def _failure(self, address: bytes, report: bytes) -> bytes:
        """One paragraph of a bounce."""
        text = b"<" + self._unprefixed(address).replace(b"\n", b"_") + b">:\n" + report
        if report and not report.endswith(b"\n"):
            text += b"\n"
        octets = bytearray(text)
        for at in range(len(octets) - 2, 0, -1):
            if octets[at] == 10 and octets[at - 1] == 10:
                octets[at] = ord("/")
        return bytes(octets) + b"\n"

    def _unprefixed(self, address: bytes) -> bytes:
        host = split_address(address)[1]
        for key in suffixes((host or b"").lower()) if host is not None else ():
            prefix = self._rewriting.virtual.get(key)
            if prefix is not None:
                start = prefix + b"-"
                return address[len(start) :] if prefix and address.startswith(start) else address
        return address

    def _bounce(self, message: Message) -> None:
        """Tell the sender; of a bounce that failed, the postmaster; of that one's failure, nobody."""
        sender = message.sender
        if sender == _DOUBLE_BOUNCE:
            self._log(f"triple bounce: discarding bounce/{message.number}")
            return
        if not sender and "send.no-double-bounce" in self._flaws:
            return
        new_sender, recipient = (b"", sender) if sender else (_DOUBLE_BOUNCE, self._double_to)
        if "send.bounce-with-sender" in self._flaws:
            new_sender = self._double_to
        when = date(self._queue.clock()).encode("ascii")
        parts = [
            b"Date: ",
            when,
            b"\nFrom: ",
            quote_box(self._bounce_from),
            b"@",
            self._bounce_host,
            b"\nTo: ",
            quote_address(recipient),
            b"\nSubject: failure notice\n\n",
            b"Hi. This is the qmail-send program at ",
            self._bounce_host,
            b".\n",
        ]
        if sender:
            parts.append(
                b"I'm afraid I wasn't able to deliver your message to the following addresses.\n"
                b"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            )
        else:
            parts.append(b"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n")
        what = b"a copy of the message" if sender else b"the original bounce"
        parts += [message.bounce, b"--- Below this line is ", what, b".\n\n"]
        parts += [b"Return-Path: <", quote_address(sender), b">\n", message.octets]
        queued = self._queue.enqueue(Enqueue(b"".join(parts), new_sender, (recipient,), "for bounce"))
        self._log(f"bounce msg {message.number} qp {queued.number}")


def logged(octets: bytes) -> str:
    """Octets as qmail-send's log shows them."""
    shown = bytearray()
    for octet in octets:
        plain = 33 <= octet <= 126 and octet != ord("%")
        shown.append(0x2F if octet == 10 else octet if plain else 0x5F)
    return shown.decode("ascii")
