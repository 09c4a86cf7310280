"""0005: the edges of large answers. Where stock's limit shows, how TCP fails, what the queue makes of it."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
PATCH = "patch:0005 oversize DNS packet; "
EDNS = "timeout:1 attempts:2 edns0"


async def _padded(internet: Internet, qmail: Qmail, octets: int) -> DeliveryReport:
    """A delivery to a domain whose MX answer has so many octets, its one real exchanger the last record."""
    internet.zone("big.example", padding=octets, needed="last")
    delivery = await qmail.remote("big.example", SENDER, ["b@big.example"])
    assert delivery.ended, delivery
    assert delivery.status == 0, delivery
    return delivery


async def _addresses(internet: Internet, qmail: Qmail, count: int) -> DeliveryReport:
    """A delivery to an exchanger of `count` addresses of 16 octets each, of which only the last listens."""
    nobody = "".join(f"m A 127.9.9.{number}\n" for number in range(1, count))
    internet.zone("x.example", "@ MX 10 m\n" + nobody + "m A 127.0.0.2\n")
    return await qmail.remote("x.example", SENDER, ["b@x.example"])


@requirement("0005.mx.octets-513", source=PATCH + "rfc1035:4.2.1")
async def test_mx_of_513_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 513 octets, one more than UDP carries, is fetched over TCP."""
    internet.zone("big.example", padding=513)
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).accepted
    assert internet.questions("big.example", "MX", "tcp")


