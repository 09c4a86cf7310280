"""Reads a scenario file; what is wrong with it is a UsageError with file, line and what to write instead."""

import re
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from conformance.cases.internet import zone_text
from conformance.cases.qmail import DELIVERY_LIMIT, MESSAGE
from conformance.errors import UsageError
from conformance.inputs import LONG, parse_toml, read_text
from conformance.internet.nameserver import NameServer
from conformance.internet.zones import load_zone, parse_zone
from conformance.pod.codec import shown
from conformance.pod.configuration import (
    CHECKPROGRAM,
    SUBPROGRAM,
    Configuration,
    HostTimeouts,
    PasswordCheck,
    Program,
    QueueProgram,
    RecipientCheck,
)
from conformance.pod.ordinary import CONTROL, DOMAIN, RESOLVER
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.scenario.chat import MOST_SAID, Chat, ChatError, Write, read_chat
from conformance.scenario.escapes import expand
from conformance.scenario.expecting import read_expected, read_reports
from conformance.scenario.form import Claim, Deliver, Scenario
from conformance.tomllines import lines
from conformance.tomltable import Reader, TomlTable, choice, is_number, whole, wire

KEYS = (
    "title", "text", "session", "deliver", "expect", "zones", "padding", "fault", "exchanger",
    "nobody-listens", "refuse-tcp", "latency", "control", "environment", "rcptcheck", "auth",
    "queue-program", "remote-program", "dot-qmail", "resolver", "delivering", "verifying", "aliases",
    "timed-out", "requirement", "delivery-program", "mode",
)  # fmt: skip

P = TypeVar("P", bound=Program)

_TYPE = re.compile(r"[A-Z][A-Z0-9]*|\*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEPS = (
    "connect", "EHLO", "HELO", "challenge", "AUTH", "MAIL", "RCPT", "DATA", "message", "RSET", "NOOP",
    "QUIT", "*",
)  # fmt: skip
_STEP = re.compile("|".join([*map(re.escape, _STEPS), "RCPT <[^>]*>"]))
_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}")
_PROGRAM_NAME = re.compile(r"[a-z]{1,20}")
#: What stands beside the programs of deliveries, or is noted as a program of its own.
_TAKEN = (
    "checkpassword", "checkprogram", "homes", "message", "passwords", "queue", "rcptcheck", "runs", "session",
    "subprogram",
)  # fmt: skip
_IN_HOME = re.compile(r"[a-z][a-z0-9]*(/\.?[A-Za-z0-9][a-z0-9:._-]*)?")
_MODE = re.compile(r"[0-7]{4}|gone")
_DOT_QMAIL = re.compile(r"[a-z][a-z0-9]*/\.qmail(-[a-z0-9:._-]+)?")


