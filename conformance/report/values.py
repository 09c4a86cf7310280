"""Values in Python's form, in words; what cases show of replies, deliveries and the like."""

import re
from typing import Any

from conformance.report.claims import DELIVERY, NO_REPLY, QUOTES, REPLY, literal, unquoted
from conformance.report.words import one_line

LONGEST = 160  #: characters of one value in a sentence
#: The letter of qmail-remote's report on a message -> what became of it.
BECAME = {"K": "reported delivered", "Z": "deferred", "D": "refused for good", "": "left without a report"}

#: What is observed, as dataclasses show themselves: whole, or cut short by pytest with all that follows.
_OBJECT = re.compile(rf"\b([A-Z]\w+)\((?=\w+=)(?:(?:{QUOTES.pattern}|[^'\"()]|\([^()]*\))*\)|.*)", re.DOTALL)
#: Of an object, the field that says which one it is.
_WHICH = re.compile(r"\b(?:program|recipient|path|(?<=, )text)='([^']*)'")
_OBJECTS = {
    "QueuedMessage": "a message",
    "LoggedMessage": "a message in the log",
    "HookCall": "a run of {}",
    "LoggedDelivery": "a delivery to {}",
    "Decision": "the line {}",
    "FileSeen": "the file {}",
    "SmtpdProcess": "a process of qmail-smtpd",
    "Question": "a question",
    "MxSession": "a session at a host",
    "DeliveredMessage": "a message",
}


def in_words(text: str) -> str:
    """A value as Python writes it, in words: `['a', 'b']` is 'a', 'b', and `[]` nothing."""
    if text in ("''", '""'):
        return "nothing"
    try:
        said = words_of(literal(text))
    except ValueError:
        said = plain(text).strip("[](){}")
        said = said if "'" in said else re.sub(r"[\[\]]", "", said)
    return one_line(said, LONGEST)


def words_of(value: Any) -> str:
    """A value in words, however long."""
    if isinstance(value, dict):
        return ", ".join(f"{words_of(key)}: {words_of(of)}" for key, of in value.items()) or "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        each = value if isinstance(value, (list, tuple)) else sorted(value, key=repr)
        return ", ".join(map(words_of, each)) or "nothing"
    if value is Ellipsis:
        return "…"
    return "nothing" if value is None else repr(value)


def plain(text: str) -> str:
    """Text of a case in which replies and deliveries are named as people would."""
    text = REPLY.sub(lambda found: f"{found[1]} {unquoted(found[2])}".rstrip(), text)
    text = NO_REPLY.sub(r"no reply (\1)", text)
    text = DELIVERY.sub(delivery, text)
    text = _OBJECT.sub(_object, text)
    text = re.sub(r"\[\]|set\(\)|\(\)|\{\}", "nothing", text)
    return re.sub(r"\[('[^']*'(?:, '[^']*')*)\]", r"\1", text)


def _object(found: re.Match[str]) -> str:
    which = _WHICH.search(found[0])
    return _OBJECTS.get(found[1], "something").format(repr(which[1]) if which else "…")


def delivery(found: re.Match[str]) -> str:
    """What became of a message that a case shows."""
    letters, words = unquoted(found[1]), unquoted(found[2])
    became = BECAME.get(letters[-1:], f"reported as {letters}")
    told = f"the message was {became}" + (f": {words}" if words else "")
    return told + "".join(each or "" for each in (found[3], found[4]))
