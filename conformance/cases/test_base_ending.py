"""Base qmail: how qmail-remote leaves a host, and that it does there what it came for and nothing besides."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport
from conformance.pod.observation import MxSession

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
QUIT = "rfc5321:4.1.1.10"


def said_quit(session: MxSession) -> bool:
    """Whether QUIT was said once, in full, as the last thing."""
    said = "".join(entry.text for entry in session.transcript if entry.source == "client")
    return said.endswith("\r\nQUIT\r\n") and said.count("\r\nQUIT\r\n") == 1


async def _left(internet: Internet, qmail: Qmail, **steps: Any) -> DeliveryReport:
    """A delivery to plain.example, whose one exchanger answers as told; it must be left with QUIT."""
    internet.load("plain.example")
    internet.exchanger(steps=steps)
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT])
    session = internet.mx_session()
    assert session.quit, f"qmail-remote left without QUIT: {session.ended}"
    return delivery


@requirement("base.ending.delivered", source=QUIT)
async def test_after_a_delivery(internet: Internet, qmail: Qmail) -> None:
    """After a message that was accepted qmail-remote says QUIT, once and last."""
    assert (await _left(internet, qmail)).accepted
    session = internet.mx_session()
    assert said_quit(session), session.transcript


@requirement("base.ending.greeting-4xx", source=QUIT + ", rfc5321:3.1")
async def test_after_a_4xx_greeting(internet: Internet, qmail: Qmail) -> None:
    """A host that greets with 4xx hears QUIT and nothing else."""
    await _left(internet, qmail, connect="421 busy")
    assert internet.commands() == ["QUIT"]


@requirement("base.ending.greeting-5xx", source=QUIT + ", rfc5321:3.1")
async def test_after_a_5xx_greeting(internet: Internet, qmail: Qmail) -> None:
    """A host that greets with 554 hears QUIT and nothing else."""
    await _left(internet, qmail, connect="554 no service")
    assert internet.commands() == ["QUIT"]


@requirement("base.ending.hello-refused", source=QUIT)
async def test_after_a_refused_hello(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the hello is left with QUIT."""
    await _left(internet, qmail, EHLO="550 no", HELO="550 no")


