"""A record told as a conversation: who said what to whom, in order of time, one line each.

Every report that shows what happened (pages, reproductions, scenarios) shows these events; the record stays
the evidence. Texts are as on the wire, one character for each octet (latin-1) and without the line's end:
whoever shows them makes them harmless first (`words.printable`, or HTML escapes).
"""

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import takewhile, zip_longest
from operator import eq
from typing import Literal

from conformance.pod import record as acts
from conformance.pod.observation import HookCall, MxSession
from conformance.report.words import numbered

_Opcode = tuple[str, int, int, int, int]
Speaker = Literal["client", "qmail", "dns", "exchanger", "suite"]

#: Of a connection that did not just close. Which it is depends on what the client said last, and when.
RESET = "; its connection was reset"

#: What differs from run to run and means nothing: times, process numbers, challenges, durations.
_VARIABLE = (
    (re.compile(r"ok \d{9,10} qp"), "ok TIME qp"),
    (re.compile(r"<\d+\.\d+@"), "<NUMBER.TIME@"),
    (re.compile(r"^334 [A-Za-z0-9+/]{12,}={0,2}$"), "334 CHALLENGE"),
    (re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"), "DATE"),
    (re.compile(r"(\(qmail|\bqp|\bpid|\bmsg|\bdelivery) \d+"), r"\1 NUMBER"),
    (re.compile(r"@4[0-9a-f]{23}\b"), "@TIME"),
    # Whether what the host was about to say has come by then is chance.
    (re.compile(r"^\[client (closed|reset)\]$"), "[client gone]"),
    (re.compile(r"(\[queue/[a-z]+)/[\d/]+"), r"\1/NUMBER"),
    (re.compile(r"(Maildir/\w+)/\d+\.\w+\."), r"\1/TIME.PID."),
    (re.compile(rf"(?<=\d){RESET}"), ""),
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


def client_does(act: acts.Connect | acts.Pause | acts.Shut | acts.Close) -> str:
    """What the client does beside sending, in words."""
    return f"says nothing for {act.seconds:g} s" if isinstance(act, acts.Pause) else CLIENT_DOES[act.act]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `at`: seconds since the case began, negative where nobody has kept them. `channel` names the
    conversation: `smtpd 0` (the first connection to qmail-smtpd), `dns`, `127.0.0.2:25` (an exchanger),
    `qmail-remote`, `packages`, `queue`, `mailbox`, `log`, `files`, `program`, `time-outs`, `set-up`,
    `world` (its failure). `text` is one line. `note` is what a reader wants beside it (sizes, transport), ""
    for nothing.
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

    @property
    def sides(self) -> tuple[Event | None, Event | None]:
        return self.left, self.right


def events_of(record: acts.Record | None) -> list[Event]:
    """The events of a record in order of time; empty without a record."""
    events: list[Event] = []
    start, last, observed = 0.0, 0.0, None
    for act in record.acts if record else ():
        if isinstance(act, acts.Prepare):
            events += _seen(observed, start, last)
            start, observed = act.at, None
        if isinstance(act, acts.Remote):
            events += _remote(act, last)
        if isinstance(act, acts.Observe):
            observed = act  # each observation holds all that was seen since the last set-up
        elif not isinstance(act, acts.Failure):
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
    keys, other_keys = ([event.same_as for event in events] for events in (ours, theirs))
    for kind, a, b, c, d in _opcodes(keys, other_keys):
        if kind == "equal":
            yield from (Pair(*two, True) for two in zip(ours[a:b], theirs[c:d], strict=True))
        else:
            yield from _unlike(ours[a:b], theirs[c:d])


def _opcodes(keys: Sequence[Hashable], others: Sequence[Hashable]) -> Iterator[_Opcode]:
    """As SequenceMatcher's, between ends that agree; line by line where it would take minutes."""
    start = _agreeing(keys, others)
    same_end = _agreeing(keys[start:][::-1], others[start:][::-1])
    end, other_end = len(keys) - same_end, len(others) - same_end
    yield "equal", 0, start, 0, start
    if (end - start) * (other_end - start) <= _ALIGNED:
        matcher = SequenceMatcher(None, keys[start:end], others[start:other_end], autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            yield kind, start + a, start + b, start + c, start + d
    else:
        both = min(end, other_end)
        for i in range(start, both):
            yield "equal" if keys[i] == others[i] else "replace", i, i + 1, i, i + 1
        yield "replace", both, end, both, other_end
    yield "equal", end, len(keys), other_end, len(others)


def _unlike(left: Sequence[Event], right: Sequence[Event]) -> Iterator[Pair]:
    """Events that differ: counterparts beside each other, the others one after the other, left ones first."""
    ours: list[Pair] = []
    theirs: list[Pair] = []
    for event, other in zip_longest(left, right):
        if event is not None and other is not None and _counterparts(event, other):
            yield from (*ours, *theirs, Pair(event, other, False))
            ours, theirs = [], []
            continue
        if event is not None:
            ours.append(Pair(event, None, False))
        if other is not None:
            theirs.append(Pair(None, other, False))
    yield from (*ours, *theirs)


def _counterparts(event: Event, other: Event) -> bool:
    """Whether two lines answer to each other: both are replies, or they are much the same."""
    if event.speaker != other.speaker:
        return False
    if _REPLY.match(event.text) and _REPLY.match(other.text):
        return True
    text, other_text = event.text[:_COMPARED], other.text[:_COMPARED]
    return SequenceMatcher(None, text, other_text, autojunk=False).ratio() >= 0.5


def _agreeing(keys: Sequence[object], others: Sequence[object]) -> int:
    """How many of the first keys agree."""
    return sum(takewhile(bool, map(eq, keys, others)))


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The index of the row that differs first, None when none does.

    One run is slower than the other, so their times are not compared: what differs first is what comes when
    the least has happened, in its own run, that both have in common.
    """
    common = [
        sorted(event.at for pair in pairs if pair.same and (event := pair.sides[side])) for side in (0, 1)
    ]

    def when(index: int) -> tuple[int, float]:
        sides = zip(pairs[index].sides, common, strict=True)
        return min((bisect_left(times, event.at), event.at) for event, times in sides if event is not None)

    return min((index for index, pair in enumerate(pairs) if not pair.same), key=when, default=None)


@lru_cache(maxsize=1 << 16)
def _settled(text: str) -> str:
    if _DIGIT.search(text) is None and not text.startswith("[client "):
        return text
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def _lines(text: str) -> list[str]:
    """A text's lines without their ends; a rest without an end is a line of its own."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _done(act: acts.Act) -> Iterator[Event]:
    """What one act did; what an observation saw is told by `_seen`."""
    match act:
        case acts.Prepare():
            yield Event(act.at, "set-up", "suite", "qmail", "the world and qmail are set up")
        case acts.Connect() | acts.Pause() | acts.Shut() | acts.Close():
            yield Event(act.at, f"smtpd {act.connection}", "client", "qmail", f"[{client_does(act)}]")
        case acts.Send():
            channel = f"smtpd {act.connection}"
            yield from (Event(act.at, channel, "client", "qmail", line) for line in _lines(act.data))
            if not act.taken:
                yield Event(act.at, channel, "qmail", "client", "[takes no more]")
        case acts.Receive():  # a reply is joined and split in `_joined`
            text = "[silence]" if act.data is None else act.data or "[closes the connection]"
            yield Event(act.at, f"smtpd {act.connection}", "qmail", "client", text)
        case acts.Signal():
            files = f", {', '.join(act.control)} written anew" if act.control else ""
            yield Event(act.at, "set-up", "suite", "qmail", f"qmail-send is sent {act.name}{files}")
        case acts.Packages():
            yield from _packages(act)
        case acts.Failure():
            reason = " ".join(act.reason.split())
            yield Event(act.at, "world", "suite", "suite", f"[the world failed: {reason}]")


def _packages(act: acts.Packages) -> Iterator[Event]:
    """What was done to the packages, what dpkg wrote, and what stands then."""
    seen = act.seen
    yield Event(act.at, "packages", "suite", "qmail", f"[{act.step}]")
    for line in _lines(seen.said):
        yield Event(act.at, "packages", "qmail", "suite", line)
    ended = f"exit status {seen.status}" if seen.ended else "dpkg does not end"
    stands = [f"{name} {said}" for name, said in seen.packages.items()] or ["no package is known"]
    for text in (seen.unsupported or ended, *stands, f"qmail-send: {seen.sender}"):
        yield Event(act.at, "packages", "qmail", "suite", f"[{text}]")
    for file in seen.files:
        yield Event(act.at, "packages", "qmail", "suite", f"[{file}]")
    for name, content in seen.control.items():
        text = content.rstrip("\n").replace("\n", "/")
        yield Event(act.at, "packages", "qmail", "suite", f"[control/{name}: {text}]")


def _remote(act: acts.Remote, last: float) -> Iterator[Event]:
    """A run of qmail-remote; `last`: when the act before it ended, which may be the moment it begins."""
    result = act.result
    begun = max(0.0, act.at - result.seconds)
    begun = last if last - 2 * _TICK < begun < last else begun
    yield Event(begun, "qmail-remote", "suite", "qmail", " ".join(("qmail-remote", *act.arguments)))
    for part in result.report.split("\0"):
        for line in _lines(part):
            yield Event(act.at, "qmail-remote", "qmail", "suite", line)
    ended = f"[exit status {result.status}]" if result.ended else "[still running at the limit; ended]"
    yield Event(act.at, "qmail-remote", "qmail", "suite", ended)


def _seen(observed: acts.Observe | None, start: float, last: float) -> Iterator[Event]:
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
        yield Event(when, "dns", "qmail", "dns", f"{question.name or '.'} {question.type}?", over)
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
            yield Event(at, "mailbox", "qmail", "suite", f"[{user} has {numbered(len(messages), 'message')}]")
    for file in seen.files:
        there = f"[{file}]"
        yield Event(at, "files", "qmail", "suite", there)
    for call in seen.hook_calls:
        yield Event(at, "program", "qmail", "suite", f"[ran {' '.join([call.program, *call.arguments])}]")
        yield from (Event(at, "program", "suite", "suite", f"  {fact}") for fact in _told(call))
    for host in seen.timeouts:
        remembered = f"[remembers {numbered(host.timeouts, 'time-out')} of {host.address}]"
        yield Event(at, "time-outs", "qmail", "suite", remembered)
    for line in seen.log:
        yield Event(at, "log", "qmail", "suite", line)
    for process in seen.sessions:
        if process.status is not None:
            how = f"status {process.status}" if process.status >= 0 else f"signal {-process.status}"
            text = f"[qmail-smtpd ended: {how}{RESET if process.reset else ''}]"
            yield Event(at, f"smtpd {process.connection}", "qmail", "suite", text)


#: tcpserver's variables, which differ from run to run in nothing but the port.
_TCPSERVER = re.compile(r"TCPREMOTE(IP|PORT)|TCPLOCAL.*|PROTO|PATH")


def _told(call: HookCall) -> Iterator[str]:
    """How a program found itself, as far as a reader would want to know it."""
    if call.account:
        yield f"in {call.directory} as {call.account}:{call.group}, umask {call.umask}"
    if call.descriptors:
        yield "descriptors: " + ", ".join(f"{number} {kind}" for number, kind in call.descriptors.items())
    if call.siblings:
        yield f"other children of its parent: {call.siblings}"
    variables = call.environment.items()
    yield from (f"{name}={value}" for name, value in variables if not _TCPSERVER.fullmatch(name))
    if call.envelope:
        yield f"read the envelope {call.envelope}"


def _mx_session(session: MxSession, start: float) -> Iterator[Event]:
    channel = f"{session.address}:{session.port}"
    for entry in session.transcript:
        speaker: Speaker = "qmail" if entry.source == "client" else "exchanger"
        listener: Speaker = "exchanger" if entry.source == "client" else "qmail"
        lines = [f"[{entry.text}]"] if entry.source == "event" else _lines(entry.text)
        yield from (Event(start + entry.at, channel, speaker, listener, line) for line in lines)


def _joined(events: Sequence[Event]) -> Iterator[Event]:
    """Replies of qmail-smtpd line by line, wherever the network cut them."""
    rests: dict[str, Event] = {}
    for event in events:
        by_server = event.speaker == "qmail" and event.channel.startswith("smtpd")
        if not by_server or event.text.startswith("["):
            if by_server and event.channel in rests:
                yield rests.pop(event.channel)
            yield event
            continue
        rest = rests.pop(event.channel, None)
        *lines, last = ((rest.text if rest else "") + event.text).replace("\r\n", "\n").split("\n")
        yield from (replace(event, text=line) for line in lines)
        if last:
            rests[event.channel] = replace(event, text=last)
    yield from rests.values()
