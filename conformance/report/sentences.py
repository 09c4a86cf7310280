"""What came of a promise in one sentence for people: what was said, what was answered, what was promised.

Made of what a verdict says was seen, and of its record. pytest's own words on an assertion are for
developers: where a report shows them, they stand below.
"""

import re
from collections.abc import Sequence
from typing import Any

from conformance.judge.verdict import Verdict
from conformance.report.claims import (
    DELIVERY,
    DIFFERS,
    NO_REPLY,
    REPLY,
    codes_in,
    deliveries,
    is_report,
    literal,
    parts,
    split,
    unquoted,
)
from conformance.report.decisive import decisive_reply, first_unlike, several, shown_reply
from conformance.report.story import Event, events_of
from conformance.report.words import one_line

_LONGEST = 160  #: characters of one value in a sentence
#: The letter of qmail-remote's report on a message -> what became of it.
_BECAME = {"K": "reported delivered", "Z": "deferred", "D": "refused for good", "": "left without a report"}
#: What a case asks for -> what it is called in a sentence.
_NOUNS = {
    "messages": "messages that a host took",
    "questions": "questions to the DNS",
    "mx_sessions": "sessions at hosts",
    "commands": "commands of qmail-remote",
    "users": "users who authenticated at hosts",
    "hook_calls": "runs of the program",
    "queue": "messages in the queue",
    "mailboxes": "mailboxes with mail",
    "status": "exit status",
    "enhanced": "enhanced code",
    "seconds": "seconds",
    "letters": "report",
    "text": "text",
    "lines": "lines of the reply",
}
_PROMISED = {
    "==": "{} was promised",
    "!=": "anything but {} was promised",
    ">=": "{} or more was promised",
    "<=": "{} or less was promised",
    ">": "more than {} was promised",
    "<": "less than {} was promised",
    "in": "one of {} was promised",
    "is": "{} was promised",
}


def sentence(verdict: Verdict) -> str:
    """The sentence on an unmet verdict, on one line; what is invalid is told as it was seen. "" when met."""
    if verdict.verdict != "unmet" or not verdict.seen:
        return one_line(verdict.seen.partition("\n")[0], 2 * _LONGEST)
    message, claim, wheres = parts(verdict.seen)
    said = (
        _of_beginning(wheres)
        or _prose(message, claim)
        or _of_replies(message, claim, wheres, events_of(verdict.record))
        or _of_delivery(message, claim, wheres)
        or _of_first_difference(claim, verdict.seen)
        or _of_claim(claim, wheres)
        or _rest(message)
    )
    return one_line(said, 3 * _LONGEST)


def with_introspection(verdict: Verdict, limit: int) -> str:
    """The sentence, and behind it, in brackets, what pytest has to say to developers."""
    said, seen = sentence(verdict), one_line(verdict.seen, limit)
    return said if said == seen or not seen else f"{said} ({seen})"


def looks_like_code(text: str) -> bool:
    """Whether a sentence is no sentence: an assertion, an object's name in a program, a bare list."""
    return not text or bool(
        re.search(r"\bassert\b|<(reply|delivery|no reply)\b| [!=]= | at 0x|^[\[({<]", text)
    )


def _promised(operator: str, right: str) -> str:
    return _PROMISED[operator].format(_value(right)) if operator in _PROMISED else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _value(text: str) -> str:
    """A value as Python writes it, in words: `['a', 'b']` is 'a', 'b', and `[]` nothing."""
    if text in ("''", '""'):
        return "nothing"
    try:
        said = _words(literal(text))
    except ValueError:
        said = _plain(text).strip("[](){}")
    return one_line(said, _LONGEST)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_words(key)}: {_words(of)}" for key, of in value.items()) or "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        each = value if isinstance(value, (list, tuple)) else sorted(value, key=repr)
        return ", ".join(map(_words, each)) or "nothing"
    return "nothing" if value is None else repr(value)


def _plain(text: str) -> str:
    """Text of a case in which replies and deliveries are named as people would."""
    text = REPLY.sub(lambda found: f"{found[1]} {unquoted(found[2])}".rstrip(), text)
    text = NO_REPLY.sub(r"no reply (\1)", text)
    text = DELIVERY.sub(lambda found: _delivery(found), text)
    text = re.sub(r"\[\]|set\(\)|\(\)", "nothing", text)
    return re.sub(r"\[('[^']*'(?:, '[^']*')*)\]", r"\1", text)


def _delivery(found: re.Match[str]) -> str:
    letters, words = unquoted(found[1]), unquoted(found[2])
    became = _BECAME.get(letters[-1:], f"reported as {letters}")
    told = f"the message was {became}" + (f": {words}" if words else "")
    return told + "".join(each or "" for each in (found[3], found[4]))


def _prose(message: str, claim: str) -> str:
    """The case's own words where they are a sentence already, with what was promised where that is short."""
    first = message.partition("\n")[0]
    if not re.match(r"[A-Za-z0-9][^<\[({'\"]*[ :]", first) or re.match(r"\w+\(", first):
        return ""
    left, operator, right = split(claim)
    plain = operator == "==" and len(right) < 60 and "(" not in left + right and left not in ("True", "False")
    plain = plain and (not left.isdigit() or bool(codes_in(left)))  # how many of what, the words say
    return _joined(_plain(first), _promised(operator, right) if plain else "")


