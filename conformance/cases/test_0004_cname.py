"""0004: no CNAME lookup before delivery. No ANY question, and none of its failures."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport
from conformance.pod.world import FaultAction

SENDER = "a@here.example"
ALIAS = "@ CNAME plain.example.\n"


async def _any_fails(internet: Internet, qmail: Qmail, action: FaultAction, **details: Any) -> DeliveryReport:
    """A delivery to a domain whose ANY question is answered badly, whose MX and A are answered well."""
    internet.load("plain.example")
    internet.fault("plain.example", action, type="ANY", **details)
    return await qmail.remote("plain.example", SENDER, ["b@plain.example"])


@requirement("0004.any.not-asked", source="patch:0004 remove-cname-lookup")
async def test_no_any_question(internet: Internet, qmail: Qmail) -> None:
    """A delivery asks no ANY and no CNAME question."""
    internet.load("plain.example")
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert {question.type for question in internet.questions()} == {"MX", "A"}


@requirement("0004.any.not-per-recipient", source="patch:0004 remove-cname-lookup")
async def test_questions_do_not_grow_with_recipients(internet: Internet, qmail: Qmail) -> None:
    """Five recipients cost the same two questions as one: one MX, one A."""
    internet.load("plain.example")
    recipients = [f"{name}@plain.example" for name in "abcde"]
    assert (await qmail.remote("plain.example", SENDER, recipients)).letters == "rrrrrK"
    assert [question.type for question in internet.questions()] == ["MX", "A"]


@requirement("0004.alias.recipient-as-written", source="patch:0004 remove-cname-lookup; rfc5321:2.3.5")
async def test_recipient_is_not_rewritten(internet: Internet, qmail: Qmail) -> None:
    """A recipient at an alias goes out as written, not rewritten to the canonical name."""
    internet.load("plain.example")
    internet.zone("alias.example", ALIAS)
    await qmail.remote("alias.example", SENDER, ["Box@Alias.EXAMPLE"])
    assert [message.recipients for message in internet.messages()] == [["Box@Alias.EXAMPLE"]]


@requirement("0004.alias.delivered", source="patch:0004 remove-cname-lookup; rfc5321:5.1", role="guard")
async def test_alias_is_delivered_to(internet: Internet, qmail: Qmail) -> None:
    """A domain that is an alias is delivered to at the exchanger of the name behind it."""
    internet.load("plain.example")
    internet.zone("alias.example", ALIAS)
    assert (await qmail.remote("alias.example", SENDER, ["b@alias.example"])).accepted
    assert len(internet.messages("127.0.0.2")) == 1


@requirement("0004.alias.chain-cost", source="patch:0004 remove-cname-lookup")
async def test_alias_chain_costs_no_more(internet: Internet, qmail: Qmail) -> None:
    """Five aliases in a row cost no more questions than none: one MX, one A."""
    internet.load("plain.example")
    for step in range(5):
        behind = f"step{step + 1}.example" if step < 4 else "plain.example"
        internet.zone(f"step{step}.example", f"@ CNAME {behind}.")
    assert (await qmail.remote("step0.example", SENDER, ["b@step0.example"])).accepted
    assert [question.type for question in internet.questions()] == ["MX", "A"]


@requirement("0004.alias.loop", source="patch:0004 remove-cname-lookup; rfc1034:5.2.2", role="guard")
async def test_alias_loop(internet: Internet, qmail: Qmail) -> None:
    """Aliases that point at each other end in a failure report, not in a hang and not in a delivery."""
    internet.zone("one.example", "@ CNAME two.example.")
    internet.zone("two.example", "@ CNAME one.example.")
    delivery = await qmail.remote("one.example", SENDER, ["b@one.example"])
    assert delivery.ended
    assert delivery.letters in ("Z", "D")


@requirement(
    "0004.recipient.letters-kept", source="patch:0004 remove-cname-lookup; rfc5321:2.4", role="guard"
)
async def test_letters_are_kept(internet: Internet, qmail: Qmail) -> None:
    """Upper and lower case of an ordinary recipient go out as written."""
    internet.load("plain.example")
    await qmail.remote("Plain.Example", SENDER, ["MixedCase@Plain.Example"])
    assert [message.recipients for message in internet.messages()] == [["MixedCase@Plain.Example"]]


@requirement("0004.any.servfail", source="patch:0004 remove-cname-lookup; rfc1035:4.1.1")
async def test_any_fails(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY question fails (SERVFAIL) is delivered to."""
    assert (await _any_fails(internet, qmail, "rcode", rcode="SERVFAIL")).accepted


@requirement("0004.any.refused", source="patch:0004 remove-cname-lookup; rfc1035:4.1.1")
async def test_any_refused(internet: Internet, qmail: Qmail) -> None:
    """A domain whose server refuses ANY (REFUSED) is delivered to."""
    assert (await _any_fails(internet, qmail, "rcode", rcode="REFUSED")).accepted


@requirement("0004.any.notimp", source="patch:0004 remove-cname-lookup; rfc1035:4.1.1")
async def test_any_not_implemented(internet: Internet, qmail: Qmail) -> None:
    """A domain whose server does not implement ANY (NOTIMP) is delivered to."""
    assert (await _any_fails(internet, qmail, "rcode", rcode="NOTIMP")).accepted


