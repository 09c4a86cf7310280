"""States between features: what survives a refusal, and what the next transaction knows of the one before."""

from conformance.cases.credentials import plain
from conformance.cases.qmail import SUBMITTED, Qmail
from conformance.catalogue import requirement

KNOWN = "alice@here.example"
BOB = "bob@here.example"
FOREIGN = "x@elsewhere.example"
NOBODY = "nobody-at-all@here.example"
MAIL = "MAIL FROM:<a@b.example>"
RCPT = f"RCPT TO:<{KNOWN}>"
#: Whatever ends a transaction without a message: RFC 5321 names RSET, EHLO and HELO.
RESET = "rfc5321:4.1.1.5, rfc5321:4.1.4"
NEXT = "rfc5321:3.3, rfc5321:4.1.1.2"


@requirement("base.state.refused-sender", source="qmail-smtpd(8) badmailfrom; " + NEXT)
async def test_after_a_refused_sender(qmail: Qmail) -> None:
    """A sender in badmailfrom refuses its own transaction alone, whether MAIL, RSET, EHLO or HELO ends it."""
    qmail.control["badmailfrom"] = "spam@bad.example\n"
    bad = ["MAIL FROM:<spam@bad.example>", RCPT]
    async with qmail.session() as smtp:
        for between in ([], ["RSET"], ["EHLO x"], ["HELO x"]):
            *_, refused, taken = [
                *await smtp.commands(*bad),
                *(await smtp.commands(*between, MAIL, RCPT))[-1:],
            ]
            assert (refused.code, taken.code) == (553, 250), f"{between}: {refused} {taken}"


@requirement("base.state.good-then-bad-sender", source="qmail-smtpd(8) badmailfrom; " + NEXT)
async def test_a_refused_sender_after_a_good_one(qmail: Qmail) -> None:
    """A good sender before it lends a sender in badmailfrom nothing: no recipient of either stays."""
    qmail.control["badmailfrom"] = "spam@bad.example\n"
    async with qmail.session() as smtp:
        *_, refused, data = await smtp.commands(MAIL, RCPT, "MAIL FROM:<spam@bad.example>", RCPT, "DATA")
        assert (refused.code, data.code) == (553, 503), f"{refused} {data}"
    assert await qmail.queue() == []


@requirement("base.state.refused-recipient", source="qmail-smtpd(8) rcpthosts; " + NEXT)
async def test_after_a_refused_recipient(qmail: Qmail) -> None:
    """A recipient refused by rcpthosts leaves the transaction as it was, and the next one as well."""
    async with qmail.session() as smtp:
        lines = [MAIL, RCPT, f"RCPT TO:<{FOREIGN}>", f"RCPT TO:<{BOB}>"]
        assert (await smtp.commands(*lines, message=SUBMITTED))[-1].code == 250
        assert (await smtp.commands(MAIL, RCPT, message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN, BOB], [KNOWN]]