@requirement("0005.mx.octets-2048", source=PATCH + "rfc7766:5")
async def test_mx_of_2048_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 2,048 octets is read to its last record, the one that is needed."""
    assert (await _padded(internet, qmail, 2048)).accepted


@requirement("0005.mx.octets-60000", source=PATCH + "rfc1035:4.2.2")
async def test_mx_of_60000_octets(internet: Internet, qmail: Qmail) -> None:
    """An MX answer of 60,000 octets, more than a signed 16-bit length, is read to its last record."""
    assert (await _padded(internet, qmail, 60_000)).accepted


@requirement("0005.a.thirty", source=PATCH + "rfc1035:4.2.1", role="guard")
async def test_thirty_addresses(internet: Internet, qmail: Qmail) -> None:
    """Thirty addresses, an answer of 509 octets, are read to the last one."""
    assert (await _addresses(internet, qmail, 30)).accepted
    assert [(q.over, q.size) for q in internet.questions("m.x.example", "A")] == [("udp", 509)]


@requirement("0005.a.thirty-one", source=PATCH + "rfc1035:4.2.1")
async def test_thirty_one_addresses(internet: Internet, qmail: Qmail) -> None:
    """Thirty-one addresses, an answer of 525 octets, are read to the last one."""
    assert (await _addresses(internet, qmail, 31)).accepted
    assert [q.size for q in internet.questions("m.x.example", "A", "tcp")][-1:] == [525]


@requirement("0005.a.octets-16384", source=PATCH + "rfc7766:5")
async def test_a_of_16384_octets(internet: Internet, qmail: Qmail) -> None:
    """An A answer of 16,384 octets, a thousand addresses, is read to its last record."""
    internet.zone("big.example")
    internet.padding("mx.big.example", "A", 16_384, "last")
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).accepted


@requirement("0005.both.large", source=PATCH + "rfc7766:5")
async def test_mx_and_a_are_large(internet: Internet, qmail: Qmail) -> None:
    """A large MX answer and a large A answer within one delivery are both read whole."""
    internet.zone("big.example", padding=2048, needed="last")
    internet.padding("mx.big.example", "A", 4096, "last")
    assert (await qmail.remote("big.example", SENDER, ["b@big.example"])).accepted


@requirement("0005.both.small-after-large", source=PATCH + "rfc1035:4.2.1")
async def test_small_answer_after_a_large_one(internet: Internet, qmail: Qmail) -> None:
    """After a large MX answer the small A answer of the exchanger costs one question, over UDP."""
    assert (await _padded(internet, qmail, 4096)).accepted
    assert [question.over for question in internet.questions("mx.big.example", "A")] == ["udp"]


@requirement("0005.edns.large", source=PATCH + "rfc6891:6.2.3, rfc7766:4")
async def test_large_answer_with_edns(internet: Internet, qmail: Qmail) -> None:
    """With EDNS in resolv.conf an MX answer of 4,096 octets is read whole as well."""
    qmail.resolver = EDNS
    assert (await _padded(internet, qmail, 4096)).accepted


@requirement("0005.edns.small", source=PATCH + "rfc6891:6.2.3", role="guard")
async def test_small_answer_with_edns(internet: Internet, qmail: Qmail) -> None:
    """With EDNS in resolv.conf an MX answer of 512 octets costs one question, over UDP."""
    qmail.resolver = EDNS
    assert (await _padded(internet, qmail, 512)).accepted
    assert [question.over for question in internet.questions("big.example", "MX")] == ["udp"]


@requirement("0005.tcp.slow", source=PATCH + "rfc1035:4.2.2", waits=1)
async def test_slow_tcp(internet: Internet, qmail: Qmail) -> None:
    """A large answer that comes half a second late over TCP is read whole."""
    internet.fault("big.example", "delay", type="MX", over="tcp", seconds=0.5)
    assert (await _padded(internet, qmail, 4096)).accepted


@requirement(
    "0005.tcp.closed-at-once", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard"
)
async def test_tcp_closed_at_once(internet: Internet, qmail: Qmail) -> None:
    """When TCP is closed before the first octet of an answer, the failure is temporary."""
    internet.fault("big.example", "close", type="MX", over="tcp", length=0)
    assert (await _padded(internet, qmail, 4096)).letters == "Z"


@requirement("0005.tcp.servfail", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard")
async def test_servfail_over_tcp(internet: Internet, qmail: Qmail) -> None:
    """When the answer over TCP is a failure of the server, the failure is temporary."""
    internet.fault("big.example", "rcode", type="MX", over="tcp", rcode="SERVFAIL")
    assert (await _padded(internet, qmail, 4096)).letters == "Z"


@requirement(
    "0005.tcp.refused-for-a", source="qmail-remote(8) RESULTS; rfc1034:5.2.3, rfc5321:5.1", role="guard"
)
async def test_tcp_refused_for_an_address(internet: Internet, qmail: Qmail) -> None:
    """When TCP is refused for a large A answer, the failure is temporary."""
    internet.zone("big.example")
    internet.padding("mx.big.example", "A", 4096, "last")
    internet.refuse_tcp()
    delivery = await qmail.remote("big.example", SENDER, ["b@big.example"])
    assert delivery.ended
    assert delivery.letters == "Z"


@requirement("0005.tc.small-a", source=PATCH + "rfc2181:9, rfc7766:4", role="guard")
async def test_truncation_bit_on_a_small_address_answer(internet: Internet, qmail: Qmail) -> None:
    """A small A answer that bears the TC bit is asked for again over TCP."""
    internet.load("plain.example")
    internet.fault("mx.plain.example", "truncate", type="A", over="udp")
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert internet.questions("mx.plain.example", "A", "tcp")


@requirement("0005.delivery.large", source=PATCH + "qmail-send(8)")
async def test_large_answer_through_the_queue(internet: Internet, qmail: Qmail) -> None:
    """Mail for a domain with an MX answer of 4,096 octets is delivered by qmail-send at the first attempt."""
    qmail.relay()
    internet.zone("big.example", padding=4096, needed="last")
    seen = await qmail.deliver("alice@here.example", ["b@big.example"])
    assert len(internet.messages()) == 1
    assert seen.queue == []


@requirement("0005.delivery.tcp-refused", source="qmail-send(8); rfc1034:5.2.3, rfc5321:5.1", role="guard")
async def test_refused_tcp_keeps_the_message(internet: Internet, qmail: Qmail) -> None:
    """Mail whose large MX answer cannot be fetched stays in the queue: neither lost nor bounced."""
    qmail.relay()
    internet.zone("big.example", padding=4096, needed="last")
    internet.refuse_tcp()
    seen = await qmail.deliver("alice@here.example", ["b@big.example"])
    assert [message.recipients for message in seen.queue] == [["b@big.example"]]
    assert seen.mailboxes.get("alice", []) == []
