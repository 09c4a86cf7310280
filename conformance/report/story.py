"""A record told as a conversation: who said what to whom, in order of time, one line each.

Every report that shows what happened (pages, reproductions, scenarios) shows these events; the record stays
the evidence. Texts are as on the wire, one character for each octet (latin-1) and without the line's end:
whoever shows them makes them harmless first (`words.printable`, or HTML escapes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

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


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `at`: seconds since the case began. `channel` names the conversation: `smtpd 0` (the first connection to
    qmail-smtpd), `dns`, `127.0.0.2:25` (an exchanger), `qmail-remote`, `queue`, `mailbox`, `log`,
    `program`, `set-up`. `text` is one line. `note` is what a reader wants beside it
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


def tell(record: dict[str, Any] | None) -> list[Event]:
    """The events of a record in order of time; empty without a record."""
    acts = (record or {}).get("acts", [])
    events: list[Event] = []
    start, seen = 0.0, None
    for act in acts:
        if act["act"] == "prepare":
            events += _sight(seen, start)
            start, seen = act["at"], None
        if act["act"] == "look":
            seen = act  # each look holds all that was seen since the last set-up
        events += _act(act)
    events += _sight(seen, start)
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
    keys = [one.same_as for one in ours], [one.same_as for one in theirs]
    same = SequenceMatcher(None, *keys, autojunk=False)
    for kind, a, b, c, d in same.get_opcodes():
        for one, other in zip_longest(ours[a:b], theirs[c:d]):
            yield Pair(one, other, kind == "equal")


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The index of the row that differs first in time, None when none does."""

    def when(index: int) -> float:
        pair = pairs[index]
        return min(event.at for event in (pair.left, pair.right) if event is not None)

    return min((index for index, pair in enumerate(pairs) if not pair.same), key=when, default=None)


def _settled(text: str) -> str:
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def _lines(text: str) -> list[str]:
    """A text's lines without their ends; a rest without an end is a line of its own."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _act(act: dict[str, Any]) -> Iterator[Event]:
    kind, at = act["act"], act["at"]
    if kind == "prepare":
        yield Event(at, "set-up", "suite", "qmail", "the world and qmail are set up")
    elif kind in ("connect", "shut", "close"):
        words = {"connect": "connects", "shut": "will send no more", "close": "closes the connection"}
        yield Event(at, f"smtpd {act['connection']}", "client", "qmail", f"[{words[kind]}]")
    elif kind == "send":
        channel = f"smtpd {act['connection']}"
        yield from (Event(at, channel, "client", "qmail", line) for line in _lines(act["data"]))
        if not act.get("taken", True):
            yield Event(at, channel, "qmail", "client", "[takes no more]")
    elif kind == "receive":
        channel = f"smtpd {act['connection']}"
        if act["data"] is None:
            yield Event(at, channel, "qmail", "client", "[silence]")
        elif act["data"] == "":
            yield Event(at, channel, "qmail", "client", "[closes the connection]")
        else:
            yield Event(at, channel, "qmail", "client", act["data"])  # joined and split in `_joined`
    elif kind == "remote":
        yield from _remote(act)


def _remote(act: dict[str, Any]) -> Iterator[Event]:
    result = act["result"]
    begun = max(0.0, act["at"] - result["seconds"])
    yield Event(begun, "qmail-remote", "suite", "qmail", "qmail-remote " + " ".join(act["arguments"]))
    for part in result["report"].split("\0"):
        for line in _lines(part):
            yield Event(act["at"], "qmail-remote", "qmail", "suite", line)
    ended = f"[exit status {result['status']}]" if result["ended"] else "[still running at the limit; ended]"
    yield Event(act["at"], "qmail-remote", "qmail", "suite", ended)


def _sight(look: dict[str, Any] | None, start: float) -> Iterator[Event]:
    """What one look saw. Questions and sessions have times of their own, the rest has that of the look."""
    if look is None:
        return
    sight, at = look["result"], look["at"]
    for one in sight["questions"]:
        when = start + one["at"]
        yield Event(when, "dns", "qmail", "dns", f"{one['name']} {one['type']}?", f"over {one['over']}")
        answered = one["rcode"] or "[no answer]"
        note = f"{one['size']} octets over {one['over']}" + (", truncated" if one["truncated"] else "")
        yield Event(when, "dns", "dns", "qmail", answered, note if one["rcode"] or one["size"] else "")
    for seen in sight["exchanges"]:
        yield from _exchange(seen, start)
    for message in sight["queue"]:
        to = ", ".join(f"<{recipient}>" for recipient in message["recipients"])
        text = f"[in the queue: from <{message['sender']}> to {to}]"
        yield Event(at, "queue", "qmail", "suite", text)
    for user, messages in sorted(sight["mailboxes"].items()):
        if messages:
            noun = "message" if len(messages) == 1 else "messages"
            yield Event(at, "mailbox", "qmail", "suite", f"[{user} has {len(messages)} {noun}]")
    for run in sight["runs"]:
        words = " ".join([run["program"], *run["arguments"]])
        yield Event(at, "program", "qmail", "suite", f"[ran {words}]")
    for line in sight["log"]:
        yield Event(at, "log", "qmail", "suite", line)


def _exchange(seen: dict[str, Any], start: float) -> Iterator[Event]:
    channel = f"{seen['address']}:{seen['port']}"
    for at, sign, said in seen["transcript"]:
        when = start + at
        if sign == "!":
            yield Event(when, channel, "exchanger", "qmail", f"[{said}]")
        elif sign == ">":
            yield from (Event(when, channel, "qmail", "exchanger", line) for line in _lines(said))
        else:
            yield from (Event(when, channel, "exchanger", "qmail", line) for line in _lines(said))


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
