"""A session in the manner of a chat: its grammar, and reading it with an error for each line that is wrong.

> MAIL FROM:<a@b.example>      the client says; several in a row go out in one write
< 250                          the reply's code; `< 250 ok *` its last line too, `*` for anything
< 250-AUTH*                    a line of the reply; `<! 250-AUTH*` no line of it
< closed                       qmail closes, with nothing more to say; `< silence` it says nothing
| Subject: hello               a line of a message: dots are stuffed, and the final dot is added
! half-close                   the client says that no more will come; see `_DIRECTIVES`
# a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from conformance.scenario.escapes import expand, is_cut, pattern

_CODE = re.compile(r"(?P<code>\*|[1-5x][0-9x][0-9x])(?:(?P<more>[ -])(?P<text>.*))?")
_WAIT = re.compile(r"silence(?: (\d{1,2}))?")
_DIRECTIVES = {
    "half-close": "the client will send no more, and goes on reading",
    "cut": "a new write begins",
    "early": "as the first line: the client talks before the greeting",
}
_SIGNS = "a line begins with `> `, `< `, `<! `, `| `, `! ` or `#`"

#: Seconds that `< silence` waits, unless it says otherwise.
SILENCE = 3.0


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
    number: int


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
        out = b""
        for index, line in enumerate(self.lines):
            octets = expand(line.raw, challenge) + (b"" if is_cut(line.raw) else b"\r\n")
            if line.sign == "|":
                octets = b"." + octets if octets.startswith(b".") else octets
                last = index + 1 == len(self.lines) or self.lines[index + 1].sign != "|"
                octets += b".\r\n" if last else b""
            out += octets
        return out


@dataclass(frozen=True)
class ReplyLine:
    """A line that a reply must have. `code` may hold `x` for any figure, or be `*`; `text` None: whatever.

    `kind`: "last" for the last line, "some" for any line, "none" for a line that must not be there.
    """

    kind: Literal["last", "some", "none"]
    code: str
    text: str | None = None

    def fits(self, code: int, line: str) -> bool:
        figures = f"{code:03d}"
        same = self.code == "*" or all(a in ("x", b) for a, b in zip(self.code, figures, strict=True))
        return same and (self.text is None or pattern(self.text).fullmatch(line) is not None)


@dataclass(frozen=True)
class Expected:
    """One reply that must come, or "closed", or "silence" for so many seconds. `shown` as written."""

    kind: Literal["reply", "closed", "silence"]
    lines: tuple[ReplyLine, ...]
    shown: str
    number: int
    seconds: float = SILENCE


@dataclass(frozen=True)
class HalfClose:
    """The client will send no more."""

    number: int


Step = Write | Expected | HalfClose


@dataclass(frozen=True)
class Chat:
    """One connection to qmail-smtpd. `number` is the line in the file where it begins."""

    steps: tuple[Step, ...]
    number: int


def read_chat(text: str, first: int) -> Chat:
    """Read a chat whose first line is line `first` of its file. Raises ChatError."""
    steps: list[Step] = []
    said: list[Said] = []
    replied: list[tuple[int, str, ReplyLine]] = []
    early = False

    def end_write() -> None:
        nonlocal early
        if said:
            steps.append(Write(tuple(said), early))
            said.clear()
            early = False

    def end_reply() -> None:
        if replied:
            shown = " / ".join(each for _, each, _ in replied)
            steps.append(Expected("reply", tuple(each for _, _, each in replied), shown, replied[0][0]))
            replied.clear()

    for number, line in _lines(text, first):
        sign, rest = _split(number, line)
        if sign in ">|":
            end_reply()
            if said and said[-1].sign != sign:
                end_write()
            said.append(_said(sign, rest, number))
            continue
        end_write()
        if sign == "!":
            end_reply()
            if rest == "early":
                if steps:
                    raise ChatError(number, "`! early` is the first line of a chat")
                early = True
            elif rest == "half-close":
                steps.append(HalfClose(number))
            elif rest != "cut":
                known = "; ".join(f"`! {name}`: {what}" for name, what in _DIRECTIVES.items())
                raise ChatError(number, f"there is no `! {rest}`; known are {known}")
            continue
        wait = _WAIT.fullmatch(rest)
        if rest == "closed" or wait:
            end_reply()
            seconds = float(wait[1]) if wait and wait[1] else SILENCE
            steps.append(Expected("silence" if wait else "closed", (), f"< {rest}", number, seconds))
            continue
        wanted = _reply_line(number, sign, rest)
        if replied and wanted.code != replied[-1][2].code:
            raise ChatError(number, f"the lines of one reply have one code, here {replied[-1][2].code}")
        replied.append((number, f"{sign} {rest}", wanted))
        if wanted.kind == "last":
            end_reply()
    end_write()
    end_reply()
    if early:
        raise ChatError(first, "after `! early` comes what the client says")
    if not steps:
        raise ChatError(first, "a chat without a line; write for example `> EHLO client.example`")
    return Chat(tuple(steps), first)


def _lines(text: str, first: int) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, without comments and blank ones."""
    for number, line in enumerate(text.split("\n"), first):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.lstrip()


def _split(number: int, line: str) -> tuple[str, str]:
    for sign in ("<!", ">", "<", "|", "!"):
        if line.startswith(sign):
            rest = line.removeprefix(sign)
            if rest[:1] not in ("", " "):
                raise ChatError(number, f"after `{sign}` comes a space: `{sign} {rest}`")
            rest = rest[1:]
            return sign, rest if sign in ">|" else rest.strip()
    raise ChatError(number, f"{line!r} is no line of a chat; {_SIGNS}")


def _said(sign: str, raw: str, number: int) -> Said:
    try:
        expand(raw)
    except ValueError as error:
        raise ChatError(number, str(error)) from error
    return Said(sign, raw, number)


def _reply_line(number: int, sign: str, rest: str) -> ReplyLine:
    found = _CODE.fullmatch(rest)
    if found is None:
        raise ChatError(
            number, f"`{sign} {rest}` is no reply; write `< 250`, `< 250 ok *`, `< 5xx`, `< *`, `< closed`"
        )
    text = found["text"]
    try:
        pattern(text or "")
    except ValueError as error:
        raise ChatError(number, str(error)) from error
    kind: Literal["last", "some", "none"] = "some" if found["more"] == "-" else "last"
    if sign == "<!":
        if kind == "last":
            raise ChatError(number, f"`<!` speaks of a line of a reply: `<! {found['code']}-AUTH*`")
        kind = "none"
    return ReplyLine(kind, found["code"], text or None)
