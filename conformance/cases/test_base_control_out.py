"""Base qmail: the control files that qmail-remote reads, line by line: which line counts, in which form."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SENDER = "a@here.example"
ROUTES = "qmail-remote(8) smtproutes"
FORM = "qmail-control(5)"

#: A relay for all, one domain by its own exchangers, and one below which another relay serves.
DEFAULT = ":[127.0.0.5]:2525"
DIRECT = "direct.example:"
WILD = ".wild.example:[127.0.0.6]"


async def _reached(internet: Internet, qmail: Qmail, domain: str, routes: str) -> str:
    """The host that gets mail for a domain, whose own exchanger is at 127.0.0.2, with these smtproutes."""
    internet.zone("", "@ NS ns.test.")  # a route that is misread is a name that does not exist
    internet.zone(domain)
    internet.exchanger("127.0.0.2")
    internet.exchanger("127.0.0.5", port=2525)
    internet.exchanger("127.0.0.6")
    qmail.control["smtproutes"] = routes
    delivery = await qmail.remote(domain, SENDER, [f"b@{domain}"])
    assert delivery.accepted, delivery
    session = internet.mx_session()
    return f"{session.address}:{session.port}"


@requirement("base.route.default", source=ROUTES + ": any other address")
async def test_relay_for_all(internet: Internet, qmail: Qmail) -> None:
    """A route with an empty domain is for every host without a line of its own."""
    reached = await _reached(internet, qmail, "plain.example", f"{DEFAULT}\n{DIRECT}\n{WILD}\n")
    assert reached == "127.0.0.5:2525", reached


@requirement("base.route.empty-relay", source=ROUTES + ": relay may be empty")
async def test_exempted_domain(internet: Internet, qmail: Qmail) -> None:
    """A domain with an empty relay is delivered to by its own exchangers, beside a relay for all."""
    reached = await _reached(internet, qmail, "direct.example", f"{DEFAULT}\n{DIRECT}\n{WILD}\n")
    assert reached == "127.0.0.2:25", reached


@requirement("base.route.wildcard", source=ROUTES + ": any address ending with .af.mil")
async def test_wildcard(internet: Internet, qmail: Qmail) -> None:
    """A route for .domain is for every host below that domain, on port 25."""
    reached = await _reached(internet, qmail, "deep.sub.wild.example", f"{DEFAULT}\n{DIRECT}\n{WILD}\n")
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.wildcard-not-itself", source=ROUTES + ": but not af.mil itself")
async def test_wildcard_is_not_for_the_domain(internet: Internet, qmail: Qmail) -> None:
    """A route for .domain is not for that domain itself."""
    reached = await _reached(internet, qmail, "wild.example", f"{WILD}\n{DEFAULT}\n")
    assert reached == "127.0.0.5:2525", reached


@requirement("base.route.order-of-lines", source="package source, qmail-remote.c: main; " + ROUTES)
async def test_order_of_lines(internet: Internet, qmail: Qmail) -> None:
    """The line that fits best counts, wherever it stands: here the last, behind those for more hosts."""
    routes = f"{DEFAULT}\n.example:[127.0.0.5]:2525\n{DIRECT}\n{WILD}\nsub.wild.example:[127.0.0.2]\n"
    reached = await _reached(internet, qmail, "sub.wild.example", routes)
    assert reached == "127.0.0.2:25", reached


@requirement("base.route.order-reversed", source="package source, qmail-remote.c: main; " + ROUTES)
async def test_order_of_lines_reversed(internet: Internet, qmail: Qmail) -> None:
    """The line that fits best counts, wherever it stands: here the first, before those for more hosts."""
    routes = f"sub.wild.example:[127.0.0.2]\n{WILD}\n.example:[127.0.0.5]:2525\n{DEFAULT}\n"
    reached = await _reached(internet, qmail, "sub.wild.example", routes)
    assert reached == "127.0.0.2:25", reached


@requirement("base.route.nearest-wildcard", source="package source, qmail-remote.c: main; " + ROUTES)
async def test_nearest_wildcard(internet: Internet, qmail: Qmail) -> None:
    """Of several wildcards the one with the most of the name counts."""
    routes = f".example:[127.0.0.5]:2525\n{WILD}\n.example:[127.0.0.5]:2525\n"
    reached = await _reached(internet, qmail, "sub.wild.example", routes)
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.twice", source="package source, constmap.c: constmap_init")
async def test_domain_that_stands_twice(internet: Internet, qmail: Qmail) -> None:
    """Of two lines for one domain the last one counts."""
    routes = "plain.example:[127.0.0.5]:2525\nother.example:[127.0.0.3]\nplain.example:[127.0.0.6]\n"
    reached = await _reached(internet, qmail, "plain.example", routes)
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.any-case", source="rfc5321:2.4; package source, constmap.c: constmap")
async def test_case_of_a_domain(internet: Internet, qmail: Qmail) -> None:
    """Upper and lower case of a domain mean nothing, neither in the file nor in the address."""
    reached = await _reached(internet, qmail, "sub.WILD.example", ".wiLd.Example:[127.0.0.6]\n")
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.comments", source=FORM + "; package source, control.c: control_readfile")
async def test_comments_and_blanks(internet: Internet, qmail: Qmail) -> None:
    """Comments, empty lines, blanks at the end of a line and a line without a colon do not count."""
    routes = (
        "# a route\n\nplain.example\n \t\nplain.example:[127.0.0.6] \t \n#plain.example:[127.0.0.5]:2525\n"
    )
    reached = await _reached(internet, qmail, "plain.example", routes)
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.without-line-end", source="package source, control.c: control_readfile")
async def test_last_line_without_its_end(internet: Internet, qmail: Qmail) -> None:
    """The last line counts without a line end too, and so does its port."""
    reached = await _reached(internet, qmail, "plain.example", f"{WILD}\nplain.example:[127.0.0.5]:2525")
    assert reached == "127.0.0.5:2525", reached


@requirement("base.route.many-lines", source="package source, control.c: control_readfile; " + ROUTES)
async def test_many_lines(internet: Internet, qmail: Qmail) -> None:
    """A line in the midst of a thousand counts."""
    others = "".join(f"host-{number}.other.example:[127.0.0.3]:2{number:03}\n" for number in range(500))
    reached = await _reached(internet, qmail, "plain.example", f"{others}plain.example:[127.0.0.6]\n{others}")
    assert reached == "127.0.0.6:25", reached


@requirement("base.route.relay-by-name", source=ROUTES + ": as if host had relay as its only MX")
async def test_relay_by_name(internet: Internet, qmail: Qmail) -> None:
    """A relay that is named is looked up by its address alone, and the recipient's domain not at all."""
    internet.load("plain.example")
    internet.zone("relay.example", "@ A 127.0.0.6\n@ MX 10 other\nother A 127.0.0.7")
    internet.exchanger("127.0.0.6")
    qmail.control["smtproutes"] = "plain.example:relay.example\n"
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert [(question.name, question.type) for question in internet.questions()] == [("relay.example", "A")]


