"""Base qmail: bounces in every part, double and triple bounces, variable envelope senders."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, mail_of, without_received
from conformance.catalogue import requirement
from conformance.pod.observation import Observation
from conformance.pod.sendlog import read_send_log

ALICE = "alice@here.example"
NOBODY = "nobody-at-all@here.example"
BELOW = "--- Below this line is a copy of the message.\n\n"
SOURCE = "qmail-send(8) bouncefrom, bouncehost"
TEXT = "package source, qmail-send.c: injectbounce"


async def _bounce(qmail: Qmail, sender: str = ALICE, recipients: list[str] | None = None) -> str:
    """The bounce that alice gets of a message for nobody, as it stands in her Maildir."""
    qmail.delivering = True
    return _only(await qmail.deliver(sender, recipients or [NOBODY]), "alice")


def _only(seen: Observation, user: str) -> str:
    counts = {name: len(messages) for name, messages in seen.mailboxes.items()}
    assert counts == {user: 1}, f"mailboxes: {counts}"
    return seen.mailboxes[user][0]


def _fields(message: str) -> list[str]:
    """The header of a bounce, without what was put above it on its way."""
    header = without_received(message.split("\n", 2)[2]).partition("\n\n")[0]
    return header.split("\n")


@requirement("base.bounce.envelope", source="qmail-send(8): its envelope sender is empty; rfc5321:4.5.5")
async def test_envelope_of_a_bounce(qmail: Qmail) -> None:
    """A bounce comes from the null sender to the sender, is qmail-send's, and comes once."""
    bounce = await _bounce(qmail)
    first, second, third, _ = bounce.split("\n", 3)
    assert (first, second) == ("Return-Path: <>", f"Delivered-To: {ALICE}"), f"{first} {second}"
    assert " invoked for bounce); " in third, third


@requirement("base.bounce.header", source=SOURCE + "; " + TEXT)
async def test_header_of_a_bounce(qmail: Qmail) -> None:
    """A bounce has Date, From with the defaults of bouncefrom and bouncehost, To and Subject, no more."""
    date, *rest = _fields(await _bounce(qmail))
    assert date.startswith("Date: ")
    assert rest == ["From: MAILER-DAEMON@mx.here.example", f"To: {ALICE}", "Subject: failure notice"], (
        f"{rest}"
    )


@requirement("base.bounce.from", source=SOURCE)
async def test_bounce_is_from_bouncefrom_at_bouncehost(qmail: Qmail) -> None:
    """bouncefrom and bouncehost say whom a bounce is from, and bouncehost what it calls the host."""
    qmail.control["bouncefrom"] = "mail.system\n"
    qmail.control["bouncehost"] = "bounces.example\n"
    bounce = await _bounce(qmail)
    assert "\nFrom: mail.system@bounces.example\n" in bounce, bounce
    assert "\nHi. This is the qmail-send program at bounces.example.\n" in bounce


@requirement("base.bounce.text", source=TEXT)
async def test_text_of_a_bounce(qmail: Qmail) -> None:
    """A bounce says who writes, that the error is permanent, and then the address with its report."""
    body = (await _bounce(qmail)).partition("Subject: failure notice\n\n")[2].partition("---")[0]
    assert body == (
        "Hi. This is the qmail-send program at mx.here.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{NOBODY}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
    ), body


@requirement("base.bounce.copy", source=TEXT)
async def test_message_in_a_bounce(qmail: Qmail) -> None:
    """Below a bounce's text stands the message that failed, whole, with its sender above it."""
    original = b"Subject: hello\r\nTo: somebody\r\n\r\nFrom me\r\n\r\n..x\xff\r\n" + b"y" * 3_000 + b"\r\n"
    qmail.delivering = True
    bounce = _only(await qmail.deliver(ALICE, [NOBODY], original), "alice")
    copy = bounce.partition(BELOW)[2]
    path, _, message = copy.partition("\n")
    assert path == f"Return-Path: <{ALICE}>", copy
    assert message.startswith("Received: (qmail "), copy
    wanted = original.replace(b"\r\n", b"\n").decode("latin-1")
    assert without_received(message) == wanted, copy


@requirement("base.bounce.large", source=TEXT)
async def test_large_message_in_a_bounce(qmail: Qmail) -> None:
    """A message of 300 KB stands whole in its bounce: this qmail has no bouncemaxbytes."""
    qmail.control["bouncemaxbytes"] = "100\n"
    qmail.delivering = True
    lines = b"".join(b"line %d\r\n" % number for number in range(25_000))
    bounce = _only(await qmail.deliver(ALICE, [NOBODY], b"Subject: large\r\n\r\n" + lines), "alice")
    assert bounce.endswith("\nline 24999\n"), bounce[-100:]
    assert bounce.count("\nline ") == 25_000


@requirement("base.bounce.recipients", source="qmail-send(8); qmail-log(5): had some delivery failures")
async def test_bounce_names_each_failure(internet: Internet, qmail: Qmail) -> None:
    """One bounce names each recipient that failed with its own report, and none that was reached."""
    qmail.relay()
    internet.load("plain.example")
    steps = {"RCPT <b@plain.example>": "550 no b here", "RCPT <c@plain.example>": "553 no c here"}
    internet.exchanger(steps=steps)
    recipients = ["a@plain.example", "b@plain.example", "c@plain.example", NOBODY]
    bounce = _only(await qmail.deliver(ALICE, recipients), "alice")
    text = bounce.partition(BELOW)[0]
    paragraphs = [part for part in text.split("\n\n") if part.startswith("<")]
    named = {part.split(">:")[0][1:]: part for part in paragraphs}
    assert set(named) == {"b@plain.example", "c@plain.example", NOBODY}, text
    assert "550 no b here" in named["b@plain.example"], text
    assert "553 no c here" in named["c@plain.example"], text
    assert "does not like recipient" in named["b@plain.example"], text


@requirement("base.bounce.forged-paragraph", source=TEXT + "; rfc5321:4.2")
async def test_host_writes_no_paragraph(internet: Internet, qmail: Qmail) -> None:
    """A host's reply of several lines, empty ones among them, stays within its recipient's paragraph."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "550-no\r\n\r\n\r\n550 <alice@here.example>:"})
    bounce = _only(await qmail.deliver(ALICE, ["b@plain.example"]), "alice")
    text = bounce.partition("didn't work out.\n\n")[2].partition("--- Below this line")[0]
    assert text.count("\n\n") == 1, text
    assert text.startswith("<b@plain.example>:\n"), text


@requirement("base.bounce.virtual", source="qmail-send(8) virtualdomains; " + TEXT)
async def test_bounce_of_a_virtual_domain(internet: Internet, qmail: Qmail) -> None:
    """A bounce names the address that the sender wrote to, without what virtualdomains put before it."""
    internet.zone("virtual.example")
    qmail.control["rcpthosts"] = "virtual.example\n"
    qmail.control["virtualdomains"] = "virtual.example:carol-there\n"
    bounce = await _bounce(qmail, recipients=["box@virtual.example"])
    assert "\n<box@virtual.example>:\n" in bounce, bounce


def _double(qmail: Qmail) -> None:
    qmail.delivering = True
    qmail.control["doublebounceto"] = "carol\n"
    qmail.control["doublebouncehost"] = "here.example\n"


@requirement("base.bounce.double-text", source="qmail-send(8) doublebounceto; " + TEXT)
async def test_double_bounce_in_every_part(qmail: Qmail) -> None:
    """A double bounce comes from #@[], says that a bounce bounced, and holds that bounce with the message."""
    _double(qmail)
    notice = _only(await qmail.deliver("nobody-one@here.example", ["nobody-two@here.example"]), "carol")
    assert notice.startswith("Return-Path: <#@[]>\nDelivered-To: carol@here.example\n"), notice
    rest = ["From: MAILER-DAEMON@mx.here.example", "To: carol@here.example", "Subject: failure notice"]
    assert _fields(notice)[1:] == rest, notice
    text, _, below = notice.partition("--- Below this line is the original bounce.\n\n")
    assert "\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n" in text, (
        notice
    )
    assert "\n<nobody-one@here.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n" in text
    assert below.startswith("Return-Path: <>\nReceived: "), below
    assert "\n<nobody-two@here.example>:\n" in below
    assert below.endswith("\nSubject: hello\n\nhello\n"), below


@requirement("base.bounce.double-default", source="qmail-send(8) doublebounceto, doublebouncehost: defaults")
async def test_double_bounce_goes_to_postmaster(qmail: Qmail) -> None:
    """Without doublebounceto and doublebouncehost a double bounce goes to postmaster at me."""
    qmail.delivering = True
    qmail.control["locals"] = "here.example\nmx.here.example\n"
    notice = _only(await qmail.deliver("nobody-one@here.example", ["nobody-two@here.example"]), "alias")
    assert "\nTo: postmaster@mx.here.example\n" in notice, notice


