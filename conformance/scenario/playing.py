"""Plays a scenario on a qmail and says of each expectation whether it was met, and what was seen instead."""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.delivery import DeliveryReport
from conformance.pod.observation import Observation
from conformance.scenario.chat import Chat, Expected, HalfClose, Pause, ReplyLine, Said, Write
from conformance.scenario.escapes import is_cut, pattern
from conformance.scenario.form import Deliver, ExpectedReport, Scenario, SendSignal, Sighting
from conformance.scenario.reading import read_scenario
from conformance.smtp.reply import SILENT, Reply
from conformance.smtp.session import PATIENCE, Session


@dataclass(frozen=True)
class Check:
    """One expectation on one qmail.

    `number` is its line in the file, `what` the expectation as written, `seen` what came (one character for
    each octet). `mark` is the short of it: the reply's code, the report's letter. `after` is the command that
    the reply answers.
    """

    number: int
    what: str
    met: bool
    seen: str
    mark: str = ""
    after: str = ""


async def play_text(internet: Internet, qmail: Qmail, text: str, path: str) -> None:
    """Play the scenario of a file's text, as a script."""
    await play(read_scenario(text, Path(path)), internet, qmail)


async def play(scenario: Scenario, internet: Internet, qmail: Qmail) -> list[Check]:
    """Do all that the scenario says; the same checks in the same order on every qmail."""
    internet.arrange(scenario.world)
    qmail.configure(scenario.configuration)
    checks: list[Check] = []
    for number, chat in enumerate(scenario.sessions, 1):
        checks += await _session(chat, qmail)
        for signal in scenario.signals_after(number):
            checks += await _signal(signal, qmail)
    for deliver in scenario.deliveries:
        checks += await _deliver(deliver, qmail)
    if scenario.configuration.delivering:
        checks.append(await _rested(qmail, 1, "delivering: qmail-send comes to rest"))
    with contextlib.suppress(AssertionError):  # said above, of the delivery
        await qmail.observe()
    assert internet.seen is not None
    return checks + [_sighted(expected, internet, internet.seen) for expected in scenario.expected]


