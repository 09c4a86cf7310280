"""Base qmail: forms of commands that people use, right and wrong. Missing arguments, line feeds, literals."""

from conformance.cases.qmail import SUBMITTED, Qmail
from conformance.catalogue import requirement

KNOWN = "alice@here.example"
MAIL = "MAIL FROM:<a@b.example>"
RCPT = f"RCPT TO:<{KNOWN}>"


# Arguments that are not there


@requirement("base.argument.rcpt", source="rfc5321:4.1.1.3, rfc5321:3.3")
async def test_rcpt_without_an_address(qmail: Qmail) -> None:
    """RCPT with nothing behind it, or with an empty address, is refused: a forward path is never null."""
    async with qmail.session() as smtp:
        _, *replies = await smtp.commands(MAIL, "RCPT", "RCPT TO:", "RCPT TO:<>")
        assert all(reply.code >= 500 for reply in replies), f"{replies}"


@requirement("base.argument.mail", level="should", source="rfc5321:4.1.1.2, rfc5321:4.3.2")
async def test_mail_without_an_address(qmail: Qmail) -> None:
    """MAIL with nothing behind it is refused: the null sender is written <>."""
    async with qmail.session() as smtp:
        replies = await smtp.commands("MAIL", "MAIL FROM:")
        assert all(reply.code >= 500 for reply in replies), f"{replies}"


@requirement(
    "base.argument.null-sender-alone", source="rfc5321:4.5.5; package source, qmail-smtpd.c: addrparse"
)
async def test_what_mail_without_an_address_means(qmail: Qmail) -> None:
    """Where MAIL without an address is taken, its sender is the null one, and nobody else."""
    async with qmail.session() as smtp:
        said = await smtp.commands("MAIL FROM:", RCPT, message=SUBMITTED)
    queued = [message.sender for message in await qmail.queue()]
    assert queued == ([""] if said[0].code == 250 else []), f"{said[0]} and {queued}"


@requirement("base.argument.hello", source="package source, qmail-smtpd.c: smtp_helo")
async def test_hello_without_a_name(qmail: Qmail) -> None:
    """HELO and EHLO without a name are taken, as ever, and mail goes on after them."""
    async with qmail.session(hello=False) as smtp:
        replies = await smtp.commands("HELO", "EHLO", MAIL, RCPT)
        assert [reply.code for reply in replies] == [250] * 4, f"{replies}"


@requirement(
    "base.argument.ignored",
    source="package source, qmail-smtpd.c: smtp_rset; package source, qmail-smtpd.c: smtp_data",
)
async def test_arguments_that_mean_nothing(qmail: Qmail) -> None:
    """RSET, DATA and QUIT with an argument are the same commands, as ever."""
    async with qmail.session() as smtp:
        replies = await smtp.commands("RSET now", MAIL, RCPT, "DATA now")
        assert [reply.code for reply in replies] == [250, 250, 250, 354], f"{replies}"
        assert (await smtp.say(b"Subject: x\r\n\r\nx\r\n.\r\n")).code == 250
        assert (await smtp.command("QUIT now")).code == 221


@requirement("base.argument.without-brackets", source="package source, qmail-smtpd.c: addrparse")
async def test_an_address_without_brackets(qmail: Qmail) -> None:
    """An address without angle brackets is the same address, and ends at a blank, as ever."""
    async with qmail.session() as smtp:
        lines = [
            "MAIL FROM: a@b.example SIZE=100",
            f"RCPT TO:{KNOWN}",
            "RCPT TO:   bob@here.example NOTIFY=NEVER",
        ]
        said = await smtp.commands(*lines, message=SUBMITTED)
        assert [reply.code for reply in said] == [250, 250, 250, 354, 250], f"{said}"
    message = await qmail.queued()
    assert (message.sender, message.recipients) == ("a@b.example", [KNOWN, "bob@here.example"]), message


