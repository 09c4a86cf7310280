"""What was said on each connection to qmail-smtpd: commands, and the replies that answer them."""

import re
from dataclasses import dataclass, field

from conformance.pod import record as acts
from conformance.pod.record import Record

#: RFC 5321 4.5.3.1.5: octets of a reply line with its end.
LONGEST_LINE = 512
_REPLY_LINE = re.compile(r"([2-5]\d\d)([ -])([^\r\n\0]*)")


@dataclass
class Conversation:
    """What was said on one connection, and whether qmail has closed it; reset, what it said last is lost."""

    said: str = ""
    heard: str = ""
    closed: bool = False
    reset: bool = False


@dataclass
class Answered:
    """The commands of a connection with their replies' codes, as far as both go; `unasked` the rest."""

    pairs: list[tuple[bytes, int]] = field(default_factory=list)
    unanswered: int = 0
    unasked: list[int] = field(default_factory=list)
    messages: list[tuple[int, int]] = field(default_factory=list)
    """Of each message: the code that answers it, and how many recipients had been accepted."""
    in_message: bool = False  #: one has begun, and not ended


def conversations_of(record: Record) -> list[Conversation]:
    """Those of a record, in the order in which they began."""
    found: dict[int, Conversation] = {}
    for act in record.acts:
        hear(found, act)
    return list(found.values())


def hear(found: dict[int, Conversation], act: acts.Act) -> None:
    """Add what an act did on a connection to what was said and heard there."""
    if isinstance(act, acts.Connect):
        found[act.connection] = Conversation()
    elif isinstance(act, acts.Send):
        found[act.connection].said += act.data
    elif isinstance(act, acts.Receive):
        found[act.connection].heard += act.data or ""
        found[act.connection].closed = act.data == ""
    elif isinstance(act, acts.Observe):
        for session in act.seen.sessions:
            if session.reset and session.connection in found:
                found[session.connection].reset = True


def codes_of(heard: str) -> list[int] | None:
    """The codes of the replies; None where one is not well-formed."""
    *lines, rest = heard.split("\r\n")
    codes: list[int] = []
    begun = ""
    for line in lines:
        read = _REPLY_LINE.fullmatch(line)
        if read is None or len(line) + 2 > LONGEST_LINE or begun not in ("", read[1]):
            return None
        begun = read[1] if read[2] == "-" else ""
        if not begun:
            codes.append(int(read[1]))
    return None if rest or begun else codes


def answers_of(said: str, codes: list[int]) -> Answered:
    """Each command with its reply: the greeting answers none, and a message is answered once."""
    answered = Answered()
    left = codes[1:]
    in_message, recipients = False, 0
    for line in said.encode("latin-1").split(b"\n")[:-1]:
        line = line.removesuffix(b"\r")
        if in_message and line != b".":
            continue
        if not left:
            answered.unanswered += 1
            continue
        code = left.pop(0)
        if in_message:
            answered.messages.append((code, recipients))
        else:
            recipients = _recipients(line, code, recipients)
        answered.pairs.append((line, code))
        in_message = code == 354
    answered.unasked = left
    answered.in_message = in_message
    return answered


def _recipients(line: bytes, code: int, before: int) -> int:
    """How many recipients a transaction has after a command, as far as the replies tell."""
    verb = line.partition(b"\0")[0].partition(b" ")[0].upper()
    if code == 250 and verb == b"RCPT":
        return before + 1
    return 0 if code == 250 and verb in (b"MAIL", b"RSET", b"HELO", b"EHLO") else before
