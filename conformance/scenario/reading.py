"""Reads a scenario file; what is wrong with it is a UsageError with file, line and what to write instead."""

from pathlib import Path
from typing import Any

from conformance.cases.qmail import DELIVERY_LIMIT, MESSAGE
from conformance.errors import UsageError
from conformance.inputs import LONG, parse_toml, read_text
from conformance.pod.ordinary import DOMAIN
from conformance.scenario.chat import MOST_SAID, Chat, ChatError, Write, read_chat
from conformance.scenario.expecting import read_expected, read_reports
from conformance.scenario.form import Claim, Deliver, Scenario
from conformance.scenario.reading_qmail import read_configuration, read_signals
from conformance.scenario.reading_world import read_world
from conformance.tomllines import lines
from conformance.tomltable import TomlTable, wire

KEYS = (
    "title", "text", "session", "deliver", "expect", "zones", "padding", "fault", "exchanger",
    "nobody-listens", "refuse-tcp", "latency", "control", "environment", "rcptcheck", "auth",
    "queue-program", "remote-program", "dot-qmail", "resolver", "delivering", "verifying", "aliases",
    "timed-out", "requirement", "delivery-program", "mode", "signal",
)  # fmt: skip


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
    sessions = _sessions(top)
    claim = top.table("requirement")
    configuration = read_configuration(top)
    scenario = Scenario(
        path=path,
        title=" ".join(top.text("title", path.stem).split()),
        source=text,
        text=top.text("text", "").strip(),
        sessions=sessions,
        signals=read_signals(top, len(sessions)),
        deliveries=deliveries,
        expected=read_expected(top.table("expect"), configuration.delivery_programs),
        world=read_world(top, deliveries),
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
