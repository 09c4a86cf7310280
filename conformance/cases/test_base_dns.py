"""Base qmail: a DNS that fails or lies. What cannot be known now is a temporary failure, never a bounce."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.world import FaultAction

SENDER = "a@here.example"
SOURCE = "qmail-remote(8) RESULTS; rfc5321:5.1, rfc1034:5.2.3"
#: An answer that is not well formed.
MALFORMED = SOURCE + "; rfc1035:7.3"

#: Where the first answer record of a question for plain.example begins: 12 octets of header, 19 of question.
FIRST_RECORD = 31
#: The same for mx.plain.example.
FIRST_ADDRESS = 34


async def _fails(internet: Internet, qmail: Qmail, type: str, action: FaultAction, **details: Any) -> None:
    """A bad answer to one question is reported as a temporary failure, in time and without a crash."""
    internet.load("plain.example")
    internet.fault("plain.example" if type == "MX" else "mx.plain.example", action, type=type, **details)
    delivery = await qmail.remote("plain.example", SENDER, ["b@plain.example"])
    assert delivery.ended, delivery
    assert delivery.status == 0, delivery
    assert delivery.letters == "Z", delivery
    assert internet.messages() == []


@requirement("base.dns.mx-refused", source=SOURCE + "; rfc1035:4.1.1")
async def test_mx_refused(internet: Internet, qmail: Qmail) -> None:
    """REFUSED to the question for MX is a temporary failure."""
    await _fails(internet, qmail, "MX", "rcode", rcode="REFUSED")


@requirement("base.dns.mx-unanswered", source=SOURCE, waits=2)
async def test_mx_unanswered(internet: Internet, qmail: Qmail) -> None:
    """A question for MX that is never answered is a temporary failure, within the resolver's limits."""
    await _fails(internet, qmail, "MX", "drop")


@requirement("base.dns.mx-cut", source=MALFORMED + ", rfc1035:4.1.3")
async def test_mx_cut(internet: Internet, qmail: Qmail) -> None:
    """An MX answer cut in the middle of a record is a temporary failure."""
    await _fails(internet, qmail, "MX", "cut", length=FIRST_RECORD + 9)


@requirement("base.dns.mx-count", source=MALFORMED + ", rfc1035:4.1.1")
async def test_mx_wrong_count(internet: Internet, qmail: Qmail) -> None:
    """An MX answer that promises more records than it holds is a temporary failure."""
    await _fails(internet, qmail, "MX", "patch", offset=6, octets="\0\x09")


@requirement("base.dns.mx-compression-loop", source=MALFORMED + ", rfc1035:4.1.4")
async def test_mx_compression_loop(internet: Internet, qmail: Qmail) -> None:
    """An MX answer with a name that points to itself is a temporary failure: no hang, no crash."""
    await _fails(internet, qmail, "MX", "patch", offset=FIRST_RECORD, octets="\xc0" + chr(FIRST_RECORD))


@requirement("base.dns.mx-pointer-beyond", source=MALFORMED + ", rfc1035:4.1.4")
async def test_mx_pointer_beyond_the_end(internet: Internet, qmail: Qmail) -> None:
    """An MX answer with a name that points beyond the message is a temporary failure."""
    await _fails(internet, qmail, "MX", "patch", offset=FIRST_RECORD, octets="\xff\xff")


@requirement("base.dns.mx-short-data", source=MALFORMED + ", rfc1035:3.3.9")
async def test_mx_short_data(internet: Internet, qmail: Qmail) -> None:
    """An MX record of one octet is a temporary failure."""
    # 2 octets of name, type, class and TTL (8), then the length of the data.
    await _fails(internet, qmail, "MX", "patch", offset=FIRST_RECORD + 10, octets="\0\x01")


@requirement("base.dns.mx-other-question", source=SOURCE + "; rfc5452:9.1", waits=2)
async def test_mx_other_question(internet: Internet, qmail: Qmail) -> None:
    """An MX answer to another question is not believed: a temporary failure."""
    # The first letter of the name in the question, after its length.
    await _fails(internet, qmail, "MX", "patch", offset=13, octets="q")


@requirement("base.dns.mx-empty", source=MALFORMED + ", rfc1035:4.1.1")
async def test_mx_empty(internet: Internet, qmail: Qmail) -> None:
    """An answer of no octets to the question for MX is a temporary failure."""
    await _fails(internet, qmail, "MX", "cut", length=0)


@requirement("base.dns.a-servfail", source=SOURCE + "; rfc1035:4.1.1")
async def test_a_servfail(internet: Internet, qmail: Qmail) -> None:
    """An exchanger whose address cannot be looked up now is a temporary failure."""
    await _fails(internet, qmail, "A", "rcode", rcode="SERVFAIL")


@requirement("base.dns.a-unanswered", source=SOURCE, waits=2)
async def test_a_unanswered(internet: Internet, qmail: Qmail) -> None:
    """An exchanger whose address question is never answered is a temporary failure."""
    await _fails(internet, qmail, "A", "drop")


@requirement("base.dns.a-cut", source=MALFORMED + ", rfc1035:4.1.3")
async def test_a_cut(internet: Internet, qmail: Qmail) -> None:
    """An A answer cut in the middle of its record is a temporary failure."""
    await _fails(internet, qmail, "A", "cut", length=FIRST_ADDRESS + 5)


@requirement("base.dns.a-compression-loop", source=MALFORMED + ", rfc1035:4.1.4")
async def test_a_compression_loop(internet: Internet, qmail: Qmail) -> None:
    """An A answer with a name that points to itself is a temporary failure: no hang, no crash."""
    await _fails(internet, qmail, "A", "patch", offset=FIRST_ADDRESS, octets="\xc0" + chr(FIRST_ADDRESS))


@requirement("base.dns.a-short-data", source=MALFORMED + ", rfc1035:3.4.1")
async def test_a_short_data(internet: Internet, qmail: Qmail) -> None:
    """An A record of one octet is a temporary failure."""
    await _fails(internet, qmail, "A", "patch", offset=FIRST_ADDRESS + 10, octets="\0\x01")


@requirement(
    "base.dns.a-missing",
    source="qmail-remote(8) RESULTS; rfc5321:5.1, rfc3463:3.5; package source, qmail-remote.c: perm_nomx",
)
async def test_exchanger_without_an_address(internet: Internet, qmail: Qmail) -> None:
    """A domain whose only exchanger does not exist is a permanent failure (5.4.4)."""
    internet.zone("lone.example", "@ MX 10 gone\n")
    delivery = await qmail.remote("lone.example", SENDER, ["b@lone.example"])
    assert delivery.letters == "D"
    assert "#5.4.4" in delivery.text


@requirement("base.dns.one-of-two", source=SOURCE)
async def test_one_exchanger_cannot_be_looked_up(internet: Internet, qmail: Qmail) -> None:
    """When one exchanger's address cannot be looked up now, another exchanger gets the message."""
    internet.zone("two.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.3\nb A 127.0.0.2\n")
    internet.fault("a.two.example", "rcode", rcode="SERVFAIL")
    assert (await qmail.remote("two.example", SENDER, ["b@two.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.2"]
