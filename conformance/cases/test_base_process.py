"""Base qmail: the process behind a session. How it ends, how it ends the connection, and what it holds."""

from conformance.cases.credentials import plain
from conformance.cases.qmail import SUBMITTED, Qmail, only
from conformance.catalogue import requirement
from conformance.pod.observation import SmtpdProcess
from conformance.smtp.session import Session

KNOWN = "alice@here.example"
FOREIGN = "x@elsewhere.example"
#: An address long enough for what is kept of it to show.
LONG = "x" * 400
#: KiB that a process may grow by over commands that leave nothing behind: pages that it touches at last.
SLACK = 32
#: Commands of a kind: what a few octets of each would leave behind goes beyond that.
MANY = 1000
HOLDS = "rfc5321:4.1.1.5; package source, qmail-smtpd.c: main"


async def _held(qmail: Qmail) -> SmtpdProcess:
    """What the one session holds, which runs."""
    session = only(await qmail.session_ends(), "sessions")
    assert session.status is None, f"qmail-smtpd has ended: {session}"
    return session


async def _often(smtp: Session, lines: list[str], times: int) -> list[int]:
    """Say these lines so many times, in batches; the codes of the first time round."""
    codes: list[int] = []
    batch = max(1, 100 // len(lines))
    for _ in range(0, times, batch):
        codes += [reply.code for reply in await smtp.pipeline(lines * batch)]
    assert codes == codes[: len(lines)] * (len(codes) // len(lines)), "the same line is answered differently"
    return codes[: len(lines)]


async def _stays_small(qmail: Qmail, smtp: Session, lines: list[str], codes: list[int]) -> None:
    """Over many commands the process keeps what it had: memory, descriptors, children."""
    assert await _often(smtp, lines, 1) == codes
    before = await _held(qmail)
    await _often(smtp, lines, MANY // len(lines))
    after = await _held(qmail)
    grown = after.memory - before.memory
    assert grown <= SLACK, f"memory has grown by {grown} KiB"
    held = [(each.descriptors, each.children) for each in (before, after)]
    assert held == [(3, 0)] * 2, f"descriptors and children: {held}"


@requirement("base.process.quit", source="rfc5321:4.1.1.10; package source, qmail-smtpd.c: smtp_quit")
async def test_the_end_by_quit(qmail: Qmail) -> None:
    """After QUIT the process exits with 0, and the connection is closed and not reset."""
    async with qmail.session() as smtp:
        assert (await smtp.command("QUIT")).code == 221
        assert await smtp.closed(), "the connection stays open"
    session = only(await qmail.session_ends(), "sessions")
    assert session.status == 0, session
    assert not session.reset, session


@requirement("base.process.quit-pipelined", source="rfc2920:3.2; rfc5321:4.1.1.10")
async def test_quit_behind_other_commands(qmail: Qmail) -> None:
    """QUIT in one write with commands before it: all are answered, and then the connection is closed."""
    async with qmail.session() as smtp:
        replies = await smtp.pipeline(["MAIL FROM:<a@b.example>", f"RCPT TO:<{KNOWN}>", "RSET", "QUIT"])
        assert [reply.code for reply in replies] == [250, 250, 250, 221], replies
        assert await smtp.closed(), "the connection stays open"
    session = only(await qmail.session_ends(), "sessions")
    assert (session.status, session.reset) == (0, False), session


@requirement("base.process.lost", source="rfc5321:4.1.1.10; package source, qmail-smtpd.c: die_read")
async def test_the_end_by_a_client_that_goes(qmail: Qmail) -> None:
    """A client that goes without QUIT, also in a command or in DATA, ends the process: it exits with 1."""
    async with qmail.session(hello=False):
        pass
    async with qmail.session() as smtp:
        await smtp.send(b"MAIL FROM:<a@b.exam")
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN])
        assert (await smtp.command("DATA")).code == 354
        await smtp.send(b"Subject: x\r\n\r\nno end")
    ends = [session.status for session in await qmail.session_ends()]
    assert ends == [1, 1, 1], ends
    assert await qmail.queue() == []


@requirement("base.process.half-closed", source="rfc5321:4.1.1.10; package source, qmail-smtpd.c: die_read")
async def test_the_end_by_a_client_that_says_no_more(qmail: Qmail) -> None:
    """A client that half closes gets the replies to all that it said, and then the process ends."""
    async with qmail.session() as smtp:
        await smtp.send(b"NOOP\r\nRSET\r\nNOOP\r\n")
        await smtp.half_close()
        codes = [(await smtp.reply()).code for _ in range(3)]
        assert codes == [250, 250, 250], codes
        assert await smtp.closed(), "the connection stays open"
    session = only(await qmail.session_ends(), "sessions")
    assert session.status == 1, session


@requirement("base.process.small-commands", source=HOLDS)
async def test_commands_of_all_kinds(qmail: Qmail) -> None:
    """A thousand commands of all kinds leave nothing behind: no memory, no descriptor, no child."""
    async with qmail.session(hello=False) as smtp:
        lines = [f"HELO {LONG}", f"NOOP {LONG}", f"VRFY {LONG}", f"HELP {LONG}", "RSET"]
        await _stays_small(qmail, smtp, lines, [250, 250, 252, 214, 250])


@requirement("base.process.small-unknown", source=HOLDS)
async def test_many_unknown_commands(qmail: Qmail) -> None:
    """A thousand commands that are unknown leave nothing behind."""
    async with qmail.session() as smtp:
        first = await smtp.command(f"XYZZY {LONG}")
        assert first.code in (500, 502), first
        await _stays_small(qmail, smtp, [f"XYZZY {LONG}"], [first.code])


@requirement("base.process.small-transactions", source=HOLDS)
async def test_many_transactions(qmail: Qmail) -> None:
    """A thousand transactions, some of them reset and some begun anew by MAIL, leave nothing behind."""
    async with qmail.session() as smtp:
        envelope = [f"MAIL FROM:<{LONG}@b.example>", f"RCPT TO:<{LONG}@here.example>"]
        await _stays_small(qmail, smtp, [*envelope, *envelope, "RSET"], [250] * 5)


@requirement("base.process.small-refused", source=HOLDS)
async def test_many_refused_recipients(qmail: Qmail) -> None:
    """A thousand recipients that are refused leave nothing behind."""
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@b.example>")).code == 250
        await _stays_small(qmail, smtp, [f"RCPT TO:<{LONG}@elsewhere.example>"], [553])


@requirement("base.process.small-recipients", source="package source, qmail-smtpd.c: smtp_rcpt")
async def test_many_recipients(qmail: Qmail) -> None:
    """A thousand recipients take the memory of their addresses, and less than twice as much again."""
    recipient = f"{LONG}@here.example"
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [recipient])
        before = await _held(qmail)
        assert await _often(smtp, [f"RCPT TO:<{recipient}>"], MANY) == [250]
        after = await _held(qmail)
        grown = after.memory - before.memory
        assert grown <= 3 * len(recipient) * MANY // 1024 + SLACK, f"memory has grown by {grown} KiB"
        assert (after.descriptors, after.children) == (3, 0), after


