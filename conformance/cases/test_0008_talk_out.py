"""0008, outbound: what is said to a host around AUTH: to whom, how often, in which form, and then QUIT."""

from typing import Any

from conformance.cases.credentials import password
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

MANUAL = "qmail-remote(8) with patch:0008"
SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
XTEXT = "rfc4954:5, rfc3461:4"
QUIT = "rfc5321:4.1.1.10"


async def _submit(
    internet: Internet, qmail: Qmail, user: str = "alice", secret: str = password("alice"), **script: Any
) -> DeliveryReport:
    """A delivery to plain.example at 127.0.0.2, for which authsenders has a user and a password."""
    internet.load("plain.example")
    internet.exchanger(users={user: secret}, **script)
    qmail.control["authsenders"] = f"{SENDER}:[127.0.0.2]:25|{user}|{secret}\n"
    qmail.control["timeoutremote"] = "1\n"
    return await qmail.remote("plain.example", SENDER, [RECIPIENT])


# AUTH= of MAIL


async def _named(internet: Internet, qmail: Qmail, user: str) -> str:
    """What AUTH= of MAIL says after authentication as `user`."""
    await _submit(internet, qmail, user, "made-up", auth=["PLAIN"])
    mail = [line for line in internet.commands() if line.startswith("MAIL")]
    assert internet.users() == [user], f"authenticated as {internet.users()}"
    assert len(mail) == 1, mail
    return mail[0].partition(" AUTH=")[2]


@requirement("0008.xtext.plus", source=XTEXT, level="should")
async def test_plus(internet: Internet, qmail: Qmail) -> None:
    """A plus sign in the user's name goes out as +2B in AUTH=."""
    named = await _named(internet, qmail, "name+tag@here.example")
    assert named == "name+2Btag@here.example", f"AUTH={named}"


@requirement("0008.xtext.equals", source=XTEXT + "; " + MANUAL + " authsenders: e=mc2", level="should")
async def test_equals_sign(internet: Internet, qmail: Qmail) -> None:
    """An equals sign in the user's name, as in the manual page's own example, goes out as +3D in AUTH=."""
    named = await _named(internet, qmail, "e=mc2@here.example")
    assert named == "e+3Dmc2@here.example", f"AUTH={named}"


@requirement("0008.xtext.both", source=XTEXT, level="should")
async def test_what_looks_like_xtext(internet: Internet, qmail: Qmail) -> None:
    """A name that looks like xtext already is encoded all the same, each sign of it."""
    named = await _named(internet, qmail, "a+3Db==+@here.example")
    assert named == "a+2B3Db+3D+3D+2B@here.example", f"AUTH={named}"


@requirement("0008.xtext.visible", source=XTEXT, level="should")
async def test_visible_characters(internet: Internet, qmail: Qmail) -> None:
    """All other visible characters stand in AUTH= as they are."""
    others = "".join(chr(code) for code in range(33, 127) if chr(code) not in "+=|")
    named = await _named(internet, qmail, others + "@here.example")
    assert named == others + "@here.example", f"AUTH={named}"


@requirement("0008.xtext.space", source=XTEXT, level="should")
async def test_space(internet: Internet, qmail: Qmail) -> None:
    """A space in the user's name goes out as +20 in AUTH=."""
    named = await _named(internet, qmail, '"two words"@here.example')
    assert named == '"two+20words"@here.example', f"AUTH={named}"


@requirement("0008.xtext.8-bit", source=XTEXT, level="should")
async def test_octets_beyond_ascii(internet: Internet, qmail: Qmail) -> None:
    """An octet beyond ASCII in the user's name stands in AUTH= in hexadecimal, or <> stands there."""
    named = await _named(internet, qmail, "j\xf6rg@here.example")
    assert named in ("j+F6rg@here.example", "<>"), f"AUTH={named}"


@requirement("0008.xtext.harmless", source="rfc4954:5, rfc5321:4.1.2", role="guard")
async def test_mail_is_one_line_of_ascii(internet: Internet, qmail: Qmail) -> None:
    """Whatever octets a user's name has, MAIL is one line with one parameter of visible ASCII at most."""
    await _submit(internet, qmail, 'tab\tand "two"  words\x7f\xff@here.example', "made-up", auth=["PLAIN"])
    mail = [line for line in internet.commands() if line.startswith("MAIL")]
    assert len(mail) == 1, mail
    words = mail[0].split(" ")[2:]
    assert all(word and all("!" <= sign <= "~" for sign in word) for word in words), mail[0]
    assert len(words) <= 1, mail[0]


# Credentials: only to whom asks for them, and once


@requirement("0008.out.unannounced-accepted", source="rfc4954:3; " + MANUAL, role="guard", waits=1)
async def test_host_that_would_take_what_it_does_not_announce(internet: Internet, qmail: Qmail) -> None:
    """A host that announces no AUTH gets no credentials, though it would take them."""
    await _submit(internet, qmail, accepts=["PLAIN", "LOGIN", "CRAM-MD5"])
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert not [line for line in internet.commands() if line.startswith("AUTH")]


