"""0005: DNS answers larger than 512 octets are fetched over TCP and read whole."""

from typing import Literal

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
PATCH = "patch:0005 oversize DNS packet; "


async def _padded(
    internet: Internet, qmail: Qmail, octets: int, needed: Literal["first", "middle", "last"] = "first"
) -> DeliveryReport:
    """A delivery to a domain whose MX answer has exactly so many octets; one exchanger in it exists."""
    internet.zone("big.example", padding=octets, needed=needed)
    delivery = await qmail.remote("big.example", SENDER, ["b@big.example"])
    assert internet.questions("big.example", "MX"), "no MX question was asked"
    return delivery


@requirement("0005.mx.octets-1024", source=PATCH + "rfc1035:4.2.1")
async def test_mx_of_1024_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 1,024 octets, most of its records beyond octet 512, is read whole."""
    assert (await _padded(internet, qmail, 1024)).accepted


@requirement("0005.mx.octets-4096", source=PATCH + "rfc1035:4.2.1, rfc7766:5")
async def test_mx_of_4096_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 4,096 octets is asked for once over UDP, then fetched over TCP and read whole."""
    assert (await _padded(internet, qmail, 4096)).accepted
    assert len(internet.questions("big.example", "MX", "udp")) == 1
    assert [q.size for q in internet.questions("big.example", "MX", "tcp")][-1:] == [4096]


@requirement("0005.mx.octets-16384", source=PATCH + "rfc7766:5")
async def test_mx_of_16384_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 16,384 octets, the reach of a compression pointer, is read whole."""
    assert (await _padded(internet, qmail, 16_384)).accepted


@requirement("0005.mx.octets-65535", source=PATCH + "rfc1035:4.2.2")
async def test_mx_of_65535_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 65,535 octets, the longest there is, is read whole."""
    assert (await _padded(internet, qmail, 65_535)).accepted


@requirement("0005.mx.best-in-the-middle", source=PATCH + "rfc5321:5.1")
async def test_best_exchanger_in_the_middle(internet: Internet, qmail: Qmail) -> None:
    """The best exchanger is found in the middle of an answer of 4,096 octets."""
    assert (await _padded(internet, qmail, 4096, "middle")).accepted


@requirement("0005.mx.best-at-the-end", source=PATCH + "rfc5321:5.1")
async def test_best_exchanger_at_the_end(internet: Internet, qmail: Qmail) -> None:
    """The best exchanger is found as the last record of an answer of 4,096 octets."""
    assert (await _padded(internet, qmail, 4096, "last")).accepted


@requirement("0005.a.many-addresses", source=PATCH + "rfc1035:4.2.1")
async def test_many_addresses(internet: Internet, qmail: Qmail) -> None:
    """An exchanger with 40 addresses of which only the last takes connections gets the message."""
    nobody = "".join(f"mx A 127.9.9.{number}\n" for number in range(1, 40))
    internet.zone("many.example", "@ MX 10 mx\n" + nobody + "mx A 127.0.0.2\n")
    assert (await qmail.remote("many.example", SENDER, ["b@many.example"])).accepted


@requirement("0005.a.octets-4096", source=PATCH + "rfc7766:5")
async def test_a_of_4096_octets(internet: Internet, qmail: Qmail) -> None:
    """An A answer of 4,096 octets is read to its last record, the one where somebody listens."""
    internet.zone("big.example")
    internet.padding("mx.big.example", "A", 4096, "last")
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).accepted


@requirement("0005.small.one-question", source=PATCH + "rfc1035:4.2.1", role="guard")
async def test_small_answer_costs_one_question(internet: Internet, qmail: Qmail) -> None:
    """An answer of 512 octets costs one question, over UDP."""
    assert (await _padded(internet, qmail, 512)).accepted
    assert [(q.over, q.size) for q in internet.questions("big.example", "MX")] == [("udp", 512)]
    assert internet.questions(over="tcp") == []


@requirement("0005.tc.small-answer", source=PATCH + "rfc2181:9, rfc7766:4", role="guard")
async def test_truncation_bit_on_a_small_answer(internet: Internet, qmail: Qmail) -> None:
    """An answer that bears the TC bit is asked for again over TCP, however small it is."""
    internet.load("plain.example")
    internet.fault("plain.example", "truncate", type="MX", over="udp")
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert internet.questions("plain.example", "MX", "tcp")


@requirement("0005.tcp.refused", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard")
async def test_tcp_refused(internet: Internet, qmail: Qmail) -> None:
    """When TCP is refused for a truncated answer, the failure is temporary and ends in time."""
    internet.refuse_tcp()
    delivery = await _padded(internet, qmail, 4096)
    assert delivery.ended
    assert delivery.letters == "Z"


@requirement(
    "0005.tcp.closed-early", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard"
)
async def test_tcp_closed_early(internet: Internet, qmail: Qmail) -> None:
    """When TCP is closed in the middle of an answer, the failure is temporary and ends in time."""
    internet.fault("big.example", "close", type="MX", over="tcp", length=1000)
    delivery = await _padded(internet, qmail, 4096)
    assert delivery.ended
    assert delivery.letters == "Z"


@requirement(
    "0005.tcp.stalled",
    source=PATCH + "qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1",
    level="should",
    waits=5,
)
async def test_tcp_stalled(internet: Internet, qmail: Qmail) -> None:
    """When TCP stalls in an answer, the failure is temporary, soon after the resolver's own limits (2 s)."""
    internet.zone("big.example", padding=4096)
    internet.fault("big.example", "stall", type="MX", over="tcp", length=1000)
    delivery = await qmail.remote("big.example", SENDER, ["b@big.example"], limit=5)
    assert delivery.ended, f"qmail-remote still waits after 5 s: {delivery}"
    assert delivery.letters == "Z"


@requirement(
    "0005.nodata.still-permanent", source="rfc2308:2.1, rfc5321:5.1; qmail-remote(8) RESULTS", role="guard"
)
async def test_no_such_domain_stays_permanent(internet: Internet, qmail: Qmail) -> None:
    """A domain that does not exist is still a permanent failure."""
    internet.zone("big.example")
    assert (await qmail.remote("gone.big.example", SENDER, ["b@gone.big.example"])).letters == "D"


@requirement(
    "0005.nodata.other-records", source="rfc2308:2.2, rfc5321:5.1; qmail-remote(8) RESULTS", role="guard"
)
async def test_no_data_stays_permanent(internet: Internet, qmail: Qmail) -> None:
    """A domain that exists and has neither MX nor A is still a permanent failure."""
    internet.zone("big.example", '@ TXT "no mail here"\n')
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).letters == "D"
    assert internet.questions("big.example", "MX")
