"""Base qmail: programs that dot-qmail files name: exit statuses, how they are run, what they print."""

import re

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, mail_of, only
from conformance.catalogue import requirement
from conformance.pod.configuration import Program
from conformance.pod.observation import HookCall, Observation
from conformance.pod.sendlog import read_send_log

SENDER = "a@b.example"
ALICE = "alice@here.example"
ALICE_X = "alice-x@here.example"
#: As asctime(3) writes it.
TIME = r"\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}"
FILE = "dot-qmail(5) THE QMAIL FILE"
EXTENSION = "dot-qmail(5) EXTENSION ADDRESSES"
ERRORS = "dot-qmail(5) ERROR HANDLING"
CODES = "qmail-command(8) EXIT CODES"
VARIABLES = "qmail-command(8) ENVIRONMENT VARIABLES"
#: Of alice, as qmail's table of users says: qmail knows a user by his numbers.
UID, GID = "2001", "2000"


async def _lines(qmail: Qmail, text: str, sender: str = SENDER) -> Observation:
    """What comes of a message for alice-x, whose dot-qmail file reads so."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-x"] = text
    return await qmail.deliver(sender, ["alice-x@here.example"])


def _counts(seen: Observation) -> dict[str, int]:
    return {user: len(messages) for user, messages in seen.mailboxes.items()}


def _result(seen: Observation) -> tuple[str, str]:
    """How the first delivery ended, and its report."""
    first = only(read_send_log(seen.log).deliveries[:1], "logged deliveries")
    return first.result, first.text


# Exit statuses of a program, one by one


async def _hard(qmail: Qmail, status: int) -> None:
    seen = await _lines(qmail, f"|exit {status}\n", sender="carol@here.example")
    assert _result(seen)[0] == "failure", f"{_result(seen)}"
    assert _counts(seen) == {"carol": 1}
    assert seen.queue == []


async def _soft(qmail: Qmail, line: str) -> str:
    seen = await _lines(qmail, f"{line}\n&bob@here.example\n", sender="carol@here.example")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert (seen.mailboxes, len(seen.queue)) == ({}, 1)
    return _result(seen)[1]


@requirement("base.program.exit-100", source=CODES)
async def test_exit_100(qmail: Qmail) -> None:
    """Exit 100 is a permanent failure: the message bounces."""
    await _hard(qmail, 100)


@requirement("base.program.exit-64", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_64(qmail: Qmail) -> None:
    """Exit 64 is a permanent failure."""
    await _hard(qmail, 64)


@requirement("base.program.exit-65", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_65(qmail: Qmail) -> None:
    """Exit 65 is a permanent failure."""
    await _hard(qmail, 65)


@requirement("base.program.exit-70", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_70(qmail: Qmail) -> None:
    """Exit 70 is a permanent failure."""
    await _hard(qmail, 70)


@requirement("base.program.exit-76", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_76(qmail: Qmail) -> None:
    """Exit 76 is a permanent failure."""
    await _hard(qmail, 76)


@requirement("base.program.exit-77", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_77(qmail: Qmail) -> None:
    """Exit 77 is a permanent failure."""
    await _hard(qmail, 77)


@requirement("base.program.exit-78", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_78(qmail: Qmail) -> None:
    """Exit 78 is a permanent failure."""
    await _hard(qmail, 78)


@requirement("base.program.exit-112", source=CODES + ": Currently 64, 65, 70, 76, 77, 78, and 112")
async def test_exit_112(qmail: Qmail) -> None:
    """Exit 112 is a permanent failure."""
    await _hard(qmail, 112)


@requirement("base.program.exit-111", source=CODES)
async def test_exit_111(qmail: Qmail) -> None:
    """Exit 111 puts the delivery off, with what is to be forwarded."""
    await _soft(qmail, "|exit 111")


@requirement("base.program.exit-1", source=CODES + ": all other codes")
async def test_exit_1(qmail: Qmail) -> None:
    """Exit 1 puts the delivery off."""
    await _soft(qmail, "|exit 1")


@requirement("base.program.exit-75", source=CODES + ": all other codes")
async def test_exit_75(qmail: Qmail) -> None:
    """Exit 75, between codes that are hard errors, puts the delivery off."""
    await _soft(qmail, "|exit 75")


@requirement("base.program.crash", source=CODES)
async def test_program_that_crashes(qmail: Qmail) -> None:
    """A program that dies by a signal puts the delivery off."""
    qmail.delivery_programs["crashes"] = Program(fate="crash")
    await _soft(qmail, "|/var/lib/conformance/crashes")


@requirement("base.program.shell-crash", source=CODES + "; package source, qmail-local.c: temp_childcrashed")
async def test_shell_that_crashes(qmail: Qmail) -> None:
    """Where the shell of a program line dies by a signal, the delivery is put off, and the log says so."""
    assert "child_crashed" in await _soft(qmail, "|kill -9 $$")


@requirement("base.program.missing", source=CODES + ": all other codes")
async def test_program_that_is_not_there(qmail: Qmail) -> None:
    """A program that is not there puts the delivery off, and the report names it."""
    qmail.delivery_programs["filter"] = Program(fate="missing")
    assert "filter" in await _soft(qmail, "|/var/lib/conformance/filter")


# How a program is run


async def _ran(
    qmail: Qmail, recipient: str = "alice-x@here.example", file: str = "alice/.qmail-x"
) -> HookCall:
    """The run of a program to which a message for that recipient is delivered."""
    qmail.delivering = True
    qmail.delivery_programs["filter"] = Program(reads=True)
    qmail.dot_qmail[file] = "./Maildir/\n|/var/lib/conformance/filter one two\n"
    await qmail.deliver(SENDER, [recipient])
    call = only(await qmail.hook_calls("filter"), "calls")
    return call


@requirement("base.program.account", source="qmail-command(8): in your home directory; qmail-lspawn(8)")
async def test_account_of_a_program(qmail: Qmail) -> None:
    """A program runs as the user, in no other group, in his home, and makes files for him alone."""
    call = await _ran(qmail)
    assert (call.account, call.group) == (UID, GID), f"{call.account} {call.group}"
    assert set(call.groups) <= {GID}, f"{call.groups}"
    assert call.directory == "/var/lib/conformance/homes/alice", call.directory
    assert call.umask == "0077", call.umask


@requirement("base.program.descriptors", source="package source, qmail-local.c: mailprogram")
async def test_descriptors_of_a_program(qmail: Qmail) -> None:
    """A program has the message, and one pipe for its output and its errors: no other descriptor."""
    call = await _ran(qmail)
    assert sorted(call.descriptors) == ["0", "1", "2"], f"{call.descriptors}"
    assert (call.descriptors.get("1"), call.descriptors.get("2")) == ("pipe", "pipe"), f"{call.descriptors}"


@requirement("base.program.signals", source="package source, qmail-local.c: sig_pipedefault")
async def test_signals_of_a_program(qmail: Qmail) -> None:
    """A program ignores no signal: who writes to nobody ends."""
    call = await _ran(qmail)
    assert call.ignores == [], f"{call.ignores}"


@requirement("base.program.input", source="qmail-command(8): does not begin with Return-Path, Delivered-To")
async def test_input_of_a_program(qmail: Qmail) -> None:
    """A program reads the message from its beginning, whatever was stored before, without lines above it."""
    call = await _ran(qmail)
    assert call.arguments == ["one", "two"]
    assert call.input.startswith("Received: (qmail "), call.input
    assert call.input.endswith("\nSubject: hello\n\nhello\n"), call.input


@requirement("base.program.envelope", source=VARIABLES)
async def test_addresses_in_the_environment(qmail: Qmail) -> None:
    """SENDER, NEWSENDER, RECIPIENT, LOCAL, HOST, USER and HOME say from whom, for whom and whose it is."""
    found = (await _ran(qmail)).environment
    wanted = {
        "SENDER": SENDER, "NEWSENDER": SENDER, "RECIPIENT": "alice-x@here.example", "LOCAL": "alice-x",
        "HOST": "here.example", "USER": "alice", "HOME": "/var/lib/conformance/homes/alice",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted, f"{found}"


@requirement("base.program.new-sender", source=VARIABLES + ": NEWSENDER; dot-qmail(5) EXTENSION ADDRESSES")
async def test_new_sender_in_the_environment(qmail: Qmail) -> None:
    """NEWSENDER is the owner of a list that has one, SENDER is not."""
    qmail.dot_qmail["alice/.qmail-x-owner"] = "./Maildir/\n"
    found = (await _ran(qmail)).environment
    senders = found.get("SENDER", ""), found.get("NEWSENDER", "")
    assert senders == (SENDER, "alice-x-owner@here.example"), f"{senders}"


@requirement("base.program.lines", source=VARIABLES + ": DTLINE, RPLINE, UFLINE")
async def test_lines_in_the_environment(qmail: Qmail) -> None:
    """DTLINE, RPLINE and UFLINE are the lines that a stored message would have, with their line feeds."""
    found = (await _ran(qmail)).environment
    assert found.get("DTLINE", "") == "Delivered-To: alice-x@here.example\n", found.get("DTLINE", "")
    assert found.get("RPLINE", "") == f"Return-Path: <{SENDER}>\n", found.get("RPLINE", "")
    assert re.fullmatch(rf"From {SENDER} {TIME}\n", found.get("UFLINE", "")), found


@requirement("base.program.extensions", source=VARIABLES + ": EXT, EXT2, EXT3, EXT4, DEFAULT")
async def test_extensions_in_the_environment(qmail: Qmail) -> None:
    """EXT to EXT4 are the parts behind each dash, DEFAULT what default stands for, letters as written."""
    found = (
        await _ran(qmail, "alice-One-Two-Three.x-Four@here.example", "alice/.qmail-one-default")
    ).environment
    got = [found.get(name) for name in ("EXT", "EXT2", "EXT3", "EXT4", "DEFAULT")]
    whole = ["One-Two-Three.x-Four", "Two-Three.x-Four", "Three.x-Four", "Four", "Two-Three.x-Four"]
    assert got == whole, f"{got}"


@requirement("base.program.no-default", source=VARIABLES + ": DEFAULT is not set if")
async def test_no_default_in_the_environment(qmail: Qmail) -> None:
    """DEFAULT is not set where the file's name does not end with default; EXT2 is empty without a dash."""
    found = (await _ran(qmail)).environment
    assert "DEFAULT" not in found
    assert (found.get("EXT", ""), found.get("EXT2", "")) == ("x", ""), f"{found}"


