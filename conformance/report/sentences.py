"""What came of a promise in one sentence for people: what was said, what was answered, what was promised.

Made of what a verdict says was seen, and of its record. pytest's own words on an assertion are for
developers: where a report shows them, they stand below.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance.judge.verdict import Verdict
from conformance.report.story import Event, events_of
from conformance.report.words import one_line

_LONGEST = 160  #: characters of one value in a sentence
_TELLING = 3  #: characters that a value must have for an event to be known by it
_READ = 20_000  #: characters of what was seen that are read for it

_QUOTED = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_QUOTES = re.compile(_QUOTED)
_REPLY = re.compile(rf"<reply (\d+) {_QUOTED}>")
_NO_REPLY = re.compile(r"<no reply: (.*?)>(?=[\s,;:\])]|$)", re.MULTILINE)
_DELIVERY = re.compile(rf"<delivery {_QUOTED} {_QUOTED}(, still running at the limit)?(, crashed by [^>]*)?>")
_DIFFERS = re.compile(r"^\s*At index \d+ diff: (.*) != (.*)$", re.MULTILINE)
_WHERE = re.compile(r"^\s*\+\s+(?:where|and)\s+(.*)$")

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
_OPERATORS = ("not in", "is not", "==", "!=", ">=", "<=", ">", "<", "in", "is")


def sentence(verdict: Verdict) -> str:
    """The sentence on an unmet verdict, on one line; what is invalid is told as it was seen. "" when met."""
    if verdict.verdict != "unmet" or not verdict.seen:
        return one_line(verdict.seen.partition("\n")[0], 2 * _LONGEST)
    message, claim, wheres = _parts(verdict.seen)
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


def _parts(seen: str) -> tuple[str, str, list[str]]:
    """The case's own words, what was claimed (without `assert`), and where its values come from."""
    lines = seen[:_READ].split("\n")
    at = next((i for i, line in enumerate(lines) if line.lstrip().startswith("assert ")), len(lines))
    claim = lines[at].strip().removeprefix("assert ") if at < len(lines) else ""
    wheres = [found[1] for line in lines[at + 1 :] if (found := _WHERE.match(line))]
    return "\n".join(lines[:at]).strip(), claim, wheres


