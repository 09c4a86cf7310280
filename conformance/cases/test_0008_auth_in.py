"""0008, inbound: SMTP AUTH in qmail-smtpd. Modes, methods, what success and failure bring."""

from conformance.cases.credentials import cram_md5, encoded, password, plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.smtp.reply import Reply
from conformance.smtp.session import Session

MANUAL = "qmail-smtpd(8) with patch:0008"
FOREIGN = "x@elsewhere.example"


async def _login(smtp: Session, user: str, secret: str) -> Reply:
    """AUTH LOGIN, step by step; the reply that ends it."""
    reply = await smtp.command("AUTH LOGIN")
    for answer in (user, secret):
        if reply.code == 334:
            reply = await smtp.command(encoded(answer))
    return reply


@requirement("0008.mode.login-plain", source=MANUAL + " SMTPAUTH; rfc4954:3")
async def test_login_and_plain_are_announced(qmail: Qmail) -> None:
    """With SMTPAUTH empty EHLO announces LOGIN and PLAIN."""
    assert await qmail.announced("") == {"LOGIN", "PLAIN"}


@requirement("0008.mode.plus-cram", source=MANUAL + " SMTPAUTH")
async def test_cram_is_announced_besides(qmail: Qmail) -> None:
    """With SMTPAUTH=+cram EHLO announces LOGIN, PLAIN and CRAM-MD5."""
    assert await qmail.announced("+cram") == {"LOGIN", "PLAIN", "CRAM-MD5"}


@requirement("0008.mode.cram-announced", source=MANUAL + " SMTPAUTH")
async def test_cram_alone_is_announced(qmail: Qmail) -> None:
    """With SMTPAUTH=cram EHLO announces CRAM-MD5 alone."""
    assert await qmail.announced("cram") == {"CRAM-MD5"}


@requirement(
    "0008.mode.cram-restricts",
    source=MANUAL + " SMTPAUTH: restricts authentication just to CRAM-MD5",
    role="guard",
)
async def test_cram_restricts(qmail: Qmail) -> None:
    """With SMTPAUTH=cram a right password is not accepted by PLAIN: no other method is open."""
    qmail.authenticate("cram")
    reply = await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")
    assert reply.code >= 400, reply


@requirement(
    "0008.mode.required", source=MANUAL + " SMTPAUTH; rfc4954:6; patch:0008 qmail-smtpd.c err_submission"
)
async def test_required(qmail: Qmail) -> None:
    """With SMTPAUTH=! MAIL is refused with 530 until the client has authenticated."""
    qmail.authenticate("!")
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@here.example>")).code == 530
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        assert (await smtp.command("MAIL FROM:<a@here.example>")).code == 250


@requirement("0008.mode.unset", source=MANUAL + " SMTPAUTH", role="guard")
async def test_unset(qmail: Qmail) -> None:
    """With SMTPAUTH unset nothing is announced, and AUTH is refused."""
    assert await qmail.announced(None) == set()
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code >= 500


@requirement(
    "0008.mode.dash",
    source=MANUAL
    + " SMTPAUTH: starts with a dash, AUTH is disabled; patch:0008 README 0.8.2: even if SMTPAUTH is -",
    role="guard",
)
async def test_dash(qmail: Qmail) -> None:
    """With SMTPAUTH=- nothing is announced, and AUTH is refused."""
    assert await qmail.announced("-") == set()
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code >= 500


@requirement("0008.helo.not-announced", source="rfc5321:3.2", role="guard")
async def test_helo_announces_nothing(qmail: Qmail) -> None:
    """The reply to HELO does not announce AUTH."""
    qmail.authenticate("")
    async with qmail.session(hello=False) as smtp:
        assert "AUTH" not in (await smtp.command("HELO client.test.example")).text
        # Nor in a reply of its own, which would stand where the next command's reply is expected.
        assert "AUTH" not in (await smtp.command("NOOP")).text


@requirement("0008.plain.initial-response", source=MANUAL + "; rfc4616:2, rfc4954:4")
async def test_plain_at_once(qmail: Qmail) -> None:
    """AUTH PLAIN with the credentials on the same line is accepted with 235."""
    qmail.authenticate("")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code == 235


