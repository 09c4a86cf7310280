"""0009: how RCPTCHECK's program is run, what it finds, and what becomes of its end, input and output."""

from conformance.cases.credentials import plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.smtp.reply import Reply
from conformance.smtp.session import Session

SOURCE = "patch:0009 smtpd-rcptcheck: addrvalid"
ALICE, BOB, CAROL = "alice@here.example", "bob@here.example", "carol@here.example"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


# Exit statuses


@requirement("0009.exit-other.each", source=SOURCE, role="guard")
async def test_every_other_exit(qmail: Qmail) -> None:
    """Exit statuses beside 100, 111 and 120 accept, those next to them too."""
    qmail.check_recipients(statuses=[2, 99, 101, 110, 112, 119, 121, 255])
    said = await qmail.envelope("a@b.example", [ALICE] * 8, MESSAGE)
    assert [reply.code for reply in said] == [250] * 9 + [354, 250], said
    assert await qmail.queued_recipients() == [[ALICE] * 8]


@requirement("0009.exit-100.first", source=SOURCE)
async def test_refused_in_the_first_place(qmail: Qmail) -> None:
    """A refusal of the first recipient says nothing of the second, which alone is queued."""
    qmail.check_recipients(statuses=[100, 0])
    said = await qmail.envelope("a@b.example", [ALICE, BOB], MESSAGE)
    assert [reply.code for reply in said] == [250, 553, 250, 354, 250], said
    assert await qmail.queued_recipients() == [[BOB]]


@requirement("0009.exit-100.same-again", source=SOURCE)
async def test_asked_again(qmail: Qmail) -> None:
    """A recipient that is named again is asked about again, and each answer counts for itself."""
    qmail.check_recipients(statuses=[100, 0, 100])
    said = await qmail.envelope("a@b.example", [ALICE] * 3, MESSAGE)
    assert [reply.code for reply in said] == [250, 553, 250, 553, 354, 250], said
    assert await qmail.queued_recipients() == [[ALICE]]


@requirement("0009.exit-120.second", source=SOURCE)
async def test_not_executed_in_the_second_place(qmail: Qmail) -> None:
    """Exit status 120 for the second recipient ends the session, and nothing is queued."""
    qmail.check_recipients(statuses=[0, 120])
    async with qmail.session() as smtp:
        said = await smtp.envelope("a@b.example", [ALICE, BOB])
        assert [reply.code for reply in said] == [250, 250, 421], said
        assert await smtp.closed(), "the connection stays open"
    assert await qmail.queue() == []


@requirement("0009.program.once", source=SOURCE)
async def test_once_whatever_it_says(qmail: Qmail) -> None:
    """The program is run once for a recipient, accepted or refused, and not again at DATA."""
    qmail.check_recipients({BOB: 100})
    await qmail.envelope("a@b.example", [ALICE, BOB, CAROL], MESSAGE)
    asked = [call.environment.get("RECIPIENT") for call in await qmail.hook_calls()]
    assert asked == [ALICE, BOB, CAROL], asked


@requirement("0009.refused-before.without-mail", source="patch:0009 smtpd-rcptcheck: smtp_rcpt", role="guard")
async def test_not_run_without_mail(qmail: Qmail) -> None:
    """RCPT without MAIL before it is refused with 503, and the program is not run."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        reply = await smtp.command(f"RCPT TO:<{ALICE}>")
        assert reply.code == 503, reply
    assert await qmail.hook_calls() == []


@requirement("0009.refused-before.too-long", source="patch:0009 smtpd-rcptcheck: smtp_rcpt", role="guard")
async def test_not_run_for_what_is_too_long(qmail: Qmail) -> None:
    """A recipient of more than 900 octets is refused with 555, and the program is not run."""
    qmail.check_recipients()
    reply = await qmail.recipient("x" * 900 + "@here.example")
    assert reply.code == 555, reply
    assert await qmail.hook_calls() == []


@requirement(
    "0009.refused-before.no-address",
    source="rfc5321:4.1.1.3, rfc5321:3.3; patch:0009 smtpd-rcptcheck: smtp_rcpt",
    role="guard",
)
async def test_not_run_for_nobody(qmail: Qmail) -> None:
    """RCPT with an empty address names no recipient: the program is not run for it."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.commands("MAIL FROM:<a@b.example>", "RCPT TO:<>")
    asked = [call.environment.get("RECIPIENT") for call in await qmail.hook_calls()]
    assert asked == [], f"asked about {asked}"


@requirement("0009.program.empty", source=SOURCE)
async def test_empty(qmail: Qmail) -> None:
    """RCPTCHECK set and empty names no program that can be run: 421, and nobody is accepted unchecked."""
    qmail.environment["RCPTCHECK"] = ""
    reply = await qmail.recipient(ALICE)
    assert (reply.code, "unable to execute" in reply.text) == (421, True), reply


