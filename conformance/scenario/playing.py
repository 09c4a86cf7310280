"""Plays a scenario on a qmail and says of each expectation whether it was met, and what was seen instead."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.delivery import Delivery
from conformance.pod.observation import Question
from conformance.scenario.chat import Chat, Expected, HalfClose, ReplyLine, Said, Write
from conformance.scenario.escapes import is_cut, pattern
from conformance.scenario.form import Deliver, Report, Scenario, Sighting
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
    scenario.arrange(internet)
    scenario.configure(qmail)
    checks: list[Check] = []
    for chat in scenario.sessions:
        checks += await _session(chat, qmail)
    for deliver in scenario.deliveries:
        checks += await _deliver(deliver, qmail)
    if scenario.delivering:
        try:
            await qmail.delivered()
        except AssertionError as error:
            checks.append(Check(1, "delivering: qmail-send comes to rest", False, str(error)))
        else:
            checks.append(Check(1, "delivering: qmail-send comes to rest", True, "it rests"))
    await qmail.observe()
    return checks + [_sighted(one, internet) for one in scenario.expected]


class _Dialogue:
    """One connection: what has been said, and which replies are still due to which lines."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.due: list[Said] = []
        self.last: Reply | None = None
        self.stopped = ""  #: why nothing more is done

    @property
    def challenge(self) -> str:
        return self.last.text if self.last is not None and self.last.code == 334 else ""

    async def write(self, step: Write) -> None:
        if step.is_message and (self.last is None or self.last.code != 354):
            self.stopped = "the message was not asked for (no 354)"
            return
        lines = step.lines[-1:] if step.is_message else step.lines
        self.due += [line for line in lines if not is_cut(line.raw)]
        await self.session.send(step.octets(self.challenge))

    async def read(self, expected: Expected) -> Check:
        after = self.due.pop(0) if self.due else None
        said = "" if after is None else "the message" if after.sign == "|" else after.raw
        if self.stopped:
            return Check(expected.number, expected.shown, False, f"not reached: {self.stopped}", "", said)
        limit = expected.seconds if expected.kind == "silence" else PATIENCE
        reply = await self.session.reply(limit)
        if not reply.code and reply == SILENT and expected.kind != "silence":
            self.stopped = "qmail was silent before"
        self.last = reply
        return _judged(expected, reply, said)

    async def greeting(self, expected: Expected) -> Check:
        """The greeting answers no line, even when the client has talked before it."""
        due, self.due = self.due, []
        check = await self.read(expected)
        self.due = due
        return check


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
    checks = []
    async with contextlib.AsyncExitStack() as stack:
        session = await qmail.connect()
        stack.push_async_exit(session)  # not entered: that would read the greeting
        dialogue = _Dialogue(session)
        for write in early:
            await dialogue.write(write)
        checks.append(await dialogue.greeting(greeting))
        for step in steps:
            if isinstance(step, Expected):
                checks.append(await dialogue.read(step))
            elif dialogue.stopped:
                continue
            elif isinstance(step, HalfClose):
                await session.half_close()
            else:
                await dialogue.write(step)
    return checks


def _judged(expected: Expected, reply: Reply, after: str) -> Check:
    seen = "\n".join(f"{reply.code} {line}".rstrip() for line in reply.lines) if reply.code else reply.why
    if reply.why == "garbled":
        seen = f"no reply line: {reply.text}"
    mark = str(reply.code) if reply.code else reply.why
    if expected.kind != "reply":
        met = reply.why == {"closed": "closed", "silence": "silent"}[expected.kind]
    else:
        met = bool(reply.code) and all(_fits(line, reply) for line in expected.lines)
    return Check(expected.number, expected.shown, met, seen, mark, after)


def _fits(wanted: ReplyLine, reply: Reply) -> bool:
    if wanted.kind == "last":
        return wanted.fits(reply.code, reply.lines[-1])
    found = any(wanted.fits(reply.code, line) for line in reply.lines)
    return found if wanted.kind == "some" else not found


