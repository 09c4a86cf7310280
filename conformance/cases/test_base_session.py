"""Base qmail: the SMTP session itself. Greeting, verbs, their order, what they answer."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement(
    "base.greeting.name",
    source="qmail-smtpd(8) smtpgreeting; rfc5321:4.3.1; package source, CHANGES: 19960409",
)
async def test_greeting_is_the_control_file(qmail: Qmail) -> None:
    """The greeting is 220, the text of smtpgreeting, and ESMTP."""
    qmail.control["smtpgreeting"] = "greeting.here.example words\n"
    async with await qmail.connect() as smtp:
        assert smtp.greeting.code == 220
        assert smtp.greeting.text == "greeting.here.example words ESMTP"


@requirement(
    "base.greeting.me",
    source="qmail-smtpd(8) smtpgreeting; qmail-control(5) me; package source, CHANGES: 19960409",
)
async def test_greeting_falls_back_to_me(qmail: Qmail) -> None:
    """Without smtpgreeting the host greets with its own name."""
    async with await qmail.connect() as smtp:
        assert smtp.greeting.code == 220
        assert smtp.greeting.text == "mx.here.example ESMTP"


@requirement("base.helo.code", source="rfc5321:3.2, rfc5321:4.3.2")
async def test_helo(qmail: Qmail) -> None:
    """HELO is answered with 250 in one line."""
    async with qmail.session(hello=False) as smtp:
        reply = await smtp.command("HELO client.test.example")
        assert reply.code == 250
        assert len(reply.lines) == 1


@requirement("base.ehlo.extensions", source="qmail-smtpd(8); rfc2920:3, rfc6152:2")
async def test_ehlo(qmail: Qmail) -> None:
    """EHLO announces PIPELINING and 8BITMIME."""
    async with qmail.session(hello=False) as smtp:
        reply = await smtp.hello()
        assert reply.code == 250
        assert {"PIPELINING", "8BITMIME"} <= set(reply.lines[1:])


@requirement("base.verbs.any-case", source="rfc5321:2.4")
async def test_verbs_in_any_case(qmail: Qmail) -> None:
    """A verb is known in upper, lower and mixed case."""
    async with qmail.session(hello=False) as smtp:
        lines = ["HELO a.test.example", "hElO a.test.example", "mail FROM:<a@b.example>"]
        replies = await smtp.commands(*lines, "rCpT TO:<alice@here.example>")
        assert [reply.code for reply in replies] == [250] * 4


@requirement("base.verbs.noop", source="rfc5321:4.1.1.9")
async def test_noop(qmail: Qmail) -> None:
    """NOOP is answered with 250 and changes nothing: a transaction goes on after it."""
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@b.example>")).code == 250
        assert (await smtp.command("NOOP")).code == 250
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 250


@requirement("base.verbs.vrfy", source="rfc5321:3.5.3, rfc5321:7.3")
async def test_vrfy(qmail: Qmail) -> None:
    """VRFY is answered with 252 for every address, so that it tells nothing about who exists."""
    async with qmail.session() as smtp:
        known = await smtp.command("VRFY alice")
        unknown = await smtp.command("VRFY nobody-at-all")
        assert known.code == 252
        assert unknown == known


@requirement(
    "base.verbs.help", source="rfc5321:4.1.1.8, rfc5321:4.3.2; package source, qmail-smtpd.c: smtp_help"
)
async def test_help(qmail: Qmail) -> None:
    """HELP is answered with 214."""
    assert (await qmail.reply_to("HELP")).code == 214


@requirement("base.quit.closes", source="rfc5321:4.1.1.10")
async def test_quit(qmail: Qmail) -> None:
    """QUIT is answered with 221, and then the server closes the connection."""
    async with qmail.session() as smtp:
        assert (await smtp.command("QUIT")).code == 221
        assert await smtp.closed(), "the connection stays open"


@requirement("base.order.rcpt-needs-mail", source="rfc5321:3.3, rfc5321:4.1.4")
async def test_rcpt_needs_mail(qmail: Qmail) -> None:
    """RCPT before MAIL is refused with 503."""
    assert (await qmail.reply_to("RCPT TO:<alice@here.example>")).code == 503


@requirement(
    "base.order.data-needs-mail",
    source="rfc5321:4.1.4, rfc5321:3.3; package source, qmail-smtpd.c: err_wantmail",
)
async def test_data_needs_mail(qmail: Qmail) -> None:
    """DATA before MAIL is refused with 503."""
    assert (await qmail.reply_to("DATA")).code == 503


@requirement("base.order.data-needs-rcpt", source="rfc5321:3.3; package source, qmail-smtpd.c: err_wantrcpt")
async def test_data_needs_rcpt(qmail: Qmail) -> None:
    """DATA before any accepted recipient is refused with 503."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["x@elsewhere.example"])
        assert (await smtp.command("DATA")).code == 503


