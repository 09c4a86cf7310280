"""A session in the manner of a chat: its grammar, and reading it with an error for each line that is wrong.

> MAIL FROM:<a@b.example>      the client says; several in a row go out in one write
< 250                          the reply's code; `< 250 ok *` its last line too, `*` for anything
< 250-AUTH*                    a line of the reply; `<! 250-AUTH*` no line of it
< closed                       qmail closes, with nothing more to say; `< silence` it says nothing
| Subject: hello               a line of a message: dots are stuffed, and the final dot is added
! half-close                   the client says that no more will come; see `_DIRECTIVES`
# a comment
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from conformance.nearest import did_you_mean
from conformance.scenario.escapes import expand, is_cut, pattern
from conformance.smtp.reply import Reply

_CODE = re.compile(r"(?P<code>\*|[1-5x][0-9x][0-9x])(?:(?P<more>[ -])(?P<text>.*))?")
_WAIT = re.compile(r"silence(?: (\d{1,2}))?")
_PAUSE = re.compile(r"pause (\d{1,2}(?:\.\d{1,3})?)")
_DIRECTIVES = {
    "half-close": "the client will send no more, and goes on reading",
    "cut": "a new write begins",
    "pause 0.5": "the client says nothing for so many seconds",
    "early": "as the first line: the client talks before the greeting",
}
_SIGNS = "a line begins with `> `, `< `, `<! `, `| `, `! ` or `#`"

#: Seconds that `< silence` waits, unless it says otherwise.
SILENCE = 3.0

#: Octets that the client says in a scenario, and lines that are expected of one reply.
MOST_SAID = 16_000_000
_MOST_LINES = 1000


class ChatError(ValueError):
    """A line that does not read as a line of a chat; `number` is its line in the file."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True)
class Said:
    """One line of the client: `sign` is ">" for a command, "|" for a line of a message; `raw` as written."""

    sign: str
    raw: str


@dataclass(frozen=True)
class Write:
    """What goes out in one write. `early`: before the greeting is read."""

    lines: tuple[Said, ...]
    early: bool = False

    @property
    def is_message(self) -> bool:
        return self.lines[0].sign == "|"

    def octets(self, challenge: str = "") -> bytes:
        """As on the wire; the lines of a message with their dots stuffed and the final dot behind them."""
        out: list[bytes] = []
        for index, line in enumerate(self.lines):
            octets = expand(line.raw, challenge) + (b"" if is_cut(line.raw) else b"\r\n")
            if line.sign == "|":
                octets = b"." + octets if octets.startswith(b".") else octets
                last = index + 1 == len(self.lines) or self.lines[index + 1].sign != "|"
                octets += b".\r\n" if last else b""
            out.append(octets)
        return b"".join(out)


@dataclass(frozen=True)
class ReplyLine:
    """A line that a reply must have. `code` may hold `x` for any figure, or be `*`; `text` None: whatever.

    `kind`: "last" for the last line, "some" for any line, "none" for a line that must not be there.
    """

    kind: Literal["last", "some", "none"]
    code: str
    text: str | None = None

    def is_met(self, reply: Reply) -> bool:
        """Whether a reply has this line; or, of the kind "none", has it not."""
        figures = all(
            wanted in ("x", figure) for wanted, figure in zip(self.code, f"{reply.code:03d}", strict=False)
        )
        fitting = pattern("*" if self.text is None else self.text)
        lines = reply.lines[-1:] if self.kind == "last" else reply.lines
        found = (figures or self.code == "*") and any(map(fitting.fullmatch, lines))
        return found != (self.kind == "none")


@dataclass(frozen=True)
class Expected:
    """One reply that must come, or "closed", or "silence" for so many seconds. `shown` as written."""

    kind: Literal["reply", "closed", "silence"]
    lines: tuple[ReplyLine, ...]
    shown: str
    number: int
    seconds: float = SILENCE

    @property
    def is_whole(self) -> bool:
        """Whether no further line belongs to it."""
        return not self.lines or self.lines[-1].kind == "last"


@dataclass(frozen=True)
class HalfClose:
    """The client will send no more."""


@dataclass(frozen=True)
class Pause:
    """The client says nothing for so long, and reads nothing."""

    seconds: float


Step = Write | Expected | HalfClose | Pause


@dataclass(frozen=True)
class Chat:
    """One connection to qmail-smtpd. `number` is the line in the file where it begins."""

    steps: tuple[Step, ...]
    number: int


