"""What is chance in real pods, and left out where two stories of such are held against each other.

Processes run at the same time there, hosts and programs speak when they are not asked, and replies are lost.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from conformance.pod import record as acts
from conformance.pod.observation import MxSession, TranscriptEntry
from conformance.pod.record import Record
from conformance.pod.world import Exchanger
from conformance.report.story import Event

#: What `told` says where qmail ends a line in LF alone.
LF_ALONE = "[ends a line in LF alone]"

#: What tells how much is under way at once.
_AT_ONCE = ("status: ", "  other children of its parent: ")
_RECIPIENTS = re.compile(r"^(\[in the queue: from <.*?> to )(.*)(\]$)")
_FAILURES = re.compile(r"^(\[queue/bounce/\S+ holds ['\"])(.*)(\\n\\n['\"]\]$)")
_ENTRIES = re.compile(r"^(\[homes/\S+ holds ['\"])(From .*)(\\n\\n['\"]\]$)")
_BOUNCED = re.compile(
    r"(didn\\?'t work out\.\\n\\n|the bounce bounced!\\n\\n)(<.*?)(\\n\\n--- Below this line is )"
)
#: What sh says of a program that it has not run in its own place, and qmail-local of one that was.
_CRASHED = re.compile(
    r"(?:Segmentation[ _]fault(?:[ _]\(core[ _]dumped\))?"
    r"|Aack,[ _]child[ _]crashed\.[ _]\(#4\.3\.0\))(?=/|\\n|$)"
)
_NUMBER = re.compile(r"\d+")
_LOGGED = re.compile(r"qmail-smtpd: pid (\d+) ")
_UNKNOWN = "502 unimplemented"  #: what a host says to lines that it does not know
#: How a connection to a host ends; the suite tells it.
_ENDS = ("[closed]", "[reset]", "[client closed]", "[client reset]")
#: Programs whose output may be the connection of a client; that of the others is a pipe.
_TALKATIVE = ("rcptcheck", "checkprogram", "subprogram")
_LEAVES = re.compile(r"\[client ")
_GONE = "Write error (disconnect?)", "Read error (disconnect?)"


def without_chance(record: Record) -> Record:
    """A record without what programs and hosts do in it by chance."""
    return _in_whole_lines(_without_given_up(record))


def in_order(record: Record, events: list[Event]) -> list[Event]:
    """The events of a record as far as their order means anything.

    What a qmail-send that runs several deliveries at once does is told in alphabetical order, and what was
    said on a connection with replies too many for each side by itself. Whether sh runs the last command of a
    line in its own place, and dies of what that dies of, or tells of it and exits, is sh's (sh(1);
    qmail-command(8), EXIT CODES): it is told in the same words.
    """
    # Whether a host that speaks slowly notices who goes meanwhile is chance.
    slow = _hosts(record, lambda host: bool(host.pace))
    events = [event for event in events if event.channel not in slow or not _LEAVES.match(event.text)]
    # A host that has not expected a message answers its lines, and how many before qmail goes is chance; and
    # so is whether it hears QUIT, for Linux drops what was said to it when qmail goes with replies unread.
    events = list(_without_leaving(record, events))
    events = [event for event in events if event.text != _UNKNOWN or event.speaker != "exchanger"]
    is_sending = any(isinstance(act, acts.WaitUntilIdle) for act in record.acts)
    if _talks_to_clients(record):  # and so is whether qmail-smtpd reads or writes when its client has gone
        events = [replace(event, text=event.text.replace(*_GONE)) for event in events]
        events = _replies_in_any_order(events)
    talkative = frozenset(_hosts(record, lambda host: any(map(_is_more_than_one, _scripted(host)))))
    return _by_speaker(list(_alphabetical(events)) if is_sending else events, talkative)


def _without_leaving(record: Record, events: Sequence[Event]) -> Iterator[Event]:
    """The events without the end of sessions in which a host has answered the lines of a message.

    That is QUIT, what is said to it, and how the connection ends.
    """
    sessions, answered = _answering(events)
    worlds = [act.world for act in record.acts if isinstance(act, acts.Prepare)]
    scripted = [host.steps.get("QUIT", ()) for world in worlds for host in world.exchangers]
    said = {line for each in scripted for reply in _listed(each) for line in reply.splitlines()}
    for event, session in zip(events, sessions, strict=True):
        is_quit = event.speaker == "qmail" and event.text == "QUIT"
        is_reply = event.speaker == "exchanger" and (event.text.startswith("221 ") or event.text in said)
        is_end = event.text in _ENDS
        if session not in answered or not (is_quit or is_reply or is_end):
            yield event


def _answering(events: Sequence[Event]) -> tuple[list[tuple[str, int]], set[tuple[str, int]]]:
    """The session of each event, and those in which a host has answered the lines of a message."""
    sessions: list[tuple[str, int]] = []
    answered: set[tuple[str, int]] = set()
    numbers: Counter[str] = Counter()
    since_data: dict[tuple[str, int], int] = {}  #: lines that qmail has said since DATA
    for event in events:
        numbers[event.channel] += event.text == "[connected]"
        session = event.channel, numbers[event.channel]
        sessions.append(session)
        if event.speaker == "qmail" and (session in since_data or event.text == "DATA"):
            since_data[session] = since_data.get(session, -1) + 1
        elif (event.text, event.speaker) == (_UNKNOWN, "exchanger") and since_data.get(session, 0) > 0:
            answered.add(session)
    return sessions, answered


def by_process(events: Sequence[Event]) -> list[Event]:
    """The events with qmail-smtpd's lines of the log session by session.

    The last line of one and the first of the next come in either order.
    """
    logged = ((place, _LOGGED.match(event.text)) for place, event in enumerate(events))
    of_process = {place: found[1] for place, found in logged if found and events[place].channel == "log"}
    first = {process: number for number, process in enumerate(dict.fromkeys(of_process.values()))}
    lines = iter(sorted(of_process, key=lambda place: first[of_process[place]]))
    return [events[next(lines)] if place in of_process else event for place, event in enumerate(events)]


def _replies_in_any_order(events: list[Event]) -> list[Event]:
    """The events with what qmail said to each client in alphabetical order.

    What a program says on the connection goes before replies that qmail-smtpd has still to send.
    """
    for channel in {event.channel for event in events if event.channel.startswith("smtpd")}:
        places = [place for place, event in enumerate(events) if _is_said(event, channel, "qmail")]
        said = sorted((events[place] for place in places), key=lambda event: event.same_as)
        for place, event in zip(places, said, strict=True):
            events[place] = event
    return events


def without_lost(
    stories: tuple[list[Event], list[Event]], records: tuple[Record, Record]
) -> tuple[list[Event], list[Event]]:
    """The stories without what one side alone has said or heard where a reply may be lost on either.

    Linux drops what a client has not read yet when qmail goes while that client still talks; and a client
    that hears what a program says, and takes it for the last reply, is gone before that comes.
    """
    seen = (act.seen for record in records for act in record.acts if isinstance(act, acts.Observe))
    talk = any(map(_talks_to_clients, records))
    lost = {f"smtpd {each.connection}" for one in seen for each in one.sessions if each.reset or talk}
    for channel in lost:
        for speaker in ("qmail", "client"):
            said = [[event for event in story if _is_said(event, channel, speaker)] for story in stories]
            fewer, more = sorted(said, key=len)
            dropped = set(map(id, _alone(fewer, more, in_any_order=talk)))
            one, other = ([event for event in story if id(event) not in dropped] for story in stories)
            stories = _without(channel, one), _without(channel, other)
    return stories


def _alone(fewer: list[Event], more: list[Event], in_any_order: bool) -> list[Event]:
    """What one side has said beyond the other: the last ones, or those that the other one has not."""
    if not in_any_order:
        return more[len(fewer) :]
    left = Counter(event.same_as for event in fewer)
    alone = []
    for event in more:
        left[event.same_as] -= 1
        if left[event.same_as] < 0:
            alone.append(event)
    return alone[: len(more) - len(fewer)]


def _is_said(event: Event, channel: str, speaker: str) -> bool:
    return (event.channel, event.speaker) == (channel, speaker) and not event.text.startswith("[")


def _without(channel: str, story: list[Event]) -> list[Event]:
    """The story without what a client says of its end there, which it need not come to."""
    return [event for event in story if (event.channel, event.text) != (channel, "[will send no more]")]


def _without_given_up(record: Record) -> Record:
    """Without runs of a queue program that was given no envelope, and what such programs complain of.

    Nobody waits for one whose message has come to nothing: whether it has begun when we look is chance.
    """
    configurations = [act.configuration for act in record.acts if isinstance(act, acts.Prepare)]
    programs = [each.queue_program for each in configurations if each.queue_program is not None]
    if not programs:
        return record
    complaints = [line for program in programs for line in program.complains.split("\n") if line]

    def kept(act: acts.Act) -> acts.Act:
        if not isinstance(act, acts.Observe):
            return act
        calls = [call for call in act.seen.hook_calls if call.program != "qmail-queue" or call.envelope]
        log = [_without_first(line, complaints) for line in act.seen.log]
        return replace(act, seen=replace(act.seen, hook_calls=calls, log=list(filter(None, log))))

    return Record(tuple(map(kept, record.acts)))


def _without_first(line: str, complaints: Sequence[str]) -> str:
    """A line of the log without what a program has begun it with."""
    begun = "|".join(map(re.escape, sorted(complaints, key=len, reverse=True)))
    return re.sub(rf"^(?:{begun})+", "", line) if begun else line


def _in_whole_lines(record: Record) -> Record:
    """Where a host answers in the middle of a line, which is chance, it is told behind it."""

    def whole(session: MxSession) -> MxSession:
        entries: list[TranscriptEntry] = []
        rest = ""
        for entry in session.transcript:
            text = entry.text
            if entry.source == "client":
                text, end, rest = (rest + text).rpartition("\n")
                text += end
            if text:
                entries.append(replace(entry, text=text))
        if rest:
            last = next(entry for entry in session.transcript[::-1] if entry.source == "client")
            entries.append(replace(last, text=rest))
        return replace(session, transcript=entries)

    def of_act(act: acts.Act) -> acts.Act:
        if not isinstance(act, acts.Observe):
            return act
        return replace(
            act, seen=replace(act.seen, mx_sessions=[whole(each) for each in act.seen.mx_sessions])
        )

    return Record(tuple(map(of_act, record.acts)))


def _hosts(record: Record, wanted: Callable[[Exchanger], bool]) -> set[str]:
    """The channels of such hosts."""
    worlds = [act.world for act in record.acts if isinstance(act, acts.Prepare)]
    return {f"{host.address}:{host.port}" for world in worlds for host in world.exchangers if wanted(host)}


def _scripted(host: Exchanger) -> Iterator[str]:
    for replies in host.steps.values():
        yield from _listed(replies)


def _listed(replies: str | Sequence[str]) -> Sequence[str]:
    return [replies] if isinstance(replies, str) else replies


def _is_more_than_one(reply: str) -> bool:
    """Whether qmail-remote, which looks at the fourth octet of each line, reads more than one reply in it."""
    lines = reply.split("\n")
    ends = [place for place, line in enumerate(lines) if line[3:4] != "-"]
    return bool(ends) and ends[0] < len(lines) - 1


def _alphabetical(events: Sequence[Event]) -> Iterator[Event]:
    """What several deliveries do at once, in alphabetical order; how many are under way then is not told."""
    last = max((event.at for event in events), default=0.0)
    sent: list[Event] = []
    for event in events:
        if event.channel.startswith(("smtpd", "qmail-remote", "set-up")):
            yield event
        elif not event.text.startswith(_AT_ONCE):
            text = _CRASHED.sub("[crashed]", event.text)
            text = _RECIPIENTS.sub(_sorted(", "), text)
            text = _FAILURES.sub(_sorted(r"\n\n", before="<"), text)
            text = _BOUNCED.sub(_sorted(r"\n\n", before="<"), text)
            text = _ENTRIES.sub(_sorted(r"\n\n", before="From "), text)
            sent.append(replace(event, at=last, text=text))
    yield from sorted(sent, key=lambda each: (each.channel, each.same_as))


def _sorted(between: str, before: str = "") -> Callable[[re.Match[str]], str]:
    """Puts what stands `between` each other in order, in the second group of three; `before` begins each.

    A host's words may hold what stands between.
    """
    parts = re.compile(f"{re.escape(between)}(?={re.escape(before)})")

    def in_order(text: str) -> list[str]:  # numbers are times and processes, which say nothing of one
        return sorted(parts.split(text), key=lambda part: _NUMBER.sub("N", part))

    return lambda found: found[1] + between.join(in_order(found[2])) + found[3]


def _talks_to_clients(record: Record) -> bool:
    """Whether a program that qmail-smtpd runs may have written to the client."""
    configurations = (act.configuration for act in record.acts if isinstance(act, acts.Prepare))
    programs = (named for each in configurations for named in each.programs().items())
    return any(program.says for name, program in programs if name in _TALKATIVE)


def _by_speaker(events: Sequence[Event], talkative: frozenset[str]) -> list[Event]:
    """The events, with what somebody said at the end where what comes before the other goes on is chance.

    A host answers more lines than qmail has meant where that ends one in LF alone, and `talkative` ones say
    more than they are asked; a client of qmail-smtpd need not wait for a reply.
    """
    doubtful = {event.channel for event in events if event.text == LF_ALONE} | talkative

    def is_late(event: Event) -> bool:
        if event.speaker == "exchanger":
            return event.channel in doubtful
        return event.channel.startswith("smtpd") and event.speaker == "qmail"

    return sorted(events, key=is_late)