def _split(claim: str) -> tuple[str, str, str]:
    """Left, operator and right of a claim; operators inside of quotes and brackets are none."""
    depth, quote, at = 0, "", 0
    while at < len(claim):
        char = claim[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == " " and not depth:
            for operator in _OPERATORS:
                if claim.startswith(f" {operator} ", at):
                    return claim[:at], operator, claim[at + len(operator) + 2 :]
        at += 1
    # pytest cuts long values short, quotes and all.
    left, operator, right = claim.partition(" == ")
    return left, operator.strip(), right


def _promised(operator: str, right: str) -> str:
    return _PROMISED[operator].format(_value(right)) if operator in _PROMISED else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _value(text: str) -> str:
    """A value as Python writes it, in words: `['a', 'b']` is 'a', 'b', and `[]` nothing."""
    if text in ("''", '""'):
        return "nothing"
    try:
        said = _words(_literal(text))
    except ValueError:
        said = _plain(text).strip("[](){}")
    return one_line(said, _LONGEST)


def _literal(text: str) -> Any:
    """What a value in Python's form is. Raises ValueError for anything else, whatever it holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes
            return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"no literal: {text[:80]!r}") from error


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_words(key)}: {_words(of)}" for key, of in value.items()) or "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        each = value if isinstance(value, (list, tuple)) else sorted(value, key=repr)
        return ", ".join(map(_words, each)) or "nothing"
    return "nothing" if value is None else repr(value)


def _plain(text: str) -> str:
    """Text of a case in which replies and deliveries are named as people would."""
    text = _REPLY.sub(lambda found: f"{found[1]} {_unquoted(found[2])}".rstrip(), text)
    text = _NO_REPLY.sub(r"no reply (\1)", text)
    text = _DELIVERY.sub(lambda found: _delivery(found), text)
    text = re.sub(r"\[\]|set\(\)|\(\)", "nothing", text)
    return re.sub(r"\[('[^']*'(?:, '[^']*')*)\]", r"\1", text)


def _delivery(found: re.Match[str]) -> str:
    letters, words = _unquoted(found[1]), _unquoted(found[2])
    became = _BECAME.get(letters[-1:], f"reported as {letters}")
    told = f"the message was {became}" + (f": {words}" if words else "")
    return told + "".join(each or "" for each in (found[3], found[4]))


def _unquoted(text: str) -> str:
    try:
        return " ".join(str(_literal(text)).split())
    except ValueError:
        return " ".join(text.strip("'\"").split())


def _prose(message: str, claim: str) -> str:
    """The case's own words where they are a sentence already, with what was promised where that is short."""
    first = message.partition("\n")[0]
    if not re.match(r"[A-Za-z0-9][^<\[({'\"]*[ :]", first) or re.match(r"\w+\(", first):
        return ""
    left, operator, right = _split(claim)
    plain = operator == "==" and len(right) < 60 and "(" not in left + right and left not in ("True", "False")
    plain = plain and (not left.isdigit() or bool(_codes(left)))  # how many of what, the words say
    return _joined(_plain(first), _promised(operator, right) if plain else "")


def deciding(verdict: Verdict, events: Sequence[Event]) -> Event | None:
    """The event that the failing assertion looked at: a reply, a silence, a report; None where nobody knows.

    `events` are those of the verdict's record.
    """
    if verdict.verdict != "unmet":
        return None
    message, claim, wheres = _parts(verdict.seen)
    if found := _decisive_reply(message, claim, wheres, events):
        return found[1]
    texts = [message, *wheres]
    if any(_NO_REPLY.search(text) for text in texts):
        said = [each for each in events if each.channel.startswith("smtpd") and each.speaker == "client"]
        return said[-1] if said else None
    left, _, right = _split(claim)
    if any(_deliveries(texts)) or (_is_report(left) and _is_report(right)):
        told = [each for each in events if each.channel == "qmail-remote" and each.speaker == "qmail"]
        return told[-1] if told else None
    return _quoting([*_DIFFERS.findall(verdict.seen)[:1], (left, ""), (message, "")], events)


def _quoting(texts: Iterable[tuple[str, str]], events: Sequence[Event]) -> Event | None:
    """The last event that holds what one of these texts quotes, the longest of it first."""
    for text, _ in texts:
        quoted = (_unquoted(found[1]) for found in _QUOTES.finditer(text))
        for value in sorted((value for value in quoted if len(value) >= _TELLING), key=len, reverse=True):
            holding = [event for event in events if event.channel != "set-up" and value in event.text]
            if holding:
                return holding[-1]
    return None


def _answered(events: Iterable[Event]) -> list[tuple[str, Event]]:
    """Each last line of a reply of qmail-smtpd, with what the client had said for it."""
    said: dict[str, list[str]] = {}
    pairs = []
    content = set()  # channels on which a message is on its way
    for event in events:
        if not event.channel.startswith("smtpd"):
            continue
        waiting = said.setdefault(event.channel, [])
        if event.speaker == "client":
            if event.channel in content and event.text != ".":
                continue
            content.discard(event.channel)
            waiting.append(event.text)
        elif re.match(r"\d{3}( |$)", event.text):
            pairs.append((waiting.pop(0) if waiting else "", event))
            if event.text.startswith("354"):
                content.add(event.channel)
    return pairs


def _decisive_reply(
    message: str, claim: str, wheres: list[str], events: Iterable[Event]
) -> tuple[str, Event] | None:
    """The reply that is not as promised, with what the client had said for it."""
    left, _, right = _split(claim)
    codes, wanted, shown = _codes(left), _codes(right), _shown(message, wheres)
    pairs = _answered(events)
    if _several(codes, wanted, shown):
        differs = _first_unlike(codes, wanted)
        starts = (at for at in range(len(pairs) - len(codes), -1, -1) if _fits(pairs[at:], codes))
        start = next(starts, None)
        return None if start is None else pairs[start + differs]
    if shown is None:
        return None
    code, words = shown[1], _unquoted(shown[2])
    ending = [pair for pair in pairs if pair[1].text[:3] == code and words.endswith(pair[1].text[4:])]
    return ending[-1] if ending else None


def _several(codes: list[int], wanted: list[int], shown: re.Match[str] | None) -> bool:
    """Whether a claim compares several replies, or one that is not shown whole."""
    return bool(codes) and len(codes) == len(wanted) and (len(codes) > 1 or shown is None)


def _first_unlike(codes: list[int], wanted: list[int]) -> int:
    return next((at for at, code in enumerate(codes) if code != wanted[at]), 0)


def _shown(message: str, wheres: list[str]) -> re.Match[str] | None:
    """The one reply that an assertion is about, where it shows one alone."""
    there = [found for where in wheres for found in _REPLY.finditer(where)]
    told = list(_REPLY.finditer(message))
    if there:
        return there[0]
    return told[0] if len(told) == 1 else None


def _of_replies(message: str, claim: str, wheres: list[str], events: Sequence[Event]) -> str:
    """`RCPT TO:<a%b@here.example> was answered 250 ok; 553 was promised`."""
    left, operator, right = _split(claim)
    codes, wanted, shown = _codes(left), _codes(right), _shown(message, wheres)
    found = _decisive_reply(message, claim, wheres, events)
    if _several(codes, wanted, shown):
        if found is not None:
            return _joined(
                _reply_to(found[0], found[1].text), f"{wanted[_first_unlike(codes, wanted)]} was promised"
            )
        replies = ", ".join(map(str, codes))
        return _joined(f"the replies were {replies}", f"{', '.join(map(str, wanted))} were promised")
    if silent := _NO_REPLY.search("\n".join([message, *wheres])):
        return _joined(f"no reply came ({silent[1]})", _promised(operator, right) if wanted else "")
    if shown is None:
        return ""
    promised = _promised(operator, right) if left in (shown[1], shown[2]) or wanted else ""
    line = f"{shown[1]} {_unquoted(shown[2])}".rstrip()
    return _joined(_reply_to(found[0] if found else "", line), promised)


def _reply_to(command: str, line: str) -> str:
    said = "the message" if command == "." else one_line(command, _LONGEST)
    if command.startswith("["):  # what it did, and no line that it said
        said = f"the client, which {command.strip('[]')},"
    elif command.startswith("<"):  # the name of what is hidden in a record
        said = f"the client's {command.strip('<>')}"
    return f"{said or 'the client'} was answered {line}"


def _fits(pairs: list[tuple[str, Event]], codes: list[int]) -> bool:
    return [event.text[:3] for _, event in pairs[: len(codes)]] == [str(code) for code in codes]


def _codes(text: str) -> list[int]:
    """Reply codes as a claim compares them: `250`, `[250, 553]`; none where it is about something else."""
    try:
        value = _literal(text)
    except ValueError:
        return []
    values = value if isinstance(value, (list, tuple)) else [value]
    fine = all(isinstance(each, int) and (200 <= each < 600 or each == 0) for each in values)
    return list(values) if values and fine and any(values) else []


def _of_delivery(message: str, claim: str, wheres: list[str]) -> str:
    """`the message was deferred: CNAME lookup failed …; that a host takes it was promised`."""
    found = next(_deliveries([message, *wheres]), None)
    if found is None:
        return ""
    left, operator, right = _split(claim)
    promised = _promised(operator, right)
    if any(where.endswith(".accepted") for where in wheres):
        promised = "that a host takes it was promised"
    elif operator == "==" and _is_report(right):
        promised = _of_report(right)
    elif operator == "in" and not _is_report(left):
        promised = f"{_value(left)} was promised there"
    return _joined(_delivery(found), promised)


def _is_report(text: str) -> bool:
    """Whether a value is letters of a report of qmail-remote, as `'rK'`."""
    return bool(re.fullmatch(r"'[rhs]*[KZD]'", text))


def _of_report(text: str) -> str:
    letters = text.strip("'")
    each = f" ({letters})" if letters[:-1] else ""
    return f"that it is {_BECAME[letters[-1]]}{each} was promised"


def _deliveries(texts: list[str]) -> Iterator[re.Match[str]]:
    for text in texts:
        yield from _DELIVERY.finditer(text)


def _of_first_difference(claim: str, seen: str) -> str:
    """Of values that pytest has cut short, the first place where they are not the same."""
    found = _DIFFERS.search(seen)
    if "..." not in claim or not found:
        return ""
    return f"{_value(found[1])} was seen where {_value(found[2])} was promised"


def _of_claim(claim: str, wheres: list[str]) -> str:
    """What was compared with what: `0 messages that a host took; 1 was promised`."""
    if not claim:
        return ""
    left, operator, right = _split(claim)
    noun = next((word for where in wheres for name, word in _NOUNS.items() if _asks(where, name)), "")
    if operator == "==" and _is_report(left) and _is_report(right):
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