@requirement("0008.plain.challenge", source=MANUAL + "; rfc4616:2, rfc4954:4")
async def test_plain_in_two_steps(qmail: Qmail) -> None:
    """AUTH PLAIN alone is asked for the credentials with 334, and they are accepted with 235."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        challenge = await smtp.command("AUTH PLAIN")
        assert (challenge.code, challenge.text) == (334, ""), challenge
        assert (await smtp.command(plain("alice"))).code == 235


@requirement("0008.plain.identity", source="rfc4616:2")
async def test_plain_with_an_identity(qmail: Qmail) -> None:
    """AUTH PLAIN with the user as authorization identity is accepted, and the user is checked."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        response = plain("alice", identity="alice")
        assert (await smtp.command(f"AUTH PLAIN {response}")).code == 235
    assert [call.user for call in await qmail.hook_calls("checkpassword")] == ["alice"]


@requirement("0008.login.accepted", source=MANUAL)
async def test_login(qmail: Qmail) -> None:
    """AUTH LOGIN asks for user and password, and accepts them with 235."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await _login(smtp, "bob", password("bob"))).code == 235


@requirement("0008.login.initial-response", source="patch:0008 qmail-smtpd.c auth_login", level="should")
async def test_login_at_once(qmail: Qmail) -> None:
    """AUTH LOGIN with the user on the same line asks for the password alone, and accepts it with 235."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH LOGIN {encoded('alice')}")).code == 334
        assert (await smtp.command(encoded(password("alice")))).code == 235


@requirement("0008.login.awkward-password", source=MANUAL)
async def test_login_with_awkward_passwords(qmail: Qmail) -> None:
    """Passwords with spaces, quotes and shell characters are accepted."""
    qmail.authenticate("")
    for user in ("carol", "dave"):
        async with qmail.session() as smtp:
            assert (await _login(smtp, user, password(user))).code == 235, user


@requirement("0008.login.long-password", source="rfc4616:2; " + MANUAL, level="should")
async def test_login_with_long_passwords(qmail: Qmail) -> None:
    """Passwords of 8-bit octets and of 255 octets are accepted: no octet is lost, and none is changed."""
    qmail.authenticate("")
    for user in ("erin", "frank"):
        async with qmail.session() as smtp:
            assert (await _login(smtp, user, password(user))).code == 235, user


@requirement("0008.cram.accepted", source=MANUAL + "; rfc2195:2")
async def test_cram(qmail: Qmail) -> None:
    """AUTH CRAM-MD5 gives a challenge and accepts its digest with 235."""
    qmail.authenticate("+cram")
    async with qmail.session() as smtp:
        challenge = await smtp.command("AUTH CRAM-MD5")
        assert challenge.code == 334
        assert (await smtp.command(cram_md5("alice", challenge.text))).code == 235


@requirement("0008.cram.fresh", source="rfc2195:2, rfc1939:7")
async def test_challenges_are_fresh(qmail: Qmail) -> None:
    """Each CRAM-MD5 challenge of a session differs from those before it."""
    qmail.authenticate("cram")
    async with qmail.session() as smtp:
        replies = await smtp.commands(*["AUTH CRAM-MD5", "*"] * 4)
    challenges = [reply.text for reply in replies if reply.code == 334]
    assert len(set(challenges)) == 4, f"{len(challenges)} challenges, {len(set(challenges))} differ"


@requirement("0008.failure.code", source="rfc4954:4; patch:0008 qmail-smtpd.c err_authfail", waits=5)
async def test_wrong_password(qmail: Qmail) -> None:
    """A wrong password is answered with 535."""
    qmail.authenticate("")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice', 'wrong')}")).code == 535