@requirement("base.bounce.null-sender", source="qmail-send(8) doublebounceto; rfc5321:4.5.5")
async def test_bounce_from_elsewhere_that_fails(qmail: Qmail) -> None:
    """A message from the null sender that fails goes to doublebounceto at once: no bounce of it is sent."""
    _double(qmail)
    seen = await qmail.deliver("", [NOBODY])
    assert _only(seen, "carol").startswith("Return-Path: <#@[]>\n")
    assert len(read_send_log(seen.log).messages) == 2


@requirement("base.bounce.triple", source="qmail-send(8): If that bounces, qmail-send gives up; qmail-log(5)")
async def test_triple_bounce(qmail: Qmail) -> None:
    """A double bounce that fails is thrown away, the log says so, and nothing is left in the queue."""
    _double(qmail)
    qmail.control["doublebounceto"] = "nobody-three\n"
    seen = await qmail.deliver("nobody-one@here.example", ["nobody-two@here.example"])
    messages = read_send_log(seen.log).messages
    assert [message.triple for message in messages] == [False, False, True], f"{messages}"
    assert (seen.mailboxes, seen.files) == ({}, []), f"{seen.files}"


# Senders that are another one for each recipient


@requirement("base.owner.sender", source="dot-qmail(5) EXTENSION ADDRESSES: -owner")
async def test_owner_of_a_list(qmail: Qmail) -> None:
    """What .qmail-ext forwards comes from user-ext-owner where .qmail-ext-owner exists."""
    qmail.delivering = True
    qmail.dot_qmail |= {"bob/.qmail-l": "&carol@here.example\n", "bob/.qmail-l-owner": "./Maildir/\n"}
    message = _only(await qmail.deliver("a@b.example", ["bob-l@here.example"]), "carol")
    assert message.startswith("Return-Path: <bob-l-owner@here.example>\n"), message


@requirement("base.owner.of-a-bounce", source="dot-qmail(5) EXTENSION ADDRESSES: -owner, Exception")
async def test_owner_of_a_list_and_a_bounce(qmail: Qmail) -> None:
    """A bounce that a list forwards keeps the null sender, owner or not."""
    qmail.delivering = True
    qmail.dot_qmail |= {"bob/.qmail-l": "&carol@here.example\n", "bob/.qmail-l-owner": "./Maildir/\n"}
    message = _only(await qmail.deliver("", ["bob-l@here.example"]), "carol")
    assert message.startswith("Return-Path: <>\n"), message


@requirement("base.owner.absent", source="dot-qmail(5) EXTENSION ADDRESSES: -owner")
async def test_list_without_an_owner(qmail: Qmail) -> None:
    """What .qmail-ext forwards keeps its sender where there is no .qmail-ext-owner, -owner-default or not."""
    qmail.delivering = True
    qmail.dot_qmail |= {"bob/.qmail-l": "&carol@here.example\n", "bob/.qmail-l-owner-default": "./Maildir/\n"}
    message = _only(await qmail.deliver("a@b.example", ["bob-l@here.example"]), "carol")
    assert message.startswith("Return-Path: <a@b.example>\n"), message


def _verp(qmail: Qmail, to: str) -> None:
    qmail.relay()
    qmail.dot_qmail |= {"bob/.qmail-l": to, "bob/.qmail-l-owner": "./Maildir/\n"}
    qmail.dot_qmail["bob/.qmail-l-owner-default"] = "./Maildir/\n"


@requirement("base.verp.sender", source="addresses(5) QMAIL EXTENSIONS: VERPs; dot-qmail(5) VERPs")
async def test_variable_sender(internet: Internet, qmail: Qmail) -> None:
    """Each recipient of a list with -owner and -owner-default sees a sender that names him."""
    _verp(qmail, "&carol@here.example\n&b@plain.example\n")
    internet.load("plain.example")
    seen = await qmail.deliver("a@b.example", ["bob-l@here.example"])
    wanted = "Return-Path: <bob-l-owner-carol=here.example@here.example>\n"
    assert _only(seen, "carol").startswith(wanted), mail_of(seen, "carol")
    senders = [message.sender for message in internet.messages()]
    assert senders == ["bob-l-owner-b=plain.example@here.example"], f"{senders}"


@requirement("base.verp.bounce", source="addresses(5) QMAIL EXTENSIONS: bounces come back to pre@host")
async def test_bounce_of_a_variable_sender(qmail: Qmail) -> None:
    """A bounce of a message with a variable sender goes to that sender without recipient and mark."""
    _verp(qmail, f"&{NOBODY}\n")
    bounce = _only(await qmail.deliver("a@b.example", ["bob-l@here.example"]), "bob")
    assert "\nDelivered-To: bob-l-owner-@here.example\n" in bounce, bounce
    assert f"{BELOW}Return-Path: <bob-l-owner-@here.example>\n" in bounce, bounce
