"""The scenario file of a finding: what was said, and the replies and the sightings of the model."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from conformance.explore.document import Document, Made, text_of
from conformance.explore.driving import Done
from conformance.explore.settling import is_challenge, settled
from conformance.pod import record as acts
from conformance.pod.base import octets
from conformance.pod.delivery import Report, read_reports
from conformance.pod.observation import Observation
from conformance.pod.record import Record
from conformance.scenario.chat import HalfClose, Pause, Write
from conformance.scenario.escapes import escaped
from conformance.scenario.playing import message_lines
from conformance.smtp.reply import Reply

#: What differs from run to run: numbers of many figures, process numbers, dates, and Maildir names.
_VARIABLE = re.compile(
    r"\b\d{9,}(?:\.\d+)?\b|(?:(?<=qp )|(?<=\(qmail )|(?<=pid )|(?<=msg )|(?<=delivery )|(?<=uid ))\d+"
    r"|\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"
    r"|(?:(?<=^queue/mess/)|(?<=^queue/intd/)|(?<=^queue/todo/)|(?<=^queue/info/))[\d/]+"
    r"|(?:(?<=^queue/local/)|(?<=^queue/remote/)|(?<=^queue/bounce/))[\d/]+|(?<=Maildir/new/)\d+\.[^ ]+"
)

#: Facts about a program that differ from run to run, or from pod to pod.
_VARYING = (
    *("TCPREMOTEPORT=", "PATH=", "PWD=", "UFLINE=", "input ", "envelope ", "argument ", "directory "),
    *("descriptor 0 ", "other children "),
)

#: Sightings of one kind that are written down.
_MOST = 20


def expecting(made: Made, done: list[Done], model: Record, build: Record) -> str:
    """The text of a scenario that is met on the model, and not on the build where its form can tell."""
    document: Document = {**made.document}
    if done:
        chats = [_chat(each) for each in done]
        document["session"] = chats[0] if len(chats) == 1 else chats
    if "deliver" in document:
        document["deliver"] = _deliveries(document["deliver"], model)
    expected = _expected(_observation(model), _observation(build))
    return text_of({**document, "expect": expected} if expected else document)


def _chat(done: Done) -> str:
    """What was done and heard; that the client leaves at the end goes without saying."""
    lines: list[str] = []
    if isinstance(done[0], Write) and done[0].early:
        lines.append("! early")
    if len(done) > 1 and isinstance(done[-2], HalfClose) and done[-1] == Reply(0, why="closed"):
        done = done[:-2]
    before: Any = None
    for each in done:
        if isinstance(each, Reply):
            lines += _reply(each)
        elif isinstance(each, Write):
            if isinstance(before, Write) and before.is_message == each.is_message:
                lines.append("! cut")
            lines += (f"{line.sign} {_last_seen(line.raw)}" if line.raw else line.sign for line in each.lines)
        elif isinstance(each, Pause):
            lines.append(f"! pause {each.seconds:g}")
        else:
            lines.append("! half-close")
        before = each
    return "\n".join(lines) + "\n"


def _last_seen(raw: str) -> str:
    """A line as written, a blank at its end as an octet: editors and readers pass over one."""
    return raw[:-1] + r"\x20" if raw.endswith(" ") else raw


def _reply(reply: Reply) -> list[str]:
    if not reply.code:
        return {"closed": ["< closed"], "silent": ["< silence 8"]}.get(reply.why, ["< *"])
    *first, last = reply.lines
    code = f"{reply.code:03d}"
    if code == "334":
        return ["< 334"] if is_challenge(last) else [f"< 334 {_pattern(last)}".rstrip()]
    return [
        *(f"< {code}-{_pattern(line)}" for line in dict.fromkeys(first)),
        f"< {code} {_pattern(last)}".rstrip(),
    ]


def _pattern(text: str) -> str:
    """A text as expectations write it, `*` where it varies."""
    words = _VARIABLE.split(text)
    return "*".join(escaped(octets(word)).replace("*", r"\*") for word in words)


def _deliveries(tables: Any, model: Record) -> list[Document]:
    results = [act.result for act in model.acts if isinstance(act, acts.Remote)]
    listed = [tables] if isinstance(tables, dict) else tables
    return [
        {**table, **_reports(result)}
        for table, result in zip(listed, map(read_reports, results), strict=True)
    ]


def _reports(delivery: Any) -> Document:
    told: Document = {}
    if delivery.recipients:
        told["reports"] = [_report(each) for each in delivery.recipients]
    if delivery.message.letter:
        told["report"] = _report(delivery.message)
    return told


def _report(report: Report) -> str:
    return report.letter + _pattern(report.text)


def _observation(record: Record) -> Observation:
    return next((act.seen for act in reversed(record.acts) if isinstance(act, acts.Observe)), Observation())


def _expected(model: Observation, build: Observation) -> Document:
    """Numbers of everything on the model, and of texts those in which the two differ."""
    told: Document = {}
    here, there = _texts(model), _texts(build)
    for key in here:
        told[key] = _apart(here[key], there[key])
        if key != "queue":
            told[f"not-{key}"] = _apart(there[key], here[key])
    told = {key: value for key, value in told.items() if value}
    accepted, elsewhere = (sum(len(each.messages) for each in seen.mx_sessions) for seen in (model, build))
    if accepted != elsewhere:
        told["accepted"] = accepted
    if "queue" not in told and len(model.queue) != len(build.queue):
        told["queue"] = len(model.queue)
    mailboxes = {
        user: len(messages)
        for user, messages in model.mailboxes.items()
        if len(messages) != len(build.mailboxes.get(user, []))
    }
    ran = {name: count for name, count in _runs(model).items() if count != _runs(build).get(name, 0)}
    told |= {"mailboxes": mailboxes} if mailboxes else {}
    told |= {"ran": ran} if ran else {}
    return told


def _texts(seen: Observation) -> dict[str, list[str]]:
    return {
        "asked": [
            f"{each.name or '.'} {each.type} {each.over}" for each in seen.questions if " " not in each.name
        ],
        "said": list(_said(seen)),
        "queue": [f"{each.sender} -> {', '.join(each.recipients)}" for each in seen.queue],
        "queue-lines": _lines(each.octets for each in seen.queue),
        "accepted-lines": _lines(message.octets for each in seen.mx_sessions for message in each.messages),
        "mailbox-lines": _lines(message for messages in seen.mailboxes.values() for message in messages),
        "found": [fact for call in seen.hook_calls for fact in call.facts() if _is_telling(fact)],
        "log": seen.log,
        "files": list(map(str, seen.files)),
    }


def _lines(messages: Iterable[str]) -> list[str]:
    return [line for message in messages for line in message_lines(message)]


def _apart(texts: list[str], others: list[str]) -> list[str]:
    """The patterns of the texts that are not among the others, each once."""
    there = {_pattern(settled(text)) for text in others}
    found = [_pattern(text) for text in texts if text.strip() and _pattern(settled(text)) not in there]
    return list(dict.fromkeys(found))[:_MOST]


def _said(seen: Observation) -> Iterator[str]:
    for session in seen.mx_sessions:
        said = "".join(entry.text for entry in session.transcript if entry.source == "client")
        yield from said.split("\r\n")[:-1]


def _is_telling(fact: str) -> bool:
    """Whether a fact about a program is the same from run to run."""
    return not fact.startswith(_VARYING)


def _runs(seen: Observation) -> dict[str, int]:
    names = [call.program for call in seen.hook_calls]
    return {name: names.count(name) for name in names}
