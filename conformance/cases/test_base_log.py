"""0001, which stock and patched alike have: qmail-smtpd's log. One line for each decision, and it is true."""

from conformance.cases.credentials import encoded, password, plain
from conformance.cases.qmail import SUBMITTED, Qmail
from conformance.catalogue import requirement

#: It says: initial connection through to message acceptance or rejection and disconnection is logged, each
#: entry with the process id and remote IP address, and accepted messages with the number of recipients.
SOURCE = "package source, debian/diff/0001-qmail-errmsg-logging.diff: description"
CLEAN = "package source, errbits.c: eoutclean"
KNOWN = "alice@here.example"
FOREIGN = "x@elsewhere.example"


async def _kinds(qmail: Qmail, connection: int = 0) -> list[str]:
    """The kinds of the decisions that the log holds of a session, in order."""
    ends = await qmail.session_ends()
    assert len(ends) > connection, f"{len(ends)} sessions"
    return [line.kind for line in await qmail.smtpd_log() if line.pid == ends[connection].pid]


@requirement("base.log.place", patch="0001", source=SOURCE)
async def test_each_line_tells_whose_it_is(qmail: Qmail) -> None:
    """Each line bears the process id of its session and the client's address, of two sessions at once too."""
    async with qmail.session() as first, qmail.session() as second:
        assert [(await first.command("NOOP")).code, (await second.command("RSET")).code] == [250, 250]
    ends = await qmail.session_ends()
    log = await qmail.smtpd_log()
    kinds = [[line.kind for line in log if line.pid == session.pid] for session in ends]
    assert kinds == [["session", "hello", "noop", "end"], ["session", "hello", "reset", "end"]], log
    assert {line.client for line in log} == {"127.0.0.1"}, log


@requirement("base.log.nothing-else", patch="0001", role="guard", source=SOURCE)
async def test_nothing_else_is_logged(qmail: Qmail) -> None:
    """Nothing but whole lines of this form is written: no rest of a line, and nothing without its session."""
    await qmail.submit("a@b.example", [KNOWN])
    seen = await qmail.observe()
    assert len(seen.log) == len(await qmail.smtpd_log()), seen.log


@requirement("base.log.accepted", patch="0001", source=SOURCE)
async def test_an_accepted_message(qmail: Qmail) -> None:
    """An accepted message has a line each for hello, sender, each recipient, itself, and the end."""
    await qmail.submit("a@b.example", [KNOWN, "bob@here.example"])
    log = await qmail.smtpd_log()
    told = [(line.kind, line.fields.get("address", line.fields.get("name", ""))) for line in log]
    assert told == [
        ("session", ""),
        ("hello", "client.test.example"),
        ("sender", "a@b.example"),
        ("recipient", KNOWN),
        ("recipient", "bob@here.example"),
        ("accepted", ""),
        ("end", ""),
    ], told


