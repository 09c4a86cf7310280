"""0006: a command that qmail-smtpd does not know is unrecognized (500), not unimplemented (502)."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SOURCE = "patch:0006 smtpd-502-to-500; rfc5321:4.2.4"


@requirement("0006.unknown.code", source=SOURCE)
async def test_unknown_verb(qmail: Qmail) -> None:
    """An unknown verb is answered with 500."""
    assert (await qmail.reply_to("FROBNICATE now")).code == 500


@requirement("0006.unknown.enhanced-code", source=SOURCE + "; rfc3463:3.6")
async def test_enhanced_code(qmail: Qmail) -> None:
    """The enhanced status of an unknown verb is 5.5.2, syntax error."""
    assert (await qmail.reply_to("FROBNICATE")).enhanced == "5.5.2"


@requirement("0006.unknown.first", source=SOURCE)
async def test_unknown_verb_before_hello(qmail: Qmail) -> None:
    """An unknown verb before any HELO is answered with 500."""
    assert (await qmail.reply_to("FROBNICATE", hello=False)).code == 500


@requirement("0006.unknown.in-transaction", source=SOURCE + ", rfc5321:3.8")
async def test_unknown_verb_in_a_transaction(qmail: Qmail) -> None:
    """An unknown verb between MAIL and RCPT is answered with 500, and the transaction goes on to its end."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", "FROBNICATE", "RCPT TO:<alice@here.example>"]
        said = await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
        assert [reply.code for reply in said] == [250, 500, 250, 354, 250]


@requirement("0006.empty-line", source=SOURCE)
async def test_empty_line(qmail: Qmail) -> None:
    """An empty line is answered with 500."""
    assert (await qmail.reply_to("")).code == 500


@requirement("0006.verb.8bit", source=SOURCE + ", rfc5321:2.4")
async def test_8bit_verb(qmail: Qmail) -> None:
    """A verb of octets above 127 is answered with 500."""
    assert (await qmail.reply_to(bytes(range(200, 240)))).code == 500


@requirement("0006.verb.long", source=SOURCE + ", rfc5321:4.3.2")
async def test_long_verb(qmail: Qmail) -> None:
    """A verb of 10,000 octets is answered with 500."""
    assert (await qmail.reply_to("X" * 10_000)).code == 500


@requirement("0006.verb.prefix", source=SOURCE)
async def test_known_verb_with_more_letters(qmail: Qmail) -> None:
    """A known verb with a letter more is an unknown verb: 500, and it does nothing."""
    async with qmail.session() as smtp:
        assert (await smtp.command("MAILX FROM:<a@b.example>")).code == 500
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 503


@requirement("0006.session.goes-on", source=SOURCE + ", rfc5321:3.8", role="guard")
async def test_session_goes_on(qmail: Qmail) -> None:
    """After twenty unknown verbs the session still takes a message."""
    async with qmail.session() as smtp:
        for reply in await smtp.pipeline([f"X{number}" for number in range(20)]):
            assert 500 <= reply.code < 600, reply
        said = await smtp.envelope("a@b.example", ["alice@here.example"], b"Subject: x\r\n\r\nx\r\n")
        assert [reply.code for reply in said] == [250, 250, 354, 250]


@requirement("0006.known.unaffected", source=SOURCE, role="guard")
async def test_known_verbs(qmail: Qmail) -> None:
    """Verbs that qmail knows are answered as ever."""
    async with qmail.session() as smtp:
        replies = await smtp.commands("NOOP", "HELP", "VRFY x", "RSET", "DATA")
        assert [reply.code for reply in replies] == [250, 214, 252, 250, 503]


@requirement("0006.unknown.after-refused-data", source=SOURCE)
async def test_unknown_verb_after_a_refused_data(qmail: Qmail) -> None:
    """An unknown verb after DATA was refused and before RSET is answered with 500."""
    async with qmail.session() as smtp:
        _, *replies = await smtp.commands("MAIL FROM:<a@b.example>", "DATA", "FROBNICATE", "RSET")
        assert [reply.code for reply in replies] == [503, 500, 250]


@requirement("0006.unknown.keeps-recipients", source=SOURCE + ", rfc5321:3.8")
async def test_unknown_verb_keeps_recipients(qmail: Qmail) -> None:
    """An unknown verb after RCPT is answered with 500, and the message goes to every recipient."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>"]
        lines += ["XFORWARD NAME=x", "RCPT TO:<bob@here.example>"]
        said = await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
        assert [reply.code for reply in said] == [250, 250, 500, 250, 354, 250]
    assert await qmail.queued_recipients() == [["alice@here.example", "bob@here.example"]]


@requirement("0006.verb.nul", source=SOURCE)
async def test_verb_of_nul(qmail: Qmail) -> None:
    """A command that begins with NUL is answered with 500, whatever follows."""
    assert (await qmail.reply_to("\0NOOP")).code == 500


@requirement("0006.verb.pipelined", source=SOURCE + ", rfc2920:3.2")
async def test_unknown_verb_in_a_pipeline(qmail: Qmail) -> None:
    """Among pipelined commands an unknown verb has its 500 in its place."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", "FROBNICATE", "RCPT TO:<alice@here.example>", "DATA"]
        assert [reply.code for reply in await smtp.pipeline(lines)] == [250, 500, 250, 354]