@requirement("base.route.own-host", source="package source, qmail-remote.c: main")
async def test_relay_is_not_looked_for_among_the_own(internet: Internet, qmail: Qmail) -> None:
    """A relay of several addresses, one of them this host's own, is tried in their order: it is a route."""
    internet.load("plain.example")
    internet.zone("relay.example", "@ A 127.0.0.6\n@ A 127.0.0.1")
    internet.exchanger("127.0.0.6")
    qmail.control["smtproutes"] = "plain.example:relay.example\n"
    delivery = await qmail.remote("plain.example", SENDER, ["b@plain.example"])
    assert delivery.accepted, delivery


# Files of one line


async def _hello(internet: Internet, qmail: Qmail, helohost: str) -> str:
    internet.load("plain.example")
    qmail.control["helohost"] = helohost
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    return internet.mx_session().helo.partition(" ")[2]


@requirement("base.helohost.me", source="qmail-remote(8) helohost: Default: me")
async def test_hello_with_me(internet: Internet, qmail: Qmail) -> None:
    """Without helohost qmail-remote says hello with the name in me."""
    internet.load("plain.example")
    qmail.control["me"] = "other.here.example\n"
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).accepted
    assert internet.mx_session().helo.partition(" ")[2] == "other.here.example", internet.mx_session().helo


@requirement("base.helohost.alone", source="qmail-remote(8) helohost: refuses to run")
async def test_hello_without_me(internet: Internet, qmail: Qmail) -> None:
    """With helohost qmail-remote runs without me."""
    del qmail.control["me"]
    hello = await _hello(internet, qmail, "hello.here.example\n")
    assert hello == "hello.here.example", hello


@requirement("base.helohost.first-line", source="package source, control.c: control_readline")
async def test_first_line(internet: Internet, qmail: Qmail) -> None:
    """Of helohost the first line counts, without what is blank at its end."""
    hello = await _hello(internet, qmail, "hello.here.example \t\nother.here.example\n")
    assert hello == "hello.here.example", hello


@requirement("base.helohost.without-line-end", source="package source, control.c: control_readline")
async def test_helohost_without_a_line_end(internet: Internet, qmail: Qmail) -> None:
    """The name in helohost counts where no line end follows it."""
    hello = await _hello(internet, qmail, "hello.here.example")
    assert hello == "hello.here.example", hello


async def _silence(internet: Internet, qmail: Qmail, timeoutremote: str) -> None:
    """A silent host is left after a second, where timeoutremote reads so."""
    internet.load("plain.example")
    internet.exchanger(steps={"connect": "stall"})
    qmail.control["timeoutremote"] = timeoutremote
    delivery = await qmail.remote("plain.example", SENDER, ["b@plain.example"], limit=5.0)
    assert delivery.letters == "Z", delivery
    session = internet.mx_session()
    waited = session.transcript[-1].at - session.transcript[-2].at
    assert 0.5 <= waited < 1.9, f"left after {waited:.1f} s of silence"


@requirement("base.limit.first-line", source="package source, control.c: control_readint", waits=1)
async def test_first_line_of_a_number(internet: Internet, qmail: Qmail) -> None:
    """Of timeoutremote the number at the start of the first line counts."""
    await _silence(internet, qmail, "1 second\n900\n")


@requirement("base.limit.without-line-end", source="package source, control.c: control_readint", waits=1)
async def test_number_without_a_line_end(internet: Internet, qmail: Qmail) -> None:
    """timeoutremote counts without a line end too."""
    await _silence(internet, qmail, "1")
