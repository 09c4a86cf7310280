"""0008, outbound: several lines in smtproutes and authsenders, in each order; whose credentials go where."""

from conformance.cases.credentials import password
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

MANUAL = "qmail-remote(8) with patch:0008"
ALICE = f"|alice|{password('alice')}"
BOB = f"|bob|{password('bob')}"

#: A relay for all with credentials, and one domain by its own exchangers.
ROUTES = (f":[127.0.0.5]:2525{ALICE}", "direct.example:")


async def _delivered(internet: Internet, qmail: Qmail, domain: str, sender: str) -> DeliveryReport:
    """A delivery to a domain. Every host announces PLAIN and knows alice and bob; its own is 127.0.0.2."""
    internet.zone("", "@ NS ns.test.")  # to stock what follows the relay is part of its name
    internet.zone(domain)
    users = {name: password(name) for name in ("alice", "bob")}
    for address, port in (("127.0.0.2", 25), ("127.0.0.5", 2525), ("127.0.0.6", 25)):
        internet.exchanger(address, port=port, auth=["PLAIN"], users=users)
    return await qmail.remote(domain, sender, [f"b@{domain}"])


async def _went(
    internet: Internet, qmail: Qmail, domain: str, sender: str = "a@here.example"
) -> tuple[str, str, int]:
    """Where mail to a domain went, as whom, and how often credentials were sent there."""
    delivery = await _delivered(internet, qmail, domain, sender)
    assert delivery.accepted, delivery
    session = internet.mx_session()
    return session.address, session.user, session.credentials


@requirement(
    "0008.line.default-route", source=MANUAL + " smtproutes: :submission.myrelay.com:587|myuserid|mypasswd"
)
async def test_default_route(internet: Internet, qmail: Qmail) -> None:
    """A relay for all with user and password gets mail authenticated."""
    qmail.control["smtproutes"] = "\n".join([*ROUTES, ""])
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.5", "alice", 1)


@requirement("0008.line.exempted", source=MANUAL + " smtproutes: relay may be empty", role="guard")
async def test_exempted_domain(internet: Internet, qmail: Qmail) -> None:
    """A domain that is exempted from a relay with credentials gets none of them."""
    qmail.control["smtproutes"] = "\n".join([*ROUTES, ""])
    assert await _went(internet, qmail, "direct.example") == ("127.0.0.2", "", 0)


@requirement("0008.line.exempted-first", source=MANUAL + " smtproutes: relay may be empty", role="guard")
async def test_exempted_domain_above(internet: Internet, qmail: Qmail) -> None:
    """The same with the lines in the other order."""
    qmail.control["smtproutes"] = "\n".join([*ROUTES[::-1], ""])
    assert await _went(internet, qmail, "direct.example") == ("127.0.0.2", "", 0)


@requirement("0008.line.without-port", source=MANUAL + " smtproutes: domain:relay|user|password")
async def test_route_without_a_port(internet: Internet, qmail: Qmail) -> None:
    """A route with user and password and without a port goes to port 25."""
    qmail.control["smtproutes"] = f"plain.example:[127.0.0.6]{ALICE}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "alice", 1)


@requirement("0008.line.route-empty-relay", source=MANUAL + " smtproutes: relay may be empty")
async def test_route_with_an_empty_relay(internet: Internet, qmail: Qmail) -> None:
    """A route with user and password and an empty relay goes to the domain's own exchanger, authenticated."""
    qmail.control["smtproutes"] = f"plain.example:{ALICE}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.2", "alice", 1)


@requirement("0008.line.empty-relay", source=MANUAL + " authsenders: relay may be left out")
async def test_sender_with_an_empty_relay(internet: Internet, qmail: Qmail) -> None:
    """A sender's line whose relay is empty goes to the recipient's own exchanger, authenticated."""
    qmail.control["authsenders"] = f"a@here.example:{ALICE}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.2", "alice", 1)


@requirement("0008.line.empty-port", source=MANUAL + " authsenders: port may be left out")
async def test_sender_with_an_empty_port(internet: Internet, qmail: Qmail) -> None:
    """A sender's line with a colon behind the relay and no port goes to port 25."""
    qmail.control["authsenders"] = f"a@here.example:[127.0.0.6]:{ALICE}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "alice", 1)


@requirement("0008.line.two-domains", source=MANUAL + " smtproutes")
async def test_each_domain_its_credentials(internet: Internet, qmail: Qmail) -> None:
    """Of two routes with credentials each domain has its own, here the second line's."""
    qmail.control["smtproutes"] = f"other.example:[127.0.0.6]{ALICE}\nplain.example:[127.0.0.6]{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "bob", 1)


@requirement("0008.line.two-senders", source=MANUAL + " authsenders")
async def test_each_sender_its_credentials(internet: Internet, qmail: Qmail) -> None:
    """Of two senders with lines each has its own, here the second line's."""
    qmail.control["authsenders"] = f"b@here.example:[127.0.0.6]{ALICE}\na@here.example:[127.0.0.6]{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "bob", 1)


@requirement("0008.line.two-senders-reversed", source=MANUAL + " authsenders")
async def test_each_sender_its_credentials_reversed(internet: Internet, qmail: Qmail) -> None:
    """The same with the lines in the other order."""
    qmail.control["authsenders"] = f"a@here.example:[127.0.0.6]{BOB}\nb@here.example:[127.0.0.6]{ALICE}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "bob", 1)