@requirement("base.state.only-refused-recipients", source="rfc5321:3.3")
async def test_the_next_after_only_refused_recipients(qmail: Qmail) -> None:
    """Where all recipients were refused DATA is refused, and one more recipient makes it whole."""
    async with qmail.session() as smtp:
        *_, data = await smtp.commands(MAIL, f"RCPT TO:<{FOREIGN}>", "DATA")
        assert data.code in (503, 554), data
        said = await smtp.commands(RCPT, message=SUBMITTED)
        assert [reply.code for reply in said] == [250, 354, 250], f"{said}"
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement("base.state.data-too-early", source="rfc5321:4.1.4, rfc5321:3.3")
async def test_after_data_too_early(qmail: Qmail) -> None:
    """DATA that comes too early is refused and changes nothing of sender and recipients."""
    async with qmail.session() as smtp:
        lines = ["DATA", "MAIL FROM:<first@b.example>", "DATA", RCPT, "NOOP", f"RCPT TO:<{BOB}>"]
        said = await smtp.commands(*lines, message=SUBMITTED)
        assert [reply.code // 100 for reply in said] == [5, 2, 5, 2, 2, 2, 3, 2], f"{said}"
    message = await qmail.queued()
    assert (message.sender, message.recipients) == ("first@b.example", [KNOWN, BOB]), message


@requirement("base.state.too-large", source="qmail-smtpd(8) databytes; rfc5321:4.1.1.4")
async def test_after_a_message_that_is_too_large(qmail: Qmail) -> None:
    """A message over databytes ends its transaction; the session goes on, and the next message is whole."""
    qmail.control["databytes"] = "40\n"
    async with qmail.session() as smtp:
        said = await smtp.commands(MAIL, RCPT, message=b"x" * 100 + b"\r\n")
        early = await smtp.command(f"RCPT TO:<{BOB}>")
        assert (said[-1].code, early.code) == (552, 503), f"{said[-1]} {early}"
        assert (await smtp.commands(MAIL, f"RCPT TO:<{BOB}>", message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[BOB]]


@requirement("base.state.looping", source="rfc5321:6.3, rfc5321:4.1.1.4")
async def test_after_a_message_that_loops(qmail: Qmail) -> None:
    """A message with too many hops ends its transaction; the hops of the next are counted anew."""
    hops = b"Received: x\r\n"
    async with qmail.session() as smtp:
        said = await smtp.commands(MAIL, RCPT, message=hops * 100 + b"\r\nx\r\n")
        early = await smtp.command(f"RCPT TO:<{BOB}>")
        assert (said[-1].code, early.code) == (554, 503), f"{said[-1]} {early}"
        assert (await smtp.commands(MAIL, f"RCPT TO:<{BOB}>", message=hops * 60 + b"\r\nx\r\n"))[
            -1
        ].code == 250
    assert await qmail.queued_recipients() == [[BOB]]


@requirement("base.state.too-long-address", source="package source, qmail-smtpd.c: err_syntax; " + NEXT)
async def test_after_an_address_that_is_too_long(qmail: Qmail) -> None:
    """MAIL with an address that is too long begins no transaction, and ends none: the one before goes on."""
    long = f"MAIL FROM:<{'x' * 950}@b.example>"
    async with qmail.session() as smtp:
        first, rcpt = await smtp.commands(long, RCPT)
        assert (first.code, rcpt.code) == (555, 503), f"{first} {rcpt}"
        said = await smtp.commands(MAIL, RCPT, long, f"RCPT TO:<{'y' * 950}@here.example>", message=SUBMITTED)
        assert [reply.code for reply in said] == [250, 250, 555, 555, 354, 250], f"{said}"
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement(
    "base.state.verify-refused", patch="0002", source="qmail-smtpd(8) RECIPIENT VERIFICATION; " + NEXT
)
async def test_after_a_recipient_that_does_not_exist(qmail: Qmail) -> None:
    """A recipient that verification refused refuses neither the others' message nor the next one."""
    qmail.verifying, qmail.environment["VERIFY"] = True, ":"
    async with qmail.session() as smtp:
        said = await smtp.commands(MAIL, f"RCPT TO:<{NOBODY}>", RCPT, message=SUBMITTED)
        assert [reply.code for reply in said] == [250, 550, 250, 354, 250], f"{said}"
        assert (await smtp.commands(MAIL, RCPT, message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN], [KNOWN]]


@requirement(
    "base.state.verify-deferred", patch="0002", source="qmail-smtpd(8) RECIPIENT VERIFICATION; " + NEXT
)
async def test_mail_after_a_deferred_refusal(qmail: Qmail) -> None:
    """With VERIFY deferred, a transaction that DATA refused is forgotten when MAIL begins the next one."""
    qmail.verifying, qmail.environment["VERIFY"] = True, "D:"
    async with qmail.session() as smtp:
        *_, data = await smtp.commands(MAIL, f"RCPT TO:<{NOBODY}>", "DATA")
        assert data.code == 554, data
        *_, again = await smtp.commands(MAIL, RCPT, "DATA")
        assert again.code == 354, f"after MAIL anew: {again}"


@requirement(
    "base.state.verify-deferred-hello",
    patch="0002",
    role="guard",
    source="qmail-smtpd(8) RECIPIENT VERIFICATION; rfc5321:4.1.4",
)
async def test_hello_after_a_deferred_refusal(qmail: Qmail) -> None:
    """With VERIFY deferred, a recipient that does not exist is forgotten at EHLO, as at RSET."""
    qmail.verifying, qmail.environment["VERIFY"] = True, "D:"
    async with qmail.session() as smtp:
        *_, data = await smtp.commands(MAIL, f"RCPT TO:<{NOBODY}>", "EHLO x", MAIL, RCPT, "DATA")
        assert data.code == 354, f"after EHLO: {data}"


@requirement("0007.state.refused-sender", source="patch:0007 smtpd-relay-reject; " + NEXT)
async def test_after_relay_characters(qmail: Qmail) -> None:
    """A sender refused for relay characters begins no transaction, and the next MAIL does."""
    async with qmail.session() as smtp:
        refused, rcpt = await smtp.commands("MAIL FROM:<a%b@b.example>", RCPT)
        assert (refused.code, rcpt.code) == (553, 503), f"{refused} {rcpt}"
        assert (await smtp.commands(MAIL, RCPT, message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement("0007.state.rset", source="patch:0007 smtpd-relay-reject; " + RESET)
async def test_rset_after_relay_characters(qmail: Qmail) -> None:
    """RSET right after a sender that was refused for relay characters leaves the session as new."""
    async with qmail.session() as smtp:
        said = await smtp.commands("MAIL FROM:<a%b@b.example>", "RSET", RCPT)
        assert [reply.code for reply in said] == [553, 250, 503], f"{said}"
        assert (await smtp.commands(MAIL, RCPT, message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement("0007.state.rset-recipient", source="patch:0007 smtpd-relay-reject; " + RESET, role="guard")
async def test_rset_after_a_recipient_with_relay_characters(qmail: Qmail) -> None:
    """RSET right after a recipient with relay characters, refused or not, leaves no sender and recipient."""
    async with qmail.session() as smtp:
        said = await smtp.commands(MAIL, RCPT, "RCPT TO:<b%c@here.example>", "RSET", "DATA")
        assert [reply.code for reply in said[3:]] == [250, 503], f"{said}"
        said = await smtp.commands(MAIL, f"RCPT TO:<{BOB}>", message=SUBMITTED)
        assert said[-1].code == 250, f"{said}"
    assert await qmail.queued_recipients() == [[BOB]]


@requirement("0008.state.second-message", source="rfc4954:4; rfc5321:3.3")
async def test_the_second_message_after_authentication(qmail: Qmail) -> None:
    """After 235 a client sends one message after another in its session, each relayed, each as ESMTPA."""
    qmail.authenticate("!")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        for _ in range(3):
            said = await smtp.envelope("alice@here.example", [FOREIGN], SUBMITTED)
            assert [reply.code for reply in said] == [250, 250, 354, 250], f"{said}"
    received = [message.octets.partition("Subject:")[0] for message in await qmail.queue()]
    assert [("with ESMTPA;" in text, "(alice@127.0.0.1)" in text) for text in received] == [(True, True)] * 3


@requirement("0008.state.size-refused", source="rfc1870:6.1; " + NEXT)
async def test_after_a_size_that_was_refused(qmail: Qmail) -> None:
    """A SIZE that was refused refuses that MAIL alone: the next one is taken."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        lines = [
            "MAIL FROM:<a@b.example> SIZE=2000",
            "MAIL FROM:<a@b.example> SIZE=500",
            RCPT,
            "RSET",
            MAIL,
            RCPT,
        ]
        said = await smtp.commands(*lines, message=SUBMITTED)
        assert [reply.code for reply in said] == [552, 250, 250, 250, 250, 250, 354, 250], f"{said}"


@requirement("0008.state.size-rset", source="rfc1870:6.1; " + RESET)
async def test_rset_after_a_size_that_was_refused(qmail: Qmail) -> None:
    """RSET right after a SIZE that was refused leaves the session as new: no sender, and then a message."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        said = await smtp.commands("MAIL FROM:<a@b.example> SIZE=2000", "RSET", RCPT)
        assert [reply.code for reply in said] == [552, 250, 503], f"{said}"
        assert (await smtp.commands(MAIL, RCPT, message=SUBMITTED))[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement(
    "0008.state.size-keeps-transaction", source="rfc1870:6.1; rfc5321:4.1.4", level="should", role="guard"
)
async def test_a_size_within_a_transaction(qmail: Qmail) -> None:
    """A MAIL that was refused for its SIZE does not lend its recipients to another sender."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        lines = [MAIL, RCPT, "MAIL FROM:<other@b.example> SIZE=2000"]
        await smtp.commands(*lines, message=SUBMITTED)
    queued = [(message.sender, message.recipients) for message in await qmail.queue()]
    assert queued in ([], [("a@b.example", [KNOWN])]), f"{queued}"


@requirement("0008.state.failed-auth", source="rfc4954:4, rfc4954:6", waits=5)
async def test_after_a_failed_auth(qmail: Qmail) -> None:
    """After an AUTH that failed or was cancelled mail for this host is taken, and AUTH may succeed."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        failed, asked, cancelled = await smtp.commands(
            f"AUTH PLAIN {plain('alice', 'no')}", "AUTH LOGIN", "*"
        )
        assert (failed.code, asked.code, cancelled.code) == (535, 334, 501), f"{failed} {asked} {cancelled}"
        *_, foreign, reset = await smtp.commands(MAIL, RCPT, f"RCPT TO:<{FOREIGN}>", "RSET")
        assert (foreign.code, reset.code) == (553, 250), f"{foreign} {reset}"
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        assert (await smtp.envelope("alice@here.example", [FOREIGN]))[-1].code == 250


@requirement("0008.state.failed-auth-received", source="rfc4954:6; rfc3848:1", role="guard", waits=5)
async def test_received_after_a_failed_auth(qmail: Qmail) -> None:
    """A message after an AUTH that failed and one that was cancelled names nobody, and came by no ESMTPA."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        await smtp.commands(f"AUTH PLAIN {plain('alice', 'no')}", "AUTH LOGIN", "*")
        await smtp.envelope("a@b.example", [BOB], SUBMITTED)
    received = (await qmail.queued()).octets.partition("Subject:")[0]
    assert "ESMTPA" not in received, received
    assert "@" not in received, received  # what is left of a name may be no longer alice


@requirement("0008.state.auth-after-transaction", source="rfc4954:4; rfc5321:4.1.1.5")
async def test_auth_after_a_transaction(qmail: Qmail) -> None:
    """AUTH is taken once a transaction is over: after RSET, and after a message."""
    qmail.authenticate("")
    for ends in (["RSET"], ["EHLO x"]):
        async with qmail.session() as smtp:
            *_, reply = await smtp.commands(MAIL, RCPT, *ends, f"AUTH PLAIN {plain('alice')}")
            assert reply.code == 235, f"after {ends}: {reply}"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN], SUBMITTED)
        reply = await smtp.command(f"AUTH PLAIN {plain('alice')}")
        assert reply.code == 235, f"after a message: {reply}"


@requirement("0009.state.next-transaction", source="patch:0009 smtpd-rcptcheck; " + NEXT, role="guard")
async def test_after_a_recipient_that_the_program_refused(qmail: Qmail) -> None:
    """A recipient that RCPTCHECK's program refused refuses neither the others nor the next transaction."""
    qmail.check_recipients({NOBODY: 100})
    async with qmail.session() as smtp:
        said = await smtp.commands(MAIL, f"RCPT TO:<{NOBODY}>", RCPT, message=SUBMITTED)
        assert said[-1].code == 250, f"{said}"
        said = await smtp.commands(
            MAIL, RCPT, "RSET", "MAIL FROM:<b@b.example>", f"RCPT TO:<{BOB}>", message=SUBMITTED
        )
        assert said[-1].code == 250, f"{said}"
    queued = await qmail.queued_recipients()
    assert len(queued) == 2, f"{queued}"
    assert [KNOWN in queued[0], queued[1]] == [True, [BOB]], f"{queued}"