class _Dialogue:
    """One connection: what has been said, and which replies are still due to which lines."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.due: list[Said] = []
        self.last = SILENT
        self.stopped = ""  #: why nothing more is done

    @property
    def challenge(self) -> str:
        return self.last.text if self.last.code == 334 else ""

    async def write(self, step: Write) -> None:
        if step.is_message and self.last.code != 354:
            self.stopped = "the message was not asked for (no 354)"
            return
        lines = step.lines[-1:] if step.is_message else step.lines
        self.due += [line for line in lines if not is_cut(line.raw)]
        await self.session.send(step.octets(self.challenge))

    async def read(self, expected: Expected, *, greeting: bool = False) -> Check:
        # The greeting answers no line, even when the client has talked before it.
        after = self.due.pop(0) if self.due and not greeting else None
        said = "" if after is None else "the message" if after.sign == "|" else after.raw
        if self.stopped:
            return Check(expected.number, expected.shown, False, f"not reached: {self.stopped}", "", said)
        limit = expected.seconds if expected.kind == "silence" else PATIENCE
        reply = await self.session.reply(limit)
        if not reply.code and reply == SILENT and expected.kind != "silence":
            self.stopped = "qmail was silent before"
        self.last = reply
        return _judged(expected, reply, said)


async def _session(chat: Chat, qmail: Qmail) -> list[Check]:
    """The checks of one chat; a greeting that the chat does not name must be 220."""
    steps = list(chat.steps)
    early: list[Write] = []
    if isinstance(steps[0], Write) and steps[0].early:  # then the first reply named is the greeting
        while steps and isinstance(write := steps[0], Write):
            early.append(write)
            del steps[0]
    greeting = steps[0] if steps else None
    if isinstance(greeting, Expected):
        del steps[0]
    else:
        greeting = Expected("reply", (ReplyLine("last", "220"),), "< 220 (the greeting)", chat.number)
    session = await qmail.connect()
    dialogue = _Dialogue(session)
    for write in early:
        await dialogue.write(write)
    checks = [await dialogue.read(greeting, greeting=True)]
    for step in steps:
        if isinstance(step, Expected):
            checks.append(await dialogue.read(step))
        elif dialogue.stopped:
            continue
        elif isinstance(step, HalfClose):
            await session.half_close()
        elif isinstance(step, Pause):
            await session.pause(step.seconds)
        else:
            await dialogue.write(step)
    await session.close()
    return checks


def _judged(expected: Expected, reply: Reply, after: str) -> Check:
    seen = "\n".join(f"{reply.code} {line}".rstrip() for line in reply.lines) if reply.code else reply.missing
    if reply.why == "garbled":
        seen = f"no reply line: {reply.text}"
    mark = str(reply.code) if reply.code else reply.why
    if expected.kind != "reply":
        met = reply.why == {"closed": "closed", "silence": "silent"}[expected.kind]
    else:
        met = bool(reply.code) and all(line.is_met(reply) for line in expected.lines)
    return Check(expected.number, expected.shown, met, seen, mark, after)


async def _signal(signal: SendSignal, qmail: Qmail) -> list[Check]:
    """The checks of one signal: qmail-send rests before it, and again before anything else is done."""
    before = await _rested(qmail, signal.number, f"qmail-send comes to rest before {signal.name}")
    await qmail.signal(signal.name, signal.control)
    return [before, await _rested(qmail, signal.number, f"qmail-send comes to rest after {signal.name}")]


async def _rested(qmail: Qmail, number: int, what: str) -> Check:
    try:
        await qmail.delivered()
    except AssertionError as error:
        return Check(number, what, False, str(error))
    return Check(number, what, True, "it rests")


async def _deliver(deliver: Deliver, qmail: Qmail) -> list[Check]:
    """The checks of one delivery; what it reports as delivered some host must have accepted."""
    what = "a message that is reported as delivered was accepted by a host"
    given = (deliver.host, deliver.sender, list(deliver.recipients), deliver.message, deliver.limit)
    try:
        delivery = await qmail.remote(*given)
    except AssertionError as error:
        why = f"not read: {error}"
        unread = [Check(report.number, report.what, False, why) for report in deliver.reports]
        return [*unread, Check(deliver.number, what, False, str(error))]
    read = [_reported(report, delivery) for report in deliver.reports]
    return [*read, Check(deliver.number, what, True, repr(delivery))]


def _reported(wanted: ExpectedReport, delivery: DeliveryReport) -> Check:
    if wanted.index is not None and wanted.index >= len(delivery.recipients):
        return Check(wanted.number, wanted.what, False, "no report for this recipient")
    report = delivery.message if wanted.index is None else delivery.recipients[wanted.index]
    said = f"{report.letter}{report.text}"
    return Check(
        wanted.number, wanted.what, _reads(wanted.pattern, said), said or repr(delivery), report.letter
    )


def _sighted(wanted: Sighting, internet: Internet, seen: Observation) -> Check:
    """Whether what must be seen when all is done was there: a number of things, or one that reads so."""
    kind = wanted.kind.removeprefix("not-")
    all_things: dict[str, Sequence[object]] = {
        "asked": [f"{question.name or '.'} {question.type} {question.over}" for question in seen.questions],
        "said": internet.commands(),
        "queue": [f"{message.sender} -> {', '.join(message.recipients)}" for message in seen.queue],
        "accepted": internet.messages(wanted.of or None),
        "mailboxes": seen.mailboxes.get(wanted.of, []),
        "log": seen.log,
        "files": [str(file) for file in seen.files],
        "queue-lines": _texts(message.octets for message in seen.queue),
        "accepted-lines": _texts(message.octets for message in internet.messages(wanted.of or None)),
        "mailbox-lines": _texts(
            message
            for user, messages in seen.mailboxes.items()
            for message in messages
            if wanted.of in ("", user)
        ),
        "found": [
            fact for call in seen.hook_calls if wanted.of in ("", call.program) for fact in call.facts()
        ],
        "ran": [call for call in seen.hook_calls if call.program == wanted.of],
    }
    things = all_things[kind]
    if isinstance(wanted.wanted, int):
        count = len(things)
        return Check(wanted.number, str(wanted), count == wanted.wanted, str(count), str(count))
    there = [str(thing) for thing in things]
    fits = _is_asked if kind == "asked" else _reads
    fitting = [thing for thing in there if fits(wanted.wanted, thing)]
    shown = "; ".join((fitting or there)[:8]) or "nothing"
    must = kind == wanted.kind
    return Check(wanted.number, str(wanted), bool(fitting) == must, shown, str(bool(fitting)))


def _texts(messages: Iterable[str]) -> list[str]:
    """What a text about a message may name: a field whole, a line of the body, and the message as a whole."""
    return [text for message in messages for text in (*message_lines(message), message)]


def message_lines(message: str) -> list[str]:
    """The fields of a message, each on one line, and the lines of its body."""
    head, blank, body = message.replace("\r\n", "\n").partition("\n\n")
    return [*re.sub(r"\n[ \t]+", " ", head).split("\n"), *(body.split("\n") if blank else [])]


def _reads(wanted: str, said: str) -> bool:
    return pattern(wanted).fullmatch(said) is not None


def _is_asked(wanted: str, question: str) -> bool:
    """Whether a question is as wanted: name, type and transport; what is left out may be anything."""
    name, *others = [*wanted.split(" "), "*", "*"][:3]
    named, *rest = question.rsplit(" ", 2)
    return _reads(name.lower(), named.lower()) and all(map(_reads, others, rest))


def unmet_sentence(check: Check) -> str:
    """One expectation that is not met, for an assertion: where it stands, what it is, what was seen."""
    after = f" after {check.after}" if check.after else ""
    return f"line {check.number}: {check.what}{after}; seen: {check.seen}"
