"""0009: RCPTCHECK over more than one transaction, and under addresses and programs that mean no good."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SOURCE = "patch:0009 smtpd-rcptcheck: addrvalid"
PLACE = "patch:0009 smtpd-rcptcheck: smtp_rcpt"


@requirement("0009.session.second-sender", source=SOURCE)
async def test_sender_of_the_second_transaction(qmail: Qmail) -> None:
    """In a second transaction SENDER is the sender of that one."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        recipient = "RCPT TO:<alice@here.example>"
        first, second = "MAIL FROM:<first@b.example>", "MAIL FROM:<second@b.example>"
        await smtp.commands(first, recipient, "RSET", second, recipient)
    senders = [call.environment.get("SENDER") for call in await qmail.hook_calls()]
    assert senders == ["first@b.example", "second@b.example"]


@requirement("0009.session.refusal-forgotten", source=SOURCE)
async def test_refusal_is_forgotten(qmail: Qmail) -> None:
    """A refusal with 553 does not reach into the next transaction: its recipient is accepted and queued."""
    qmail.check_recipients({"bob@here.example": 100})
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", "RCPT TO:<bob@here.example>"]
        lines += ["RSET", "MAIL FROM:<c@b.example>", "RCPT TO:<alice@here.example>"]
        said = await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
        assert [reply.code for reply in said] == [250, 553, 250, 250, 250, 354, 250]
    assert [(message.sender, message.recipients) for message in await qmail.queue()] == [
        ("c@b.example", ["alice@here.example"])
    ]


@requirement(
    "0009.exit-100.all-refused", source=SOURCE + "; rfc5321:3.3; package source, qmail-smtpd.c: err_wantrcpt"
)
async def test_every_recipient_is_refused(qmail: Qmail) -> None:
    """When every recipient is refused, DATA gets 503 and nothing is queued."""
    qmail.check_recipients(default=100)
    recipients = ["alice@here.example", "bob@here.example"]
    said = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert [reply.code for reply in said] == [250, 553, 553, 503]
    assert await qmail.queue() == []


@requirement("0009.exit-111.nothing-queued", source=SOURCE)
async def test_nothing_is_queued_after_111(qmail: Qmail) -> None:
    """Exit status 111 ends a transaction that has recipients: 421, closed, and nothing is queued."""
    qmail.check_recipients({"bob@here.example": 111})
    async with qmail.session() as smtp:
        replies = await smtp.envelope("a@b.example", ["alice@here.example", "bob@here.example"])
        assert [reply.code for reply in replies] == [250, 250, 421]
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []


@requirement("0009.program.long-address", source=SOURCE + "; package source, qmail-smtpd.c: addrparse")
async def test_long_address(qmail: Qmail) -> None:
    """An address of 899 octets reaches the program whole."""
    qmail.check_recipients()
    domain = "@here.example"
    address = "x" * (899 - len(domain)) + domain
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [address])
    assert [call.environment.get("RECIPIENT") for call in await qmail.hook_calls()] == [address]


@requirement("0009.program.no-relayclient", source=SOURCE + "; qmail-smtpd(8) RELAYCLIENT")
async def test_no_relayclient(qmail: Qmail) -> None:
    """The program of a client that may not relay finds no RELAYCLIENT in its environment."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
    given = ["RELAYCLIENT" in call.environment for call in await qmail.hook_calls()]
    assert given == [False], f"RELAYCLIENT is there, run by run: {given}"


@requirement("0009.program.8bit-address", source=SOURCE, level="should")
async def test_8bit_address(qmail: Qmail) -> None:
    """Octets above 127 in an address, where they are taken, reach the program unchanged."""
    qmail.check_recipients()
    address = "b\xf6b\xff@here.example"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [address])
    assert [call.environment.get("RECIPIENT") for call in await qmail.hook_calls()] == [address]


@requirement(
    "0009.refused-before.not-run",
    source=PLACE + "; qmail-smtpd(8) badmailfrom; package source, qmail-smtpd.c: err_bmf",
    role="guard",
)
async def test_bad_sender_decides_first(qmail: Qmail) -> None:
    """For a sender in badmailfrom the recipient is refused with 553 without the program."""
    qmail.control["badmailfrom"] = "spam@bad.example\n"
    qmail.check_recipients()
    assert (await qmail.recipient("alice@here.example", "spam@bad.example")).code == 553
    assert await qmail.hook_calls() == []


@requirement("0009.output.much", source=SOURCE + "; rfc5321:4.2", role="guard")
async def test_much_output(qmail: Qmail) -> None:
    """A program that prints 40,000 octets neither hangs the session nor disturbs its replies."""
    qmail.check_recipients(says=f"{'printed by the program':-^99}\n" * 400)
    replies = await qmail.envelope("a@b.example", ["alice@here.example", "bob@here.example"])
    said = [(reply.code, reply.text) for reply in replies[1:]]
    assert said == [(250, "ok"), (250, "ok")], f"the client sees {said}"
