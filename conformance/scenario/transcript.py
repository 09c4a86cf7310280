"""Reads the transcript of a session as other tools write it: in which form it is, and who said what.

Nothing is guessed: what cannot be told apart is a UsageError with the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conformance.errors import UsageError

Side = Literal["client", "server", "closed"]


@dataclass(frozen=True)
class Heard:
    """One line of a session, without its end. "closed": the server closed the connection."""

    side: Side
    text: str
    number: int


@dataclass(frozen=True)
class Transcript:
    """The sessions of a transcript; `form` says in which form it is written."""

    form: str
    sessions: tuple[tuple[Heard, ...], ...]


@dataclass(frozen=True)
class _Form:
    """Lines that bear a mark; a number in `who` names the session.

    `client` holds the marks of the client; without it the replies tell which side is which.
    """

    name: str
    line: re.Pattern[str]
    client: str = ""


_RECORDIO = "recordio"
_FORMS = (
    _Form("swaks", re.compile(r" ?(?P<mark>[-~]>|<[-~](?!>)|<\*\*|<~\*)(?: (?P<text>.*)|$)"), "-> ~>"),
    _Form(_RECORDIO, re.compile(r"(?:@[0-9a-f]{24} )?(?P<who>\d+) (?P<mark>[<>])(?: (?P<text>.*)|$)"), "<"),
    _Form(
        "Postfix, verbose log",
        re.compile(r"(?:.*\[(?P<who>\d+)\]: )?(?P<mark>[<>]) [^\s\[]+\[[^\]]*\](?::\d+)?: ?(?P<text>.*)"),
    ),
    _Form("Exim or Postfix, >>> and <<<", re.compile(r"\s*(?:SMTP)?(?P<mark>>>>?|<<<?)(?: (?P<text>.*)|$)")),
    _Form("C: and S:", re.compile(r"\s*(?P<mark>[CS]):(?: (?P<text>.*)|$)"), "C"),
    _Form("lines with > and <", re.compile(r"(?P<mark>[<>])(?: (?P<text>.*)|$)")),
)

_BARE = "telnet, nc or openssl s_client"
_REPLY = re.compile(r"[2-5]\d\d(?:[ -].*)?")
_COMMAND = re.compile(r"[A-Za-z]{4,}(?:[ :].*)?")
_CONTINUED = re.compile(r"\s+([2-5]\d\d[ -].*)")  # how Exim writes the further lines of a reply
_CLOSED = re.compile(
    r"Connection closed by foreign host\.?|\*\*\* Remote host closed connection unexpectedly\.?"
)
_NOISE = re.compile(
    r"Trying .*|Connected to .*|Escape character is .*|CONNECTED\(.*|---|DONE|closed|read:errno=.*|Ncat: .*"
    r"|Connection to .*|RENEGOTIATING|depth=.*|verify return:.*"
)

FORMS = (*(form.name for form in _FORMS), _BARE)


def read_transcript(text: str, path: Path) -> Transcript:
    """The sessions that a transcript shows; `path` is for messages. Raises UsageError."""
    rows = re.sub(r"\r(?= ?\n)", "", text).split("\n")  # recordio writes a space behind each line's end
    counts = [sum(_is_talk(form, row) for row in rows) for form in _FORMS]
    best = max(counts)
    if best >= 2:
        form = _FORMS[counts.index(best)]
        found = _marked(form, rows, path)
        name = form.name
    else:
        found = {"": _bare(rows, path)}
        name = _BARE
    sessions = [part for heard in found.values() for part in _split(heard)]
    for heard in sessions:
        _check(heard, path)
    return Transcript(name, tuple(tuple(heard) for heard in sessions))


def _wrong(path: Path, number: int, message: str, hint: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {message}", hint)


def _is_talk(form: _Form, row: str) -> bool:
    return form.line.fullmatch(row) is not None


def _marked(form: _Form, rows: Sequence[str], path: Path) -> dict[str, list[Heard]]:
    """The lines with a mark, by session; what bears none is the tool's own talk."""
    client = form.client.split() or _clients_marks(form, rows, path)
    found: dict[str, list[Heard]] = {}
    who = ""
    parts: dict[tuple[str, Side], str] = {}  #: what recordio wrote of a line so far
    for number, row in enumerate(rows, 1):
        line = form.line.fullmatch(row)
        if line is not None:
            who = line.groupdict().get("who") or ""
            side: Side = "client" if line["mark"] in client else "server"
            text = line["text"] or ""
            if form.name == _RECORDIO:
                text = parts.pop((who, side), "") + text
                if text.endswith("+"):
                    parts[who, side] = text[:-1]
                    continue
                text = text.removesuffix(" ")
                if text == "[EOF]":
                    if side == "server":
                        found.setdefault(who, []).append(Heard("closed", "", number))
                    continue
            if side == "server":
                text = text.lstrip(" ")
            if side == "server" and not _REPLY.fullmatch(text):
                hint = f"The form is taken for: {form.name}. A line of the server begins with three figures."
                raise _wrong(path, number, f"{text!r} is no reply", hint)
            found.setdefault(who, []).append(Heard(side, text, number))
        elif _CLOSED.fullmatch(row) and who in found:
            found[who].append(Heard("closed", "", number))
        elif (more := _CONTINUED.fullmatch(row)) and found.get(who) and found[who][-1].text[3:4] == "-":
            found[who].append(Heard("server", more[1], number))
    return found


