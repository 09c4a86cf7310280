"""Base qmail: homes and files that are not in order, and mail that is tried again."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, mail_of, only
from conformance.catalogue import requirement
from conformance.pod.configuration import Program
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


# Homes and files that are not in order


async def _put_off(qmail: Qmail, **modes: str) -> str:
    """Mail for alice waits; what the log says of it."""
    qmail.delivering = True
    qmail.modes |= {path.replace("_", "/", 1): mode for path, mode in modes.items()}
    seen = await qmail.deliver("carol@here.example", [ALICE])
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert (seen.mailboxes, len(seen.queue)) == ({}, 1)
    return _result(seen)[1]


@requirement("base.home.sticky", source="dot-qmail(5) SAFE QMAIL EDITING")
async def test_sticky_home(qmail: Qmail) -> None:
    """Mail for a user whose home is sticky waits."""
    assert "sticky" in await _put_off(qmail, alice="1755")


@requirement("base.home.writable", source="dot-qmail(5) SAFE QMAIL EDITING: or other-writable")
async def test_writable_home(qmail: Qmail) -> None:
    """Mail for a user whose home others may write to waits."""
    assert "writable" in await _put_off(qmail, alice="0777")


@requirement("base.home.missing", source="package source, qmail-local.c: chdir")
async def test_missing_home(qmail: Qmail) -> None:
    """Mail for a user whose home is not there waits: it may be mounted later."""
    assert "Unable_to_switch_to" in await _put_off(qmail, alice="gone")


@requirement("base.home.no-maildir", source="package source, qmail-local.c: maildir")
async def test_missing_maildir(qmail: Qmail) -> None:
    """Mail for a user whose Maildir is not there waits, and the Maildir is not made."""
    assert "Unable_to_chdir_to_maildir" in await _put_off(qmail, alice_Maildir="gone")


async def _file_mode(qmail: Qmail, mode: str, text: str) -> Observation:
    qmail.modes["alice/.qmail-x"] = mode
    return await _lines(qmail, text)


@requirement("base.dot-qmail.writable", source=FILE + ": world-writable")
async def test_writable_file(qmail: Qmail) -> None:
    """A dot-qmail file that everybody may write to puts the delivery off."""
    seen = await _file_mode(qmail, "0666", "./Maildir/\n")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert seen.mailboxes == {}


@requirement("base.dot-qmail.execute-bit", source=FILE + ": execute bit")
async def test_execute_bit_and_a_maildir(qmail: Qmail) -> None:
    """A dot-qmail file with the execute bit that stores mail puts the delivery off."""
    seen = await _file_mode(qmail, "0755", "&bob@here.example\n./Maildir/\n")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"
    assert seen.mailboxes == {}


@requirement("base.dot-qmail.execute-bit-program", source=FILE + ": execute bit")
async def test_execute_bit_and_a_program(qmail: Qmail) -> None:
    """A dot-qmail file with the execute bit that runs a program puts the delivery off, and nothing runs."""
    seen = await _file_mode(qmail, "0755", "|exit 0\n")
    assert _result(seen)[0] == "deferral", f"{_result(seen)}"


@requirement("base.dot-qmail.execute-bit-forward", source=FILE + ": execute bit")
async def test_execute_bit_and_forwards(qmail: Qmail) -> None:
    """A dot-qmail file with the execute bit may forward."""
    assert _counts(await _file_mode(qmail, "0755", "# list\n&bob@here.example\n")) == {"bob": 1}


# What is put off, and tried again


@requirement("base.again.program", source="qmail-send(8): an ALRM signal; qmail-command(8) EXIT CODES")
async def test_program_that_succeeds_the_second_time(qmail: Qmail) -> None:
    """A delivery that a program put off is made when it is tried again, and then is done."""
    qmail.delivery_programs["filter"] = Program(statuses=[111], reads=True)
    seen = await _lines(qmail, "|/var/lib/conformance/filter\n./Maildir/\n")
    assert (seen.mailboxes, len(seen.queue)) == ({}, 1)
    seen = await qmail.try_again()
    assert (_counts(seen), seen.queue) == ({"alice": 1}, [])
    message = only(read_send_log(seen.log).messages, "logged messages")
    both = [("alice-x@here.example", "deferral"), ("alice-x@here.example", "success")]
    assert message.results() == both, f"{message}"


@requirement("base.again.once", source="qmail-send(8): tries the addresses again later; rfc5321:6.1")
async def test_nobody_is_reached_twice(internet: Internet, qmail: Qmail) -> None:
    """When a message is tried again, recipients that were reached get it no second time."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT <b@plain.example>": "450 later"})
    qmail.delivery_programs["filter"] = Program(statuses=[111])
    qmail.dot_qmail["alice/.qmail-x"] = "|/var/lib/conformance/filter\n"
    recipients = [ALICE, "alice-x@here.example", "a@plain.example", "b@plain.example"]
    await qmail.deliver("carol@here.example", recipients)
    seen = await qmail.try_again()
    assert _counts(seen) == {"alice": 1}, f"{_counts(seen)}"
    reached = [recipient for message in internet.messages() for recipient in message.recipients]
    assert reached == ["a@plain.example"], f"{reached}"
    message = only(read_send_log(seen.log).messages, "logged messages")
    tried = [recipient for recipient, _ in message.results()]
    again = ["alice-x@here.example", "b@plain.example"]
    assert (sorted(tried[:4]), sorted(tried[4:])) == (sorted(recipients), again), f"{tried}"
    assert [queued.recipients for queued in seen.queue] == [["b@plain.example"]]


