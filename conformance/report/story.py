"""A record told as a conversation: who said what to whom, in order of time, one line each.

Every report that shows what happened (pages, reproductions, scenarios) shows these events; the record stays
the evidence. Texts are as on the wire, one character for each octet (latin-1) and without the line's end:
whoever shows them makes them harmless first (`words.printable`, or HTML escapes).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from conformance.pod import record as acts
from conformance.pod.observation import HookCall, MxSession
from conformance.report.words import numbered

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
#: What the client does beside sending.
CLIENT_DOES = {"connect": "connects", "shut": "will send no more", "close": "closes the connection"}


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
