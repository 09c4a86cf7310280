"""0005: answers that are long without the TC bit, and short with it, for MX and for A."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

PATCH = "patch:0005 oversize DNS packets; "
SENDER = "a@here.example"

#: Octet 2 of the header of an answer to a question with RD: QR, AA, TC, RD.
TC = "\x87"


async def _sized(internet: Internet, qmail: Qmail, type: str, octets: int, **fault: Any) -> DeliveryReport:
    """A delivery where one answer has so many octets, what is needed at its end, and a fault over UDP."""
    internet.zone("big.example")
    name = "big.example" if type == "MX" else "mx.big.example"
    internet.padding(name, type, octets, "last")
    internet.fault(name, fault.pop("action", "untruncated"), type=type, over="udp", **fault)
    return await qmail.remote("big.example", SENDER, ["b@big.example"])


def _over(internet: Internet, type: str) -> str:
    """How each question of a type came, first letters in order; one over TCP is counted once in a row."""
    return "".join(question.over[0] for question in internet.questions(type=type)).replace("tt", "t")


@requirement("0005.untruncated.mx", source="patch:0005 oversize DNS packets; rfc1035:4.2.1")
async def test_long_mx_without_tc(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 4,096 octets that comes over UDP without the TC bit is asked for again over TCP."""
    delivery = await _sized(internet, qmail, "MX", 4096)
    assert delivery.accepted, delivery
    assert _over(internet, "MX") == "ut", _over(internet, "MX")


@requirement("0005.untruncated.mx-513", source=PATCH + "rfc1035:4.2.1")
async def test_mx_of_513_octets_without_tc(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 513 octets that comes over UDP without the TC bit is asked for again over TCP."""
    internet.zone("", "@ NS ns.test.")  # where an answer is read that was cut, names are, too
    delivery = await _sized(internet, qmail, "MX", 513)
    assert delivery.accepted, delivery
    assert _over(internet, "MX") == "ut", _over(internet, "MX")


@requirement("0005.untruncated.a", source="patch:0005 oversize DNS packets; rfc1035:4.2.1")
async def test_long_a_without_tc(internet: Internet, qmail: Qmail) -> None:
    """An A answer of 2,048 octets that comes over UDP without the TC bit is asked for again over TCP."""
    delivery = await _sized(internet, qmail, "A", 2048)
    assert delivery.accepted, delivery
    assert (_over(internet, "MX"), _over(internet, "A")) == ("u", "ut")


@requirement(
    "0005.untruncated.tcp-refused", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard"
)
async def test_long_without_tc_and_no_tcp(internet: Internet, qmail: Qmail) -> None:
    """When TCP is refused for a long answer without the TC bit, the failure is temporary."""
    internet.refuse_tcp()
    delivery = await _sized(internet, qmail, "MX", 4096)
    assert delivery.letters == "Z", delivery
    assert delivery.ended


@requirement("0005.tc.whole", source="rfc1035:4.1.1, rfc2181:9", role="guard")
async def test_whole_answer_with_tc(internet: Internet, qmail: Qmail) -> None:
    """A small MX answer that is whole and bears the TC bit is asked for again over TCP all the same."""
    internet.load("plain.example")
    internet.fault("plain.example", "patch", type="MX", over="udp", offset=2, octets=TC)
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert (_over(internet, "MX"), _over(internet, "A")) == ("ut", "u")


@requirement("0005.tc.whole-a", source="rfc1035:4.1.1, rfc2181:9", role="guard")
async def test_whole_address_with_tc(internet: Internet, qmail: Qmail) -> None:
    """A small A answer that is whole and bears the TC bit is asked for again over TCP all the same."""
    internet.load("plain.example")
    internet.fault("mx.plain.example", "patch", type="A", over="udp", offset=2, octets=TC)
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert (_over(internet, "MX"), _over(internet, "A")) == ("u", "ut")


@requirement("0005.tc.over-tcp", source="rfc1035:4.2.2; qmail-remote(8)", role="guard")
async def test_tc_over_tcp(internet: Internet, qmail: Qmail) -> None:
    """An answer that bears the TC bit over TCP too is taken as it is, and ends in time."""
    internet.load("plain.example")
    internet.fault("plain.example", "patch", type="MX", offset=2, octets=TC)
    delivery = await qmail.remote("plain.example", SENDER, ["b@plain.example"])
    assert delivery.accepted, delivery


@requirement("0005.both.udp-first", source="patch:0005 oversize DNS packets; rfc1035:4.2.1", role="change")
async def test_each_name_is_asked_over_udp_first(internet: Internet, qmail: Qmail) -> None:
    """After a large MX answer each exchanger's address is asked for over UDP first, and once."""
    internet.zone(
        "big.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3", padding=4096, needed="last"
    )
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).accepted
    asked = [question.over for name in "ab" for question in internet.questions(f"{name}.big.example", "A")]
    assert asked == ["udp", "udp"], asked