@requirement("base.argument.blanks", source="package source, commands.c: commands")
async def test_blanks_before_an_argument(qmail: Qmail) -> None:
    """Blanks between a verb and its argument are no part of either, as ever."""
    async with qmail.session() as smtp:
        replies = await smtp.commands("MAIL    FROM:<a@b.example>", f"RCPT   TO: <{KNOWN}>", "NOOP   ")
        assert [reply.code for reply in replies] == [250] * 3, f"{replies}"


@requirement("base.argument.leading-blank", source="package source, commands.c: commands")
async def test_blanks_before_a_verb(qmail: Qmail) -> None:
    """A line that begins with a blank holds no verb: it is refused, and the session goes on."""
    async with qmail.session() as smtp:
        blank, again = await smtp.commands(" NOOP", "NOOP")
        assert blank.code in (500, 502), blank
        assert again.code == 250, again


# Line ends


@requirement("base.line-feed.commands", source="package source, commands.c: commands")
async def test_commands_that_end_with_a_line_feed(qmail: Qmail) -> None:
    """Commands that a bare line feed ends, merely illegal, are carried out as with CR LF, as ever."""
    async with qmail.session(hello=False) as smtp:
        lines = ["EHLO x", MAIL, RCPT, "NOOP", "RSET", "VRFY x"]
        replies = [await smtp.say(f"{line}\n".encode()) for line in lines]
        assert [reply.code for reply in replies] == [250] * 5 + [252], f"{replies}"


@requirement("base.line-feed.message", source="package source, qmail-smtpd.c: straynewline")
async def test_a_message_after_such_commands(qmail: Qmail) -> None:
    """Commands may end so, merely illegal, and a message may not: 451 names the page, nothing is queued."""
    async with qmail.session(hello=False) as smtp:
        lines = ["EHLO x", MAIL, RCPT, "DATA"]
        replies = [await smtp.say(f"{line}\n".encode()) for line in lines]
        assert [reply.code for reply in replies] == [250, 250, 250, 354], f"{replies}"
        reply = await smtp.say(b"Subject: hello\n")
        assert (reply.code, "smtplf" in reply.text) == (451, True), reply
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []


@requirement("base.line-feed.two-in-one-write", source="package source, commands.c: commands")
async def test_lines_of_both_ends_in_one_write(qmail: Qmail) -> None:
    """Lines with CR LF and with a bare line feed, merely illegal, in one write: each is one command."""
    async with qmail.session() as smtp:
        await smtp.send(f"{MAIL}\n{RCPT}\r\nRSET\nNOOP\r\n".encode())
        replies = [await smtp.reply() for _ in range(4)]
        assert [reply.code for reply in replies] == [250] * 4, f"{replies}"


@requirement("base.line-feed.cr-inside", source="package source, commands.c: commands")
async def test_a_carriage_return_inside_a_command(qmail: Qmail) -> None:
    """A CR within a command, merely illegal, ends nothing: what follows is no command of its own."""
    async with qmail.session() as smtp:
        first = await smtp.command(f"{MAIL}\r{RCPT}")
        second = await smtp.command("DATA")
        assert (first.code, second.code) == (250, 503), f"{first} {second}"
        assert "RCPT" in second.text, second


# Extensions that are not there


@requirement("base.bdat.payload", source="package source, commands.c: commands; rfc5321:4.2.4")
async def test_the_payload_of_bdat(qmail: Qmail) -> None:
    """BDAT is unknown, and so is each line behind it; one that is a command is obeyed, as ever."""
    async with qmail.session() as smtp:
        replies = await smtp.pipeline(
            [MAIL, RCPT, "BDAT 40 LAST", "Subject: hello", "RCPT TO:<bob@here.example>"]
        )
        codes = [reply.code for reply in replies]
        assert codes in ([250, 250, 500, 500, 250], [250, 250, 502, 502, 250]), f"{replies}"


@requirement("base.bdat.nothing-queued", source="rfc3030:2; package source, commands.c: commands")
async def test_bdat_makes_no_message(qmail: Qmail) -> None:
    """Nothing is queued by BDAT, which is not announced; a message by DATA after it is whole."""
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
        assert "CHUNKING" not in hello.lines, hello
        await smtp.pipeline([MAIL, RCPT, "BDAT 14 LAST", "Subject: no"])
        assert (await smtp.data(SUBMITTED)).code == 250
    assert await qmail.stored() == "Subject: hello\n\nhello\n"


