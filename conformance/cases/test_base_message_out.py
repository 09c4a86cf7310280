"""Base qmail: the octets of a message as they leave qmail-remote. What it is given is what arrives."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
TRANSPARENCY = "qmail-remote(8) TRANSPARENCY"

#: So many octets qmail-remote collects before it writes them.
BUFFER = 1024


async def _arrives(internet: Internet, qmail: Qmail, message: bytes) -> None:
    """A message goes to plain.example, and arrives there as it was, with CR LF for LF."""
    internet.load("plain.example")
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT], message)
    assert delivery.accepted, delivery
    wanted = message.replace(b"\n", b"\r\n").decode("latin-1")
    arrived = "".join(accepted.octets for accepted in internet.messages())
    same = next((at for at, pair in enumerate(zip(arrived, wanted, strict=False)) if pair[0] != pair[1]), -1)
    assert arrived == wanted, (
        f"{len(arrived)} octets arrived for {len(wanted)}, the first other one at {same}"
    )


@requirement("base.octets-out.empty", source=TRANSPARENCY + "; rfc5321:4.1.1.4")
async def test_empty_message(internet: Internet, qmail: Qmail) -> None:
    """An empty message goes out as the final dot alone."""
    await _arrives(internet, qmail, b"")


@requirement("base.octets-out.long-line", source=TRANSPARENCY + ": will happily send such messages")
async def test_long_line(internet: Internet, qmail: Qmail) -> None:
    """A line of 20,000 octets goes out as one line."""
    await _arrives(internet, qmail, b"Subject: x\n\n" + b"x" * 20_000 + b"\nend\n")


@requirement("base.octets-out.carriage-returns", source=TRANSPARENCY + ": inserting CR before each LF")
async def test_carriage_returns(internet: Internet, qmail: Qmail) -> None:
    """Carriage returns of a message stay, and each LF gets one more, also behind another CR."""
    await _arrives(internet, qmail, b"Subject: x\r\n\r\na\rb\n\r.\n.\r\n\r\r\n")


@requirement("base.octets-out.nul", source="package source, qmail-remote.c: blast; " + TRANSPARENCY)
async def test_nul(internet: Internet, qmail: Qmail) -> None:
    """A NUL in a message goes out as what it is, and ends nothing."""
    await _arrives(internet, qmail, b"Subject: x\n\na\0b\n\0\nend\n")


@requirement("base.octets-out.dots-at-every-edge", source=TRANSPARENCY + "; rfc5321:4.5.2")
async def test_dots_at_every_edge(internet: Internet, qmail: Qmail) -> None:
    """Dots are doubled wherever a line begins, at each place of a buffer too."""
    # Lines of three octets and their stuffing move through a buffer of any even size.
    lines = b".\n" * (2 * BUFFER) + b"..\n.x\nx.\n" * BUFFER
    await _arrives(internet, qmail, b"Subject: x\n\n" + lines)
