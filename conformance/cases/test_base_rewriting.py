"""Base qmail: whose an address is: locals, virtualdomains and envnoathost, line by line (qmail-send(8))."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, mail_of
from conformance.catalogue import requirement
from conformance.pod.sendlog import read_send_log

SENDER = "a@b.example"
LOCALS = "qmail-send(8) locals"
VIRTUAL = "qmail-send(8) virtualdomains"
NAMES = ("one.example", "two.example", "sub.one.example")


async def _channels(internet: Internet, qmail: Qmail, *recipients: str) -> list[tuple[str, str]]:
    """(channel, address as it is delivered to) of each recipient; hosts elsewhere take everything."""
    qmail.relay()
    qmail.control["rcpthosts"] = "here.example\n"
    for name in NAMES:
        internet.zone(name, "@ MX 10 mx\nmx A 127.0.0.2")
    internet.exchanger("127.0.0.2")
    qmail.dot_qmail |= {"alice/.qmail-default": "./Maildir/\n", "bob/.qmail-default": "./Maildir/\n"}
    qmail.dot_qmail["carol/.qmail-default"] = "./Maildir/\n"
    seen = await qmail.deliver(SENDER, list(recipients))
    log = read_send_log(seen.log)
    assert all(each.result == "success" for each in log.deliveries), f"{log.deliveries}"
    return sorted((each.channel, each.recipient) for each in log.deliveries)


@requirement("base.locals.lines", source=LOCALS + ": one per line; qmail-control(5)")
async def test_lines_of_locals(internet: Internet, qmail: Qmail) -> None:
    """Each line of locals counts: the first, one after a comment and a blank one, the last without end."""
    qmail.control["locals"] = "one.example\n# two\n\nhere.example \nsub.one.example"
    addresses = ["alice@here.example", "alice@one.example", "alice@sub.one.example"]
    found = await _channels(internet, qmail, *addresses)
    assert found == [("local", address) for address in addresses], f"{found}"


@requirement("base.locals.comment", source=LOCALS + "; qmail-control(5)")
async def test_comment_in_locals(internet: Internet, qmail: Qmail) -> None:
    """A domain behind a number sign, and one below a domain of locals, is another host's."""
    qmail.control["locals"] = "#two.example\none.example\n"
    found = await _channels(internet, qmail, "alice@two.example", "alice@sub.one.example")
    assert found == [("remote", "alice@sub.one.example"), ("remote", "alice@two.example")], f"{found}"


@requirement("base.locals.case", source="addresses(5): interpreted without regard to case")
async def test_case_in_locals(internet: Internet, qmail: Qmail) -> None:
    """Letters of a domain count alike in locals and in an address, and are delivered to as written."""
    qmail.control["locals"] = "One.Example\nhere.example\n"
    found = await _channels(internet, qmail, "alice@ONE.example")
    assert found == [("local", "alice@ONE.example")], f"{found}"


@requirement("base.locals.missing", source=LOCALS + ": Default: me")
async def test_without_locals(internet: Internet, qmail: Qmail) -> None:
    """Without the file locals the name in me is local, and no other."""
    del qmail.control["locals"]
    found = await _channels(internet, qmail, "alice@mx.here.example", "alice@one.example")
    assert found == [("local", "alice@mx.here.example"), ("remote", "alice@one.example")], f"{found}"


@requirement("base.locals.empty", source=LOCALS)
async def test_empty_locals(internet: Internet, qmail: Qmail) -> None:
    """With an empty file locals no domain is local, me's not either."""
    qmail.control["locals"] = ""
    qmail.control["me"] = "one.example\n"
    found = await _channels(internet, qmail, "alice@one.example")
    assert found == [("remote", "alice@one.example")], f"{found}"


@requirement("base.virtual.domain-and-user", source=VIRTUAL + ": user@domain:prepend")
async def test_virtual_user_before_the_domain(internet: Internet, qmail: Qmail) -> None:
    """A line for an address is followed for it, behind its domain's line, and that for the others."""
    qmail.control["virtualdomains"] = "one.example:alice\nbox@one.example:bob\n"
    found = await _channels(internet, qmail, "box@one.example", "other@one.example")
    assert found == [("local", "alice-other@one.example"), ("local", "bob-box@one.example")], f"{found}"


@requirement("base.virtual.user-and-domain", source=VIRTUAL + ": user@domain:prepend")
async def test_virtual_user_then_the_domain(internet: Internet, qmail: Qmail) -> None:
    """A line for an address is followed for it, before its domain's line, and that for the others."""
    qmail.control["virtualdomains"] = "box@one.example:bob\none.example:alice\n"
    found = await _channels(internet, qmail, "box@one.example", "other@one.example")
    assert found == [("local", "alice-other@one.example"), ("local", "bob-box@one.example")], f"{found}"


