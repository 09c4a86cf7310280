"""Base qmail: timeoutconnect and timeoutremote are kept, whatever is waited for."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
EACH_RESPONSE = "qmail-remote(8) timeoutremote: will wait for each response"

#: What a limit of one second may come to on a busy machine, in seconds; also where the host notes late when
#: it began to be silent.
LEAST, MOST = 0.5, 1.9


async def _to_plain(internet: Internet, qmail: Qmail, message: bytes, **script: Any) -> DeliveryReport:
    """A delivery to a host that follows `script`; the limits of connecting and of replies differ."""
    internet.load("plain.example")
    internet.exchanger(**script)
    qmail.control.update(timeoutconnect="3\n", timeoutremote="1\n")
    return await qmail.remote("plain.example", SENDER, [RECIPIENT], message)


async def _waits(internet: Internet, qmail: Qmail, **steps: Any) -> DeliveryReport:
    """A host that falls silent as told is waited for one second, and then left."""
    delivery = await _to_plain(internet, qmail, b"Subject: x\n\n", steps=steps)
    session = internet.mx_session()
    waited = session.transcript[-1].at - session.transcript[-2].at
    assert LEAST <= waited < MOST, f"left after {waited:.1f} s of silence"
    assert delivery.message.letter == "Z", delivery
    return delivery


async def _connects(internet: Internet, qmail: Qmail, timeoutconnect: str) -> None:
    """An attempt to connect is given up after a second, where timeoutconnect reads so."""
    internet.load("plain.example")
    internet.exchanger(silent=True)
    qmail.control.update(timeoutconnect=timeoutconnect, timeoutremote="3\n")
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT], limit=5.0)
    assert delivery.letters == "Z", delivery
    # The target counts the time in which it was at work alone.
    assert LEAST <= delivery.seconds < MOST, f"given up after {delivery.seconds:.1f} s"


@requirement("base.limit.connect", source="qmail-remote(8) timeoutconnect", waits=1)
async def test_limit_of_a_connection(internet: Internet, qmail: Qmail) -> None:
    """An attempt to connect is given up after timeoutconnect seconds, whatever timeoutremote says."""
    await _connects(internet, qmail, "1\n")


CONNECT = "qmail-remote(8) timeoutconnect; package source, control.c: control_readint"


@requirement("base.limit.connect-first-line", source=CONNECT, waits=1)
async def test_first_line_of_timeoutconnect(internet: Internet, qmail: Qmail) -> None:
    """Of timeoutconnect the number at the start of the first line counts."""
    await _connects(internet, qmail, "1 second\n900\n")


@requirement("base.limit.connect-without-line-end", source=CONNECT, waits=1)
async def test_timeoutconnect_without_a_line_end(internet: Internet, qmail: Qmail) -> None:
    """timeoutconnect counts where no line end follows."""
    await _connects(internet, qmail, "1")


@requirement("base.limit.greeting", source=EACH_RESPONSE, waits=1)
async def test_limit_of_the_greeting(internet: Internet, qmail: Qmail) -> None:
    """A host that does not greet is left after timeoutremote seconds, whatever timeoutconnect says."""
    await _waits(internet, qmail, connect="stall")


@requirement("base.limit.hello", source=EACH_RESPONSE, waits=1)
async def test_limit_of_the_hello(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer the hello is left after timeoutremote seconds."""
    await _waits(internet, qmail, EHLO="stall", HELO="stall")


@requirement("base.limit.sender", source=EACH_RESPONSE, waits=1)
async def test_limit_of_mail(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer MAIL is left after timeoutremote seconds."""
    await _waits(internet, qmail, MAIL="stall")


@requirement("base.limit.recipient", source=EACH_RESPONSE, waits=1)
async def test_limit_of_rcpt(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer RCPT is left after timeoutremote seconds."""
    await _waits(internet, qmail, RCPT="stall")


@requirement("base.limit.data", source=EACH_RESPONSE, waits=1)
async def test_limit_of_data(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer DATA is left after timeoutremote seconds."""
    await _waits(internet, qmail, DATA="stall")


@requirement("base.limit.message", source=EACH_RESPONSE, waits=1)
async def test_limit_of_the_message(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer the message is left after timeoutremote seconds."""
    await _waits(internet, qmail, message="stall")


@requirement("base.limit.half-a-reply", source=EACH_RESPONSE, waits=1)
async def test_limit_of_half_a_reply(internet: Internet, qmail: Qmail) -> None:
    """A host that stops between two lines of a reply is left after timeoutremote seconds."""
    await _waits(internet, qmail, MAIL="250-half of it; stall")


@requirement("base.limit.slow-reply", source="package source, qmail-remote.c: saferead", waits=3)
async def test_slow_reply(internet: Internet, qmail: Qmail) -> None:
    """A reply that comes octet by octet, each in time, is read to its end, however long it takes."""
    delivery = await _to_plain(
        internet, qmail, b"", steps={"connect": "421 slow but steady all along"}, pace=0.1
    )
    assert "slow but steady all along" in delivery.text, delivery
    assert delivery.seconds > 2


@requirement("base.limit.slower-reply", source="package source, qmail-remote.c: saferead", waits=1)
async def test_slower_reply(internet: Internet, qmail: Qmail) -> None:
    """A reply of which each octet comes too late is given up at the first that does."""
    delivery = await _to_plain(internet, qmail, b"", pace=2.0)
    assert "connection died" in delivery.text, delivery
    session = internet.mx_session()
    waited = session.transcript[-1].at - session.transcript[-2].at
    assert LEAST <= waited < MOST, f"given up after {waited:.1f} s"


@requirement(
    "base.limit.deaf", source="package source, qmail-remote.c: safewrite; rfc5321:4.5.3.2.5", waits=1
)
async def test_host_that_takes_no_data(internet: Internet, qmail: Qmail) -> None:
    """A host that wants the message and then reads nothing of it is left after timeoutremote seconds."""
    message = b"x" * 1023 + b"\n"
    delivery = await _to_plain(internet, qmail, message * 256, steps={"DATA": "354 go ahead; deaf"})
    assert delivery.letters == "rZ", delivery
    assert LEAST <= delivery.seconds < MOST, f"left after {delivery.seconds:.1f} s"
