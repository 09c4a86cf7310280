"""A generated scenario: what the TOML of a scenario file says, as data, and the text of such a file.

A chat of a generated scenario names no reply. `< *` stands wherever the client waits: there every reply that
is due is read, one for each line that was said, one for a message; what goes out without such a line before
it goes out unread. A message (`|`) is said after 354 alone, and left out otherwise.
"""

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.scenario.form import Scenario
from conformance.scenario.reading import load_scenario, scenario_of, scenario_text

#: `session`: a chat or a list of them; `deliver`, `control`, …: see docs/scenarios.md. No title, no [expect].
Document = dict[str, Any]

#: Where the client waits for all replies that are due.
WAIT = "< *"


#: What stands for the file of a scenario that has none.
PATH = Path("explored.toml")


@dataclass(frozen=True)
class Made:
    """A generated scenario: as data, read, and the choices that it was made by."""

    document: Document
    scenario: Scenario
    drawn: tuple[str, ...] = ()


#: Two commands that are not waited for, or many in one line.
_PIPELINED = re.compile(r"^>.*\n[>|]|^>.*\\r\\n", re.MULTILINE)

#: Control files that limit how many deliveries are under way.
_LIMITS = ("concurrencylocal", "concurrencyremote")

#: Characters of a program of which several together make no report that is too long.
_LITTLE = 200

#: What makes mail older than a second or two.
_AGED = "! pause 2.6\n"


def made(document: Document, drawn: Iterable[str] = ()) -> Made:
    """Read a document. Raises UsageError when it is no scenario."""
    return Made(document, scenario_of(document, PATH), tuple(drawn))


def fitted(document: Document) -> Document:
    """The document with signals after the last session at the latest, and without what is chance in it."""
    chats = _listed(document.get("session", []))
    aged = _aged(_without_waiting(document), chats)
    made = {key: _without_races(key, value, chats) for key, value in _brief(aged).items()}
    if "mode" in made:
        made["mode"] = _without_gone(made["mode"])
    if "signal" in made and not _has_sender(made):
        del made["signal"]
    if "signal" in made:
        last = len(chats)
        made["signal"] = [{**each, "after": min(each.get("after", last), last)} for each in made["signal"]]
    return made


def _aged(document: Document, chats: list[str]) -> Document:
    """The document with mail that is clearly too old where a second decides of that: ages are whole seconds.

    A queuelifetime of 0 or 1 comes with a pause, and with one ALRM, behind it.
    """
    again = [each for each in document.get("signal", []) if each.get("name") == "ALRM"]
    if not (chats and again and _is_soon_old(document)):
        return document
    aged = [*chats[:-1], chats[-1].removesuffix(_AGED) + _AGED]
    others = [each for each in document["signal"] if each.get("name") != "ALRM"]
    last = {**again[0], "after": len(chats)}
    return {**document, "session": aged[0] if len(aged) == 1 else aged, "signal": [*others, last]}


def _is_soon_old(document: Document) -> bool:
    """Whether a second decides of whether mail is too old: ages are whole seconds."""
    return _first_number(document.get("control", {}).get("queuelifetime")) in (0, 1)


def _has_sender(document: Document) -> bool:
    """Whether there is a qmail-send to which a signal can be sent: it needs locals, or me in their place."""
    control = document.get("control", {})
    return not (control.get("me") is False and control.get("locals") is False)


def _brief(document: Document) -> Document:
    """The document with programs that say little where one crashes or forwards.

    How long sh's words for a crash are, and the number of a process, decides what is kept of a report that is
    too long.
    """
    programs = document.get("delivery-program", {})
    forwards = any("|forward " in str(text) for text in document.get("dot-qmail", {}).values())
    if not forwards and not any(each.get("fate") == "crash" for each in programs.values()):
        return document
    brief = {
        name: {**each, "says": each["says"][:_LITTLE]} if "says" in each else each
        for name, each in programs.items()
    }
    return {**document, "delivery-program": brief} if programs else document


def _without_waiting(document: Document) -> Document:
    """The document with no limit for which mail would wait, and grow older, where it is soon too old."""
    if not _is_soon_old(document):
        return document
    control = {name: value for name, value in document["control"].items() if name not in _LIMITS}
    return {**document, "control": control}


def _without_gone(modes: dict[str, Any]) -> dict[str, Any]:
    """Modes of files without those in homes that are not there."""
    return {
        name: mode
        for name, mode in modes.items()
        if modes.get(name.partition("/")[0]) != "gone" or "/" not in name
    }


def _first_number(value: Any) -> int | None:
    """The number that a control file begins with, as an unsigned one of 32 bits; None where it has none."""
    found = re.match(r"\d+", str(value[0] if isinstance(value, list) and value else value))
    return int(found[0]) % 2**32 if found else None


def _without_races(key: str, value: Any, chats: list[str]) -> Any:
    """A table in which no program reads the connection where more may come than one command.

    Who gets what then is chance. A client to whom a program says something goes on before qmail-smtpd does.
    """
    if key == "auth" and isinstance(value, dict):
        return {name: _without_races("rcptcheck", each, chats) for name, each in value.items()}
    if key != "rcptcheck" or not isinstance(value, dict) or "reads" not in value:
        return value
    if not value.get("says") and not any(map(_PIPELINED.search, chats)):
        return value
    return {name: each for name, each in value.items() if name != "reads"}


def of_file(path: Path) -> Document:
    """The document of a scenario file: what is done in it, without all that it expects. Raises UsageError."""
    load_scenario(path)
    document = tomllib.loads(scenario_text(path))
    for key in ("title", "text", "expect", "requirement"):
        document.pop(key, None)
    for table in _listed(document.get("deliver", [])):
        for key in ("report", "reports"):
            table.pop(key, None)
    if chats := [_reply_free(chat) for chat in _listed(document.get("session", []))]:
        document["session"] = chats
    return document


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _reply_free(chat: str) -> str:
    return "\n".join(WAIT if line.lstrip().startswith("<") else line for line in chat.split("\n"))


def text_of(document: Document) -> str:
    """The text of the scenario file that says this; reading it gives the same."""
    simple = {key: value for key, value in document.items() if not _is_table(value)}
    parts = ["".join(f"{_key(key)} = {_value(value)}\n" for key, value in simple.items())]
    for key, value in document.items():
        if isinstance(value, dict):
            parts.append(_table(f"[{_key(key)}]", value))
        elif _is_table(value):
            parts += [_table(f"[[{_key(key)}]]", table) for table in value]
    return "\n".join(filter(None, parts))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, dict) for each in value)
    )


def _table(header: str, table: dict[str, Any]) -> str:
    """A table with its values on lines of their own; tables in it stand inline."""
    return header + "\n" + "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def _key(name: str) -> str:
    return (
        name
        if name and all(each.isascii() and (each.isalnum() or each in "-_") for each in name)
        else _quoted(name)
    )


def _value(value: Any) -> str:
    """A text of several lines as it stands, where TOML can show it so; everything else on one line."""
    if isinstance(value, str):
        return f"'''\n{value}'''" if _is_plain(value) else _quoted(value)
    if isinstance(value, list) and any(isinstance(each, str) and "\n" in each for each in value):
        return "[\n" + "".join(f"{_value(each)},\n" for each in value) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether a text of several lines can stand between three quotes as it is."""
    printable: Iterable[bool] = (each.isprintable() or each in "\n\t" for each in text)
    return "\n" in text and "'''" not in text and not text.endswith("'") and all(printable)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
