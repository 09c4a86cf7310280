"""What needs no model: each promise is seen broken, and the references keep them all."""

import asyncio
from typing import Any

import pytest

from conformance.explore.areas import AREAS
from conformance.explore.document import Document, made
from conformance.explore.invariants import broken
from conformance.explore.playing import ReferenceSide
from conformance.explore.stream import Stream
from conformance.pod import record as acts
from conformance.pod.configuration import Configuration
from conformance.pod.observation import HookCall, Observation, RemoteResult, SmtpdProcess
from conformance.pod.record import Record
from conformance.pod.world import Exchanger, World
from conformance.targets.names import parse_target

MAIL = "> MAIL FROM:<a@b.example>\n> RCPT TO:<alice@here.example>\n> RCPT TO:<bob@here.example>\n"
MESSAGE = f"{MAIL}> DATA\n< *\n| Subject: x\n< *\n"
WITH_CRAM: Document = {"auth": {"mode": "cram"}}
TWO_CHALLENGES = "> AUTH CRAM-MD5\n< *\n> *\n< *\n> AUTH CRAM-MD5\n< *\n> *\n"


#: A delivery, with credentials, to a host that announces no AUTH and refuses every message.
DELIVERY: Document = {
    "deliver": [{"recipients": ["b@b.example"]}],
    "control": {"smtproutes": "b.example:127.0.0.2|someone|made-up"},
    "exchanger": [{"address": "127.0.0.2", "steps": {"message": "451 no"}}],
}


def promises_broken(flaw: str, session: str, more: Document) -> list[str]:
    side = ReferenceSide(parse_target(f"reference-ppa~{flaw}" if flaw else "reference-ppa"))
    scenario = made({"session": session, **more} if session else more)
    return broken(asyncio.run(side.play(scenario)), scenario.scenario)


CASES: list[tuple[str, str, str, Document]] = [
    ("a reply is not well-formed", "0009.errors-shown", MAIL, {"rcptcheck": {"complains": "x\n"}}),
    ("a command has no reply", "0008.padding-crashes", "> AUTH PLAIN ==\n", {"auth": {"mode": ""}}),
    ("a reply answers no command", "0008.helo-announces", "> HELO x\n", {"auth": {"mode": ""}}),
    ("a message is accepted and not queued", "smtpd.accepts-without-queueing", MESSAGE, {}),
    ("a message is queued and not accepted", "smtpd.lost-connection-queues", MAIL, {}),
    ("a message is queued for others than the accepted recipients", "smtpd.last-recipient-lost", MESSAGE, {}),
    (
        "mail for another domain is taken in from a client that may not relay",
        "smtpd.open-relay",
        MESSAGE.replace("bob@here", "bob@other"),
        {},
    ),
    ("a CRAM-MD5 challenge is given twice", "0008.stale-challenge", TWO_CHALLENGES, WITH_CRAM),
    (
        "the log has another number for a message than its client is told",
        "smtpd.log-another-number",
        MESSAGE,
        {},
    ),
    ("the log holds what is not printable", "smtpd.log-raw", r"> EHLO \xff", {}),
    ("a connection is reset after QUIT", "smtpd.quit-resets", "> QUIT\n", {}),
    ("qmail-smtpd is ended by a signal", "smtpd.dies-after-quit", "> QUIT\n", {}),
    ("qmail-smtpd holds more and more descriptors", "smtpd.rset-opens", "> \\{60*RSET\\r\\n}\\c\n< *\n", {}),
    (
        "qmail-smtpd has more and more children",
        "0009.program-not-waited-for",
        MAIL * 40,
        {"rcptcheck": {"default": 100}},
    ),
    ("credentials go to a host that has not announced AUTH", "0008.plain-unasked", "", DELIVERY),
    ("a message is reported as delivered and no host has accepted it", "0008.early-success", "", DELIVERY),
    ("qmail-smtpd holds more and more memory", "smtpd.noop-leaks", "> \\{60*NOOP\\r\\n}\\c\n< *\n", {}),
]


@pytest.mark.parametrize(("promise", "flaw", "session", "more"), CASES, ids=[case[1] for case in CASES])
def test_a_flaw_breaks_a_promise_that_the_reference_keeps(
    promise: str, flaw: str, session: str, more: Document
) -> None:
    assert promise in promises_broken(flaw, session, more)
    assert promises_broken("", session, more) == []


def seen_broken(*recorded: acts.Act, session: str = "> NOOP\n", **more: Any) -> list[str]:
    return broken(Record(recorded), made({"session": session, **more}).scenario)


def observed(**seen: Any) -> acts.Observe:
    return acts.Observe(at=1.0, seen=Observation(**seen))


def delivery(report: str, status: int = 0, ended: bool = True) -> acts.Remote:
    result = RemoteResult(report, status, ended, 1.0)
    return acts.Remote(
        at=1.0,
        host="b.example",
        sender="a@b.example",
        recipients=("b@b.example",),
        message="x",
        result=result,
    )


def test_qmail_remote_comes_to_an_end_of_its_own() -> None:
    assert seen_broken(delivery("", -9, False), observed()) == ["qmail-remote does not come to an end"]
    waiting = acts.Prepare(
        at=0.0, world=World(exchangers=[Exchanger(steps={"MAIL": "stall"})]), configuration=Configuration()
    )
    assert seen_broken(waiting, delivery("", -9, False), observed()) == []
    assert seen_broken(delivery("", -11), observed()) == ["qmail-remote is ended by a signal"]
    assert seen_broken(delivery("", 3), observed()) == [
        "qmail-remote ends with a status that is none of its own"
    ]


