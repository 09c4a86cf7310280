"""The story of a record with all that a pod sees, as two are held against each other.

A wait is told in whole seconds, so that a limit that is reached at another time is a difference.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from conformance.explore.chance import LF_ALONE, by_process, in_order, without_chance
from conformance.explore.settling import settled
from conformance.pod import record as acts
from conformance.pod.observation import Observation
from conformance.pod.record import Record
from conformance.report.story import Event, events_of

#: Seconds from which a wait is told, and by how much two may differ on a busy machine. With these, sums of
#: the latencies that are drawn stay clear of the place where another second is told.
_WAIT, _LATE = 0.8, 0.3
_BARE_LF = re.compile(r"(?<!\r)\n")
_VARIABLE = re.compile(r"  [A-Za-z_][A-Za-z0-9_]*=")


def told(record: Record, *, in_any_order: bool = False) -> list[Event]:
    """The story of a record, with what it does not tell: waits, octets of messages, what programs read.

    `in_any_order`: what a qmail-send that runs several deliveries at once does is told in alphabetical order,
    and what was said on a connection with replies too many for each side by itself.
    """
    record = without_chance(record) if in_any_order else record
    story = by_process(events_of(record)) if in_any_order else events_of(record)
    events = [replace(event, text=settled(event.text)) for event in _ordered(story)]
    observed: acts.Observe | None = None
    before = 0.0
    for act in record.acts:
        if isinstance(act, acts.Receive) and act.at - before >= _WAIT:
            channel = f"smtpd {act.connection}"
            events.append(Event(act.at, channel, "qmail", "client", f"[{_wait(act.at - before)}]"))
        if isinstance(act, acts.Remote) and act.result.seconds >= _WAIT:
            wait = _wait(act.result.seconds)
            events.append(Event(act.at, "qmail-remote", "qmail", "suite", f"[{wait}]"))
        if isinstance(act, acts.WaitUntilIdle) and not act.idle:
            events.append(Event(act.at, "queue", "qmail", "suite", "[qmail-send does not come to rest]"))
        if isinstance(act, acts.Observe):
            observed = act
        if not isinstance(act, acts.Send | acts.Shut):  # the reference has its waits there, qmail later
            before = act.at
    if observed is not None:
        events += _messages(observed.at, observed.seen)
        events += _line_ends(record, observed)
    return in_order(record, events) if in_any_order else events


def _ordered(events: Iterable[Event]) -> Iterator[Event]:
    """The events but for what is chance: variables of an environment stand in order.

    Who is still talking when qmail closes notices it sooner or later, and a host that reads no more hardly.
    """
    variables: list[Event] = []
    deaf: set[str] = set()
    for event in events:
        if event.text == "[deaf]":
            deaf.add(event.channel)
        if event.channel in deaf and event.text.startswith("[client "):
            continue
        if event.channel == "program" and _VARIABLE.match(event.text):
            if not event.text.startswith("  PWD="):  # the shell's doing
                variables.append(event)
            continue
        yield from sorted(variables, key=lambda each: each.text)
        variables = []
        if event.text != "[takes no more]":
            yield event
    yield from sorted(variables, key=lambda each: each.text)


def _wait(seconds: float) -> str:
    return f"after {int(seconds + _LATE)} s"


def _messages(at: float, seen: Observation) -> Iterator[Event]:
    for message in seen.queue:
        yield from _lines(at, "queue", message.octets)
    for user, messages in sorted(seen.mailboxes.items()):
        for octets in messages:
            yield from _lines(at, f"mailbox {user}", octets)
    for file in seen.files:
        if file.octets:
            yield Event(at, "files", "qmail", "suite", settled(f"[{file.path} holds {file.octets!r}]"))
    for call in seen.hook_calls:
        for signal in call.ignores:
            yield Event(at, "program", "qmail", "suite", f"  {call.program} ignores {signal}")
        if call.ends:
            read = f"{call.user!r} with {'a' if call.challenge else 'no'} challenge, {call.ends} ends"
            yield Event(at, "program", "qmail", "suite", f"  read {read}; {call.accepted}")
        if call.input:
            yield from _lines(at, "program", call.input)


def _lines(at: float, channel: str, octets: str) -> Iterator[Event]:
    for line in octets.split("\n"):
        yield Event(at, channel, "qmail", "suite", settled(f"  {line}"))


def _line_ends(record: Record, observed: acts.Observe) -> Iterator[Event]:
    """Where qmail ends a line in LF alone, which the story does not tell."""
    said: dict[str, str] = {}
    for act in record.acts:
        if isinstance(act, acts.Receive) and act.data:
            channel = f"smtpd {act.connection}"
            said[channel] = said.get(channel, "") + act.data
    for session in observed.seen.mx_sessions:
        texts = [entry.text for entry in session.transcript if entry.source == "client"]
        channel = f"{session.address}:{session.port}"
        said[channel] = said.get(channel, "") + "".join(texts)
    for channel, text in said.items():
        if _BARE_LF.search(text):
            yield Event(observed.at, channel, "qmail", "suite", LF_ALONE)
