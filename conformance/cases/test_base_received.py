"""Base qmail: what Received says of the client."""

from conformance.cases.qmail import SUBMITTED, Qmail
from conformance.catalogue import requirement

KNOWN = "alice@here.example"
MAIL = "MAIL FROM:<a@b.example>"
RCPT = f"RCPT TO:<{KNOWN}>"


async def _received(qmail: Qmail, hello: bytes) -> str:
    """The first line of what is queued after this greeting."""
    async with qmail.session(hello=False) as smtp:
        reply = await smtp.command(hello)
        assert reply.code == 250, reply
        await smtp.envelope("a@b.example", [KNOWN], SUBMITTED)
    return (await qmail.queued()).octets.split("\nReceived: ")[-1].partition("\n")[0]


@requirement("base.received.brackets", source="package source, received.c: safeput; rfc5321:4.4")
async def test_hello_with_a_literal(qmail: Qmail) -> None:
    """A literal in EHLO is taken, and stands in the Received line with `?` for its brackets, as ever."""
    line = await _received(qmail, b"EHLO [192.0.2.9]")
    assert "(HELO ?192.0.2.9?)" in line, line


@requirement("base.received.characters", source="package source, received.c: issafe")
async def test_every_octet_of_hello(qmail: Qmail) -> None:
    """In the Received line letters, digits and .@%+/=:- of the name are as they are, other octets `?`."""
    every = bytes(octet for octet in range(1, 256) if octet not in b"\n\r ")
    line = await _received(qmail, b"HELO " + every)
    safe = b".@%+/=:-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    shown = "".join(chr(octet) if octet in safe else "?" for octet in every)
    assert f"(HELO {shown}) " in line, line


@requirement("base.received.no-second-field", source="package source, received.c: safeput; rfc5321:4.4")
async def test_hello_writes_no_field(qmail: Qmail) -> None:
    """What a client says as its name makes no second line or field of the message's header."""
    line = await _received(qmail, b"HELO x)\rSubject: forged\r (y\x0bz")
    assert line.endswith("(127.0.0.1)"), line
    header = (await qmail.queued()).octets.partition("\n\n")[0]
    assert header.count("\nSubject:") == 1, header


@requirement("base.received.tcpremoteinfo", source="package source, received.c: received; qmail-smtpd(8)")
async def test_the_remote_users_name(qmail: Qmail) -> None:
    """TCPREMOTEINFO stands before the address, TCPREMOTEHOST first, TCPLOCALHOST behind `by`, made safe."""
    qmail.environment |= {
        "TCPREMOTEINFO": "joe (x)",
        "TCPREMOTEHOST": "far.example",
        "TCPLOCALHOST": "near.example",
    }
    async with qmail.session(hello=False) as smtp:
        await smtp.command("HELO far.example")
        await smtp.envelope("a@b.example", [KNOWN], SUBMITTED)
    text = (await qmail.queued()).octets
    assert "Received: from far.example (joe??x?@127.0.0.1)\n  by near.example with SMTP; " in text, text
