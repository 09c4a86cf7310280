"""What a scenario reached: the state of a session with command and reply, and every other kind of event."""

import re
from collections import deque
from collections.abc import Iterator, Sequence

from conformance.report.story import Event

#: Characters of a line that tell what it is, and those at which names and numbers begin.
_TOLD = 40
_NO_FIGURES = str.maketrans("0123456789", "N" * 10)
_NAMES = re.compile(r"[<\"@]")

_REPLY = re.compile(r"[2-5]\d\d ")
_VERB = re.compile(r"[A-Za-z]{4}\b")

#: Verb -> the letter that stands for it in a state, once it has been accepted; those that end a transaction.
_LETTERS = {"EHLO": "e", "HELO": "h", "AUTH": "a", "MAIL": "m", "RCPT": "r"}
_ENDING = ("EHLO", "HELO", "RSET", "message")


def sights(events: Sequence[Event]) -> set[str]:
    """What was reached, as texts: `session em RCPT 250 ok`, `dns …`, `qmail-remote …`."""
    found: set[str] = set()
    sessions: dict[str, list[Event]] = {}
    for event in events:
        if event.channel.startswith("smtpd"):
            sessions.setdefault(event.channel, []).append(event)
        elif event.channel != "set-up":
            channel = "host" if event.channel[:1].isdigit() else event.channel
            found.add(f"{channel} {_kind(event.text)} {_size(event.note)}".rstrip())
    for each in sessions.values():
        found.update(_session(each))
    return found


def _kind(text: str) -> str:
    """What a line is, told quickly: its beginning, up to the first name, without figures behind a code."""
    begun = text[:_TOLD]
    if found := _NAMES.search(begun):
        begun = begun[: found.start()]
    return begun[:3] + begun[3:].translate(_NO_FIGURES)


def _size(note: str) -> str:
    """How an answer came, and about how long it was."""
    octets, _, over = note.partition(" octets ")
    return f"{len(octets)} figures {over}" if over else note


def _session(events: Sequence[Event]) -> Iterator[str]:
    """State, command and reply; a state is what has been accepted so far."""
    said: deque[str] = deque()
    state, in_message = "", False
    for event in events:
        if event.speaker == "client":
            said.append(event.text)
        elif _REPLY.match(event.text):
            verb = _answered(said, in_message)
            yield f"session {state} {verb} {_kind(event.text)}"
            in_message = event.text.startswith("354")
            state = _after(state, verb, event.text)
        elif event.text.startswith("["):
            yield f"session {state} {_kind(event.text)}"


def _answered(said: deque[str], in_message: bool) -> str:
    """The verb of the line that a reply answers, `message`, or what it is otherwise."""
    while said:
        line = said.popleft()
        if line.startswith("[") or (in_message and line != "."):
            continue
        if in_message:
            return "message"
        found = _VERB.match(line)
        return found[0].upper() if found else "other"
    return "nothing"


def _after(state: str, verb: str, reply: str) -> str:
    if reply[0] != "2":
        return state
    if verb in _ENDING:
        state = "".join(letter for letter in state if letter not in "mr")
    if verb in ("EHLO", "HELO"):
        state = "".join(letter for letter in state if letter not in "eh")
    letter = _LETTERS.get(verb, "")
    return state if letter in state else "".join(sorted(state + letter))