@requirement("base.virtual.user-alone", source=VIRTUAL + ": user@domain:prepend")
async def test_virtual_user_alone(internet: Internet, qmail: Qmail) -> None:
    """A line for one address says nothing of its domain's others, whose mail goes to its host."""
    qmail.control["virtualdomains"] = "box@one.example:bob\n"
    found = await _channels(internet, qmail, "box@one.example", "other@one.example")
    assert found == [("local", "bob-box@one.example"), ("remote", "other@one.example")], f"{found}"


@requirement("base.virtual.wildcard", source=VIRTUAL + ": may contain wildcards")
async def test_virtual_wildcard(internet: Internet, qmail: Qmail) -> None:
    """`.domain` is for every name below the domain, and not for the domain."""
    qmail.control["virtualdomains"] = ".one.example:alice\n"
    found = await _channels(internet, qmail, "box@sub.one.example", "box@one.example")
    assert found == [("local", "alice-box@sub.one.example"), ("remote", "box@one.example")], f"{found}"


@requirement("base.virtual.closest", source=VIRTUAL)
async def test_virtual_closest(internet: Internet, qmail: Qmail) -> None:
    """Of a domain's own line, a wildcard and the line for all, the one that names most is followed."""
    qmail.control["virtualdomains"] = ":carol\n.one.example:bob\nsub.one.example:alice\n"
    addresses = ["x@sub.one.example", "x@other.one.example", "x@two.example"]
    found = await _channels(internet, qmail, *addresses)
    boxes = ["alice-x@sub.one.example", "bob-x@other.one.example", "carol-x@two.example"]
    assert found == [("local", box) for box in boxes], f"{found}"


@requirement("base.virtual.exception", source=VIRTUAL + ": may also contain exceptions")
async def test_virtual_exception(internet: Internet, qmail: Qmail) -> None:
    """A line with nothing behind the colon takes a domain out of a wildcard."""
    qmail.control["virtualdomains"] = ":alice\ntwo.example:\n"
    found = await _channels(internet, qmail, "x@one.example", "x@two.example")
    assert found == [("local", "alice-x@one.example"), ("remote", "x@two.example")], f"{found}"


@requirement("base.virtual.locals-first", source=VIRTUAL + ": does not apply")
async def test_locals_before_virtualdomains(internet: Internet, qmail: Qmail) -> None:
    """What locals has is no virtual domain, whatever virtualdomains says."""
    qmail.control["virtualdomains"] = "here.example:bob\n"
    found = await _channels(internet, qmail, "alice@here.example")
    assert found == [("local", "alice@here.example")], f"{found}"


@requirement("base.virtual.lines", source=VIRTUAL + "; qmail-control(5)")
async def test_lines_of_virtualdomains(internet: Internet, qmail: Qmail) -> None:
    """Comments and blank lines count for nothing, letters alike, a line without a colon not at all."""
    lines = ["#two.example:bob", "", "two.example", "ONE.example:alice \t", "sub.one.example:carol-x"]
    qmail.control["virtualdomains"] = "\n".join(lines)
    found = await _channels(internet, qmail, "y@One.Example", "y@two.example", "y@sub.one.example")
    local = [("local", "alice-y@One.Example"), ("local", "carol-x-y@sub.one.example")]
    assert found == [*local, ("remote", "y@two.example")], f"{found}"


@requirement("base.envnoathost.named", source="qmail-send(8) envnoathost")
async def test_envnoathost(internet: Internet, qmail: Qmail) -> None:
    """An address without @ is at envnoathost."""
    qmail.control["envnoathost"] = "here.example\n"
    found = await _channels(internet, qmail, "alice")
    assert found == [("local", "alice@here.example")], f"{found}"


@requirement("base.envnoathost.default", source="qmail-send(8) envnoathost: Default: me")
async def test_without_envnoathost(internet: Internet, qmail: Qmail) -> None:
    """Without envnoathost an address without @ is at me."""
    qmail.control["locals"] = "mx.here.example\n"
    found = await _channels(internet, qmail, "alice")
    assert found == [("local", "alice@mx.here.example")], f"{found}"


@requirement("base.bounce.address-without-host", source="qmail-send(8) envnoathost, single-bounce")
async def test_bounce_of_an_address_without_a_host(qmail: Qmail) -> None:
    """A bounce names an address without @ with the host that was put to it."""
    qmail.delivering = True
    qmail.control["envnoathost"] = "here.example\n"
    seen = await qmail.deliver("alice@here.example", ["nobody-at-all"])
    assert "\n<nobody-at-all@here.example>:\n" in mail_of(seen, "alice")