def load_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises UsageError."""
    return read_scenario(scenario_text(path), path)


def scenario_text(path: Path) -> str:
    """The text of a scenario file. Raises UsageError."""
    return read_text(path, "Name a scenario: see docs/scenarios.md.", LONG)


def read_scenario(text: str, path: Path) -> Scenario:
    """The scenario that a text says; `path` is for messages and for the title. Raises UsageError."""
    hint = "Its form is TOML; a session stands between ''' and '''. See docs/scenarios.md."
    if path.suffix == ".json":
        hint = "This is JSON, and a scenario is TOML: `explore` writes such files beside its findings.json."
    data = parse_toml(text, path, hint)
    return _scenario(TomlTable(path, lines(text.replace("\r\n", "\n")), (), data), text)


def scenario_of(data: dict[str, Any], path: Path) -> Scenario:
    """The scenario that the TOML of a file would say, without the file. Raises UsageError."""
    return _scenario(TomlTable(path, {}, (), data), "")


def _scenario(top: TomlTable, text: str) -> Scenario:
    path = top.file
    top.only(KEYS)
    deliveries = tuple(_deliver(table) for table in top.tables("deliver"))
    claim = top.table("requirement")
    configuration = _configuration(top)
    scenario = Scenario(
        path=path,
        title=" ".join(top.text("title", path.stem).split()),
        source=text,
        text=top.text("text", "").strip(),
        sessions=_sessions(top),
        deliveries=deliveries,
        expected=read_expected(top.table("expect"), configuration.delivery_programs),
        world=_world(top, deliveries),
        configuration=configuration,
        claim=claim.make(Claim, promise=_one_line) if "requirement" in top.data else None,
    )
    if not scenario.sessions and not deliveries:
        raise UsageError(f"{path}: nothing is done", "Write session = '''…''' or a table [deliver].")
    return scenario


def _one_line(table: TomlTable, key: str) -> str:
    return " ".join(table.text(key).split())


def _sessions(top: TomlTable) -> tuple[Chat, ...]:
    alone = isinstance(top.data.get("session"), str)
    found: list[Chat] = []
    left = MOST_SAID
    for index, text in enumerate(top.texts("session")):
        try:
            found.append(read_chat(text, top.line("session") if alone else top.line("session", index), left))
            left -= sum(len(step.octets()) for step in found[-1].steps if isinstance(step, Write))
        except ChatError as error:
            hint = "The lines of a session are explained in docs/scenarios.md."
            raise UsageError(f"{top.file}, line {error.number}: {error}", hint) from error
    return tuple(found)


def _deliver(table: TomlTable) -> Deliver:
    table.only(("host", "sender", "recipients", "message", "limit", "report", "reports"))
    recipients = table.texts("recipients")
    if not recipients:
        table.wrong((), "recipients is missing", 'write recipients = ["b@big.example"]')
    if any("\0" in recipient for recipient in recipients):
        table.wrong(("recipients",), "one holds a NUL, which no argument can", "leave it out")
    host = table.argument("host", recipients[0].rpartition("@")[2])
    if not host:
        table.wrong((), "host is missing", 'write host = "big.example"')
    return Deliver(
        host=host,
        sender=table.argument("sender", f"a@{DOMAIN}"),
        recipients=tuple(wire(recipient) for recipient in recipients),
        number=table.line(),
        message=table.text("message", MESSAGE.decode("ascii")).encode("utf-8"),
        limit=table.seconds("limit", DELIVERY_LIMIT),
        reports=read_reports(table),
    )


# The world


def _world(top: TomlTable, deliveries: tuple[Deliver, ...]) -> World:
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


def _address(table: TomlTable, key: str) -> str:
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
_TIMED_OUT: dict[str, Reader] = {
    "address": _address,
    "timeouts": whole(1, 10),
    "age": whole(0, 1_000_000),
}
_EXCHANGER: dict[str, Reader] = {
    "address": _address,
    "port": whole(1, 65535),
    "steps": partial(TomlTable.mapping, reader=_replies),
}


# qmail


def _configuration(top: TomlTable) -> Configuration:
    control = CONTROL | top.mapping("control", _control_file)
    environment = top.mapping("environment", _variable)
    auth = top.table("auth")
    if "mode" in auth.data:
        if "SMTPAUTH" in environment:
            auth.wrong(("mode",), "SMTPAUTH stands in [environment] as well", "leave one of the two out")
        environment["SMTPAUTH"] = auth.argument("mode")
    return Configuration(
        control={name: content for name, content in control.items() if content is not None},
        environment=environment,
        recipient_check=_program(top, "rcptcheck", RecipientCheck),
        password_check=auth.make(PasswordCheck, "mode", **_AUTH) if "auth" in top.data else None,
        dot_qmail=top.mapping("dot-qmail", _dot_qmail),
        delivering=top.flag("delivering"),
        resolver=top.text("resolver", RESOLVER),
        verifying=_verifying(top),
        timeouts=[table.make(HostTimeouts, **_TIMED_OUT) for table in top.tables("timed-out")],
        aliases=[wire(key) for key in top.texts("aliases")],
        queue_program=_program(top, "queue-program", QueueProgram),
        delivery_programs=top.mapping("delivery-program", _delivery_program),
        modes=top.mapping("mode", _mode),
        remote_program=_program(top, "remote-program", Program),
    )


def _program(table: TomlTable, key: str, kind: type[P]) -> P | None:
    """A program with behaviour, where there is one."""
    return table.table(key).make(kind, **_PROGRAM) if key in table.data else None


def _statuses(table: TomlTable, key: str) -> list[int]:
    found = table.data[key]
    if not isinstance(found, list) or not all(is_number(status, 0, 255) for status in found):
        table.wrong((key,), f"{shown(found)} is no list of exit statuses", f"write {key} = [111, 0]")
    return found


_PROGRAM: dict[str, Reader] = {
    "exits": partial(TomlTable.mapping, reader=whole(0, 255)),
    "default": whole(0, 255),
    "statuses": _statuses,
}


def _subprogram(table: TomlTable, key: str) -> str | Program | None:
    if isinstance(table.data[key], dict):
        return _program(table, key, Program)
    return str(choice("true", "false")(table, key))


def _arguments(table: TomlTable, key: str) -> list[str]:
    found = [wire(word) for word in table.texts(key)]
    if len(found) > 100 or any("\0" in word for word in found):
        hint = f'write {key} = ["{CHECKPROGRAM}", "{SUBPROGRAM}"]'
        table.wrong((key,), "more than 100 arguments, or one with a NUL, which none can hold", hint)
    return found


_AUTH: dict[str, Reader] = {
    "arguments": _arguments,
    "checkprogram": lambda table, key: _program(table, key, Program),
    "subprogram": _subprogram,
}


def _verifying(top: TomlTable) -> bool | Literal["mute"]:
    value = top.data.get("verifying", False)
    if value != "mute" and not isinstance(value, bool):
        top.wrong(
            ("verifying",), f"{shown(value)} is neither true nor false nor 'mute'", "write verifying = true"
        )
    return "mute" if value == "mute" else value


def _control_file(table: TomlTable, name: str) -> str | None:
    """The content of a control file; `false` in the place of it takes an ordinary one away."""
    if not _FILE.fullmatch(name):
        table.wrong((name,), "is no name of a control file", 'write for example databytes = "1000"')
    value = table.data[name]
    if value is False:
        return None
    rows = [str(value)] if is_number(value) else [wire(line) for line in table.texts(name)]
    return "".join(map(_ended, rows))


def _ended(row: str) -> str:
    r"""A row of a file with its line feed; none follows `\c`, as in a chat."""
    if row.endswith(r"\c"):
        return row.removesuffix(r"\c")
    return row if row.endswith("\n") else f"{row}\n"


def _variable(table: TomlTable, name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        table.wrong((name,), "is no variable of an environment", 'write for example RELAYCLIENT = ""')
    return table.argument(name)


#: Programs that have their names already, in the same directory.
_OTHER_PROGRAMS = ("rcptcheck", "checkpassword", "subprogram", "session", "note")


def _delivery_program(table: TomlTable, name: str) -> Program:
    if name in _OTHER_PROGRAMS or name.startswith("qmail-"):
        table.wrong((name,), "another program has this name", "choose another: [delivery-program.filter]")
    if not _PROGRAM_NAME.fullmatch(name):
        table.wrong((name,), "is no name of a program", "write lower-case letters: [delivery-program.filter]")
    if name in _TAKEN:
        table.wrong((name,), "is the name of something else", "give it another: [delivery-program.filter]")
    return table.table(name).make(Program, **_PROGRAM)


def _mode(table: TomlTable, path: str) -> str:
    mode = table.argument(path)
    if not _IN_HOME.fullmatch(path) or not _MODE.fullmatch(mode):
        table.wrong((path,), "is no mode in a home", 'write "alice/.qmail-list" = "0666", or "gone"')
    return mode


def _dot_qmail(table: TomlTable, name: str) -> str:
    if not _DOT_QMAIL.fullmatch(name):
        table.wrong((name,), "is no dot-qmail file", 'write "alice/.qmail-list" = "&bob@here.example"')
    text = table.wire(name)
    return _ended(text) if text else ""
