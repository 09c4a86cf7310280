"""Base qmail: what dot-qmail files say, programs that they run, mboxes, and homes that are not in order."""

import re

from conformance.cases.qmail import Qmail, mail_of, only
from conformance.catalogue import requirement
from conformance.pod.observation import Observation
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


# The lines of a file


@requirement("base.dot-qmail.mixed", source=FILE)
async def test_lines_of_every_kind(qmail: Qmail) -> None:
    """Comment, maildir, forward, program and mbox lines of one file are each obeyed, and counted."""
    lines = "# all\n./Maildir/\n&bob@here.example\n\n|exit 0\ncarol@here.example  \n./box\t\n"
    seen = await _lines(qmail, lines)
    assert _counts(seen) == {"alice": 1, "bob": 1, "carol": 1}, f"{_counts(seen)}"
    assert [file.path for file in seen.files if "box" in file.path] == ["homes/alice/box"]
    assert re.fullmatch(r"did_2\+2\+1/qp_\d+/", _result(seen)[1]), _result(seen)


@requirement("base.dot-qmail.reversed", source=FILE)
async def test_lines_in_the_other_order(qmail: Qmail) -> None:
    """The same lines in the other order do the same."""
    seen = await _lines(qmail, "./box\ncarol@here.example\n|exit 0\n&bob@here.example\n./Maildir/\n# all\n")
    assert _counts(seen) == {"alice": 1, "bob": 1, "carol": 1}, f"{_counts(seen)}"
    assert [file.path for file in seen.files if "box" in file.path] == ["homes/alice/box"]


@requirement("base.dot-qmail.last-line", source=FILE)
async def test_last_line_without_an_end(qmail: Qmail) -> None:
    """A last line without a line feed is a line like the others."""
    assert _counts(await _lines(qmail, "# all\n&bob@here.example")) == {"bob": 1}


@requirement("base.dot-qmail.empty", source=FILE + ": completely empty")
async def test_empty_file(qmail: Qmail) -> None:
    """An empty file stands for the default delivery."""
    assert _counts(await _lines(qmail, "")) == {"alice": 1}


@requirement("base.dot-qmail.comment-alone", source=FILE + " (1)")
async def test_comment_alone(qmail: Qmail) -> None:
    """A file of a comment alone delivers nowhere: the message is taken, and neither kept nor bounced."""
    seen = await _lines(qmail, "# nobody\n", sender="bob@here.example")
    assert (seen.mailboxes, seen.queue) == ({}, [])
    assert _result(seen) == ("success", "did_0+0+0/"), f"{_result(seen)}"


@requirement("base.dot-qmail.blank-first", source=FILE + ": Blank lines are allowed, but not for the first")
async def test_blank_first_line(qmail: Qmail) -> None:
    """A file whose first line is blank puts the delivery off, and nothing of it is done."""
    seen = await _lines(qmail, "\n./Maildir/\n")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert (seen.mailboxes, len(seen.queue)) == ({}, 1)


@requirement("base.dot-qmail.forwarded-lines", source="dot-qmail(5) THE QMAIL FILE (3); qmail-local(8)")
async def test_lines_above_a_forwarded_message(qmail: Qmail) -> None:
    """A forwarded message has one Return-Path and both Delivered-To lines, the last delivery's first."""
    message = mail_of(await _lines(qmail, "&bob@here.example\n"), "bob")
    lines = [line for line in message.split("\n") if line.startswith(("Return-Path:", "Delivered-To:"))]
    to = ["Delivered-To: bob@here.example", "Delivered-To: alice-x@here.example"]
    assert lines == [f"Return-Path: <{SENDER}>", *to], f"{lines}"


