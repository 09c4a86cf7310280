"""What every session keeps, whatever the build: no model is needed to see that it is broken.

Each sentence is one promise, without names and numbers, so that what breaks it is one finding.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from conformance.explore.conversations import (
    LONGEST_LINE,
    Conversation,
    answers_of,
    codes_of,
    conversations_of,
    hear,
)
from conformance.pod import record as acts
from conformance.pod.configuration import Configuration
from conformance.pod.delivery import DeliveryReport, read_reports
from conformance.pod.observation import MxSession, Observation, SmtpdProcess
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets
from conformance.pod.world import Exchanger
from conformance.scenario.form import Scenario

#: What ends the verb of a line.
_VERB_ENDS = re.compile(r"[ \0\r]")
#: Exit statuses of qmail-smtpd.
_OWN_STATUSES = (0, 1)
#: KiB that a process may grow by whatever is said, and octets kept of each that is said; of the longest line
#: more, for a buffer grows by an eighth, and what it was before is free and in pieces.
_SLACK, _KEPT, _OF_LONGEST = 48, 3, 9
#: Descriptors that a process may keep: of the socket to qmail-verify, which is opened when it is first asked.
_KEPT_OPEN = 1
#: KiB that a process of real qmail has touched besides once it has started another: 124 were seen.
_OF_CHILDREN = 200
#: Replies that come before qmail-queue or a checkprogram is started, or behind one.
_STARTS = re.compile(r"^(3[35]4|[25]35|454) ", re.MULTILINE)
#: What is in a record in the place of a password.
_HIDDEN = re.compile(r"<(password|login|plain) of [a-z0-9]+>")
_ANNOUNCED = re.compile(r"^250[ -]AUTH\b", re.IGNORECASE | re.MULTILINE)
_SAID_AUTH = re.compile(r"^AUTH\b", re.IGNORECASE | re.MULTILINE)
_UNPRINTABLE = re.compile(r"[^ -~]")


def broken(record: Record, scenario: Scenario) -> list[str]:
    """A sentence for each promise that the record breaks, each once."""
    found: dict[str, None] = {}
    for promise in _PROMISES:
        found.update(dict.fromkeys(promise(record, scenario.configuration)))
    return list(found)


# Replies


def _replies(record: Record, configuration: Configuration) -> Iterator[str]:
    """One reply for each command, in order and well-formed."""
    for conversation in conversations_of(record):
        codes = codes_of(conversation.heard)
        if codes is None:
            if not _is_odd(configuration) and not conversation.reset:
                yield "a reply is not well-formed"
            continue
        answered = answers_of(conversation.said, codes)
        if answered.unanswered and not _may_end(codes, conversation) and not _hangs(configuration):
            yield "a command has no reply"
        if answered.unasked and answered.unasked not in ([451], [421]):
            yield "a reply answers no command"


def _is_odd(configuration: Configuration) -> bool:
    """Whether words of a reply are given, and hold what no reply may."""
    words = [configuration.control.get(name, "").partition("\n")[0] for name in ("me", "smtpgreeting")]
    return any(re.search(r"[\r\0]", word) or len(word) > LONGEST_LINE // 2 for word in words)


def _may_end(codes: list[int], conversation: Conversation) -> bool:
    """Whether qmail has said that it goes: whatever comes behind that has no reply."""
    return conversation.closed and (conversation.reset or codes[-1:] in ([221], [421], [451]))


def _hangs(configuration: Configuration) -> bool:
    return any(program.fate == "hang" for program in configuration.programs().values())


# Mail


def _queued(record: Record, configuration: Configuration) -> Iterator[str]:
    """Accepted means queued, for whom it was accepted."""
    seen = _last_seen(record)
    if configuration.delivering or configuration.queue_program or "QMAILQUEUE" in configuration.environment:
        return
    accepted: list[int] = []
    for conversation in conversations_of(record):
        codes = codes_of(conversation.heard)
        if codes is None:
            return
        accepted += [count for code, count in answers_of(conversation.said, codes).messages if code == 250]
    accepted += [run.letters.count("r") for run in _delivered_runs(record) if run.names_this_host]
    queued = [len(message.recipients) for message in seen.queue]
    if len(accepted) > len(queued):
        yield "a message is accepted and not queued"
    elif len(accepted) < len(queued):
        yield "a message is queued and not accepted"
    elif sorted(accepted) != sorted(queued):
        yield "a message is queued for others than the accepted recipients"


def _delivered(record: Record, configuration: Configuration) -> Iterator[str]:
    """K means that a host has accepted a message; what this host has is queued (`_queued`)."""
    hosts = _last_seen(record).mx_sessions
    elsewhere = [run for run in _delivered_runs(record) if not run.names_this_host]
    if len(elsewhere) > sum(len(session.messages) for session in hosts):
        yield "a message is reported as delivered and no host has accepted it"


def _delivered_runs(record: Record) -> list[DeliveryReport]:
    """What qmail-remote reported where it says that the message is delivered."""
    reports = [read_reports(act.result) for act in record.acts if isinstance(act, acts.Remote)]
    return [report for report in reports if report.ended and report.message.letter == "K"]


def _relayed(record: Record, configuration: Configuration) -> Iterator[str]:
    """Nothing is taken in for another domain from a client that has no right to relay."""
    program = configuration.queue_program
    if configuration.delivering:  # then qmail itself sends on what it took in
        return
    if "RELAYCLIENT" in configuration.environment or (program is not None and program.gives):
        return
    if any(re.search(r"^235 ", each.heard, re.MULTILINE) for each in conversations_of(record)):
        return
    if configuration.password_check and any(run.names_this_host for run in _delivered_runs(record)):
        return  # what was said there nobody sees
    if "rcpthosts" not in configuration.control:
        return
    ours = {
        row for name in ("rcpthosts", "morercpthosts") for row in _rows(configuration.control.get(name, ""))
    }
    for message in _last_seen(record).queue:
        for recipient in message.recipients:
            _, at, host = recipient.rpartition("@")
            if at and ours.isdisjoint(_wider(host.lower())):
                yield "mail for another domain is taken in from a client that may not relay"


def _rows(text: str) -> Iterator[str]:
    for row in text.split("\n"):
        row = row.rstrip(" \t").lower()
        if row and not row.startswith("#"):
            yield row


def _wider(host: str) -> set[str]:
    """A host, and `.domain` for each that it is in."""
    return {host, *(host[at:] for at, octet in enumerate(host) if octet == ".")}


def _credentials(record: Record, configuration: Configuration) -> Iterator[str]:
    """No credentials go to a host that has not announced AUTH."""
    if any(map(_said_unannounced, _last_seen(record).mx_sessions)):
        yield "credentials go to a host that has not announced AUTH"


def _said_unannounced(session: MxSession) -> bool:
    heard = ""
    for entry in session.transcript:
        if entry.source == "exchanger":
            heard += entry.text
        elif entry.source == "client" and _SAID_AUTH.search(entry.text):
            return not _ANNOUNCED.search(heard)
    return False


# Secrets


def _challenges(record: Record, configuration: Configuration) -> Iterator[str]:
    """No challenge comes twice."""
    words = [
        word
        for each in conversations_of(record)
        for word in re.findall(r"^334 (\S+)\r$", each.heard, re.MULTILINE)
    ]
    challenges = [word for word in words if _is_challenge(word)]
    if len(set(challenges)) < len(challenges):
        yield "a CRAM-MD5 challenge is given twice"


def _is_challenge(word: str) -> bool:
    try:
        return base64.b64decode(word, validate=True).startswith(b"<")
    except (binascii.Error, ValueError):
        return False


def _passwords(record: Record, configuration: Configuration) -> Iterator[str]:
    """No password is in the log, and none in the environment of a program."""
    seen = _last_seen(record)
    said = [line for each in conversations_of(record) for line in each.said.split("\n")]
    if any(map(_is_secret, seen.log)) and not any(map(_shows_secret, said)):
        yield "a password is in the log"
    given = [value for call in seen.hook_calls for value in call.environment.values()]
    if any(_is_secret(value) for value in given if value not in configuration.environment.values()):
        yield "a password is in the environment of a program"


def _numbers(record: Record, configuration: Configuration) -> Iterator[str]:
    """The client is told the number of a message that the log has."""
    heard = "".join(each.heard for each in conversations_of(record))
    told = re.findall(r"^250 ok \d+ qp (\d+)\r$", heard, re.MULTILINE)
    logged = re.findall(
        r"^qmail-smtpd: .* Message accepted, qp (\d+) ", "\n".join(_last_seen(record).log), re.MULTILINE
    )
    if logged and not set(told) <= set(logged):  # a client that has gone is told nothing
        yield "the log has another number for a message than its client is told"


def _shows_secret(line: str) -> bool:
    """Whether a client says a password where anybody would log it: as a name, in an address."""
    verb, blank, rest = line.partition(" ")
    return bool(blank) and verb.upper() != "AUTH" and _is_secret(rest)


def _is_secret(text: str) -> bool:
    return _HIDDEN.search(text) is not None or fixture_secrets().hide(text) != text


def _harmless_log(record: Record, configuration: Configuration) -> Iterator[str]:
    """A client writes no line of the log, and nothing that is not printable."""
    lines = [line for line in _last_seen(record).log if line.startswith("qmail-smtpd: ")]
    if any(map(_UNPRINTABLE.search, lines)):
        yield "the log holds what is not printable"


# Processes


def _ends(record: Record, configuration: Configuration) -> Iterator[str]:
    """No process is ended by a signal, or with a status that is none of its own; none runs on."""
    for session in _last_seen(record).sessions:
        if session.status is None:
            if not _hangs(configuration):
                yield "qmail-smtpd runs on when its client has gone"
        elif session.status < 0:
            yield "qmail-smtpd is ended by a signal"
        elif session.status not in _OWN_STATUSES:
            yield "qmail-smtpd ends with a status that is none of its own"


def _deliveries(record: Record, configuration: Configuration) -> Iterator[str]:
    """qmail-remote ends by itself, with the one status that it has."""
    for act in record.acts:
        if not isinstance(act, acts.Remote):
            continue
        if not act.result.ended:
            if not any(map(_waits, record.acts)):
                yield "qmail-remote does not come to an end"
        elif act.result.status < 0:
            yield "qmail-remote is ended by a signal"
        elif act.result.status:
            yield "qmail-remote ends with a status that is none of its own"


def _waits(act: acts.Act) -> bool:
    """Whether somebody in the world keeps qmail-remote waiting; how long that may take its model says."""
    if not isinstance(act, acts.Prepare):
        return False
    slow = [host for host in act.world.exchangers if host.silent or host.pace or _stalls(host)]
    return bool(slow or act.world.faults or act.world.latency)


def _stalls(host: Exchanger) -> bool:
    return re.search(r"\b(stall|deaf)\b", str(host.steps)) is not None


def _closes(record: Record, configuration: Configuration) -> Iterator[str]:
    """After QUIT the connection is closed; it may be reset where the client has gone on talking."""
    for conversation, session in zip(conversations_of(record), _last_seen(record).sessions, strict=False):
        lines = [_VERB_ENDS.split(line)[0].upper() for line in conversation.said.split("\n")]
        codes = codes_of(conversation.heard) or [0]
        if session.reset and codes[-1] == 221 and lines[-2:] == ["QUIT", ""] and lines.count("QUIT") == 1:
            yield "a connection is reset after QUIT"


def _growth(record: Record, configuration: Configuration) -> Iterator[str]:
    """A session keeps no descriptor, no process and no memory of what is over."""
    if any(program.says for program in configuration.programs().values()):
        return  # whose a reply is, and so whether a message has ended, nobody knows
    first: dict[int, SmtpdProcess] = {}
    conversations: dict[int, Conversation] = {}
    for act in record.acts:
        hear(conversations, act)
        for session in act.seen.sessions if isinstance(act, acts.Observe) else ():
            conversation = conversations.get(session.connection, Conversation())
            if session.status is None and not _is_in_message(conversation):
                before = first.setdefault(session.connection, session)
                if _hangs(configuration):  # then there is a program, for how long its model says
                    session = replace(session, children=before.children)
                yield from _grown(before, session, conversation)


def _is_in_message(conversation: Conversation) -> bool:
    """Whether qmail-queue is there for a message that has not ended, or may be, for all that is heard."""
    codes = codes_of(conversation.heard)
    return codes is None or answers_of(conversation.said, codes).in_message


def _grown(before: SmtpdProcess, now: SmtpdProcess, conversation: Conversation) -> Iterator[str]:
    """What a process holds more than at the beginning, after all that was said."""
    if now.descriptors > before.descriptors + _KEPT_OPEN:
        yield "qmail-smtpd holds more and more descriptors"
    if now.children > before.children:
        yield "qmail-smtpd has more and more children"
    slack = _SLACK + (_OF_CHILDREN if _STARTS.search(conversation.heard) else 0)
    longest = max(map(len, conversation.said.split("\n")))
    slack += (_KEPT * len(conversation.said) + _OF_LONGEST * longest) // 1024
    if now.memory > before.memory + slack:
        yield "qmail-smtpd holds more and more memory"


def _last_seen(record: Record) -> Observation:
    observed = [act.seen for act in record.acts if isinstance(act, acts.Observe)]
    return observed[-1] if observed else Observation()


_PROMISES: tuple[Callable[[Record, Configuration], Iterator[str]], ...] = (
    _replies,
    _queued,
    _delivered,
    _relayed,
    _credentials,
    _challenges,
    _numbers,
    _passwords,
    _harmless_log,
    _ends,
    _deliveries,
    _closes,
    _growth,
)