def test_a_password_is_neither_logged_nor_given_to_programs() -> None:
    assert seen_broken(observed(log=["qmail-smtpd: pid 1 from x: wonderland-7"])) == [
        "a password is in the log"
    ]
    assert seen_broken(observed(log=["<password of alice>"])) == ["a password is in the log"]
    call = HookCall("rcptcheck", [], "/", {"AUTHPASS": "builder-3"})
    assert seen_broken(observed(hook_calls=[call])) == ["a password is in the environment of a program"]
    assert seen_broken(observed(hook_calls=[call]), environment={"AUTHPASS": "builder-3"}) == []


def test_a_password_that_a_client_gives_for_its_name_is_its_own_affair() -> None:
    name = [
        acts.Connect(at=0.0, connection=0),
        acts.Send(at=0.0, connection=0, data="HELO <plain of alice>\r\n", taken=True),
    ]
    logged = observed(log=["qmail-smtpd: pid 1 from x: Received HELO <plain of alice>"])
    assert "a password is in the log" not in seen_broken(*name, logged)


def test_a_process_ends_as_it_says() -> None:
    assert seen_broken(observed(sessions=[SmtpdProcess(0, status=None)])) == [
        "qmail-smtpd runs on when its client has gone"
    ]
    assert seen_broken(observed(sessions=[SmtpdProcess(0, status=3)])) == [
        "qmail-smtpd ends with a status that is none of its own"
    ]
    assert seen_broken(observed(sessions=[SmtpdProcess(0, status=1)])) == []


@pytest.mark.parametrize("target", ["reference-ppa", "reference-stock"])
@pytest.mark.parametrize("area", AREAS)
def test_the_references_keep_every_promise(area: str, target: str) -> None:
    side = ReferenceSide(parse_target(target))

    async def keep() -> None:
        for each in Stream(area, "promises").batch(25):
            assert broken(await side.play(each), each.scenario) == [], each.document

    asyncio.run(keep())


def test_what_a_message_needs_while_it_comes_is_no_growth() -> None:
    def held(at: float, descriptors: int, children: int) -> acts.Observe:
        process = SmtpdProcess(0, memory=1024, descriptors=descriptors, children=children)
        return acts.Observe(at=at, seen=Observation(sessions=[process]))

    talk = [
        acts.Connect(at=0.0, connection=0),
        acts.Receive(at=0.0, connection=0, data="220 x ESMTP\r\n"),
        held(0.1, 3, 0),
        acts.Send(at=0.2, connection=0, data="DATA\r\nx\r\n", taken=True),
        acts.Receive(at=0.3, connection=0, data="354 go ahead\r\n"),
        held(0.4, 5, 1),
        acts.Send(at=0.5, connection=0, data=".\r\n", taken=True),
        acts.Receive(at=0.6, connection=0, data="250 ok 1 qp 1\r\n"),
    ]
    grown = {"qmail-smtpd holds more and more descriptors", "qmail-smtpd has more and more children"}
    assert grown.isdisjoint(seen_broken(*talk))
    assert grown <= set(seen_broken(*talk, held(0.7, 5, 1)))


@pytest.mark.parametrize("quits", ["> QUIT \n> QUIT\n", "> QUIT \\0\n> QUIT\n"])
def test_a_client_that_talks_behind_a_quit_with_an_argument_may_be_reset(quits: str) -> None:
    document: Document = {"session": quits}
    one = made(document)
    record = asyncio.run(ReferenceSide(parse_target("reference-ppa~smtpd.quit-resets")).play(one))
    assert "a connection is reset after QUIT" not in broken(record, one.scenario)


SHORT, LONG = "NOOP\r\n" * 10_000, f"NOOP {'x' * 59_993}\r\n"


@pytest.mark.parametrize(
    ("said", "says", "complaints"),
    [
        (SHORT, "", ["qmail-smtpd holds more and more memory"]),
        (LONG, "", []),  # the buffer of the longest line may be there several times over
        (f"AUTH PLAIN x\r\n{SHORT[:6000]}", "", []),  # it has started another process
        (SHORT, "250 ok\n", []),  # a program that talks: whose reply is whose, and what goes on, is unknown
    ],
    ids=["short lines", "a long line", "a checkprogram", "a program says something"],
)
def test_what_may_be_kept_of_what_was_said(said: str, says: str, complaints: list[str]) -> None:
    replies = ["535 no" if line.startswith("AUTH") else "250 ok" for line in said.splitlines()]

    def held(at: float, memory: int) -> acts.Observe:
        return acts.Observe(at=at, seen=Observation(sessions=[SmtpdProcess(0, memory=1024 + memory)]))

    record = Record((
        acts.Connect(at=0.0, connection=0),
        acts.Receive(at=0.0, connection=0, data="220 x ESMTP\r\n"),
        held(0.1, 0),
        acts.Send(at=0.2, connection=0, data=said, taken=True),
        acts.Receive(at=0.3, connection=0, data="\r\n".join([*replies, ""])),
        held(0.4, 500 if len(said) > 10_000 else 200),
    ))  # fmt: skip
    program = {"rcptcheck": {"says": says}} if says else {}
    found = broken(record, made({"session": "> NOOP\n", **program}).scenario)
    assert [sentence for sentence in found if "more and more" in sentence] == complaints
