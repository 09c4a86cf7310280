"""What lines of a session can be: the rest of another, a message, the reply to a command."""

import re

from conformance.scenario.transcript.lines import ANSWERS, Heard, Line, verb

_INSTEAD = re.compile(
    r"\W*writing message.*|.*\b\d+ (?:bytes|octets|chars)\b.*|[<\[({].*[>\])}]", re.IGNORECASE
)
_OPEN = re.compile(r"<[^<>]*$|\\$")
#: What may be the rest of a command that was wrapped: parameters, a path.
_REST = re.compile(r"<[^<>\s]*>(?: +[\w-]+=\S+)*|[A-Za-z][\w-]*=[^\s=]\S*(?: +[A-Za-z][\w-]*=\S+)*")
_SECRET = re.compile(r"(?=.{4})[A-Za-z0-9+/]+={0,2}")
_INCOMPLETE = re.compile(r"EHLO|HELO|MAIL|RCPT|AUTH|(?:MAIL FROM|RCPT TO):?|(?:MAIL|RCPT) .*=", re.IGNORECASE)
_CLOSED = re.compile(
    r"(?:.* )?(?:Connection closed by foreign host|Remote host closed connection unexpectedly)\.?"
)
_CLOSED_BARE = re.compile(r"closed|read:errno=.*")  # openssl s_client
_AFTER = re.compile(
    r"QUIT|RSET|NOOP|DATA|(?:EHLO|HELO) .*|(?:MAIL FROM|RCPT TO):.*", re.IGNORECASE
)  # what may be pipelined behind a message
#: Replies that can be a greeting, beside 220.
_TURNED_AWAY = ("421", "450", "451", "452", "554")


def is_closing(text: str, is_bare: bool) -> bool:
    """Whether a tool says with this that the connection is closed; `is_bare`: as openssl s_client does."""
    return bool(_CLOSED.fullmatch(text) or (is_bare and _CLOSED_BARE.fullmatch(text)))


def may_follow_message(text: str) -> bool:
    """Whether this is a command that may be pipelined behind a message."""
    return _AFTER.fullmatch(text) is not None


def can_turn_away(code: str) -> bool:
    """Whether a reply can stand in the place of the greeting (RFC 5321 3.1, 4.3.2)."""
    return code in _TURNED_AWAY


def is_open(last: Heard) -> bool:
    """Whether a command may go on in the next line: a bracket is not closed, or it ends in a backslash."""
    return _OPEN.search(last.text) is not None


def may_be_rest(text: str, last: Heard) -> bool:
    """Whether a line looks like the end of the command before it, which was wrapped."""
    said = last.text.rstrip()
    is_secret = verb(said) == "AUTH" or last.part == "answer"
    return bool(
        _REST.fullmatch(text)
        or (is_secret and _SECRET.fullmatch(text))
        or (_INCOMPLETE.fullmatch(said) and text)
    )


def is_whole_message(said: list[Line], mine: list[Line], is_mixed: bool, is_bare: bool) -> bool:
    """Whether these lines are a message with its dot; the dot alone is one only where all is shown."""
    if not said or said[-1].text.strip() != ".":
        return False
    if is_mixed:  # what is logged at once bears its mark on the first line alone
        return said[0].side == "client" and said[-1].side == "talk"
    return is_bare or len(mine) > 1


def is_message_as_said(mine: list[Line], is_bare: bool) -> bool:
    """Whether these are lines of a message, and no words of the tool that stand for them."""
    stands_for = len(mine) == 1 and not is_bare and _INSTEAD.fullmatch(mine[0].text)
    return bool(mine) and mine[-1].text != "." and not stands_for


def is_short(asked: Heard) -> bool:
    """Whether this is AUTH without what a server needs to decide at once."""
    return verb(asked.text) == "AUTH" and len(asked.text.split()) < 3


def can_answer(asked: Heard, code: str) -> bool:
    """Whether a reply of this code can answer what the client said (RFC 5321 4.3.2)."""
    if code[0] in "45":
        return code in ("421", "500", "502", "503") or verb(asked.text) not in ("RSET", "NOOP")
    if asked.part in ("dot", "unseen"):
        return code == "250"
    if asked.part == "answer":
        return code in ("235", "334")
    if asked.part == "cut":
        return False
    known = ANSWERS.get(verb(asked.text))
    return code in known.split() if known else code[0] == "2" and code not in ("220", "221", "235")
