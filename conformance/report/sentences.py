"""What came of a promise in one sentence for people: what was said, what was answered, what was promised.

Made of what a verdict says was seen, and of its record. pytest's own words on an assertion are for
developers: where a report shows them, they stand below.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from conformance.judge.verdict import Verdict
from conformance.report.claims import (
    DIFFERS,
    NO_REPLY,
    QUOTES,
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
from conformance.report.unlike import unlike
from conformance.report.values import BECAME, LONGEST, delivery, in_words, plain, words_of
from conformance.report.words import one_line

#: What is looked up by a name, and what an object says of itself, as pytest shows them.
_ASKED_BY_NAME = re.compile(r"= <built-in method get of dict object at \w+>\('([^']+)'")
_TRUTH = re.compile(r"^(?:True|False) = [A-Z]\w+\(.*\)\.(\w+)$")

#: How qmail-send's log says that a delivery ended -> in a sentence.
_RESULTS = {"'success'": "a success", "'deferral'": "put off", "'failure'": "a failure"}

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
    "_counts": "messages in mailboxes",
    "_tried": "hosts that were tried",
    "directory": "the program's directory",
    "ignores": "signals that the program ignores",
    "descriptors": "descriptors",
    "bounce_qp": "number of the bounce",
    "group": "group",
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


#: What stands in programs and in no sentence; what qmail says may hold brackets and signs of its own.
_CODE = re.compile(
    r"\bassert\b|<(reply|delivery|no reply)\b| [!=]= | at 0x|^[\[({<]|\bEllipsis\b|\] [*+] |\b[A-Z]\w+\(\w+="
)


class _Read(NamedTuple):
    """The case's own words, what was claimed, and where its values come from."""

    message: str
    claim: str
    wheres: list[str]

    @property
    def sides(self) -> tuple[str, str, str]:
        return split(self.claim)


def sentence(verdict: Verdict) -> str:
    """The sentence on an unmet verdict, on one line; what is invalid is told as it was seen. "" when met."""
    if verdict.verdict != "unmet" or not verdict.seen:
        return one_line(verdict.seen.partition("\n")[0], 2 * LONGEST)
    return sentence_of(verdict.seen, events_of(verdict.record))


def sentence_of(seen: str, events: Sequence[Event] = ()) -> str:
    """The sentence on what an unmet verdict says was seen; with the events of its record it tells more."""
    read = _Read(*parts(seen))
    said = (
        _of_beginning(read)
        or _of_search(read)
        or _prose(read)
        or _of_replies(read, events)
        or _of_delivery(read)
        or _of_first_difference(read, seen)
        or _of_claim(read)
        or _rest(read.message)
    )
    # "Nothing was promised" reads as if there were no promise.
    said = re.sub(r"; nothing was promised$", "; there was to be none", said)
    return one_line(said, 3 * LONGEST)


def with_introspection(verdict: Verdict, limit: int) -> str:
    """The sentence, and behind it, in brackets, what pytest has to say to developers."""
    said, seen = sentence(verdict), one_line(verdict.seen, limit)
    return said if said == seen or not seen else f"{said} ({seen})"


def looks_like_code(text: str) -> bool:
    """Whether a sentence is no sentence: an assertion, an object's name in a program, a bare list."""
    return not text or bool(_CODE.search(text))


def _promised(operator: str, right: str) -> str:
    return _PROMISED[operator].format(in_words(right)) if operator in _PROMISED else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _prose(read: _Read) -> str:
    """The case's own words where they are a sentence already, with what was promised where that is short."""
    first = read.message.partition("\n")[0]
    if not re.match(r"[A-Za-z0-9][^<\[({'\"]*[ :]", first) or re.match(r"\w+\(", first):
        return ""
    left, operator, right = read.sides
    short = operator == "==" and len(right) < 60 and "(" not in left + right and left not in ("True", "False")
    short = short and (not left.isdigit() or bool(codes_in(left)))  # how many of what, the words say
    return _joined(plain(first), _promised(operator, right) if short else "")


def _of_replies(read: _Read, events: Sequence[Event]) -> str:
    """`RCPT TO:<a%b@here.example> was answered 250 ok; 553 was promised`."""
    left, operator, right = read.sides
    codes, wanted, shown = codes_in(left), codes_in(right), shown_reply(read.message, read.wheres)
    found = decisive_reply(*read, events)
    differ = several(codes, wanted, shown)
    if differ or (len(codes) > 1 and wanted):  # and else more came, or fewer
        if differ and found is not None:
            answered = _reply_to(found[0], found[1].text)
            return _joined(answered, f"{wanted[first_unlike(codes, wanted)]} was promised")
        replies, promised = (", ".join(map(str, each)) for each in (codes, wanted))
        answered = f"the {'replies were' if len(codes) > 1 else 'reply was'} {replies}"
        return _joined(answered, f"{promised} {'were' if len(wanted) > 1 else 'was'} promised")
    if silent := NO_REPLY.search("\n".join([read.message, *read.wheres])):
        return _joined(f"no reply came ({silent[1]})", _promised(operator, right) if wanted else "")
    if shown is None:
        return ""
    promised = _promised(operator, right) if left in (shown[1], shown[2]) or wanted else ""
    line = f"{shown[1]} {unquoted(shown[2])}".rstrip()
    return _joined(_reply_to(found[0] if found else "", line), promised)


def _reply_to(command: str, line: str) -> str:
    said = "the message" if command == "." else one_line(command, LONGEST)
    if command.startswith("["):  # what it did, and no line that it said
        said = f"the client, which {command.strip('[]')},"
    elif command.startswith("<"):  # the name of what is hidden in a record
        said = f"the client's {command.strip('<>')}"
    return f"{said or 'the client'} was answered {line}"