@requirement("base.rset.forgets", source="rfc5321:4.1.1.5, rfc5321:3.3")
async def test_rset(qmail: Qmail) -> None:
    """RSET is answered with 250 and ends the transaction: a recipient needs a new MAIL."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>"]
        *_, reset, recipient = await smtp.commands(*lines, "RSET", "RCPT TO:<bob@here.example>")
        assert (reset.code, recipient.code) == (250, 503)


@requirement("base.ehlo.resets", source="rfc5321:4.1.4; package source, qmail-smtpd.c: err_wantmail")
async def test_ehlo_resets(qmail: Qmail) -> None:
    """EHLO in the middle of a transaction ends it, as RSET does."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        assert (await smtp.hello()).code == 250
        assert (await smtp.command("DATA")).code == 503


@requirement("base.helo.resets", source="rfc5321:4.1.4; package source, qmail-smtpd.c: smtp_helo")
async def test_helo_resets(qmail: Qmail) -> None:
    """HELO in the middle of a transaction ends it, as EHLO does."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        hello, reply = await smtp.commands("HELO client.test.example", "DATA")
        assert (hello.code, reply.code) == (250, 503), f"{hello} {reply}"


@requirement(
    "base.mail.replaces", source="rfc5321:4.1.1.2, rfc5321:3.3; package source, qmail-smtpd.c: smtp_mail"
)
async def test_second_mail_starts_anew(qmail: Qmail) -> None:
    """A second MAIL starts a new transaction: the recipients of the first are forgotten."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<first@b.example>", "RCPT TO:<alice@here.example>"]
        lines += ["MAIL FROM:<second@b.example>", "RCPT TO:<bob@here.example>"]
        said = await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
        assert said[-1].code == 250
    assert [(message.sender, message.recipients) for message in await qmail.queue()] == [
        ("second@b.example", ["bob@here.example"])
    ]


@requirement("base.data.ends-transaction", source="rfc5321:4.1.1.4, rfc5321:3.3")
async def test_a_message_ends_its_transaction(qmail: Qmail) -> None:
    """After a message its envelope is forgotten: a recipient needs a new MAIL."""
    async with qmail.session() as smtp:
        said = await smtp.envelope("a@b.example", ["alice@here.example"], b"Subject: x\r\n\r\nx\r\n")
        assert said[-1].code == 250
        assert (await smtp.command("RCPT TO:<bob@here.example>")).code == 503


@requirement("base.pipelining.order", source="rfc2920:3.2; package source, qmail-smtpd.c: err_nogateway")
async def test_pipelined_commands(qmail: Qmail) -> None:
    """Commands sent in one write are all carried out and answered in their order."""
    async with qmail.session() as smtp:
        replies = await smtp.pipeline(
            [
                "MAIL FROM:<a@b.example>",
                "RCPT TO:<x@elsewhere.example>",
                "RCPT TO:<alice@here.example>",
                "DATA",
            ]
        )
        assert [reply.code for reply in replies] == [250, 553, 250, 354]


@requirement("base.split.octets", source="rfc5321:2.4; qmail-smtpd(8)")
async def test_commands_octet_by_octet(qmail: Qmail) -> None:
    """A command that arrives octet by octet is the same command."""
    async with qmail.session() as smtp:
        assert (await smtp.say(*(bytes([octet]) for octet in b"MAIL FROM:<a@b.example>\r\n"))).code == 250


@requirement(
    "base.timeout.client",
    source="qmail-smtpd(8) timeoutsmtpd; rfc5321:4.5.3.2.7, rfc5321:3.8; "
    "package source, qmail-smtpd.c: die_alarm",
    waits=1,
)
async def test_silent_client(qmail: Qmail) -> None:
    """A client that is silent for timeoutsmtpd seconds is told 451 and dropped."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        assert (await smtp.reply(limit=6)).code == 451
        assert await smtp.closed(), "the connection stays open"


@requirement("base.client.ordinary", source="rfc5321:3.3; qmail-smtpd(8)")
async def test_ordinary_client(qmail: Qmail, internet: Internet) -> None:
    """An ordinary client hands in a message, and it is queued for its recipient."""
    await qmail.submit_with_aiosmtplib("a@b.example", ["alice@here.example"])
    message = await qmail.queued()
    assert message.recipients == ["alice@here.example"]