def _clients_marks(form: _Form, rows: Sequence[str], path: Path) -> list[str]:
    """Which marks are the client's: the other one's lines are all replies."""
    texts: dict[str, list[str]] = {}
    first = 0
    for number, row in enumerate(rows, 1):
        if line := form.line.fullmatch(row):
            first = first or number
            texts.setdefault(line["mark"][0], []).append(line["text"] or "")
    servers = [mark for mark, said in texts.items() if all(_REPLY.fullmatch(one) for one in said)]
    if len(servers) != 1:
        which = "neither side" if not servers else "each side"
        hint = "A transcript shows commands on one side and replies (250 …) on the other."
        raise _wrong(path, first, f"{which} says replies alone, so which one is the server is unclear", hint)
    server = servers[0]
    marks = {line["mark"] for row in rows if (line := form.line.fullmatch(row))}
    return [mark for mark in marks if mark[0] != server]


def _bare(rows: Sequence[str], path: Path) -> list[Heard]:
    """A session without marks: replies begin with three figures, and what comes after 354 is a message."""
    start = next((index for index, row in enumerate(rows) if re.match(r"220[ -]", row)), None)
    if start is None:
        raise _wrong(path, 1, "no session is recognised here", f"Known forms are: {'; '.join(FORMS)}.")
    heard: list[Heard] = []
    state = ""  #: "354" while a message is said, "334" when an answer is due
    for number, row in enumerate(rows[start:], start + 1):
        if state == "354":
            heard.append(Heard("client", row, number))
            state = "" if row == "." else state
        elif _CLOSED.fullmatch(row):
            heard.append(Heard("closed", "", number))
        elif _REPLY.fullmatch(row):
            heard.append(Heard("server", row, number))
            state = row[:3] if row[3:4] != "-" else ""
        elif state == "334" or _COMMAND.fullmatch(row):
            if _NOISE.fullmatch(row):
                continue
            heard.append(Heard("client", row, number))
            state = ""
        elif row.strip() and not _NOISE.fullmatch(row):
            hint = "Take the line out, or mark every line with `> ` (the client) or `< ` (the server)."
            raise _wrong(path, number, f"who says {row!r} is unclear", hint)
    return heard


def _split(heard: list[Heard]) -> list[list[Heard]]:
    """A greeting in the midst of a session begins another one."""
    sessions: list[list[Heard]] = [[]]
    due = 0
    asked = ""
    for index, line in enumerate(heard):
        before = heard[index - 1] if index else None
        goes_on = before is not None and before.side == "server" and before.text[3:4] == "-"
        begins = line.side == "server" and not goes_on
        if begins and line.text.startswith("220") and not due and sessions[-1] and asked != "STARTTLS":
            sessions.append([])
        sessions[-1].append(line)
        if line.side == "client":
            due += 1
            asked = line.text.strip().upper()
        elif line.text[3:4] != "-":
            due = 0
    return [session for session in sessions if session]


def _check(heard: Sequence[Heard], path: Path) -> None:
    """Each reply must be whole, with one code, and something must have been said."""
    code = ""
    for line in heard:
        if line.side == "closed":
            continue
        if code and (line.side != "server" or line.text[:3] != code):
            raise _wrong(
                path, line.number, f"the reply {code} is not whole before this line", "Give all of its lines."
            )
        code = line.text[:3] if line.side == "server" and line.text[3:4] == "-" else ""
    if code:
        raise _wrong(path, heard[-1].number, f"the reply {code} is not whole", "Give all of its lines.")
    if not any(line.side == "server" for line in heard):
        raise _wrong(
            path, heard[0].number, "the server says nothing in this session", "Give the replies as well."
        )
