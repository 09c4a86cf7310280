"""Base qmail: what becomes of accepted mail. Maildir, dot-qmail, bounces, remote delivery, the queue."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("base.delivery.maildir", source="qmail-local(8), maildir(5)")
async def test_maildir(qmail: Qmail) -> None:
    """Mail for a local user arrives once in the Maildir, with Return-Path and Delivered-To above it."""
    qmail.delivering = True
    seen = await qmail.deliver("a@b.example", ["alice@here.example"])
    messages = seen.mailboxes.get("alice", [])
    assert len(messages) == 1, f"{len(messages)} messages came"
    assert messages[0].startswith("Return-Path: <a@b.example>\nDelivered-To: alice@here.example\n")
    assert messages[0].endswith("\nSubject: hello\n\nhello\n")
    assert seen.queue == []


@requirement("base.delivery.extension", source="dot-qmail(5)")
async def test_extension(qmail: Qmail) -> None:
    """Mail for user-ext follows .qmail-ext: here it is forwarded to another user."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-list"] = "&bob@here.example\n"
    seen = await qmail.deliver("a@b.example", ["alice-list@here.example"])
    assert {user: len(messages) for user, messages in seen.mailboxes.items()} == {"bob": 1}


@requirement("base.delivery.default", source="dot-qmail(5)")
async def test_default(qmail: Qmail) -> None:
    """Mail for user-anything follows .qmail-default where there is no closer file."""
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-default"] = "&bob@here.example\n"
    seen = await qmail.deliver("carol@here.example", ["alice-anything@here.example"])
    assert len(seen.mailboxes.get("bob", [])) == 1


@requirement("base.delivery.virtualdomain", source="qmail-send(8) virtualdomains; dot-qmail(5)")
async def test_virtual_domain(internet: Internet, qmail: Qmail) -> None:
    """Mail for a virtual domain is delivered as the user in virtualdomains says, not to another host."""
    qmail.delivering = True
    internet.zone("virtual.example")
    qmail.control["rcpthosts"] = "virtual.example\n"
    qmail.control["virtualdomains"] = "virtual.example:alice\n"
    qmail.dot_qmail["alice/.qmail-box"] = "./Maildir/\n"
    seen = await qmail.deliver("a@b.example", ["box@virtual.example"])
    messages = seen.mailboxes.get("alice", [])
    assert len(messages) == 1, f"{len(messages)} messages came"
    assert "\nDelivered-To: alice-box@virtual.example\n" in messages[0]


@requirement("base.delivery.loop", source="qmail-local(8); rfc5321:6.3")
async def test_loop(qmail: Qmail) -> None:
    """A message that bears this mailbox's Delivered-To line already is looping: it bounces."""
    qmail.delivering = True
    looping = b"Delivered-To: bob@here.example\r\nSubject: hello\r\n\r\nhello\r\n"
    seen = await qmail.deliver("alice@here.example", ["bob@here.example"], looping)
    assert {user: len(messages) for user, messages in seen.mailboxes.items()} == {"alice": 1}


@requirement("base.delivery.bounce", source="qmail-send(8); rfc5321:6.1")
async def test_bounce(qmail: Qmail) -> None:
    """Mail for an unknown user comes back to its sender, from the null sender, naming the address."""
    qmail.delivering = True
    seen = await qmail.deliver("alice@here.example", ["nobody-at-all@here.example"])
    messages = seen.mailboxes.get("alice", [])
    assert len(messages) == 1, f"{len(messages)} messages came"
    assert messages[0].startswith("Return-Path: <>\n")
    assert "<nobody-at-all@here.example>:" in messages[0]


@requirement("base.delivery.double-bounce", source="qmail-send(8) doublebounceto")
async def test_double_bounce(qmail: Qmail) -> None:
    """A bounce that cannot be delivered goes to doublebounceto, and nothing is left in the queue."""
    qmail.delivering = True
    qmail.control["doublebounceto"] = "carol\n"
    qmail.control["doublebouncehost"] = "here.example\n"
    seen = await qmail.deliver("nobody-one@here.example", ["nobody-two@here.example"])
    assert {user: len(messages) for user, messages in seen.mailboxes.items()} == {"carol": 1}
    assert seen.queue == []


@requirement("base.delivery.remote", source="qmail-send(8), qmail-rspawn(8)")
async def test_remote_through_the_queue(internet: Internet, qmail: Qmail) -> None:
    """Mail accepted for another host is delivered there by qmail-send and leaves the queue."""
    qmail.relay()
    internet.load("plain.example")
    seen = await qmail.deliver("a@here.example", ["b@plain.example"])
    assert [(m.sender, m.recipients) for m in internet.messages()] == [
        ("a@here.example", ["b@plain.example"])
    ]
    assert seen.queue == []


@requirement("base.delivery.deferred", source="qmail-send(8); rfc5321:4.5.4.1")
async def test_deferred_mail_stays(internet: Internet, qmail: Qmail) -> None:
    """Mail that a host defers stays in the queue: it is not lost, not bounced, not reported delivered."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "450 later"})
    seen = await qmail.deliver("alice@here.example", ["b@plain.example"])
    assert [message.recipients for message in seen.queue] == [["b@plain.example"]]
    assert seen.mailboxes.get("alice", []) == []


@requirement("base.delivery.refused", source="qmail-send(8)")
async def test_refused_mail_bounces(internet: Internet, qmail: Qmail) -> None:
    """Mail that a host refuses for good bounces, with the host's words, and leaves the queue."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"message": "554 we do not want this"})
    seen = await qmail.deliver("alice@here.example", ["b@plain.example"])
    messages = seen.mailboxes.get("alice", [])
    assert len(messages) == 1, f"{len(messages)} messages came"
    assert "we do not want this" in messages[0]
    assert seen.queue == []
