"""0008, inbound: the words of SMTPAUTH beyond the plain ones, odd and bad answers, and what MAIL may bear."""

import base64

from conformance.cases.credentials import cram_md5, encoded, password, plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

MANUAL = "qmail-smtpd(8) with patch:0008"
SENDER = "MAIL FROM:<a@here.example>"


@requirement(
    "0008.mode.required-cram", source=MANUAL + " SMTPAUTH: !cram; patch:0008 qmail-smtpd.c err_submission"
)
async def test_cram_is_required(qmail: Qmail) -> None:
    """With SMTPAUTH=!cram EHLO announces CRAM-MD5 alone, and MAIL needs it: 530 before, 250 after."""
    assert await qmail.announced("!cram") == {"CRAM-MD5"}
    async with qmail.session() as smtp:
        before, challenge = await smtp.commands(SENDER, "AUTH CRAM-MD5")
        assert before.code == 530
        said = await smtp.commands(cram_md5("alice", challenge.text), SENDER)
        assert [reply.code for reply in said] == [235, 250]


@requirement(
    "0008.mode.required-plus-cram",
    source=MANUAL + " SMTPAUTH; patch:0008 README; patch:0008 qmail-smtpd.c err_submission",
)
async def test_any_method_is_required(qmail: Qmail) -> None:
    """With SMTPAUTH=!+cram EHLO announces LOGIN, PLAIN and CRAM-MD5, and MAIL needs one of them."""
    assert await qmail.announced("!+cram") == {"LOGIN", "PLAIN", "CRAM-MD5"}
    async with qmail.session() as smtp:
        said = await smtp.commands(SENDER, f"AUTH PLAIN {plain('alice')}", SENDER)
        assert [reply.code for reply in said] == [530, 235, 250]


@requirement(
    "0008.mode.starts-with-bang",
    source=MANUAL + " SMTPAUTH: starts with an exclamation mark; patch:0008 qmail-smtpd.c err_submission",
)
async def test_whatever_starts_with_a_bang(qmail: Qmail) -> None:
    """A value that starts with an exclamation mark, whatever follows, requires AUTH: 530 at MAIL."""
    qmail.authenticate("!login")
    reply = await qmail.reply_to(SENDER)
    assert reply.code == 530, reply


@requirement(
    "0008.mode.starts-with-dash",
    source=MANUAL + " SMTPAUTH: starts with a dash, AUTH is disabled",
    role="guard",
)
async def test_whatever_starts_with_a_dash(qmail: Qmail) -> None:
    """A value that starts with a dash, whatever follows, announces nothing, and AUTH is refused."""
    announced = await qmail.announced("-cram")
    assert announced == set(), f"announced: {', '.join(sorted(announced))}"
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code >= 500


@requirement(
    "0008.mode.cram-wrong-password",
    source=MANUAL + " SMTPAUTH: restricts authentication just to CRAM-MD5",
    role="guard",
    waits=5,
)
async def test_wrong_password_by_another_method_than_cram(qmail: Qmail) -> None:
    """With SMTPAUTH=cram a wrong password is refused by PLAIN, and nothing is relayed."""
    qmail.authenticate("cram")
    async with qmail.session() as smtp:
        reply = await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        assert reply.code >= 400, reply
        _, recipient = await smtp.envelope("a@here.example", ["x@elsewhere.example"])
        assert recipient.code == 553, recipient


@requirement(
    "0008.mode.dash-wrong-password",
    source=MANUAL + " SMTPAUTH: starts with a dash, AUTH is disabled",
    role="guard",
    waits=5,
)
async def test_wrong_password_where_it_is_disabled(qmail: Qmail) -> None:
    """With SMTPAUTH=-cram a wrong password is refused, and nothing is relayed."""
    qmail.authenticate("-cram")
    async with qmail.session() as smtp:
        reply = await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        assert reply.code >= 400, reply
        _, recipient = await smtp.envelope("a@here.example", ["x@elsewhere.example"])
        assert recipient.code == 553, recipient


@requirement("0008.mode.not-required", source=MANUAL + " SMTPAUTH", role="guard")
async def test_not_required(qmail: Qmail) -> None:
    """With SMTPAUTH=+cram a client that does not authenticate hands in mail for local domains as before."""
    qmail.authenticate("+cram")
    recipients = ["alice@here.example", "x@elsewhere.example"]
    said = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert [reply.code for reply in said] == [250, 250, 553, 354, 250]
    message = await qmail.queued()
    assert "ESMTPA" not in message.octets


