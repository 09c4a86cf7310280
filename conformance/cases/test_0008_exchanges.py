"""0008: how an exchange of AUTH is cancelled, misspelt or out of place."""

from conformance.cases.credentials import encoded, password, plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("0008.exchange.cancelled", source="rfc4954:4")
async def test_cancel(qmail: Qmail) -> None:
    """A client that answers * cancels the exchange: 501, and the session goes on."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        _, *said = await smtp.commands("AUTH LOGIN", "*", "NOOP")
        assert [reply.code for reply in said] == [501, 250]


@requirement("0008.exchange.not-base64", source="rfc4954:4")
async def test_not_base64(qmail: Qmail) -> None:
    """Right credentials with an octet that is not base64 behind them are answered with 501."""
    qmail.authenticate("")
    reply = await qmail.reply_to(f"AUTH PLAIN {plain('alice')}!")
    assert reply.code == 501, reply


@requirement("0008.exchange.user-not-base64", source="rfc4954:4")
async def test_user_not_base64(qmail: Qmail) -> None:
    """A user that is not base64 is answered with 501, and no password is asked for."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command("AUTH LOGIN")).code == 334
        reply = await smtp.command("al!ce-is-not-base64*")
        assert reply.code == 501, reply


@requirement("0008.exchange.bad-user-never-accepted", source="rfc4954:4, rfc4648:3.3", role="guard", waits=5)
async def test_bad_user_is_never_accepted(qmail: Qmail) -> None:
    """A user in whose base64 another character stands is never accepted, with the right password either."""
    qmail.authenticate("")
    user = encoded("alice")
    async with qmail.session() as smtp:
        said = await smtp.commands("AUTH LOGIN", f"{user[:2]}*{user[2:]}", encoded(password("alice")))
    assert 235 not in [reply.code for reply in said], said


@requirement("0008.exchange.survives-padding", source="rfc4954:4, rfc5321:4.3.2", role="guard")
async def test_padding_is_survived(qmail: Qmail) -> None:
    """An empty response, sent as =, is refused as credentials, and the session goes on."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        reply = await smtp.command("AUTH PLAIN =")
        assert reply.code >= 500, reply
        assert (await smtp.command("NOOP")).code == 250


@requirement("0008.exchange.survives-padding-answer", source="rfc4954:4, rfc5321:4.3.2", role="guard")
async def test_padding_as_an_answer_is_survived(qmail: Qmail) -> None:
    """An answer that padding makes shorter than nothing is refused, and the session goes on."""
    qmail.authenticate("")
    for answer in ("AA=", "===="):
        async with qmail.session() as smtp:
            await smtp.command("AUTH PLAIN")
            reply = await smtp.command(answer)
            assert reply.code >= 500, f"{answer}: {reply}"
            assert (await smtp.command("NOOP")).code == 250, answer


@requirement("0008.exchange.survives-garbage", source="rfc4954:4, rfc5321:4.3.2", role="guard")
async def test_garbage_is_survived(qmail: Qmail) -> None:
    """Credentials that are no base64 at all are refused, and the session goes on."""
    qmail.authenticate("")
    for garbage in ("A", "A=B=", "\xff\xfe"):
        async with qmail.session() as smtp:
            reply = await smtp.command(f"AUTH PLAIN {garbage}")
            assert reply.code >= 500, f"AUTH PLAIN {garbage}: {reply}"
            assert (await smtp.command("NOOP")).code == 250, garbage


@requirement("0008.exchange.empty-user", source="rfc4616:2; patch:0008 qmail-smtpd.c auth_plain")
async def test_empty_user(qmail: Qmail) -> None:
    """An empty user is answered with 501."""
    qmail.authenticate("")
    assert (await qmail.reply_to(f"AUTH PLAIN {plain('', 'something')}")).code == 501


@requirement("0008.method.unknown", source="rfc4954:4")
async def test_unknown_method(qmail: Qmail) -> None:
    """An unknown method is answered with 504."""
    qmail.authenticate("")
    assert (await qmail.reply_to("AUTH DIGEST-MD5")).code == 504


@requirement("0008.transaction.refused", source="rfc4954:4")
async def test_auth_in_a_transaction(qmail: Qmail) -> None:
    """AUTH inside a mail transaction is refused with 503."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 503
