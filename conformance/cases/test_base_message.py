"""Base qmail: the message. What is stored, what is refused, and where a message ends."""

import re

from conformance.cases.qmail import Qmail, without_received
from conformance.catalogue import requirement
from conformance.smtp.reply import Reply


async def _hand_in(qmail: Qmail, octets: bytes) -> Reply:
    """Send `octets` after 354 as they are; the reply to them."""
    async with qmail.session() as smtp:
        *_, go, reply = await smtp.transaction("a@b.example", ["alice@here.example"], octets)
        assert go.code == 354, go
        return reply


@requirement(
    "base.accepted.queued",
    source="rfc5321:4.2.5; package source, TEST.receive: 250; package source, CHANGES: 19960605",
)
async def test_accepted_means_queued(qmail: Qmail) -> None:
    """After `250 ok TIME qp PID` the message stands in the queue with its sender and every recipient."""
    recipients = ["alice@here.example", "bob@here.example"]
    *_, reply = await qmail.envelope("a@b.example", recipients, b"Subject: hello\r\n\r\nhello\r\n")
    assert reply.code == 250, reply
    assert re.fullmatch(r"ok \d+ qp \d+", reply.text), reply
    message = await qmail.queued()
    assert (message.sender, message.recipients) == ("a@b.example", ["alice@here.example", "bob@here.example"])
    assert without_received(message.octets) == "Subject: hello\n\nhello\n"


@requirement("base.accepted.received-line", source="rfc5321:4.4; package source, received.c: received")
async def test_received_line(qmail: Qmail) -> None:
    """A Received line names the client's HELO name and address, this host (as tcpserver does) and SMTP."""
    async with qmail.session() as smtp:
        lines = ["EHLO hello.test.example", "MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>"]
        await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
    message = await qmail.queued()
    received = message.octets.partition("Subject:")[0]
    assert re.search(r"from unknown \(HELO hello\.test\.example\) \(127\.0\.0\.\d+\)", received)
    assert re.search(r"by \S+ with E?SMTP;", received)


@requirement(
    "base.accepted.never-without-queue",
    source="rfc5321:4.1.1.4; qmail-queue(8) EXIT CODES; package source, qmail.c: qmail_close",
)
async def test_what_cannot_be_queued_is_refused(qmail: Qmail) -> None:
    """A message that qmail-queue does not take is not accepted: here for an envelope that is too long."""
    qmail.environment["RELAYCLIENT"] = "." + "x" * 1100 + ".example"
    said = await qmail.envelope("a@b.example", ["alice@here.example"], b"Subject: x\r\n\r\nx\r\n")
    assert said[-1].code == 554
    assert await qmail.queue() == []


@requirement("base.dots.unstuffed", source="rfc5321:4.5.2")
async def test_dots_are_unstuffed(qmail: Qmail) -> None:
    """A leading dot that the client doubled is single in the stored message."""
    reply = await _hand_in(qmail, b"Subject: x\r\n\r\n..one\r\n...two\r\nthree.\r\n.\r\n")
    assert reply.code == 250
    assert await qmail.stored() == "Subject: x\n\n.one\n..two\nthree.\n"


@requirement("base.octets.8bit", source="qmail-smtpd(8) TRANSPARENCY; rfc6152:3")
async def test_8bit(qmail: Qmail) -> None:
    """Octets above 127 pass unchanged."""
    body = bytes(range(128, 256))
    reply = await _hand_in(qmail, b"Subject: x\r\n\r\n" + body + b"\r\n.\r\n")
    assert reply.code == 250
    assert await qmail.stored() == "Subject: x\n\n" + body.decode("latin-1") + "\n"


@requirement("base.octets.long-line", source="qmail-smtpd(8) TRANSPARENCY")
async def test_long_line(qmail: Qmail) -> None:
    """A line of 20,000 octets passes unchanged."""
    reply = await _hand_in(qmail, b"Subject: x\r\n\r\n" + b"_" * 20_000 + b"\r\n.\r\n")
    assert reply.code == 250
    assert await qmail.stored() == "Subject: x\n\n" + "_" * 20_000 + "\n"


@requirement(
    "base.databytes.refuses", source="qmail-smtpd(8) databytes; package source, qmail-smtpd.c: err_databytes"
)
async def test_databytes(qmail: Qmail) -> None:
    """A message larger than databytes, counted as stored, gets 552 and is not queued; one as large passes."""
    qmail.control["databytes"] = "20\n"
    assert (await _hand_in(qmail, b"X: y\r\n\r\n" + b"1" * 13 + b"\r\n.\r\n")).code == 250
    assert (await _hand_in(qmail, b"X: y\r\n\r\n" + b"1" * 14 + b"\r\n.\r\n")).code == 552
    assert len(await qmail.queue()) == 1


@requirement("base.databytes.environment", source="qmail-smtpd(8) DATABYTES")
async def test_databytes_environment(qmail: Qmail) -> None:
    """The environment variable DATABYTES overrides the control file."""
    qmail.control["databytes"] = "20\n"
    qmail.environment["DATABYTES"] = "0"
    assert (await _hand_in(qmail, b"X: y\r\n\r\n" + b"1" * 5000 + b"\r\n.\r\n")).code == 250


@requirement("base.hops.limit", source="qmail-smtpd(8) DESCRIPTION; package source, qmail-smtpd.c: err_hops")
async def test_looping_message(qmail: Qmail) -> None:
    """A message with 100 Received or Delivered-To fields is refused with 554; one with 99 passes."""
    fields = [b"Received: by x.example\r\n", b"Delivered-To: y@x.example\r\n"] * 50
    assert (await _hand_in(qmail, b"".join(fields[:99]) + b"\r\nx\r\n.\r\n")).code == 250
    reply = await _hand_in(qmail, b"".join(fields) + b"\r\nx\r\n.\r\n")
    assert reply.code == 554
    assert len(await qmail.queue()) == 1


@requirement("base.hops.body", source="qmail-smtpd(8) DESCRIPTION")
async def test_hops_are_counted_in_the_header_only(qmail: Qmail) -> None:
    """Lines in the body that look like Received fields do not count."""
    assert (await _hand_in(qmail, b"X: y\r\n\r\n" + b"Received: x\r\n" * 120 + b".\r\n")).code == 250


@requirement(
    "base.newline.bare-lf",
    source="qmail-smtpd(8) TRANSPARENCY; rfc5321:2.3.8; package source, qmail-smtpd.c: straynewline",
)
async def test_bare_lf(qmail: Qmail) -> None:
    """A bare LF in a message gets the 451 that names smtplf; the connection is dropped, nothing is queued.

    Merely illegal: any client can send it, and only its own message is lost.
    """
    async with qmail.session() as smtp:
        message = b"Subject: x\n\r\nx\r\n.\r\n"
        *_, reply = await smtp.transaction("a@b.example", ["alice@here.example"], message)
        assert reply.code == 451
        assert "smtplf" in reply.text
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []
