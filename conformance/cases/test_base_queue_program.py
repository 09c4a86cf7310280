"""base: the program that QMAILQUEUE names: what it is given, how it finds itself, what its end means."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.observation import HookCall
from conformance.smtp.reply import Reply

MANUAL = "qmail-queue(8)"
EXITS = "qmail-queue(8) EXIT CODES"
SOURCE = "package source, qmail.c: qmail_open"
CUT = MANUAL + ": sees end-of-file before the extra 0 byte"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
ALICE = "alice@here.example"


async def _runs(qmail: Qmail) -> list[HookCall]:
    return await qmail.hook_calls("qmail-queue")


async def _run(qmail: Qmail) -> HookCall:
    runs = await _runs(qmail)
    assert len(runs) == 1, f"the program was run {len(runs)} times"
    return runs[0]


async def _ends(qmail: Qmail, *statuses: int, message: bytes = MESSAGE) -> list[Reply]:
    """One message for each exit status in one session: the replies to the messages, and nothing is queued."""
    qmail.queue_with(statuses=list(statuses), queues=False)
    async with qmail.session() as smtp:
        replies = [(await smtp.envelope("a@b.example", [ALICE], message))[-1] for _ in statuses]
    assert await qmail.queue() == []
    return replies


@requirement("base.queue-program.given", source=MANUAL)
async def test_what_it_is_given(qmail: Qmail) -> None:
    """The program is run once, reads message and envelope, and queues them by qmail-queue."""
    qmail.queue_with()
    said = await qmail.envelope("a@b.example", [ALICE, "bob@here.example"], MESSAGE)
    assert said[-1].code == 250, said[-1]
    envelopes = [call.envelope for call in await _runs(qmail)]
    assert envelopes == ["Fa@b.example\0Talice@here.example\0Tbob@here.example\0\0"]
    call = await _run(qmail)
    assert call.input.startswith("Received: from "), call.input
    assert call.input.endswith("\nSubject: hello\n\nhello\n"), call.input
    assert (await qmail.queued()).octets.endswith(call.input)


@requirement("base.queue-program.surroundings", source=SOURCE + "; " + MANUAL)
async def test_surroundings(qmail: Qmail) -> None:
    """The program has no arguments, the qmail home as directory, and qmail-smtpd's user, group and umask."""
    qmail.queue_with()
    await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    call = await _run(qmail)
    assert (call.arguments, call.directory) == ([], qmail.home), call
    found = (call.account, call.group, call.groups, call.umask)
    assert found == ("qmaild", "nofiles", ["nofiles"], "0022"), found


@requirement("base.queue-program.environment", source=SOURCE + "; tcp-environ(5)")
async def test_environment(qmail: Qmail) -> None:
    """The program has qmail-smtpd's environment, and nothing that comes from the client."""
    qmail.queue_with()
    qmail.environment |= {"A_VARIABLE": "its value", "TCPREMOTEINFO": "ident"}
    async with qmail.session() as smtp:
        for sender in ("first@b.example", "second@b.example"):
            await smtp.envelope(sender, [ALICE], MESSAGE)
    found = [call.environment for call in await _runs(qmail)]
    assert [(each["A_VARIABLE"], each["TCPREMOTEINFO"]) for each in found] == [("its value", "ident")] * 2, (
        found
    )
    assert "@" not in "".join(found[0].values()), found
    assert found[1] == found[0], found


@requirement("base.queue-program.descriptors", source=MANUAL + "; " + SOURCE)
async def test_descriptors(qmail: Qmail) -> None:
    """The program has the message on 0, the envelope on 1, the log on 2, and no descriptor besides."""
    qmail.queue_with()
    await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    call = await _run(qmail)
    assert call.descriptors == {"0": "pipe", "1": "pipe", "2": "log"}, call.descriptors


@requirement("base.queue-program.nothing-left", source=SOURCE + "; package source, qmail.c: qmail_close")
async def test_nothing_is_left_of_earlier_runs(qmail: Qmail) -> None:
    """Of earlier messages, accepted and refused, no descriptor and no dead child is left to a later run."""
    qmail.queue_with(statuses=[0, 53, 31])
    async with qmail.session() as smtp:
        for _ in range(4):
            await smtp.envelope("a@b.example", [ALICE], MESSAGE)
    calls = await _runs(qmail)
    assert [(list(call.descriptors), call.siblings) for call in calls] == [(["0", "1", "2"], 0)] * 4, calls