def _of_replies(message: str, claim: str, wheres: list[str], events: Sequence[Event]) -> str:
    """`RCPT TO:<a%b@here.example> was answered 250 ok; 553 was promised`."""
    left, operator, right = split(claim)
    codes, wanted, shown = codes_in(left), codes_in(right), shown_reply(message, wheres)
    found = decisive_reply(message, claim, wheres, events)
    if several(codes, wanted, shown):
        if found is not None:
            return _joined(
                _reply_to(found[0], found[1].text), f"{wanted[first_unlike(codes, wanted)]} was promised"
            )
        replies = ", ".join(map(str, codes))
        return _joined(f"the replies were {replies}", f"{', '.join(map(str, wanted))} were promised")
    if silent := NO_REPLY.search("\n".join([message, *wheres])):
        return _joined(f"no reply came ({silent[1]})", _promised(operator, right) if wanted else "")
    if shown is None:
        return ""
    promised = _promised(operator, right) if left in (shown[1], shown[2]) or wanted else ""
    line = f"{shown[1]} {unquoted(shown[2])}".rstrip()
    return _joined(_reply_to(found[0] if found else "", line), promised)


def _reply_to(command: str, line: str) -> str:
    said = "the message" if command == "." else one_line(command, _LONGEST)
    if command.startswith("["):  # what it did, and no line that it said
        said = f"the client, which {command.strip('[]')},"
    elif command.startswith("<"):  # the name of what is hidden in a record
        said = f"the client's {command.strip('<>')}"
    return f"{said or 'the client'} was answered {line}"


def _of_delivery(message: str, claim: str, wheres: list[str]) -> str:
    """`the message was deferred: CNAME lookup failed …; that a host takes it was promised`."""
    found = next(deliveries([message, *wheres]), None)
    if found is None:
        return ""
    left, operator, right = split(claim)
    promised = _promised(operator, right)
    if any(where.endswith(".accepted") for where in wheres):
        promised = "that a host takes it was promised"
    elif operator == "==" and is_report(right):
        promised = _of_report(right)
    elif operator == "in" and not is_report(left):
        promised = f"{_value(left)} was promised there"
    return _joined(_delivery(found), promised)


def _of_report(text: str) -> str:
    letters = text.strip("'")
    each = f" ({letters})" if letters[:-1] else ""
    return f"that it is {_BECAME[letters[-1]]}{each} was promised"


def _of_first_difference(claim: str, seen: str) -> str:
    """Of values that pytest has cut short, the first place where they are not the same."""
    found = DIFFERS.search(seen)
    if "..." not in claim or not found:
        return ""
    return f"{_value(found[1])} was seen where {_value(found[2])} was promised"


def _of_claim(claim: str, wheres: list[str]) -> str:
    """What was compared with what: `0 messages that a host took; 1 was promised`."""
    if not claim:
        return ""
    left, operator, right = split(claim)
    noun = next((word for where in wheres for name, word in _NOUNS.items() if _asks(where, name)), "")
    if operator == "==" and is_report(left) and is_report(right):
        return _joined(f"the message was {_BECAME[left[-2]]}", _of_report(right))
    if operator == "in":
        return f"{_value(left)} was promised in {_value(right)}, and is not there"
    if operator == "not in":
        return f"{_value(left)} was promised not to be in {_value(right)}, and is there"
    if operator:
        counted = noun and re.fullmatch(r"\d+", left) and any("= len(" in where for where in wheres)
        seen = f"{left} {noun}" if counted else f"{noun or 'what was seen'}: {_value(left)}"
        return _joined(seen, _promised(operator, right))
    if claim.startswith("not "):
        return f"{noun or 'what was seen'}: {_value(claim.removeprefix('not '))}; nothing was promised"
    if claim in ("False", "None", "[]", "set()", "{}", "''", "()"):
        return f"{noun or 'what was promised'}: nothing was seen" if noun else ""
    return ""


def _of_beginning(wheres: list[str]) -> str:
    """`'HELO mx.here.example' was seen; what starts with 'EHLO' was promised`."""
    started = re.search(r"startswith of str object at \w+>\((.*)\)", "\n".join(wheres))
    value = next((where.partition(" = ")[2] for where in wheres if where.endswith(".startswith")), "")
    seen = f"{_value(value.removesuffix('.startswith'))} was seen" if value else "something else was seen"
    return _joined(seen, f"what starts with {started[1]} was promised") if started else ""


def _asks(where: str, name: str) -> bool:
    return bool(re.search(rf"(?:= |\.){name}(?:\(|$)", where))


def _rest(message: str) -> str:
    """What was seen, where nothing better can be made of it."""
    first = message.partition("\n")[0]
    if name := re.match(r"\[?(\w+)\((\w+)=", first):
        return f"what was seen is not what was promised: {_hook(message) or name[1]}"
    return f"seen: {_value(first)}" if first else "what was promised was not seen"


def _hook(message: str) -> str:
    program = re.search(r"program='([^']*)'", message)
    return f"a run of {program[1]}" if program else ""
