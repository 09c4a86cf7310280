"""The mail exchanger of throughput measurements: accepts everything, keeps every envelope, and costs little.

The exchangers of a world keep each octet and can misbehave; that is what cases need, and it costs twice what
a measurement may (2.3 to 2.8 times the CPU of Postfix's smtp-sink; this one 0.8 to 0.96). It is a process of
its own: an epoll loop with one `recv` and one `send` for each step, as the load driver is.

`python -m conformance.bench.sink [--refusing] [--stamped] ADDRESS:PORT…` listens, writes its addresses
as a line of JSON, and at the end of its standard input a `Taken`.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from conformance.bench.driver import STAMPED

_BACKLOG = 1024
#: Octets read at once of a message, and of commands (see `conformance.bench.driver`).
_MESSAGE = 65_536
_COMMANDS = 400
_END = b"\r\n.\r\n"
_KEPT = len(_END) - 1
#: A connection whose command line is longer than this says nothing that is worth waiting for.
_LONGEST = 65_536


@dataclass
class Taken:
    """What was accepted: each envelope as [sender, recipients, octets of the message, how often it came].

    `latencies` are the seconds from a stamp to the message's end, for each message; `cpu` is seconds of ours.
    """

    envelopes: list[tuple[str, list[str], int, int]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cpu: float = 0.0


class _Session:
    """One client: what is not yet a whole line, the envelope so far, and octets of a message under way."""

    __slots__ = ("in_message", "quits", "recipients", "rest", "sender", "size", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.rest = b""
        self.sender = b""
        self.recipients: list[bytes] = []
        self.in_message = False
        self.quits = False
        self.size = 0  #: octets of the message so far, without what is in `rest`


class Sink:
    """Listens on `addresses` from the start, and serves in `run`. Raises OSError for a taken address.

    `refusing`: no recipient is accepted. `stamped`: each message tells when it was sent, as the load driver
    wrote it into it, and has no more than 64 KiB.
    """

    def __init__(
        self, addresses: list[tuple[str, int]], *, refusing: bool = False, stamped: bool = False
    ) -> None:
        self.taken = Taken()
        self._name = b"mx.test.example"
        self._refusing = refusing
        self._stamped = stamped
        self._envelopes: list[tuple[bytes, tuple[bytes, ...], int]] = []
        self._poll = select.epoll()
        self._sessions: dict[int, _Session] = {}
        self._listeners: dict[int, socket.socket] = {}
        for address in addresses:
            listener = socket.create_server(address, backlog=_BACKLOG)
            listener.setblocking(False)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
            self._listeners[listener.fileno()] = listener
            self._poll.register(listener, select.EPOLLIN)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the ports that the kernel chose."""
        return [listener.getsockname()[:2] for listener in self._listeners.values()]

    def run(self, stop: int) -> Taken:
        """Serve until `stop` is readable or at its end."""
        poll, sessions, listeners = self._poll, self._sessions, self._listeners
        poll.register(stop, select.EPOLLIN)
        cpu = time.process_time()
        try:
            while True:
                for number, _ in poll.poll():
                    session = sessions.get(number)
                    if session is not None:
                        self._hear(session)
                    elif number == stop:
                        return self._told(time.process_time() - cpu)
                    else:
                        self._accept(listeners[number])
        finally:
            for each in (*(session.socket for session in sessions.values()), *listeners.values()):
                each.close()
            poll.close()

    def _told(self, cpu: float) -> Taken:
        self.taken.envelopes = [
            (sender.decode("latin-1"), [one.decode("latin-1") for one in recipients], size, times)
            for (sender, recipients, size), times in Counter(self._envelopes).items()
        ]
        self.taken.cpu = cpu
        return self.taken

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the client has gone already
        session = _Session(connection)
        self._sessions[connection.fileno()] = session
        self._poll.register(connection, select.EPOLLIN)
        self._say(session, b"220 " + self._name + b" ESMTP\r\n")

    def _hear(self, session: _Session) -> None:
        try:
            said = session.socket.recv(_MESSAGE if session.in_message else _COMMANDS, socket.MSG_DONTWAIT)
        except OSError:
            said = b""
        if not said:
            self._close(session)
            return
        if session.rest:
            said = session.rest + said
        replies = b""
        while said:
            if session.in_message:
                end = said.find(_END)
                if end < 0:
                    if not self._stamped:
                        # The end may be cut anywhere, so its length less one stays for the next look.
                        session.size += max(0, len(said) - _KEPT)
                        said = said[-_KEPT:]
                    break
                self._envelopes.append((session.sender, tuple(session.recipients), session.size + end))
                if self._stamped and (stamp := STAMPED.search(said, 0, end)):
                    self.taken.latencies.append((time.monotonic_ns() - int(stamp[1])) / 1e9)
                session.in_message, session.recipients = False, []
                replies += b"250 ok\r\n"
                said = said[end + len(_END) :]
                continue
            line, found, rest = said.partition(b"\r\n")
            if not found:
                break
            replies += self._command(session, line)
            # The end of DATA's own line may be the line end before the final dot: it goes with the message.
            said = b"\r\n" + rest if session.in_message else rest
        session.rest = said
        if len(said) > _LONGEST:
            self._close(session)
        elif replies:
            self._say(session, replies)
            if session.quits:
                self._close(session)

    def _command(self, session: _Session, line: bytes) -> bytes:
        """The reply to a command line; DATA begins a message."""
        verb = line[:4].upper()
        if verb == b"RCPT":
            if self._refusing:
                return b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n"
            session.recipients.append(_address(line))
        elif verb == b"MAIL":
            session.sender, session.recipients = _address(line), []
        elif verb == b"DATA":
            session.in_message, session.size = True, 0
            return b"354 go ahead\r\n"
        elif verb == b"EHLO":
            return b"250-" + self._name + b"\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        elif verb == b"AUTH":
            return b"235 ok, go ahead\r\n"
        elif verb == b"QUIT":
            session.quits = True
            return b"221 " + self._name + b"\r\n"
        elif verb == b"RSET":
            session.sender, session.recipients = b"", []
        elif verb not in (b"HELO", b"NOOP"):
            return b"502 unimplemented\r\n"
        return b"250 ok\r\n"

    def _say(self, session: _Session, reply: bytes) -> None:
        try:
            session.socket.send(reply, socket.MSG_DONTWAIT)
        except OSError:
            self._close(session)

    def _close(self, session: _Session) -> None:
        self._sessions.pop(session.socket.fileno(), None)
        session.socket.close()


def _address(line: bytes) -> bytes:
    """What stands between the brackets of MAIL or RCPT."""
    return line[line.find(b"<") + 1 : line.rfind(b">")]


def main() -> int:
    """Exit status 0 with what was taken, 1 with one line that says why nothing was."""
    parser = argparse.ArgumentParser(prog="sink")
    parser.add_argument("--refusing", action="store_true", help="accept no recipient")
    parser.add_argument("--stamped", action="store_true", help="read from each message when it was sent")
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS:PORT")
    options = parser.parse_args()
    try:
        pairs = [argument.rpartition(":") for argument in options.addresses]
        addresses = [(address, int(port)) for address, _, port in pairs]
        sink = Sink(addresses, refusing=options.refusing, stamped=options.stamped)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(sink.addresses), flush=True)
    json.dump(asdict(sink.run(sys.stdin.fileno())), sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # millions of small objects are not worth tidying up


if __name__ == "__main__":
    sys.exit(main())