@requirement(
    "0008.exchange.empty-password", source="rfc4616:2; patch:0008 qmail-smtpd.c auth_plain, auth_login"
)
async def test_empty_password(qmail: Qmail) -> None:
    """An empty password is answered with 501, by PLAIN and by LOGIN, and nobody is asked about it."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        lines = [f"AUTH PLAIN {plain('alice', '')}", f"AUTH LOGIN {encoded('alice')}", ""]
        assert [reply.code for reply in await smtp.commands(*lines)] == [501, 334, 501]
    assert await qmail.hook_calls("checkpassword") == []


@requirement("0008.exchange.nul-user", source="patch:0008 authenticate; rfc4954:4", role="guard", waits=5)
async def test_nul_in_a_user(qmail: Qmail) -> None:
    """A user of LOGIN that holds a NUL is refused: what stands behind it is no password."""
    qmail.authenticate("")
    user = encoded(f"alice\0{password('alice')}")
    async with qmail.session() as smtp:
        said = await smtp.commands(f"AUTH LOGIN {user}", encoded("whatever"))
    assert 235 not in [reply.code for reply in said], said
    assert await qmail.hook_calls("checkpassword") == [], "the checkprogram was asked"


@requirement("0008.exchange.nul-password", source="patch:0008 authenticate; rfc2195:4", role="guard", waits=5)
async def test_nul_in_a_password(qmail: Qmail) -> None:
    """A password of LOGIN that holds a NUL is refused: no client may choose the challenge of CRAM-MD5.

    Who has overheard one exchange could come in with its digest and its challenge otherwise.
    """
    qmail.authenticate("")
    challenge = "<1.1@here.example>"
    answer = base64.b64decode(cram_md5("alice", encoded(challenge))).decode()
    digest = answer.rpartition(" ")[2]
    async with qmail.session() as smtp:
        *_, last = await smtp.commands(f"AUTH LOGIN {encoded('alice')}", encoded(f"{digest}\0{challenge}"))
    assert last.code != 235, f"digest and challenge of another exchange were answered with {last.code}"
    assert await qmail.hook_calls("checkpassword") == [], "the checkprogram was asked"


@requirement("0008.exchange.password-not-base64", source="rfc4954:4", waits=5)
async def test_password_not_base64(qmail: Qmail) -> None:
    """A password that is not base64 is answered with 501."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH LOGIN {encoded('alice')}")).code == 334
        reply = await smtp.command("not*base64!at-all")
        assert reply.code == 501, reply


@requirement("0008.exchange.cancelled-password", source="rfc4954:4")
async def test_cancel_at_the_password(qmail: Qmail) -> None:
    """A client that answers * when asked for the password cancels: 501, and nobody is asked about it."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH LOGIN {encoded('alice')}")).code == 334
        assert (await smtp.command("*")).code == 501
    assert await qmail.hook_calls("checkpassword") == []


@requirement(
    "0008.cram.wrong-digest", source="rfc2195:2, rfc4954:4; patch:0008 qmail-smtpd.c err_authfail", waits=5
)
async def test_wrong_digest(qmail: Qmail) -> None:
    """A digest that does not fit the challenge is answered with 535, and nothing is relayed."""
    qmail.authenticate("cram")
    async with qmail.session() as smtp:
        assert (await smtp.command("AUTH CRAM-MD5")).code == 334
        assert (await smtp.command(encoded("alice " + "0" * 32))).code == 535
        _, reply = await smtp.envelope("a@here.example", ["x@elsewhere.example"])
        assert reply.code == 553


@requirement("0008.success.in-any-case", source="rfc4954:8, rfc5321:2.4")
async def test_method_in_any_case(qmail: Qmail) -> None:
    """The verb AUTH and the name of a method are known in upper, lower and mixed case."""
    qmail.authenticate("")
    assert (await qmail.reply_to(f"auth Plain {plain('alice')}")).code == 235


@requirement("0008.success.not-verified", source=MANUAL + " RELAYCLIENT; patch:0009 smtpd-rcptcheck")
async def test_rcptcheck_sees_no_authenticated_client(qmail: Qmail) -> None:
    """After 235 RELAYCLIENT is in force for RCPTCHECK too: the recipient is accepted and nothing is run."""
    qmail.authenticate("")
    qmail.check_recipients(default=100)
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        _, reply = await smtp.envelope("alice@here.example", ["x@elsewhere.example"])
        assert reply.code == 250
    assert await qmail.hook_calls() == []


@requirement("0008.success.ehlo-again", source="rfc4954:4, rfc5321:4.1.4")
async def test_ehlo_keeps_authentication(qmail: Qmail) -> None:
    """A second EHLO does not undo authentication: the client may still relay.

    So it follows: EHLO aborts the mail transaction, and there is no second AUTH in a session.
    """
    qmail.authenticate("!")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        assert (await smtp.hello()).code == 250
        _, reply = await smtp.envelope("alice@here.example", ["x@elsewhere.example"])
        assert reply.code == 250


@requirement("0008.mail.auth-gives-nothing", source="rfc4954:5; qmail-smtpd(8) rcpthosts", role="guard")
async def test_auth_on_mail_opens_nothing(qmail: Qmail) -> None:
    """AUTH= on MAIL is no authentication: a foreign recipient is still refused with 553."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<alice@here.example> AUTH=alice@here.example")).code == 250
        assert (await smtp.command("RCPT TO:<x@elsewhere.example>")).code == 553