@requirement("base.program.hosts", source=VARIABLES + ": HOST2, HOST3, HOST4")
async def test_hosts_in_the_environment(internet: Internet, qmail: Qmail) -> None:
    """HOST2 to HOST4 are what stands before the last dot of the domain, the one before it, and so on."""
    internet.zone("a.b.c.example")
    qmail.control |= {"rcpthosts": "a.b.c.example\n", "locals": "a.b.c.example\n"}
    found = (await _ran(qmail, "alice-x@a.b.c.example")).environment
    got = [found.get(name) for name in ("HOST", "HOST2", "HOST3", "HOST4")]
    assert got == ["a.b.c.example", "a.b.c", "a.b", "a"], f"{got}"


@requirement("base.program.shell-characters", source=VARIABLES + ": may contain special characters")
async def test_shell_characters_in_an_address(qmail: Qmail) -> None:
    """Shell characters in an address reach a program as they are, and run nothing."""
    call = await _ran(qmail, "alice-$(id)&`x`;y@here.example", "alice/.qmail-default")
    assert call.environment.get("EXT", "") == "$(id)&`x`;y", call.environment.get("EXT", "")
    assert call.arguments == ["one", "two"], f"{call.arguments}"


@requirement("base.program.output", source=CODES + "; package source, qmail-local.c: mailprogram")
async def test_output_of_a_program(qmail: Qmail) -> None:
    """What a program prints to either output is in the log, and in the bounce when it fails."""
    qmail.delivery_programs["filter"] = Program(
        default=100, says="said\n\n\nmore\n", complains="complained\n"
    )
    seen = await _lines(qmail, "|/var/lib/conformance/filter\n", sender="carol@here.example")
    assert _result(seen) == ("failure", "said///more/complained/"), f"{_result(seen)}"
    text = mail_of(seen, "carol").partition("didn't work out.\n\n")[2].partition("---")[0]
    assert text == "<alice-x@here.example>:\nsaid\n//more\ncomplained\n\n", f"{text!r}"


