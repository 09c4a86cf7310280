"""Base qmail: timeoutsmtpd is kept in every state of a session, in the same words."""

from conformance.cases.credentials import encoded
from conformance.cases.qmail import Qmail, only
from conformance.catalogue import requirement
from conformance.smtp.session import Session

SOURCE = "qmail-smtpd(8) timeoutsmtpd; rfc5321:4.5.3.2.7"
KNOWN = "alice@here.example"


async def _times_out(smtp: Session) -> None:
    """From now on silence for a second, of the client, is answered with 451, and the connection is closed.

    Both limits are half a second away: a machine may lose 0.4 s before what is seen is taken for its doing.
    """
    early = await smtp.reply(limit=0.5)
    assert early.why == "silent", f"within 0.5 s: {early}"
    reply = await smtp.reply(limit=1)
    assert reply.code == 451, f"after a second: {reply}"
    assert reply.text == "timeout (#4.4.2)", reply
    assert await smtp.closed(), "the connection stays open"


async def _ends(qmail: Qmail) -> None:
    """The one session exits with 1, with nothing queued. What it logs is 0001's: base.log.end-timeout."""
    session = only(await qmail.session_ends(), "sessions")
    assert session.status == 1, session
    assert await qmail.queue() == []


@requirement("base.timeout.before-hello", source=SOURCE, waits=1)
async def test_before_hello(qmail: Qmail) -> None:
    """A client that is silent for timeoutsmtpd seconds after the greeting gets 451, and is dropped."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session(hello=False) as smtp:
        await _times_out(smtp)
    await _ends(qmail)


LINES = SOURCE + "; package source, control.c: control_readint"


@requirement("base.timeout.first-line", source=LINES, waits=1)
async def test_first_line_of_the_limit(qmail: Qmail) -> None:
    """Of timeoutsmtpd the number at the start of the first line counts."""
    qmail.control["timeoutsmtpd"] = "1 second \t\n900\n"
    async with qmail.session() as smtp:
        await _times_out(smtp)


@requirement("base.timeout.without-line-end", source=LINES, waits=1)
async def test_limit_without_a_line_end(qmail: Qmail) -> None:
    """timeoutsmtpd counts where no line end follows."""
    qmail.control["timeoutsmtpd"] = "1"
    async with qmail.session() as smtp:
        await _times_out(smtp)


@requirement("base.timeout.after-mail", source=SOURCE, waits=1)
async def test_after_mail(qmail: Qmail) -> None:
    """A client that falls silent after MAIL and RCPT gets 451, and is dropped."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN])
        await _times_out(smtp)
    await _ends(qmail)


@requirement("base.timeout.in-a-command", source=SOURCE, waits=1)
async def test_in_a_command(qmail: Qmail) -> None:
    """A client that falls silent within a command line gets 451, and is dropped."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.send(b"MAIL FROM:<a@b.exam")
        await _times_out(smtp)
    await _ends(qmail)


@requirement("base.timeout.in-data", source=SOURCE, waits=1)
async def test_in_data(qmail: Qmail) -> None:
    """A client that falls silent within a message gets 451, and is dropped; nothing is queued."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN])
        assert (await smtp.command("DATA")).code == 354
        await smtp.send(b"Subject: x\r\n\r\nno end")
        await _times_out(smtp)
    await _ends(qmail)


@requirement("base.timeout.before-the-dot", source=SOURCE, waits=1)
async def test_before_the_dot(qmail: Qmail) -> None:
    """A client that falls silent when only the final dot is missing gets 451; nothing is queued."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN])
        assert (await smtp.command("DATA")).code == 354
        await smtp.send(b"Subject: x\r\n\r\nwhole\r\n.\r")
        await _times_out(smtp)
    await _ends(qmail)


@requirement(
    "base.timeout.each-read", source=SOURCE + "; package source, timeoutread.c: timeoutread", waits=3
)
async def test_each_read(qmail: Qmail) -> None:
    """The time counts from the client's last octets: one that goes on after 0.5 s has all of it again."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        for part in (b"MAIL ", b"FROM:<a", b"@b.exam"):
            assert (await smtp.reply(limit=0.5)).why == "silent"
            await smtp.send(part)
        reply = await smtp.say(b"ple>\r\n")
        assert reply.code == 250, reply
        await _times_out(smtp)


@requirement("base.timeout.unread", source="package source, qmail-smtpd.c: safewrite", waits=2)
async def test_replies_that_nobody_takes(qmail: Qmail) -> None:
    """A client that takes no replies is given up after timeoutsmtpd seconds, too: the process ends."""
    qmail.control["timeoutsmtpd"] = "1\n"
    qmail.control["smtpgreeting"] = "x" * 8000 + "\n"
    async with qmail.session() as smtp:
        await smtp.send(b"EHLO x\r\n" * 4000)
        await smtp.pause(2)
        session = only(await qmail.session_ends(), "sessions")
        assert session.status == 1, session


@requirement("base.timeout.zero", source="package source, qmail-smtpd.c: setup", waits=1)
async def test_zero(qmail: Qmail) -> None:
    """timeoutsmtpd 0 counts as one second: qmail-smtpd neither waits for ever nor drops a client at once."""
    qmail.control["timeoutsmtpd"] = "0\n"
    async with qmail.session() as smtp:
        await _times_out(smtp)


@requirement("0008.timeout.in-auth", source="qmail-smtpd(8) timeoutsmtpd; rfc4954:4", waits=1)
async def test_in_auth(qmail: Qmail) -> None:
    """A client that falls silent in the midst of AUTH gets 451, and is dropped; nobody is asked about it."""
    qmail.control["timeoutsmtpd"] = "1\n"
    qmail.authenticate("")
    async with qmail.session() as smtp:
        replies = await smtp.commands("AUTH LOGIN", encoded("alice"))
        assert [reply.code for reply in replies] == [334, 334], replies
        await _times_out(smtp)
    await _ends(qmail)
    assert await qmail.hook_calls("checkpassword") == []
