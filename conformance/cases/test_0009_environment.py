"""0009: what RCPTCHECK's program finds in its environment."""

from conformance.cases.credentials import plain
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SOURCE = "patch:0009 smtpd-rcptcheck: addrvalid"
ALICE, BOB, CAROL = "alice@here.example", "bob@here.example", "carol@here.example"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


async def _envelopes(qmail: Qmail) -> list[tuple[str | None, str | None]]:
    """SENDER and RECIPIENT of each run."""
    found = [call.environment for call in await qmail.hook_calls()]
    return [(each.get("SENDER"), each.get("RECIPIENT")) for each in found]


@requirement("0009.environment.given", source=SOURCE + ": env_put2 in the child alone")
async def test_environment(qmail: Qmail) -> None:
    """The program has what qmail-queue has, with SENDER and RECIPIENT besides, which are its own alone."""
    qmail.check_recipients()
    qmail.queue_with()
    await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    calls = (await qmail.observe()).hook_calls
    assert [call.program for call in calls] == ["rcptcheck", "qmail-queue"], calls
    wanted = calls[1].environment | {"SENDER": "a@b.example", "RECIPIENT": ALICE}
    assert calls[0].environment == wanted, calls[0].environment
    assert not {"SENDER", "RECIPIENT"} & set(calls[1].environment), calls[1].environment


@requirement("0009.environment.replaced", source=SOURCE + ": env_put2")
async def test_variables_are_replaced(qmail: Qmail) -> None:
    """A SENDER and a RECIPIENT that the service was started with are replaced."""
    qmail.environment |= {"SENDER": "old@b.example", "RECIPIENT": "old@here.example"}
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("", [ALICE])
    found = await _envelopes(qmail)
    assert found == [("", ALICE)], found


@requirement("0009.environment.transactions", source=SOURCE + "; rfc5321:4.1.4")
async def test_transactions(qmail: Qmail) -> None:
    """Each transaction has its own SENDER and RECIPIENT, after a message and after RSET alike."""
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.envelope("first@b.example", [ALICE], MESSAGE)
        await smtp.envelope("", [BOB])
        await smtp.command("RSET")
        await smtp.envelope("s@b.example", [CAROL])
    found = await _envelopes(qmail)
    assert found == [("first@b.example", ALICE), ("", BOB), ("s@b.example", CAROL)], found


@requirement("0009.environment.stranger", source="rfc4954:5; " + SOURCE)
async def test_a_stranger_is_nobody(qmail: Qmail) -> None:
    """AUTH= of a client that has not authenticated makes nobody known to the program."""
    qmail.authenticate("")
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.commands("MAIL FROM:<a@b.example> AUTH=carol", f"RCPT TO:<{ALICE}>")
    found = [call.environment.get("TCPREMOTEINFO") for call in await qmail.hook_calls()]
    assert found == [None], f"TCPREMOTEINFO is {found}"


@requirement("0009.environment.failed-auth", source="qmail-smtpd(8) with patch:0008 RELAYCLIENT; " + SOURCE)
async def test_after_a_failed_attempt(qmail: Qmail) -> None:
    """After a failed attempt to authenticate the program is run, and finds neither RELAYCLIENT nor a user."""
    qmail.authenticate("", fate="crash")
    qmail.check_recipients()
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice')}")
        await smtp.envelope("a@b.example", [ALICE])
    found = [{"RELAYCLIENT", "TCPREMOTEINFO"} & set(call.environment) for call in await qmail.hook_calls()]
    assert found == [set()], found
