"""Reads what a scenario file says of qmail: control files, programs, homes, and signals."""

import re
from functools import partial
from typing import Literal, TypeVar

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
from conformance.pod.ordinary import CONTROL, RESOLVER
from conformance.scenario.form import SendSignal
from conformance.scenario.reading_world import address_of
from conformance.tomltable import Reader, TomlTable, choice, is_number, whole, wire

P = TypeVar("P", bound=Program)

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROGRAM_NAME = re.compile(r"[a-z]{1,20}")
#: What stands beside the programs of deliveries, or is noted as a program of its own.
_TAKEN = (
    "checkpassword", "checkprogram", "homes", "message", "passwords", "queue", "rcptcheck", "runs", "session",
    "subprogram",
)  # fmt: skip
_IN_HOME = re.compile(r"[a-z][a-z0-9]*(/\.?[A-Za-z0-9][a-z0-9:._-]*)?")
_MODE = re.compile(r"[0-7]{4}|gone")
_DOT_QMAIL = re.compile(r"[a-z][a-z0-9]*/\.qmail(-[a-z0-9:._-]+)?")


def read_configuration(top: TomlTable) -> Configuration:
    """How qmail is set up. Raises UsageError."""
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


def read_signals(top: TomlTable, sessions: int) -> tuple[SendSignal, ...]:
    """What qmail-send gets, in order; after all of the sessions unless told otherwise. Raises UsageError."""
    tables = top.tables("signal", after=sessions)
    for table in tables:
        if not top.flag("delivering"):
            table.wrong((), "qmail-send does not run", "write delivering = true at the top of the file")
        table.only(("name", "after", "control"))
    if tables and not sessions:
        tables[0].wrong((), "there is no session that it could come after", "write session = '''…'''")
    return tuple(
        SendSignal(
            "ALRM" if choice("ALRM", "HUP")(table, "name") == "ALRM" else "HUP",
            table.number("after", 1, sessions),
            table.line(),
            table.mapping("control", _changed_file),
        )
        for table in tables
    )


def _changed_file(table: TomlTable, name: str) -> str:
    """The content that a control file has from then on."""
    content = _control_file(table, name)
    if content is None:
        table.wrong((name,), "no file is taken away while qmail-send runs", f"write {name} = []")
    return content


_TIMED_OUT: dict[str, Reader] = {
    "address": address_of,
    "timeouts": whole(1, 10),
    "age": whole(0, 1_000_000),
}


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
