"""0008: checkprogram and subprogram: how they are run, what they find, and what becomes of their end."""

from conformance.cases.credentials import plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.configuration import CHECKPROGRAM, SUBPROGRAM, Program
from conformance.smtp.session import Session

MANUAL = "qmail-smtpd(8) with patch:0008"
README = "patch:0008 README.auth"
SOURCE = "patch:0008 qmail-smtpd.c: authenticate"
FOREIGN = "x@elsewhere.example"
ALICE = "alice@here.example"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
LOGIN = f"AUTH PLAIN {plain('alice')}"


async def _is_not_accepted(smtp: Session) -> None:
    """Right credentials are refused, and nothing is relayed afterwards."""
    reply = await smtp.command(LOGIN)
    assert reply.code >= 400, reply
    _, relayed = await smtp.envelope("alice@here.example", [FOREIGN])
    assert relayed.code == 553, relayed


async def _program_ends(qmail: Qmail, status: int) -> None:
    qmail.authenticate("", checkprogram=Program(default=status))
    async with qmail.session() as smtp:
        await _is_not_accepted(smtp)


async def _subprogram_ends(qmail: Qmail, subprogram: Program) -> None:
    qmail.authenticate("", subprogram=subprogram)
    async with qmail.session() as smtp:
        await _is_not_accepted(smtp)


# Exit statuses, of which 0 alone accepts


@requirement("0008.program.exit-0", source=MANUAL + ": return 0 to qmail-smtpd")
async def test_exit_0(qmail: Qmail) -> None:
    """A checkprogram that exits with 0 has accepted: 235, and the client may relay."""
    qmail.authenticate("", checkprogram=Program())
    async with qmail.session() as smtp:
        reply = await smtp.command(LOGIN)
        assert reply.code == 235, reply
        _, relayed = await smtp.envelope("alice@here.example", [FOREIGN])
        assert relayed.code == 250, relayed


@requirement("0008.program.exit-2", source=MANUAL + ": any nonzero return value", role="guard", waits=5)
async def test_exit_2(qmail: Qmail) -> None:
    """A checkprogram that exits with 2 (misused) has not accepted."""
    await _program_ends(qmail, 2)


@requirement("0008.program.exit-100", source=MANUAL + ": any nonzero return value", role="guard", waits=5)
async def test_exit_100(qmail: Qmail) -> None:
    """A checkprogram that exits with 100 has not accepted."""
    await _program_ends(qmail, 100)


@requirement("0008.program.exit-111", source=MANUAL + ": any nonzero return value", role="guard", waits=5)
async def test_exit_111(qmail: Qmail) -> None:
    """A checkprogram that exits with 111 (a temporary problem) has not accepted."""
    await _program_ends(qmail, 111)


@requirement("0008.program.exit-255", source=MANUAL + ": any nonzero return value", role="guard", waits=5)
async def test_exit_255(qmail: Qmail) -> None:
    """A checkprogram that exits with 255 has not accepted."""
    await _program_ends(qmail, 255)


@requirement("0008.program.subprogram-100", source=MANUAL + " subprogram", role="guard", waits=5)
async def test_subprogram_exit_100(qmail: Qmail) -> None:
    """A subprogram that exits with 100 has not accepted, whatever the password."""
    await _subprogram_ends(qmail, Program(default=100))


@requirement("0008.program.subprogram-111", source=MANUAL + " subprogram", role="guard", waits=5)
async def test_subprogram_exit_111(qmail: Qmail) -> None:
    """A subprogram that exits with 111 has not accepted, whatever the password."""
    await _subprogram_ends(qmail, Program(default=111))


@requirement("0008.program.subprogram-crash", source=MANUAL + " subprogram", role="guard")
async def test_subprogram_crash(qmail: Qmail) -> None:
    """A subprogram that dies by a signal has not accepted, whatever the password."""
    await _subprogram_ends(qmail, Program(fate="crash"))


@requirement("0008.program.subprogram-missing", source=MANUAL + " subprogram", role="guard", waits=5)
async def test_subprogram_missing(qmail: Qmail) -> None:
    """A subprogram that is not there has not accepted, whatever the password."""
    await _subprogram_ends(qmail, Program(fate="missing"))