@requirement("base.log.accepted-counts", patch="0001", source=SOURCE)
async def test_the_counts_of_an_accepted_message(qmail: Qmail) -> None:
    """The line of an accepted message counts its recipients and octets, each message by itself."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", [KNOWN, FOREIGN, "bob@here.example"], SUBMITTED)
        await smtp.envelope("a@b.example", [KNOWN], b"Subject: x\r\n\r\n..\r\n")
    log = await qmail.smtpd_log()
    counts = [
        (int(line.fields["recipients"]), int(line.fields["octets"]))
        for line in log
        if line.kind == "accepted"
    ]
    assert counts == [(2, len(SUBMITTED) - 3), (1, len("Subject: x\n\n..\n"))], counts


@requirement("base.log.accepted-number", patch="0001", source="package source, qmail-smtpd.c: acceptmessage")
async def test_the_number_of_an_accepted_message(qmail: Qmail) -> None:
    """The number that the client is told for its message is the one in the log and in its Received line."""
    async with qmail.session() as smtp:
        reply = (await smtp.envelope("a@b.example", [KNOWN], SUBMITTED))[-1]
    number = reply.text.rpartition(" qp ")[2]
    logged = [line.fields["qp"] for line in await qmail.smtpd_log() if line.kind == "accepted"]
    assert logged == [number], f"{reply} and {logged}"
    assert f"(qmail {number} invoked " in (await qmail.queued()).octets


@requirement("base.log.refused", patch="0001", source=SOURCE)
async def test_what_is_refused(qmail: Qmail) -> None:
    """Each refusal has one line that says why, and what was refused is not logged as accepted."""
    qmail.control["badmailfrom"] = "spam@bad.example\n"
    lines = [
        f"RCPT TO:<{KNOWN}>",
        "DATA",
        "MAIL FROM:<spam@bad.example>",
        f"RCPT TO:<{KNOWN}>",
        "DATA",
        "RSET",
    ]
    lines += ["MAIL FROM:<a@b.example>", f"RCPT TO:<{FOREIGN}>", f"RCPT TO:<{'x' * 950}@here.example>"]
    async with qmail.session() as smtp:
        replies = await smtp.commands(*lines, f"MAIL FROM:<{'x' * 950}@here.example>", "VRFY alice", "XYZZY")
        assert [reply.code // 100 for reply in replies] == [5, 5, 2, 5, 5, 2, 2, 5, 5, 5, 2, 5], replies
    kinds = (await _kinds(qmail))[2:-1]
    assert kinds == [
        *("mail-first", "mail-first", "sender", "bad-sender", "rcpt-first", "reset"),
        *("sender", "not-allowed", "too-long", "too-long", "vrfy", "unknown"),
    ], kinds


@requirement("base.log.refused-address", patch="0001", source=SOURCE)
async def test_the_address_that_is_refused(qmail: Qmail) -> None:
    """The line of a recipient in a domain that rcpthosts does not list names that recipient."""
    await qmail.envelope("a@b.example", ["one@elsewhere.example", "two@elsewhere.example"])
    refused = [line.fields["address"] for line in await qmail.smtpd_log() if line.kind == "not-allowed"]
    assert refused == ["one@elsewhere.example", "two@elsewhere.example"], refused


@requirement("base.log.too-large", patch="0001", source=SOURCE)
async def test_a_message_that_is_too_large(qmail: Qmail) -> None:
    """A message over databytes has one line that says so, and none that says it was accepted."""
    qmail.control["databytes"] = "10\n"
    await qmail.envelope("a@b.example", [KNOWN], SUBMITTED)
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "recipient", "too-large", "end"], kinds


@requirement("base.log.looping", patch="0001", source=SOURCE)
async def test_a_message_that_loops(qmail: Qmail) -> None:
    """A message with too many hops has one line that says so, and none that says it was accepted."""
    await qmail.envelope("a@b.example", [KNOWN], b"Received: x\r\n" * 100 + b"\r\nx\r\n")
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "recipient", "looping", "end"], kinds


@requirement(
    "base.log.unverified",
    patch="0001",
    needs=("0002",),
    source=SOURCE + "; qmail-smtpd(8) RECIPIENT VERIFICATION",
)
async def test_a_recipient_that_does_not_exist(qmail: Qmail) -> None:
    """A recipient that verification refuses has one line that says so, and is not logged as accepted."""
    qmail.verifying, qmail.environment["VERIFY"] = True, ":"
    await qmail.envelope("a@b.example", ["nobody-at-all@here.example", KNOWN])
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "unverified", "recipient", "end"], kinds


@requirement(
    "base.log.unverified-at-data",
    patch="0001",
    needs=("0002",),
    source=SOURCE + "; qmail-smtpd(8) RECIPIENT VERIFICATION",
)
async def test_a_recipient_that_does_not_exist_at_data(qmail: Qmail) -> None:
    """With deferred verification the one line comes at DATA."""
    qmail.verifying, qmail.environment["VERIFY"] = True, "D:"
    await qmail.envelope("a@b.example", ["nobody-at-all@here.example"], SUBMITTED)
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "recipient", "unverified-at-data", "end"], kinds


@requirement("base.log.end-quit", patch="0001", source=SOURCE)
async def test_the_end_by_quit(qmail: Qmail) -> None:
    """A session that ends with QUIT has one line that says so, the last of it."""
    async with qmail.session() as smtp:
        await smtp.command("QUIT")
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts[2:] == ["Remote end QUIT: quitting"], texts


@requirement("base.log.end-lost", patch="0001", source=SOURCE)
async def test_the_end_by_a_client_that_goes(qmail: Qmail) -> None:
    """A session whose client goes without QUIT has one line that says so, the last of it."""
    async with qmail.session() as smtp:
        await smtp.send(b"MAIL FROM:<a@b.exam")
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts[2:] == ["Read error (disconnect?): quitting"], texts


@requirement("base.log.end-timeout", patch="0001", source=SOURCE, waits=1)
async def test_the_end_by_silence(qmail: Qmail) -> None:
    """A session whose client is silent for too long has one line that says so, the last of it."""
    qmail.control["timeoutsmtpd"] = "1\n"
    async with qmail.session() as smtp:
        assert (await smtp.reply(limit=6)).code == 451
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts[2:] == ["Connection timed out: quitting"], texts


@requirement("base.log.end-stray-newline", patch="0001", source=SOURCE)
async def test_the_end_by_a_bare_line_feed(qmail: Qmail) -> None:
    """A bare line feed in a message, merely illegal, has one line that says so, the last of its session."""
    async with qmail.session() as smtp:
        await smtp.transaction("a@b.example", [KNOWN], b"Subject: x\n.\r\n")
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "recipient", "end"], kinds
    assert await qmail.last_logged() == "Stray newline: quitting"


@requirement("base.log.no-controls", patch="0001", level="should", source=SOURCE)
async def test_the_end_without_controls(qmail: Qmail) -> None:
    """Where there are no controls to read, the one line that says so bears the client's address as well."""
    del qmail.control["me"]
    async with await qmail.connect() as smtp:
        assert smtp.greeting.code == 421, smtp.greeting
    log = await qmail.smtpd_log()
    assert [line.kind for line in log] == ["end"], f"{log}"
    assert log[0].client == "127.0.0.1", f"logged from {log[0].client}: {log[0].text}"