@requirement("base.program.output-of-success", source="package source, qmail-local.c: mailprogram")
async def test_output_of_a_program_that_succeeds(qmail: Qmail) -> None:
    """What a program prints that succeeds stands in the log before what was done."""
    qmail.delivery_programs["filter"] = Program(says="said\n")
    seen = await _lines(qmail, "|/var/lib/conformance/filter\n")
    assert _result(seen) == ("success", "said/did_0+0+1/"), f"{_result(seen)}"


@requirement("base.program.each-run", source="qmail-command(8): feed each incoming mail message")
async def test_program_runs_once_for_each_recipient(qmail: Qmail) -> None:
    """A program is run once for each recipient that leads to it, each time with the whole message."""
    qmail.delivering = True
    qmail.delivery_programs["filter"] = Program(reads=True)
    qmail.dot_qmail["alice/.qmail-default"] = "|/var/lib/conformance/filter\n"
    await qmail.deliver(SENDER, ["alice-x@here.example", "alice-y@here.example"])
    calls = await qmail.hook_calls("filter")
    recipients = sorted(call.environment.get("RECIPIENT", "") for call in calls)
    assert recipients == ["alice-x@here.example", "alice-y@here.example"], f"{recipients}"
    whole = all(call.input.endswith("\nSubject: hello\n\nhello\n") for call in calls)
    assert whole, "a run of the program was given another message"


@requirement("base.program.forward", source="forward(1); qmail-command(8)")
async def test_forward_looks_at_no_header(qmail: Qmail) -> None:
    """A message with a header that no parser reads is forwarded by forward(1) as it came."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-x"] = "|forward bob@here.example\n"
    odd = b"To: foo: bar, baz\r\nFrom: <<>\r\nSubject: (\r\n\r\nhello\r\n"
    seen = await qmail.deliver("carol@here.example", ["alice-x@here.example"], odd)
    assert _result(seen)[0] == "success", f"{_result(seen)}"
    assert _counts(seen) == {"bob": 1}, f"{_counts(seen)}"
    assert mail_of(seen, "bob").endswith("\nTo: foo: bar, baz\nFrom: <<>\nSubject: (\n\nhello\n")
    assert mail_of(seen, "bob").startswith(
        "Return-Path: <carol@here.example>\nDelivered-To: bob@here.example\n"
    )