@requirement("0008.size.no-limit", source="rfc1870:3; patch:0008 qmail-smtpd.c smtp_ehlo")
async def test_size_without_a_limit(qmail: Qmail) -> None:
    """Without databytes EHLO announces SIZE 0, and MAIL with any SIZE is accepted."""
    async with qmail.session(hello=False) as smtp:
        assert "SIZE 0" in (await smtp.hello()).lines
        assert (await smtp.command("MAIL FROM:<a@b.example> SIZE=999999999")).code == 250


@requirement("0008.size.null-sender", source="rfc1870:6.1, rfc1870:7")
async def test_size_of_the_null_sender(qmail: Qmail) -> None:
    """A SIZE over databytes is refused with 552 for the null sender, too, and begins no transaction."""
    qmail.control["databytes"] = "5000\n"
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<> SIZE=5001")).code == 552
        assert (await smtp.command("RCPT TO:<alice@here.example>")).code == 503


@requirement("0008.plain.other-identity", source="rfc4616:2", level="should", role="guard", waits=5)
async def test_plain_with_another_identity(qmail: Qmail) -> None:
    """A user who asks by AUTH PLAIN to act as somebody else is refused: nothing says that he may."""
    qmail.authenticate("")
    reply = await qmail.reply_to(f"AUTH PLAIN {plain('alice', identity='bob')}")
    assert "bob" not in [call.user for call in await qmail.hook_calls("checkpassword")]
    assert reply.code >= 400, reply


@requirement("0008.plain.long-password", source="rfc4616:2")
async def test_plain_with_a_long_password(qmail: Qmail) -> None:
    """A password of 255 octets is accepted by PLAIN: no octet is lost."""
    qmail.authenticate("")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('frank')}")).code == 235


@requirement("0008.cram.initial-response", source="rfc4954:4")
async def test_cram_at_once(qmail: Qmail) -> None:
    """AUTH CRAM-MD5, where the server begins, is refused with 501 when a response stands on the same line."""
    qmail.authenticate("cram")
    reply = await qmail.reply_to(f"AUTH CRAM-MD5 {encoded('alice')}")
    assert reply.code == 501, reply


async def _final_byte(qmail: Qmail, mode: str) -> None:
    """What the checkprogram reads has three ends: of the user, of the password, and the final one."""
    qmail.authenticate(mode)
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code == 235
    ends = [call.ends for call in await qmail.hook_calls("checkpassword")]
    assert ends == [3], f"0 bytes in what it reads: {ends}"


@requirement("0008.checkprogram.final-byte", source=MANUAL + ": and a final 0 byte")
async def test_final_byte_without_cram(qmail: Qmail) -> None:
    """With SMTPAUTH empty the checkprogram reads user, password and a final 0 byte, each ended."""
    await _final_byte(qmail, "")


@requirement("0008.checkprogram.final-byte-with-cram", source=MANUAL + ": and a final 0 byte")
async def test_final_byte_with_cram(qmail: Qmail) -> None:
    """With SMTPAUTH=+cram the checkprogram reads user, password and a final 0 byte for PLAIN, too."""
    await _final_byte(qmail, "+cram")
