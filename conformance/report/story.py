"""A record told as a conversation: who said what to whom, in order of time, one line each.

Every report that shows what happened (pages, reproductions, scenarios) shows these events; the record stays
the evidence. Texts are as on the wire, one character for each octet (latin-1) and without the line's end:
whoever shows them makes them harmless first (`words.printable`, or HTML escapes).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import zip_longest
from typing import Literal

from conformance.pod.observation import MxSession
from conformance.pod.record import (
    Act,
    Close,
    Connect,
    Failure,
    Observe,
    Prepare,
    Receive,
    Record,
    Remote,
    Send,
    Shut,
)

Speaker = Literal["client", "qmail", "dns", "exchanger", "suite"]

#: What differs from run to run and means nothing: times, process numbers, challenges, durations.
_VARIABLE = (
    (re.compile(r"ok \d{9,10} qp \d+"), "ok TIME qp NUMBER"),
    (re.compile(r"\bqp \d+"), "qp NUMBER"),
    (re.compile(r"<\d+\.\d+@"), "<NUMBER.TIME@"),
    (re.compile(r"^334 [A-Za-z0-9+/]{12,}={0,2}$"), "334 CHALLENGE"),
    (re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"), "DATE"),
    (re.compile(r"\(qmail \d+ "), "(qmail NUMBER "),
    (re.compile(r"\bpid \d+"), "pid NUMBER"),
    (re.compile(r"\b(new|end|info) msg \d+"), r"\1 msg NUMBER"),
    (re.compile(r"\b(starting )?delivery \d+"), r"\1delivery NUMBER"),
    (re.compile(r"\bmsg \d+"), "msg NUMBER"),
    (re.compile(r"@4[0-9a-f]{23}\b"), "@TIME"),
)
#: Each of them holds one.
_DIGIT = re.compile(r"\d")

#: Seconds: the finest difference of two times in a record.
_TICK = 0.0001
_REPLY = re.compile(r"[2-5]\d\d[ -]")
#: What the client does beside sending.
CLIENT_DOES = {"connect": "connects", "shut": "will send no more", "close": "closes the connection"}
#: Characters of two lines that are compared to see whether one is the other's counterpart.
_COMPARED = 200
#: Lines of one conversation times lines of the other, up to which the best alignment is looked for.
_ALIGNED = 1_000_000


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `at`: seconds since the case began. `channel` names the conversation: `smtpd 0` (the first connection to
    qmail-smtpd), `dns`, `127.0.0.2:25` (an exchanger), `qmail-remote`, `queue`, `mailbox`, `log`,
    `program`, `set-up`, `world` (its failure). `text` is one line. `note` is what a reader wants beside it
    (sizes, transport), "" for nothing.
    """

    at: float
    channel: str
    speaker: Speaker
    listener: Speaker
    text: str
    note: str = ""

    @property
    def same_as(self) -> tuple[str, str, str, str]:
        """What must agree for two events of two runs to count as the same."""
        return self.channel, self.speaker, _settled(self.text), self.note


@dataclass(frozen=True)
class Pair:
    """One row of two stories side by side; None where one story has nothing to say."""

    left: Event | None
    right: Event | None
    same: bool


def events_of(record: Record | None) -> list[Event]:
    """The events of a record in order of time; empty without a record."""
    events: list[Event] = []
    start, last, observed = 0.0, 0.0, None
    for act in record.acts if record else ():
        if isinstance(act, Prepare):
            events += _seen(observed, start, last)
            start, observed = act.at, None
        if isinstance(act, Observe):
            observed = act  # each observation holds all that was seen since the last set-up
        elif not isinstance(act, Failure):
            last = act.at
        events += _done(act)
    events += _seen(observed, start, last)
    return sorted(_joined(events), key=lambda event: event.at)


def shortened(events: Sequence[Event], most: int = 400) -> list[Event]:
    """At most `most` events: the first, the last, and between them one that says how many are left out."""
    if len(events) <= most:
        return list(events)
    half = most // 2
    text = f"… {len(events) - 2 * half} events left out; the run file holds them …"
    return [*events[:half], Event(events[half].at, "set-up", "suite", "suite", text), *events[-half:]]


def side_by_side(left: Sequence[Event], right: Sequence[Event]) -> list[Pair]:
    """Two stories aligned, channel by channel in the order in which the channels first spoke.

    Which of two channels spoke first is chance, so they are not compared with each other. What differs only
    in times, process numbers or challenges counts as the same.
    """
    order = dict.fromkeys(event.channel for event in sorted([*left, *right], key=lambda event: event.at))
    return [pair for channel in order for pair in _aligned(channel, left, right)]


