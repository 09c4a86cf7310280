"""Base qmail: who may send to whom. rcpthosts, RELAYCLIENT, badmailfrom, addresses."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement(
    "base.rcpthosts.refuses", source="qmail-smtpd(8) rcpthosts; package source, qmail-smtpd.c: err_nogateway"
)
async def test_foreign_domain_is_refused(qmail: Qmail) -> None:
    """A recipient in a domain that rcpthosts does not list is refused with 553: no open relay."""
    async with qmail.session() as smtp:
        _, listed, foreign = await smtp.envelope("a@b.example", ["alice@here.example", "x@elsewhere.example"])
        assert listed.code == 250
        assert foreign.code == 553


@requirement("base.rcpthosts.any-case", source="qmail-smtpd(8) rcpthosts; rfc5321:2.4")
async def test_domains_compare_without_case(qmail: Qmail) -> None:
    """The domain of a recipient is looked up without regard to case."""
    assert (await qmail.recipient("alice@HERE.Example")).code == 250


@requirement(
    "base.rcpthosts.wildcard", source="qmail-smtpd(8) rcpthosts; package source, qmail-smtpd.c: err_nogateway"
)
async def test_wildcard(qmail: Qmail) -> None:
    """A line .domain allows every name below the domain and not the domain itself."""
    qmail.control["rcpthosts"] = ".wild.example\n"
    async with qmail.session() as smtp:
        _, below, deeper, itself = await smtp.envelope(
            "a@b.example", ["x@a.wild.example", "x@b.a.wild.example", "x@wild.example"]
        )
        assert (below.code, deeper.code, itself.code) == (250, 250, 553)


@requirement(
    "base.rcpthosts.more",
    source="qmail-smtpd(8) morercpthosts; qmail-newmrh(8); package source, qmail-smtpd.c: err_nogateway",
)
async def test_more_domains(qmail: Qmail) -> None:
    """A domain in morercpthosts is as good as one in rcpthosts; any other is still refused with 553."""
    qmail.control["morercpthosts"] = "more.example\n"
    _, more, foreign = await qmail.envelope("a@b.example", ["x@more.example", "x@elsewhere.example"])
    assert (more.code, foreign.code) == (250, 553)


@requirement("base.rcpthosts.no-at", source="qmail-smtpd(8) rcpthosts; rfc5321:4.5.1")
async def test_address_without_a_domain(qmail: Qmail) -> None:
    """An address without @ is always allowed through."""
    assert (await qmail.recipient("postmaster")).code == 250


@requirement("base.relayclient.lifts", source="qmail-smtpd(8) RELAYCLIENT")
async def test_relayclient(qmail: Qmail) -> None:
    """With RELAYCLIENT set, rcpthosts is ignored."""
    qmail.environment["RELAYCLIENT"] = ""
    assert (await qmail.recipient("x@elsewhere.example")).code == 250


@requirement("base.relayclient.appends", source="qmail-smtpd(8) RELAYCLIENT")
async def test_relayclient_value(qmail: Qmail) -> None:
    """The value of RELAYCLIENT is appended to each recipient address."""
    qmail.environment["RELAYCLIENT"] = ".relayed.example"
    await qmail.submit("a@b.example", ["x@elsewhere.example", "y@other.example"])
    assert await qmail.queued_recipients() == [
        ["x@elsewhere.example.relayed.example", "y@other.example.relayed.example"]
    ]


@requirement(
    "base.badmailfrom.address", source="qmail-smtpd(8) badmailfrom; package source, qmail-smtpd.c: err_bmf"
)
async def test_bad_sender(qmail: Qmail) -> None:
    """A sender in badmailfrom passes at MAIL, and then every recipient is refused with 553."""
    qmail.control["badmailfrom"] = "spam@bad.example\n"
    async with qmail.session() as smtp:
        sender, recipient = await smtp.envelope("spam@bad.example", ["alice@here.example"])
        assert (sender.code, recipient.code) == (250, 553)
        _, other = await smtp.envelope("ham@bad.example", ["alice@here.example"])
        assert other.code == 250


@requirement(
    "base.badmailfrom.host", source="qmail-smtpd(8) badmailfrom; package source, qmail-smtpd.c: err_bmf"
)
async def test_bad_sender_host(qmail: Qmail) -> None:
    """A line @host in badmailfrom means every address at that host."""
    qmail.control["badmailfrom"] = "@bad.example\n"
    async with qmail.session() as smtp:
        _, bad = await smtp.envelope("anyone@bad.example", ["alice@here.example"])
        _, below = await smtp.envelope("anyone@sub.bad.example", ["alice@here.example"])
        assert (bad.code, below.code) == (553, 250)


@requirement("base.localiphost.replaces", source="qmail-smtpd(8) localiphost")
async def test_own_address_as_domain(qmail: Qmail) -> None:
    """A recipient at the host's own address in brackets is a recipient at localiphost."""
    qmail.control["localiphost"] = "here.example\n"
    await qmail.submit("a@b.example", ["alice@[127.0.0.1]"])
    assert await qmail.queued_recipients() == [["alice@here.example"]]


@requirement(
    "base.address.longest",
    source="package source, qmail-smtpd.c: addrparse; package source, CHANGES: 19960726",
)
async def test_too_long_address(qmail: Qmail) -> None:
    """An address of 899 octets is taken; one of 901 octets gets 555 and is no recipient."""
    domain = "@here.example"
    recipients = ["x" * (899 - len(domain)) + domain, "x" * (901 - len(domain)) + domain]
    _, long, longer, *_ = await qmail.envelope("a@b.example", recipients, b"Subject: x\r\n\r\nx\r\n")
    assert (long.code, longer.code) == (250, 555)
    assert [[len(address) for address in message.recipients] for message in await qmail.queue()] == [[899]]


@requirement(
    "base.address.longest-of-all",
    source="package source, qmail-smtpd.c: addrparse; package source, CHANGES: 19960726",
)
async def test_address_of_900_octets(qmail: Qmail) -> None:
    """An address of 900 octets gets 555, as ever: the limit of 900 counts the end of it in memory."""
    domain = "@here.example"
    reply = await qmail.recipient("x" * (900 - len(domain)) + domain)
    assert reply.code == 555, reply


@requirement("base.address.quoted", source="rfc5321:4.1.2")
async def test_quoted_local_part(qmail: Qmail) -> None:
    """A quoted local part means the same mailbox as the unquoted one."""
    said = await qmail.envelope("a@b.example", ['"al\\ice"@here.example'], b"Subject: x\r\n\r\nx\r\n")
    assert said[1].code == 250
    assert await qmail.queued_recipients() == [["alice@here.example"]]


@requirement(
    "base.address.source-route",
    source="rfc5321:4.1.2, rfc5321:4.1.1.3; package source, qmail-smtpd.c: addrparse",
)
async def test_source_route(qmail: Qmail) -> None:
    """A source route is stripped: the mailbox after the colon is meant."""
    route = "@one.example,@two.example:alice@here.example"
    said = await qmail.envelope("a@b.example", [route], b"Subject: x\r\n\r\nx\r\n")
    assert said[1].code == 250
    assert await qmail.queued_recipients() == [["alice@here.example"]]


@requirement("base.sender.null", source="rfc5321:4.1.1.2, rfc5321:4.1.2")
async def test_null_sender(qmail: Qmail) -> None:
    """The null sender is accepted and stands in the queue as the empty address."""
    await qmail.submit("", ["alice@here.example"])
    assert [message.sender for message in await qmail.queue()] == [""]
