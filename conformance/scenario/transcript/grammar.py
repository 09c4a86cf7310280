"""Makes sessions of lines, and refuses what makes none: so a wrong reading is an error, and no scenario.

A greeting comes first, unless the beginning is not shown; every reply answers a command that it can answer;
only what can be pipelined is; 354 is followed by a message, and 334 by an answer.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import NoReturn

from conformance.scenario.transcript.lines import (
    ANSWERS,
    PIPELINED,
    REPLY,
    Heard,
    Line,
    Part,
    Session,
    is_hidden,
    shown,
    suppresses,
    verb,
    withholds,
    wrong,
)  # fmt: skip
from conformance.scenario.transcript.plausible import (
    can_answer,
    can_turn_away,
    is_closing,
    is_message_as_said,
    is_open,
    is_short,
    is_whole_message,
    may_be_rest,
    may_follow_message,
)

#: What tools say where another connection begins or one ends.
_BETWEEN = re.compile(r"connect|trying|clos|disconnect|lost|\[EOF\]|^\s*[$#%>] ", re.IGNORECASE)
_TWO = re.compile(r"(?:[<>]|\bS:) *[2-5][0-5]\d[ -]")
_NO_PATH = re.compile(r"(?:MAIL FROM|RCPT TO):?", re.IGNORECASE)
_COMMAND = re.compile(
    r"QUIT|RSET|NOOP|DATA|STARTTLS|(?:EHLO|HELO) +[\w.:\[\]-]+|AUTH [A-Z0-9-]{4,}(?: \S+)?"
    r"|(?:MAIL FROM|RCPT TO): ?<[^<>]*>(?: [\w-]+(?:=\S*)?)*",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"\bmessage repeated \d+ times\b")
_SIZE = re.compile(r"\d (?:bytes|octets)|size[ =]\d")

_ALL = "Give all of its lines."
_EACH = "Give each connection for itself."
_MARK = "Take out what belongs to no session, or mark every line: `> ` the client's, `< ` the server's."


def sessions(lines: Iterable[Line], path: Path, is_bare: bool) -> list[Session]:
    """The sessions that one stream of lines makes. `is_bare`: all that was said is shown, message and all.

    Raises UsageError for the first line that does not fit.
    """
    reader = _Reader(path, is_bare)
    for line in lines:
        reader.take(line)
    reader.finish()
    return reader.sessions


class _Reader:
    def __init__(self, path: Path, is_bare: bool) -> None:
        self._path = path
        self._is_bare = is_bare
        self.sessions: list[Session] = []
        self._begin()

    def _begin(self) -> None:
        self._lines: list[Heard] = []
        self._notes: list[str] = []
        self._told: set[int] = set()
        self._due: list[int] = []  #: lines of the client that have no reply yet
        self._open: Line | None = None  #: the line before, of a reply that goes on
        self._message: list[Line] | None = None  #: what came since 354
        self._challenged = False
        self._gone: Line | None = None  #: with what the server has said, unasked, that it goes
        self._ended = self._closed = False
        self._talk: list[Line] = []  #: what the tool said since the last line of the session

    def take(self, line: Line) -> None:
        if line.side == "note":
            self._notes.append(f"line {line.number}: {line.text}")
            self._told.add(line.number)
        elif line.side == "talk":
            self._take_talk(line)
        elif line.side == "server":
            self._take_reply(line)
        elif line.side == "client":
            self._take_command(line)
        else:
            self._take_end(line)

    def _wrong(self, number: int, message: str, hint: str = _ALL) -> NoReturn:
        raise wrong(self._path, number, message, hint)

    def _take_talk(self, line: Line) -> None:
        text = line.text.strip()
        if self._lines and not self._closed and _REPEATED.search(text):
            self._wrong(line.number, "what is repeated here is not shown each time", "Write it that often.")
        if self._open and REPLY.fullmatch(text) and text[:3] == self._open.text[:3]:
            # Exim and others mark the first line of a reply alone.
            self._take_reply(replace(line, side="server", text=text))
        elif self._lines and is_closing(text, self._is_bare):
            self._take_end(replace(line, side="closed", text=""))
        elif self._message is not None:
            self._message.append(line)
        else:
            last = self._lines[-1] if self._lines else None
            if text and last and last.side == "client" and not any(talk.text.strip() for talk in self._talk):
                self._is_no_rest(line, last)
            if last and not (self._ended or self._closed) and _COMMAND.fullmatch(text.lstrip("> ")):
                what = "this looks like a command, in another form than the others"
                self._wrong(line.number, what, _MARK)
            self._talk.append(line)

    def _is_no_rest(self, line: Line, last: Heard) -> None:
        """What the tool says directly after a command must not look like the end of it."""
        text = re.sub(r"^[>|\s]+", "", line.text).rstrip()
        if is_open(last):
            self._wrong(line.number, f"whether line {last.number} goes on here is unclear", _MARK)
        if may_be_rest(text, last):
            hint = "Join the two lines; or take this one out, if nobody said it."
            self._wrong(line.number, f"this looks like the rest of line {last.number}", hint)

    # The client

    def _take_command(self, line: Line) -> None:
        self._whole_before(line)
        if self._message is not None:
            self._message.append(line)
            if line.text == ".":
                self._settle_message("")
            return
        if self._closed:
            self._wrong(line.number, "the client speaks after the connection was closed")
        self._no_secret_is_left()
        last = self._lines[self._due[-1]] if self._due else None
        if last is not None and last.part == "command" and verb(last.text) not in PIPELINED:
            what = f"line {last.number} is not answered before this one, and must be before more is said"
            self._wrong(line.number, what, f"{_ALL} {_MARK}")
        if self._challenged:
            if verb(line.text) in ANSWERS:
                self._wrong(line.number, "this does not answer the 334 before it")
            self._say(line, "answer", is_hidden(line.text))
            return
        hidden = withholds(line.text) and not self._is_bare
        if "=3D" in line.text:
            self._wrong(line.number, "this is written in quoted-printable", "Give the text as it was before.")
        if _TWO.search(line.text):
            self._wrong(line.number, "a command and a reply in one line", "Write each in a line of its own.")
        if verb(line.text) == "BDAT":
            self._wrong(line.number, "BDAT is not understood", "Show the session with DATA.")
        auth = re.fullmatch(r"AUTH +\S+ +(.*)", line.text.strip(), re.IGNORECASE)
        self._ended = self._ended or verb(line.text) == "QUIT"
        if _NO_PATH.fullmatch(line.text.strip()):
            self._notes.append(f"line {line.number}: no address stands in it, and none is sent")
        if hidden:
            self._say(replace(line, text="AUTH PLAIN *"), "command", True)
        else:
            self._say(line, "command", auth is not None and is_hidden(auth[1]))

    def _say(self, line: Line, part: Part, hidden: bool = False, due: bool = True) -> None:
        if due:
            self._due.append(len(self._lines))
        self._lines.append(Heard("client", line.text, line.number, part, hidden=hidden))
        self._challenged = False
        self._talk = []

    # The message

    def _settle_message(self, code: str) -> None:
        """Decide what the lines since 354 were, now that the dot, a reply (`code`) or the end has come."""
        said = list(dropwhile(lambda line: line.side == "talk", self._message or [])) or self._message or []
        said = [line for line in said if line.side == "client" or line.text.strip() or line is not said[-1]]
        self._message = None
        mine = [line for line in said if line.side == "client"]
        is_mixed = any(line.side == "talk" and line.text.strip() for line in said)
        after: list[Line] = []
        if is_whole_message(said, mine, is_mixed, self._is_bare):
            self._say_message(said if is_mixed else mine)
            return
        while mine and may_follow_message(mine[-1].text) and not self._is_bare:
            after.insert(0, mine.pop())
        if code[:1] != "2" and is_message_as_said(mine, self._is_bare) and not (is_mixed or after):
            for line in mine:
                self._say(line, "cut", due=line is mine[-1])
            what = "the message ends here, without its dot, as it is shown"
            self._notes.append(f"line {mine[-1].number}: {what}")
        elif code or mine or after:
            self._stand_in(said, mine)
            for line in after:
                self._take_command(line)
        else:
            what = "what follows 354 is not shown, and the session ends there"
            self._notes.append(f"line {self._lines[-1].number}: {what}")

    def _say_message(self, said: list[Line]) -> None:
        for line in said[:-1]:
            self._say(line, "message", due=False)
        self._say(replace(said[-1], text="."), "dot")

    def _stand_in(self, said: list[Line], mine: list[Line]) -> None:
        number = (mine or said or self._lines[-1:])[0].number
        sizes = [shown(line.text.strip()) for line in said if _SIZE.search(line.text)]
        named = "; ".join(sizes[:3])
        what = f", and of it is said: {named}" if named else ""
        more = f"; taken out: lines {mine[0].number} to {mine[-1].number}" if len(mine) > 1 else ""
        self._told |= {line.number for line in said}
        self._say(Line("client", "", number), "unseen")
        self._notes.append(
            f"line {number}: the message is not shown (whole){what}{more}; another one stands in"
        )

    # The server

    def _take_reply(self, line: Line) -> None:
        if not REPLY.fullmatch(line.text):
            hint = f"Each line of the server begins with the three figures of a reply. {_MARK}"
            self._wrong(line.number, f"{shown(line.text)} is no reply", hint)
        if self._open is None:
            self._answer(line)
        self._whole_before(line)
        self._lines.append(Heard("server", line.text, line.number))
        self._open = line if line.text[3:4] == "-" else None
        self._talk = []

    def _whole_before(self, line: Line) -> None:
        if self._open and (line.side != "server" or line.text[:3] != self._open.text[:3]):
            self._wrong(line.number, f"the reply {self._open.text[:3]} is not whole before this line")

    def _answer(self, line: Line) -> None:
        """Find what a reply answers, at its first line."""
        code = line.text[:3]
        if self._message is not None:
            self._settle_message(code)
        asked = self._lines[self._due[0]] if self._due else None
        if code == "220" and not (asked and verb(asked.text) in ("STARTTLS", "XCLIENT")):
            self._greet(line)
            return
        if self._closed:
            self._wrong(line.number, "the server speaks after the connection was closed")
        if self._gone:
            what = f"the reply {self._gone.text[:3]} answers nothing that is shown, and the session goes on"
            self._wrong(self._gone.number, what, f"{_ALL} {_MARK}")
        if asked is None:
            self._unasked(line)
            return
        if not can_answer(asked, code):
            what = f"{code} cannot answer line {asked.number}, which is the next without a reply"
            self._wrong(line.number, what, f"{_ALL} {_MARK}")
        if code == "334" and asked.hidden and verb(asked.text) == "AUTH" and asked.text.endswith(" *"):
            self._wrong(
                asked.number, "the command that 334 answers is hidden", "Write AUTH and its method there."
            )
        if code in ("235", "535") and asked.part == "command" and is_short(asked):
            what = f"{code} answers this, and what was to be said with it is not shown"
            self._wrong(asked.number, what, "Write it there; or `AUTH PLAIN ****` where it is secret.")
        self._not_turned_away(code)
        self._lines[self._due.pop(0)] = replace(asked, code=code)
        self._challenged = code == "334"
        self._ended = self._ended or asked.part == "cut"
        self._message = [] if code == "354" else None

    def _not_turned_away(self, code: str) -> None:
        """Raise UsageError where the first line is a refusal, and the server then does what it is asked."""
        first = self._lines[0]
        if first.side == "server" and first.text[0] in "45" and code[0] in "23" and code != "221":
            what = f"the first reply is {first.text[:3]}, and yet commands are taken after it"
            self._wrong(first.number, what, _MARK)

    def _greet(self, line: Line) -> None:
        if not self._lines:
            return
        if not any(heard.side == "server" for heard in self._lines):
            self._wrong(line.number, "the greeting stands after what the client says")
        if not any(heard.side == "client" for heard in self._lines):
            what = "two greetings in a row: connections are mixed, or the client is not shown"
            self._wrong(line.number, what, _EACH)
        between = any(_BETWEEN.search(talk.text) for talk in self._talk)
        if not (self._ended or self._closed or between):
            self._wrong(line.number, "another greeting before the session has ended", _EACH)
        self.finish()

    def _unasked(self, line: Line) -> None:
        """A reply that nothing has asked for: the first, the last, or one to a command that is hidden."""
        code = line.text[:3]
        secret = next((talk for talk in self._talk if suppresses(talk.text)), None)
        if not self._lines:
            if not can_turn_away(code):
                self._wrong(line.number, f"the first reply is {code}, which is no greeting", _ALL)
        elif secret is not None and code in ("235", "432", "454", "501", "504", "530", "534", "535"):
            self._say(Line("client", "AUTH PLAIN *", secret.number), "command", True)
            self._lines[self._due.pop()] = replace(self._lines[-1], code=code)
        elif code == "421" or (code == "451" and "time" in line.text):  # shutting down, or too slow a client
            self._ended = True
            self._gone = line
        else:
            self._wrong(line.number, f"the reply {code} answers nothing that is shown", f"{_ALL} {_MARK}")

    # The end

    def _take_end(self, line: Line) -> None:
        self._whole_before(line)
        if self._closed or not self._lines:
            return
        if self._message is not None:
            self._settle_message("")
        self._closed = line.side == "closed"
        self._lines.append(Heard(line.side, "", line.number, "end"))  # type: ignore[arg-type]

    def _no_secret_is_left(self) -> None:
        for talk in self._talk:
            if suppresses(talk.text):
                hint = "Write there what the client said, and each reply; or take it out if that was nothing."
                self._wrong(talk.number, "something is hidden here, and no reply shows what", hint)

    def finish(self) -> None:
        """The session is over: what is left open must be no trouble."""
        if self._open:
            self._wrong(self._open.number, f"the reply {self._open.text[:3]} is not whole")
        if self._message is not None:
            self._settle_message("")
        self._no_secret_is_left()
        if self._lines and not any(line.side == "server" for line in self._lines):
            hint = "Give the replies as well."
            self._wrong(self._lines[0].number, "the server says nothing in this session", hint)
        for index in self._due:
            line = self._lines[index]
            if (
                line.part == "command"
                and verb(line.text) not in ANSWERS
                and self._is_bare
                and not self._closed
            ):
                self._wrong(line.number, f"who says {shown(line.text)} is unclear", _MARK)
            self._notes.append(f"line {line.number}: no reply to this is shown, and none is expected")
        if self._lines and self._lines[0].side == "client":
            self._notes.insert(0, f"line {self._lines[0].number}: the greeting is not shown; 220 is expected")
        if self._lines:
            self.sessions.append(Session(tuple(self._lines), tuple(self._notes), frozenset(self._told)))
        self._begin()
