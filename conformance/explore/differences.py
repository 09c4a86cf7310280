"""What tells two records of one scenario apart, channel by channel, whatever a pod sees.

Times, process numbers, challenges and ports are settled first; a wait is told in whole seconds, so that a
limit that is reached at another time is a difference.
"""

import base64
import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from conformance.pod import record as acts
from conformance.pod.observation import MxSession, Observation, TranscriptEntry
from conformance.pod.record import Record
from conformance.pod.world import Exchanger
from conformance.report.story import Event, Pair, events_of, side_by_side

#: Seconds from which a wait is told, and by how much two may differ on a busy machine.
_WAIT, _LATE = 0.8, 0.2

_BARE_LF = re.compile(r"(?<!\r)\n")
_VARIABLE = re.compile(r"  [A-Za-z_][A-Za-z0-9_]*=")
_MESSAGE_ID = re.compile(r"<\d{14}\.\d+\.qmail@")
#: What tells how much is under way at once.
_AT_ONCE = ("status: ", "  other children of its parent: ")
_RECIPIENTS = re.compile(r"^(\[in the queue: from <.*?> to )(.*)(\]$)")
_FAILURES = re.compile(r"^(\[queue/bounce/\S+ holds ['\"])(.*)(\\n\\n['\"]\]$)")
_ENTRIES = re.compile(r"^(\[homes/\S+ holds ['\"])(From .*)(\\n\\n['\"]\]$)")
_UNKNOWN = "502 unimplemented"  #: what a host says to lines that it does not know
_LEAVES = re.compile(r"\[client ")
_WRITER = re.compile(r"(['\"])u\d+\\x00p\d+\\x00")
_WAITED = re.compile(r"\[after (\d+) s\]")
_GONE = "Write error (disconnect?)", "Read error (disconnect?)"
_LF_ALONE = "[ends a line in LF alone]"
#: Places, numbers and times of one run of a pod.
_OF_RUNS = (
    (re.compile(r"/var/lib/(?:qmail|conformance)/queue/mess/\d+/\d+"), "message"),
    (re.compile(r"/var/lib/conformance/queue\b"), "/var/lib/qmail/queue"),
    (re.compile(r"/var/qmail\b"), "/var/lib/qmail"),
    (re.compile(r"(info msg )\d+: bytes \d+ (.*) qp \d+ uid \d+"), r"\1NUMBER: bytes NUMBER \2"),
    (re.compile(r"\bbounce/\d+"), "bounce/NUMBER"),
    (re.compile(r"qp_\d+"), "qp_NUMBER"),
    (re.compile(r"(bounce msg NUMBER|bounce msg \d+) qp \d+"), "bounce msg NUMBER qp NUMBER"),
    (re.compile(r"(?<=\[queue/intd/)(\d+ holds .*?)(.)\2{99,}"), r"\1\2 many times"),
    (re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"), "DATE"),
)
_PID = re.compile(r"\b(ok|end|pid|status:|deny) \d+\b|:\d{4,5}\b(?=[ ?]*$)")
#: What a client says to a challenge: its user and a digest of the challenge, in base64.
_BASE64 = re.compile(r"([A-Za-z0-9+/]{40,}={0,2})([^A-Za-z0-9+/=]*)")
_ANSWER = re.compile(rb"(.*) [0-9a-f]{32}", re.DOTALL)
_CHALLENGE = re.compile(r"334 ([A-Za-z0-9+/]+={0,2})")

#: What varies within one kind of event: names, numbers, credentials, and everything behind it.
_NAMED = (
    (re.compile(r"<[^<>]*>"), "<…>"),
    (re.compile(r"\"[^\"]*\""), '"…"'),
    (re.compile(r"[\w.+=-]*@[\w.-]+"), "…@…"),
    (re.compile(r"(?<![#\w.])\d+(?:\.\d+)*(?![\d.)])"), "N"),
    (re.compile(r"[A-Za-z0-9+/]{24,}={0,2}"), "…"),
    (re.compile(r"(.)\1{9,}"), r"\1…"),
)
_REPLY = re.compile(r"[2-5]\d\d[ -]")
_EXCHANGER = re.compile(r"127\.\d+\.\d+\.\d+:\d+")
_LONGEST = 100


@dataclass(frozen=True)
class Difference:
    """What differs, by kind: the channel without its number, and what each side shows there.

    Two with the same values are one: what names, numbers and credentials were said does not tell them apart.
    """

    channel: str
    left: str
    right: str

    def __str__(self) -> str:
        right = "the like, other in its details" if self.left == self.right else self.right
        return f"{self.channel}: {self.left} | {right}"


def told(record: Record, *, in_any_order: bool = False) -> list[Event]:
    """The story of a record, with what it does not tell: waits, octets of messages, what programs read.

    `in_any_order`: what a qmail-send that runs several deliveries at once does is told in alphabetical order,
    and what was said on a connection with replies too many for each side by itself.
    """
    record = _in_whole_lines(_without_given_up(record)) if in_any_order else record
    events = [replace(event, text=settled(event.text)) for event in _ordered(events_of(record))]
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
    if not in_any_order:
        return events
    # Whether a host that speaks slowly notices who goes meanwhile is chance.
    slow = _hosts(record, lambda host: bool(host.pace))
    events = [event for event in events if event.channel not in slow or not _LEAVES.match(event.text)]
    # A host that has not expected a message answers its lines, and how many before qmail goes is chance.
    events = [event for event in events if event.text != _UNKNOWN or event.speaker != "exchanger"]
    is_sending = any(isinstance(act, acts.WaitUntilIdle) for act in record.acts)
    if _talks_to_clients(record):  # and so is whether qmail-smtpd reads or writes when its client has gone
        events = [replace(event, text=event.text.replace(*_GONE)) for event in events]
    talkative = frozenset(_hosts(record, lambda host: any(map(_is_more_than_one, _scripted(host)))))
    return _by_speaker(list(_alphabetical(events)) if is_sending else events, talkative)


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
            most = min(map(len, said))
            dropped = {id(event) for side in said for event in side[most:]}
            one, other = ([event for event in story if id(event) not in dropped] for story in stories)
            stories = _without(channel, one), _without(channel, other)
    return stories


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
        yield from [replies] if isinstance(replies, str) else replies


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
            text = _RECIPIENTS.sub(_in_order(", "), event.text)
            text = _FAILURES.sub(_in_order(r"\n\n"), text)
            text = _ENTRIES.sub(_in_order(r"\n\n"), text)
            sent.append(replace(event, at=last, text=text))
    yield from sorted(sent, key=lambda each: (each.channel, each.same_as))


def _in_order(between: str) -> Callable[[re.Match[str]], str]:
    """Puts what stands `between` each other in order, in the second group of three."""
    return lambda found: found[1] + between.join(sorted(found[2].split(between))) + found[3]


def _talks_to_clients(record: Record) -> bool:
    """Whether a program that qmail-smtpd runs may have written to the client."""
    configurations = (act.configuration for act in record.acts if isinstance(act, acts.Prepare))
    return any(program.says for each in configurations for program in each.programs().values())


def _by_speaker(events: Sequence[Event], talkative: frozenset[str]) -> list[Event]:
    """The events, with what somebody said at the end where what comes before the other goes on is chance.

    A host answers more lines than qmail has meant where that ends one in LF alone, and `talkative` ones say
    more than they are asked; a client of qmail-smtpd need not wait for a reply.
    """
    doubtful = {event.channel for event in events if event.text == _LF_ALONE} | talkative

    def is_late(event: Event) -> bool:
        if event.speaker == "exchanger":
            return event.channel in doubtful
        return event.channel.startswith("smtpd") and event.speaker == "qmail"

    return sorted(events, key=is_late)


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
            yield Event(observed.at, channel, "qmail", "suite", _LF_ALONE)


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


@lru_cache(maxsize=1 << 16)
def settled(text: str) -> str:
    """A line without what differs from run to run and means nothing."""
    if challenge := _CHALLENGE.fullmatch(text):
        return "334 CHALLENGE" if is_challenge(challenge[1]) else text.replace("334 ", "334  ", 1)
    said = _BASE64.fullmatch(text)
    if said and (answer := _ANSWER.fullmatch(_decoded(said[1]))):
        return f"{answer[1].decode('latin-1')} DIGEST{said[2]}"
    text = _MESSAGE_ID.sub("<TIME.PID.qmail@", text)
    for pattern, word in _OF_RUNS:
        text = pattern.sub(word, text)
    text = _WRITER.sub(r"\1uUID\\x00pPID\\x00", text)
    return _PID.sub(lambda found: f"{found[1] or ''} NUMBER", text)


def is_challenge(word: str) -> bool:
    """Whether a challenge bears a number of its own: prompts for name and password do not."""
    return re.match(rb"<\d+\.\d+@", _decoded(word)) is not None


def _decoded(word: str) -> bytes:
    """What is in base64; nothing where it is not."""
    try:
        return base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return b""


def differ(left: Sequence[Event], right: Sequence[Event]) -> bool:
    """Whether two stories differ at all; quick."""
    return _by_channel(left) != _by_channel(right)


def _by_channel(events: Iterable[Event]) -> dict[str, list[tuple[str, str, str, str]]]:
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    for event in events:
        found.setdefault(event.channel, []).append(event.same_as)
    return found


def differences(left: Sequence[Event], right: Sequence[Event], *, in_pods: bool = False) -> list[Difference]:
    """The differences of two stories, each kind once, what came first first.

    `in_pods`: a wait that is longer or shorter by what a busy machine adds is no difference.
    """
    pairs = side_by_side(left, right)
    if in_pods:
        pairs = [pair for pair in pairs if pair.same or not _is_near(pair)]
    common = [
        sorted(event.at for pair in pairs if pair.same and (event := pair.sides[side])) for side in (0, 1)
    ]

    def when(pair: Pair) -> tuple[int, float]:
        sides = zip(pair.sides, common, strict=True)
        return min((bisect_left(times, event.at), event.at) for event, times in sides if event is not None)

    found = sorted((pair for pair in pairs if not pair.same), key=when)
    return list(dict.fromkeys(map(_difference, found)))


def _is_near(pair: Pair) -> bool:
    """Whether these are waits, or one and none, that differ by a second and a fifth of it at the most."""
    texts = [event.text for event in pair.sides if event is not None]
    waits = [int(found[1]) for text in texts if (found := _WAITED.fullmatch(text))]
    if len(waits) < len(texts):
        return False
    shorter, longer = sorted([*waits, 0][:2])
    return longer - shorter <= 1 + longer / 5


def _difference(pair: Pair) -> Difference:
    event = pair.left or pair.right
    assert event is not None, "a row has something to say"
    channel = event.channel.partition(" ")[0]
    channel = "exchanger" if _EXCHANGER.fullmatch(channel) else channel
    return Difference(channel, kind_of(pair.left), kind_of(pair.right))


def promise_broken(sentence: str) -> Difference:
    """What needs no model: a sentence about what every session keeps."""
    return Difference("promise", _without_names(sentence), "kept")


def kind_of(event: Event | None) -> str:
    """The kind of an event: its text without names, numbers and credentials."""
    if event is None:
        return "nothing"
    text = event.text
    if event.listener == "exchanger" and not text.startswith("["):
        return f"qmail says {text.split(' ')[0].split(':')[0].upper()[:20]}"
    reply = _REPLY.match(text)
    head, text = (text[: reply.end()], text[reply.end() :]) if reply else ("", text)
    return f"{event.speaker}: {head}{_without_names(text)}"


def _without_names(text: str) -> str:
    for pattern, word in _NAMED:
        text = pattern.sub(word, text)
    return text[:_LONGEST]
