"""Reads the transcript of a session as other tools write it: in which form it is, and who said what.

Nothing is guessed: what cannot be told apart is a UsageError with the line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from conformance.errors import UsageError

Side = Literal["client", "server", "closed"]


@dataclass(frozen=True)
class Heard:
    """One line of a session, without its end. "closed": the server closed the connection.

    `code`: of the reply to what the client said; "" when none came. That to a message belongs to its dot.
    """

    side: Side
    text: str
    number: int
    code: str = ""


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

_ALL = "Give all of its lines."
FORMS = (*(form.name for form in _FORMS), _BARE)


def read_transcript(text: str, path: Path) -> Transcript:
    """The sessions that a transcript shows; `path` is for messages. Raises UsageError."""
    rows = re.sub(r"\r(?= ?\n)", "", text).split("\n")  # recordio writes a space behind each line's end
    talk = {form: sum(form.line.fullmatch(row) is not None for row in rows) for form in _FORMS}
    best = max(_FORMS, key=lambda form: talk[form])
    if talk[best] >= 2:
        name, found = best.name, list(_marked(best, rows, path).values())
    else:
        name, found = _BARE, [_bare(rows, path)]
    return Transcript(name, tuple(session for heard in found for session in _sessions(heard, path)))


def _sessions(heard: Sequence[Heard], path: Path) -> Iterator[tuple[Heard, ...]]:
    """The sessions, each line of the client with the code of its reply; a greeting within begins another.

    Raises UsageError for a reply that is not whole, and where the server says nothing.
    """
    session: list[Heard] = []
    due: list[int] = []  #: lines of the client that have no reply yet
    code = asked = ""  #: of the reply that goes on; the last line of the client
    in_message = waiting = False
    for line in heard:
        if code and line.side != "closed" and (line.side != "server" or line.text[:3] != code):
            raise _wrong(path, line.number, f"the reply {code} is not whole before this line", _ALL)
        is_greeting = line.side == "server" and line.text.startswith("220") and not (code or waiting)
        if is_greeting and session and asked != "STARTTLS":
            yield _spoken(session, path)
            session, due, in_message = [], [], False
        if line.side == "client":
            asked, waiting = line.text.strip().upper(), True
            if not in_message or line.text == ".":
                due.append(len(session))
                in_message = False
        elif line.side == "closed":
            waiting = False
        elif line.text[3:4] == "-":
            code = line.text[:3]
        else:
            if due:
                answered = due.pop(0)
                session[answered] = replace(session[answered], code=line.text[:3])
                in_message = line.text.startswith("354")
            code, waiting = "", False
        session.append(line)
    if code:
        raise _wrong(path, heard[-1].number, f"the reply {code} is not whole", _ALL)
    yield _spoken(session, path)


def _spoken(session: list[Heard], path: Path) -> tuple[Heard, ...]:
    if not any(line.side == "server" for line in session):
        message = "the server says nothing in this session"
        raise _wrong(path, session[0].number, message, "Give the replies as well.")
    return tuple(session)


def _wrong(path: Path, number: int, message: str, hint: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {message}", hint)


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
            text = text.lstrip(" ") if side == "server" else text
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
    lines = [(number, line) for number, row in enumerate(rows, 1) if (line := form.line.fullmatch(row))]
    texts: dict[str, list[str]] = {}
    for _, line in lines:
        texts.setdefault(line["mark"][0], []).append(line["text"] or "")
    servers = [mark for mark, said in texts.items() if all(map(_REPLY.fullmatch, said))]
    if len(servers) != 1:
        which = "each" if servers else "neither"
        message = f"{which} side says replies alone, so which one is the server is unclear"
        hint = "A transcript shows commands on one side and replies (250 …) on the other."
        raise _wrong(path, lines[0][0], message, hint)
    return [line["mark"] for _, line in lines if line["mark"][0] != servers[0]]


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
        elif _NOISE.fullmatch(row):
            continue
        elif state == "334" or _COMMAND.fullmatch(row):
            heard.append(Heard("client", row, number))
            state = ""
        elif row.strip():
            hint = "Take the line out, or mark every line with `> ` (the client) or `< ` (the server)."
            raise _wrong(path, number, f"who says {row!r} is unclear", hint)
    return heard