@requirement("base.dot-qmail.dots", source=EXTENSION + ": replaces any dots with colons")
async def test_dots_and_letters_of_an_extension(qmail: Qmail) -> None:
    """The file for alice-A.B is .qmail-a:b, and Delivered-To keeps the address as written."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-a:b"] = "./Maildir/\n"
    seen = await qmail.deliver(SENDER, ["alice-A.B@here.example"])
    assert _counts(seen) == {"alice": 1}
    assert "\nDelivered-To: alice-A.B@here.example\n" in mail_of(seen, "alice")


@requirement("base.dot-qmail.other-directory", source=EXTENSION + ": For security")
async def test_extension_that_would_leave_the_home(qmail: Qmail) -> None:
    """An extension with ../ reaches no file of another home: the message bounces."""
    qmail.delivering = True
    seen = await qmail.deliver("carol@here.example", ["alice-/../../bob/.qmail-list@here.example"])
    assert _counts(seen) == {"carol": 1}, f"{_counts(seen)}"
    assert "no mailbox here by that name" in mail_of(seen, "carol")


@requirement("base.dot-qmail.closest", source=EXTENSION + ": some default .qmail files")
async def test_closest_default(qmail: Qmail) -> None:
    """Of .qmail-default and .qmail-foo-default the one that names more of the address is followed."""
    qmail.delivering = True
    qmail.dot_qmail |= {
        "alice/.qmail-default": "&carol@here.example\n", "alice/.qmail-foo-default": "&bob@here.example\n",
    }  # fmt: skip
    seen = await qmail.deliver(SENDER, ["alice-foo-bar@here.example", "alice-fo@here.example"])
    assert _counts(seen) == {"bob": 1, "carol": 1}, f"{_counts(seen)}"
    assert "\nDelivered-To: alice-foo-bar@here.example\n" in mail_of(seen, "bob")


@requirement("base.dot-qmail.user-in-capitals", source="qmail-getpw(8); addresses(5)")
async def test_user_in_capitals(qmail: Qmail) -> None:
    """ALICE is alice, and Delivered-To keeps what was written."""
    qmail.delivering = True
    seen = await qmail.deliver(SENDER, ["ALICE@here.example"])
    assert "\nDelivered-To: ALICE@here.example\n" in mail_of(seen, "alice")


@requirement("base.dot-qmail.alias", source=EXTENSION + ": The alias user controls all other addresses")
async def test_alias(qmail: Qmail) -> None:
    """An address that is no user's is alias's, whose mail is stored as his own and forwarded as his own."""
    qmail.delivering = True
    qmail.dot_qmail["alias/.qmail-sales"] = "./Maildir/\n&bob@here.example\n"
    seen = await qmail.deliver(SENDER, ["sales@here.example"])
    assert _counts(seen) == {"alias": 1, "bob": 1}
    assert "\nDelivered-To: sales@here.example\n" in mail_of(seen, "alias")
    assert "(qmail " in mail_of(seen, "bob")
    assert " invoked by alias); " in mail_of(seen, "bob")
    file = only([file for file in seen.files if "/alias/" in file.path], "files")
    assert (file.mode, file.user) == ("0600", "alias"), f"{file}"


@requirement("base.dot-qmail.loop-elsewhere", source="qmail-local(8): already appears in the header")
async def test_delivered_to_that_is_no_loop(qmail: Qmail) -> None:
    """Delivered-To of another address in the header, or of this one in the body, is no loop."""
    qmail.delivering = True
    message = f"Delivered-To: bob@here.example\r\nSubject: x\r\n\r\nDelivered-To: {ALICE}\r\n".encode()
    assert _counts(await qmail.deliver("carol@here.example", [ALICE], message)) == {"alice": 1}


@requirement("base.dot-qmail.list", source="package source, qmail-local.c: flagforwardonly")
async def test_list_line(qmail: Qmail) -> None:
    """Below +list a line that stores mail or runs a program puts the delivery off."""
    seen = await _lines(qmail, "+list\n&bob@here.example\n./Maildir/\n")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert seen.mailboxes == {}


@requirement("base.dot-qmail.list-forwards", source="package source, qmail-local.c: flagforwardonly")
async def test_list_line_above_forwards(qmail: Qmail) -> None:
    """Below +list forward lines are followed."""
    assert _counts(await _lines(qmail, "+list\n&bob@here.example\ncarol@here.example\n")) == {
        "bob": 1, "carol": 1,
    }  # fmt: skip


@requirement("base.dot-qmail.failure-first", source=ERRORS + ": will prevent all forwarding")
async def test_failure_prevents_forwarding(qmail: Qmail) -> None:
    """A program that fails prevents the forward lines, those above it too; what is stored stays stored."""
    seen = await _lines(qmail, "./Maildir/\n&bob@here.example\n|exit 100\n", sender="carol@here.example")
    assert _counts(seen) == {"alice": 1, "carol": 1}, f"{_counts(seen)}"


@requirement("base.dot-qmail.99", source=ERRORS + ": exit code 99")
async def test_exit_99_among_lines(qmail: Qmail) -> None:
    """After exit 99 the lines below are ignored, and the forward lines above are followed."""
    seen = await _lines(qmail, "&bob@here.example\n|exit 99\n./Maildir/\n&carol@here.example\n")
    assert _counts(seen) == {"bob": 1}, f"{_counts(seen)}"
    assert _result(seen)[0] == "success"


# mbox


def _box(seen: Observation) -> str:
    file = only([file for file in seen.files if file.path == "homes/alice/box"], "files")
    assert (file.mode, file.user) == ("0600", "alice"), f"{file}"
    return file.octets


@requirement("base.mbox.entry", source="mbox(5); qmail-local(8)")
async def test_entry_of_an_mbox(qmail: Qmail) -> None:
    """An entry is the From line with the sender, the lines of a delivery, the message, and a blank line."""
    box = _box(await _lines(qmail, "./box\n"))
    first, path, to, rest = box.split("\n", 3)
    assert re.fullmatch(rf"From {SENDER} {TIME}", first), first
    assert (path, to) == (f"Return-Path: <{SENDER}>", "Delivered-To: alice-x@here.example"), box
    assert rest.startswith("Received: (qmail "), rest
    assert rest.endswith("\nSubject: hello\n\nhello\n\n"), rest


@requirement("base.mbox.quoting", source="mbox(5): From_ lines are quoted")
async def test_from_lines_in_an_mbox(qmail: Qmail) -> None:
    """A line that begins with From, or with > and From, gets another >; others stay."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-x"] = "./box\n"
    body = b"From me\r\n>From you\r\n>>From us\r\nFrom: x\r\n From all\r\nfrom all\r\n"
    seen = await qmail.deliver(SENDER, ["alice-x@here.example"], b"Subject: x\r\n\r\n" + body)
    wanted = "\n\n>From me\n>>From you\n>>>From us\nFrom: x\n From all\nfrom all\n\n"
    assert _box(seen).endswith(wanted), _box(seen)


@requirement("base.mbox.two", source="mbox(5); dot-qmail(5) THE QMAIL FILE (4): appends")
async def test_two_messages_in_an_mbox(qmail: Qmail) -> None:
    """A second message stands behind the first; one from the null sender is from MAILER-DAEMON."""
    await _lines(qmail, "./box\n")
    box = _box(await qmail.deliver("", ["alice-x@here.example"]))
    assert re.findall(r"(?m)^From (\S+) ", box) == [SENDER, "MAILER-DAEMON"], box
    assert box.count("\nSubject: hello\n\nhello\n\n") == 2