@requirement("base.again.bounce", source="qmail-send(8): single-bounce")
async def test_one_bounce_when_all_is_over(internet: Internet, qmail: Qmail) -> None:
    """Failures of the first and of the second try are told in one bounce, when nobody waits any more."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "550 no a"})
    qmail.delivery_programs["filter"] = Program(statuses=[111], default=100, says="no x\n")
    qmail.dot_qmail["alice/.qmail-x"] = "|/var/lib/conformance/filter\n"
    await qmail.deliver("carol@here.example", ["a@plain.example", "alice-x@here.example"])
    seen = await qmail.try_again()
    assert _counts(seen) == {"carol": 1}, f"{_counts(seen)}"
    text = mail_of(seen, "carol").partition("--- Below")[0]
    assert "550 no a" in text, text
    assert "\n<alice-x@here.example>:\nno x\n\n" in text, text


@requirement("base.again.lifetime", source="qmail-send(8) queuelifetime", waits=4)
async def test_message_that_is_too_old(internet: Internet, qmail: Qmail) -> None:
    """A message that is older than queuelifetime is tried once more, and what is put off then has failed."""
    qmail.relay()
    # Whole seconds count: the first try begins within one of the message's, the second begins after two.
    qmail.control |= {"queuelifetime": "1\n", "timeoutremote": "2\n"}
    internet.load("plain.example")
    internet.exchanger(steps={"MAIL": "stall"})
    seen = await qmail.deliver("carol@here.example", ["b@plain.example"])
    assert (seen.mailboxes, len(seen.queue)) == ({}, 1), "the first try was the last"
    seen = await qmail.try_again()
    assert _counts(seen) == {"carol": 1}, f"{_counts(seen)}"
    assert "this message has been in the queue too long" in mail_of(seen, "carol")


@requirement("base.again.locals", source="qmail-send(8) CONTROL FILES: a HUP signal")
async def test_locals_are_read_again(internet: Internet, qmail: Qmail) -> None:
    """A domain that is added to locals is local once qmail-send has had a HUP signal."""
    qmail.delivering = True
    internet.zone("new.example")
    qmail.control["rcpthosts"] = "here.example\nnew.example\n"
    await qmail.deliver(SENDER, [ALICE])
    await qmail.reread(locals="here.example\nnew.example\n")
    seen = await qmail.deliver(SENDER, ["alice@new.example"])
    assert _counts(seen) == {"alice": 2}, f"{_counts(seen)}"


@requirement("base.again.virtualdomains", source="qmail-send(8) CONTROL FILES: a HUP signal")
async def test_virtualdomains_are_read_again(internet: Internet, qmail: Qmail) -> None:
    """A domain that is added to virtualdomains is virtual once qmail-send has had a HUP signal."""
    qmail.delivering = True
    internet.zone("new.example")
    qmail.control["rcpthosts"] = "here.example\nnew.example\n"
    qmail.dot_qmail["bob/.qmail-box"] = "./Maildir/\n"
    await qmail.deliver(SENDER, [ALICE])
    await qmail.reread(virtualdomains="new.example:bob\n")
    seen = await qmail.deliver(SENDER, ["box@new.example"])
    assert _counts(seen) == {"alice": 1, "bob": 1}, f"{_counts(seen)}"


@requirement("base.again.rest", source="qmail-send(8) CONTROL FILES: WARNING")
async def test_no_other_control_file_is_read_again(qmail: Qmail) -> None:
    """A HUP signal has only locals and virtualdomains read again: not envnoathost, nor me in their place."""
    qmail.delivering = True
    del qmail.control["locals"]
    qmail.control["rcpthosts"] = "mx.here.example\n"
    await qmail.deliver("", ["alice@mx.here.example"])
    await qmail.reread(me="there.example\n", envnoathost="there.example\n")
    seen = await qmail.deliver("", ["alice@mx.here.example", "bob"])
    assert _counts(seen) == {"alice": 2, "bob": 1}, f"{_counts(seen)}"
