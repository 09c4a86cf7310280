"""Base qmail: input that no honest client sends. NULs, floods, lines without an end, clients that vanish."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

FOREIGN = "x@elsewhere.example"
#: So many recipients of a message a server must take (RFC 5321 4.5.3.1.8).
MANY = 100


async def _stored(qmail: Qmail, octets: bytes) -> str:
    """What is stored of a message that is sent as `octets`, without the Received lines above it."""
    async with qmail.session() as smtp:
        *_, go, reply = await smtp.transaction("a@b.example", ["alice@here.example"], octets)
        assert (go.code, reply.code) == (354, 250)
    return await qmail.stored()


@requirement("base.hostile.nul-in-address", source="qmail-smtpd(8) rcpthosts; rfc5321:4.1.2")
async def test_nul_in_an_address(qmail: Qmail) -> None:
    """A NUL in an address lends no domain: a foreign one before it is refused for good."""
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        reply = await smtp.command(f"RCPT TO:<{FOREIGN}\0@here.example>")
        assert 500 <= reply.code < 600, reply
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 250


@requirement("base.hostile.nul-in-message", source="rfc5321:4.5.2")
async def test_nul_in_a_message(qmail: Qmail) -> None:
    """NULs in a message are stored as they came."""
    assert await _stored(qmail, b"Subject: x\r\n\r\na\0b\0\0c\r\n.\r\n") == "Subject: x\n\na\0b\0\0c\n"


@requirement("base.octets.bare-cr", source="rfc5321:4.5.2")
async def test_bare_cr_in_a_message(qmail: Qmail) -> None:
    """A CR alone in a line of a message is stored as it came."""
    assert await _stored(qmail, b"Subject: x\r\n\r\na\rb\r\n.\r\n") == "Subject: x\n\na\rb\n"


@requirement("base.hostile.long-command", source="rfc5321:4.3.2, rfc5321:4.5.3.1.4, rfc5321:4.5.3.1.9")
async def test_command_of_64_kib(qmail: Qmail) -> None:
    """A command line of 64 KiB is answered in one reply, and the session goes on."""
    async with qmail.session() as smtp:
        reply = await smtp.command("NOOP " + "x" * 65_536)
        assert reply.code in (250, 500), reply
        assert (await smtp.command("NOOP")).code == 250


@requirement("base.hostile.many-recipients", source="rfc5321:4.5.3.1.8")
async def test_many_recipients(qmail: Qmail) -> None:
    """A hundred recipients of one message are all accepted, and all are queued, in their order."""
    recipients = [f"r{number}@here.example" for number in range(MANY)]
    async with qmail.session() as smtp:
        lines = [f"RCPT TO:<{recipient}>" for recipient in recipients]
        _, *replies = await smtp.pipeline(["MAIL FROM:<a@b.example>", *lines])
        assert {reply.code for reply in replies} == {250}
        assert (await smtp.data(b"Subject: x\r\n\r\nx\r\n")).code == 250
    message = await qmail.queued()
    assert message.recipients == recipients


@requirement(
    "base.address.longest-sender",
    source="package source, qmail-smtpd.c: addrparse; package source, CHANGES: 19960726",
)
async def test_too_long_sender(qmail: Qmail) -> None:
    """A sender of 899 octets is taken; one of 901 octets gets 555 and begins no transaction."""
    domain = "@b.example"
    async with qmail.session() as smtp:
        assert (await smtp.command(f"MAIL FROM:<{'x' * (899 - len(domain))}{domain}>")).code == 250
        await smtp.command("RSET")
        assert (await smtp.command(f"MAIL FROM:<{'x' * (901 - len(domain))}{domain}>")).code == 555
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 503


@requirement(
    "base.address.too-long-leaves-others",
    source="package source, qmail-smtpd.c: addrparse; package source, CHANGES: 19960726",
)
async def test_others_stand_beside_a_too_long_address(qmail: Qmail) -> None:
    """A recipient refused for its length leaves the other recipients of the transaction as they are."""
    long = "x" * 1000 + "@here.example"
    recipients = ["alice@here.example", long, "bob@here.example"]
    said = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert [reply.code for reply in said[:4]] == [250, 250, 555, 250]
    assert await qmail.queued_recipients() == [["alice@here.example", "bob@here.example"]]


@requirement("base.hostile.unterminated-bracket", source="qmail-smtpd(8) rcpthosts; rfc5321:4.1.2")
async def test_bracket_without_an_end(qmail: Qmail) -> None:
    """A bracket that is never closed opens no relay: a foreign recipient is refused for good."""
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example")
        reply = await smtp.command(f"RCPT TO:<{FOREIGN}")
        assert 500 <= reply.code < 600, reply
        assert (await smtp.command("NOOP")).code == 250


@requirement("base.hostile.bare-cr-in-command", source="rfc5321:2.3.8, rfc5321:4.1.1")
async def test_bare_cr_in_a_command(qmail: Qmail) -> None:
    """A CR alone does not end a command: two verbs with one between them are not two commands."""
    async with qmail.session() as smtp:
        assert (await smtp.command(b"NOOP\rQUIT")).code >= 500
        assert (await smtp.command("NOOP")).code == 250


@requirement("base.hostile.early-talk", source="package source, commands.c: commands", level="should")
async def test_talk_before_the_greeting(qmail: Qmail) -> None:
    """What a client says before it has read the greeting, in pieces, is answered after the greeting."""
    smtp = await qmail.connect()
    await smtp.send(b"NO")
    await smtp.send(b"OP\r\nQUI")
    await smtp.send(b"T\r\n")
    async with smtp:
        assert smtp.greeting.code == 220
        assert (await smtp.reply()).code == 250
        assert (await smtp.reply()).code == 221


@requirement("base.hostile.half-close", source="rfc5321:4.1.1.10, rfc5321:4.1.1.5")
async def test_half_close_in_a_transaction(qmail: Qmail) -> None:
    """A client that closes its half after RCPT is left, and nothing is queued."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        await smtp.half_close()
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []


@requirement("base.hostile.lost-in-data", source="rfc5321:4.1.1.10, rfc5321:4.1.1.4")
async def test_connection_lost_in_data(qmail: Qmail) -> None:
    """A connection that ends inside a message, before the final dot, leaves nothing in the queue."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        assert (await smtp.command("DATA")).code == 354
        await smtp.send(b"Subject: x\r\n\r\nhalf a mess")
        await smtp.half_close()
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []


@requirement("base.smuggling.crcrlf-dot-crlf", source="rfc5321:4.1.1.4")
async def test_cr_before_the_end(qmail: Qmail) -> None:
    """CR CR LF . CR LF ends a message once, for it holds CR LF . CR LF, and the further CR is stored.

    Merely illegal: every host that keeps to the standard sees the same end.
    """
    assert await _stored(qmail, b"Subject: x\r\n\r\nx\r\r\n.\r\n") == "Subject: x\n\nx\r\n"
