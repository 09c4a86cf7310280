"""Reads a scenario file; what is wrong with it is a UsageError with file, line and what to write instead."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, cast, get_args

from conformance.cases.internet import Internet
from conformance.cases.qmail import CONTROL, DELIVERY_LIMIT, MESSAGE
from conformance.catalogue.requirements import Level, Role
from conformance.errors import UsageError
from conformance.internet.nameserver import NameServer
from conformance.internet.zones import parse_zone
from conformance.pod.configuration import PasswordCheck, RecipientCheck
from conformance.pod.world import Exchanger, Fault, FaultAction, Padding
from conformance.scenario.chat import Chat, ChatError, read_chat
from conformance.scenario.escapes import expand
from conformance.scenario.expecting import read_expected, read_reports
from conformance.scenario.form import Claim, Deliver, Scenario
from conformance.scenario.places import lines
from conformance.scenario.table import Table, is_number, wire

KEYS = (
    "title", "text", "session", "deliver", "expect", "zones", "padding", "fault", "exchanger",
    "nobody-listens", "refuse-tcp", "control", "environment", "rcptcheck", "auth", "dot-qmail", "resolver",
    "delivering", "verifying", "requirement",
)  # fmt: skip

_FATES = ("exit", "crash", "missing")
_NEEDED = ("first", "middle", "last")
_TYPE = re.compile(r"[A-Z][A-Z0-9]*|\*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEPS = (
    "connect", "EHLO", "HELO", "challenge", "AUTH", "MAIL", "RCPT", "DATA", "message", "RSET", "NOOP",
    "QUIT", "*",
)  # fmt: skip
_STEP = re.compile("|".join([*map(re.escape, _STEPS), "RCPT <[^>]*>"]))
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_DOT_QMAIL = re.compile(r"[a-z][a-z0-9]*/\.qmail(-[a-z0-9:._-]+)?")


def load_scenario(path: Path) -> Scenario:
    """The scenario of a file. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: {why}", "A scenario is a file in UTF-8: see docs/scenarios.md.") from error
    return read_scenario(text, path)