@requirement("0008.out.unannounced-after-helo", source="rfc4954:3, rfc5321:3.2", role="guard", waits=1)
async def test_host_that_takes_auth_after_helo(internet: Internet, qmail: Qmail) -> None:
    """A host that knows HELO alone gets no credentials, though it would take them."""
    await _submit(internet, qmail, ehlo=False, accepts=["PLAIN", "LOGIN"])
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert not [line for line in internet.commands() if line.startswith("AUTH")]


@requirement("0008.out.announced-in-the-greeting", source="rfc4954:3", role="guard", waits=1)
async def test_announcement_in_the_greeting(internet: Internet, qmail: Qmail) -> None:
    """What a greeting says of AUTH is no announcement, and brings out no credentials."""
    greeting = "220-mx.test.example ESMTP\r\n220-AUTH LOGIN PLAIN\r\n220 AUTH PLAIN"
    await _submit(internet, qmail, steps={"connect": greeting}, accepts=["PLAIN", "LOGIN"])
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"


@requirement("0008.out.announced-and-refused", source=MANUAL + " RESULTS; rfc4954:4", waits=1)
async def test_announced_and_refused(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the method that it announced gets no credentials; the failure is temporary."""
    delivery = await _submit(internet, qmail, auth=["LOGIN"], accepts=["PLAIN"])
    assert internet.commands()[1:2] == ["AUTH LOGIN"], internet.commands()
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert delivery.letters == "Z", delivery
    assert internet.messages() == []


@requirement("0008.out.once", source="rfc4954:4; " + MANUAL)
async def test_credentials_once(internet: Internet, qmail: Qmail) -> None:
    """Credentials are sent once, before one MAIL, and AUTH is said once."""
    assert (await _submit(internet, qmail, auth=["PLAIN"])).accepted
    session = internet.mx_session()
    assert (session.user, session.credentials) == ("alice", 1)
    verbs = [line.split(" ")[0] for line in internet.commands()[:5]]
    assert verbs[:2] == ["EHLO", "AUTH"], verbs
    assert verbs[3:] == ["MAIL", "RCPT"], verbs


@requirement("0008.out.rejected-once", source=MANUAL + " RESULTS; rfc4954:4", waits=1)
async def test_rejected_credentials_are_not_tried_again(internet: Internet, qmail: Qmail) -> None:
    """Rejected credentials are not sent again, by no other method, and no message follows them."""
    delivery = await _submit(
        internet, qmail, auth=["PLAIN"], accepts=["PLAIN", "LOGIN"], steps={"AUTH": "535 no"}
    )
    session = internet.mx_session()
    assert session.credentials == 1, f"credentials were sent {session.credentials} times"
    assert "MAIL" not in [line.split(" ")[0] for line in internet.commands()]
    assert delivery.letters == "Z", delivery


@requirement(
    "0008.out.login-user-refused", source=MANUAL + " RESULTS: authentication was rejected (username)"
)
async def test_refused_user(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the user of LOGIN is not sent the password; the report says so, for now."""
    steps = {"challenge": ["334 VXNlcm5hbWU6", "535 who"]}
    delivery = await _submit(internet, qmail, auth=["LOGIN"], steps=steps)
    assert internet.mx_session().credentials == 1
    assert delivery.letters == "Z", delivery
    assert "authentication was rejected (username)" in delivery.text, delivery


# QUIT


async def _left(internet: Internet, qmail: Qmail, **script: Any) -> DeliveryReport:
    """As `_submit`; after AUTH the host must be left with QUIT."""
    delivery = await _submit(internet, qmail, **script)
    session = internet.mx_session()
    assert session.helo.startswith("EHLO"), session.helo
    assert session.quit, f"qmail-remote left without QUIT: {session.ended}, {delivery}"
    return delivery


@requirement("0008.ending.authenticated", source=QUIT)
async def test_quit_after_a_delivery(internet: Internet, qmail: Qmail) -> None:
    """After a message that was handed in authenticated qmail-remote says QUIT, last."""
    assert (await _left(internet, qmail, auth=["PLAIN"])).accepted
    assert internet.commands()[-1] == "QUIT"


@requirement("0008.ending.method-refused", source=QUIT)
async def test_quit_after_a_refused_method(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the method is left with QUIT."""
    await _left(internet, qmail, auth=["PLAIN"], steps={"challenge": "504 no"})


@requirement("0008.ending.user-refused", source=QUIT)
async def test_quit_after_a_refused_user(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the user of LOGIN is left with QUIT."""
    await _left(internet, qmail, auth=["LOGIN"], steps={"challenge": ["334 VXNlcm5hbWU6", "535 who"]})


@requirement("0008.ending.rejected", source=QUIT, waits=1)
async def test_quit_after_rejected_credentials(internet: Internet, qmail: Qmail) -> None:
    """A host that rejects the credentials is left with QUIT."""
    await _left(internet, qmail, auth=["PLAIN"], steps={"AUTH": "535 no"})


@requirement("0008.ending.nothing-announced", source=QUIT, waits=1)
async def test_quit_without_a_method(internet: Internet, qmail: Qmail) -> None:
    """A host that announces no AUTH is left with QUIT."""
    await _left(internet, qmail)


# Time limits


async def _waits(internet: Internet, qmail: Qmail, **steps: str) -> None:
    """A host that falls silent within AUTH is waited for one second."""
    delivery = await _submit(internet, qmail, auth=["PLAIN"], steps=dict(steps))
    assert internet.commands()[1:2] == ["AUTH PLAIN"], internet.commands()
    assert delivery.letters == "Z", delivery
    waited = internet.mx_session().transcript[-1].at - internet.mx_session().transcript[-2].at
    assert 0.5 <= waited < 1.9, f"left after {waited:.1f} s of silence"


@requirement(
    "0008.limit.method", source="qmail-remote(8) timeoutremote: will wait for each response", waits=1
)
async def test_limit_of_the_method(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer AUTH is left after timeoutremote seconds."""
    await _waits(internet, qmail, challenge="stall")


@requirement(
    "0008.limit.credentials", source="qmail-remote(8) timeoutremote: will wait for each response", waits=1
)
async def test_limit_of_the_credentials(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer the credentials is left after timeoutremote seconds."""
    await _waits(internet, qmail, AUTH="stall")


# A host that repeats its verdict: the words of the report are decided where one reply is not enough


async def _told_twice(internet: Internet, qmail: Qmail, method: str, verdict: str) -> DeliveryReport:
    """The credentials get the same reply twice at once; the message must not be sent, for now."""
    twice = f"{verdict}\r\n{verdict}"
    delivery = await _submit(internet, qmail, auth=[method], steps={"AUTH": twice})
    assert internet.commands()[1:2] == [f"AUTH {method}"], internet.commands()
    assert delivery.letters == "Z", delivery
    assert internet.messages() == []
    return delivery


@requirement("0008.out.expired-login", source=MANUAL + " RESULTS: but password expired; rfc4954:6")
async def test_expired_password_of_login(internet: Internet, qmail: Qmail) -> None:
    """432 to LOGIN, from a host that says it twice, is a temporary failure: password expired."""
    delivery = await _told_twice(internet, qmail, "LOGIN", "432 change it")
    assert "but password expired" in delivery.text, delivery


@requirement("0008.out.expired-plain", source=MANUAL + " RESULTS: but password expired; rfc4954:6")
async def test_expired_password_of_plain(internet: Internet, qmail: Qmail) -> None:
    """432 to PLAIN, from a host that says it twice, is a temporary failure: password expired."""
    delivery = await _told_twice(internet, qmail, "PLAIN", "432 change it")
    assert "but password expired" in delivery.text, delivery


@requirement("0008.out.expired-cram", source=MANUAL + " RESULTS: but password expired; rfc4954:6")
async def test_expired_password_of_cram(internet: Internet, qmail: Qmail) -> None:
    """432 to CRAM-MD5, from a host that says it twice, is a temporary failure: password expired."""
    delivery = await _told_twice(internet, qmail, "CRAM-MD5", "432 change it")
    assert "but password expired" in delivery.text, delivery


@requirement("0008.out.rejected-login", source=MANUAL + " RESULTS: but authentication was rejected")
async def test_rejected_password_of_login(internet: Internet, qmail: Qmail) -> None:
    """535 to LOGIN's password, from a host that says it twice, is a temporary failure that says so."""
    delivery = await _told_twice(internet, qmail, "LOGIN", "535 no")
    assert "authentication was rejected (password)" in delivery.text, delivery


@requirement("0008.out.cram-long-password", source="rfc2195:2, rfc2104:2", level="should")
async def test_cram_with_long_passwords(internet: Internet, qmail: Qmail) -> None:
    """Two passwords that differ behind their 64th octet give two answers to one challenge of CRAM-MD5."""
    internet.load("plain.example")
    internet.exchanger(auth=["CRAM-MD5"])
    lines = [f"{name}@here.example:[127.0.0.2]:25|alice|{'x' * 64}{name}\n" for name in "ab"]
    qmail.control["authsenders"] = "".join(lines)
    qmail.control["timeoutremote"] = "1\n"
    for name in "ab":
        await qmail.remote("plain.example", f"{name}@here.example", [RECIPIENT])
    sessions = [said.partition("AUTH CRAM-MD5\r\n")[2].split("\r\n")[0] for said in _said(internet)]
    assert len(sessions) == 2, sessions
    assert all(sessions), sessions
    assert sessions[0] != sessions[1], "both passwords give the same answer"


def _said(internet: Internet) -> list[str]:
    """What qmail-remote said in each session."""
    return [
        "".join(entry.text for entry in session.transcript if entry.source == "client")
        for session in internet.mx_sessions()
    ]
