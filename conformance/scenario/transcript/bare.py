"""Tells who speaks where no line has a mark: replies begin with three figures, a message comes after 354."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.scenario.transcript.lines import REPLY, Line, shown, verb, wrong

_COMMAND = re.compile(r"[A-Za-z]{4,}(?:[ :].*)?")
_GREETING = re.compile(r"220(?:[ -].*)?")
_BEGINS = re.compile(r"(?:EHLO|HELO|MAIL FROM:|RCPT TO:|AUTH |NOOP|RSET|DATA|STARTTLS)", re.IGNORECASE)
#: What programs say themselves that show a session as it is.
_TALK = re.compile(
    r"Trying .*|Connected to .*|Escape character is .*|CONNECTED\(.*|---|DONE|closed|read:errno=.*|Ncat: .*"
    r"|Connection .*|depth=.*|verify (?:return|error):.*|read R BLOCK|[0-9A-F]{8,}:error:.*"
    r"|DEBUG(?: \w+)?: .*|={3}.*|\*{3} .*|[$%] .*|\^\]|telnet> .*|spawn .*|=~=~.*"
)
#: What `openssl s_client` says where it took the line before for itself.
_TAKEN = re.compile(r"RENEGOTIATING|KEYUPDATE|HEARTBEATING|DONE")
_CLOSED = re.compile(r"Connection closed by foreign host\.?|closed|read:errno=.*")

_EDITED = re.compile(r"[\x07\x08\x1b\x7f]")

_HINT = "Take the line out, or mark every line with `> ` (the client) or `< ` (the server)."

Rows = Sequence[tuple[str, int, str]]


def bare(rows: Rows, path: Path) -> list[Line]:
    """The lines of rows (side, number, text), of which those of side "talk" are none. Raises UsageError."""
    return _Bare(_shown(rows), path).lines()


def _shown(rows: Rows) -> list[tuple[str, int, str]]:
    """The rows without what stands before the session, and without what s_client took for itself."""
    texts = [text for _, _, text in rows]
    start = next(
        (index for index, text in enumerate(texts) if REPLY.fullmatch(text) or _BEGINS.match(text)), 0
    )
    said = 0
    if any(text.startswith(("CONNECTED(", "verify return:")) for text in texts):
        said = next((index for index, text in enumerate(texts) if _BEGINS.match(text)), len(texts))
        greetings = [index for index in range(start, said) if _GREETING.fullmatch(texts[index])]
        start = greetings[0] if greetings else said
    found: list[tuple[str, int, str]] = []
    ticket = False
    for index, (side, number, text) in enumerate(rows):
        ticket = text.startswith("Post-Handshake New Session Ticket") or (ticket and text != "---")
        if (
            _TAKEN.fullmatch(text)
            and found
            and not (text == "DONE" and any(map(REPLY.fullmatch, texts[index:])))
        ):
            while found and found[-1][0] == "talk":
                found.pop()
            if found and not REPLY.fullmatch(found[-1][2]):
                found[-1] = ("note", found[-1][1], "left out, for openssl s_client took it for itself")
        elif said and index < start and REPLY.fullmatch(text):
            found.append(("note", number, "left out, a reply to what openssl s_client itself has said"))
        else:
            found.append(("talk" if index < start or ticket else side, number, text))
    return found


class _Bare:
    def __init__(self, rows: Rows, path: Path) -> None:
        self._rows = rows
        self._path = path
        self._lines: list[Line] = []
        self._dots = self._next(lambda text: text == ".")
        self._ends = self._next(lambda text: _GREETING.fullmatch(text) or _CLOSED.fullmatch(text))
        self._replies = self._next(REPLY.fullmatch)
        self._state = ""  #: "334" when an answer is due, "over" after the end

    def lines(self) -> list[Line]:
        message = 0  #: where the message that goes on ends
        for index, (side, number, text) in enumerate(self._rows):
            if index < message:
                # Tools that mark the first line of what they show at once have the dot without a mark.
                is_said = side != "talk" or self._rows[message - 1][0] == "talk"
                self._lines.append(Line("client" if is_said else "talk", text, number))
            elif side in ("talk", "note"):
                self._lines.append(Line(side, text, number))  # type: ignore[arg-type]
            else:
                self._take(index, number, text)
                if self._state == "354":
                    self._state = ""
                    message = self._end_of_message(index + 1)
        return self._lines

    def _take(self, index: int, number: int, text: str) -> None:
        if REPLY.fullmatch(text):
            quits = self._state == "quit"
            self._lines.append(Line("server", text, number))
            self._state = "over" if quits and text.startswith("221") else "" if text[3:4] == "-" else text[:3]
        elif _TALK.fullmatch(text.strip()):
            self._lines.append(Line("talk", text, number))
            self._state = "over" if _CLOSED.fullmatch(text.strip()) else self._state
        elif _EDITED.search(text):
            raise wrong(self._path, number, "this line was edited while it was typed, or is coloured", _HINT)
        elif self._state == "334" and (text.strip() or self._is_reply(index + 1)):
            self._lines.append(Line("client", text, number))
            self._state = ""
        elif not text.strip() or (self._state == "over" and not _BEGINS.match(text)):
            self._lines.append(Line("talk", text, number))
        elif _COMMAND.fullmatch(text):
            self._lines.append(Line("client", text, number))
            self._state = "quit" if verb(text) == "QUIT" else ""
        else:
            raise wrong(self._path, number, f"who says {shown(text)} is unclear", _HINT)

    def _is_reply(self, index: int) -> bool:
        return index < len(self._rows) and bool(REPLY.fullmatch(self._rows[index][2]))

    def _next(self, fits: Callable[[str], object]) -> list[int]:
        """For each row the first one from there on whose text fits; their number where none does."""
        found = [len(self._rows)]
        for index in range(len(self._rows) - 1, -1, -1):
            found.append(index if fits(self._rows[index][2]) else found[-1])
        return found[::-1]

    def _end_of_message(self, start: int) -> int:
        """Where a message ends that begins at `start`: behind its dot, or where it is refused before that."""
        dot, over, reply = (places[start] for places in (self._dots, self._ends, self._replies))
        if dot <= over and dot < len(self._rows):
            return dot + 1
        end = min(over, reply)
        if reply < over and self._rows[reply][2][0] not in "45":
            number = self._rows[reply][1]
            raise wrong(self._path, number, "a reply where the message must be, or its dot is missing", _HINT)
        return end
