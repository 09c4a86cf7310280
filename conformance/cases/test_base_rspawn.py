"""Base qmail: qmail-rspawn: how it runs qmail-remote, and what it makes of one that fails."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, only
from conformance.catalogue import requirement
from conformance.pod.configuration import Program
from conformance.pod.observation import Observation

SENDER = "alice@here.example"
RECIPIENT = "b@plain.example"
RSPAWN = "package source, qmail-rspawn.c: report"
RELIABLE = "rfc5321:4.5.4.1, rfc5321:6.1"


async def _delivered(
    internet: Internet, qmail: Qmail, recipients: list[str] | None = None, **program: Any
) -> Observation:
    """A message from alice to remote recipients, with a program in the place of qmail-remote."""
    internet.load("plain.example")
    qmail.relay()
    qmail.remote_program = Program(**program)
    return await qmail.deliver(SENDER, recipients or [RECIPIENT])


async def _waits(internet: Internet, qmail: Qmail, **program: Any) -> None:
    """The message must stay in the queue, and nothing bounces."""
    seen = await _delivered(internet, qmail, **program)
    bounces = len(seen.mailboxes.get("alice", []))
    waiting = [message.recipients for message in seen.queue]
    assert (waiting, bounces) == ([[RECIPIENT]], 0), f"in the queue for {waiting}, {bounces} bounces"


async def _bounces(internet: Internet, qmail: Qmail, **program: Any) -> str:
    """The one bounce that alice gets; nothing stays in the queue."""
    seen = await _delivered(internet, qmail, **program)
    assert seen.queue == []
    return only(seen.mailboxes.get("alice", []), "bounces")


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


@requirement("base.rspawn.exit-1", source="qmail-remote(8): always exits zero; " + RELIABLE)
async def test_exit_1(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that exits 1 is broken, which is not the recipient's fault: the message waits."""
    await _waits(internet, qmail, default=1)


@requirement("base.rspawn.exit-other", source="qmail-remote(8): always exits zero; " + RELIABLE)
async def test_other_exits(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that exits 2, 99, 110, 112 or 255 is broken: the message waits for each recipient."""
    recipients = [f"{box}@plain.example" for box in "abcde"]
    statuses = [2, 99, 110, 112, 255]
    qmail.control["concurrencyremote"] = "1\n"  # the program counts its runs
    seen = await _delivered(internet, qmail, recipients, statuses=statuses)
    bounced = sum(f"<{each}>:\n" in text for each in recipients for text in seen.mailboxes.get("alice", []))
    waiting = [message.recipients for message in seen.queue]
    assert (waiting, bounced) == ([recipients], 0), f"in the queue for {waiting}, {bounced} bounced"


@requirement("base.rspawn.exit-100", source=RSPAWN)
async def test_exit_100(internet: Internet, qmail: Qmail) -> None:
    """Exit status 100 of a qmail-remote is a permanent failure, as ever: the message bounces."""
    assert "Unable to run qmail-remote." in await _bounces(internet, qmail, default=100)


@requirement("base.rspawn.exit-not-believed", source="qmail-remote(8): always exits zero; " + RSPAWN)
async def test_exit_after_a_report(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that does not exit 0 is not believed, though it has reported success."""
    seen = await _delivered(internet, qmail, default=1, says="r\0Kaccepted\n\0")
    kept = len(seen.queue), len(seen.mailboxes.get("alice", []))
    assert kept in ((1, 0), (0, 1)), f"in the queue and bounced: {kept}"


@requirement("base.rspawn.nonsense", source="qmail-remote(8) RESULTS; " + RELIABLE)
async def test_nonsense(internet: Internet, qmail: Qmail) -> None:
    """A qmail-remote that prints no report says nothing of the recipient: the message waits."""
    await _waits(internet, qmail, says="nonsense\n")


@requirement("base.rspawn.no-message-report", source="qmail-remote(8) RESULTS; " + RELIABLE)
async def test_no_message_report(internet: Internet, qmail: Qmail) -> None:
    """A recipient's acceptance without a report of the message is neither delivery nor failure: it waits."""
    await _waits(internet, qmail, says="r\0")


@requirement("base.rspawn.cut-off", source="qmail-remote(8) RESULTS: terminated by a 0 byte; " + RELIABLE)
async def test_report_that_breaks_off(internet: Internet, qmail: Qmail) -> None:
    """A report of success that no 0 byte ends is none, and no failure either: the message waits."""
    await _waits(internet, qmail, says="r\0Kaccepted\n")


@requirement("base.rspawn.message-alone", source=RSPAWN)
async def test_message_report_alone(internet: Internet, qmail: Qmail) -> None:
    """K with no recipient's report before it is a delivery, as ever."""
    seen = await _delivered(internet, qmail, says="Kaccepted\n\0")
    assert seen.queue == []
    assert seen.mailboxes.get("alice", []) == []


@requirement("base.rspawn.message-deferred", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_message_deferred(internet: Internet, qmail: Qmail) -> None:
    """A message that failed for now waits, though its recipient was accepted."""
    await _waits(internet, qmail, says="r\0Zlater\n\0")


@requirement("base.rspawn.message-refused", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_message_refused(internet: Internet, qmail: Qmail) -> None:
    """A message that failed for good bounces with its report, though its recipient was accepted."""
    assert "not that" in await _bounces(internet, qmail, says="r\0Dnot that\n\0")


@requirement("base.rspawn.given-up-for-now", source="qmail-remote(8) RESULTS; " + RSPAWN)
async def test_recipient_deferred_message_given_up(internet: Internet, qmail: Qmail) -> None:
    """A recipient that is put off waits, though the host was given up for good: nobody was accepted."""
    await _waits(internet, qmail, says="slater\n\0Dgiving up\n\0")


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
    assert "not here" in await _bounces(internet, qmail, says="hnot here\n\0Kaccepted\n\0")


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