def read_scenario(text: str, path: Path) -> Scenario:
    """The scenario that a text says; `path` is for messages and for the title. Raises UsageError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "Its form is TOML; a session stands between ''' and '''. See docs/scenarios.md."
        raise UsageError(f"{path}: {error}", hint) from error
    top = Table(path, lines(text.replace("\r\n", "\n")), (), data)
    top.only(KEYS)
    scenario = Scenario(
        path=path,
        title=" ".join(top.text("title", path.stem).split()),
        source=text,
        text=top.text("text", "").strip(),
        sessions=_sessions(top),
        deliveries=tuple(_deliver(table) for table in top.tables("deliver")),
        expected=read_expected(top.table("expect")),
        zones=_zones(top.table("zones")),
        paddings=tuple(_padding(table) for table in top.tables("padding")),
        faults=tuple(_fault(table) for table in top.tables("fault")),
        exchangers=tuple(_exchanger(table) for table in top.tables("exchanger")),
        nobody_listens=top.flag("nobody-listens"),
        refuse_tcp=top.flag("refuse-tcp"),
        control=_control(top.table("control")),
        environment=_environment(top),
        recipient_check=_recipient_check(top.table("rcptcheck")),
        password_check=_password_check(top.table("auth")),
        dot_qmail=_dot_qmail(top.table("dot-qmail")),
        resolver=top.text("resolver", Scenario.resolver),
        delivering=top.flag("delivering"),
        verifying=top.flag("verifying"),
        claim=_claim(top.table("requirement")),
    )
    if not scenario.sessions and not scenario.deliveries:
        raise UsageError(f"{path}: nothing is done", "Write session = '''…''' or a table [deliver].")
    _check_world(scenario)
    return scenario


def _check_world(scenario: Scenario) -> None:
    """Zones, paddings and faults must make a world together."""
    internet = Internet()
    try:
        scenario.arrange(internet)
        NameServer(internet.world())
    except UsageError as error:
        hint = error.hint or "See [zones], [[padding]] and [[fault]] in docs/scenarios.md."
        raise UsageError(f"{scenario.path}: {error.message}", hint) from error


def _sessions(top: Table) -> tuple[Chat, ...]:
    texts = top.texts("session")
    alone = isinstance(top.data.get("session"), str)
    found = []
    for index, text in enumerate(texts):
        names: tuple[str | int, ...] = ("session",) if alone else ("session", index)
        try:
            found.append(read_chat(text, top.line(*names)))
        except ChatError as error:
            hint = "The lines of a session are explained in docs/scenarios.md."
            raise UsageError(f"{top.file}, line {error.number}: {error}", hint) from error
    return tuple(found)


def _deliver(table: Table) -> Deliver:
    table.only(("host", "sender", "recipients", "message", "limit", "report", "reports"))
    recipients = table.texts("recipients")
    if not recipients:
        table.wrong((), "recipients is missing", 'write recipients = ["b@big.example"]')
    if any("\0" in one for one in recipients):
        table.wrong(("recipients",), "one holds a NUL, which no argument can", "leave it out")
    host = table.argument("host", recipients[0].rpartition("@")[2])
    if not host:
        table.wrong((), "host is missing", 'write host = "big.example"')
    return Deliver(
        host=host,
        sender=table.argument("sender", "a@here.example"),
        recipients=tuple(wire(one) for one in recipients),
        number=table.line(),
        message=table.text("message", MESSAGE.decode("ascii")).encode("utf-8"),
        limit=table.seconds("limit", DELIVERY_LIMIT),
        reports=read_reports(table),
    )


def _zones(table: Table | None) -> dict[str, str]:
    zones = {}
    for origin in table.data if table else ():
        assert table is not None
        records = table.text(origin)
        # The zone is read with as many blank lines before it as bring its lines to those of the file.
        before = max(0, table.line(origin) - 2)
        try:
            parse_zone("\n" * before + f"$ORIGIN {origin.rstrip('.')}.\n{records}\n", str(table.file))
        except UsageError as error:
            hint = "A zone is written \"big.example\" = '''…''', with records such as `@ MX 10 mx`."
            raise UsageError(error.message, error.hint or hint) from error
        zones[origin.rstrip(".")] = records
    return zones


def _padding(table: Table) -> Padding:
    table.only(("name", "type", "octets", "needed"))
    needed = table.choice("needed", _NEEDED, "first")
    return Padding(table.text("name"), _type(table, "MX"), table.number("octets", 12, 65535), needed)


def _type(table: Table, default: str) -> str:
    found = table.text("type", default)
    if not _TYPE.fullmatch(found):
        table.wrong(("type",), f"{found!r} is no type of record", 'write type = "MX"')
    return found


def _fault(table: Table) -> Fault:
    table.only(("name", "action", "type", "over", "rcode", "seconds", "octets", "offset", "length", "times"))
    action: FaultAction = table.choice("action", get_args(FaultAction), "")
    rcodes = ("SERVFAIL", "REFUSED", "NOTIMP", "NXDOMAIN", "FORMERR")
    return Fault(
        name=table.text("name"),
        action=action,
        type=_type(table, "*"),
        over=table.choice("over", ("udp", "tcp", "*"), "*"),
        rcode=table.choice("rcode", rcodes, "SERVFAIL"),
        seconds=table.seconds("seconds", 0.0),
        octets=_octets(table),
        offset=table.number("offset", 0, 65535, 0),
        length=table.number("length", 0, 65535, 0),
        times=table.number("times", 1, 1000) if "times" in table.data else None,
    )


def _octets(table: Table) -> str:
    """The octets that a fault sends, written with the escapes of a chat."""
    try:
        return expand(table.text("octets", "")).decode("latin-1")
    except ValueError as error:
        table.wrong(("octets",), str(error), "write octets = '\\x00\\x01'")


def _exchanger(table: Table) -> Exchanger:
    table.only(("address", "port", "host", "steps", "extensions", "auth", "users", "ehlo"))
    steps: dict[str, str | list[str]] = {}
    given = table.table("steps")
    for step in given.data if given else ():
        assert given is not None
        if not _STEP.fullmatch(step):
            given.wrong((step,), "is no step of a session", f'known: {", ".join(_STEPS)}, "RCPT <ADDRESS>"')
        replies = [wire(reply) for reply in given.texts(step)]
        if not replies:
            given.wrong((step,), "no reply", f'write {step} = "250 ok", or a list of replies')
        steps[step] = replies if isinstance(given.data[step], list) else replies[0]
    users = table.table("users")
    address = table.text("address", Exchanger.address)
    if not _LOOPBACK.fullmatch(address) or address == "127.0.0.1":
        hint = 'write address = "127.0.0.2"; 127.0.0.1 is qmail itself'
        table.wrong(("address",), f"{address!r} is no address of the closed world", hint)
    extensions = table.texts("extensions") if "extensions" in table.data else Exchanger().extensions
    return Exchanger(
        address=address,
        port=table.number("port", 1, 65535, Exchanger.port),
        host=table.text("host", Exchanger.host),
        steps=steps,
        extensions=extensions,
        auth=table.texts("auth"),
        users={name: users.text(name) for name in users.data} if users else {},
        ehlo=table.flag("ehlo") if "ehlo" in table.data else True,
    )


def _control(table: Table | None) -> dict[str, str]:
    """The ordinary control files with those of the scenario over them; `false` takes one away."""
    files = dict(CONTROL)
    for name in table.data if table else ():
        assert table is not None
        if not _FILE.fullmatch(name):
            table.wrong((name,), "is no name of a control file", 'write for example databytes = "1000"')
        value = table.data[name]
        if value is False:
            files.pop(name, None)
        elif is_number(value):
            files[name] = f"{value}\n"
        else:
            rows = [wire(line) for line in table.texts(name)]
            files[name] = "".join(row if row.endswith("\n") else f"{row}\n" for row in rows)
    return files


def _environment(top: Table) -> dict[str, str]:
    table, auth = top.table("environment"), top.table("auth")
    found = {}
    for name in table.data if table else ():
        assert table is not None
        found[name] = table.argument(name)
        if not _VARIABLE.fullmatch(name):
            table.wrong((name,), "is no variable of an environment", 'write for example RELAYCLIENT = ""')
    if auth and "mode" in auth.data:
        found["SMTPAUTH"] = auth.argument("mode")
    return found


def _recipient_check(table: Table | None) -> RecipientCheck | None:
    if table is None:
        return None
    table.only(("exits", "default", "says", "fate"))
    exits = table.table("exits")
    return RecipientCheck(
        exits={wire(to): exits.number(to, 0, 255) for to in exits.data} if exits else {},
        default=table.number("default", 0, 255, 0),
        says=wire(table.text("says", "")),
        fate=table.choice("fate", _FATES, "exit"),
    )


def _password_check(table: Table | None) -> PasswordCheck | None:
    if table is None:
        return None
    table.only(("mode", "fate", "subprogram"))
    fate = table.choice("fate", ("check", "crash", "missing"), "check")
    return PasswordCheck(fate, table.choice("subprogram", ("true", "false"), "true"))


def _dot_qmail(table: Table | None) -> dict[str, str]:
    files = {}
    for name in table.data if table else ():
        assert table is not None
        if not _DOT_QMAIL.fullmatch(name):
            table.wrong((name,), "is no dot-qmail file", 'write "alice/.qmail-list" = "&bob@here.example"')
        text = wire(table.text(name))
        files[name] = text if text.endswith("\n") or not text else f"{text}\n"
    return files


def _claim(table: Table | None) -> Claim | None:
    if table is None:
        return None
    table.only(("name", "source", "promise", "role", "level"))
    role: Any = table.choice("role", get_args(Role), "guard") if "role" in table.data else None
    level = cast(Level, table.choice("level", get_args(Level), "must"))
    promise = " ".join(table.text("promise").split())
    return Claim(table.text("name"), table.text("source"), promise, role, level)