@requirement("base.queue-program.refused-before", source=MANUAL + ": it aborts without the extra 0 byte")
async def test_a_message_over_databytes_has_no_envelope(qmail: Qmail) -> None:
    """For a message that qmail-smtpd refuses itself the program is given no whole envelope."""
    qmail.queue_with()
    qmail.control["databytes"] = "100\n"
    said = await qmail.envelope("a@b.example", [ALICE], b"X: y\r\n\r\n" + b"z" * 200 + b"\r\n")
    assert said[-1].code == 552, said[-1]
    whole = [call.envelope for call in await _runs(qmail) if call.envelope.endswith("\0\0")]
    assert whole == [], whole


@requirement("base.queue-program.empty", source="package source, qmail.c: setup_qqargs")
async def test_empty(qmail: Qmail) -> None:
    """QMAILQUEUE set and empty names no program: the message is refused for now, and not queued."""
    qmail.environment["QMAILQUEUE"] = ""
    said = await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    assert said[-1].code == 451, said[-1]
    assert await qmail.queue() == []


@requirement("base.queue-program.log", source=SOURCE + "; rfc5321:4.2")
async def test_errors_go_to_the_log(qmail: Qmail) -> None:
    """What the program writes to standard error is in the log, and the client sees nothing of it."""
    qmail.queue_with(complains="the program is unhappy\n")
    said = await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    assert said[-1].text.startswith("ok "), said[-1]
    assert "the program is unhappy" in (await qmail.observe()).log


# Exit statuses


@requirement("base.queue-exit.permanent", source=EXITS)
async def test_permanent(qmail: Qmail) -> None:
    """Exit statuses from 11 to 40 refuse the message with 554, and the session goes on."""
    replies = await _ends(qmail, 11, 31, 12, 40)
    assert [reply.code for reply in replies] == [554] * 4, replies


@requirement("base.queue-exit.resources", source=EXITS)
async def test_resources(qmail: Qmail) -> None:
    """Out of memory (51), a time limit (52), a full disk (53) and a failed read (54) refuse for now: 451."""
    replies = await _ends(qmail, 51, 52, 53, 54)
    assert [reply.code for reply in replies] == [451] * 4, replies


@requirement("base.queue-exit.home-and-queue", source=EXITS)
async def test_home_and_queue(qmail: Qmail) -> None:
    """Trouble with configuration (55), home (61) and the queue (62 to 66) refuses for now: 451."""
    replies = await _ends(qmail, 55, 61, 62, 63, 64, 65, 66)
    assert [reply.code for reply in replies] == [451] * 7, replies


@requirement("base.queue-exit.server", source=EXITS)
async def test_server(qmail: Qmail) -> None:
    """A network (56) or mail server (71 to 74) that fails for now refuses for now: 451."""
    replies = await _ends(qmail, 56, 71, 72, 73, 74)
    assert [reply.code for reply in replies] == [451] * 5, replies


@requirement("base.queue-exit.bugs", source=EXITS)
async def test_bugs(qmail: Qmail) -> None:
    """Internal bugs (81) and a bad envelope (91) refuse for now: 451."""
    replies = await _ends(qmail, 81, 91)
    assert [reply.code for reply in replies] == [451] * 2, replies


@requirement("base.queue-exit.other", source=EXITS + ": all other error codes indicate temporary errors")
async def test_other(qmail: Qmail) -> None:
    """Any other exit status than 0 refuses the message for now: 451."""
    replies = await _ends(qmail, 1, 2, 10, 41, 99, 100, 111, 120, 255)
    assert [reply.code for reply in replies] == [451] * 9, replies


@requirement("base.queue-exit.words", source="package source, qmail.c: qmail_close")
async def test_words(qmail: Qmail) -> None:
    """The reply says which trouble it is, each in words of its own."""
    replies = await _ends(qmail, 11, 31, 51, 52, 53, 54, 61, 62, 71, 91, 120)
    assert [reply.text for reply in replies] == [
        "envelope address too long for qq (#5.1.3)",
        "mail server permanently rejected message (#5.3.0)",
        "qq out of memory (#4.3.0)",
        "qq timeout (#4.3.0)",
        "qq write error or disk full (#4.3.0)",
        "qq read error (#4.3.0)",
        "qq trouble in home directory (#4.3.0)",
        "qq trouble creating files in queue (#4.3.0)",
        "mail server temporarily rejected message (#4.3.0)",
        "qq internal bug (#4.3.0)",
        "unable to exec qq (#4.3.0)",
    ], replies


