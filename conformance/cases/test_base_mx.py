"""Base qmail: which hosts get a message: odd exchangers, this host among them, hosts that fail early."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
LOCATING = "rfc5321:5.1"

TWO = "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3"


async def _to(qmail: Qmail, internet: Internet, records: str, *addresses: str) -> DeliveryReport:
    """A delivery to a domain with these records; hosts that accept everything listen at the addresses."""
    internet.zone("many.example", records)
    if addresses:
        internet.refuse_smtp()
    for address in addresses:
        internet.exchanger(address)
    return await qmail.remote("many.example", SENDER, ["b@many.example"])


def _tried(internet: Internet) -> list[str]:
    return [session.address for session in internet.mx_sessions()]


# What an MX record may be


@requirement("base.mx.null", source="rfc7505:3; " + LOCATING)
async def test_null_mx(internet: Internet, qmail: Qmail) -> None:
    """MX 0 . says that a domain takes no mail: a permanent failure, and its own address is not used."""
    delivery = await _to(qmail, internet, "@ MX 0 .\n@ A 127.0.0.2")
    assert delivery.letters == "D", delivery
    assert _tried(internet) == []
    assert internet.questions("many.example", "A") == []


@requirement("base.mx.unusable", source=LOCATING)
async def test_exchangers_without_an_address(internet: Internet, qmail: Qmail) -> None:
    """When no exchanger has an address the failure is permanent, and the domain's own address is not used."""
    delivery = await _to(qmail, internet, "@ MX 10 gone\n@ A 127.0.0.2")
    assert delivery.letters == "D", delivery
    assert _tried(internet) == []


@requirement("base.mx.no-question-for-the-domain", source=LOCATING)
async def test_address_of_the_domain_is_not_asked(internet: Internet, qmail: Qmail) -> None:
    """MX and the exchanger's address are asked for once each, and the domain's own address is not."""
    assert (await _to(qmail, internet, "@ MX 10 mx\nmx A 127.0.0.2\n@ A 127.0.0.3")).accepted
    asked = [(question.name, question.type) for question in internet.questions() if question.type != "ANY"]
    assert asked == [("many.example", "MX"), ("mx.many.example", "A")]


@requirement("base.mx.ipv6-only", source="rfc5321:5.2, rfc5321:5.1; qmail-remote(8) RESULTS")
async def test_exchanger_with_ipv6_only(internet: Internet, qmail: Qmail) -> None:
    """A domain whose only exchanger has IPv6 alone is a permanent failure (5.4.4) for a host without it."""
    delivery = await _to(qmail, internet, "@ MX 10 mx\nmx AAAA ::1")
    assert delivery.letters == "D", delivery
    assert "#5.4.4" in delivery.text


@requirement("base.mx.ipv6-beside", source="rfc5321:5.2, rfc5321:5.1")
async def test_exchanger_with_ipv6_beside_another(internet: Internet, qmail: Qmail) -> None:
    """An exchanger that has an IPv6 address only is passed over for the next one."""
    delivery = await _to(qmail, internet, "@ MX 10 six\n@ MX 20 mx\nsix AAAA ::1\nmx A 127.0.0.2")
    assert delivery.accepted, delivery


@requirement("base.mx.exchanger-alias", source="rfc1034:3.6.2; " + LOCATING)
async def test_exchanger_that_is_an_alias(internet: Internet, qmail: Qmail) -> None:
    """An exchanger that is an alias is found through it."""
    delivery = await _to(qmail, internet, "@ MX 10 mail\nmail CNAME host\nhost A 127.0.0.2")
    assert delivery.accepted, delivery


@requirement("base.mx.every-address", source=LOCATING)
async def test_every_address_of_an_exchanger(internet: Internet, qmail: Qmail) -> None:
    """Of an exchanger's three addresses the third is tried when the others take no connection."""
    records = "@ MX 10 mx\nmx A 127.0.0.5\nmx A 127.0.0.6\nmx A 127.0.0.7"
    assert (await _to(qmail, internet, records, "127.0.0.7")).accepted
    assert _tried(internet) == ["127.0.0.7"]


@requirement("base.mx.addresses-in-order", source=LOCATING)
async def test_addresses_in_order(internet: Internet, qmail: Qmail) -> None:
    """Of an exchanger's addresses the first in the answer is tried first, and then no other."""
    records = "@ MX 10 mx\nmx A 127.0.0.7\nmx A 127.0.0.6\nmx A 127.0.0.5"
    assert (await _to(qmail, internet, records, "127.0.0.5", "127.0.0.6", "127.0.0.7")).accepted
    assert _tried(internet) == ["127.0.0.7"]


@requirement("base.mx.duplicates", source=LOCATING)
async def test_exchanger_that_stands_twice(internet: Internet, qmail: Qmail) -> None:
    """An exchanger that is listed twice gets the message once."""
    assert (await _to(qmail, internet, "@ MX 10 mx\n@ MX 20 mx\nmx A 127.0.0.2")).accepted
    assert len(internet.messages()) == len(internet.mx_sessions()) == 1


@requirement("base.mx.without-address-beside", source=LOCATING)
async def test_exchanger_without_an_address_beside_another(internet: Internet, qmail: Qmail) -> None:
    """The best exchanger does not exist: the next one gets the message."""
    assert (await _to(qmail, internet, "@ MX 10 gone\n@ MX 20 mx\nmx A 127.0.0.2")).accepted


