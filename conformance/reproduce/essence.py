"""The essential lines of a record: what must be seen again for a behaviour to count as shown.

The player in a reproduction (`programs/play.pl`) writes the same lines of what it sees, and the two are
compared. What changes from run to run (times, process numbers, challenges) is no part of them, neither are
the words of replies, nor the order in which qmail tried equals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.reproduce.scene import Act, Scene
from conformance.reproduce.wording import escaped

_ENHANCED = re.compile(r"#?(\d\.\d{1,3}\.\d{1,3})")
_PROTOCOL = re.compile(r"^  by .* with ([A-Za-z]+)[; ]", re.MULTILINE)


def essence(scene: Scene) -> list[str]:
    """The lines, channel by channel: sessions, deliveries, questions, exchangers, mail, programs."""
    lines: list[str] = []
    for number, acts in scene.connections().items():
        lines += [f"smtpd {number}: {said}" for said in _session(acts)]
    for number, act in enumerate(scene.deliveries()):
        lines += [f"qmail-remote {number}: {said}" for said in _delivery(act)]
    asked = {f"{one['name'].lower()} {one['type']} over {one['over']}" for one in scene.sight["questions"]}
    lines += [f"dns: {escaped(one)}" for one in sorted(asked)]
    lines += sorted(
        f"exchanger {seen['address']}:{seen['port']}: {escaped(said)}"
        for seen in scene.sight["exchanges"]
        for said in commands(seen["transcript"])
    )
    lines += sorted(
        f"queue: from <{escaped(message['sender'])}> to "
        + ", ".join(f"<{escaped(recipient)}>" for recipient in message["recipients"])
        + f" {_protocol(message['octets'])}"
        for message in scene.sight["queue"]
    )
    lines += [
        f"mailbox {user}: {len(messages)}"
        for user, messages in sorted(scene.sight["mailboxes"].items())
        if messages
    ]
    for run in scene.sight["runs"]:
        if run["program"] == "rcptcheck":
            about = run["environment"].get("RECIPIENT", "")
        else:
            about = f"{run['user']} {'right' if run['accepted'] else 'wrong'}"
        lines.append(f"program {run['program']}: {escaped(about)}")
    return lines


def _session(acts: list[Act]) -> Iterator[str]:
    """Each reply's code and enhanced code; of a reply of more lines, the first word of each."""
    said = ""
    for act in acts:
        if act["act"] == "receive" and act["data"]:
            said += act["data"]
    lines = said.split("\n")[:-1]
    for line in lines:
        yield reply_line(line.rstrip("\r"))
    if any(act["act"] == "receive" and act["data"] == "" for act in acts):
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


def _delivery(act: Act) -> Iterator[str]:
    result = act["result"]
    yield "report " + " ".join(part[:1] for part in result["report"].split("\0")[:-1])
    if not result["ended"]:
        yield "did not end"
    elif result["status"]:
        yield f"exit status {result['status']}"


def commands(transcript: list[list[object]]) -> Iterator[str]:
    """What the client said at an exchanger, line by line; the message itself as one line."""
    unread, in_message, answered, last = "", False, "", ""
    for _, sign, words in transcript:
        if sign == "<":
            answered = str(words)
            continue
        if sign != ">":
            continue
        if last == "DATA" and answered.startswith("354"):
            in_message, last = True, ""
        unread += str(words)
        while "\n" in unread:
            line, _, unread = unread.partition("\n")
            line = line.removesuffix("\r")
            if not in_message:
                last = line.upper()
                if line != "QUIT":  # whether it is heard before the look is chance
                    yield line
            elif line == ".":
                in_message = False
                yield "(message)"


def _protocol(message: str) -> str:
    found = _PROTOCOL.search(message)
    return f"with {found[1]}" if found else "without a Received line"