async def _deliver(deliver: Deliver, qmail: Qmail) -> list[Check]:
    """The checks of one delivery; what it reports as delivered some host must have accepted."""
    what = "a message that is reported as delivered was accepted by a host"
    try:
        delivery = await qmail.remote(
            deliver.host, deliver.sender, list(deliver.recipients), deliver.message, deliver.limit
        )
    except AssertionError as error:
        seen = str(error)
        unread = [Check(one.number, one.what, False, f"not read: {seen}") for one in deliver.reports]
        return [*unread, Check(deliver.number, what, False, seen)]
    read = [_reported(one, delivery) for one in deliver.reports]
    return [*read, Check(deliver.number, what, True, repr(delivery))]


def _reported(wanted: Report, delivery: Delivery) -> Check:
    if wanted.index is None:
        report = delivery.message
    elif wanted.index < len(delivery.recipients):
        report = delivery.recipients[wanted.index]
    else:
        return Check(wanted.number, wanted.what, False, "no report for this recipient")
    seen = f"{report.letter}{report.text}" or repr(delivery)
    met = pattern(wanted.pattern).fullmatch(f"{report.letter}{report.text}") is not None
    return Check(wanted.number, wanted.what, met, seen, report.letter)


def _sighted(wanted: Sighting, internet: Internet) -> Check:
    seen = internet.seen
    assert seen is not None, "the world has been observed"
    asked = [_question(one) for one in seen.questions]
    if wanted.kind in ("asked", "not-asked"):
        fitting = [one for one in asked if _is_asked(str(wanted.wanted), one)]
        return _found(wanted, fitting, asked, wanted.kind == "asked")
    if wanted.kind in ("said", "not-said"):
        said = internet.commands()
        fitting = [one for one in said if pattern(str(wanted.wanted)).fullmatch(one)]
        return _found(wanted, fitting, said, wanted.kind == "said")
    if wanted.kind == "queue":
        envelopes = [f"{one.sender} -> {', '.join(one.recipients)}" for one in seen.queue]
        if isinstance(wanted.wanted, int):
            return _counted(wanted, len(envelopes))
        fitting = [one for one in envelopes if pattern(wanted.wanted).fullmatch(one)]
        return _found(wanted, fitting, envelopes, True)
    if wanted.kind == "accepted":
        return _counted(wanted, len(internet.messages(wanted.of or None)))
    if wanted.kind == "mailboxes":
        return _counted(wanted, len(seen.mailboxes.get(wanted.of, [])))
    return _counted(wanted, sum(call.program == wanted.of for call in seen.hook_calls))


def _question(question: Question) -> str:
    return f"{question.name} {question.type} {question.over}"


def _is_asked(wanted: str, question: str) -> bool:
    """Whether a question is as wanted: name, type and transport; what is left out may be anything."""
    words = [*wanted.split(" "), "*", "*"][:3]
    named, *rest = question.rsplit(" ", 2)
    same = pattern(words[0].lower()).fullmatch(named.lower())
    return bool(same) and all(pattern(a).fullmatch(b) for a, b in zip(words[1:], rest, strict=True))


def _found(wanted: Sighting, fitting: list[str], there: list[str], must: bool) -> Check:
    seen = "; ".join((fitting or there)[:8]) or "nothing"
    return Check(wanted.number, str(wanted), bool(fitting) == must, seen, str(bool(fitting)))


def _counted(wanted: Sighting, seen: int) -> Check:
    return Check(wanted.number, str(wanted), seen == wanted.wanted, str(seen), str(seen))


def unmet_sentence(check: Check) -> str:
    """One expectation that is not met, for an assertion: where it stands, what it is, what was seen."""
    after = f" after {check.after}" if check.after else ""
    return f"line {check.number}: {check.what}{after}; seen: {check.seen}"