@requirement(
    "0008.program.hangs", source="rfc5321:4.5.3.2; qmail-smtpd(8) timeoutsmtpd", level="should", waits=4
)
async def test_hang(qmail: Qmail) -> None:
    """A checkprogram that never ends holds the client no longer than timeoutsmtpd: refused for now."""
    qmail.authenticate("", checkprogram=Program(fate="hang"))
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        reply = await smtp.command(LOGIN, limit=4)
        assert reply.code // 100 == 4, reply


@requirement("0008.program.hang-not-accepted", source=MANUAL + " subprogram", role="guard", waits=4)
async def test_hang_is_not_acceptance(qmail: Qmail) -> None:
    """A checkprogram that says nothing has not accepted, however long that lasts."""
    qmail.authenticate("", checkprogram=Program(fate="hang"))
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        reply = await smtp.command(LOGIN, limit=4)
        assert reply.code != 235, reply


# Arguments of qmail-smtpd


@requirement("0008.arguments.none", source=README + " Setup: checkprogram, subprogram", role="guard")
async def test_no_arguments(qmail: Qmail) -> None:
    """qmail-smtpd without any argument authenticates nobody."""
    qmail.authenticate("", arguments=[])
    async with qmail.session() as smtp:
        await _is_not_accepted(smtp)


@requirement("0008.arguments.one", source=README + " Setup: checkprogram, subprogram", role="guard", waits=5)
async def test_one_argument(qmail: Qmail) -> None:
    """qmail-smtpd with a checkprogram and no subprogram authenticates nobody."""
    qmail.authenticate("", arguments=[CHECKPROGRAM])
    async with qmail.session() as smtp:
        await _is_not_accepted(smtp)


@requirement(
    "0008.arguments.host-name", source=README + " Setup: no hostname in the call", role="guard", waits=5
)
async def test_old_arguments(qmail: Qmail) -> None:
    """With the arguments of older patches, a host name before the checkprogram, nobody is authenticated."""
    qmail.authenticate("", arguments=["mx.here.example", CHECKPROGRAM, SUBPROGRAM])
    async with qmail.session() as smtp:
        await _is_not_accepted(smtp)


# How the checkprogram is run


@requirement("0008.checkprogram.surroundings", source=MANUAL + "; " + SOURCE)
async def test_surroundings(qmail: Qmail) -> None:
    """The checkprogram is run once, with the other argument, by qmail-smtpd's user, in the qmail home."""
    qmail.authenticate("")
    await qmail.reply_to(LOGIN)
    calls = await qmail.hook_calls("checkpassword")
    found = [(call.arguments, call.directory, call.account, call.group, call.umask) for call in calls]
    assert found == [(["/bin/true"], qmail.home, "qmaild", "nofiles", "0022")], found


@requirement("0008.checkprogram.descriptors", source=MANUAL + ": reads on file descriptor 3; " + SOURCE)
async def test_descriptors(qmail: Qmail) -> None:
    """The checkprogram has the credentials on 3, the log on 2, and no descriptor beyond."""
    qmail.authenticate("")
    await qmail.reply_to(LOGIN)
    found = [call.descriptors for call in await qmail.hook_calls("checkpassword")]
    assert [list(each) for each in found] == [["0", "1", "2", "3"]], found
    assert (found[0]["2"], found[0]["3"]) == ("log", "pipe"), found


@requirement("0008.checkprogram.signals", source=SOURCE + ", sig_pipedefault")
async def test_signals(qmail: Qmail) -> None:
    """The checkprogram is started with no signal ignored, though qmail-smtpd ignores SIGPIPE."""
    qmail.authenticate("")
    await qmail.reply_to(LOGIN)
    ignored = [call.ignores for call in await qmail.hook_calls("checkpassword")]
    assert ignored == [[]], ignored


@requirement("0008.subprogram.surroundings", source=MANUAL + " subprogram; " + SOURCE)
async def test_surroundings_of_the_subprogram(qmail: Qmail) -> None:
    """The subprogram finds the user, the group, the umask and the directory of the checkprogram."""
    qmail.authenticate("", subprogram=Program())
    await qmail.reply_to(LOGIN)
    calls = await qmail.hook_calls("subprogram")
    found = [(call.directory, call.account, call.group, call.umask) for call in calls]
    assert found == [(qmail.home, "qmaild", "nofiles", "0022")], found


