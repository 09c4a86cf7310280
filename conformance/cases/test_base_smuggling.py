"""Base qmail: where a message ends, and that nothing else ends it (SMTP smuggling)."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


async def _smuggle(qmail: Qmail, end: bytes) -> None:
    """Send a message holding `end` and a second transaction behind it: at most one message may result."""
    second = (
        b"MAIL FROM:<smuggled@b.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n"
        b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
    )
    async with qmail.session() as smtp:
        message = b"Subject: x\r\n\r\nx" + end + second
        replies = await smtp.transaction("a@b.example", ["alice@here.example"], message)
        assert replies[2].code == 354, replies
    queue = await qmail.queue()
    assert "smuggled@b.example" not in [message.sender for message in queue], f"{end!r} ended the message"
    assert len(queue) <= 1, f"{end!r} made {len(queue)} messages of one"
    if b"\n" not in end.replace(b"\r\n", b""):  # nothing is wrong with it but its length
        assert [message.octets[-9:] for message in queue] == ["smuggled\n"], f"{end!r} cut the message"


@requirement("base.smuggling.lf-dot-lf", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_lf_dot_lf(qmail: Qmail) -> None:
    """LF . LF does not end a message.

    Within an attacker's reach: a relay that passes bare LF on lets its users send it.
    """
    await _smuggle(qmail, b"\n.\n")


@requirement("base.smuggling.lf-dot-crlf", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_lf_dot_crlf(qmail: Qmail) -> None:
    """LF . CR LF does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\n.\r\n")


@requirement("base.smuggling.crlf-dot-lf", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_crlf_dot_lf(qmail: Qmail) -> None:
    """CR LF . LF does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\r\n.\n")


@requirement("base.smuggling.cr-dot-cr", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_cr_dot_cr(qmail: Qmail) -> None:
    """CR . CR does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\r.\r")


@requirement("base.smuggling.cr-crlf", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_crlf_dot_cr_crlf(qmail: Qmail) -> None:
    """CR LF . CR CR LF does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\r\n.\r\r\n")


@requirement("base.smuggling.lf-dot-cr", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_lf_dot_cr(qmail: Qmail) -> None:
    """LF . CR does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\n.\r")


@requirement("base.smuggling.cr-dot-lf", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_cr_dot_lf(qmail: Qmail) -> None:
    """CR . LF does not end a message. Within an attacker's reach."""
    await _smuggle(qmail, b"\r.\n")


@requirement("base.smuggling.crlf-nul-dot", source="rfc5321:4.1.1.4, rfc5321:2.3.8")
async def test_nul_before_the_dot(qmail: Qmail) -> None:
    """CR LF NUL . CR LF does not end a message. Within an attacker's reach: NULs pass through relays."""
    await _smuggle(qmail, b"\r\n\0.\r\n")
