"""The event that decides: what a failed assertion looked at, or what it missed, in a story that has it."""

import re
from collections.abc import Iterable, Iterator, Sequence

from conformance.judge.verdict import Verdict
from conformance.report.claims import (
    DIFFERS,
    LACKED,
    NO_REPLY,
    QUOTES,
    REPLY,
    codes_in,
    deliveries,
    is_report,
    literal,
    parts,
    split,
    unquoted,
)
from conformance.report.story import Event

_TELLING = 3  #: characters that a value must have for an event to be known by it


def deciding(verdict: Verdict, events: Sequence[Event]) -> Event | None:
    """The event that the failing assertion looked at: a reply, a silence, a report; None where nobody knows.

    `events` are those of the verdict's record.
    """
    if verdict.verdict != "unmet":
        return None
    message, claim, wheres = parts(verdict.seen)
    if found := decisive_reply(message, claim, wheres, events):
        return found[1]
    texts = [message, *wheres]
    if any(NO_REPLY.search(text) for text in texts):
        said = [each for each in events if each.channel.startswith("smtpd") and each.speaker == "client"]
        return said[-1] if said else None
    left, operator, right = split(claim)
    if any(deliveries(texts)) or (is_report(left) and is_report(right)):
        told = [each for each in events if each.channel == "qmail-remote" and each.speaker == "qmail"]
        return told[-1] if told else None
    different = [found[0] for found in DIFFERS.findall(verdict.seen)[:1]]
    # Of `x in y`, y is what was seen.
    quoting = [*different, right if operator.endswith("in") else left, message]
    whole = message.partition("\n")[0]
    said = [event for event in events if event.text == whole] if len(whole) >= _TELLING else []
    return _quoting(quoting, events) or (said[-1] if said else None)


def missing(verdict: Verdict, events: Sequence[Event]) -> Event | None:
    """The first of another story's events that shows what was promised here and did not come; None where
    that is not to be seen.

    `events` are those in which the other story differs, which keeps the promise.
    """
    if verdict.verdict != "unmet":
        return None
    _, claim, _ = parts(verdict.seen)
    left, operator, right = split(claim)
    promised = left if operator.endswith("in") else right
    for value in _quoted([*LACKED.findall(verdict.seen), promised]):
        holding = [event for event in events if value in event.text]
        # What is that and nothing else tells it better than what has it in it.
        for tells in (str.__eq__, str.endswith, str.__contains__):
            if found := [event for event in holding if tells(event.text, value)]:
                return found[0]
    return None


def _quoting(texts: Iterable[str], events: Sequence[Event]) -> Event | None:
    """The last event that holds what one of these texts quotes, the longest of it first."""
    for value in _quoted(texts):
        holding = [event for event in events if event.channel != "set-up" and value in event.text]
        if holding:
            return holding[-1]
    return None


def _quoted(texts: Iterable[str]) -> Iterator[str]:
    """What these texts quote, of each the longest first; what is too short to tell anything is left out."""
    for text in texts:
        values = [line for found in QUOTES.finditer(text) for line in _lines_of(found[1])]
        yield from sorted((value for value in values if len(value) >= _TELLING), key=len, reverse=True)


def _lines_of(quoted: str) -> list[str]:
    """The lines of a text in quotes, each without the blanks about it."""
    try:
        return [line.strip() for line in str(literal(quoted)).splitlines()]
    except ValueError:
        return [unquoted(quoted)]


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


def decisive_reply(
    message: str, claim: str, wheres: list[str], events: Iterable[Event]
) -> tuple[str, Event] | None:
    """The reply that is not as promised, with what the client had said for it."""
    left, _, right = split(claim)
    codes, wanted, shown = codes_in(left), codes_in(right), shown_reply(message, wheres)
    pairs = _answered(events)
    if several(codes, wanted, shown):
        differs = first_unlike(codes, wanted)
        starts = (at for at in range(len(pairs) - len(codes), -1, -1) if _fits(pairs[at:], codes))
        start = next(starts, None)
        return None if start is None else pairs[start + differs]
    if shown is None:
        return None
    code, words = shown[1], unquoted(shown[2])
    ending = [pair for pair in pairs if pair[1].text[:3] == code and words.endswith(pair[1].text[4:])]
    return ending[-1] if ending else None


def several(codes: list[int], wanted: list[int], shown: re.Match[str] | None) -> bool:
    """Whether a claim compares several replies, with more or fewer perhaps, or one that is not shown."""
    if len(codes) > 1 and len(codes) != len(wanted):
        return any(code != other for code, other in zip(codes, wanted, strict=False))
    return bool(codes) and len(codes) == len(wanted) and (len(codes) > 1 or shown is None)


def first_unlike(codes: list[int], wanted: list[int]) -> int:
    """The place of the first reply that is not the promised one."""
    both = enumerate(zip(codes, wanted, strict=False))
    return next((at for at, (code, other) in both if code != other), 0)


def shown_reply(message: str, wheres: list[str]) -> re.Match[str] | None:
    """The one reply that an assertion is about, where it shows one alone."""
    there = [found for where in wheres for found in REPLY.finditer(where)]
    told = list(REPLY.finditer(message))
    if there:
        return there[0]
    return told[0] if len(told) == 1 else None


def _fits(pairs: list[tuple[str, Event]], codes: list[int]) -> bool:
    return [event.text[:3] for _, event in pairs[: len(codes)]] == [str(code) for code in codes]
