"""From a scenario to what a pod must be and what a driver must do: pure."""

from __future__ import annotations

from base64 import b64encode
from typing import TypedDict

from conformance.bench.deliveries import Deliveries
from conformance.bench.driver import STAMP, Load, Step
from conformance.bench.scenarios import FIVE, TEN, Scenario
from conformance.errors import WorldError
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.mailboxes import load_users
from conformance.pod.world import Padding, World

#: Seconds that one measurement may take before it counts as a failure.
LIMIT = 60.0

#: Who authenticates: a user of the fixtures.
USER = "alice"
SENDER = "bench@sender.example"
_MAIL = f"MAIL FROM:<{SENDER}>\r\n".encode()
DESTINATION = "destination.example"

#: Where qmail-smtpd listens, the first exchanger, and (see the target's agent) qmail-remote on demand.
SMTPD = ("127.0.0.1", 25)
EXCHANGER = ("127.0.0.2", 25)
REMOTES = ("127.0.0.1", 7026)

#: How many runs of qmail-remote qmail-send may have at once: its own default.
CONCURRENCY = 20


class SinkOptions(TypedDict):
    """What `conformance.bench.sink` is started with."""

    addresses: list[tuple[str, int]]
    refusing: bool
    stamped: bool


_HELLO = Step(b"EHLO client.example\r\n", b"2")
_QUIT = Step(b"QUIT\r\n", b"2")


def configuration(scenario: Scenario) -> Configuration:
    """How the target is set up for a scenario."""
    environment = {}
    if scenario.needs == "0008":
        environment["SMTPAUTH"] = ""
    if scenario.direction == "mixed":
        environment["RELAYCLIENT"] = ""
    return Configuration(
        control={
            "me": "mx.here.example\n",
            "rcpthosts": "here.example\n",
            "locals": "here.example\n",
            "defaultdomain": "here.example\n",
            "plusdomain": "here.example\n",
            "concurrencyremote": f"{CONCURRENCY}\n",
        },
        environment=environment,
        recipient_check=RecipientCheck() if scenario.needs == "0009" else None,
        password_check=PasswordCheck() if scenario.needs == "0008" else None,
        delivering=scenario.direction == "mixed",
    )


def world(scenario: Scenario) -> World:
    """The names of a scenario. Its exchangers are a `sink`, which costs less than those of a world."""
    if scenario.direction == "mixed":
        return World([_zone(f"d{n}.example", f"@ MX 10 mx\nmx A {_exchanger(n)[0]}") for n in range(TEN)])
    if scenario.direction == "outbound":
        names = [f"alias{n}.example" for n in range(scenario.aliases)]
        zones = [
            _zone(name, f"@ CNAME {behind}.")
            for name, behind in zip(names, [*names, DESTINATION][1:], strict=True)
        ]
        zones.append(_zone(DESTINATION, f"@ MX 10 mx\nmx A {EXCHANGER[0]}"))
        paddings = [Padding(DESTINATION, "MX", scenario.answer)] if scenario.answer else []
        return World(zones, paddings, latency=scenario.latency)
    return World()


def sink(scenario: Scenario) -> SinkOptions:
    """The exchangers of a scenario. For `inbound` it is the one that shows the driver's ceiling."""
    count = TEN if scenario.direction == "mixed" else 1
    return {
        "addresses": [_exchanger(n) for n in range(count)],
        "refusing": scenario.doing == "recipients",
        "stamped": scenario.direction == "mixed",
    }


def _exchanger(number: int) -> tuple[str, int]:
    return f"127.0.0.{2 + number}", 25