@requirement("0008.line.everybody-else", source=MANUAL + " authsenders: sender is empty")
async def test_everybody_else(internet: Internet, qmail: Qmail) -> None:
    """A sender without a line uses the one for everybody, above which other senders' lines stand."""
    qmail.control["authsenders"] = f"b@here.example:[127.0.0.6]{ALICE}\n:[127.0.0.5]:2525{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.5", "bob", 1)


@requirement("0008.line.sender-before-everybody", source="patch:0008 qmail-remote.c: main; " + MANUAL)
async def test_sender_before_everybody(internet: Internet, qmail: Qmail) -> None:
    """A sender's own line goes before the one for everybody, which stands above it."""
    qmail.control["authsenders"] = f":[127.0.0.5]:2525{ALICE}\na@here.example:[127.0.0.6]{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "bob", 1)


@requirement("0008.line.any-case", source="rfc5321:2.4; patch:0008 qmail-remote.c: main")
async def test_case_of_a_sender(internet: Internet, qmail: Qmail) -> None:
    """Upper and lower case of a sender mean nothing in authsenders."""
    qmail.control["authsenders"] = f"A@Here.Example:[127.0.0.6]{ALICE}\n"
    assert await _went(internet, qmail, "plain.example", "a@here.EXAMPLE") == ("127.0.0.6", "alice", 1)


@requirement("0008.line.comments", source="qmail-control(5); package source, control.c: control_readfile")
async def test_comments_in_authsenders(internet: Internet, qmail: Qmail) -> None:
    """Comments, empty lines and blanks at the end of a line of authsenders do not count."""
    line = f"a@here.example:[127.0.0.6]{ALICE}"
    qmail.control["authsenders"] = f"#a@here.example:[127.0.0.5]:2525{BOB}\n\n{line} \t\n#\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "alice", 1)


@requirement("0008.line.without-line-end", source="package source, control.c: control_readfile")
async def test_last_line_without_its_end(internet: Internet, qmail: Qmail) -> None:
    """The last line of authsenders counts without a line end too, its password whole."""
    qmail.control["authsenders"] = f"b@here.example:[127.0.0.5]:2525{BOB}\na@here.example:[127.0.0.6]{ALICE}"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "alice", 1)


@requirement("0008.line.falls-back", source=MANUAL + " authsenders: have precedence over smtproutes")
async def test_smtproutes_for_other_senders(internet: Internet, qmail: Qmail) -> None:
    """Mail of a sender without a line in authsenders goes as smtproutes says, with its credentials."""
    qmail.control["authsenders"] = f"b@here.example:[127.0.0.6]{ALICE}\n"
    qmail.control["smtproutes"] = f"plain.example:[127.0.0.5]:2525{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.5", "bob", 1)


@requirement("0008.line.not-both", source=MANUAL + " authsenders: have precedence over smtproutes")
async def test_lines_are_not_mixed(internet: Internet, qmail: Qmail) -> None:
    """A line in authsenders without credentials takes none from smtproutes."""
    qmail.control["authsenders"] = "a@here.example:[127.0.0.6]\n"
    qmail.control["smtproutes"] = f"plain.example:[127.0.0.5]:2525{BOB}\n"
    assert await _went(internet, qmail, "plain.example") == ("127.0.0.6", "", 0)


@requirement(
    "0008.line.null-sender", source=MANUAL + " authsenders: deliver each outgoing mail", role="guard"
)
async def test_bounces_without_a_line(internet: Internet, qmail: Qmail) -> None:
    """A bounce, whose sender is empty, has no line but the one for everybody: here none."""
    qmail.control["authsenders"] = (
        f"a@here.example:[127.0.0.5]:2525{ALICE}\n@here.example:[127.0.0.5]:2525{BOB}\n"
    )
    assert await _went(internet, qmail, "plain.example", "") == ("127.0.0.2", "", 0)


@requirement("0008.line.user-alone", source=MANUAL + ": authentication information is missing", role="guard")
async def test_user_without_a_password(internet: Internet, qmail: Qmail) -> None:
    """A line with a user and no password sends no credentials."""
    qmail.control["authsenders"] = "a@here.example:[127.0.0.6]|alice|\n"
    assert (await _went(internet, qmail, "plain.example"))[1:] == ("", 0)


@requirement(
    "0008.line.password-left-out",
    source=MANUAL + ": authentication information is missing",
    role="guard",
    waits=5,
)
async def test_line_that_ends_behind_the_user(internet: Internet, qmail: Qmail) -> None:
    """A line that ends behind its user sends no credentials, least of all what stands on the next line."""
    lines = ["a@here.example:[127.0.0.6]|alice", f"@other.example:[127.0.0.5]:2525{BOB}"]
    qmail.control["authsenders"] = "\n".join([*lines, ""])
    delivery = await _delivered(internet, qmail, "plain.example", "a@here.example")
    sent = [
        (session.address, session.credentials) for session in internet.mx_sessions() if session.credentials
    ]
    assert not sent, f"credentials were sent, by lines for each host: {sent}"
    assert delivery.accepted, delivery
