"""The internet around a target, as data: zones, faults of the DNS, mail exchangers."""

from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["udp", "tcp"]

#: What the DNS server does to a question instead of answering it from the zones.
#:   drop      no answer at all
#:   delay     the right answer, `seconds` late
#:   rcode     an empty answer with `rcode` (SERVFAIL, REFUSED, NOTIMP, NXDOMAIN, FORMERR)
#:   truncate  an empty answer with the TC bit (over UDP: whatever its size)
#:   hinfo     the answer to ANY that RFC 8482 recommends: one synthetic HINFO record
#:   cut       the right answer, its first `length` octets only
#:   untruncated  over UDP: the whole right answer without the TC bit; over 65507 octets none can be sent
#:   patch     the right answer with `octets` written over it at `offset`
#:   raw       `octets` as the whole message after the two octets of the id
#:   close     over TCP: the connection is closed after `length` octets of the framed answer
#:   stall     over TCP: `length` octets of the framed answer, then silence until the client leaves
FaultAction = Literal[
    "drop", "delay", "rcode", "truncate", "untruncated", "hinfo", "cut", "patch", "raw", "close", "stall"
]


@dataclass(frozen=True)
class Fault:
    """One rule; the first that matches a question wins. `name` and `type` may be "*"."""

    name: str
    action: FaultAction
    type: str = "*"
    over: Literal["udp", "tcp", "*"] = "*"
    rcode: str = "SERVFAIL"
    seconds: float = 0.0
    octets: str = ""
    offset: int = 0
    length: int = 0
    times: int | None = None  #: only for the first so many matching questions; None: always


@dataclass(frozen=True)
class Padding:
    """Fill the answer for `name`/`type` with further records of that type to exactly `octets`.

    `octets` counts the whole message, header included, as sent over TCP (12 to 65,535).
    `needed` says where the zone's own records stand among the fillers. The fillers are harmless:
    MX of a worse preference that name such addresses, A records of loopback addresses where
    nothing listens, TXT for ANY and the rest. A gap smaller than a filler is closed by one TXT record
    in the additional section.
    """

    name: str
    type: str
    octets: int
    needed: Literal["first", "middle", "last"] = "first"


@dataclass(frozen=True)
class Exchanger:
    """A scripted remote host on `address`:`port`; every octet of its sessions is kept.

    `steps` maps a step to its reply or to a list of replies that are used up in order, the last one
    repeating. Steps: `connect` (the greeting), `EHLO`, `HELO`, `challenge` (each `334 …` that asks for
    credentials), `AUTH` (the verdict on credentials), `MAIL`, `RCPT`, `DATA`, `message` (after the final
    dot), `RSET`, `NOOP`, `QUIT`, `*` (any other verb).
    `RCPT <b@big.example>` (address in angle brackets) is preferred over `RCPT`.
    A reply is text without the final CRLF (`250 ok`, `250-a\\r\\n250 b`), or one of
    `close` (close the connection), `reset` (close it with RST), `stall` (say nothing, keep it open),
    `deaf` (the same, and read nothing, so that the client's octets find no room);
    `close`, `stall` after a reply: `["250 ok; close"]` sends 250 ok and closes. Defaults accept everything.
    """

    address: str = "127.0.0.2"
    port: int = 25
    host: str = "mx.test.example"
    steps: dict[str, str | list[str]] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME"])
    auth: list[str] = field(default_factory=list)  #: methods announced on a line of their own
    users: dict[str, str] = field(default_factory=dict)  #: whom AUTH accepts
    ehlo: bool = True  #: False: EHLO is answered with 502, as old hosts do
    silent: bool = False  #: True: no attempt to connect is answered, as behind a filter that drops it
    accepts: list[str] | None = None  #: methods that AUTH takes, also unannounced; None: those announced
    pace: float = 0.0  #: seconds between two octets of a reply


@dataclass
class World:
    """All that a target can reach. `zones` holds texts in the standard zone file syntax (RFC 1035 5).

    Every zone text states its `$ORIGIN`; a question for a name below none of the origins is a stray
    question and makes the case invalid. `tcp` = "refuse": port 53 over TCP is closed.
    """

    zones: list[str] = field(default_factory=list)
    paddings: list[Padding] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    exchangers: list[Exchanger] = field(default_factory=list)
    tcp: Literal["accept", "refuse"] = "accept"
    latency: float = 0.0  #: seconds added to every DNS answer
