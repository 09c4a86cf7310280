"""0008, outbound: qmail-remote authenticates where authsenders or smtproutes tell it to, and nowhere else."""

from typing import Any

from conformance.cases.credentials import password
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

MANUAL = "qmail-remote(8) with patch:0008"
SENDER = "a@here.example"
RECIPIENT = "b@plain.example"


async def _submit(internet: Internet, qmail: Qmail, line: str | None = None, **script: Any) -> DeliveryReport:
    """A delivery to plain.example at 127.0.0.2 with one line in authsenders."""
    internet.load("plain.example")
    internet.exchanger(users={"alice": password("alice")}, **script)
    line = f"{SENDER}:[127.0.0.2]:25|alice|{password('alice')}" if line is None else line
    qmail.control["authsenders"] = line + "\n"
    return await qmail.remote("plain.example", SENDER, [RECIPIENT])


@requirement("0008.out.plain", source=MANUAL + " authsenders; rfc4616:2")
async def test_plain(internet: Internet, qmail: Qmail) -> None:
    """Where PLAIN is announced the message is handed in authenticated as the line's user."""
    assert (await _submit(internet, qmail, auth=["PLAIN"])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.out.login", source=MANUAL + " authsenders")
async def test_login(internet: Internet, qmail: Qmail) -> None:
    """Where LOGIN is announced the message is handed in authenticated as the line's user."""
    assert (await _submit(internet, qmail, auth=["LOGIN"])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.out.cram", source=MANUAL + " authsenders; rfc2195:2", waits=5)
async def test_cram(internet: Internet, qmail: Qmail) -> None:
    """Where CRAM-MD5 is announced the digest is the one of RFC 2195, as the standard library computes it."""
    delivery = await _submit(internet, qmail, auth=["CRAM-MD5"])
    assert delivery.accepted, f"after {internet.commands()[1:2]} {delivery}"
    assert internet.users() == ["alice"]


@requirement(
    "0008.out.order", source=MANUAL + " (with CRAM-MD4 for CRAM-MD5): PLAIN, or LOGIN (in this order)"
)
async def test_order_of_methods(internet: Internet, qmail: Qmail) -> None:
    """Of several methods CRAM-MD5 is chosen, wherever it stands in the announcement."""
    await _submit(internet, qmail, auth=["LOGIN", "PLAIN", "CRAM-MD5"])
    chosen = [line for line in internet.commands() if line.startswith("AUTH")]
    assert chosen == ["AUTH CRAM-MD5"], f"it chose {chosen}"


@requirement("0008.out.plain-before-login", source=MANUAL + ": CRAM-MD5, PLAIN, or LOGIN (in this order)")
async def test_plain_goes_before_login(internet: Internet, qmail: Qmail) -> None:
    """Of PLAIN and LOGIN, announced in this order, PLAIN is chosen."""
    assert (await _submit(internet, qmail, auth=["PLAIN", "LOGIN"])).accepted
    chosen = [line for line in internet.commands() if line.startswith("AUTH")]
    assert chosen == ["AUTH PLAIN"], f"it chose {chosen}"


@requirement(
    "0008.out.plain-wherever-it-stands",
    source=MANUAL + " (with CRAM-MD4 for CRAM-MD5): PLAIN, or LOGIN (in this order)",
    level="should",
)
async def test_plain_behind_login(internet: Internet, qmail: Qmail) -> None:
    """Of LOGIN and PLAIN, announced in this order, PLAIN is chosen."""
    await _submit(internet, qmail, auth=["LOGIN", "PLAIN"])
    chosen = [line for line in internet.commands() if line.startswith("AUTH")]
    assert chosen == ["AUTH PLAIN"], f"it chose {chosen}"


@requirement("0008.out.methods-in-any-case", source="rfc4954:8, rfc5321:4.1.1.1")
async def test_methods_in_lower_case(internet: Internet, qmail: Qmail) -> None:
    """A method that is announced in lower case is the same method."""
    assert (await _submit(internet, qmail, auth=["plain"])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.out.mail-parameter", source="patch:0008 README: Auth=username; rfc4954:5", level="should")
async def test_mail_names_the_user(internet: Internet, qmail: Qmail) -> None:
    """After authentication MAIL names the user with AUTH=, where that is a mailbox."""
    user = "alice@here.example"
    internet.load("plain.example")
    internet.exchanger(auth=["PLAIN"], users={user: "secret"})
    qmail.control["authsenders"] = f"{SENDER}:[127.0.0.2]:25|{user}|secret\n"
    await qmail.remote("plain.example", SENDER, [RECIPIENT])
    mail = [line for line in internet.commands() if line.startswith("MAIL")]
    assert mail == [f"MAIL FROM:<{SENDER}> AUTH={user}"], mail


@requirement("0008.out.mail-parameter-form", source="rfc4954:5, rfc4954:8", role="guard")
async def test_mail_names_a_mailbox_or_nobody(internet: Internet, qmail: Qmail) -> None:
    """A user that is no mailbox does not stand in AUTH= of MAIL: there is no AUTH= there, or AUTH=<>."""
    await _submit(internet, qmail, auth=["PLAIN"])
    mail = [line for line in internet.commands() if line.startswith("MAIL")]
    plain = f"MAIL FROM:<{SENDER}>"
    assert mail in ([plain], [f"{plain} AUTH=<>"]), f"it said {mail}"


@requirement("0008.out.unknown-method-first", source=MANUAL + "; rfc4954:3")
async def test_unknown_method_before(internet: Internet, qmail: Qmail) -> None:
    """A method that qmail-remote does not know, listed first, does not keep it from the one it knows."""
    assert (await _submit(internet, qmail, auth=["DIGEST-MD5", "PLAIN"])).accepted
    assert internet.users() == ["alice"], f"handed in as {internet.users()} after {internet.commands()[1:2]}"


@requirement("0008.out.keyword-in-any-case", source="rfc5321:2.4, rfc5321:4.1.1.1; rfc4954:3", waits=5)
async def test_keyword_in_another_case(internet: Internet, qmail: Qmail) -> None:
    """A host that writes the keyword `Auth` announces AUTH like any other."""
    delivery = await _submit(internet, qmail, extensions=["Auth PLAIN"])
    assert delivery.accepted, f"after {internet.commands()} {delivery}"
    assert internet.users() == ["alice"]


@requirement(
    "0008.out.two-lines", source=MANUAL + ": continuing without; rfc5321:3.3, rfc5321:4.2.5", role="guard"
)
async def test_two_lines_of_unknown_methods(internet: Internet, qmail: Qmail) -> None:
    """Where AUTH and the old form AUTH= both announce unknown methods, MAIL is said once.

    With a command more than replies that are read, a refused message would be taken for an accepted one.
    """
    delivery = await _submit(internet, qmail, extensions=["AUTH GSSAPI", "AUTH=GSSAPI"])
    mails = [line for line in internet.commands() if line.startswith("MAIL")]
    assert mails == [f"MAIL FROM:<{SENDER}>"], f"it said {mails}: {delivery}"
    assert delivery.accepted, delivery


@requirement("0008.out.method-on-second-line", source=MANUAL + "; rfc4954:3, rfc5321:4.1.1.1")
async def test_method_on_the_second_line(internet: Internet, qmail: Qmail) -> None:
    """A line that announces unknown methods alone does not keep qmail-remote from the method on the next."""
    assert (await _submit(internet, qmail, extensions=["AUTH GSSAPI", "AUTH=PLAIN"])).accepted, (
        f"after {internet.commands()[1:]}"
    )
    assert internet.users() == ["alice"]


@requirement(
    "0008.out.not-announced",
    source=MANUAL + ": no supported AUTH method found, continuing",
    role="guard",
    waits=5,
)
async def test_nothing_announced(internet: Internet, qmail: Qmail) -> None:
    """A host that announces no AUTH gets the message without it, and no credentials."""
    delivery = await _submit(internet, qmail)
    assert delivery.accepted, f"after {internet.commands()} {delivery}"
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"


@requirement("0008.out.rejected-temporary", source=MANUAL + " RESULTS", waits=5)
async def test_rejected_credentials(internet: Internet, qmail: Qmail) -> None:
    """Rejected credentials are a temporary failure, and the message is not sent without them."""
    assert (await _submit(internet, qmail, auth=["PLAIN"], steps={"AUTH": "535 no"})).letters == "Z"
    assert internet.messages() == []


@requirement(
    "0008.out.rejected-at-once", source=MANUAL + " RESULTS: but authentication was rejected (plain)", waits=5
)
async def test_rejection_is_reported_at_once(internet: Internet, qmail: Qmail) -> None:
    """Rejected credentials are reported at once, in the manual page's words, not after a time limit."""
    delivery = await _submit(internet, qmail, auth=["PLAIN"], steps={"AUTH": "535 no"})
    assert "authentication was rejected (plain)" in delivery.text, f"{delivery}"
    assert delivery.seconds < 3


@requirement("0008.out.expired", source=MANUAL + " RESULTS: but password expired; rfc4954:6", waits=5)
async def test_expired_password(internet: Internet, qmail: Qmail) -> None:
    """432 is a temporary failure that says that the password expired."""
    delivery = await _submit(internet, qmail, auth=["PLAIN"], steps={"AUTH": "432 change it"})
    assert delivery.letters == "Z"
    assert "password expired" in delivery.text, f"{delivery}"


@requirement("0008.out.smtproutes", source=MANUAL + " smtproutes")
async def test_credentials_of_a_route(internet: Internet, qmail: Qmail) -> None:
    """A line in smtproutes with user and password authenticates too."""
    internet.load("plain.example")
    internet.exchanger(auth=["PLAIN"], users={"alice": password("alice")})
    qmail.control["smtproutes"] = f"plain.example:[127.0.0.2]:25|alice|{password('alice')}\n"
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.out.domain-line", source=MANUAL + " authsenders: @example.com|generic|passwd")
async def test_line_for_a_domain(internet: Internet, qmail: Qmail) -> None:
    """The manual page's short form for a domain authenticates at the recipient's own exchanger."""
    line = f"@here.example|alice|{password('alice')}"
    assert (await _submit(internet, qmail, line, auth=["PLAIN"])).accepted
    assert internet.users() == ["alice"], f"handed in as {internet.users()}"


@requirement("0008.out.precedence", source=MANUAL + ": authsender routes have precedence over smtproutes")
async def test_precedence(internet: Internet, qmail: Qmail) -> None:
    """A line in authsenders is taken before a route in smtproutes."""
    qmail.control["smtproutes"] = "plain.example:[127.0.0.3]\n"
    internet.exchanger("127.0.0.3")
    await _submit(internet, qmail, auth=["PLAIN"])
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.2"]


@requirement("0008.out.other-sender", source=MANUAL + " authsenders", role="guard")
async def test_other_sender(internet: Internet, qmail: Qmail) -> None:
    """A message whose sender has no line is delivered as before, and no credentials leave."""
    line = f"someone-else@here.example:[127.0.0.2]:25|alice|{password('alice')}"
    assert (await _submit(internet, qmail, line, auth=["PLAIN"])).accepted
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"


@requirement("0008.out.other-route", source=MANUAL + " smtproutes", role="guard")
async def test_route_without_credentials(internet: Internet, qmail: Qmail) -> None:
    """A route without credentials uses none: those of another line never leave for its host."""
    internet.load("plain.example")
    internet.exchanger(auth=["PLAIN"], users={"alice": password("alice")})
    other = f"other.example:[127.0.0.2]|alice|{password('alice')}"
    qmail.control["smtproutes"] = f"{other}\nplain.example:[127.0.0.2]\n{other}\n"
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).accepted
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"


@requirement("0008.out.old-host", source=MANUAL + "; rfc5321:2.2.1, rfc5321:3.2", role="guard")
async def test_host_without_ehlo(internet: Internet, qmail: Qmail) -> None:
    """A host that does not know EHLO is greeted with HELO and gets the message."""
    internet.load("plain.example")
    internet.exchanger(ehlo=False)
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).accepted
    assert [session.helo for session in internet.mx_sessions()] == ["HELO mx.here.example"]


@requirement("0008.out.never-lost", source=MANUAL + " RESULTS; rfc5321:6.1", role="guard")
async def test_refused_message_is_not_lost(internet: Internet, qmail: Qmail) -> None:
    """A message that a host refuses, after announcing no method that is known, bounces and is not lost."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(auth=["DIGEST-MD5"], steps={"message": "554 we do not want this"})
    qmail.control["authsenders"] = f"alice@here.example:[127.0.0.2]:25|alice|{password('alice')}\n"
    seen = await qmail.deliver("alice@here.example", [RECIPIENT])
    bounces = seen.mailboxes.get("alice", [])
    assert internet.messages() == []
    assert len(bounces) == 1, f"{len(bounces)} bounces, and {len(seen.queue)} messages in the queue"
    assert "we do not want this" in bounces[0]