@requirement(
    "0009.program.hangs", source="rfc5321:4.5.3.2; qmail-smtpd(8) timeoutsmtpd", level="should", waits=4
)
async def test_hang(qmail: Qmail) -> None:
    """A program that never ends holds the client no longer than timeoutsmtpd: 421, and nobody is accepted."""
    qmail.check_recipients(fate="hang")
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        reply = await smtp.command(f"RCPT TO:<{ALICE}>", limit=4)
        assert reply.code == 421, reply


@requirement("0009.program.hang-not-accepted", source=SOURCE, waits=4)
async def test_hang_is_not_acceptance(qmail: Qmail) -> None:
    """A recipient about whom the program says nothing is not accepted, however long that lasts."""
    qmail.check_recipients(fate="hang")
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        reply = await smtp.command(f"RCPT TO:<{ALICE}>", limit=4)
        assert reply.code != 250, reply


@requirement(
    "0009.process.client-gone", source="qmail-smtpd(8) timeoutsmtpd; rfc5321:4.5.3.2", level="should", waits=4
)
async def test_hang_without_a_client(qmail: Qmail) -> None:
    """A program that never ends keeps no process whose client has gone longer than timeoutsmtpd."""
    qmail.check_recipients(fate="hang")
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        await smtp.send(f"RCPT TO:<{ALICE}>\r\n".encode())
        assert (await smtp.reply(limit=0.2)).why == "silent"
    for _ in range(2):  # two others that are silent until they are dropped: two seconds have passed
        async with qmail.session() as smtp:
            assert (await smtp.reply(limit=4)).code == 451
    ends = [session.status for session in await qmail.session_ends()]
    assert ends == [1, 1, 1], f"exit statuses {ends}"


# How it is run


@requirement("0009.program.account", source=SOURCE)
async def test_account(qmail: Qmail) -> None:
    """The program runs as qmail-smtpd's user, group and groups, and with its umask."""
    qmail.check_recipients()
    await qmail.recipient(ALICE)
    found = [(call.account, call.group, call.groups, call.umask) for call in await qmail.hook_calls()]
    assert found == [("qmaild", "nofiles", ["nofiles"], "0022")], found