@requirement("base.process.small-messages", source="package source, qmail.c: qmail_close")
async def test_twenty_messages(qmail: Qmail) -> None:
    """Twenty messages of a session, accepted, too large, looping, leave no descriptor and no child."""
    qmail.control["databytes"] = "5000\n"
    async with qmail.session() as smtp:
        messages = [SUBMITTED, b"x" * 6000 + b"\r\n", b"Received: x\r\n" * 100 + b"\r\nx\r\n", SUBMITTED]
        said = [(await smtp.envelope("a@b.example", [KNOWN], message))[-1].code for message in messages * 5]
        assert said == [250, 552, 554, 250] * 5, said
        held = await _held(qmail)
        assert (held.descriptors, held.children) == (3, 0), held
    assert len(await qmail.queue()) == 10


@requirement(
    "base.process.small-verify", patch="0002", source="qmail-smtpd(8) RECIPIENT VERIFICATION; " + HOLDS
)
async def test_a_hundred_verified_recipients(qmail: Qmail) -> None:
    """A hundred recipients that are verified, and half refused, leave no descriptor and no child behind."""
    qmail.verifying, qmail.environment["VERIFY"] = True, ":"
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@b.example>")).code == 250
        codes = await _often(smtp, [f"RCPT TO:<{KNOWN}>", "RCPT TO:<nobody-at-all@here.example>"], 50)
        assert codes == [250, 550], codes
        held = await _held(qmail)
        assert held.descriptors <= 4, held  # one socket may serve them all
        assert held.children == 0, held


@requirement("0009.process.small", source="patch:0009 smtpd-rcptcheck; rfc5321:4.1.1.5", role="guard")
async def test_many_runs_of_the_program(qmail: Qmail) -> None:
    """Twenty runs of RCPTCHECK's program, for recipients accepted and refused, leave nothing behind."""
    qmail.check_recipients({KNOWN: 100})
    async with qmail.session() as smtp:
        assert (await smtp.command("MAIL FROM:<a@b.example>")).code == 250
        await _often(smtp, ["RCPT TO:<bob@here.example>"], 10)
        await smtp.commands(*[f"RCPT TO:<{KNOWN}>"] * 10)
        held = await _held(qmail)
        assert (held.descriptors, held.children) == (3, 0), held


@requirement(
    "0008.process.small", source="patch:0008 qmail-smtpd.c authenticate; rfc4954:4", role="guard", waits=5
)
async def test_authentication_leaves_nothing(qmail: Qmail) -> None:
    """After AUTH that failed, was cancelled, or succeeded, no descriptor and no child is left."""
    qmail.authenticate("+cram")
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        held = [await _held(qmail)]
        await smtp.commands("AUTH CRAM-MD5", "*", f"AUTH PLAIN {plain('alice')}")
        held.append(await _held(qmail))
    told = [(each.descriptors, each.children) for each in held]
    assert told == [(3, 0)] * 2, f"descriptors and children: {told}"
