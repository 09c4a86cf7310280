"""From a scenario to what a pod must be and what a driver must do: pure."""

from base64 import b64encode
from dataclasses import replace
from typing import Any

from conformance.bench.inside.deliveries import Deliveries
from conformance.bench.inside.driver import STAMP, Load, LoadStep
from conformance.bench.scenarios import FIVE, TEN, LoadScenario
from conformance.pod.addresses import REMOTES, SMTPD, exchanger
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.mailboxes import load_users
from conformance.pod.ordinary import DOMAIN, IDENTITY
from conformance.pod.world import Padding, World

#: Seconds that one measurement may take before it counts as a failure.
LIMIT = 60.0

#: Who authenticates: a user of the fixtures.
USER = "alice"
SENDER = "bench@sender.example"
_MAIL = f"MAIL FROM:<{SENDER}>\r\n".encode()
DESTINATION = "destination.example"

#: How many runs of qmail-remote qmail-send may have at once: its own default.
CONCURRENCY = 20

_HELLO = LoadStep(b"EHLO client.example\r\n", b"2")
_QUIT = LoadStep(b"QUIT\r\n", b"2")


def configuration(scenario: LoadScenario) -> Configuration:
    """How the target is set up for a scenario."""
    environment = {}
    if scenario.needs == "0008":
        environment["SMTPAUTH"] = ""
    if scenario.direction == "mixed":
        environment["RELAYCLIENT"] = ""
    return Configuration(
        control=IDENTITY | {"concurrencyremote": f"{CONCURRENCY}\n"},
        environment=environment,
        recipient_check=RecipientCheck() if scenario.needs == "0009" else None,
        password_check=PasswordCheck() if scenario.needs == "0008" else None,
        delivering=scenario.direction == "mixed",
    )


def world(scenario: LoadScenario) -> World:
    """The names of a scenario. Its exchangers are a `sink`, which costs less than those of a world."""
    if scenario.direction == "mixed":
        return World([_zone(f"d{n}.example", f"@ MX 10 mx\nmx A {exchanger(n)[0]}") for n in range(TEN)])
    if scenario.direction == "outbound":
        names = [f"alias{n}.example" for n in range(scenario.aliases)]
        zones = [
            _zone(name, f"@ CNAME {behind}.")
            for name, behind in zip(names, [*names, DESTINATION][1:], strict=True)
        ]
        zones.append(_zone(DESTINATION, f"@ MX 10 mx\nmx A {exchanger()[0]}"))
        paddings = [Padding(DESTINATION, "MX", scenario.answer)] if scenario.answer else []
        return World(zones, paddings, latency=scenario.latency)
    return World()


def sink(scenario: LoadScenario) -> dict[str, Any]:
    """A scenario's exchangers, as options of `inside.sink`. For `inbound` it shows the driver's ceiling."""
    count = TEN if scenario.direction == "mixed" else 1
    return {
        "addresses": [exchanger(n) for n in range(count)],
        "refusing": scenario.doing == "recipients",
        "stamped": scenario.direction == "mixed",
    }


def envelopes(scenario: LoadScenario, units: int) -> dict[frozenset[str], int]:
    """What exchangers must have taken after so many units: how many messages for each recipient.

    Without patch 0004 an alias is replaced by its canonical name, so a recipient may be written in two ways.
    """
    if scenario.direction == "mixed":
        return {frozenset({f"box@d{n}.example"}): units // TEN for n in range(TEN)}
    if scenario.direction == "outbound":
        return {frozenset({f"box@{host(scenario)}", f"box@{DESTINATION}"}): units}
    return {}


def host(scenario: LoadScenario) -> str:
    """Outbound: the recipient's domain."""
    return "alias0.example" if scenario.aliases else DESTINATION


def load(scenario: LoadScenario, units: int) -> Load | Deliveries:
    """What a driver does to the target.

    `mixed` fills the queue: each of the driver's units is TEN messages, one for each exchanger.
    """
    if scenario.direction == "outbound":
        message = message_text(scenario.octets).replace(b"\r\n", b"\n")
        return Deliveries(*REMOTES, scenario.sessions, units, message, LIMIT)
    if scenario.direction == "inbound":
        return inbound(scenario, units)
    unit = [step for n in range(TEN) for step in _message(f"box@d{n}.example", scenario.octets, STAMP)]
    return Load(*SMTPD, scenario.sessions, units // TEN, (_HELLO,), tuple(unit), (_QUIT,), 0, LIMIT)


def inbound(scenario: LoadScenario, units: int) -> Load:
    """What the driver says to qmail-smtpd.

    The commands before a message's octets go in one write, as PIPELINING (RFC 2920) allows and other mailers
    do. Nothing is pipelined from one message into the next, which would meet delayed acknowledgements.
    """
    opening = [_HELLO]
    if scenario.needs == "0008":
        password = load_users()[USER].password
        assert password is not None, "a user of the fixtures without a password"
        secret = b64encode(f"\0{USER}\0{password}".encode("latin-1"))
        opening.append(LoadStep(b"AUTH PLAIN " + secret + b"\r\n", b"2"))
    if scenario.doing == "unknown":
        unit = [LoadStep(b"BENCH %d\r\n" % n, b"5") for n in range(TEN)]
    elif scenario.doing == "recipients":
        refused = b"".join(b"RCPT TO:<box%d@elsewhere.example>\r\n" % n for n in range(FIVE))
        unit = [LoadStep(_MAIL + refused + b"RSET\r\n", b"2" + b"5" * FIVE + b"2")]
    else:
        unit = _message(f"{USER}@{DOMAIN}", scenario.octets)
    steps = tuple(opening), tuple(unit), (_QUIT,)
    return Load(*SMTPD, scenario.sessions, units, *steps, scenario.per_connection, LIMIT)


def ceiling(scenario: LoadScenario, units: int) -> Load:
    """The same load for our exchanger. Outbound: sessions such as qmail-remote's, one message on each."""
    address, port = exchanger()
    if scenario.direction == "inbound":
        return replace(inbound(scenario, units), address=address, port=port)
    sessions = CONCURRENCY if scenario.direction == "mixed" else scenario.sessions
    unit = tuple(_message(f"box@{DESTINATION}", scenario.octets))
    return Load(address, port, sessions, units, (_HELLO,), unit, (_QUIT,), 1, LIMIT)


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


def _message(recipient: str, octets: int, more: bytes = b"") -> list[LoadStep]:
    envelope = _MAIL + f"RCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    return [LoadStep(envelope, b"223"), LoadStep(message_text(octets, more) + b".\r\n", b"2")]


def _zone(domain: str, records: str) -> str:
    return f"$ORIGIN {domain}.\n$TTL 60\n{records}\n"