@requirement("0009.descriptors.none-besides", source=SOURCE)
async def test_no_descriptor_besides(qmail: Qmail) -> None:
    """The program has the log on 2, and nothing of qmail-smtpd's control files and messages on any other."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [ALICE], MESSAGE)
        await smtp.envelope("a@b.example", [BOB])
    found = [call.descriptors for call in await qmail.hook_calls()]
    assert [list(each) for each in found] == [["0", "1", "2"]] * 2, found
    assert [each["2"] for each in found] == ["log"] * 2, found


@requirement("0009.descriptors.after-auth", source=SOURCE + "; patch:0008 qmail-smtpd.c: authenticate")
async def test_no_descriptor_after_failed_attempts(qmail: Qmail) -> None:
    """Of three failed attempts to authenticate no descriptor is left to the program."""
    qmail.authenticate("", fate="crash")
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.commands(*[f"AUTH PLAIN {plain('alice')}"] * 3)
        await smtp.envelope("a@b.example", [ALICE])
    found = [list(call.descriptors) for call in await qmail.hook_calls()]
    assert found == [["0", "1", "2"]], found


@requirement("0009.program.no-child-left", source=SOURCE + ", wait_pid")
async def test_no_child_is_left(qmail: Qmail) -> None:
    """Each run has been waited for before the next one, and before qmail-queue: no dead child is left."""
    qmail.check_recipients({BOB: 100})
    qmail.queue_with()
    await qmail.envelope("a@b.example", [ALICE, BOB, CAROL], MESSAGE)
    found = [(call.program, call.siblings) for call in (await qmail.observe()).hook_calls]
    assert found == [("rcptcheck", 0)] * 3 + [("qmail-queue", 0)], found


# Input and output


@requirement("0009.input.pipelined", source="rfc2920:3.2; " + SOURCE, role="guard")
async def test_pipelined_commands(qmail: Qmail) -> None:
    """A program that reads its input takes nothing of the few commands that came in the same write."""
    qmail.check_recipients(reads=True)
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", f"RCPT TO:<{ALICE}>", "NOOP", "RSET"]
        replies = await smtp.pipeline(lines)
    assert [reply.code for reply in replies] == [250] * 4, replies


async def _last_reply(smtp: Session) -> Reply:
    """The first reply that is not 250."""
    while (reply := await smtp.reply(limit=2)).code == 250:
        pass
    return reply


@requirement("0009.input.many-commands", source="rfc2920:3.2; " + SOURCE, role="guard", waits=4)
async def test_many_pipelined_commands(qmail: Qmail) -> None:
    """A program that reads its input takes nothing of the many commands that came in the same write."""
    qmail.check_recipients(reads=True)
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", f"RCPT TO:<{ALICE}>", *["NOOP"] * 400, "QUIT"]
        await smtp.send("".join(f"{line}\r\n" for line in lines).encode())
        last = await _last_reply(smtp)
        assert last.code == 221, f"the program has read what was for qmail-smtpd: {last}"


@requirement("0009.input.later-write", source="rfc2920:3.2; " + SOURCE, role="guard", waits=4)
async def test_a_later_write(qmail: Qmail) -> None:
    """A program that reads its input takes nothing of what the client says while it runs."""
    qmail.check_recipients(reads=True)
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        await smtp.command(f"RCPT TO:<{ALICE}>", limit=0.3)  # while the program runs, there is no reply
        await smtp.send(b"NOOP\r\nQUIT\r\n")
        last = await _last_reply(smtp)
        assert last.code == 221, f"the program has read what was for qmail-smtpd: {last}"


@requirement("0009.output.errors", source=SOURCE + ": descriptor 2 is left as it is")
async def test_errors(qmail: Qmail) -> None:
    """What the program writes to standard error is in the log, and the client sees nothing of it."""
    qmail.check_recipients(complains="the program is unhappy\n", default=100)
    async with qmail.session() as smtp:
        replies = await smtp.envelope("a@b.example", [ALICE])
        replies.append(await smtp.command("NOOP"))
    assert [(reply.code, len(reply.lines)) for reply in replies] == [(250, 1), (553, 1), (250, 1)], replies
    assert "the program is unhappy" in (await qmail.observe()).log


# With VERIFY


@requirement("0009.verify.both", needs=("0002",), source=SOURCE + "; qmail-smtpd(8) RECIPIENT VERIFICATION")
async def test_both(qmail: Qmail) -> None:
    """With VERIFY as well, a recipient is accepted when the program and qmail-verify both say so."""
    qmail.verifying = True
    qmail.environment["VERIFY"] = ":"
    qmail.check_recipients({BOB: 100})
    said = await qmail.envelope("a@b.example", [ALICE, BOB, "nobody@here.example"])
    assert [reply.code for reply in said] == [250, 250, 553, 550], said


@requirement(
    "0009.verify.asked-first",
    needs=("0002",),
    source="patch:0009 smtpd-rcptcheck: smtp_rcpt, before verifyrcpt",
)
async def test_the_program_is_asked_first(qmail: Qmail) -> None:
    """The program is asked before qmail-verify: it is run for a recipient too that VERIFY refuses."""
    qmail.verifying = True
    qmail.environment["VERIFY"] = ":"
    qmail.check_recipients()
    said = await qmail.envelope("a@b.example", ["nobody@here.example", ALICE])
    assert [reply.code for reply in said] == [250, 550, 250], said
    asked = [call.environment["RECIPIENT"] for call in await qmail.hook_calls()]
    assert asked == ["nobody@here.example", ALICE], asked


@requirement(
    "0009.verify.deferred", needs=("0002",), source=SOURCE + "; qmail-smtpd(8) RECIPIENT VERIFICATION"
)
async def test_deferred(qmail: Qmail) -> None:
    """With VERIFY deferred, one run for each recipient, and DATA is refused for one that does not exist."""
    qmail.verifying = True
    qmail.environment["VERIFY"] = "DEFER"
    qmail.check_recipients()
    said = await qmail.envelope("a@b.example", [ALICE, "nobody@here.example", BOB], MESSAGE)
    assert [reply.code for reply in said] == [250, 250, 250, 250, 554], said
    asked = [call.environment["RECIPIENT"] for call in await qmail.hook_calls()]
    assert asked == [ALICE, "nobody@here.example", BOB], asked


@requirement(
    "0009.verify.refused-is-not-asked", source="patch:0009 smtpd-rcptcheck: smtp_rcpt, before verifyrcpt"
)
async def test_what_the_program_refuses_is_not_verified(qmail: Qmail) -> None:
    """A recipient that the program refused is no reason for VERIFY, deferred, to refuse the message."""
    qmail.verifying = True
    qmail.environment["VERIFY"] = "DEFER"
    qmail.check_recipients({"nobody@here.example": 100})
    said = await qmail.envelope("a@b.example", ["nobody@here.example", ALICE], MESSAGE)
    assert [reply.code for reply in said] == [250, 553, 250, 354, 250], said
    assert await qmail.queued_recipients() == [[ALICE]]
