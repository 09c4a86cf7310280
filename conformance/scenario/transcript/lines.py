"""The words of a transcript: its lines, what they are in their session, and which text is what."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conformance.errors import UsageError

_LONG = 120  #: characters of a line that a message quotes

Part = Literal["command", "answer", "message", "dot", "cut", "unseen", "reply", "end"]


@dataclass(frozen=True)
class Line:
    """One line, without its end. "closed", "half-close": the server, the client ends it.

    "talk" is what the tool says itself, "note" what a person should know.
    """

    side: Literal["client", "server", "closed", "half-close", "talk", "note"]
    text: str
    number: int


@dataclass(frozen=True)
class Heard:
    """A line of a session that makes sense.

    `part`: what the client's line is: of a message "message", "dot"; "cut" one of a message that has no dot;
    "unseen" a message that is not shown; "answer" what answers 334. `code`: of the reply to it, "" when none
    came; that to a message belongs to its dot. `hidden`: the credentials in it are not shown.
    """

    side: Literal["client", "server", "closed", "half-close"]
    text: str
    number: int
    part: Part = "reply"
    code: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Session:
    """One connection, and what a person should know of it. `told`: the lines that notes speak of."""

    lines: tuple[Heard, ...]
    notes: tuple[str, ...] = ()
    told: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Transcript:
    """The sessions of a transcript. `form` says how the two sides are told apart."""

    form: str
    sessions: tuple[Session, ...]
    notes: tuple[str, ...] = ()


def wrong(path: Path, number: int, message: str, hint: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {message}", hint)


def shown(text: str) -> str:
    """A text in quotes, for a message: cut where it is long."""
    return repr(text if len(text) <= _LONG else f"{text[:_LONG]}…")


REPLY = re.compile(r"[2-5][0-5]\d(?:[ -].*)?", re.DOTALL)

#: Verb -> the codes, beside 4xx and 5xx, that can answer it.
ANSWERS = {
    "EHLO": "250", "HELO": "250", "MAIL": "250", "RCPT": "250 251 252", "DATA": "354", "QUIT": "221",
    "RSET": "250", "NOOP": "250", "VRFY": "250 251 252", "EXPN": "250 252", "HELP": "211 214",
    "STARTTLS": "220", "XCLIENT": "220 250", "AUTH": "235 334",
}  # fmt: skip

#: What may be followed by another command before it is answered (RFC 2920 3.1).
PIPELINED = ("MAIL", "RCPT", "RSET", "NOOP", "VRFY", "EXPN", "HELP")

_MASKED = re.compile(r"([*x.#_•-])\1{2,}", re.IGNORECASE)
_IN_PART = re.compile(r"\*{3}|\.{3}|[…•]")
_WITHHELD = re.compile(
    r"\b(?:sensitive|hidden|suppressed|redacted|masked|filtered|removed|omitted)\b"
    r"|<[^<>]*password[^<>]*>|\[[^][]*(?:password|credential)[^][]*\]",
    re.IGNORECASE,
)

_SUPPRESSED = re.compile(
    r"\b(?:logging|trace|credentials?|password|auth\w*)\b.{0,60}\b(?:suppressed|hidden|removed|omitted|masked)\b",
    re.IGNORECASE,
)


def verb(text: str) -> str:
    return re.split(r"[ :]", text.strip(), maxsplit=1)[0].upper()


def is_hidden(secret: str) -> bool:
    """Whether credentials are not shown: `****`, `[HIDDEN]`, `AGFs…`."""
    return bool(_MASKED.fullmatch(secret.strip()) or _IN_PART.search(secret) or _WITHHELD.search(secret))


def withholds(said: str) -> bool:
    """Whether a whole line says that something secret is not shown: `*sensitive*`, `Logging suppressed …`."""
    return verb(said) not in ANSWERS and bool(re.fullmatch(r"[*•]{3,}", said) or _WITHHELD.search(said))


def suppresses(talk: str) -> bool:
    """Whether a tool says that it does not show a command: `Logging suppressed for this command`."""
    return bool(_SUPPRESSED.search(talk))