def _of_delivery(read: _Read) -> str:
    """`the message was deferred: CNAME lookup failed …; that a host takes it was promised`."""
    found = next(deliveries([read.message, *read.wheres]), None)
    if found is None:
        return ""
    left, operator, right = read.sides
    promised = _promised(operator, right)
    if any(where.endswith(".accepted") for where in read.wheres):
        promised = "that a host takes it was promised"
    elif operator == "==" and is_report(right):
        promised = _of_report(right)
    elif operator == "in" and not is_report(left):
        promised = f"{in_words(left)} was promised there"
    return _joined(delivery(found), promised)


def _of_report(text: str) -> str:
    letters = text.strip("'")
    each = f" ({letters})" if letters[:-1] else ""
    return f"that it is {BECAME[letters[-1]]}{each} was promised"


def _of_first_difference(read: _Read, seen: str) -> str:
    """Of values that pytest has cut short, the first place where they are not the same."""
    found = DIFFERS.search(seen)
    if "..." not in read.claim or not found:
        return ""
    return f"{in_words(found[1])} was seen where {in_words(found[2])} was promised"


def _of_claim(read: _Read) -> str:
    """What was compared with what: `0 messages that a host took; 1 was promised`."""
    claim, wheres = read.claim, read.wheres
    if not claim:
        return ""
    left, operator, right = read.sides
    noun = _noun(wheres)
    if operator == "==" and is_report(left) and is_report(right):
        return _joined(f"the message was {BECAME[left[-2]]}", _of_report(right))
    if operator == "==" and left in _RESULTS and right in _RESULTS:
        return f"the delivery was {_RESULTS[left]}; {_RESULTS[right]} was promised"
    if operator == "<=" and left.startswith("{"):
        return f"{_told_apart(left, right)} is not among {in_words(right)}"
    if operator == "in":
        return f"{in_words(left)} was promised in {in_words(right)}, and is not there"
    if operator == "not in":
        return f"{in_words(left)} was promised not to be in {in_words(right)}, and is there"
    if operator:
        counted = noun and re.fullmatch(r"\d+", left) and any("= len(" in where for where in wheres)
        if operator == "==" and not noun and (told := _unlike(left, right)):
            return told
        seen = f"{left} {noun}" if counted else f"{noun or 'what was seen'}: {in_words(left)}"
        return _joined(seen, _promised(operator, right))
    if told := _of_truth(claim, wheres):
        return told
    if several := re.match(r"not \((\{.*?\}) & ", claim):
        return f"of {in_words(several[1])} some were seen; none was promised"
    if claim.startswith("not "):
        return f"{noun or 'what was seen'}: {in_words(claim.removeprefix('not '))}; nothing was promised"
    if claim in ("False", "None", "[]", "set()", "{}", "''", "()"):
        return f"{noun or 'what was promised'}: nothing was seen" if noun else ""
    return ""


def _noun(wheres: Sequence[str]) -> str:
    """What the case has asked for."""
    if named := next(filter(None, (_ASKED_BY_NAME.search(where) for where in wheres)), None):
        return named[1]
    return next((word for where in wheres for name, word in _NOUNS.items() if _asks(where, name)), "")


def _of_truth(claim: str, wheres: Sequence[str]) -> str:
    """`ended: no; yes was promised`, of what an object says of itself."""
    fact = next(filter(None, (_TRUTH.search(where) for where in wheres)), None)
    if fact is None or claim not in ("False", "not True"):
        return ""
    return f"{fact[1]}: {'no; yes' if claim == 'False' else 'yes; no'} was promised"


def _told_apart(left: str, right: str) -> str:
    """What the first of two sets has alone."""
    try:
        return words_of(literal(left) - literal(right))
    except (ValueError, TypeError):
        return in_words(left)


def _unlike(left: str, right: str) -> str:
    """What tells two values apart, where they are such; of tables that pytest has cut, what both have."""
    try:
        if left.endswith(", ...}") and right.endswith(", ...}"):
            seen, promised = (literal(side.removesuffix(", ...}") + "}") for side in (left, right))
            both = [key for key in seen if key in promised]
            return unlike({key: seen[key] for key in both}, {key: promised[key] for key in both})
        return unlike(literal(left), literal(right))
    except (ValueError, AttributeError):
        return ""


def _asks(where: str, name: str) -> bool:
    return bool(re.search(rf"(?:= |\.){name}(?:\(|$)", where))


def _of_beginning(read: _Read) -> str:
    """`'HELO mx.here.example' was seen; what starts with 'EHLO' was promised`."""
    started = re.search(r"startswith of str object at \w+>\((.*)\)", "\n".join(read.wheres))
    value = next((where.partition(" = ")[2] for where in read.wheres if where.endswith(".startswith")), "")
    seen = f"{in_words(value.removesuffix('.startswith'))} was seen" if value else "something else was seen"
    return _joined(seen, f"what starts with {started[1]} was promised") if started else ""


def _of_search(read: _Read) -> str:
    """`nothing reads 'from unknown …' in 'Received: …'`, of a pattern that fits nothing."""
    found = re.search(rf"<function \w+ at \w+>\({QUOTES.pattern}, {QUOTES.pattern}\)", "\n".join(read.wheres))
    if read.claim != "None" or not found:
        return ""
    wanted, text = (one_line(unquoted(each), LONGEST) for each in found.groups())
    return f"nothing that reads {wanted!r} is in {text!r}"


def _rest(message: str) -> str:
    """What was seen, where nothing better can be made of it."""
    first = message.partition("\n")[0]
    return f"not as promised: {in_words(first)}" if first else "what was promised was not seen"
