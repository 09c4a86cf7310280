"""A record as normalized lines: what must be seen again for a behaviour to count as shown.

The player in a reproduction (`programs/play.pl`) writes the same lines of what it sees, and the two are
compared. What changes from run to run (times, process numbers, challenges) is no part of them, neither are
the words of replies, nor the order in which qmail tried equals.
"""

import re
from collections.abc import Iterable, Iterator

from conformance.pod.observation import HookCall, TranscriptEntry
from conformance.pod.record import ConnectionAct, Receive, Remote
from conformance.reproduce.scene import Scene
from conformance.reproduce.wording import escaped

_ENHANCED = re.compile(r"#?(\d\.\d{1,3}\.\d{1,3})")
_PROTOCOL = re.compile(r"^  by .* with ([A-Za-z]+)[; ]", re.MULTILINE)


def normalized_lines(scene: Scene) -> list[str]:
    """The lines, channel by channel: sessions, deliveries, questions, exchangers, mail, programs."""
    lines: list[str] = []
    for number, acts in scene.connections().items():
        lines += [f"smtpd {number}: {said}" for said in _session(acts)]
    for number, delivery in enumerate(scene.deliveries()):
        lines += [f"qmail-remote {number}: {said}" for said in _delivery(delivery)]
    seen = scene.seen
    asked = {f"{question.name.lower()} {question.type} over {question.over}" for question in seen.questions}
    lines += [f"dns: {escaped(question)}" for question in sorted(asked)]
    lines += sorted(
        f"exchanger {session.address}:{session.port}: {escaped(said)}"
        for session in seen.mx_sessions
        for said in commands(session.transcript)
    )
    lines += sorted(
        f"queue: from <{escaped(message.sender)}> to "
        + ", ".join(f"<{escaped(recipient)}>" for recipient in message.recipients)
        + f" {_protocol(message.octets)}"
        for message in seen.queue
    )
    lines += [
        f"mailbox {user}: {len(messages)}" for user, messages in sorted(seen.mailboxes.items()) if messages
    ]
    lines += [f"program {call.program}: {escaped(said)}" for call in seen.hook_calls for said in _run(call)]
    return lines


#: The variables that qmail-smtpd itself sets for programs.
_VARIABLES = ("SENDER", "RECIPIENT", "TCPREMOTEINFO", "RELAYCLIENT")


def _run(call: HookCall) -> Iterator[str]:
    """How a program was run: its descriptors, the variables that it found, and what it was asked."""
    said = ", ".join(f"{number} {kind}" for number, kind in call.descriptors.items())
    yield re.sub(r"queue/mess/\d+/\d+", "queue/mess/N/N", said)  # numbers of files
    yield from (f"{name}={call.environment[name]}" for name in _VARIABLES if name in call.environment)
    if call.program == "checkpassword":
        yield f"{call.user} {'right' if call.accepted else 'wrong'}"
    if call.envelope:
        yield call.envelope


def _session(acts: Iterable[ConnectionAct]) -> Iterator[str]:
    """Each reply's code and enhanced code; of a reply of more lines, the first word of each."""
    received = [act.data for act in acts if isinstance(act, Receive)]
    for line in "".join(data or "" for data in received).split("\n")[:-1]:
        yield reply_line(line.rstrip("\r"))
    if "" in received:
        yield "closed"


def reply_line(line: str) -> str:
    """`250-SIZE` of `250-SIZE 0`, `553 5.7.1` of `553 sorry (#5.7.1)`; a line that is no reply as it is."""
    code, rest = line[:4], line[4:]
    if not code[:3].isdigit():
        return escaped(line)
    if line[:3] == "250" and (code[3:] == "-" or rest.split(" ")[0].isupper()):
        return escaped(code + ("" if "." in rest.split(" ")[0] else rest))
    found = _ENHANCED.search(rest)
    return f"{code[:3]} {found[1]}" if found else code.strip()


def _delivery(act: Remote) -> Iterator[str]:
    result = act.result
    yield "report " + " ".join(part[:1] for part in result.report.split("\0")[:-1])
    if not result.ended:
        yield "did not end"
    elif result.status:
        yield f"exit status {result.status}"


def commands(transcript: Iterable[TranscriptEntry]) -> Iterator[str]:
    """What the client said at an exchanger, line by line; the message itself as one line."""
    unread, in_message, answered, last = "", False, "", ""
    for entry in transcript:
        if entry.source == "exchanger":
            answered = entry.text
        if entry.source != "client":
            continue
        if last == "DATA" and answered.startswith("354"):
            in_message, last = True, ""
        unread += entry.text
        while "\n" in unread:
            line, _, unread = unread.partition("\n")
            line = line.removesuffix("\r")
            if not in_message:
                last = line.upper()
                if line != "QUIT":  # whether it is heard before the observation is chance
                    yield line
            elif line == ".":
                in_message = False
                yield "(message)"


def _protocol(message: str) -> str:
    found = _PROTOCOL.search(message)
    return f"with {found[1]}" if found else "without a Received line"