@requirement("base.ending.sender-refused", source=QUIT)
async def test_after_a_refused_sender(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the sender is left with QUIT, and no recipient is named to it."""
    await _left(internet, qmail, MAIL="550 no")
    assert internet.commands()[2:] == ["QUIT"]


@requirement("base.ending.sender-deferred", source=QUIT)
async def test_after_a_deferred_sender(internet: Internet, qmail: Qmail) -> None:
    """A host that puts the sender off is left with QUIT, and no recipient is named to it."""
    await _left(internet, qmail, MAIL="451 later")
    assert internet.commands()[2:] == ["QUIT"]


@requirement("base.ending.recipient-refused", source=QUIT + "; qmail-remote(8) RESULTS")
async def test_after_refused_recipients(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses every recipient is left with QUIT, and is never asked for DATA."""
    await _left(internet, qmail, RCPT="550 unknown")
    assert internet.commands()[3:] == ["QUIT"]


@requirement("base.ending.recipient-deferred", source=QUIT + "; qmail-remote(8) RESULTS")
async def test_after_deferred_recipients(internet: Internet, qmail: Qmail) -> None:
    """A host that puts every recipient off is left with QUIT, and is never asked for DATA."""
    await _left(internet, qmail, RCPT="450 later")
    assert internet.commands()[3:] == ["QUIT"]


@requirement("base.ending.data-refused", source=QUIT)
async def test_after_refused_data(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses DATA is left with QUIT, and gets nothing of the message."""
    await _left(internet, qmail, DATA="554 no")
    assert internet.commands()[3:] == ["DATA", "QUIT"]


@requirement("base.ending.data-deferred", source=QUIT)
async def test_after_deferred_data(internet: Internet, qmail: Qmail) -> None:
    """A host that puts DATA off is left with QUIT, and gets nothing of the message."""
    await _left(internet, qmail, DATA="451 later")
    assert internet.commands()[3:] == ["DATA", "QUIT"]


@requirement("base.ending.message-refused", source=QUIT)
async def test_after_a_refused_message(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the message is left with QUIT, once and last."""
    await _left(internet, qmail, message="554 no")
    assert internet.commands()[-2:] == [".", "QUIT"]


@requirement("base.ending.message-deferred", source=QUIT)
async def test_after_a_deferred_message(internet: Internet, qmail: Qmail) -> None:
    """A host that puts the message off is left with QUIT, once and last."""
    await _left(internet, qmail, message="451 later")
    assert internet.commands()[-2:] == [".", "QUIT"]


@requirement("base.ending.not-waited-for", source="package source, qmail-remote.c: quit", waits=1)
async def test_quit_is_not_waited_for(internet: Internet, qmail: Qmail) -> None:
    """A host that never answers QUIT does not keep qmail-remote: the report comes at once."""
    qmail.control["timeoutremote"] = "3\n"
    delivery = await _left(internet, qmail, QUIT="stall")
    assert delivery.accepted
    assert delivery.seconds < 2, f"qmail-remote ended after {delivery.seconds:.1f} s"


@requirement("base.ending.quit-refused", source="qmail-remote(8) RESULTS: the host has taken responsibility")
async def test_what_comes_after_quit_counts_for_nothing(internet: Internet, qmail: Qmail) -> None:
    """A message that was accepted is reported delivered, whatever the host then says to QUIT."""
    assert (await _left(internet, qmail, QUIT="554 and I did not mean it")).accepted
    assert len(internet.messages()) == 1


# What is said between the greeting and QUIT


@requirement("base.talk.whole", source="rfc5321:3.3, rfc5321:4.1.4; qmail-remote(8)")
async def test_the_whole_talk(internet: Internet, qmail: Qmail) -> None:
    """After the hello come MAIL, the recipients as given and in their order, DATA, the message and QUIT."""
    internet.load("plain.example")
    recipients = ["z@plain.example", "b@plain.example", "z@plain.example", "a@plain.example"]
    await qmail.remote("plain.example", SENDER, recipients, b"Subject: x\n\n.\n")
    talk = [f"RCPT TO:<{recipient}>" for recipient in recipients]
    talk = [f"MAIL FROM:<{SENDER}>", *talk, "DATA", "Subject: x", "", "..", ".", "QUIT"]
    assert internet.commands()[1:] == talk


@requirement("base.talk.one-connection", source="rfc5321:3.3, rfc5321:5.1")
async def test_one_connection(internet: Internet, qmail: Qmail) -> None:
    """A message that the best host takes opens one connection, to that host, and is sent once."""
    internet.zone("two.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.2")
    internet.exchanger("127.0.0.3")
    assert (await qmail.remote("two.example", SENDER, ["b@two.example", "c@two.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.2"]
    assert len(internet.messages()) == 1


@requirement("base.talk.refused-once", source="qmail-remote(8) RESULTS; rfc5321:4.2.1")
async def test_a_refusal_is_final(internet: Internet, qmail: Qmail) -> None:
    """A recipient that the best host refuses for good is not offered to the next host."""
    internet.zone("two.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.2", steps={"RCPT": "550 unknown"})
    internet.exchanger("127.0.0.3")
    assert (await qmail.remote("two.example", SENDER, ["b@two.example"])).letters == "hD"
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.2"]


@requirement("base.talk.null-sender", source="rfc5321:4.5.5; qmail-remote(8)")
async def test_null_sender(internet: Internet, qmail: Qmail) -> None:
    """The null sender goes out as MAIL FROM:<>."""
    internet.load("plain.example")
    assert (await qmail.remote("plain.example", "", [RECIPIENT])).accepted
    assert internet.commands()[1] == "MAIL FROM:<>"


@requirement("base.talk.waits-for-each-reply", source="rfc5321:2.1, rfc2920:3.1", waits=1)
async def test_no_pipelining_unasked(internet: Internet, qmail: Qmail) -> None:
    """A command is sent when the one before it is answered: a host that falls silent hears no more."""
    internet.load("plain.example")
    internet.exchanger(extensions=[], steps={"RCPT": ["250 ok", "stall"]})
    recipients = [f"{name}@plain.example" for name in "abc"]
    qmail.control["timeoutremote"] = "1\n"
    await qmail.remote("plain.example", SENDER, recipients)
    assert internet.commands()[2:] == [f"RCPT TO:<{recipient}>" for recipient in recipients[:2]]


@requirement("base.talk.nothing-after-the-dot", source="rfc5321:4.1.1.4, rfc5321:2.1", waits=1)
async def test_nothing_after_the_dot(internet: Internet, qmail: Qmail) -> None:
    """After the final dot nothing is said, not even QUIT, before the host has answered."""
    internet.load("plain.example")
    internet.exchanger(steps={"message": "stall"})
    qmail.control["timeoutremote"] = "1\n"
    await qmail.remote("plain.example", SENDER, [RECIPIENT])
    assert internet.commands()[-1:] == ["."], internet.commands()[-1:]


# Addresses as MAIL and RCPT say them


async def _rcpt(internet: Internet, qmail: Qmail, box: str) -> str:
    """What RCPT says of a recipient with this local part."""
    internet.load("plain.example")
    internet.exchanger(extensions=[])
    assert (await qmail.remote("plain.example", SENDER, [f"{box}@plain.example"])).accepted
    [line] = [line for line in internet.commands() if line.startswith("RCPT")] or ["nothing"]
    return line


@requirement("base.talk.quoted-sender", source="addresses(5); rfc5321:4.1.2")
async def test_sender_that_needs_quotes(internet: Internet, qmail: Qmail) -> None:
    """A sender whose local part holds a space goes out quoted."""
    internet.load("plain.example")
    assert (await qmail.remote("plain.example", "one two@here.example", [RECIPIENT])).accepted
    assert internet.commands()[1] == 'MAIL FROM:<"one two"@here.example>', internet.commands()[1]


@requirement("base.talk.escaped", source="addresses(5); rfc5321:4.1.2")
async def test_signs_that_need_a_backslash(internet: Internet, qmail: Qmail) -> None:
    """Quotes and backslashes of a local part go out each behind a backslash, between quotes."""
    line = await _rcpt(internet, qmail, 'a"b\\c')
    assert line == 'RCPT TO:<"a\\"b\\\\c"@plain.example>', line


@requirement("base.talk.dots", source="addresses(5); rfc5321:4.1.2")
async def test_dots_that_need_quotes(internet: Internet, qmail: Qmail) -> None:
    """A local part that ends with a dot goes out quoted."""
    line = await _rcpt(internet, qmail, "a.")
    assert line == 'RCPT TO:<"a."@plain.example>', line


@requirement("base.talk.plain-box", source="addresses(5); rfc5321:4.1.2")
async def test_local_part_that_needs_no_quotes(internet: Internet, qmail: Qmail) -> None:
    """All signs of an atom, and dots between them, go out as they are, in their letters."""
    line = await _rcpt(internet, qmail, "A.b!#$%&'*+-/=?^_`{|}~c")
    assert line == "RCPT TO:<A.b!#$%&'*+-/=?^_`{|}~c@plain.example>", line


@requirement("base.talk.8-bit-address", source="package source, quote.c: quote")
async def test_8bit_address_to_a_host_that_announces_nothing(internet: Internet, qmail: Qmail) -> None:
    """An address beyond ASCII goes out as it is, between quotes, to a host that announces nothing."""
    line = await _rcpt(internet, qmail, "j\xf6rg")
    assert line == 'RCPT TO:<"j\xf6rg"@plain.example>', line