def _aligned(channel: str, left: Sequence[Event], right: Sequence[Event]) -> Iterator[Pair]:
    ours = [event for event in left if event.channel == channel]
    theirs = [event for event in right if event.channel == channel]
    keys, other_keys = [one.same_as for one in ours], [one.same_as for one in theirs]
    before = _agreeing(keys, other_keys)
    after = _agreeing(keys[before:][::-1], other_keys[before:][::-1])
    yield from (Pair(*two, True) for two in zip(ours[:before], theirs[:before], strict=True))
    keys, other_keys = keys[before : len(keys) - after], other_keys[before : len(other_keys) - after]
    for kind, a, b, c, d in _opcodes(keys, other_keys):
        some, others = ours[before + a : before + b], theirs[before + c : before + d]
        if kind == "equal":
            yield from (Pair(*two, True) for two in zip(some, others, strict=True))
        else:
            yield from _unlike(some, others)
    rest = zip(ours[len(ours) - after :], theirs[len(theirs) - after :], strict=True)
    yield from (Pair(*two, True) for two in rest)


def _unlike(left: Sequence[Event], right: Sequence[Event]) -> Iterator[Pair]:
    """Events that differ: counterparts beside each other, the others one after the other."""
    waiting: list[Pair] = []
    for one, other in zip_longest(left, right):
        if one is not None and other is not None and _counterparts(one, other):
            yield from _left_first(waiting)
            waiting = []
            yield Pair(one, other, False)
        else:
            waiting += [Pair(one, None, False)] if one is not None else []
            waiting += [Pair(None, other, False)] if other is not None else []
    yield from _left_first(waiting)


