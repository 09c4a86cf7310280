"""Base qmail: what qmail-remote reports of a host that fails, garbles or lies, step by step. Never K."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
RESULTS = "qmail-remote(8) RESULTS"


async def _scripted(internet: Internet, qmail: Qmail, **steps: Any) -> DeliveryReport:
    """A delivery to plain.example, whose one exchanger answers as told; nothing may hang or crash."""
    internet.load("plain.example")
    internet.exchanger(steps=steps)
    qmail.control["timeoutremote"] = "1\n"
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT])
    assert delivery.ended, delivery
    assert delivery.status == 0, delivery
    return delivery


@requirement("base.report.connect-closed", source=RESULTS + "; rfc5321:3.8")
async def test_closed_before_the_greeting(internet: Internet, qmail: Qmail) -> None:
    """A host that closes before its greeting is a temporary failure."""
    assert (await _scripted(internet, qmail, connect="close")).letters == "Z"


@requirement("base.report.connect-silent", source="qmail-remote(8) timeoutremote; rfc5321:4.5.3.2.1", waits=1)
async def test_no_greeting(internet: Internet, qmail: Qmail) -> None:
    """A host that never greets is a temporary failure after timeoutremote seconds."""
    assert (await _scripted(internet, qmail, connect="stall")).letters == "Z"


@requirement("base.report.hello-4xx", source=RESULTS + "; rfc5321:4.2.1")
async def test_hello_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx to the hello is a temporary failure."""
    assert (await _scripted(internet, qmail, EHLO="450 no", HELO="450 no")).letters == "Z"


@requirement("base.report.hello-5xx", source="package source, qmail-remote.c: smtp")
async def test_hello_refused(internet: Internet, qmail: Qmail) -> None:
    """5xx to the hello is a temporary failure too, as ever: the message is tried again."""
    delivery = await _scripted(internet, qmail, EHLO="550 no", HELO="550 no")
    assert delivery.letters == "Z", f"{delivery}"


@requirement("base.report.hello-closed", source=RESULTS + "; rfc5321:3.8")
async def test_closed_at_hello(internet: Internet, qmail: Qmail) -> None:
    """A host that closes instead of answering the hello is a temporary failure."""
    assert (await _scripted(internet, qmail, EHLO="close", HELO="close")).letters == "Z"


@requirement("base.report.sender-reset", source=RESULTS + "; rfc5321:3.8")
async def test_reset_at_mail(internet: Internet, qmail: Qmail) -> None:
    """A connection that is reset at MAIL is a temporary failure."""
    assert (await _scripted(internet, qmail, MAIL="reset")).letters == "Z"


@requirement("base.report.sender-3xx", source=RESULTS + "; rfc5321:4.2.1")
async def test_sender_3xx(internet: Internet, qmail: Qmail) -> None:
    """3xx to MAIL accepts no sender: whatever is reported, it is no delivery."""
    assert (await _scripted(internet, qmail, MAIL="354 what")).message.letter in ("Z", "D")
    assert internet.messages() == []


@requirement("base.report.recipient-4xx", source=RESULTS)
async def test_recipient_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx to the only recipient is reported as that recipient's temporary failure, in the host's words."""
    delivery = await _scripted(internet, qmail, RCPT="450 come back")
    assert delivery.letters == "sD"
    assert "come back" in delivery.recipients[0].text


@requirement("base.report.recipient-closed", source=RESULTS + "; rfc5321:3.8")
async def test_closed_at_rcpt(internet: Internet, qmail: Qmail) -> None:
    """A host that closes at RCPT is a temporary failure."""
    assert (await _scripted(internet, qmail, RCPT="close")).message.letter == "Z"


@requirement("base.report.recipient-3xx", source=RESULTS + "; rfc5321:4.2.1")
async def test_recipient_3xx(internet: Internet, qmail: Qmail) -> None:
    """3xx to RCPT delivers nothing: a host that then refuses DATA is sent no message."""
    assert (await _scripted(internet, qmail, RCPT="354 what")).message.letter in ("Z", "D")
    assert "Subject: hello" not in internet.commands()


@requirement("base.report.data-4xx", source=RESULTS)
async def test_data_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx to DATA is a temporary failure, and the message is not sent."""
    assert (await _scripted(internet, qmail, DATA="451 later")).letters == "rZ"
    assert "Subject: hello" not in internet.commands()


@requirement("base.report.data-closed", source=RESULTS + "; rfc5321:3.8")
async def test_closed_at_data(internet: Internet, qmail: Qmail) -> None:
    """A host that closes at DATA is a temporary failure, without a warning of a duplicate."""
    delivery = await _scripted(internet, qmail, DATA="close")
    assert delivery.letters == "rZ"
    assert "duplicate" not in delivery.text


@requirement("base.report.data-2xx", source=RESULTS + "; rfc5321:3.3")
async def test_data_2xx(internet: Internet, qmail: Qmail) -> None:
    """A host that answers DATA with 250 and takes the message for commands is never reported to have it."""
    assert (await _scripted(internet, qmail, DATA="250 ok")).message.letter in ("Z", "D")
    assert internet.messages() == []


@requirement("base.report.data-2xx-not-sent", source="rfc5321:3.3")
async def test_message_after_data_2xx(internet: Internet, qmail: Qmail) -> None:
    """A host that answers DATA with 250 is not sent the message: only 354 asks for it."""
    await _scripted(internet, qmail, DATA="250 ok")
    said = internet.commands()[4:]
    assert said == ["QUIT"], f"after DATA it said {said}"