@requirement("base.log.harmless", patch="0001", source=CLEAN)
async def test_what_a_client_says_is_harmless(qmail: Qmail) -> None:
    """Control characters, DEL and octets beyond 126 that a client says stand in no line of the log."""
    nasty = bytes(octet for octet in range(1, 256) if octet not in b'\n\r @<>"\\:,%!') + b"\r\x1b]0;x\x07"
    async with qmail.session(hello=False) as smtp:
        lines = [
            b"EHLO " + nasty,
            b"MAIL FROM:<a" + nasty + b"@b.example>",
            b"RCPT TO:<" + nasty + b"@here.example>",
        ]
        await smtp.commands(*lines, b"RCPT TO:<" + nasty + b"@elsewhere.example>", b"X" + nasty)
    seen = await qmail.observe()
    bad = [line for line in seen.log if not (line.isascii() and line.isprintable())]
    assert not bad, bad
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "recipient", "not-allowed", "unknown", "end"], kinds


@requirement("base.log.no-second-line", patch="0001", source=CLEAN)
async def test_nobody_writes_a_line_of_his_own(qmail: Qmail) -> None:
    """A client cannot write an entry of its own: delimiters of the log that it says stand there as `_`."""
    forged = "x>\rqmail-smtpd: pid 1 from 192.0.2.1: Sender <y"
    async with qmail.session(hello=False) as smtp:
        said = [f"HELO {forged}", f'MAIL FROM:<"{forged}"@b.example>', f'RCPT TO:<"{forged}"@here.example>']
        await smtp.commands(*said)
    log = await qmail.smtpd_log()
    stood = "x__qmail-smtpd_ pid 1 from 192.0.2.1_ Sender _y"
    told = [line.fields.get("address", line.fields.get("name", "")) for line in log]
    assert told == ["", stood, f"{stood}@b.example", f"{stood}@here.example", ""], told


@requirement("base.log.no-password", patch="0001", role="guard", source="rfc4954:9; " + SOURCE, waits=5)
async def test_no_password_is_logged(qmail: Qmail) -> None:
    """What a client says as its credentials, right or wrong, stands in no line of the log, in no form."""
    qmail.authenticate("")
    wrong = "made-up-secret"
    async with qmail.session() as smtp:
        await smtp.command(f"AUTH PLAIN {plain('alice', wrong)}")
        await smtp.commands("AUTH LOGIN", encoded("alice"), "*")
        await smtp.command(f"AUTH PLAIN {plain('alice')}")
    text = "\n".join((await qmail.observe()).log)
    said = [
        form
        for form in (wrong, encoded(wrong), plain("alice", wrong), plain("alice"), " of alice>")
        if form in text
    ]
    assert not said, said