def read_chat(text: str, first: int, most: int = MOST_SAID) -> Chat:
    """Read a chat of `most` octets at most, which begins in line `first` of its file. Raises ChatError."""
    reader = _Reader(most)
    for number, line in enumerate(text.split("\n"), first):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                reader.take(number, line.lstrip())
            except ValueError as error:
                raise ChatError(number, str(error)) from error
    if reader.opened == "early":
        raise ChatError(first, "after `! early` comes what the client says")
    if not reader.steps:
        raise ChatError(first, "a chat without a line; write for example `> EHLO client.example`")
    steps = (step.write() if isinstance(step, _Begun) else step for step in reader.steps)
    return Chat(tuple(steps), first)


@dataclass
class _Begun:
    """A write to which further lines may come."""

    lines: list[Said]
    early: bool

    def write(self) -> Write:
        return Write(tuple(self.lines), self.early)


class _Reader:
    """The steps so far. `opened`: what the line before says of the next step: "early", "cut"."""

    def __init__(self, most: int) -> None:
        self.steps: list[_Begun | Expected | HalfClose | Pause] = []
        self.opened = ""
        self._in_message = False  #: one has been said, and no reply to it is expected yet
        self._left = most

    def take(self, number: int, line: str) -> None:
        """Add what one line says to the steps. Raises ValueError."""
        sign, rest = _split(line)
        last = self.steps[-1] if self.steps and self.opened != "cut" else None
        if sign in ">|":
            self._say(Said(sign, rest), last)
        elif sign == "!":
            self._do(rest)
        else:
            self._expect(_expected(number, sign, rest), last)

    def _say(self, said: Said, last: object) -> None:
        self._left -= len(expand(said.raw))
        if self._left < 0:
            raise ValueError(f"the client says more than {MOST_SAID} octets in all")
        if isinstance(last, _Begun) and last.lines[0].sign == said.sign:
            last.lines.append(said)
        elif said.sign == "|" and self._in_message:
            raise ValueError(
                "a message is said in one write, and the final dot is added behind it; "
                "for one in pieces write its lines with `>`, and `> .` for the dot"
            )
        else:
            self._in_message = self._in_message or said.sign == "|"
            self.steps.append(_Begun([said], self.opened == "early"))
        self.opened = ""

    def _do(self, directive: str) -> None:
        if pause := _PAUSE.fullmatch(directive):
            if self.opened == "early":
                raise ValueError("after `! early` comes what the client says")
            self.steps.append(Pause(float(pause[1])))
            return
        if directive not in _DIRECTIVES:
            known = "; ".join(f"`! {name}`: {what}" for name, what in _DIRECTIVES.items())
            hint = did_you_mean(directive, _DIRECTIVES, f"known are {known}")
            raise ValueError(f"there is no `! {directive}`; {hint}")
        if directive == "early" and self.steps:
            raise ValueError("`! early` is the first line of a chat")
        if directive == "half-close":
            self.steps.append(HalfClose())
        self.opened = directive

    def _expect(self, wanted: Expected, last: object) -> None:
        self._in_message = False
        if not (isinstance(last, Expected) and wanted.lines and not last.is_whole):
            self.steps.append(wanted)
            return
        if wanted.lines[0].code != last.lines[0].code:
            raise ValueError(f"the lines of one reply have one code, here {last.lines[0].code}")
        if len(last.lines) == _MOST_LINES:
            raise ValueError(f"more than {_MOST_LINES} lines of one reply")
        shown = f"{last.shown} / {wanted.shown}"
        self.steps[-1] = replace(last, lines=last.lines + wanted.lines, shown=shown)


def _split(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"(<!|[><|!])(?: (.*)|(.*))", line, re.DOTALL)
    if found is None:
        raise ValueError(f"{line!r} is no line of a chat; {_SIGNS}")
    sign, rest, unspaced = found.groups("")
    if unspaced:
        raise ValueError(f"after `{sign}` comes a space: `{sign} {unspaced}`")
    return sign, rest if sign in ">|" else rest.strip()


def _expected(number: int, sign: str, rest: str) -> Expected:
    """What one line says must come: an end, silence, or a line of a reply."""
    if rest == "closed":
        return Expected("closed", (), f"< {rest}", number)
    if wait := _WAIT.fullmatch(rest):
        return Expected("silence", (), f"< {rest}", number, float(wait[1] or SILENCE))
    found = _CODE.fullmatch(rest)
    if found is None:
        raise ValueError(
            f"`{sign} {rest}` is no reply; write `< 250`, `< 250 ok *`, `< 5xx`, `< *`, `< closed`"
        )
    text = found["text"] or None
    pattern(text or "")
    kind: Literal["last", "some", "none"] = "some" if found["more"] == "-" else "last"
    if sign == "<!":
        if kind == "last":
            raise ValueError(f"`<!` speaks of a line of a reply: `<! {found['code']}-AUTH*`")
        kind = "none"
    return Expected("reply", (ReplyLine(kind, found["code"], text),), f"{sign} {rest}", number)
