"""0009: RCPTCHECK names a program that judges each recipient."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SOURCE = "patch:0009 smtpd-rcptcheck: addrvalid"
#: Where in RCPT the program stands: after badmailfrom and rcpthosts, and not with RELAYCLIENT.
PLACE = "patch:0009 smtpd-rcptcheck: smtp_rcpt"
ALICE = "alice@here.example"


async def _ends(qmail: Qmail, words: str) -> None:
    """RCPT is answered with 421 and these words, and then the server closes the connection."""
    async with qmail.session() as smtp:
        _, reply = await smtp.envelope("a@b.example", [ALICE])
        assert reply.code == 421
        assert words in reply.text
        assert await smtp.closed(), "the connection stays open"


@requirement("0009.exit-100.refused", source=SOURCE)
async def test_exit_100(qmail: Qmail) -> None:
    """Exit status 100 refuses the recipient with 553."""
    qmail.check_recipients(default=100)
    assert (await qmail.recipient(ALICE)).code == 553


@requirement("0009.exit-100.others-stand", source=SOURCE)
async def test_each_recipient_by_itself(qmail: Qmail) -> None:
    """Each recipient of a transaction is judged by itself: the refused one is not added, the others stand."""
    qmail.check_recipients({"bob@here.example": 100})
    recipients = ["alice@here.example", "bob@here.example", "carol@here.example"]
    said = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert [reply.code for reply in said[:4]] == [250, 250, 553, 250]
    assert await qmail.queued_recipients() == [["alice@here.example", "carol@here.example"]]


@requirement("0009.exit-111.temporary", source=SOURCE)
async def test_exit_111(qmail: Qmail) -> None:
    """Exit status 111 is answered with 421 `unable to verify`, and the connection is closed."""
    qmail.check_recipients(default=111)
    await _ends(qmail, "unable to verify")


@requirement("0009.exit-120.temporary", source=SOURCE)
async def test_exit_120(qmail: Qmail) -> None:
    """Exit status 120 is answered with 421 `unable to execute`, and the connection is closed."""
    qmail.check_recipients(default=120)
    await _ends(qmail, "unable to execute")


@requirement("0009.program.crashes", source=SOURCE)
async def test_crash(qmail: Qmail) -> None:
    """A program that crashes never accepts: 421 `unable to execute`, and the connection is closed."""
    qmail.check_recipients(fate="crash")
    await _ends(qmail, "unable to execute")


@requirement("0009.program.missing", source=SOURCE)
async def test_missing_program(qmail: Qmail) -> None:
    """A program that cannot be run never accepts: 421 `unable to execute`, and the connection is closed."""
    qmail.check_recipients(fate="missing")
    await _ends(qmail, "unable to execute")


@requirement("0009.program.addresses", source=SOURCE)
async def test_addresses_in_the_environment(qmail: Qmail) -> None:
    """The program runs once for each recipient, with SENDER and RECIPIENT in its environment."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example", "bob@here.example"])
    calls = await qmail.hook_calls()
    assert [(call.environment.get("SENDER"), call.environment.get("RECIPIENT")) for call in calls] == [
        ("a@b.example", "alice@here.example"),
        ("a@b.example", "bob@here.example"),
    ]


@requirement("0009.program.surroundings", source=SOURCE)
async def test_surroundings(qmail: Qmail) -> None:
    """The program has qmail-smtpd's whole environment, no arguments, and the qmail home as directory."""
    qmail.check_recipients()
    qmail.environment["A_VARIABLE"] = "its value"
    await qmail.recipient(ALICE)
    calls = await qmail.hook_calls()
    assert len(calls) == 1
    assert calls[0].environment.get("A_VARIABLE") == "its value"
    assert calls[0].environment.get("TCPREMOTEIP", "").startswith("127.")
    assert (calls[0].arguments, calls[0].directory) == ([], qmail.home)


@requirement("0009.program.null-sender", source=SOURCE + "; rfc5321:4.1.1.2")
async def test_null_sender(qmail: Qmail) -> None:
    """SENDER is empty for the null sender."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("", ["alice@here.example"])
    assert [call.environment.get("SENDER") for call in await qmail.hook_calls()] == [""]


@requirement("0009.program.shell-characters", source=SOURCE + "; rfc5321:4.1.2")
async def test_shell_characters(qmail: Qmail) -> None:
    """Shell characters in an address reach the program as data."""
    box = "a$(touch${IFS}x);`id`&|*'"
    address = f"{box}@here.example"
    qmail.check_recipients({address: 100})
    assert (await qmail.recipient(f'"{box}"@here.example')).code == 553
    assert [call.environment.get("RECIPIENT") for call in await qmail.hook_calls()] == [address]


@requirement("0009.exit-other.accepted", source=SOURCE, role="guard")
async def test_any_other_exit(qmail: Qmail) -> None:
    """Any other exit status accepts the recipient."""
    qmail.check_recipients({"alice@here.example": 0, "bob@here.example": 1, "carol@here.example": 99})
    async with qmail.session() as smtp:
        replies = await smtp.envelope(
            "a@b.example", ["alice@here.example", "bob@here.example", "carol@here.example"]
        )
        assert [reply.code for reply in replies] == [250, 250, 250, 250]


@requirement("0009.unset.nothing-runs", source=SOURCE, role="guard")
async def test_unset(qmail: Qmail) -> None:
    """With RCPTCHECK unset recipients are accepted and nothing is run."""
    assert (await qmail.recipient(ALICE)).code == 250
    assert await qmail.hook_calls() == []


@requirement("0009.relayclient.not-run", source=PLACE, role="guard")
async def test_relayclient(qmail: Qmail) -> None:
    """Under RELAYCLIENT the program is not run."""
    qmail.environment["RELAYCLIENT"] = ""
    qmail.check_recipients(default=100)
    assert (await qmail.recipient(ALICE)).code == 250
    assert await qmail.hook_calls() == []


@requirement(
    "0009.rcpthosts.first",
    source=PLACE + "; qmail-smtpd(8) rcpthosts; package source, qmail-smtpd.c: err_nogateway",
    role="guard",
)
async def test_rcpthosts_decides_first(qmail: Qmail) -> None:
    """For a recipient that rcpthosts refuses the program is not run."""
    qmail.check_recipients()
    assert (await qmail.recipient("x@elsewhere.example")).code == 553
    assert await qmail.hook_calls() == []


@requirement("0009.output.decides-nothing", source=SOURCE + ": exit 100")
async def test_output_decides_nothing(qmail: Qmail) -> None:
    """What the program prints decides nothing: one that prints a 250 and exits 100 adds no recipient."""
    qmail.check_recipients(default=100, says="250 printed by the program\r\n")
    await qmail.envelope("a@b.example", ["alice@here.example"], b"Subject: x\r\n\r\nx\r\n")
    assert await qmail.queue() == []


@requirement("0009.output.hidden", source=SOURCE + "; rfc5321:4.2", role="guard")
async def test_output_is_hidden(qmail: Qmail) -> None:
    """What the program prints never reaches the SMTP client."""
    qmail.check_recipients(says="250 printed by the program\r\n")
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a@b.example>")
        reply = await smtp.command("RCPT TO:<alice@here.example>")
        assert reply.text == "ok", reply
        assert (await smtp.command("QUIT")).code == 221