@requirement("0006.log.unknown", needs=("0001",), source="patch:0006 smtpd-502-to-500; " + SOURCE)
async def test_an_unknown_command(qmail: Qmail) -> None:
    """An unknown command has one line, which says that it was not recognised; what was said is not in it."""
    async with qmail.session() as smtp:
        await smtp.commands("XYZZY one two", "")
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts[2:-1] == ["Unrecognized command"] * 2, texts


@requirement("0007.log.refused", needs=("0001",), source="patch:0007 smtpd-relay-reject; " + SOURCE)
async def test_relay_characters(qmail: Qmail) -> None:
    """An address that is refused for its relay characters has one line that says so, and is no sender."""
    async with qmail.session() as smtp:
        await smtp.command("MAIL FROM:<a%b@b.example>")
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "relay-characters", "end"], kinds


@requirement("0008.log.refused", needs=("0001",), source="patch:0008 qmail-smtpd.c; " + SOURCE, waits=5)
async def test_authentication_that_fails(qmail: Qmail) -> None:
    """Each AUTH that fails has one line that says why, and so has MAIL before authentication."""
    qmail.authenticate("!")
    async with qmail.session() as smtp:
        await smtp.commands(
            "AUTH FOO", "AUTH LOGIN", "*", "MAIL FROM:<a@b.example>", f"AUTH PLAIN {plain('alice', '')}"
        )
        await smtp.command(f"AUTH PLAIN {plain('alice', 'wrong')}")
        await smtp.commands(f"AUTH PLAIN {plain('alice')}", f"AUTH PLAIN {plain('alice')}")
    texts = [line.text for line in await qmail.smtpd_log()]
    assert [text for text in texts if text.startswith("auth - ") and "success" not in text] == [
        "auth - type unimplemented",
        "auth - exchange cancelled",
        "auth - authorization required",
        "auth - malformed input",
        "auth - authentication failed",
        "auth - already authenticated",
    ], texts


@requirement("0008.log.success", needs=("0001",), level="should", source=SOURCE)
async def test_authentication_that_succeeds(qmail: Qmail) -> None:
    """An AUTH that succeeds has a line, as every decision has."""
    qmail.authenticate("")
    reply = await qmail.reply_to(f"AUTH PLAIN {plain('alice')}")
    assert reply.code == 235, reply
    texts = [line.text for line in await qmail.smtpd_log()]
    assert len(texts) == 4, f"{reply}, and the log says nothing of it: {texts}"


@requirement("0008.log.answers", source="patch:0008 qmail-smtpd.c; " + SOURCE)
async def test_answers_are_not_logged(qmail: Qmail) -> None:
    """What a client answers in an AUTH exchange is in no line of the log: it would give the password away."""
    qmail.authenticate("")
    answers = [encoded("alice"), encoded(password("alice"))]
    async with qmail.session() as smtp:
        replies = await smtp.commands("AUTH LOGIN", *answers)
    assert [reply.code for reply in replies] == [334, 334, 235], replies
    # A password of the fixtures stands in a record as whose it is.
    told = [line for line in (await qmail.observe()).log if answers[0] in line or " of alice>" in line]
    assert told == [], told


@requirement("0009.log.refused", needs=("0001",), source="patch:0009 smtpd-rcptcheck; " + SOURCE)
async def test_a_recipient_that_the_program_refuses(qmail: Qmail) -> None:
    """A recipient that the program refuses has one line that says so, and is not logged as accepted."""
    qmail.check_recipients({KNOWN: 100})
    await qmail.envelope("a@b.example", [KNOWN, "bob@here.example"])
    kinds = await _kinds(qmail)
    assert kinds == ["session", "hello", "sender", "not-validated", "recipient", "end"], kinds


@requirement("0009.log.quits", needs=("0001",), source="patch:0009 smtpd-rcptcheck; " + SOURCE)
async def test_a_program_that_cannot_tell(qmail: Qmail) -> None:
    """A program that cannot tell ends the session, with one line that says so."""
    qmail.check_recipients({KNOWN: 111})
    await qmail.envelope("a@b.example", [KNOWN])
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts[3:] == ["Unable to verify recipient: quitting"], texts
