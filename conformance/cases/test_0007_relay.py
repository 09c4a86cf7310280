"""0007: addresses with relay characters in the local part are refused."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

#: What its first author says of it: a relay probe is a recipient.
SOURCE = "patch:0007 relay-reject by Russell Nelson: relay probes have !, % and @ in the local part"
#: What the package makes of it: its hunk stands in MAIL.
SHIPPED = "patch:0007 smtpd-relay-reject as shipped: addrrelay in smtp_mail; "
MISSION = "mission: screen for and reject email addresses with relay characters"


@requirement("0007.rcpt.percent", source=SOURCE)
async def test_percent(qmail: Qmail) -> None:
    """A recipient with % in its local part is refused with 553, also in a local domain."""
    reply = await qmail.recipient("victim%elsewhere.example@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.bang", source=SOURCE)
async def test_bang(qmail: Qmail) -> None:
    """A recipient with ! in its local part is refused with 553."""
    reply = await qmail.recipient("elsewhere.example!victim@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.second-at", source=SOURCE)
async def test_second_at(qmail: Qmail) -> None:
    """A recipient with a further @ in its local part is refused with 553."""
    reply = await qmail.recipient("victim@elsewhere.example@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.quoted", source=SOURCE + "; rfc5321:4.1.2")
async def test_quoted(qmail: Qmail) -> None:
    """A relay character in a quoted local part is refused with 553."""
    reply = await qmail.recipient('"victim%elsewhere.example"@here.example')
    assert reply.code == 553, reply


@requirement("0007.rcpt.source-route", source=SOURCE + "; rfc5321:F.2")
async def test_behind_a_source_route(qmail: Qmail) -> None:
    """A relay character behind a stripped source route is refused with 553."""
    reply = await qmail.recipient("@here.example:victim%elsewhere.example@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.at-the-start", source=SOURCE)
async def test_at_the_start(qmail: Qmail) -> None:
    """A relay character that is the first octet of the local part is refused with 553."""
    reply = await qmail.recipient("%elsewhere.example@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.relayclient", source=SOURCE, level="should")
async def test_relay_client(qmail: Qmail) -> None:
    """A client that may relay is refused a relay character with 553 as well: the patch names no exception."""
    qmail.environment["RELAYCLIENT"] = ""
    reply = await qmail.recipient("victim%elsewhere.example@here.example")
    assert reply.code == 553, reply


@requirement("0007.rcpt.enhanced-code", source=SOURCE + "; rfc3463:3.8")
async def test_enhanced_code(qmail: Qmail) -> None:
    """The refusal bears the enhanced status 5.7.1."""
    reply = await qmail.recipient("victim%elsewhere.example@here.example")
    assert (reply.code, reply.enhanced) == (553, "5.7.1"), reply


@requirement("0007.rcpt.others-stand", source=SOURCE)
async def test_others_stand(qmail: Qmail) -> None:
    """A refused address adds no recipient, and the others of the transaction stand."""
    recipients = ["alice@here.example", "x%y@here.example", "bob@here.example"]
    said = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert said[-1].code == 250
    queued = await qmail.queued_recipients()
    assert queued == [["alice@here.example", "bob@here.example"]], f"queued for {queued}"


@requirement("0007.mail.percent", source=SHIPPED + MISSION, level="should")
async def test_sender_with_percent(qmail: Qmail) -> None:
    """A sender with % in its local part is refused with 553."""
    assert (await qmail.reply_to("MAIL FROM:<a%elsewhere.example@b.example>")).code == 553


@requirement("0007.mail.bang", source=SHIPPED + MISSION, level="should")
async def test_sender_with_bang(qmail: Qmail) -> None:
    """A sender with ! in its local part is refused with 553, and no transaction begins."""
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<elsewhere.example!a@b.example>")).code == 553
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 503


@requirement("0007.rcpt.ordinary", source=SOURCE, role="guard")
async def test_ordinary_addresses(qmail: Qmail) -> None:
    """Plus signs, equals signs, slashes, dashes and dots in a local part pass."""
    async with qmail.session() as smtp:
        addresses = ["alice+tag", "alice=b.example", "a/b", "alice-list", "a.b.c"]
        _, *replies = await smtp.envelope("a@b.example", [f"{address}@here.example" for address in addresses])
        for reply, address in zip(replies, addresses, strict=True):
            assert reply.code == 250, address


@requirement("0007.mail.null", source="rfc5321:4.1.1.2, rfc5321:4.5.5", role="guard")
async def test_null_sender(qmail: Qmail) -> None:
    """The null sender passes: bounces arrive."""
    assert (await qmail.recipient("alice@here.example", "")).code == 250


@requirement(
    "0007.rcpt.foreign",
    source="qmail-smtpd(8) rcpthosts; package source, qmail-smtpd.c: err_nogateway",
    role="guard",
)
async def test_foreign_domain(qmail: Qmail) -> None:
    """A relay character in an address of a foreign domain is refused with 553, patch or no patch."""
    assert (await qmail.recipient("victim%here.example@elsewhere.example")).code == 553


@requirement("0007.rcpt.null-sender", source=SOURCE)
async def test_recipient_of_the_null_sender(qmail: Qmail) -> None:
    """The null sender does not exempt a recipient: one with a relay character is refused with 553."""
    reply = await qmail.recipient("victim%elsewhere.example@here.example", "")
    assert reply.code == 553, reply


@requirement("0007.rcpt.without-domain", source=SOURCE)
async def test_recipient_without_a_domain(qmail: Qmail) -> None:
    """A recipient without a domain is all local part: with a relay character it is refused with 553."""
    reply = await qmail.recipient("victim%elsewhere.example")
    assert reply.code == 553, reply


@requirement(
    "0007.rcpt.domain-part",
    source="patch:0007 smtpd-relay-reject: addrrelay looks at what stands before the last @; rfc5321:4.1.2",
    role="guard",
    level="should",
)
async def test_percent_in_the_domain(qmail: Qmail) -> None:
    """A percent sign or a bang in the domain part alone is no relay character, if it is no good domain."""
    qmail.environment["RELAYCLIENT"] = ""
    async with qmail.session() as smtp:
        sender = await smtp.command("MAIL FROM:<a@b%c.example>")
        await smtp.command("RSET")
        *_, percent, bang = await smtp.envelope(
            "a@b.example", ["x@else%where.example", "x@else!where.example"]
        )
    codes = [reply.code for reply in (sender, percent, bang)]
    assert set(codes) <= {250, 501}, codes


@requirement(
    "0007.rcpt.only-one", source=SOURCE + "; rfc5321:3.3; package source, qmail-smtpd.c: err_wantrcpt"
)
async def test_only_recipient_is_refused(qmail: Qmail) -> None:
    """When the only recipient is refused for a relay character, DATA gets 503 and nothing is queued."""
    said = await qmail.envelope("a@b.example", ["x!y@here.example"], b"Subject: x\r\n\r\nx\r\n")
    assert said[-1].code == 503, f"{said[1]}, and after DATA {said[-1]}"
    assert await qmail.queue() == []


@requirement("0007.mail.second-at", source=SHIPPED + MISSION, level="should")
async def test_sender_with_a_second_at(qmail: Qmail) -> None:
    """A sender with a further @ in its local part is refused with 553."""
    assert (await qmail.reply_to("MAIL FROM:<a@elsewhere.example@b.example>")).code == 553


@requirement("0007.mail.at-the-start", source=SHIPPED + MISSION, level="should")
async def test_sender_at_the_start(qmail: Qmail) -> None:
    """A sender whose local part begins with % is refused with 553."""
    reply = await qmail.reply_to("MAIL FROM:<%elsewhere.example@b.example>")
    assert reply.code == 553, reply


@requirement("0007.mail.verp", source=SHIPPED + MISSION + "; addresses(5) QMAIL EXTENSIONS", level="should")
async def test_variable_sender(qmail: Qmail) -> None:
    """A variable sender, `list-@here.example-@[]`, has a further @ too: over SMTP it is refused."""
    assert (await qmail.reply_to("MAIL FROM:<list-return-@here.example-@[]>")).code == 553


@requirement("0007.mail.enhanced-code", source=SHIPPED + MISSION + "; rfc3463:3.8", level="should")
async def test_sender_refusal_bears_a_status(qmail: Qmail) -> None:
    """A sender that is refused for a relay character gets the enhanced status 5.7.1."""
    assert (await qmail.reply_to("MAIL FROM:<a%x@b.example>")).enhanced == "5.7.1"


@requirement("0007.mail.good-after-bad", source=SHIPPED + MISSION, level="should")
async def test_good_sender_after_a_bad_one(qmail: Qmail) -> None:
    """After a sender was refused with 553 another one is accepted, and its message is queued as its own."""
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a%x@b.example>", "MAIL FROM:<good@b.example>", "RCPT TO:<alice@here.example>"]
        said = await smtp.commands(*lines, message=b"Subject: x\r\n\r\nx\r\n")
        assert [reply.code for reply in said] == [553, 250, 250, 354, 250]
    assert [message.sender for message in await qmail.queue()] == ["good@b.example"]
