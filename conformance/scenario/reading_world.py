"""Reads what a scenario file says of the world around qmail: zones, faults, hosts."""

import re
from functools import partial

from conformance.cases.internet import zone_text
from conformance.errors import UsageError
from conformance.internet.nameserver import NameServer
from conformance.internet.zones import load_zone, parse_zone
from conformance.pod.ordinary import DOMAIN
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.scenario.escapes import expand
from conformance.scenario.form import Deliver
from conformance.tomltable import Reader, TomlTable, choice, whole, wire

_TYPE = re.compile(r"[A-Z][A-Z0-9]*|\*")
_STEPS = (
    "connect", "EHLO", "HELO", "challenge", "AUTH", "MAIL", "RCPT", "DATA", "message", "RSET", "NOOP",
    "QUIT", "*",
)  # fmt: skip
_STEP = re.compile("|".join([*map(re.escape, _STEPS), "RCPT <[^>]*>"]))
_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}")


def read_world(top: TomlTable, deliveries: tuple[Deliver, ...]) -> World:
    """The world of the file; a domain of a delivery without a zone gets an ordinary one."""
    table = top.table("zones")
    texts: dict[str, str] = {}
    for origin in table.data:
        name = origin.rstrip(".").lower()
        if name in texts:
            table.wrong((origin,), "this zone stands there twice", "write all its records below one name")
        texts[name] = zone_text(origin.rstrip("."), _zone(table, origin))
    if DOMAIN not in texts:
        texts[DOMAIN] = load_zone(DOMAIN)
    for deliver in deliveries:
        for name in (deliver.host, *(recipient.rpartition("@")[2] for recipient in deliver.recipients)):
            domain = name.lower().rstrip(".")
            if domain and not domain.startswith("[") and texts.keys().isdisjoint(_upwards(domain)):
                texts[domain] = zone_text(domain)
    world = World(
        list(texts.values()),
        _paddings(top),
        [table.make(Fault, **_FAULT) for table in top.tables("fault")],
        _exchangers(top),
        "refuse" if top.flag("refuse-tcp") else "accept",
        top.seconds("latency", World.latency),
    )
    try:
        NameServer(world)  # zones, paddings and faults must make a world together
    except UsageError as error:
        hint = error.hint or "See [zones], [[padding]] and [[fault]] in docs/scenarios.md."
        raise UsageError(f"{top.file}: {error.message}", hint) from error
    return world


def _upwards(name: str) -> list[str]:
    """A name, and those that it stands below, the root last."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) + 1)]


def _paddings(top: TomlTable) -> list[Padding]:
    made: dict[tuple[str, str], Padding] = {}
    for table in top.tables("padding", type="MX"):
        padding = table.make(Padding, **_PADDING)
        place = padding.name.rstrip(".").lower(), padding.type
        if made.setdefault(place, padding) is not padding:
            table.wrong(
                (), f"the answer to {' '.join(place)} is filled up already", "leave one of the two out"
            )
    return list(made.values())


def _exchangers(top: TomlTable) -> list[Exchanger]:
    """Those of the file; without any, one that accepts everything."""
    made: dict[tuple[str, int], Exchanger] = {}
    for table in top.tables("exchanger"):
        exchanger = table.make(Exchanger, **_EXCHANGER)
        if made.setdefault((exchanger.address, exchanger.port), exchanger) is not exchanger:
            hint = 'give each an address of its own, as in address = "127.0.0.3"'
            table.wrong((), f"two of them listen on {exchanger.address}, port {exchanger.port}", hint)
    return [] if top.flag("nobody-listens") else list(made.values()) or [Exchanger()]


def _zone(table: TomlTable, origin: str) -> str:
    records = table.text(origin)
    before = max(1, table.line(origin) - 1)  # where its $ORIGIN would stand
    try:
        parse_zone(f"$ORIGIN {origin.rstrip('.')}.\n{records}\n", str(table.file), before)
    except UsageError as error:
        hint = "A zone is written \"big.example\" = '''…''', with records such as `@ MX 10 mx`."
        raise UsageError(error.message, error.hint or hint) from error
    return records


def _type(table: TomlTable, key: str) -> str:
    found = table.text(key)
    if not _TYPE.fullmatch(found):
        table.wrong((key,), f"{found!r} is no type of record", f'write {key} = "MX"')
    return found


def _octets(table: TomlTable, key: str) -> str:
    """The octets that a fault sends, written with the escapes of a chat."""
    try:
        return expand(table.text(key)).decode("latin-1")
    except ValueError as error:
        table.wrong((key,), str(error), f"write {key} = '\\x00\\x01'")


def address_of(table: TomlTable, key: str) -> str:
    address = table.text(key)
    if not _LOOPBACK.fullmatch(address) or address == "127.0.0.1":
        hint = f'write {key} = "127.0.0.2"; 127.0.0.1 is qmail itself'
        table.wrong((key,), f"{address!r} is no address of the closed world", hint)
    return address


def _replies(table: TomlTable, step: str) -> str | list[str]:
    if not _STEP.fullmatch(step):
        table.wrong((step,), "is no step of a session", f'known: {", ".join(_STEPS)}, "RCPT <ADDRESS>"')
    replies = [wire(reply) for reply in table.texts(step)]
    if not replies:
        table.wrong((step,), "no reply", f'write {step} = "250 ok", or a list of replies')
    return replies if isinstance(table.data[step], list) else replies[0]


#: What reads the fields of which the type does not say enough.
_PADDING: dict[str, Reader] = {"type": _type, "octets": whole(12, 65535)}
_FAULT: dict[str, Reader] = {
    "type": _type,
    "rcode": choice("SERVFAIL", "REFUSED", "NOTIMP", "NXDOMAIN", "FORMERR"),
    "octets": _octets,
    "times": whole(1, 1000),
}
_EXCHANGER: dict[str, Reader] = {
    "address": address_of,
    "port": whole(1, 65535),
    "steps": partial(TomlTable.mapping, reader=_replies),
}