@requirement("base.smtputf8.not-announced", source="rfc6531:3.1; qmail-smtpd(8)")
async def test_smtputf8_is_not_announced(qmail: Qmail) -> None:
    """SMTPUTF8, STARTTLS and other extensions that are not carried out are not announced."""
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
    words = {line.split()[0] for line in hello.lines[1:]}
    known = {"PIPELINING", "8BITMIME", "AUTH", "SIZE"}
    assert words <= known, f"{words - known} of {hello}"


@requirement("base.smtputf8.refused", level="should", source="rfc5321:4.1.1.11")
async def test_smtputf8_is_refused(qmail: Qmail) -> None:
    """MAIL with a parameter that is not announced, SMTPUTF8, gets 555."""
    reply = await qmail.reply_to("MAIL FROM:<a@b.example> SMTPUTF8")
    assert reply.code == 555, reply


@requirement("base.eight-bit.address", source="package source, qmail-smtpd.c: addrparse; rfc5321:2.4")
async def test_eight_bit_addresses(qmail: Qmail) -> None:
    """8-bit octets in addresses are taken, as ever, and stand in the queue as they came."""
    sender, recipient = "\xc3\xa4@client.example", "\xc3\xb6@here.example"
    said = await qmail.envelope(sender, [recipient], SUBMITTED)
    assert [reply.code for reply in said] == [250, 250, 354, 250], f"{said}"
    message = await qmail.queued()
    assert (message.sender, message.recipients) == (sender, [recipient]), message


# EHLO


@requirement("base.ehlo.grammar", source="rfc5321:4.1.1.1")
async def test_every_line_of_ehlo(qmail: Qmail) -> None:
    """Every line of the reply to EHLO is a keyword of letters, digits and hyphens and its parameters."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
    odd = [line for line in hello.lines[1:] if not _is_ehlo_line(line)]
    assert not odd, f"{odd} in {hello}"
    keywords = [line.split(" ")[0].upper() for line in hello.lines[1:]]
    assert len(set(keywords)) == len(keywords), hello


def _is_ehlo_line(line: str) -> bool:
    """Whether a line is `ehlo-line` of RFC 5321 4.1.1.1."""
    keyword, *parameters = line.split(" ")
    visible = all(parameter and parameter.isascii() and parameter.isprintable() for parameter in parameters)
    return visible and keyword[:1].isalnum() and keyword.replace("-", "").isalnum() and keyword.isascii()


@requirement("0008.ehlo.grammar", source="rfc5321:4.1.1.1; rfc4954:3", role="guard")
async def test_every_line_of_ehlo_with_authentication(qmail: Qmail) -> None:
    """With every method there is no line of EHLO that is none: no AUTH=LOGIN, one AUTH line at most."""
    qmail.authenticate("!+cram")
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
    odd = [line for line in hello.lines[1:] if not _is_ehlo_line(line)]
    assert not odd, f"{odd} in {hello}"
    assert sum(line.upper().startswith("AUTH") for line in hello.lines) <= 1, hello


@requirement("base.ehlo.first-line", source="rfc5321:4.1.1.1, rfc5321:4.3.1")
async def test_the_first_line_of_ehlo(qmail: Qmail) -> None:
    """The first word of the replies to HELO, EHLO and QUIT is the host's name, as in the greeting."""
    async with qmail.session(hello=False) as smtp:
        replies = [smtp.greeting, *await smtp.commands("HELO x", "EHLO x", "QUIT")]
    names = [line.split(" ")[0] for reply in replies for line in reply.lines[:1]]
    assert names == ["mx.here.example"] * 4, f"{replies}"


@requirement("base.ehlo.again", source="rfc5321:4.1.4")
async def test_hello_again_replaces_the_name(qmail: Qmail) -> None:
    """EHLO again within a session is taken, and the last name counts in the Received line."""
    async with qmail.session() as smtp:
        assert (await smtp.hello("second.test.example")).code == 250
        said = await smtp.envelope("a@b.example", [KNOWN], SUBMITTED)
        assert said[-1].code == 250, f"{said}"
    assert "(HELO second.test.example)" in (await qmail.queued()).octets


