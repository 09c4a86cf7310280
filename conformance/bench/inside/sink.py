"""The mail exchanger of throughput measurements: accepts everything and keeps every envelope.

The exchangers of a world keep each octet and can misbehave, which costs more than a measurement may. This one
is a process of its own.

`python -m conformance.bench.inside.sink [--refusing] [--stamped] ADDRESS:PORT…` listens, writes its addresses
as a line of JSON, and at the end of its standard input a `Taken`.
"""

import argparse
import json
import selectors
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from conformance.bench.inside.connections import Connection
from conformance.bench.inside.driver import STAMPED

_BACKLOG = 1024
_END_OF_DATA = b"\r\n.\r\n"
_NAME = b"mx.test.example"
_REFUSAL = b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"


@dataclass
class Taken:
    """What was accepted: each envelope as [sender, recipients, octets of the message, how often it came].

    `latencies` are the seconds from a stamp to the message's end, for each message.
    """

    envelopes: list[tuple[str, list[str], int, int]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


class Sink:
    """Listens on `addresses` from the start, and serves in `run`. Raises OSError for a taken address.

    `refusing`: no recipient is accepted. `stamped`: each message tells when it was sent, as the load driver
    wrote it into it.
    """

    def __init__(
        self, addresses: list[tuple[str, int]], *, refusing: bool = False, stamped: bool = False
    ) -> None:
        self.taken = Taken()
        self.refusing = refusing
        self._stamped = stamped
        self._envelopes: Counter[tuple[bytes, tuple[bytes, ...], int]] = Counter()
        self._listeners = [socket.create_server(address, backlog=_BACKLOG) for address in addresses]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the ports that the kernel chose."""
        return [listener.getsockname()[:2] for listener in self._listeners]

    def take(self, sender: bytes, recipients: list[bytes], message: bytes) -> None:
        """A message has come to its end."""
        self._envelopes[sender, tuple(recipients), len(message)] += 1
        if self._stamped and (stamp := STAMPED.search(message)):
            self.taken.latencies.append((time.monotonic_ns() - int(stamp[1])) / 1e9)

    def run(self, stop: int) -> Taken:
        """Serve until `stop` is readable or at its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(stop, selectors.EVENT_READ)
            for listener in self._listeners:
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ, listener)
            stopped = False
            while not stopped:
                for key, events in selector.select():
                    if key.fileobj == stop:
                        stopped = True
                    elif isinstance(key.data, _Client):
                        key.data.serve(selector, key, events)
                    else:
                        with suppress(OSError):  # the client may have gone already
                            client = _Client(self, key.data.accept()[0])
                            selector.register(client.socket, client.events, client)
            for key in list(selector.get_map().values()):
                if key.data is not None:
                    (key.data.socket if isinstance(key.data, _Client) else key.data).close()
        self.taken.envelopes = [
            (sender.decode("latin-1"), [address.decode("latin-1") for address in recipients], size, times)
            for (sender, recipients, size), times in self._envelopes.items()
        ]
        return self.taken


class _Client(Connection):
    """One client: what is not yet a whole line or message, and the envelope so far."""

    def __init__(self, sink: Sink, link: socket.socket) -> None:
        super().__init__(link)
        self.unsent = b"220 " + _NAME + b" ESMTP\r\n"
        self._sink = sink
        self._unread = b""
        self._sender = b""
        self._recipients: list[bytes] = []
        self._in_message = False

    def hear(self, octets: bytes) -> None:
        self._unread += octets
        self.done = not octets
        while not self.done:
            end = _END_OF_DATA if self._in_message else b"\r\n"
            piece, found, rest = self._unread.partition(end)
            if not found:
                return
            self._unread = rest
            self.unsent += (self._message(piece) if self._in_message else self._command(piece)) + b"\r\n"

    def _message(self, message: bytes) -> bytes:
        self._sink.take(self._sender, self._recipients, message)
        self._in_message, self._recipients = False, []
        return b"250 ok"

    def _command(self, line: bytes) -> bytes:
        """The reply to a command line."""
        match line[:4].upper():
            case b"RCPT":
                if self._sink.refusing:
                    return _REFUSAL
                self._recipients.append(_address(line))
            case b"MAIL":
                self._sender, self._recipients = _address(line), []
            case b"RSET":
                self._sender, self._recipients = b"", []
            case b"DATA":
                # The end of this line may be the line end before the final dot: it goes with the message.
                self._in_message, self._unread = True, b"\r\n" + self._unread
                return b"354 go ahead"
            case b"EHLO":
                return b"250-" + _NAME + b"\r\n250-PIPELINING\r\n250 8BITMIME"
            case b"AUTH":
                return b"235 ok, go ahead"
            case b"QUIT":
                self.done = True
                return b"221 " + _NAME
            case b"HELO" | b"NOOP":
                pass
            case _:
                return b"502 unimplemented"
        return b"250 ok"


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