@requirement("0008.subprogram.descriptors", source=MANUAL + " subprogram; " + SOURCE)
async def test_descriptors_of_the_subprogram(qmail: Qmail) -> None:
    """The subprogram has the log on 2, no credentials and nothing else beyond, and no signal ignored."""
    qmail.authenticate("", subprogram=Program())
    await qmail.reply_to(LOGIN)
    calls = await qmail.hook_calls("subprogram")
    found = [(list(call.descriptors), call.descriptors.get("2"), call.ignores) for call in calls]
    assert found == [(["0", "1", "2"], "log", [])], found


@requirement("0008.checkprogram.errors", source=README + ": logging to STDERR")
async def test_errors(qmail: Qmail) -> None:
    """What the checkprogram writes to standard error is in the log, and the client sees nothing of it."""
    qmail.authenticate("", checkprogram=Program(complains="the program is unhappy\n"))
    reply = await qmail.reply_to(LOGIN)
    assert reply.code == 235, reply
    assert "the program is unhappy" in (await qmail.observe()).log


@requirement("0008.checkprogram.output", source="rfc5321:4.2", role="guard")
async def test_output(qmail: Qmail) -> None:
    """What the checkprogram prints is no reply to the client."""
    qmail.authenticate("", checkprogram=Program(says="299 printed by the program\r\n"))
    async with qmail.session() as smtp:
        replies = await smtp.commands(LOGIN, "NOOP")
        assert [reply.code for reply in replies if reply.code in (299, 250)] == [250], replies


@requirement("0008.checkprogram.nothing-left", source=SOURCE, role="guard")
async def test_nothing_is_left_of_earlier_runs(qmail: Qmail) -> None:
    """Of five failed attempts no descriptor and no dead child is left to qmail-queue's run."""
    qmail.authenticate("", fate="crash")
    qmail.queue_with()
    async with qmail.session() as smtp:
        await smtp.commands(*[LOGIN] * 5)
        await smtp.envelope("a@b.example", [ALICE], MESSAGE)
    found = [(list(call.descriptors), call.siblings) for call in await qmail.hook_calls("qmail-queue")]
    assert found == [(["0", "1", "2"], 0)], found


@requirement(
    "0008.checkprogram.morercpthosts", source=README + ": sustain reading of control/morercpthosts.cdb"
)
async def test_morercpthosts_before(qmail: Qmail) -> None:
    """Where morercpthosts is open the checkprogram still reads the credentials on descriptor 3."""
    qmail.control["morercpthosts"] = "more.example\n"
    qmail.authenticate("")
    reply = await qmail.reply_to(LOGIN)
    assert reply.code == 235, reply


@requirement(
    "0008.checkprogram.morercpthosts-after",
    source=README + ": sustain reading of control/morercpthosts.cdb",
    role="guard",
)
async def test_morercpthosts_after(qmail: Qmail) -> None:
    """After a failed attempt a recipient in morercpthosts is still accepted, another one still refused."""
    qmail.control["morercpthosts"] = "more.example\n"
    qmail.authenticate("", fate="crash")
    async with qmail.session() as smtp:
        await smtp.command(LOGIN)
        said = await smtp.envelope("a@b.example", ["x@more.example", FOREIGN])
        assert [reply.code for reply in said] == [250, 250, 553], said


# Environments


@requirement("0008.environment.failure", source=MANUAL + " RELAYCLIENT, TCPREMOTEINFO; " + SOURCE)
async def test_environment_of_a_failure(qmail: Qmail) -> None:
    """The checkprogram has qmail-smtpd's environment, which after its failure is as it was."""
    qmail.authenticate("", fate="crash")
    qmail.queue_with()
    async with qmail.session() as smtp:
        await smtp.command(LOGIN)
        await smtp.envelope("a@b.example", [ALICE], MESSAGE)
    calls = (await qmail.observe()).hook_calls
    assert [call.program for call in calls] == ["checkpassword", "qmail-queue"], calls
    assert calls[0].environment == calls[1].environment, calls
    assert not {"TCPREMOTEINFO", "RELAYCLIENT"} & set(calls[1].environment), calls[1].environment


