"""0008, inbound: what holds beside what the package is known to break: challenges apart, and RSET."""

import re

from conformance.cases.credentials import encoded, plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("0008.cram.fresh-sessions", source="rfc2195:2")
async def test_challenges_of_two_sessions(qmail: Qmail) -> None:
    """Two sessions are given different CRAM-MD5 challenges, also within a second."""
    qmail.authenticate("cram")
    first, second = await qmail.reply_to("AUTH CRAM-MD5"), await qmail.reply_to("AUTH CRAM-MD5")
    assert (first.code, second.code) == (334, 334), f"{first}, {second}"
    assert first.text != second.text, f"both are challenged with {first.text}"


@requirement("0008.cram.fresh-later", source="rfc2195:2", waits=5)
async def test_challenges_some_seconds_apart(qmail: Qmail) -> None:
    """A CRAM-MD5 challenge that comes some seconds after another of the same session differs from it."""
    qmail.authenticate("cram")
    async with qmail.session() as smtp:
        first = await smtp.command("AUTH CRAM-MD5")
        refused = await smtp.command(encoded("alice " + "0" * 32))  # told late, so that guessing is slow
        second = await smtp.command("AUTH CRAM-MD5")
    assert (first.code, refused.code, second.code) == (334, 535, 334), f"{first}, {refused}, {second}"
    assert first.text != second.text, f"twice challenged with {first.text}"


@requirement("0008.success.rset-relays", source="rfc4954:4, rfc5321:4.1.1.5")
async def test_rset_keeps_relaying(qmail: Qmail) -> None:
    """RSET does not take relaying from a client that has authenticated."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        assert (await smtp.command("RSET")).code == 250
        _, reply = await smtp.envelope("alice@here.example", ["x@elsewhere.example"])
        assert reply.code == 250, reply


@requirement("0008.success.rset-another-name", source="rfc4954:4, rfc5321:4.1.1.5, rfc4954:7", waits=5)
async def test_received_after_another_try(qmail: Qmail) -> None:
    """Received names who has authenticated, and not whom a later AUTH of the session fails to be."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<alice@here.example>", "RCPT TO:<bob@here.example>"]
        await smtp.command(f"AUTH PLAIN {plain('alice')}")
        await smtp.command("RSET")
        await smtp.command(f"AUTH PLAIN {encoded(chr(0) + 'bob' + chr(0) + 'wrong')}")
        await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
    named = re.findall(r"\((\w+)@", (await qmail.queued()).octets)
    assert named == ["alice"], f"Received names {', '.join(named) or 'nobody'}"


@requirement("0008.success.rset-received", source="rfc4954:4, rfc5321:4.1.1.5, rfc4954:7")
async def test_received_after_rset(qmail: Qmail) -> None:
    """After RSET the Received line of an authenticated client still says ESMTPA and names the user."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<alice@here.example>", "RCPT TO:<bob@here.example>"]
        login = f"AUTH PLAIN {plain('alice')}"
        await smtp.commands(login, "RSET", *lines, message=b"Subject: x\r\n\r\nx\r\n")
    received = (await qmail.queued()).octets.partition("Subject:")[0]
    assert "with ESMTPA" in received, received
    assert "(alice@" in received, received
