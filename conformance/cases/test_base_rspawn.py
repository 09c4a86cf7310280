"""Base qmail: qmail-rspawn: how it runs qmail-remote, and what it makes of one that fails."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.configuration import Program
from conformance.pod.observation import Observation

SENDER = "alice@here.example"
RECIPIENT = "b@plain.example"
RSPAWN = "package source, qmail-rspawn.c: report"
RELIABLE = "rfc5321:4.5.4.1, rfc5321:6.1"


async def _delivered(internet: Internet, qmail: Qmail, **program: Any) -> Observation:
    """A message from alice to a remote recipient, with a program in the place of qmail-remote."""
    internet.load("plain.example")
    qmail.relay()
    qmail.remote_program = Program(**program)
    return await qmail.deliver(SENDER, [RECIPIENT])


async def _waits(internet: Internet, qmail: Qmail, **program: Any) -> None:
    """The message must stay in the queue, and nothing bounces."""
    seen = await _delivered(internet, qmail, **program)
    bounces = len(seen.mailboxes.get("alice", []))
    waiting = [message.recipients for message in seen.queue]
    assert (waiting, bounces) == ([[RECIPIENT]], 0), f"in the queue for {waiting}, {bounces} bounces"


@requirement("base.rspawn.crash", source=RELIABLE + "; " + RSPAWN)
async def test_crash(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that dies by a signal delivers nothing: the message is tried again."""
    await _waits(internet, qmail, fate="crash")


@requirement("base.rspawn.crash-after-report", source=RELIABLE + "; " + RSPAWN)
async def test_crash_after_a_report(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that dies by a signal is not believed, though it has reported success."""
    await _waits(internet, qmail, fate="crash", says="r\0Kaccepted\n\0")


@requirement("base.rspawn.exit-111", source=RELIABLE + "; " + RSPAWN)
async def test_exit_111(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that exits 111 delivers nothing: the message is tried again."""
    await _waits(internet, qmail, default=111)


@requirement("base.rspawn.no-output", source=RELIABLE + "; " + RSPAWN)
async def test_no_output(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that says nothing delivers nothing: the message is tried again."""
    await _waits(internet, qmail)


@requirement("base.rspawn.missing", source=RELIABLE)
async def test_missing(internet: Internet, qmail: Qmail) -> None:
    """Where qmail-remote is not there for a while, the message waits: that is not the recipient's fault."""
    await _waits(internet, qmail, fate="missing")


@requirement("base.rspawn.recipient-deferred", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_recipient_deferred(internet: Internet, qmail: Qmail) -> None:
    """A recipient that is put off waits, though the message was accepted for others."""
    await _waits(internet, qmail, says="slater\n\0Kaccepted\n\0")


@requirement("base.rspawn.recipient-refused", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_recipient_refused(internet: Internet, qmail: Qmail) -> None:
    """A recipient that is refused bounces, though the message was accepted for others."""
    seen = await _delivered(internet, qmail, says="hnot here\n\0Kaccepted\n\0")
    assert seen.queue == []
    bounces = seen.mailboxes.get("alice", [])
    assert len(bounces) == 1, f"{len(bounces)} bounces"
    assert "not here" in bounces[0]


@requirement("base.rspawn.accepted", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_accepted(internet: Internet, qmail: Qmail) -> None:
    """A report of r and K is a delivery: the message leaves the queue, and nothing bounces."""
    seen = await _delivered(internet, qmail, says="r\0Kaccepted\n\0")
    assert seen.queue == []
    assert seen.mailboxes.get("alice", []) == []


@requirement("base.rspawn.account", source="package source, qmail-start.c: main")
async def test_account(internet: Internet, qmail: Qmail) -> None:
    """qmail-remote runs as qmailr, in group qmail alone."""
    await _delivered(internet, qmail, says="r\0Kaccepted\n\0")
    ran = [(call.account, call.group, call.groups) for call in await qmail.hook_calls("qmail-remote")]
    assert ran == [("qmailr", "qmail", ["qmail"])], ran


@requirement(
    "base.rspawn.arguments", source="qmail-remote(8) SYNOPSIS; package source, qmail-rspawn.c: spawn"
)
async def test_arguments(internet: Internet, qmail: Qmail) -> None:
    """qmail-remote is run once for each recipient, with host, sender, recipient and the message."""
    internet.load("plain.example")
    qmail.relay()
    qmail.remote_program = Program(says="r\0Kaccepted\n\0", reads=True)
    await qmail.deliver(SENDER, [RECIPIENT, "c@other.example"])
    calls = await qmail.hook_calls("qmail-remote")
    ran = sorted(call.arguments for call in calls)
    assert ran == [["other.example", SENDER, "c@other.example"], ["plain.example", SENDER, RECIPIENT]], ran
    assert all(call.input.endswith("Subject: hello\n\nhello\n") for call in calls)