@requirement("0008.failure.delay", source="patch:0008 qmail-smtpd.c AUTHSLEEP", level="should", waits=5)
async def test_failure_is_told_late(qmail: Qmail) -> None:
    """A wrong password is answered only after some seconds, so that guessing is slow."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        early = await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}", limit=2)
        assert early.why == "silent", early
        assert (await smtp.reply()).code == 535


@requirement(
    "0008.failure.no-relay",
    source=MANUAL + "; package source, qmail-smtpd.c: err_nogateway",
    role="guard",
    waits=5,
)
async def test_failure_does_not_relay(qmail: Qmail) -> None:
    """After a failed attempt nothing is relayed."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        _, reply = await smtp.envelope("a@here.example", [FOREIGN])
        assert reply.code == 553


@requirement("0008.failure.again", source="rfc4954:4", waits=5)
async def test_second_attempt_after_a_failure(qmail: Qmail) -> None:
    """After a failed attempt the right password is still accepted."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235


@requirement("0008.program.crash", source=MANUAL, role="guard")
async def test_crashed_checkprogram(qmail: Qmail) -> None:
    """A checkprogram that crashes is never acceptance."""
    qmail.authenticate("", fate="crash")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code >= 400
        _, reply = await smtp.envelope("a@here.example", [FOREIGN])
        assert reply.code == 553


@requirement("0008.program.missing", source=MANUAL, role="guard", waits=5)
async def test_missing_checkprogram(qmail: Qmail) -> None:
    """A checkprogram that is not there is never acceptance."""
    qmail.authenticate("", fate="missing")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code >= 400


@requirement("0008.program.subprogram", source=MANUAL, role="guard", waits=5)
async def test_failing_subprogram(qmail: Qmail) -> None:
    """A subprogram that exits with a nonzero status is never acceptance, whatever the password."""
    qmail.authenticate("", subprogram="false")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")).code >= 400


@requirement("0008.success.relays", source=MANUAL + " RELAYCLIENT")
async def test_success_relays(qmail: Qmail) -> None:
    """After 235 the client may relay."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice')}")
        _, reply = await smtp.envelope("alice@here.example", [FOREIGN])
        assert reply.code == 250


@requirement("0008.success.received", source="rfc4954:7; patch:0008 README: keyword ESMTPA; rfc3848:1")
async def test_received_says_esmtpa(qmail: Qmail) -> None:
    """The Received line of an authenticated message says ESMTPA and names the user."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<alice@here.example>", "RCPT TO:<bob@here.example>"]
        await smtp.commands(f"AUTH PLAIN {plain('alice')}", *lines, message=b"Subject: x\r\n\r\nx\r\n")
    message = await qmail.queued()
    received = message.octets.partition("Subject:")[0]
    assert "with ESMTPA" in received
    assert "(alice@" in received


@requirement("0008.success.once", source="rfc4954:4")
async def test_second_auth(qmail: Qmail) -> None:
    """AUTH after a successful AUTH is refused with 503."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 503


@requirement("0008.success.survives-rset", source="rfc4954:4, rfc5321:4.1.1.5")
async def test_rset_keeps_authentication(qmail: Qmail) -> None:
    """RSET does not undo authentication: where it is required, MAIL still passes.

    So it follows: RSET aborts the mail transaction, and there is no second AUTH in a session.
    """
    qmail.authenticate("!")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        await smtp.command("RSET")
        reply = await smtp.command("MAIL FROM:<alice@here.example>")
        assert reply.code == 250, reply


@requirement("0008.size.announced", source="rfc1870:4; " + MANUAL)
async def test_size_is_announced(qmail: Qmail) -> None:
    """EHLO announces SIZE with databytes."""
    qmail.control["databytes"] = "5000\n"
    async with qmail.session(hello=False) as smtp:
        assert "SIZE 5000" in (await smtp.hello()).lines


@requirement("0008.size.refused", source="rfc1870:6.1, rfc1870:7")
async def test_size_too_large(qmail: Qmail) -> None:
    """MAIL with a SIZE over databytes is refused at once with 552; one as large passes."""
    qmail.control["databytes"] = "5000\n"
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@b.example> SIZE=5001")).code == 552
        assert (await smtp.command("MAIL FROM:<a@b.example> SIZE=5000")).code == 250