def _left_first(pairs: Sequence[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: pair.left is None)


def _counterparts(one: Event, other: Event) -> bool:
    """Whether two lines answer to each other: both are replies, or they are much the same."""
    if one.speaker != other.speaker:
        return False
    if _REPLY.match(one.text) and _REPLY.match(other.text):
        return True
    return SequenceMatcher(None, one.text[:_COMPARED], other.text[:_COMPARED], autojunk=False).ratio() >= 0.5


def _agreeing(keys: Sequence[object], others: Sequence[object]) -> int:
    """How many of the first keys agree."""
    differing = (i for i, (one, other) in enumerate(zip(keys, others, strict=False)) if one != other)
    return next(differing, min(len(keys), len(others)))


def _opcodes(
    keys: Sequence[Hashable], others: Sequence[Hashable]
) -> Sequence[tuple[str, int, int, int, int]]:
    """As SequenceMatcher's; line by line where a long conversation would take it minutes."""
    if len(keys) * len(others) <= _ALIGNED:
        return SequenceMatcher(None, keys, others, autojunk=False).get_opcodes()
    both = min(len(keys), len(others))
    by_line = [("equal" if keys[i] == others[i] else "replace", i, i + 1, i, i + 1) for i in range(both)]
    return [*by_line, ("replace", both, len(keys), both, len(others))]


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The index of the row that differs first, None when none does.

    One run is slower than the other, so their times are not compared: what differs first is what comes when
    the least has happened, in its own run, that both have in common.
    """
    common = [
        sorted(event.at for pair in pairs if pair.same and (event := _sides(pair)[side])) for side in (0, 1)
    ]

    def when(index: int) -> tuple[int, float]:
        sides = zip(_sides(pairs[index]), common, strict=True)
        return min((bisect_left(times, event.at), event.at) for event, times in sides if event is not None)

    return min((index for index, pair in enumerate(pairs) if not pair.same), key=when, default=None)


def _sides(pair: Pair) -> tuple[Event | None, Event | None]:
    return pair.left, pair.right


@lru_cache(maxsize=1 << 16)
def _settled(text: str) -> str:
    if _DIGIT.search(text) is None:
        return text
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def _lines(text: str) -> list[str]:
    """A text's lines without their ends; a rest without an end is a line of its own."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _done(act: Act) -> Iterator[Event]:
    """What one act did; what an observation saw is told by `_seen`."""
    match act:
        case Prepare():
            yield Event(act.at, "set-up", "suite", "qmail", "the world and qmail are set up")
        case Connect() | Shut() | Close():
            yield Event(act.at, f"smtpd {act.connection}", "client", "qmail", f"[{CLIENT_DOES[act.act]}]")
        case Send():
            channel = f"smtpd {act.connection}"
            yield from (Event(act.at, channel, "client", "qmail", line) for line in _lines(act.data))
            if not act.taken:
                yield Event(act.at, channel, "qmail", "client", "[takes no more]")
        case Receive():  # a reply is joined and split in `_joined`
            text = "[silence]" if act.data is None else act.data or "[closes the connection]"
            yield Event(act.at, f"smtpd {act.connection}", "qmail", "client", text)
        case Remote():
            yield from _remote(act)
        case Failure():
            reason = " ".join(act.reason.split())
            yield Event(act.at, "world", "suite", "suite", f"[the world failed: {reason}]")


def _remote(act: Remote) -> Iterator[Event]:
    result = act.result
    begun = max(0.0, act.at - result.seconds)
    yield Event(begun, "qmail-remote", "suite", "qmail", " ".join(("qmail-remote", *act.arguments)))
    for part in result.report.split("\0"):
        for line in _lines(part):
            yield Event(act.at, "qmail-remote", "qmail", "suite", line)
    ended = f"[exit status {result.status}]" if result.ended else "[still running at the limit; ended]"
    yield Event(act.at, "qmail-remote", "qmail", "suite", ended)


def _seen(observed: Observe | None, start: float, last: float) -> Iterator[Event]:
    """What one observation saw. Questions and sessions have times of their own, the rest has that of the act.

    Those times count from some moment within the set-up, which the record does not tell: at the latest from
    its end, `start`, and early enough for all of them to be over with the `last` act before the observation.
    """
    if observed is None:
        return
    seen, at = observed.seen, observed.at
    times = [question.at for question in seen.questions]
    times += [entry.at for session in seen.mx_sessions for entry in session.transcript]
    start -= max(0.0, start + max(times, default=0.0) - (max(start, last) - _TICK))
    for question in seen.questions:
        when, over = start + question.at, f"over {question.over}"
        yield Event(when, "dns", "qmail", "dns", f"{question.name} {question.type}?", over)
        note = f"{question.size} octets {over}" + (", truncated" if question.truncated else "")
        sent = question.rcode or question.size
        yield Event(when, "dns", "dns", "qmail", question.rcode or "[no answer]", note if sent else "")
    for session in seen.mx_sessions:
        yield from _mx_session(session, start)
    for message in seen.queue:
        to = ", ".join(f"<{recipient}>" for recipient in message.recipients)
        yield Event(at, "queue", "qmail", "suite", f"[in the queue: from <{message.sender}> to {to}]")
    for user, messages in sorted(seen.mailboxes.items()):
        if messages:
            noun = "message" if len(messages) == 1 else "messages"
            yield Event(at, "mailbox", "qmail", "suite", f"[{user} has {len(messages)} {noun}]")
    for call in seen.hook_calls:
        words = " ".join([call.program, *call.arguments])
        yield Event(at, "program", "qmail", "suite", f"[ran {words}]")
    for line in seen.log:
        yield Event(at, "log", "qmail", "suite", line)


def _mx_session(session: MxSession, start: float) -> Iterator[Event]:
    channel = f"{session.address}:{session.port}"
    for entry in session.transcript:
        when = start + entry.at
        if entry.source == "event":
            yield Event(when, channel, "exchanger", "qmail", f"[{entry.text}]")
        elif entry.source == "client":
            yield from (Event(when, channel, "qmail", "exchanger", line) for line in _lines(entry.text))
        else:
            yield from (Event(when, channel, "exchanger", "qmail", line) for line in _lines(entry.text))


def _joined(events: Sequence[Event]) -> Iterator[Event]:
    """Replies of qmail-smtpd line by line, wherever the network cut them."""
    rests: dict[str, Event] = {}
    for event in events:
        whole = not (event.channel.startswith("smtpd") and event.speaker == "qmail")
        if whole or event.text.startswith("["):
            if event.channel in rests and event.speaker == "qmail":
                yield rests.pop(event.channel)
            yield event
            continue
        rest = rests.pop(event.channel, None)
        *lines, last = ((rest.text if rest else "") + event.text).replace("\r\n", "\n").split("\n")
        yield from (Event(event.at, event.channel, "qmail", "client", line) for line in lines)
        if last:
            rests[event.channel] = Event(event.at, event.channel, "qmail", "client", last)
    yield from rests.values()