# Literals


@requirement("base.literal.ipv6", source="qmail-smtpd(8) rcpthosts; package source, ip.c: ip_scanbracket")
async def test_an_ipv6_literal(qmail: Qmail) -> None:
    """An IPv6 literal is no domain of this host: 553."""
    reply = await qmail.recipient("postmaster@[IPv6:2001:db8::25]")
    assert reply.code == 553, reply


@requirement("base.literal.own", source="qmail-smtpd(8) localiphost; rfc5321:4.1.3")
async def test_the_own_literal(qmail: Qmail) -> None:
    """Without localiphost the host's own address in brackets means its name in me."""
    qmail.control["rcpthosts"] = "mx.here.example\n"
    said = await qmail.envelope("a@b.example", ["alice@[127.0.0.1]"], SUBMITTED)
    assert said[1].code == 250, f"{said}"
    assert await qmail.queued_recipients() == [["alice@mx.here.example"]]


@requirement("base.literal.foreign", source="qmail-smtpd(8) rcpthosts; qmail-smtpd(8) localiphost")
async def test_foreign_and_malformed_literals(qmail: Qmail) -> None:
    """Another host's literal, and what only looks like ours, is no domain of this host: 553 for each."""
    qmail.control["localiphost"] = "here.example\n"
    literals = ["[192.0.2.9]", "[127.0.0.1", "127.0.0.1", "[127.0.0.1]x", "[127.0.0]", "[127.0.0.1.]"]
    async with qmail.session() as smtp:
        _, *replies = await smtp.envelope("a@b.example", [f"alice@{literal}" for literal in literals])
        assert [reply.code for reply in replies] == [553] * 6, f"{replies}"


@requirement("base.literal.out-of-range", source="qmail-smtpd(8) rcpthosts; rfc5321:4.1.3")
async def test_a_literal_out_of_range(qmail: Qmail) -> None:
    """Numbers above 255 make no address: what holds them is no domain of this host, 553."""
    qmail.control["localiphost"] = "here.example\n"
    reply = await qmail.recipient("alice@[300.0.0.1]")
    assert reply.code == 553, reply


@requirement("base.literal.wraps", source="qmail-smtpd(8) rcpthosts; rfc5321:4.1.3")
async def test_a_literal_that_wraps(qmail: Qmail) -> None:
    """A number counts as it is and not modulo 256: [383.0.0.1] is not this host's 127.0.0.1, but 553."""
    qmail.control["localiphost"] = "here.example\n"
    _, *replies = await qmail.envelope("a@b.example", ["alice@[383.0.0.1]", "alice@[127.256.256.257]"])
    assert [reply.code for reply in replies] == [553, 553], f"{replies}"


@requirement("base.literal.quoted-local-part", source="qmail-smtpd(8) localiphost; rfc5321:4.1.2")
async def test_a_literal_inside_a_local_part(qmail: Qmail) -> None:
    """Our literal within a local part is no domain: the domain behind the last @ decides."""
    reply = await qmail.recipient("alice@[127.0.0.1]@elsewhere.example")
    assert reply.code == 553, reply


@requirement("base.octets.dot-cr", source="rfc5321:4.5.2; package source, qmail-smtpd.c: blast")
async def test_lines_that_begin_with_a_dot_and_a_cr(qmail: Qmail) -> None:
    """A line that begins with a dot and a CR, merely illegal, ends nothing, and is stored as ever."""
    async with qmail.session() as smtp:
        octets = b"Subject: x\r\n\r\n.\rx\r\n..\ry\r\n...\r\n.z\r\n.\r\n"
        assert (await smtp.transaction("a@b.example", [KNOWN], octets))[-1].code == 250
    stored = await qmail.stored()
    assert stored == "Subject: x\n\n.\rx\n.\ry\n..\nz\n", repr(stored)