def envelopes(scenario: Scenario, units: int) -> dict[frozenset[str], int]:
    """What exchangers must have taken after so many units: how many messages for each recipient.

    Without patch 0004 an alias is replaced by its canonical name, so a recipient may be written in two ways.
    """
    if scenario.direction == "mixed":
        return {frozenset({f"box@d{n}.example"}): units // TEN for n in range(TEN)}
    if scenario.direction == "outbound":
        return {frozenset({f"box@{host(scenario)}", f"box@{DESTINATION}"}): units}
    return {}


def host(scenario: Scenario) -> str:
    """Outbound: the recipient's domain."""
    return "alias0.example" if scenario.aliases else DESTINATION


def inbound(scenario: Scenario, units: int) -> Load:
    """What the driver says to qmail-smtpd.

    The commands before a message's octets go in one write, as PIPELINING (RFC 2920) allows and other mailers
    do: the driver then takes two thirds of the CPU that it takes in lock-step. Nothing is pipelined from one
    message into the next, which would meet delayed acknowledgements.
    """
    opening = [_HELLO]
    if scenario.needs == "0008":
        secret = b64encode(f"\0{USER}\0{_password()}".encode("latin-1"))
        opening.append(Step(b"AUTH PLAIN " + secret + b"\r\n", b"2"))
    if scenario.doing == "unknown":
        unit = [Step(b"BENCH %d\r\n" % n, b"5") for n in range(TEN)]
    elif scenario.doing == "recipients":
        refused = b"".join(b"RCPT TO:<box%d@elsewhere.example>\r\n" % n for n in range(FIVE))
        unit = [Step(_MAIL + refused + b"RSET\r\n", b"2" + b"5" * FIVE + b"2")]
    else:
        unit = _message("alice@here.example", scenario.octets)
    return Load(
        *SMTPD,
        scenario.sessions,
        units,
        tuple(opening),
        tuple(unit),
        (_QUIT,),
        scenario.per_connection,
        LIMIT,
    )


def mixed(scenario: Scenario, units: int) -> Load:
    """What fills the queue: each of the driver's units is TEN messages, one for each exchanger."""
    unit = [step for n in range(TEN) for step in _message(f"box@d{n}.example", scenario.octets, STAMP)]
    return Load(*SMTPD, scenario.sessions, units // TEN, (_HELLO,), tuple(unit), (_QUIT,), 0, LIMIT)


def outbound(scenario: Scenario, units: int) -> Deliveries:
    """Runs of qmail-remote."""
    message = message_text(scenario.octets).replace(b"\r\n", b"\n")
    return Deliveries(*REMOTES, scenario.sessions, units, message, LIMIT)


def ceiling(scenario: Scenario, units: int) -> Load:
    """The same load for our exchanger. Outbound: sessions such as qmail-remote's, one message on each."""
    if scenario.direction == "inbound":
        load = inbound(scenario, units)
        return Load(
            *EXCHANGER,
            load.sessions,
            load.units,
            load.opening,
            load.unit,
            load.closing,
            load.per_connection,
            LIMIT,
        )
    sessions = CONCURRENCY if scenario.direction == "mixed" else scenario.sessions
    unit = tuple(_message(f"box@{DESTINATION}", scenario.octets))
    return Load(*EXCHANGER, sessions, units, (_HELLO,), unit, (_QUIT,), 1, LIMIT)


def message_text(octets: int, more: bytes = b"") -> bytes:
    """An ordinary message of so many octets, with CRLF as on the wire and no dot at a line's beginning.

    `more` are whole lines of its header.
    """
    head = b"From: bench@sender.example\r\nTo: box@here.example\r\nSubject: bench\r\n" + more + b"\r\n"
    line = b"x" * 70 + b"\r\n"
    lines, rest = divmod(octets - len(head), len(line))
    # What is left becomes a longer last line: 70 + 71 octets are far below the limit of 998.
    last = b"x" * rest + line if lines else b"x" * max(rest - 2, 0) + b"\r\n"
    return head + line * max(lines - 1, 0) + last


def _message(recipient: str, octets: int, more: bytes = b"") -> list[Step]:
    envelope = _MAIL + f"RCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    return [Step(envelope, b"223"), Step(message_text(octets, more) + b".\r\n", b"2")]


def _zone(domain: str, records: str) -> str:
    return f"$ORIGIN {domain}.\n$TTL 60\n{records}\n"


def _password() -> str:
    password = load_users()[USER].password
    if password is None:
        raise WorldError(f"the fixtures' user {USER} has no password", "see fixtures/mailboxes/users.toml")
    return password