@requirement("0004.any.dropped", source="patch:0004 remove-cname-lookup", waits=2)
async def test_any_unanswered(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY question is never answered is delivered to."""
    assert (await _any_fails(internet, qmail, "drop")).accepted


@requirement("0004.any.malformed", source="patch:0004 remove-cname-lookup; rfc1035:4.1")
async def test_any_malformed(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY answer is cut off in the middle of a record is delivered to."""
    # 12 octets of header, the question (19 octets), and half of the first record.
    assert (await _any_fails(internet, qmail, "cut", length=40)).accepted


@requirement("0004.any.hinfo", source="rfc8482:4.2", role="guard")
async def test_any_minimal_answer(internet: Internet, qmail: Qmail) -> None:
    """A domain whose server answers ANY with the HINFO of RFC 8482 is delivered to."""
    assert (await _any_fails(internet, qmail, "hinfo")).accepted


@requirement(
    "0004.any.oversized-not-asked", source="patch:0004 remove-cname-lookup, patch:0005 oversize DNS packet"
)
async def test_oversized_any_is_not_asked_for(internet: Internet, qmail: Qmail) -> None:
    """A domain with a large TXT set is delivered to without a single ANY question."""
    internet.load("txt-heavy.example")
    assert (await qmail.remote("txt-heavy.example", SENDER, ["b@txt-heavy.example"])).accepted
    assert internet.questions(type="ANY") == []


@requirement("0004.any.truncated", source="patch:0004 remove-cname-lookup; rfc7766:4")
async def test_any_truncated(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY answer is truncated, where TCP is closed, is delivered to."""
    internet.refuse_tcp()
    assert (await _any_fails(internet, qmail, "truncate")).accepted


@requirement("0004.any.delayed", source="patch:0004 remove-cname-lookup", waits=2)
async def test_any_too_late(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY answer comes later than the resolver waits is delivered to."""
    assert (await _any_fails(internet, qmail, "delay", seconds=6)).accepted


@requirement("0004.any.other-question", source="patch:0004 remove-cname-lookup; rfc5452:9.1", waits=2)
async def test_any_answer_to_another_question(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY question gets the answer to another one is delivered to."""
    assert (await _any_fails(internet, qmail, "patch", offset=13, octets="q")).accepted


@requirement("0004.any.compression-loop", source="patch:0004 remove-cname-lookup; rfc1035:4.1.4")
async def test_any_compression_loop(internet: Internet, qmail: Qmail) -> None:
    """A domain whose ANY answer holds a name that points to itself is delivered to."""
    assert (await _any_fails(internet, qmail, "patch", offset=31, octets="\xc0\x1f")).accepted


@requirement("0004.any.not-per-domain", source="patch:0004 remove-cname-lookup")
async def test_questions_do_not_grow_with_domains(internet: Internet, qmail: Qmail) -> None:
    """Recipients of three domains in one delivery cost two questions: MX and A of the host."""
    internet.load("plain.example")
    for domain in ("other.example", "third.example"):
        internet.zone(domain)
    recipients = ["b@plain.example", "c@other.example", "d@third.example"]
    assert (await qmail.remote("plain.example", SENDER, recipients)).accepted
    assert [(question.name, question.type) for question in internet.questions()] == [
        ("plain.example", "MX"),
        ("mx.plain.example", "A"),
    ]


@requirement("0004.alias.ten-steps", source="patch:0004 remove-cname-lookup")
async def test_ten_aliases(internet: Internet, qmail: Qmail) -> None:
    """A domain behind ten aliases in a row is delivered to, and the recipient goes out as written."""
    internet.load("plain.example")
    for step in range(10):
        behind = f"step{step + 1}.example" if step < 9 else "plain.example"
        internet.zone(f"step{step}.example", f"@ CNAME {behind}.")
    assert (await qmail.remote("step0.example", SENDER, ["b@step0.example"])).accepted
    assert [message.recipients for message in internet.messages()] == [["b@step0.example"]]


@requirement("0004.alias.address-only", source="patch:0004 remove-cname-lookup; rfc5321:5.1", role="guard")
async def test_alias_of_a_host_without_mx(internet: Internet, qmail: Qmail) -> None:
    """A domain that is an alias of a name with an address only is delivered to at that address."""
    internet.zone("bare.example", "@ A 127.0.0.2\n")
    internet.zone("alias.example", "@ CNAME bare.example.\n")
    assert (await qmail.remote("alias.example", SENDER, ["b@alias.example"])).accepted
    assert len(internet.messages("127.0.0.2")) == 1


@requirement("0004.delivery.as-written", source="patch:0004 remove-cname-lookup; qmail-send(8)")
async def test_as_written_through_the_queue(internet: Internet, qmail: Qmail) -> None:
    """Mail that qmail-send delivers to an alias goes out with the recipient as written."""
    qmail.relay()
    internet.load("plain.example")
    internet.zone("alias.example", ALIAS)
    await qmail.deliver("alice@here.example", ["Box@alias.example"])
    assert [message.recipients for message in internet.messages()] == [["Box@alias.example"]]


@requirement("0004.delivery.any-fails", source="patch:0004 remove-cname-lookup; qmail-send(8)")
async def test_any_fails_through_the_queue(internet: Internet, qmail: Qmail) -> None:
    """Mail for a domain whose ANY question fails leaves the queue at the first attempt, delivered."""
    qmail.relay()
    internet.load("plain.example")
    internet.fault("plain.example", "rcode", type="ANY", rcode="SERVFAIL")
    seen = await qmail.deliver("alice@here.example", ["b@plain.example"])
    assert len(internet.messages()) == 1
    assert seen.queue == []