@requirement("base.report.message-silent", source=RESULTS + "; rfc5321:4.5.3.2.6", waits=1)
async def test_silence_after_the_message(internet: Internet, qmail: Qmail) -> None:
    """Silence after the message is temporary, after timeoutremote seconds, and warns of a duplicate."""
    delivery = await _scripted(internet, qmail, message="stall")
    assert delivery.letters == "rZ"
    assert "Possible duplicate" in delivery.text


@requirement("base.report.message-garbled", source=RESULTS + "; rfc5321:4.2")
async def test_garbage_after_the_message(internet: Internet, qmail: Qmail) -> None:
    """A reply to the message that has no code is never reported as delivery."""
    assert (await _scripted(internet, qmail, message="yes, gladly")).message.letter in ("Z", "D")


@requirement("base.report.message-3xx", source="rfc5321:4.2.1, rfc5321:4.3.2; " + RESULTS)
async def test_message_3xx(internet: Internet, qmail: Qmail) -> None:
    """3xx after the message accepts nothing, and is never reported as delivery."""
    assert (await _scripted(internet, qmail, message="354 go on")).message.letter in ("Z", "D")
    assert internet.messages() == []


@requirement("base.report.message-1xx", source="rfc5321:4.2.1, rfc5321:4.3.2; " + RESULTS)
async def test_message_1xx(internet: Internet, qmail: Qmail) -> None:
    """1xx after the message, which SMTP does not know, accepts nothing and is never reported as delivery."""
    delivery = await _scripted(internet, qmail, message="150 coming")
    assert internet.messages() == []
    assert delivery.message.letter in ("Z", "D"), f"no host has accepted a message: {delivery}"


@requirement("base.report.reply-without-end", source="qmail-remote(8) timeoutremote; rfc5321:4.2.1", waits=1)
async def test_reply_of_endless_lines(internet: Internet, qmail: Qmail) -> None:
    """A reply of several lines that never comes to its last one is a temporary failure, within the limit."""
    endless = "\r\n".join(["250-more"] * 500) + "; stall"
    assert (await _scripted(internet, qmail, RCPT=endless)).letters == "Z"


@requirement("base.report.reply-of-64-kib", source=RESULTS + "; package source, qmail-remote.c: HUGESMTPTEXT")
async def test_reply_of_64_kib(internet: Internet, qmail: Qmail) -> None:
    """A refusal of 64 KiB in one line is a permanent failure, whose report holds a part of it only."""
    delivery = await _scripted(internet, qmail, MAIL="550 no " + "x" * 65_536)
    assert delivery.letters == "D"
    assert "Remote host said: 550 no x" in delivery.text
    assert len(delivery.text) < 10_000


@requirement(
    "base.report.reply-with-nul",
    source=RESULTS + ": each report is terminated by a 0 byte; package source, qmail-remote.c: outsmtptext",
)
async def test_reply_with_nul(internet: Internet, qmail: Qmail) -> None:
    """A host cannot write a report: NUL and K in a refusal leave it a single permanent failure."""
    delivery = await _scripted(internet, qmail, MAIL="550 no\0Kaccepted\0")
    assert delivery.letters == "D"
    assert "Kaccepted" in delivery.text


@requirement("base.report.several-lines", source=RESULTS + "; rfc5321:4.2.1")
async def test_replies_of_several_lines(internet: Internet, qmail: Qmail) -> None:
    """Replies of several lines at every step are read as one each, and the message is delivered."""
    steps = {
        step: f"{code}-one\r\n{code}-two\r\n{code} three"
        for step, code in {"connect": 220, "MAIL": 250, "RCPT": 250, "DATA": 354, "message": 250}.items()
    }
    assert (await _scripted(internet, qmail, **steps)).letters == "rK"


@requirement("base.remote.equal-preference", source="rfc5321:5.1; qmail-remote(8)")
async def test_equal_preferences(internet: Internet, qmail: Qmail) -> None:
    """Of six exchangers of one preference of which one takes connections, that one gets the message."""
    records = "".join(f"@ MX 10 m{number}\nm{number} A 127.0.0.{number}\n" for number in range(2, 8))
    internet.zone("equal.example", records)
    internet.exchanger("127.0.0.6")
    assert (await qmail.remote("equal.example", SENDER, ["b@equal.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.6"]


@requirement("base.remote.8bit-unannounced", source="qmail-remote(8) TRANSPARENCY", level="should")
async def test_8bit_to_a_host_without_8bitmime(internet: Internet, qmail: Qmail) -> None:
    """A host that announces no 8BITMIME gets octets above 127 unchanged all the same.

    RFC 6152 forbids it, and the manual page, which promises it, calls it a violation.
    """
    internet.load("plain.example")
    internet.exchanger(extensions=[])
    body = bytes(range(128, 256))
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT], b"Subject: x\n\n" + body + b"\n")
    assert delivery.accepted
    assert [m.octets for m in internet.messages()] == [f"Subject: x\r\n\r\n{body.decode('latin-1')}\r\n"]


@requirement("base.delivery.dropped-after-message", source="qmail-send(8); rfc5321:3.8, rfc5321:4.5.4.1")
async def test_unanswered_message_stays(internet: Internet, qmail: Qmail) -> None:
    """A message whose acceptance was never answered stays in the queue: it is neither lost nor bounced."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"message": "close"})
    seen = await qmail.deliver("alice@here.example", [RECIPIENT])
    assert [message.recipients for message in seen.queue] == [[RECIPIENT]]
    assert seen.mailboxes.get("alice", []) == []