@requirement("base.queue-exit.crash", source=EXITS + "; package source, qmail.c: qmail_close")
async def test_crash(qmail: Qmail) -> None:
    """A program that dies by a signal has not queued the message: 451."""
    qmail.queue_with(fate="crash")
    said = await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    assert said[-1].code == 451, said[-1]


@requirement("base.queue-exit.missing", source=EXITS + "; package source, qmail.c: qmail_open")
async def test_missing(qmail: Qmail) -> None:
    """A program that is not there has not queued the message: 451."""
    qmail.queue_with(fate="missing")
    said = await qmail.envelope("a@b.example", [ALICE], MESSAGE)
    assert said[-1].code == 451, said[-1]


@requirement("base.queue-exit.unread", source="package source, qmail.c: qmail_close; rfc5321:4.2.5")
async def test_unread(qmail: Qmail) -> None:
    """A message that the program has not read is not accepted, even when it exits with 0."""
    qmail.queue_with(reads=False, queues=False)
    said = await qmail.envelope("a@b.example", [ALICE], b"X: y\r\n\r\n" + b"z" * 900 + b"\r\n" * 150_000)
    assert said[-1].code == 451, said[-1]


# What qmail-queue makes of an envelope


async def _hands_in(qmail: Qmail, envelope: str) -> Reply:
    """A program between qmail-smtpd and qmail-queue gives that another envelope; the reply to the message."""
    qmail.queue_with(gives=envelope)
    return (await qmail.envelope("a@b.example", [ALICE], MESSAGE))[-1]


@requirement("base.queue-envelope.other", source=MANUAL)
async def test_another_envelope(qmail: Qmail) -> None:
    """What stands in the queue is the envelope that qmail-queue read, the null sender too."""
    reply = await _hands_in(qmail, "F\0Tbob@here.example\0Tcarol@here.example\0\0")
    assert reply.code == 250, reply
    queued = await qmail.queued()
    assert (queued.sender, queued.recipients) == ("", ["bob@here.example", "carol@here.example"]), queued


@requirement("base.queue-envelope.cut-off", source=CUT)
async def test_envelope_without_its_end(qmail: Qmail) -> None:
    """An envelope that breaks off behind a recipient is refused for now, and nothing stays in the queue."""
    reply = await _hands_in(qmail, "Fa@b.example\0Tbob@here.example\0")
    assert (reply.code, reply.text) == (451, "qq read error (#4.3.0)"), reply
    assert [file.path for file in (await qmail.observe()).files if file.path.startswith("queue/")] == []


@requirement("base.queue-envelope.cut-in-address", source=CUT)
async def test_envelope_cut_in_an_address(qmail: Qmail) -> None:
    """An envelope that breaks off within an address is refused for now, and nothing is queued."""
    reply = await _hands_in(qmail, "Fa@b.example\0Tbob@he")
    assert (reply.code, reply.text) == (451, "qq read error (#4.3.0)"), reply
    assert await qmail.queue() == []


@requirement("base.queue-envelope.no-sender", source=EXITS + ": 91")
async def test_envelope_without_a_sender(qmail: Qmail) -> None:
    """An envelope that does not begin with a sender is a format error: 451, and nothing is queued."""
    reply = await _hands_in(qmail, "Tbob@here.example\0\0")
    assert (reply.code, reply.text) == (451, "qq internal bug (#4.3.0)"), reply
    assert await qmail.queue() == []


@requirement("base.queue-envelope.two-senders", source=EXITS + ": 91")
async def test_envelope_with_two_senders(qmail: Qmail) -> None:
    """A second sender in the place of a recipient is a format error: 451, and nothing is queued."""
    reply = await _hands_in(qmail, "Fa@b.example\0Tbob@here.example\0Fc@d.example\0\0")
    assert (reply.code, reply.text) == (451, "qq internal bug (#4.3.0)"), reply
    assert await qmail.queue() == []


@requirement("base.queue-envelope.long-address", source=EXITS + ": 11")
async def test_envelope_with_a_long_address(qmail: Qmail) -> None:
    """An address of more than 1,003 octets is too long for good: 554, and nothing is queued."""
    reply = await _hands_in(qmail, f"Fa@b.example\0T{'x' * 1100}@here.example\0\0")
    assert (reply.code, reply.text) == (554, "envelope address too long for qq (#5.1.3)"), reply
    assert await qmail.queue() == []