@requirement("base.mx.unknown-beside-missing", source="qmail-remote(8) RESULTS; " + LOCATING)
async def test_unknown_exchanger_beside_a_missing_one(internet: Internet, qmail: Qmail) -> None:
    """One exchanger cannot be looked up now, the other does not exist: a temporary failure."""
    internet.fault("a.many.example", "rcode", rcode="SERVFAIL")
    delivery = await _to(qmail, internet, "@ MX 10 a\n@ MX 20 gone\na A 127.0.0.2")
    assert delivery.letters == "Z", delivery


@requirement("base.mx.spread", source=LOCATING)
async def test_equals_share_the_load(internet: Internet, qmail: Qmail) -> None:
    """Of two exchangers of one preference now this one and now that one gets the message."""
    internet.zone("equal.example", "@ MX 10 a\n@ MX 10 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.2")
    internet.exchanger("127.0.0.3")
    recipients = [f"{number}@equal.example" for number in range(16)]
    qmail.relay()
    await qmail.deliver(SENDER, recipients)
    used = set(_tried(internet))
    assert len(used) == 2, f"all {len(internet.mx_sessions())} deliveries went to one of two equals"


# This host among the exchangers


@requirement("base.mx.unspecified-address", source="rfc1122:3.2.1.3; " + LOCATING)
async def test_unspecified_address(internet: Internet, qmail: Qmail) -> None:
    """An exchanger at 0.0.0.0 is this host: the mail is refused (5.4.6), and no connection is made."""
    delivery = await _to(qmail, internet, "@ MX 10 mx\nmx A 0.0.0.0")
    assert delivery.letters == "D", delivery
    assert "#5.4.6" in delivery.text
    assert _tried(internet) == []


@requirement("base.mx.own-after-the-best", source=LOCATING)
async def test_worse_exchangers_are_left_alone(internet: Internet, qmail: Qmail) -> None:
    """A host that is the second exchanger hands mail to the first alone: the third gets none, it waits."""
    records = (
        "@ MX 10 best\n@ MX 20 self\n@ MX 30 worse\nbest A 127.0.0.2\nself A 127.0.0.1\nworse A 127.0.0.3"
    )
    delivery = await _to(qmail, internet, records, "127.0.0.3")
    assert delivery.letters == "Z", delivery
    assert _tried(internet) == []


@requirement("base.mx.own-and-better", source=LOCATING)
async def test_better_exchanger_gets_the_message(internet: Internet, qmail: Qmail) -> None:
    """A host that is the second exchanger hands mail to the first."""
    records = "@ MX 10 best\n@ MX 20 self\nbest A 127.0.0.2\nself A 127.0.0.1"
    assert (await _to(qmail, internet, records)).accepted


@requirement("base.mx.own-and-equal", source=LOCATING)
async def test_equal_exchangers_are_left_alone(internet: Internet, qmail: Qmail) -> None:
    """A host that is one of two best exchangers does not hand mail to the other: it is refused (5.4.6)."""
    records = "@ MX 10 other\n@ MX 10 self\nother A 127.0.0.2\nself A 127.0.0.1"
    delivery = await _to(qmail, internet, records)
    assert delivery.letters == "D", delivery
    assert "#5.4.6" in delivery.text
    assert _tried(internet) == []


@requirement("base.mx.own-second-address", source=LOCATING)
async def test_own_address_as_the_second_of_an_exchanger(internet: Internet, qmail: Qmail) -> None:
    """An exchanger one of whose addresses is this host's own is this host, whatever its other address is."""
    delivery = await _to(qmail, internet, "@ MX 10 mx\nmx A 127.0.0.2\nmx A 127.0.0.1")
    assert delivery.letters == "D", delivery
    assert "#5.4.6" in delivery.text
    assert _tried(internet) == []


@requirement("base.mx.own-address-record", source=LOCATING)
async def test_own_address_without_mx(internet: Internet, qmail: Qmail) -> None:
    """A domain without MX at this host's own address is refused (5.4.6)."""
    delivery = await _to(qmail, internet, "@ A 127.0.0.1")
    assert delivery.letters == "D", delivery
    assert "#5.4.6" in delivery.text


# Hosts that take a connection and then no mail


async def _next(internet: Internet, qmail: Qmail, **steps: str) -> None:
    """The best exchanger answers as told; the next one gets the message."""
    internet.zone("many.example", TWO)
    internet.exchanger("127.0.0.2", steps=dict(steps))
    internet.exchanger("127.0.0.3")
    qmail.control["timeoutremote"] = "1\n"
    delivery = await qmail.remote("many.example", SENDER, ["b@many.example"])
    assert delivery.accepted, f"the next exchanger was not tried: {delivery}"
    assert _tried(internet) == ["127.0.0.2", "127.0.0.3"]


@requirement("base.mx.next-after-421", source=LOCATING)
async def test_next_after_421(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger greets with 421, the next one gets the message."""
    await _next(internet, qmail, connect="421 busy; close")


@requirement("base.mx.next-after-554", source=LOCATING + "; rfc5321:3.1")
async def test_next_after_554(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger greets with 554, the next one gets the message."""
    await _next(internet, qmail, connect="554 no SMTP service here")


@requirement("base.mx.next-after-closed", source=LOCATING)
async def test_next_after_a_closed_connection(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger closes without a greeting, the next one gets the message."""
    await _next(internet, qmail, connect="close")


@requirement("base.mx.next-after-silence", source=LOCATING, waits=1)
async def test_next_after_silence(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger takes the connection and never greets, the next one gets the message."""
    await _next(internet, qmail, connect="stall")


@requirement("base.mx.next-after-hello", source=LOCATING)
async def test_next_after_a_refused_hello(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger refuses the hello, the next one gets the message."""
    await _next(internet, qmail, EHLO="550 no", HELO="550 no")