@requirement("0008.environment.success", source=MANUAL + ": setting $RELAYCLIENT and $TCPREMOTEINFO")
async def test_environment_of_success(qmail: Qmail) -> None:
    """After success the environment has RELAYCLIENT, empty, TCPREMOTEINFO, the user, and nothing more."""
    qmail.authenticate("")
    qmail.queue_with()
    async with qmail.session() as smtp:
        await smtp.command(LOGIN)
        await smtp.envelope("a@b.example", [ALICE], MESSAGE)
    calls = (await qmail.observe()).hook_calls
    assert [call.program for call in calls] == ["checkpassword", "qmail-queue"], calls
    wanted = calls[0].environment | {"RELAYCLIENT": "", "TCPREMOTEINFO": "alice"}
    assert calls[1].environment == wanted, calls[1].environment


@requirement("0008.environment.replaced", source=MANUAL + ": any supplied value replaced with the user name")
async def test_environment_is_replaced(qmail: Qmail) -> None:
    """A TCPREMOTEINFO that tcpserver supplied is replaced with the user's name."""
    qmail.authenticate("")
    qmail.queue_with()
    qmail.environment["TCPREMOTEINFO"] = "ident"
    async with qmail.session() as smtp:
        await smtp.command(LOGIN)
        await smtp.envelope("a@b.example", [ALICE], MESSAGE)
    found = [call.environment.get("TCPREMOTEINFO") for call in (await qmail.observe()).hook_calls]
    assert found == ["ident", "alice"], found


@requirement("0008.environment.stranger", source="rfc4954:5", role="guard")
async def test_a_stranger_is_nobody(qmail: Qmail) -> None:
    """AUTH= of a client that has not authenticated makes nobody known to qmail-queue's program."""
    qmail.authenticate("")
    qmail.queue_with()
    lines = ["MAIL FROM:<a@b.example> AUTH=carol", f"RCPT TO:<{ALICE}>"]
    async with qmail.session() as smtp:
        await smtp.commands(*lines, message=MESSAGE)
    found = [call.environment.get("TCPREMOTEINFO") for call in await qmail.hook_calls("qmail-queue")]
    assert found == [None], f"TCPREMOTEINFO is {found}"


@requirement("0008.environment.ident", source="rfc4954:5; tcp-environ(5)", role="guard")
async def test_ident_is_kept(qmail: Qmail) -> None:
    """AUTH= of a client that has not authenticated does not replace what tcpserver knows of it."""
    qmail.authenticate("")
    qmail.queue_with()
    qmail.environment["TCPREMOTEINFO"] = "ident"
    lines = ["MAIL FROM:<a@b.example> AUTH=carol", f"RCPT TO:<{ALICE}>"]
    async with qmail.session() as smtp:
        await smtp.commands(*lines, message=MESSAGE)
    found = [call.environment.get("TCPREMOTEINFO") for call in await qmail.hook_calls("qmail-queue")]
    assert found == ["ident"], found


@requirement("0008.environment.user", source=MANUAL + " TCPREMOTEINFO; rfc4954:5")
async def test_the_user_is_kept(qmail: Qmail) -> None:
    """AUTH= of a client that has authenticated as somebody else does not change who it is."""
    qmail.authenticate("")
    qmail.queue_with()
    lines = [LOGIN, "MAIL FROM:<a@b.example> AUTH=carol", f"RCPT TO:<{ALICE}>"]
    async with qmail.session() as smtp:
        await smtp.commands(*lines, message=MESSAGE)
    found = [call.environment.get("TCPREMOTEINFO") for call in await qmail.hook_calls("qmail-queue")]
    assert found == ["alice"], found


@requirement("0008.success.not-checked", source=MANUAL + " RELAYCLIENT; patch:0009 smtp_rcpt")
async def test_not_run_after_auth(qmail: Qmail) -> None:
    """A client that has authenticated may relay, so RCPTCHECK's program is not run for it."""
    qmail.authenticate("")
    qmail.check_recipients(default=100)
    async with qmail.session() as smtp:
        assert (await smtp.command(LOGIN)).code == 235
        _, reply = await smtp.envelope("a@b.example", [ALICE])
        assert reply.code == 250, reply
    assert await qmail.hook_calls() == []
